"""Where calls go, on a running switch: forwarding, devices, limits, hunts over trunks, and what is told."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest

from .harness import PASSWORD, Switch, Table, user, wait_until
from .phone import Dialog, Phone
from .raw import Message, audio, response_to
from .sipp import Sipp, callee

ALICE = "3000"
RATES = "prefix,trunk,price\n43,one,0.09\n43,two,0.02\n431,one,0.01\n"
CARRIERS = ("one", "two")


class Office:
    """A switch, its users' telephones when a test wants them, and two carriers that answer no OPTIONS."""

    def __init__(self, folder: Path) -> None:
        self.carriers = {name: Phone(("127.0.0.1", 9), name) for name in CARRIERS}
        trunks: list[Table] = [
            {
                "name": name,
                "address": f"sip:127.0.0.1:{wire.address[1]}",
                "options_interval": 0.2,
                "timeout": 0.5,
                "caller_id": "p-asserted-identity",
                "diversion": "both",
            }
            for name, wire in self.carriers.items()
        ]
        folder.mkdir(exist_ok=True)
        (folder / "rates.csv").write_text(RATES)
        self.switch = Switch(
            folder,
            users=[
                user(ALICE, blocked="0900*"),
                user("3001", forward_always="3010"),
                user("3002", forward_busy="3010"),
                user("3003", forward_no_answer="3010", no_answer_after=0.3),
                user("3004", forward_unreachable="3010"),
                user("3005", do_not_disturb=True),
                user("3006", do_not_disturb=True, forward_busy="3010"),
                user("3007", forward_always="3008"),
                user("3008", forward_always="3007"),
                user("3009", forward_always="0301234"),
                user("3010"),
                user("3011", devices="in-turn", device_ring_time=0.3),
                user("3012", privacy=True, caller_id="+4930999"),
                user("3013", codecs=["PCMA"]),
                user("3014", allowed="030*"),
                user("3015", max_calls=0, blocked="*"),
                user("3016", caller_id="+4930777"),
            ],
            sip={"t1": 0.1, "t2": 0.4, "t4": 0.5},
            calls={"answer_timeout": 2.0, "contact_timeout": 0.5, "user_rate": 1000},
            numbers={"country": "DE"},
            routing={"rates": "rates.csv", "time_zone": "Europe/Berlin"},
            trunks=trunks,
            routes=[
                {"match": "112", "name": "emergency", "to": "trunk:one"},
                {"match": "030*", "name": "berlin", "to": ["trunk:one", "trunk:two"], "order": "sequential"},
                {"match": "040*", "to": "trunk:one", "fall_through": True},
                {"match": "040*", "to": "trunk:two", "strip": 1, "prefix": "+49"},
                {"match": "050*", "to": ["trunk:one", "trunk:two"], "order": "sequential",
                 "continue_on": ["486"]},
                {"match": "43*", "to": ["trunk:one", "trunk:two"], "order": "cost"},
                {"match": "070", "name": "office", "to": "user:3010",
                 "days": ["mon-fri"], "hours": ["09:00-17:00"]},
                {"match": "070", "name": "night", "to": "trunk:two"},
                {"match": "0900*", "to": "trunk:one"},
                {"match": "060", "to": ["user:3010", "trunk:two"], "order": "sequential", "ring_time": [0.3]},
            ],
        )  # fmt: skip
        self.stack = ExitStack()

    def phone(self, name: str, contact: str = "") -> Phone:
        phone = self.stack.enter_context(Phone(self.switch.address, name, PASSWORD))
        assert phone.register(contact=contact).status == 200
        self.stack.callback(phone.register, 0)
        return phone

    def carrier(self, name: str) -> Phone:
        wire = self.carriers[name]
        wire.forget()
        return wire

    def story(self, caller: str = ALICE, number: str = "") -> tuple[str, str]:
        """Verdict and explanation of the last call of somebody."""

        def found() -> Table | None:
            rows = [
                r
                for r in self.switch.records()
                if r["setup_at"] >= self.since and r["id"] not in self.seen
                if r["from_user"] == caller and number in r["callee"]
            ]
            return rows[-1] if rows else None

        row = wait_until(found, 5.0, f"the record of {caller} to {number}")
        self.seen.add(row["id"])
        with closing(sqlite3.connect(f"file:{self.switch.state}/switchroom.db?mode=ro", uri=True)) as store:
            (kept,) = store.execute("SELECT explanation FROM calls WHERE id = ?", (row["id"],)).fetchone()
        return row["verdict"], kept

    seen: ClassVar[set[str]] = set()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Office(tmp_path_factory.mktemp("routing"))
    for wire in made.carriers.values():
        wire.server = made.switch.address
    with made.switch:
        yield made
    for wire in made.carriers.values():
        wire.close()


