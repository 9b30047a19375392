"""Two workers are one switch to phones on TLS and WSS, texts, pickup, parking, limits and the books."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest

from switchroom.switch.ops.cli.certificate import make_certificate

from .answerer import Answerer
from .harness import PASSWORD, Switch, user, wait_until
from .phone import Dialog, Phone, bridge
from .ports import TETHER, free_port
from .raw import Message, Wire, audio, response_to
from .rtp import Sound
from .waiting import readable

ALICE, BOB, CAROL = "2001", "2002", "2003"
CARRIER = "127.0.0.6"  # not the phones': what a trunk sends is dealt out by Call-ID


class Pair:
    """A switch of two workers, and phones placed at one or the other."""

    def __init__(self, folder: Path, callee: Answerer) -> None:
        self.tls_port, self.wss_port = free_port(), free_port()
        self.certificate = folder / "switch.pem"
        self.certificate.write_bytes(make_certificate(["127.0.0.1"]))
        self.switch = Switch(
            folder / "switch",
            users=[
                *(user(name, pickup_group="desk") for name in (ALICE, BOB, CAROL)),
                *(user(str(n), webrtc="never") for n in range(2004, 2040)),  # bare sockets are no browsers
            ],
            switch={"workers": 2},
            features={"park_slots": "700-702"},
            tls={"certificate": str(self.certificate)},
            calls={"user_rate": 1000.0, "max_calls_per_user": 100, "survive_restart": False},
            trunks=[
                {
                    "name": "few", "address": f"sip:{CARRIER}:{callee.address[1]}", "options_interval": 0.0,
                    "max_calls": 3,
                },
                {
                    "name": "slow", "address": f"sip:{CARRIER}:{callee.address[1]}", "options_interval": 0.0,
                    "calls_per_second": 4.0,
                },
            ],
            routes=[
                {"match": "81*", "to": "trunk:few"},
                {"match": "82*", "to": "trunk:slow"},
                *({"match": f"83{n}", "to": f"conference:room{n}"} for n in range(4)),
            ],
            sms={"reserve": 1},
            sms_routes=[{"name": "out", "match": "+49*", "to": "api:nobody"}],
        )  # fmt: skip
        self.switch.config["sip"]["listen"] += [
            f"tls:127.0.0.1:{self.tls_port}",
            f"wss:127.0.0.1:{self.wss_port}",
        ]

    def context(self) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(self.certificate))
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return made

    def phone(self, name: str, transport: str = "udp") -> Phone:
        port = {"tls": self.tls_port, "wss": self.wss_port}.get(transport, self.switch.port)
        context = self.context() if transport in ("tls", "wss") else None
        return Phone(("127.0.0.1", port), name, PASSWORD, transport, context=context)

    def at(self, stack: ExitStack, slot: int, name: str, transport: str = "udp") -> Phone:
        """A registered phone whose messages that worker reads: the kernel deals them out by port."""
        for _ in range(40):
            phone = self.phone(name, transport)
            if slot_at(phone) == slot:
                stack.enter_context(phone)
                assert phone.register(contact=phone.contact).status == 200
                stack.callback(phone.register, 0, phone.contact)
                return phone
            phone.close()
        raise AssertionError(f"the kernel gives nothing to worker {slot}")

    def pid(self, slot: int) -> int:
        found = re.search(rf"{slot}: pid (\d+)", self.switch.cli("status", "--json").stdout)
        return int(found[1]) if found else 0

    def is_idle(self) -> None:
        self.switch.wait_idle(15)


def slot_at(wire: Wire) -> int:
    """The worker that reads what comes from there: its tag says so."""
    call_id = os.urandom(8).hex()
    wire.send(wire.request("OPTIONS", f"sip:127.0.0.1:{wire.server[1]}", call_id=call_id))
    return int(wire.final(call_id=call_id).tag("to")[:2], 16)


@pytest.fixture(scope="module")
def callee() -> Iterator[Answerer]:
    with Answerer(CARRIER) as running:
        yield running


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, callee: Answerer) -> Iterator[Pair]:
    made = Pair(tmp_path_factory.mktemp("pair"), callee)
    with made.switch:
        wait_until(lambda: made.pid(0) and made.pid(1), 10, "both workers")
        yield made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def ringing(caller: Phone, callee: Phone) -> tuple[Dialog, Dialog]:
    calling = caller.start_call(callee.user, audio("127.0.0.1", 40000))
    called = callee.incoming()
    assert isinstance(called.invite, Message)
    called.respond(called.invite, 180, "Ringing")
    calling.remote = caller.expect(180, call_id=calling.call_id).get("to")
    return calling, called


def hang_up(dialog: Dialog, other: Dialog) -> None:
    dialog.phone.send(dialog.request("BYE"))
    other.answer_bye()
    assert dialog.phone.final(method="BYE", call_id=dialog.call_id).status == 200


def acknowledge(dialog: Dialog, refusal: Message) -> None:
    """ACK for what is no 2xx (RFC 3261 §17.1.1.3)."""
    assert isinstance(dialog.invite, bytes)
    via = Message.parse(dialog.invite).get("via").rpartition("branch=")[2]
    ack = dialog.phone.request(
        "ACK", dialog.target, to=refusal.get("to"), from_=dialog.local, call_id=dialog.call_id,
        cseq=dialog.cseq, via=via, contact=False,
    )  # fmt: skip
    dialog.phone.send(ack)


def outgoing(phone: Phone, number: str) -> tuple[int, Dialog]:
    """Call a number; the final status, acknowledged."""
    dialog = phone.start_call(number, audio("127.0.0.1", 40000))
    final = phone.final(method="INVITE", call_id=dialog.call_id)
    if final.status == 200:
        dialog.remote, dialog.target = final.get("to"), final.target
        dialog.ack()
    else:
        acknowledge(dialog, final)
    return final.status, dialog


@pytest.mark.parametrize("transport", ["tls", "wss"])
def test_calls_between_workers_over_connections(pair: Pair, stack: ExitStack, transport: str) -> None:
    """Each phone's connection is at one worker; the call of the other worker goes out over it."""
    a, b = pair.at(stack, 0, "2004", transport), pair.at(stack, 1, "2005", transport)
    for one, two in ((a, b), (b, a)):
        calling, called = bridge(one, two)
        assert isinstance(called.invite, Message)
        assert f"SIP/2.0/{transport.upper()}" in called.invite.get("via")
        assert int(calling.remote.rpartition("tag=")[2][:2], 16) == slot_at(one)
        hang_up(called, calling)
    pair.is_idle()


