"""What a trunk's configuration promises, each clause seen on the wire of a running switch."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .answerer import Answerer
from .harness import PASSWORD, Switch, Table, user
from .phone import Phone
from .raw import Message, audio

CARRIER = "127.0.0.6"  # where calls from the carrier come from
ANNA = "+4930123401"
HIDDEN = '"Anonymous" <sip:anonymous@anonymous.invalid>'


def trunk(name: str, far: Answerer | None = None, **more: object) -> Table:
    address = {"address": f"sip:127.0.0.1:{far.address[1]}"} if far else {}
    return {
        "name": name,
        "domain": "carrier.test",
        "options_interval": 0.0,
        "country": "DE",
        **address,
        **more,
    }


class Far:
    """The carrier: an answerer, one that is overloaded, and a telephone that does what a test wants."""

    def __init__(self, folder: Path, busy: Answerer, plain: Answerer, phone: Phone) -> None:
        self.plain, self.busy, self.phone = plain, busy, phone
        here = f"sip:127.0.0.1:{phone.address[1]}"
        trunks = [
            trunk("plain", plain, number_out="e164"),
            trunk("national", plain, number_out="national", caller_id="p-asserted-identity"),
            trunk("zeros", plain, number_out="international", caller_id="remote-party-id"),
            trunk("bare", plain, number_out="e164-plain", caller_id="p-preferred-identity", from_user="acct"),
            trunk("hidden", plain, number_out="e164", privacy="always", caller_id="p-asserted-identity"),
            trunk("aaa", plain, codecs=["PCMA", "PCMU"]),
            trunk("one", plain, max_calls=1),
            trunk("slow", plain, calls_per_second=1.0),
            trunk("picky", plain, block=["+4990*"], allow=["+49*"]),
            trunk("busy", busy),
            trunk("rules", plain, headers=[
                {"direction": "out", "action": "add", "header": "X-Account", "value": "17"},
                {"direction": "out", "action": "copy", "header": "X-Call-*"},
            ]),
            trunk("silent", address=here, early_media="none", ring_back=True, session_timer="off"),
            trunk("timed", address=here, session_timer="require"),
            trunk(
                "in", sources=[CARRIER], number_in="national", called_in="to", trusted=True,
                headers=[
                    {"direction": "in", "action": "remove", "header": "X-Secret"},
                    {"direction": "in", "action": "copy", "header": "X-*"},
                ],
            ),
        ]  # fmt: skip
        routes: list[Table] = [
            {"match": f"8{i:02}*", "strip": 3, "prefix": "+49", "to": f"trunk:{one['name']}"}
            for i, one in enumerate(trunks)
            if "address" in one
        ]
        routes += [
            {
                "match": "77*", "strip": 2, "prefix": "+49",
                "to": ["trunk:busy", "trunk:plain"], "order": "sequential",
            },
            {"match": "112", "to": "trunk:one"},
            {"match": ANNA, "to": "user:1001"},
        ]  # fmt: skip
        self.codes = {one["name"]: f"8{i:02}" for i, one in enumerate(trunks)}
        self.switch = Switch(
            folder / "switch",
            users=[user("1001", caller_id=ANNA), user("1002", caller_id="+4930123402", privacy=True)],
            trunks=trunks,
            routes=routes,
            numbers={"emergency": ["112"]},
            calls={"user_rate": 100.0},
        )

    def invite(self, to: Phone, name: str, *, headers: list[tuple[str, str]] | None = None) -> Message:
        """What the carrier got when somebody called over that trunk and hung up again."""
        number = "30" + f"{secrets.randbelow(10**7):07}"
        dialog = to.start_call(self.codes[name] + number, self.offer(to), headers or [])
        to.answered(dialog)
        assert dialog.bye().status == 200
        (found,) = (m for m in self.plain.seen["INVITE"] if number in m.uri)
        assert to.here not in str(found), "the carrier learns nothing of the phone"
        assert dialog.call_id not in str(found)
        return found

    @staticmethod
    def offer(phone: Phone) -> bytes:
        body = audio(phone.address[0], 40000, payloads="0 8 9 101")
        return body.replace(b"a=rtpmap:101", b"a=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:101")

    def refused(self, phone: Phone, number: str) -> int:
        dialog = phone.start_call(number, self.offer(phone))
        return phone.final(method="INVITE", call_id=dialog.call_id).status


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    with (
        Answerer() as plain,
        Answerer(status=503) as busy,
        Phone(("127.0.0.1", 9), "carrier") as phone,
    ):
        made = Far(tmp_path_factory.mktemp("far"), busy, plain, phone)
        with made.switch:
            phone.server = made.switch.address
            yield made


@pytest.fixture
def anna(far: Far) -> Iterator[Phone]:
    with Phone(far.switch.address, "1001", PASSWORD) as phone:
        yield phone


@pytest.mark.parametrize(
    ("name", "uri", "from_", "header", "value"),
    [
        ("plain", "+4930", f"<sip:{ANNA}@carrier.test>", "", ""),
        ("national", "030", "<sip:030123401@carrier.test>", "P-Asserted-Identity", "<sip:030123401@carrier."),
        ("zeros", "004930", "<sip:004930123401@", "Remote-Party-ID", "<sip:004930123401@carrier.test>;party"),
        ("bare", "4930", "<sip:acct@carrier.test>", "P-Preferred-Identity", "<sip:4930123401@carrier.test>"),
        ("hidden", "+4930", HIDDEN, "P-Asserted-Identity", f"<sip:{ANNA}@"),
    ],
)  # fmt: skip
def test_numbers_and_who_calls(
    far: Far, anna: Phone, name: str, uri: str, from_: str, header: str, value: str
) -> None:
    invite = far.invite(anna, name)
    assert invite.uri.startswith(f"sip:{uri}")
    assert "@carrier.test" in invite.uri
    assert invite.get("from").startswith(from_)
    assert invite.get("privacy") == ("id" if name == "hidden" else "")
    names = ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID")
    assert [one for one in names if invite.all(one)] == ([header] if header else [])
    assert not header or invite.get(header).startswith(value)


@pytest.mark.parametrize("name", ["plain", "national"])
def test_a_caller_who_is_hidden_by_the_configuration_or_by_his_phone(
    far: Far, anna: Phone, name: str
) -> None:
    with Phone(far.switch.address, "1002", PASSWORD) as shy:
        for invite in (far.invite(shy, name), far.invite(anna, name, headers=[("Privacy", "id")])):
            assert invite.get("from").startswith(HIDDEN)
            said = str(invite)
            if name == "plain":
                assert "123401" not in said
                assert "123402" not in said
            else:
                assert "id" in invite.get("privacy")
                assert "03012340" in invite.get("p-asserted-identity")


def test_codecs_in_the_trunks_order(far: Far, anna: Phone) -> None:
    (media,) = (
        line for line in far.invite(anna, "aaa").body.decode().splitlines() if line.startswith("m=audio")
    )
    assert media.split()[3:] == ["8", "0", "101"]


def test_header_rules(far: Far, anna: Phone) -> None:
    given = [("X-Call-Token", "abc"), ("X-Other", "private"), ("P-Asserted-Identity", "<sip:+49110@x>")]
    invite = far.invite(anna, "rules", headers=given)
    assert invite.get("x-account") == "17"
    assert invite.get("x-call-token") == "abc"
    assert not invite.all("x-other")
    assert "+49110" not in str(invite)
    assert not far.invite(anna, "plain", headers=given).all("x-call-token")


def test_a_call_from_the_carrier_is_read_as_configured(far: Far, anna: Phone) -> None:
    assert anna.register().status == 200
    with Phone(far.switch.address, "carrier", local=(CARRIER, 0)) as caller:
        headers = [
            ("P-Asserted-Identity", "<sip:0301234999@carrier.test>"),
            ("X-Call-Token", "abc"),
            ("X-Secret", "nobody"),
        ]
        call_id = secrets.token_hex(8)
        caller.send(
            caller.request(
                "INVITE",
                f"sip:acct@{caller.domain}",
                to="<sip:030123401@carrier.test>",
                from_="<sip:whoever@carrier.test>;tag=1",
                call_id=call_id,
                headers=headers,
                body=audio(CARRIER, 40000),
            )
        )
        called = anna.incoming()
        assert isinstance(called.invite, Message)
        assert "sip:+49301234999@" in called.invite.get("from")
        assert "carrier.test" not in str(called.invite)
        assert called.invite.get("x-call-token") == "abc"
        assert not called.invite.all("x-secret")
        called.respond(called.invite, 486, "Busy Here")
        assert caller.final(method="INVITE", call_id=call_id).status == 486


def test_destinations(far: Far, anna: Phone) -> None:
    code = far.codes["picky"]
    assert far.refused(anna, code + "900123") == 403
    assert far.refused(anna, code + "30123") == 200


def test_calls_at_once_and_an_emergency_that_does_not_count(far: Far, anna: Phone) -> None:
    first = anna.start_call(far.codes["one"] + "30111", far.offer(anna))
    anna.answered(first)
    assert far.refused(anna, far.codes["one"] + "30112") in (480, 503)
    emergency = anna.start_call("112", far.offer(anna))
    anna.answered(emergency)
    assert emergency.bye().status == first.bye().status == 200
    again = anna.start_call(far.codes["one"] + "30113", far.offer(anna))
    anna.answered(again)
    assert again.bye().status == 200


def test_calls_a_second(far: Far, anna: Phone) -> None:
    statuses = [far.refused(anna, f"{far.codes['slow']}3020{i}") for i in range(3)]
    assert statuses[0] == 200
    assert statuses[2] in (480, 503)


def test_ring_back_without_early_media(far: Far, anna: Phone) -> None:
    dialog = anna.start_call(far.codes["silent"] + "30301", far.offer(anna))
    ringing = anna.expect(180, call_id=dialog.call_id)  # before the carrier has said anything
    assert not ringing.body
    called = far.phone.incoming()
    assert isinstance(called.invite, Message)
    assert not called.invite.all("session-expires")
    called.respond(called.invite, 183, "Session Progress", audio(far.phone.address[0], 40002))
    assert anna.take(lambda m: m.status in (180, 183) and bool(m.body), 0.3) is None
    far.phone.accept(called, audio(far.phone.address[0], 40002))
    anna.answered(dialog)
    assert dialog.bye().status == 200
    called.answer_bye()


def test_session_timers_are_required(far: Far, anna: Phone) -> None:
    dialog = anna.start_call(far.codes["timed"] + "30302", far.offer(anna), timeout=0.5)
    called = far.phone.incoming()
    assert isinstance(called.invite, Message)
    assert int(called.invite.get("session-expires").split(";")[0]) >= 90
    assert "timer" in called.invite.get("supported") + called.invite.get("require")
    called.respond(called.invite, 486, "Busy Here")
    assert anna.final(method="INVITE", call_id=dialog.call_id).status == 486


def test_retry_after_is_honoured_and_the_next_trunk_is_called(far: Far, anna: Phone) -> None:
    before = far.busy.count("INVITE")
    for i in range(2):
        dialog = anna.start_call(f"773099{i}", far.offer(anna))
        anna.answered(dialog)
        assert dialog.bye().status == 200
    assert far.busy.count("INVITE") == before + 2  # a 503 that names no time is no reason to stay away
    far.busy.headers = [("Retry-After", "60")]
    for i in range(2, 5):
        dialog = anna.start_call(f"773099{i}", far.offer(anna))
        began = time.monotonic()
        anna.answered(dialog)
        assert time.monotonic() - began < 1.0
        assert dialog.bye().status == 200
    assert far.busy.count("INVITE") == before + 3
    record = far.switch.wait_record(lambda r: r["callee"] == "7730992")
    assert "rejected by trunk busy with 503" in record["verdict"]
    assert "trunk plain answered" in record["verdict"]
    (row,) = (row for row in far.switch.ask("trunks") if row["trunk"] == "busy")
    assert "down" in row["addresses"]