@pytest.fixture
def office(house: Office) -> Iterator[Office]:
    house.since = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    house.seen = set()
    house.stack = ExitStack()
    with house.stack:
        yield house


def call(
    phone: Phone, number: str, body: bytes = b"", headers: list[tuple[str, str]] | None = None
) -> Dialog:
    return phone.start_call(number, body or audio("127.0.0.1", 40000), headers=headers or [])


def refuse(wire: Phone, status: int, headers: list[tuple[str, str]] | None = None) -> Message:
    """Refuse the INVITE that comes."""
    dialog = wire.incoming()
    assert isinstance(dialog.invite, Message)
    dialog.respond(dialog.invite, status, "No", headers=headers or [])
    dialog.wait_for("ACK")
    return dialog.invite


def take(wire: Phone) -> tuple[Dialog, Message]:
    """Answer the INVITE that comes."""
    dialog = wire.incoming()
    assert isinstance(dialog.invite, Message)
    wire.accept(dialog, audio("127.0.0.1", 41000))
    return dialog, dialog.invite


def hang_up(phone: Phone, dialog: Dialog, other: Dialog) -> None:
    phone.send(dialog.request("BYE"))
    other.answer_bye()
    assert phone.final(method="BYE", call_id=dialog.call_id).status == 200


@pytest.mark.parametrize(
    ("number", "reason"),
    [("3001", "unconditional"), ("3004", "unavailable"), ("3006", "do-not-disturb")],
)
def test_a_user_who_forwards_without_ringing(office: Office, number: str, reason: str) -> None:
    a, b = office.phone(ALICE), office.phone("3010")
    dialog = call(a, number)
    other, invite = take(b)
    assert f"sip:{number}@" in invite.get("diversion")
    assert f"reason={reason}" in invite.get("diversion")
    assert invite.get("history-info")
    a.answered(dialog)
    hang_up(a, dialog, other)
    verdict, explanation = office.story()
    assert "user 3010 answered" in verdict
    assert number in explanation


def test_forwarding_when_busy(office: Office) -> None:
    a, busy, b = office.phone(ALICE), office.phone("3002"), office.phone("3010")
    dialog = call(a, "3002")
    refuse(busy, 486)
    other, invite = take(b)
    assert "reason=user-busy" in invite.get("diversion")
    a.answered(dialog)
    hang_up(a, dialog, other)
    verdict, _ = office.story()
    assert re.search(r"user 3002 .*486.*user 3010 answered", verdict)


def test_forwarding_when_nobody_answers(office: Office) -> None:
    a, absent, b = office.phone(ALICE), office.phone("3003"), office.phone("3010")
    dialog = call(a, "3003")
    ringing = absent.incoming()
    assert isinstance(ringing.invite, Message)
    ringing.respond(ringing.invite, 180, "Ringing")
    absent.send(response_to(ringing.wait_for("CANCEL"), 200, "OK"))
    ringing.respond(ringing.invite, 487, "Cancelled")
    other, invite = take(b)
    assert "reason=no-answer" in invite.get("diversion")
    a.answered(dialog)
    hang_up(a, dialog, other)


def test_do_not_disturb_and_a_ring_of_forwards_end_at_once(office: Office) -> None:
    a = office.phone(ALICE)
    dialog = call(a, "3005")
    assert a.final(1.0, call_id=dialog.call_id).status == 480
    assert "Do Not Disturb" in office.story(number="3005")[0]
    dialog = call(a, "3007")
    assert a.final(1.0, call_id=dialog.call_id).status == 480
    verdict, explanation = office.story(number="3007")
    assert "3007" in verdict + explanation
    assert "3008" in verdict + explanation


