"""PJSIP's softphone: presence, waiting messages and texts, as somebody else has understood the RFCs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from .conftest import next_name
from .harness import PASSWORD, Switch, users, wait_until
from .pjsua import Pjsua, is_installed

pytestmark = pytest.mark.skipif(not is_installed(), reason="pjsua2-python is not installed")


class Dial(Protocol):
    def __call__(self, user: str, **options: str) -> Pjsua: ...


@pytest.fixture
def softphone(switch: Switch, tmp_path: Path) -> Iterator[Dial]:
    with ExitStack() as stack:

        def make(user: str, **options: str) -> Pjsua:
            return stack.enter_context(Pjsua(tmp_path, user, PASSWORD, switch.address, **options))

        yield make


def test_texts_reach_a_softphone_and_wait_for_one_that_is_not_there(switch: Switch, softphone: Dial) -> None:
    a, b = next_name(), next_name()
    alice, bob = softphone(a), softphone(b)
    alice.register()
    alice.message(b, "first")
    assert alice.wait("message_status", text="first")["status"] == 202
    alice.message(b, "second — ünïcödé 😀")
    assert alice.wait("message_status", text="second — ünïcödé 😀")["status"] == 202
    waiting = [row for row in switch.ask("texts") if row["to"] == b]
    assert [row["from"] for row in waiting] == [a, a]
    bob.register()
    texts = [bob.wait("message") for _ in range(2)]
    assert [text["text"] for text in texts] == ["first", "second — ünïcödé 😀"]
    assert f"sip:{a}@" in texts[0]["sender"]
    alice.message(b, "third")
    assert alice.wait("message_status", text="third")["status"] == 200
    assert bob.wait("message")["text"] == "third"
    assert not [row for row in switch.ask("texts") if row["to"] == b]


def test_texts_survive_a_kill(tmp_path: Path) -> None:
    with Switch(tmp_path / "killed", users=users(["3001", "3002"])) as switch, ExitStack() as stack:
        alice = stack.enter_context(Pjsua(tmp_path, "3001", PASSWORD, switch.address))
        alice.register()
        for number in range(20):
            alice.message("3002", f"text {number}")
        acknowledged = [alice.wait("message_status")["status"] for _ in range(20)]
        switch.kill()  # -9, the moment after
        switch.start()
        bob = stack.enter_context(Pjsua(tmp_path, "3002", PASSWORD, switch.address))
        bob.register()
        came = [bob.wait("message")["text"] for _ in range(acknowledged.count(202))]
        assert acknowledged.count(202) >= 5  # the rate of one user lets some pass only
        assert len(set(came)) == acknowledged.count(202)


def test_presence_of_registrations_and_publications(switch: Switch, softphone: Dial) -> None:
    a, b = next_name(), next_name()
    alice, bob = softphone(a), softphone(b)
    alice.register()
    alice.watch(b)
    alice.wait("buddy", subscription="ACTIVE", text="Offline")
    bob.register(publish=True)
    bob.set_status(is_online=True, note="in a meeting", activity=2)
    shown = alice.wait("buddy", lambda e: e["note"] == "in a meeting")
    assert (shown["status"], shown["activity"]) == (1, 2)
    bob.set_status(is_online=False)
    alice.wait("buddy", lambda e: e["status"] == 2)
    rows = [row for row in switch.ask("subscriptions") if row["watcher"] == a]
    assert [(row["user"], row["event"]) for row in rows] == [(b, "presence")]


def test_the_message_lamp(switch: Switch, softphone: Dial) -> None:
    a = next_name()
    alice = softphone(a)
    alice.register(mwi=True)
    alice.wait("mwi", lambda e: "Messages-Waiting: no" in e["message"])
    assert switch.cli("mailbox", a, "3", "1").returncode == 0
    told = alice.wait("mwi", lambda e: "Messages-Waiting: yes" in e["message"])
    assert "Voice-Message: 3/1 (0/0)" in told["message"]


def test_a_call_is_seen_by_who_watches(switch: Switch, softphone: Dial) -> None:
    a, b, c = next_name(), next_name(), next_name()
    alice, bob, carol = softphone(a), softphone(b), softphone(c)
    for phone in (alice, bob, carol):
        phone.register()
    carol.watch(b)
    carol.wait("buddy", text="Online")
    call = alice.call(b)
    ringing = bob.incoming()
    bob.answer(ringing)
    alice.wait_state(call, "CONFIRMED")
    carol.wait("buddy", activity=2)  # busy
    alice.hold(call)
    alice.wait("media", status=2)  # locally held
    alice.unhold(call)
    alice.wait("media", status=1)
    bob.hangup(ringing)
    alice.wait_state(call, "DISCONNECTED")
    carol.wait("buddy", activity=0)
    wait_until(lambda: not switch.calls(), 5, "the end of the call")