def test_texts_between_workers(pair: Pair, stack: ExitStack) -> None:
    a, b = pair.at(stack, 0, "2006"), pair.at(stack, 1, "2007", "tls")
    for one, two, text in ((a, b, b"to the other"), (b, a, b"and back")):
        call_id = os.urandom(8).hex()
        headers, uri = [("Content-Type", "text/plain")], f"sip:{two.user}@{one.domain}"

        def answered(one: Phone = one, two: Phone = two, text: bytes = text) -> None:
            got = two.expect("MESSAGE")
            assert got.body == text
            two.send(response_to(got, 200, "OK"))

        one.send(one.request("MESSAGE", uri, from_=f"{one.identity};tag=1", call_id=call_id))
        challenge = one.final(call_id=call_id)
        assert challenge.status == 401
        from .digest import credentials

        proof = credentials(one.challenge_in(challenge), "MESSAGE", uri, one.user, PASSWORD)
        one.send(
            one.request(
                "MESSAGE", uri, from_=f"{one.identity};tag=1", call_id=call_id, cseq=2,
                headers=[*headers, ("Authorization", proof)], body=text,
            )
        )  # fmt: skip
        answered()
        assert one.final(call_id=call_id).status in (200, 202)


def test_a_text_waits_for_a_phone_that_comes_to_the_other_worker(pair: Pair, stack: ExitStack) -> None:
    a = pair.at(stack, 0, "2006")
    sent, _ = a.ask(
        "MESSAGE", f"sip:2008@{a.domain}", headers=[("Content-Type", "text/plain")], body=b"later"
    )
    assert sent.status == 202
    b = pair.at(stack, 1, "2008")
    got = b.expect("MESSAGE", 10)
    assert got.body == b"later"
    b.send(response_to(got, 200, "OK"))