def test_all_phones_ring_and_the_others_learn_who_answered(office: Office) -> None:
    a, one, two = office.phone(ALICE), office.phone("3010"), office.phone("3010")
    dialog = call(a, "3010")
    left = one.incoming()
    assert isinstance(left.invite, Message)
    left.respond(left.invite, 180, "Ringing")
    other, _ = take(two)
    a.answered(dialog)
    cancel = left.wait_for("CANCEL")
    assert "cause=200" in cancel.get("reason")
    one.send(response_to(cancel, 200, "OK"))
    left.respond(left.invite, 487, "Cancelled")
    hang_up(a, dialog, other)


def test_phones_in_turn_by_their_q(office: Office) -> None:
    a = office.phone(ALICE)
    first, second = (
        Phone(office.switch.address, "3011", PASSWORD),
        Phone(office.switch.address, "3011", PASSWORD),
    )
    for phone, q in ((first, "0.9"), (second, "0.1")):
        office.stack.enter_context(phone)
        assert phone.register(contact=f"{phone.contact};q={q}").status == 200
        office.stack.callback(phone.register, 0)
    dialog = call(a, "3011")
    ringing = first.incoming()
    assert isinstance(ringing.invite, Message)
    ringing.respond(ringing.invite, 180, "Ringing")
    assert second.hears_nothing(0.15)
    first.send(response_to(ringing.wait_for("CANCEL"), 200, "OK"))
    ringing.respond(ringing.invite, 487, "Cancelled")
    other, _ = take(second)
    a.answered(dialog)
    hang_up(a, dialog, other)


def test_nobody_is_registered(office: Office) -> None:
    a = office.phone(ALICE)
    dialog = call(a, "3010")
    assert a.final(1.0, call_id=dialog.call_id).status == 480
    verdict, explanation = office.story(number="3010")
    assert "user 3010: not registered" in verdict
    assert "3010" in explanation


def test_nobody_answers(office: Office) -> None:
    a, b = office.phone(ALICE), office.phone("3010")
    dialog = call(a, "3010")
    ringing = b.incoming()
    assert isinstance(ringing.invite, Message)
    ringing.respond(ringing.invite, 180, "Ringing")
    a.expect(180, call_id=dialog.call_id)
    b.send(response_to(ringing.wait_for("CANCEL"), 200, "OK"))
    ringing.respond(ringing.invite, 487, "Cancelled")
    assert a.final(call_id=dialog.call_id).status in (408, 480)
    assert "user 3010: no answer after 2" in office.story(number="3010")[0]


def test_a_phone_that_left_without_a_word(office: Office) -> None:
    a = office.phone(ALICE)
    office.phone("3010")  # which says nothing
    dialog = call(a, "3010")
    assert a.final(2.0, call_id=dialog.call_id).status in (408, 480)
    assert "user 3010" in office.story()[0]


def test_who_withholds_his_number(office: Office) -> None:
    a, carrier = office.phone("3012"), office.carrier("one")
    dialog = call(a, "0301")
    other, invite = take(carrier)
    assert "anonymous.invalid" in invite.get("from")
    assert "3012" not in invite.get("from") + invite.get("contact")
    assert "+4930999" in invite.get("p-asserted-identity")
    assert invite.get("privacy") == "id"
    a.answered(dialog)
    hang_up(a, dialog, other)
    b = office.phone("3010")
    dialog = call(a, "3010")
    other, invite = take(b)
    assert "3012" not in invite.get("from")
    assert not invite.get("p-asserted-identity")
    a.answered(dialog)
    hang_up(a, dialog, other)


def test_the_number_that_a_user_shows(office: Office) -> None:
    a, carrier = office.phone("3016"), office.carrier("one")
    dialog = call(a, "0301")
    other, invite = take(carrier)
    assert "+4930777" in invite.get("from")
    a.answered(dialog)
    hang_up(a, dialog, other)


