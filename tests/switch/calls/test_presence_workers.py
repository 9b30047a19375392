"""Lamps and presence over several workers: each tells the others what their subscribers want to know."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.packages import dialog_info, message_summary, pidf
from switchroom.switch.calls.presence import Sharing
from switchroom.switch.net.bus import Bus
from tests.switch.calls.office import Office
from tests.switch.calls.test_presence import DOCUMENT, publish


class Wire(Bus):
    """The bus without sockets: what is published arrives at once at all the others."""

    def __init__(self, slot: int, all_of_them: list[Wire]) -> None:
        super().__init__(slot)
        self.is_alone = False
        self._all = all_of_them
        all_of_them.append(self)

    def publish(self, topic: str, payload: Any) -> None:
        for other in self._all:
            if other is not self:
                for hear in other._topics.get(topic, ()):
                    hear(pickle.loads(pickle.dumps(payload)), self.slot)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[tuple[Office, Wire]]]:
    wires: list[Wire] = []
    made = []
    for slot in (0, 1):
        (tmp_path / str(slot)).mkdir()
        office = Office(tmp_path / str(slot))
        office.mint = office.endpoint.mint = sip.Mint(slot)
        office.presence.statuses._mint = office.mint
        wire = Wire(slot, wires)
        Sharing(wire, office.presence, office.clock.now)
        made.append((office, wire))
    yield made
    for office, _ in made:
        office.close()


def test_a_lamp_shows_the_calls_of_the_other_worker(workers: list[tuple[Office, Wire]]) -> None:
    (one, wire), (two, _) = workers
    alice = one.phone("alice")
    call = dialog_info.Dialog("1", "confirmed", "recipient")
    assert not two.presence.dialogs.is_watched
    two.presence.dialogs.put("carol", call, two.now)  # before anybody watches
    watching = alice.subscribe("200", "dialog")
    carols = alice.subscribe("201", "dialog")
    assert two.presence.dialogs.is_watched

    def lamp(subscriber: sip.Subscriber) -> list[str]:
        one.walk(1)
        info = dialog_info.DialogInfo.parse(alice.told(subscriber)[-1])
        return [dialog.state for dialog in info.dialogs]

    assert lamp(carols) == ["confirmed"]
    two.presence.dialogs.put("bob", call, two.now)
    assert lamp(watching) == ["confirmed"]
    two.presence.dialogs.drop("bob", "1", two.now)
    assert lamp(watching) == ["terminated"]
    two.presence.dialogs.put("bob", call, two.now)
    assert lamp(watching) == ["confirmed"]
    for hear in wire.on_lost:
        hear(1)  # it died, with its calls
    assert lamp(watching) == []
    watching.unsubscribe(one.now)
    carols.unsubscribe(one.now)
    one.settle()
    one.walk(1)
    assert not two.presence.dialogs.is_watched
    assert not one.presence.dialogs.is_watched


def test_publications_are_seen_by_all_and_die_with_their_worker(workers: list[tuple[Office, Wire]]) -> None:
    (one, wire), (two, _) = workers
    alice, bob = one.phone("alice"), two.phone("bob")
    watching = alice.subscribe("200", "presence")

    def note() -> str:
        one.walk(1)
        return pidf.Presence.parse(alice.told(watching)[-1]).note

    first = publish(bob, body=DOCUMENT % (b"open", b"here"))
    assert note() == "here"
    match = ("SIP-If-Match", first.get("SIP-ETag") or "")
    second = publish(bob, match, body=DOCUMENT % (b"open", b"there"))
    assert note() == "there"
    assert len(one.presence.statuses) == 1
    publish(bob, ("SIP-If-Match", second.get("SIP-ETag") or ""), ("Expires", "0"))
    assert note() == ""
    publish(bob, body=DOCUMENT % (b"open", b"again"))
    assert note() == "again"
    for hear in wire.on_lost:
        hear(1)
    assert note() == ""
    for hear in workers[1][1].on_found:
        hear(0)  # a worker that comes later is told
    assert note() == "again"


def test_a_message_that_another_worker_took_lights_the_lamp(workers: list[tuple[Office, Wire]]) -> None:
    (one, _), (two, _) = workers
    bob = one.phone("bob")
    watching = bob.subscribe("200", "message-summary")
    two.presence.mailboxes.set("bob", message_summary.Counts(1, 2), two.now)
    one.walk(1)
    summary = message_summary.Summary.parse(bob.told(watching)[-1])
    assert summary.is_waiting
    assert dict(summary.counts)["voice-message"] == message_summary.Counts(1, 2)