def test_texts_to_the_world_reach_the_one_message_centre(pair: Pair, stack: ExitStack) -> None:
    for slot, name in ((0, "2009"), (1, "2010")):
        phone = pair.at(stack, slot, name)
        header = [("Content-Type", "text/plain")]
        taken, _ = phone.ask("MESSAGE", f"sip:%2B49301@{phone.domain}", headers=header, body=b"hello")
        assert taken.status == 202
        refused, _ = phone.ask("MESSAGE", f"sip:%2B33612@{phone.domain}", headers=header, body=b"hello")
        assert refused.status == 404
    rows = pair.switch.ask("messages")
    assert [(row["inlet"], row["from"], row["state"]) for row in rows] == [
        ("user:2009", "2009", "queued"),
        ("user:2010", "2010", "queued"),
    ]


@pytest.mark.parametrize("slot", [0, 1])
@pytest.mark.parametrize("code", ["*8", "*8" + BOB])
def test_a_call_that_rings_is_picked_up_from_any_worker(
    pair: Pair, stack: ExitStack, slot: int, code: str
) -> None:
    a, b, c = pair.at(stack, slot, ALICE), pair.at(stack, slot, BOB), pair.at(stack, 1 - slot, CAROL)
    calling, called = ringing(a, b)
    picking = c.start_call(code, audio("127.0.0.1", 40004))
    answer = c.answered(picking)
    assert answer.tag("to").startswith(f"{slot:02x}")  # the worker that has the call took the INVITE
    a.answered(calling)
    cancel = called.wait_for("CANCEL")
    b.send(response_to(cancel, 200, "OK"))
    called.respond(called.invite, 487, "Cancelled")  # type: ignore[arg-type]
    hang_up(picking, calling)
    row = pair.switch.wait_record(lambda r: r["call_id_a"] == calling.call_id)
    assert f"picked up by {CAROL}" in row["verdict"]
    pair.is_idle()


@pytest.mark.parametrize("slot", [0, 1])
def test_what_rings_nowhere_cannot_be_picked_up(pair: Pair, stack: ExitStack, slot: int) -> None:
    """Every worker is asked once, then the phone is told; who is in no group of it gets nothing either."""
    c = pair.at(stack, slot, CAROL)
    assert outgoing(c, "*8")[0] == 404
    a, b, stranger = pair.at(stack, slot, ALICE), pair.at(stack, slot, BOB), pair.at(stack, 1 - slot, "2009")
    calling, called = ringing(a, b)
    assert outgoing(stranger, "*8" + BOB)[0] == 404
    b.accept(called, audio("127.0.0.1", 40002))
    a.answered(calling)
    hang_up(calling, called)
    pair.is_idle()


def test_members_of_a_conference_meet_in_one_worker(pair: Pair, stack: ExitStack) -> None:
    """Whoever comes first, wherever he comes: a room is in the worker that all think of, or where it is."""
    phones = [pair.at(stack, slot, name) for slot, name in ((0, ALICE), (1, BOB), (0, CAROL))]
    homes = set()
    for room in range(4):
        dialogs = []
        for phone in phones[room % 2 :]:
            dialogs.append(phone.start_call(f"83{room}", audio("127.0.0.1", 40000 + 2 * len(dialogs))))
            answer = phone.answered(dialogs[-1])
            homes.add((room, answer.tag("to")[:2]))
        wanted = [f"room{room}"] * len(dialogs)
        wait_until(lambda: [row["conference"] for row in pair.switch.ask("conferences")] == wanted, 5, "all")  # noqa: B023
        for dialog in dialogs:
            dialog.bye()
        wait_until(lambda: not pair.switch.ask("conferences"), 5, "an end")
    assert len(homes) == 4  # one for each room
    assert len({slot for _, slot in homes}) == 2  # and not all in the same
    pair.is_idle()


