"""Busy lamps from the calls of the exchange: what a watcher is told of each step, and who pays for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.packages.dialog_info import Dialog, DialogInfo
from switchroom.switch.calls.presence import Dialogs, Mailboxes, Presence, Registrations, Statuses
from switchroom.switch.config import PresenceConfig
from tests.switch.calls.world import USERS, Phone, World

NAMES = {name: name for name, _ in USERS} | {number: name for name, number in USERS}


class Watched(World):
    """A world with lamps."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        lookup = self.registrar.lookup
        dialogs = Dialogs(self.mint, lambda: "example.test")
        self.presence = Presence(
            PresenceConfig(notify_interval=0.0),
            NAMES,
            endpoint=self.endpoint,
            calls=self.exchange,
            is_local=self.exchange.is_local,
            dialogs=dialogs,
            statuses=Statuses(lookup, dialogs.is_talking, self.mint),
            mailboxes=Mailboxes(),
            registrations=Registrations(lookup, self.mint),
        )
        self.exchange.reception.attend("SUBSCRIBE", self.presence.subscribe)

    def watch(self, phone: Phone, number: str, account: str = "carol") -> sip.Subscriber:
        request = sip.Request(
            "SUBSCRIBE",
            f"sip:{number}@127.0.0.1",
            [
                ("Max-Forwards", "70"),
                ("From", f"<sip:{account}@127.0.0.1>;tag={phone.mint.tag()}"),
                ("To", f"<sip:{number}@127.0.0.1>"),
                ("Call-ID", phone.mint.call_id()),
                ("CSeq", "1 SUBSCRIBE"),
                ("Contact", phone.contact),
                ("Event", "dialog"),
                ("Expires", "600"),
            ],
        )
        authorizer = sip.DigestAuthorizer(sip.DigestClient(account, f"secret-{account}"))
        subscriber = phone.endpoint.subscribe(request, phone.flow, self.now, authorizer)
        self.settle()
        return subscriber


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.close()


def lamps(phone: Phone, subscriber: sip.Subscriber) -> list[tuple[Dialog, ...]]:
    """What each NOTIFY showed."""
    return [
        DialogInfo.parse(event.request.body).dialogs
        for event in phone.events
        if isinstance(event, sip.NotifyReceived) and event.subscription is subscriber
    ]


def states(phone: Phone, subscriber: sip.Subscriber) -> list[list[str]]:
    return [[dialog.state for dialog in dialogs] for dialogs in lamps(phone, subscriber)]


def test_each_step_of_a_call_is_shown(world: Watched) -> None:
    alice, bob, carol = (
        world.phone("127.0.0.2"),
        world.phone("127.0.0.3", user="bob"),
        world.phone("127.0.0.4", user="carol"),
    )
    on_bob = world.watch(carol, "200")
    ours = alice.call("200")
    theirs = bob.accept()
    theirs.ring(180, world.now)
    world.settle()
    theirs.answer(world.now, body=bob.sdp, headers=(("Content-Type", "application/sdp"),))
    world.settle()
    alice.take(sip.SessionAnswered)
    ours.acknowledge(world.now)
    world.settle()
    [(call_id, call)] = world.exchange.calls.items()
    shown = lamps(carol, on_bob)[-1][0]
    assert (shown.state, shown.direction) == ("confirmed", "recipient")
    assert shown.local is not None
    assert shown.remote is not None
    assert shown.local.uri == "sip:200@example.test"
    # substitutes, that lead to the call here and nowhere else
    real = {call.a.session.call_id, call.a.session.local_tag, theirs.call_id, theirs.remote_tag, call_id}
    assert real.isdisjoint({shown.call_id, shown.local_tag, shown.remote_tag, shown.id})
    found = world.presence.dialogs.find(shown.call_id, shown.local_tag, shown.remote_tag)
    assert found == (call, "bob")
    assert world.presence.dialogs.find(shown.call_id, shown.local_tag, "x") is None
    ours.bye(world.now)
    world.settle()
    assert states(carol, on_bob) == [[], ["early"], ["confirmed"], ["terminated"]]
    assert world.presence.dialogs.find(shown.call_id, shown.local_tag, shown.remote_tag) is None


def test_a_call_that_is_up_is_seen_by_who_comes_later_and_two_phones_are_one_lamp(world: Watched) -> None:
    alice = world.phone("127.0.0.2")
    world.phone("127.0.0.3", user="bob")
    other = world.phone("127.0.0.5", user="bob")
    carol = world.phone("127.0.0.4", user="carol")
    assert not world.exchange.on_call_state  # nobody watches: calls pay nothing
    ours = alice.call("200")
    on_bob = world.watch(carol, "200")
    assert states(carol, on_bob) == [["early"]]
    assert len(world.exchange.on_call_state) == 1
    session = other.accept()
    session.reject(486, world.now)
    world.settle()
    ours.cancel(world.now)
    world.settle()
    assert states(carol, on_bob)[-1] == ["terminated"]
    on_bob.unsubscribe(world.now)
    world.settle()
    assert not world.exchange.on_call_state
    dialogs: Any = world.presence.dialogs
    assert not dialogs._by_call
    assert not dialogs._by_topic