def test_the_codecs_of_a_user(office: Office) -> None:
    a, b = office.phone(ALICE), office.phone("3013")
    offer = audio("127.0.0.1", 40000, payloads="0 8 101")
    dialog = call(a, "3013", offer)
    incoming = b.incoming()
    assert isinstance(incoming.invite, Message)
    assert re.search(rb"m=audio \d+ RTP/AVP 8 101\r", incoming.invite.body)
    b.accept(incoming, audio("127.0.0.1", 41000, payloads="8 101"))
    answer = a.answered(dialog)
    assert re.search(rb"m=audio \d+ RTP/AVP 8", answer.body)
    hang_up(a, dialog, incoming)
    dialog = call(a, "3013", audio("127.0.0.1", 40000, payloads="4 101"))  # G.723: nobody converts it
    assert a.final(call_id=dialog.call_id).status == 488


def test_what_a_user_may_call(office: Office) -> None:
    a, b, carrier = office.phone(ALICE), office.phone("3014"), office.carrier("one")
    dialog = call(a, "09001")
    assert a.final(call_id=dialog.call_id).status == 403
    verdict, explanation = office.story(number="09001")
    assert "403" in verdict
    assert "0900*" in explanation
    dialog = call(b, "0401")
    assert b.final(call_id=dialog.call_id).status == 403
    dialog = call(b, "0301")
    other, _ = take(carrier)
    b.answered(dialog)
    hang_up(b, dialog, other)


def test_nothing_stops_an_emergency_call(office: Office) -> None:
    """Neither a user's limit of no calls at once, nor his blocked numbers."""
    a, carrier = office.phone("3015"), office.carrier("one")
    dialog = call(a, "0301")
    assert a.final(call_id=dialog.call_id).status >= 400
    office.story("3015")
    dialog = call(a, "112")
    other, invite = take(carrier)
    assert "sip:112@" in invite.uri
    a.answered(dialog)
    hang_up(a, dialog, other)
    assert "emergency" in office.story("3015")[1]


def test_a_route_goes_on_after_503_and_tells_so(office: Office) -> None:
    a, one, two = office.phone(ALICE), office.carrier("one"), office.carrier("two")
    dialog = call(a, "0301")
    refuse(one, 503)
    other, _ = take(two)
    a.answered(dialog)
    hang_up(a, dialog, other)
    verdict, explanation = office.story()
    assert re.search(r"rejected by trunk one with 503 after \d+ ms; next: trunk two answered", verdict)
    assert "berlin" in explanation


def test_busy_is_final_unless_the_route_says_so(office: Office) -> None:
    a, one, two = office.phone(ALICE), office.carrier("one"), office.carrier("two")
    dialog = call(a, "0301")
    refuse(one, 486)
    assert a.final(call_id=dialog.call_id).status == 486
    assert two.take(lambda m: m.method == "INVITE", 0.1) is None
    dialog = call(a, "0501")
    refuse(one, 486)
    other, _ = take(two)
    a.answered(dialog)
    hang_up(a, dialog, other)
    dialog = call(a, "0501")
    refuse(one, 500)
    assert a.final(call_id=dialog.call_id).status == 500


def test_the_next_route_is_tried_with_its_own_number(office: Office) -> None:
    a, one, two = office.phone(ALICE), office.carrier("one"), office.carrier("two")
    dialog = call(a, "0401")
    assert "sip:0401@" in refuse(one, 500).uri
    other, invite = take(two)
    assert "sip:+49401@" in invite.uri
    a.answered(dialog)
    hang_up(a, dialog, other)


def test_the_cheapest_trunk_comes_first(office: Office) -> None:
    a, one, two = office.phone(ALICE), office.carrier("one"), office.carrier("two")
    for number, cheap in (("4355", two), ("43155", one)):
        dialog = call(a, number)
        other, _ = take(cheap)
        a.answered(dialog)
        hang_up(a, dialog, other)


def test_a_user_rings_for_a_while_and_then_a_trunk(office: Office) -> None:
    a, b, two = office.phone(ALICE), office.phone("3010"), office.carrier("two")
    dialog = call(a, "060")
    ringing = b.incoming()
    assert isinstance(ringing.invite, Message)
    ringing.respond(ringing.invite, 180, "Ringing")
    b.send(response_to(ringing.wait_for("CANCEL"), 200, "OK"))
    ringing.respond(ringing.invite, 487, "Cancelled")
    other, _ = take(two)
    a.answered(dialog)
    hang_up(a, dialog, other)


