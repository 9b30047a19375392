"""Conferences and queues by TwiML and REST: three raw phones with sound, and the client of PyPI."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from .harness import wait_until
from .test_api import OURS, THEIRS, Hooks
from .test_voice import Talker, configure, heard, speak, tone_wav, voice_place, wav_of


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with voice_place(tmp_path_factory.mktemp("meeting"), "1003") as place:
        yield place


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    yield hooks
    hooks.stop()


@pytest.fixture
def talkers(place: Any) -> Iterator[list[Talker]]:
    found = [Talker(phone) for phone in place[2:]]
    yield found
    for one in found:
        one.close()


def sings(who: Talker, to: Talker, pitch: int = 500) -> bool:
    """Whether what one says is heard by another."""
    to.sound.heard.clear()
    speak(who, pitch, 0.7)
    return to.hears(pitch, 0.5)


def test_a_conference(place: Any, hooks: Hooks, talkers: list[Talker]) -> None:
    """Music until it begins; muted, on hold, announced, kicked, recorded, ended; each is told."""
    _, client, *_ = place
    a, b, _ = talkers
    hooks.files |= {"/music.wav": tone_wav(600, 9.0), "/hold.wav": tone_wav(800, 9.0)}
    hooks.files["/news.wav"] = tone_wav(900, 0.6)
    hooks.answers |= {
        "/wait": "<Response><Play>/music.wav</Play></Response>",
        "/hold": "<Response><Play>/hold.wav</Play></Response>",
        "/news": "<Response><Play>/news.wav</Play></Response>",
    }
    noun = "<Conference waitUrl='/wait' beep='false' participantLabel='boss' record='record-from-start' "
    noun += "endConferenceOnExit='true' statusCallback='/conference' statusCallbackEvent="
    noun += "'start end join leave mute hold announcement'>Room &amp; Board</Conference>"
    configure(client, hooks, voice=f"<Dial action='/after'>{noun}</Dial>", after="<Hangup/>")
    a.call(OURS)
    assert a.hears(600)
    [conference] = client.conferences.list(status="init")
    assert conference.friendly_name == "Room & Board"
    made = client.conferences(conference.sid).participants.create(
        from_=OURS, to="client:1002", label="guest", beep="false", muted=True
    )
    assert (made.status, made.label, made.muted) == ("queued", "guest", True)
    b.take()
    assert conference.fetch().status == "in-progress" or wait_until(
        lambda: conference.fetch().status == "in-progress", 5, "the start"
    )
    people = {one.label: one for one in client.conferences(conference.sid).participants.list()}
    assert set(people) == {"boss", "guest"}
    assert (people["guest"].call_sid, people["guest"].status) == (made.call_sid, "connected")
    assert sings(a, b)
    assert not sings(b, a)
    guest = client.conferences(conference.sid).participants("guest")
    assert guest.update(muted=False).muted is False
    assert sings(b, a)
    assert guest.update(hold=True, hold_url=hooks.url + "/hold").hold
    assert b.hears(800)
    assert not sings(a, b)
    assert not guest.update(hold=False).hold
    client.conferences(conference.sid).update(announce_url=hooks.url + "/news")
    assert a.hears(900, 2.0)
    wait_until(
        lambda: [f for f in heard(hooks, "/conference") if f["StatusCallbackEvent"] == "announcement-end"],
        *(5, "the end of what was announced"),
    )
    assert guest.delete()
    b.dialog.answer_bye()
    with pytest.raises(TwilioRestException) as refused:
        guest.fetch()
    assert refused.value.code == 20404
    assert client.conferences(conference.sid).update(status="completed").status == "completed"
    a.dialog.answer_bye()
    assert heard(hooks, "/after")[0]["DialCallStatus"] == "completed"
    wait_until(lambda: heard(hooks, "/conference")[-1]["StatusCallbackEvent"] == "conference-end", 5, "end")
    told = [form["StatusCallbackEvent"] for form in heard(hooks, "/conference")]
    assert told == [
        *("participant-join", "participant-join", "conference-start", "participant-unmute"),
        *("participant-hold", "participant-unhold", "announcement-end", "participant-leave"),
        "participant-leave",
        *("conference-end",),
    ]
    last = heard(hooks, "/conference")[-1]
    assert (last["ReasonConferenceEnded"], last["SequenceNumber"]) == ("conference-ended-via-api", "10")
    [row] = client.conferences(conference.sid).recordings.list()
    wait_until(lambda: client.recordings(row.sid).fetch().status == "completed", 5, "the recording")
    assert (row.source, row.conference_sid) == ("Conference", conference.sid)
    _, seconds, _ = wav_of(hooks.url and client.recordings(row.sid).fetch().media_url)
    assert seconds > 2


def test_who_ends_a_conference_ends_it_for_all(place: Any, hooks: Hooks, talkers: list[Talker]) -> None:
    _, client, *_ = place
    a, b, c = talkers
    noun = "<Conference beep='false' endConferenceOnExit='true'>{}</Conference>"
    configure(client, hooks, voice=f"<Dial hangupOnStar='true'>{noun.format('three')}</Dial>")
    a.call(OURS)
    live = client.calls.list(status="in-progress", to=OURS)[0]
    wait_until(lambda: client.conferences.list(friendly_name="three"), 5, "the conference")
    room = client.conferences("three")
    coach = room.participants.create(
        from_=OURS, to="client:1003", coaching=True, call_sid_to_coach=live.sid, beep="false"
    )
    c.take()
    room.participants.create(from_=OURS, to="client:1002", beep="false")
    b.take()
    [found] = client.conferences.list(friendly_name="three")
    people = client.conferences(found.sid).participants
    wait_until(lambda: len(people.list()) == 3, 5, "three")
    assert people(coach.call_sid).fetch().call_sid_to_coach == live.sid
    assert sings(c, a)
    assert not sings(c, b)
    a.press("*")
    a.dialog.answer_bye()
    b.dialog.answer_bye()
    c.dialog.answer_bye()
    ended = client.conferences(found.sid).fetch()
    assert (ended.status, ended.call_sid_ending_conference) == ("completed", live.sid)
    assert ended.reason_conference_ended == "participant-with-end-conference-on-exit-left"


def test_a_queue(place: Any, hooks: Hooks, talkers: list[Talker]) -> None:
    """One waits with music, is told his place and taken out by Dial; one by REST; one leaves."""
    _, client, *_ = place
    a, b, _ = talkers
    hooks.files |= {"/music.wav": tone_wav(600, 9.0), "/hello.wav": tone_wav(900, 1.0)}
    hooks.answers |= {
        "/wait": "<Response><Gather numDigits='1' action='/key'><Play>/music.wav</Play></Gather></Response>",
        "/key": "<Response><Leave/></Response>",
        "/whisper": "<Response><Play>/hello.wav</Play></Response>",
    }
    configure(
        client,
        hooks,
        voice="<Enqueue waitUrl='/wait' action='/dequeued'>support</Enqueue><Hangup/>",
        dequeued="<Hangup/>",
    )
    a.call(OURS)
    assert a.hears(600)
    [queue] = client.queues.list()
    assert (queue.friendly_name, queue.current_size) == ("support", 1)
    [member] = client.queues(queue.sid).members.list()
    assert (member.position, client.queues(queue.sid).members("Front").fetch().call_sid) == (
        1,
        member.call_sid,
    )
    waited = heard(hooks, "/wait")[0]
    assert (waited["QueuePosition"], waited["CurrentQueueSize"], waited["QueueSid"]) == ("1", "1", queue.sid)
    twiml = f"<Response><Dial><Queue url='{hooks.url}/whisper'>support</Queue></Dial></Response>"
    client.calls.create(to="client:1002", from_=OURS, twiml=twiml)
    b.take()
    assert a.hears(900)
    time.sleep(1.0)
    assert sings(a, b)
    assert sings(b, a)
    b.dialog.bye()
    a.dialog.answer_bye()
    [done] = heard(hooks, "/dequeued")
    assert (done["QueueResult"], done["QueueSid"]) == ("bridged", queue.sid)
    assert heard(hooks, "/whisper")[0]["QueueSid"] == queue.sid

    a.call(OURS)
    assert a.hears(600)
    hooks.answers["/elsewhere"] = "<Response><Play>/hello.wav</Play></Response>"
    client.queues(queue.sid).members("Front").update(url=hooks.url + "/elsewhere")
    assert a.hears(900)
    a.dialog.answer_bye()
    assert heard(hooks, "/elsewhere")[0]["QueueResult"] == "redirected"

    a.call(OURS)
    assert a.hears(600)
    a.press("1")
    a.dialog.answer_bye()
    assert heard(hooks, "/dequeued")[-1]["QueueResult"] == "leave"
    assert queue.update(friendly_name="help", max_size=7).max_size == 7
    with pytest.raises(TwilioRestException) as refused:
        client.queues.create(friendly_name="help")
    assert refused.value.code == 20409
    assert queue.delete()


def test_both_of_a_dialled_pair_go_into_a_conference(place: Any, hooks: Hooks, talkers: list[Talker]) -> None:
    """A warm transfer: the one who was called is given a document, the caller goes on with the action."""
    _, client, *_ = place
    a, b, _ = talkers
    room = "<Dial><Conference beep='false'>warm</Conference></Dial>"
    configure(client, hooks, voice="<Dial action='/after'><Client>1002</Client></Dial>", after=room)
    a.call(OURS)
    b.take()
    live = {call.direction: call.sid for call in client.calls.list(status="in-progress")}
    client.calls(live["outbound-dial"]).update(twiml=f"<Response>{room}</Response>")
    wait_until(lambda: client.conferences.list(friendly_name="warm", status="in-progress"), 5, "both")
    assert sings(a, b)
    assert sings(b, a)
    client.calls(live["outbound-dial"]).update(status="completed")
    b.dialog.answer_bye()
    a.dialog.bye()
    assert client.calls(live["outbound-dial"]).fetch().status == "completed"
    assert THEIRS in client.calls(live["inbound"]).fetch()._from