def park(dialog: Dialog, number: str) -> str:
    """Transfer the other end to a slot; what the last NOTIFY says of it."""
    phone = dialog.phone
    phone.send(
        dialog.request(
            "REFER",
            headers=[("Refer-To", f"<sip:{number}@{phone.domain}>"), ("Referred-By", phone.identity)],
        )
    )
    status = phone.final(method="REFER", call_id=dialog.call_id).status
    if status != 202:
        return str(status)
    while True:
        told = dialog.wait_for("NOTIFY")
        phone.send(response_to(told, 200, "OK"))
        if b" 200 " in told.body:
            return told.body.decode()


@pytest.mark.parametrize("slot", [0, 1])
def test_who_is_parked_is_taken_from_any_worker(pair: Pair, stack: ExitStack, slot: int) -> None:
    a, b = pair.at(stack, slot, ALICE), pair.at(stack, slot, BOB)
    first, second = bridge(a, b)
    assert "Parked in 700" in park(second, "*70")
    second.answer_bye()
    c, d = pair.at(stack, 1 - slot, CAROL), pair.at(stack, 1 - slot, "2010")
    other, third = bridge(c, d)
    assert park(third, "700") == "486"  # the slot is taken, at the other worker
    assert "Parked in 701" in park(third, "*70")
    third.answer_bye()
    taking = d.start_call("700", audio("127.0.0.1", 40008))
    reinvite = a.expect("INVITE", call_id=first.call_id)
    first.respond(reinvite, 200, "OK", audio("127.0.0.1", 40000))
    d.answered(taking)
    first.wait_for("ACK")
    hang_up(taking, first)
    c.send(other.request("BYE"))
    assert c.final(method="BYE", call_id=other.call_id).status == 200
    assert outgoing(d, "701")[0] == 404  # free again
    pair.is_idle()


def test_a_trunks_calls_are_counted_over_all_workers(pair: Pair, stack: ExitStack) -> None:
    here, there = pair.at(stack, 0, "2011"), pair.at(stack, 1, "2012")
    up = [outgoing(phone, f"81{i}") for i, phone in enumerate((here, there, here))]
    assert [status for status, _ in up] == [200] * 3
    wait_until(lambda: trunk_calls(pair, "few") == 3, 5, "the leader to know of three")
    time.sleep(0.5)  # the workers tell each other four times a second
    for phone in (here, there):
        assert outgoing(phone, "819")[0] in (480, 503)
    for _, dialog in up:
        assert dialog.bye().status == 200
    wait_until(lambda: trunk_calls(pair, "few") == 0, 5, "the leader to know of none")
    time.sleep(0.5)
    for phone in (here, there):
        status, dialog = outgoing(phone, "818")
        assert status == 200
        assert dialog.bye().status == 200
    pair.is_idle()


def trunk_calls(pair: Pair, name: str) -> int:
    (row,) = (row for row in pair.switch.ask("trunks") if row["trunk"] == name)
    return int(row["calls"])


def test_a_trunks_rate_is_that_of_all_workers(pair: Pair, stack: ExitStack) -> None:
    """Four a second, over two and a half seconds with a burst of four: 14 of 50, not twice as many."""
    phones = pair.at(stack, 0, "2013"), pair.at(stack, 1, "2014")
    taken = 0
    began = time.monotonic()
    for i in range(50):
        status, dialog = outgoing(phones[i % 2], f"82{i}")
        if status == 200:
            taken += 1
            assert dialog.bye().status == 200
        time.sleep(max(0.0, began + 0.05 * (i + 1) - time.monotonic()))
    seconds = time.monotonic() - began
    assert 8 <= taken <= 4 * seconds + 4 + 4  # what begins within a quarter of a second may be too much
    pair.is_idle()


def test_follow_shows_the_calls_of_all_workers(pair: Pair, stack: ExitStack) -> None:
    a, b = pair.at(stack, 0, "2015"), pair.at(stack, 1, "2016")
    command = [*TETHER, sys.executable, "-m", "switchroom.switch", "trace", "--follow", "2016"]
    follower = subprocess.Popen(
        [*command, "-c", str(pair.switch.file)], stdout=subprocess.PIPE, cwd=pair.switch.folder
    )
    other = subprocess.Popen(
        [*command[:-1], "2015", "-c", str(pair.switch.file)], stdout=subprocess.PIPE, cwd=pair.switch.folder
    )
    try:
        time.sleep(1.0)  # nothing tells that they look
        for one, two, watching in ((a, b, follower), (b, a, other)):
            calling, called = bridge(one, two)
            hang_up(calling, called)
            said = read_until(watching, b"200 OK (BYE)")
            assert "INVITE" in said
            assert "180 Ringing" in said
    finally:
        for process in (follower, other):
            process.kill()
            process.communicate()