def test_a_forwarded_call_tells_the_carrier_who_forwarded(office: Office) -> None:
    a, one = office.phone(ALICE), office.carrier("one")
    dialog = call(a, "3009")
    other, invite = take(one)
    assert "sip:3009@" in invite.get("diversion")
    assert "reason=unconditional" in invite.get("diversion")
    assert "cause=302" in ",".join(invite.all("history-info"))
    assert ALICE in invite.get("from")
    a.answered(dialog)
    hang_up(a, dialog, other)


def test_a_carrier_that_answers_calls_and_no_options_stays_up(office: Office) -> None:
    """It was asked every 0.2 s and never answered; the calls of all the tests above went over it."""
    a, one = office.phone(ALICE), office.carrier("one")
    dialog = call(a, "0301")
    other, _ = take(one)
    a.answered(dialog)
    hang_up(a, dialog, other)
    assert one.take(lambda m: m.method == "OPTIONS", 6.0) is not None
    assert one.take(lambda m: m.method == "OPTIONS", 6.0) is not None
    state = next(row for row in office.switch.ask("trunks") if row["trunk"] == "one")
    assert state["addresses"].endswith(" up")


def test_sipp_rings_and_is_cancelled_without_being_marked_dead(office: Office, tmp_path: Path) -> None:
    a = office.phone(ALICE)
    port = office.carriers["two"].address[1]
    office.carriers["two"].close()
    ladder = callee().receive("OPTIONS", optional=True).called().answer_invite("180 Ringing")
    ladder = (
        ladder.receive("CANCEL")
        .answer("200 OK", tag=False)
        .answer_invite("487 Request Terminated")
        .receive("ACK")
    )
    sipp = Sipp(tmp_path, ladder, port=port, calls=1, extra=("-aa",)).wait_bound()
    try:
        dialog = call(a, "060")
        a.expect(180, 3.0, call_id=dialog.call_id)
        a.cancel(dialog)
        assert a.expect(487, call_id=dialog.call_id)
        sipp.succeeds()
    finally:
        sipp.stop()
        office.carriers["two"] = Phone(office.switch.address, "two", local=("127.0.0.1", port))


def test_route_explain_says_what_the_record_says(office: Office) -> None:
    a, one = office.phone(ALICE), office.carrier("one")
    dialog = call(a, "0301")
    refuse(one, 486)
    a.final(call_id=dialog.call_id)
    _, kept = office.story()
    told = office.switch.cli(
        "route", "explain", "-c", str(office.switch.file), "--from", ALICE, "--to", "0301"
    )
    assert told.returncode == 0, told.stderr
    lines = [line for line in kept.split("\n") if line]
    assert lines
    for line in lines:
        assert line in told.stdout
    assert "emergency" in kept  # a route that did not match, and why


@pytest.mark.parametrize(("at", "name"), [("2026-12-02T10:00", "3010"), ("2026-12-06T10:00", "two")])
def test_route_explain_at_a_time(office: Office, at: str, name: str) -> None:
    told = office.switch.cli(
        "route",
        "explain",
        "-c",
        str(office.switch.file),
        "--from",
        ALICE,
        "--to",
        "070",
        "--at",
        at,
        "--json",
    )
    assert told.returncode == 0, told.stderr
    assert name in told.stdout.rpartition("steps")[2]


def test_the_command_shows_the_record_of_a_call(office: Office) -> None:
    a, one = office.phone(ALICE), office.carrier("one")
    dialog = call(a, "0301")
    refuse(one, 603)
    assert a.final(call_id=dialog.call_id).status == 603
    office.story()
    record = max(office.switch.records(), key=lambda row: row["setup_at"])["id"]
    told = office.switch.cli("record", record, "-c", str(office.switch.file))
    assert told.returncode == 0, told.stderr
    assert "rejected by trunk one with 603" in told.stdout
    assert "berlin" in told.stdout
