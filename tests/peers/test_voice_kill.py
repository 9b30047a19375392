"""kill -9 of a switch that has calls of REST: each that was taken comes to an end, and that is told."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from .answerer import Answerer
from .harness import PASSWORD, Switch, user, wait_until
from .phone import Phone
from .ports import free_port
from .test_api import OURS, SID, THEIRS, TOKEN, Hooks, client_at, rest_of
from .test_voice import Talker, heard, speak

FINAL = {"completed", "busy", "failed", "no-answer", "canceled"}
EVENTS = ["initiated", "ringing", "answered", "completed"]
KILLS = 20 if os.environ.get("SWITCHROOM_LONG") else 1
BUSY = ("queued", "ringing", "in-progress")


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    yield hooks
    hooks.stop()


class Place:
    """A switch that is killed and started again, and a client of it."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.port = free_port()
        api = rest_of(self.port, OURS, webhook_pause=0.2, rate=10_000.0, burst=10_000)
        people = [user("1001", number=THEIRS), *(user(name) for name in names)]
        self.carrier = Answerer()
        address = f"sip:127.0.0.1:{self.carrier.address[1]}"
        self.switch = Switch(
            folder,
            users=people,
            api=api,
            trunks=[{"name": "carrier", "address": address}],
            routes=[{"match": "+49*", "to": "trunk:carrier"}],
        )
        self.client = client_at(self.port)

    def start(self) -> None:
        self.switch.start()
        wait_until(self._is_served, 15, "REST")

    def _is_served(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/openapi.json", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False


def posting(place: Place, hooks: Hooks, taken: dict[str, str]) -> None:
    """Ask for calls until the switch is gone; write down those that it has taken."""
    url = f"http://127.0.0.1:{place.port}/2010-04-01/Accounts/{SID}/Calls.json"
    form = {
        "From": OURS,
        "To": "+493012345",
        "Twiml": "<Response><Pause length='1'/></Response>",
        "StatusCallback": hooks.url + "/status",
        "StatusCallbackEvent": EVENTS,
    }
    with requests.Session() as session:
        session.auth = (SID, TOKEN)
        while True:
            try:
                answer = session.post(url, data=form, timeout=10)
            except requests.ConnectionError:
                return
            assert answer.status_code == 201, answer.text
            taken[answer.json()["sid"]] = answer.json()["status"]
            time.sleep(0.02)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path, "1002", "1003")
    with place.carrier:
        yield place
    if place.switch.process is not None and place.switch.is_alive:
        place.switch.stop()


@pytest.fixture
def talkers(place: Place) -> Iterator[list[Talker]]:
    phones = [Phone(place.switch.address, name, PASSWORD) for name in ("1001", "1002", "1003")]
    found = [Talker(phone) for phone in phones]
    yield found
    for one in found:
        one.close()
        one.phone.close()


def test_each_call_that_was_taken_ends_and_is_told(place: Place, hooks: Hooks) -> None:
    taken, chance = dict[str, str](), random.Random(3)
    for life in range(KILLS):
        place.start()
        if not life:
            place.client.incoming_phone_numbers.create(phone_number=OURS)
        posters = [
            threading.Thread(target=posting, args=(place, hooks, taken), daemon=True) for _ in range(2)
        ]
        count = len(taken)
        for one in posters:
            one.start()
        wait_until(lambda count=count: len(taken) > count + 30, 20, "calls are taken")  # type: ignore[misc]
        time.sleep(chance.random() * 0.5)
        place.switch.kill()
        for one in posters:
            one.join(15)
    place.start()
    calls = place.client.calls
    wait_until(lambda: not any(calls.list(status=state) for state in BUSY), 30, "all calls are over")
    rows = {call.sid: call for call in calls.list()}
    assert not set(taken) - set(rows)  # lost: none
    assert {rows[sid].status for sid in taken} <= FINAL

    def ends() -> list[str]:
        return [one["CallSid"] for one in heard(hooks, "/status") if one["CallStatus"] in FINAL]

    wait_until(lambda: set(taken) <= set(ends()), 30, "each end is told")
    for sid in taken:
        told = [one for one in heard(hooks, "/status") if one["CallSid"] == sid]
        numbers = list(dict.fromkeys(int(one["SequenceNumber"]) for one in told))
        assert numbers == list(range(len(numbers)))
        assert told[-1]["CallStatus"] == rows[sid].status
    assert [rows[sid].status for sid in taken].count("completed") > len(taken) // 2
    assert place.carrier.count("INVITE") >= [rows[sid].status for sid in taken].count("completed")
    place.switch.stop()
    assert "Traceback" not in place.switch.said(200_000)


def test_whoever_met_waited_or_was_recorded_has_left(
    place: Place, hooks: Hooks, talkers: list[Talker]
) -> None:
    """A conference with two, somebody in a queue, a recording, a stream: all are over, and that is told."""
    place.start()
    client = place.client
    client.incoming_phone_numbers.create(phone_number=OURS)
    number = client.incoming_phone_numbers.list()[0]
    number.update(voice_url=hooks.url + "/meet", status_callback=hooks.url + "/status")
    told = "statusCallback='/room' statusCallbackEvent='start end join leave'"
    meet = f"<Conference {told} waitUrl=''>a</Conference>"
    record = "<Start><Recording recordingStatusCallback='/tape'/></Start>"
    hooks.answers["/meet"] = f"<Response>{record}<Dial>{meet}</Dial></Response>"
    for one in talkers:
        assert one.phone.register().status == 200
    talkers[0].call(OURS)
    talkers[1].call(OURS)
    wait_until(lambda: events(hooks) == ["participant-join"] * 2 + ["conference-start"], 10, "the start")
    hooks.answers["/meet"] = "<Response><Enqueue waitUrl=''>line</Enqueue></Response>"
    talkers[2].call(OURS)
    wait_until(lambda: client.queues.list() and client.queues.list()[0].current_size == 1, 10, "one waits")
    speak(talkers[0], 500, 1.5)
    place.switch.kill()
    place.start()
    wait_until(lambda: not any(client.calls.list(status=state) for state in BUSY), 20, "all calls are over")
    wait_until(lambda: len(heard(hooks, "/status")) == 3, 20, "their ends")
    assert {one["CallStatus"] for one in heard(hooks, "/status")} == {"completed"}
    [conference] = client.conferences.list()
    assert (conference.status, conference.reason_conference_ended) == ("completed", "last-participant-left")
    wait_until(lambda: events(hooks)[3:] == ["participant-leave"] * 2 + ["conference-end"], 10, "its end")
    rooms = heard(hooks, "/room")
    assert {one["CallSid"] for one in rooms[3:5]} == {one["CallSid"] for one in rooms[:2]}
    assert [int(one["SequenceNumber"]) for one in rooms] == list(range(1, len(rooms) + 1))
    assert client.queues.list()[0].current_size == 0
    wait_until(lambda: len(heard(hooks, "/tape")) == 2, 10, "both recordings")
    rows = {row.sid: row for row in client.recordings.list()}
    assert {row.status for row in rows.values()} == {"completed"}
    assert any(int(row.duration) >= 1 for row in rows.values())
    for one in talkers:
        one.dialog.answer_bye(10)
    place.switch.stop()
    assert "Traceback" not in place.switch.said(200_000)


def events(hooks: Hooks) -> list[str]:
    return [one["StatusCallbackEvent"] for one in heard(hooks, "/room")]