def read_until(process: subprocess.Popen[bytes], word: bytes, timeout: float = 10.0) -> str:
    assert process.stdout is not None
    said, until = b"", time.monotonic() + timeout
    while word not in said:
        assert readable([process.stdout], max(0.0, until - time.monotonic())), said
        said += os.read(process.stdout.fileno(), 65536)
    return said.decode()


def test_a_renewed_certificate_is_shown_by_all_workers(pair: Pair) -> None:
    def shown() -> set[bytes]:
        found = set()
        for _ in range(12):  # connections are dealt out by port, too
            with pair.phone("2017", "tls") as phone:
                assert isinstance(phone.socket, ssl.SSLSocket)
                found.add((slot_at(phone), phone.socket.getpeercert(binary_form=True)))
        assert {slot for slot, _ in found} == {0, 1}
        return {certificate or b"" for _, certificate in found}

    before = shown()
    assert len(before) == 1
    pair.certificate.write_bytes(make_certificate(["127.0.0.1"]))
    assert pair.switch.cli("reload").returncode == 0
    after = shown()
    assert len(after) == 1
    assert after != before


def test_a_call_that_rings_when_its_worker_dies_leaves_a_record(pair: Pair, stack: ExitStack) -> None:
    a, b = pair.at(stack, 1, "2018"), pair.at(stack, 1, "2019")
    calling, _ = ringing(a, b)

    def is_entered() -> bool:
        return any(row["call_id_a"] == calling.call_id for row in pair.switch.live_records())

    wait_until(is_entered, 5, "the open record of a call that rings")
    os.kill(pair.pid(1), signal.SIGKILL)
    row = pair.switch.wait_record(lambda r: r["call_id_a"] == calling.call_id, 10)
    assert (row["cause"], row["reason"], row["ended_by"]) == (500, "crash", "switch")
    assert "while the call was being set up (worker 1" in row["verdict"]
    wait_until(lambda: pair.pid(1), 10, "the next life")
    assert not is_entered()


def refer(transferor: Dialog, asking: Dialog) -> Dialog:
    """Attended: whoever the transferor's call is with is to talk to whoever the other call is with."""
    phone = transferor.phone
    tags = [who.rpartition("tag=")[2] for who in (asking.remote, asking.local)]
    assert tags[0][:2] != transferor.remote.rpartition("tag=")[2][:2]  # another worker has that call
    named = quote(f"{asking.call_id};to-tag={tags[0]};from-tag={tags[1]}", safe="")
    headers = [
        ("Refer-To", f"<sip:{CAROL}@{phone.domain}?Replaces={named}>"),
        ("Referred-By", phone.identity),
    ]
    phone.send(transferor.request("REFER", headers=headers))
    assert phone.final(method="REFER", call_id=transferor.call_id).status == 202
    return transferor


def told_at_last(transferor: Dialog) -> str:
    """The last NOTIFY."""
    while True:
        notify = transferor.wait_for("NOTIFY", 10)
        transferor.phone.send(response_to(notify, 200, "OK"))
        if "terminated" in notify.get("subscription-state"):
            return notify.body.decode().strip()


def renewed(dialog: Dialog, sound: Sound) -> None:
    """Take a re-INVITE, and send to where it says."""
    reinvite = dialog.wait_for("INVITE", 10)
    dialog.respond(reinvite, 200, "OK", audio("127.0.0.1", sound.port))
    dialog.wait_for("ACK")
    sound.remote = media_in(reinvite.body)


def media_in(body: bytes) -> tuple[str, int]:
    found = re.search(rb"c=IN IP4 (\S+)\r\n(?:.*\r\n)*?m=audio (\d+)", body)
    assert found, body
    return found[1].decode(), int(found[2])


