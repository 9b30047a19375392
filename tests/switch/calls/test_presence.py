"""Subscriptions to users' states: who may, how many, what NOTIFY says; publications (RFC 6665, 3903)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.packages import dialog_info, message_summary, pidf, reginfo
from switchroom.switch.calls.presence.mailboxes import Mailboxes
from switchroom.switch.store import SqliteStore
from tests.switch.calls.office import TRUNK, Office, Phone

Build = Callable[..., Office]
DOCUMENT = b"""<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf"
 xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"
 entity="sip:bob@x">
 <tuple id="t1"><status><basic>%s</basic></status></tuple>
 <dm:person id="p"><rpid:activities><rpid:away/></rpid:activities>
 <dm:note>%s</dm:note></dm:person></presence>"""


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    made: list[Office] = []

    def make(**options: Any) -> Office:
        made.append(Office(tmp_path, **options))
        return made[-1]

    yield make
    for office in made:
        office.close()


def presence_of(body: bytes) -> pidf.Presence:
    return pidf.Presence.parse(body)


def test_presence_follows_the_registration(build: Build) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob", register=False)
    watching = alice.subscribe("200", "presence")
    [first] = alice.told(watching)
    assert presence_of(first) == pidf.Presence("sip:200@127.0.0.1", (pidf.Tuple("registration", "closed"),))
    office.walk(1)
    bob.register()
    office.walk(1)
    assert presence_of(alice.told(watching)[-1]).is_open
    bob.register(0)
    office.walk(1)
    assert not presence_of(alice.told(watching)[-1]).is_open
    assert len(alice.told(watching)) == 3


def publish(phone: Phone, *headers: tuple[str, str], body: bytes = b"", number: str = "") -> sip.Response:
    kind = (("Content-Type", "application/pidf+xml"),) if body else ()
    fixed = () if any(name == "Event" for name, _ in headers) else (("Event", "presence"),)
    answer = phone.ask(phone.request("PUBLISH", number or phone.user, *fixed, *headers, *kind, body=body))
    assert answer is not None
    return answer


def test_a_publication_from_its_beginning_to_its_end(build: Build) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob")
    watching = alice.subscribe("200", "presence")

    def told() -> pidf.Presence:
        office.walk(1)
        return presence_of(alice.told(watching)[-1])

    one = publish(bob, ("Expires", "600"), body=DOCUMENT % (b"open", b"At my desk &amp; here"))
    assert (one.status, one.get("Expires")) == (200, "600")
    assert told().note == "At my desk & here"
    assert told().activities == ("away",)
    count = len(alice.told(watching))
    two = publish(bob, ("SIP-If-Match", one.get("SIP-ETag") or ""))  # a refresh tells nothing new
    office.walk(1)
    assert two.status == 200
    assert len(alice.told(watching)) == count
    assert publish(bob, ("SIP-If-Match", one.get("SIP-ETag") or "")).status == 412  # the older tag
    three = publish(bob, ("SIP-If-Match", two.get("SIP-ETag") or ""), body=DOCUMENT % (b"closed", b""))
    assert not told().is_open  # although registered: the phone says so
    gone = publish(bob, ("SIP-If-Match", three.get("SIP-ETag") or ""), ("Expires", "0"))
    assert (gone.status, gone.get("Expires")) == (200, "0")
    assert told().tuples[0].id == "registration"
    publish(bob, ("Expires", "60"), body=DOCUMENT % (b"closed", b""))
    assert not told().is_open
    office.walk(61)
    assert told().is_open  # it has expired
    assert not len(office.presence.statuses)
    office.walk(3600)
    assert office.presence.next_timer() is None


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ((("Event", "dialog"),), DOCUMENT, 489),
        ((), b"", 400),
        ((("SIP-If-Match", "nothing"),), DOCUMENT, 412),
        ((("SIP-If-Match", "a"), ("SIP-If-Match", "b")), DOCUMENT, 400),
        ((("Expires", "5"),), DOCUMENT, 423),
        ((), b"<a/>", 400),
        ((), b"<!DOCTYPE x [<!ENTITY a 'b'>]><presence/>", 400),
        ((), b" " * 9000, 413),
    ],
)
def test_a_publication_that_is_refused(
    build: Build, headers: tuple[tuple[str, str], ...], body: bytes, expected: int
) -> None:
    office = build()
    bob = office.phone("bob")
    assert publish(bob, *headers, body=body).status == expected
    assert not len(office.presence.statuses)


def test_nobody_publishes_for_another_and_not_without_end(build: Build) -> None:
    office = build(presence={"max_publications_per_user": 2})
    alice, bob = office.phone("alice"), office.phone("bob")
    assert publish(alice, body=DOCUMENT % (b"open", b""), number="200").status == 403
    tags = [publish(bob, body=DOCUMENT % (b"open", b"")) for _ in range(3)]
    assert [answer.status for answer in tags] == [200, 200, 503]
    stolen = ("SIP-If-Match", tags[0].get("SIP-ETag") or "")
    assert publish(alice, stolen, ("Expires", "0")).status == 412
    request = bob.request("PUBLISH", "bob", ("Event", "presence"), ("Content-Type", "text/xml"), body=b"x")
    answer = bob.ask(request)
    assert answer is not None
    assert (answer.status, answer.get("Accept")) == (415, "application/pidf+xml")


def test_waiting_messages_are_the_users_own(build: Build) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob")
    watching = bob.subscribe("bob", "message-summary")
    assert bob.told(watching)[0].startswith(b"Messages-Waiting: no\r\nMessage-Account: sip:bob@127.0.0.1\r\n")
    office.walk(1)
    office.presence.mailboxes.set("bob", message_summary.Counts(2, 8, 0, 1), office.now)
    office.settle()
    summary = message_summary.Summary.parse(bob.told(watching)[-1])
    assert (summary.is_waiting, summary.counts) == (
        True,
        (("voice-message", message_summary.Counts(2, 8, 0, 1)),),
    )
    bob.answers = lambda request: 480
    alice.text("200", b"x")
    office.walk(1)
    assert b"Text-Message: 1/0" in bob.told(watching)[-1]
    assert alice.end_of(alice.subscribe("200", "message-summary")) == ("refused", 403)
    with pytest.raises(ValueError, match="smoke"):
        office.presence.mailboxes.set("bob", message_summary.Counts(1), office.now, "smoke")


async def test_counts_of_mailboxes_survive_a_restart(tmp_path: Path) -> None:
    counts = message_summary.Counts(2, 8, 0, 1)
    with SqliteStore(tmp_path / "switchroom.db") as store:
        mailboxes = Mailboxes(settings=store.settings)
        mailboxes.set("a.user", message_summary.Counts(7), 0.0)
        mailboxes.set("a.user", counts, 0.0)
        mailboxes.set("bob", message_summary.Counts(1), 0.0, "fax-message")
        await store.flush()
    with SqliteStore(tmp_path / "switchroom.db") as store:
        mailboxes = Mailboxes(settings=store.settings)
        mailboxes.load()
        assert mailboxes.counts_of("a.user") == {"voice-message": counts}
        assert mailboxes.counts_of("bob")["fax-message"] == message_summary.Counts(1)


def test_a_phone_sees_its_own_registrations(build: Build) -> None:
    office = build()
    bob = office.phone("bob")
    watching = bob.subscribe("bob", "reg")
    info = reginfo.RegInfo.parse(bob.told(watching)[0])
    [registration] = info.registrations
    assert (registration.aor, registration.state) == ("sip:bob@127.0.0.1", "active")
    assert [contact.uri for contact in registration.contacts] == ["sip:phone@127.0.0.2:5060"]
    office.walk(1)
    other = office.phone("bob")
    office.walk(1)
    info = reginfo.RegInfo.parse(bob.told(watching)[-1])
    assert info.version == 1
    assert len(info.registrations[0].contacts) == 2
    other.register(0)
    bob.register(0)
    office.walk(1)
    assert reginfo.RegInfo.parse(bob.told(watching)[-1]).registrations[0].state == "terminated"


def test_who_may_watch_whom(build: Build) -> None:
    office = build(presence={"watchers": ["alice"], "hidden": ["carol"]})
    alice, bob, carol = (office.phone(user) for user in ("alice", "bob", "carol"))
    assert alice.told(alice.subscribe("200", "dialog"))
    assert bob.end_of(bob.subscribe("100", "dialog")) == ("refused", 403)
    assert bob.told(bob.subscribe("200", "dialog"))  # his own
    assert alice.end_of(alice.subscribe("201", "presence")) == ("refused", 403)
    assert carol.told(carol.subscribe("201", "presence"))


@pytest.mark.parametrize(
    ("number", "event", "headers", "expires", "expected"),
    [
        ("999", "dialog", (), 300, 404),
        ("200", "weather", (), 300, 489),
        ("200", "dialog", (("Accept", "application/pidf+xml"),), 300, 406),
    ],
)
def test_a_subscription_that_is_refused(
    build: Build,
    number: str,
    event: str,
    headers: tuple[tuple[str, str], ...],
    expires: int,
    expected: int,
) -> None:
    office = build()
    alice = office.phone("alice")
    assert alice.end_of(alice.subscribe(number, event, *headers, expires=expires)) == ("refused", expected)
    assert not len(office.presence)


def test_trunks_and_strangers_watch_nobody(build: Build) -> None:
    office = build()
    office.phone("bob")
    carrier = office.phone("+49", TRUNK, register=False)
    assert carrier.end_of(carrier.subscribe("200", "dialog")) == ("refused", 403)
    alice = office.phone("alice", register=False)
    request = alice.request("SUBSCRIBE", "200", ("Event", "dialog"), ("Contact", alice.contact))
    answer = alice.ask(request, is_honest=False)
    assert answer is not None
    assert answer.status == 401
    assert publish_anonymous(alice) == 401
    assert not office.endpoint.counters.subscriptions


def publish_anonymous(phone: Phone) -> int:
    answer = phone.ask(phone.request("PUBLISH", "alice", ("Event", "presence")), is_honest=False)
    assert answer is not None
    return answer.status


def test_limits_and_a_phone_that_started_anew(build: Build) -> None:
    office = build(presence={"max_subscriptions_per_user": 2, "max_subscriptions": 3})
    alice, bob = office.phone("alice"), office.phone("bob")
    first = alice.subscribe("200", "dialog")
    alice.subscribe("201", "dialog")
    assert alice.end_of(alice.subscribe("100", "dialog")) == ("refused", 403)
    again = alice.subscribe("200", "dialog")  # the same of the same phone: in place of the first
    assert alice.told(again)
    assert len(office.presence) == 2
    assert not any(
        e for e in alice.events if isinstance(e, sip.SubscriptionEnded) and e.subscription is first
    )
    bob.subscribe("200", "dialog")
    assert bob.end_of(bob.subscribe("100", "dialog")) == ("refused", 503)
    assert [row["watcher"] for row in office.presence.subscriptions(office.now)].count("alice") == 2


def test_a_phone_that_is_gone_is_forgotten_and_nothing_is_left(build: Build) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob")
    alice.subscribe("200", "presence")
    alice.subscribe("200", "dialog")
    assert office.presence.dialogs.is_watched
    alice.is_deaf = True
    bob.register(0)
    office.walk(40)
    assert [row["event"] for row in office.presence.subscriptions(office.now)] == ["dialog"]
    office.walk(400)
    assert not len(office.presence)
    assert not office.presence.dialogs.is_watched
    assert not office.presence._by_topic
    assert not office.presence._by_account
    assert office.endpoint.counters.subscriptions == 0
    assert office.presence.ended_total == {"timeout": 1, "expired": 1}


def test_a_fetch_leaves_nothing(build: Build) -> None:
    office = build()
    alice = office.phone("alice")
    watching = alice.subscribe("200", "dialog", expires=0)
    assert len(alice.told(watching)) == 1
    assert not len(office.presence)
    assert not office.presence.dialogs.is_watched


def test_a_reload_ends_what_it_forbids_and_the_end_ends_all(build: Build) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob")
    on_bob = alice.subscribe("200", "dialog")
    on_alice = bob.subscribe("100", "dialog")
    config = office.presence._config.model_copy(update={"hidden": ["bob"]})
    office.presence.reconfigure(config, office.numbers, office.now)
    office.settle()
    assert alice.end_of(on_bob) == ("rejected", 0)
    users = {name: user for name, user in office.numbers.items() if user != "alice"}
    office.presence.reconfigure(config, users, office.now)
    office.settle()
    assert bob.end_of(on_alice) == ("noresource", 0)
    own = bob.subscribe("200", "dialog")
    office.presence.stop(office.now)
    office.settle()
    assert bob.end_of(own) == ("deactivated", 0)
    assert not len(office.presence)
    assert office.endpoint.counters.subscriptions == 0


def test_lamps_for_what_is_no_call(build: Build) -> None:
    office = build()
    alice = office.phone("alice")
    watching = alice.subscribe("200", "dialog")
    dialogs = office.presence.dialogs
    parked = dialog_info.Dialog("slot", "confirmed", remote=dialog_info.Party("sip:201@office.test", "<&>"))
    dialogs.put("bob", parked, office.now)
    office.walk(1)
    assert dialog_info.DialogInfo.parse(alice.told(watching)[-1]).dialogs == (parked,)
    assert dialogs.is_talking("bob")
    dialogs.drop("bob", "slot", office.now)
    dialogs.drop("bob", "slot", office.now)
    office.walk(1)
    info = dialog_info.DialogInfo.parse(alice.told(watching)[-1])
    assert [one.state for one in info.dialogs] == ["terminated"]
    assert info.version == 2


def test_many_changes_are_few_notifies(build: Build) -> None:
    office = build(presence={"notify_interval": 1.0})
    alice = office.phone("alice")
    watching = alice.subscribe("200", "message-summary")
    assert alice.end_of(watching) == ("refused", 403)
    bob = office.phone("bob")
    own = bob.subscribe("bob", "message-summary")
    for count in range(100):
        office.presence.mailboxes.set("bob", message_summary.Counts(count), office.now)
        office.walk(0.05)
    office.walk(2)
    assert 5 <= len(bob.told(own)) <= 8
    assert b"Voice-Message: 99/0" in bob.told(own)[-1]