def hear_each_other(one: Sound, two: Sound) -> bool:
    for near, far in ((one, two), (two, one)):
        far.heard.clear()
        near.send(20)
        far.receive(20, 3.0)
    return two.heard_with(one.mark) >= 18 and one.heard_with(two.mark) >= 18


def onward(transferor: Dialog, first: Dialog, target: Phone, sound: Sound) -> None:
    """Whoever was reached so transfers in turn, and again: to a phone that is called, over both workers."""
    phone = transferor.phone
    phone.send(transferor.request("REFER", headers=[("Refer-To", f"<sip:{target.user}@{phone.domain}>")]))
    assert phone.final(method="REFER", call_id=transferor.call_id).status == 202
    called = target.incoming()
    target.accept(called, audio("127.0.0.1", 40006))
    renewed(first, sound)
    assert told_at_last(transferor) == "SIP/2.0 200 OK"
    transferor.answer_bye()
    hang_up(first, called)


@pytest.mark.parametrize("slot", [0, 1])
def test_an_attended_transfer_to_a_call_of_another_worker(pair: Pair, stack: ExitStack, slot: int) -> None:
    """Alice calls Bob, whose own call to Carol is at the other worker: he connects them."""
    a, b, c = pair.at(stack, slot, ALICE), pair.at(stack, 1 - slot, BOB), pair.at(stack, slot, CAROL)
    one, two = stack.enter_context(Sound()), stack.enter_context(Sound())
    first, second = bridge(a, b, one.port)
    asking, asked = bridge(b, c, b_port=two.port)
    refer(second, asking)
    renewed(asked, two)
    renewed(first, one)
    assert told_at_last(second) == "SIP/2.0 200 OK"
    second.answer_bye()
    asking.answer_bye()
    wait_until(lambda: hear_each_other(one, two), 10, "sound in both directions")
    onward(asked, first, pair.at(stack, slot, "2009"), one)
    pair.is_idle()
    row = pair.switch.wait_record(lambda r: r["call_id_a"] == first.call_id and "Transferred" in r["reason"])
    assert row["reason"] == f"Transferred to {CAROL}"


def test_an_attended_transfer_to_what_still_rings_at_another_worker(pair: Pair, stack: ExitStack) -> None:
    """It is called anew for the one who waits; the transferor takes his own call back."""
    a, b, c = pair.at(stack, 0, ALICE), pair.at(stack, 1, BOB), pair.at(stack, 0, CAROL)
    one, two = stack.enter_context(Sound()), stack.enter_context(Sound())
    first, second = bridge(a, b, one.port)
    asking, rings = ringing(b, c)
    refer(second, asking)
    again = c.incoming()
    assert isinstance(again.invite, Message)
    two.remote = media_in(again.invite.body)
    c.accept(again, audio("127.0.0.1", two.port))
    renewed(first, one)
    assert told_at_last(second) == "SIP/2.0 200 OK"
    second.answer_bye()
    b.cancel(asking)
    cancel = rings.wait_for("CANCEL")
    c.send(response_to(cancel, 200, "OK"))
    rings.respond(rings.invite, 487, "Cancelled")  # type: ignore[arg-type]
    acknowledge(asking, b.expect(487, call_id=asking.call_id))
    wait_until(lambda: hear_each_other(one, two), 10, "sound in both directions")
    hang_up(first, again)
    pair.is_idle()


def test_nobody_transfers_to_anothers_call_at_another_worker(pair: Pair, stack: ExitStack) -> None:
    """The account is the transferor's own, as he has proven it in his dialog (THREATS C12)."""
    a, b, c = pair.at(stack, 0, ALICE), pair.at(stack, 0, "2009"), pair.at(stack, 1, CAROL)
    d = pair.at(stack, 0, BOB)
    first, second = bridge(a, b)
    asking, asked = bridge(c, d)
    refer(second, asking)
    assert told_at_last(second).startswith("SIP/2.0 403")
    hang_up(first, second)
    hang_up(asking, asked)
    pair.is_idle()
