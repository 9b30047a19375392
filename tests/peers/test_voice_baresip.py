"""Calls by TwiML with baresip telephones: a menu, a conference, a queue and a voicemail, by ear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from twilio.rest import Client

from .baresip import Baresip
from .harness import PASSWORD, Switch, user, wait_until
from .ports import free_port
from .test_api import OURS, THEIRS, Hooks, client_at, rest_of
from .test_voice import configure, heard, tone_wav, wav_of

pytestmark = pytest.mark.peer("baresip")

LOW, HIGH, PROMPT, MUSIC = 440.0, 1000.0, 600, 720


class Office(NamedTuple):
    client: Client
    alice: Baresip
    bob: Baresip
    hooks: Hooks


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder, rest, hooks = tmp_path_factory.mktemp("office"), free_port(), Hooks()
    api = rest_of(rest, OURS)
    people = [user("1001", number=THEIRS), user("1002", number="1002")]
    with Switch(folder / "switch", users=people, api=api) as switch:
        phones = [_phone(folder, name, switch, tone) for name, tone in (("1001", LOW), ("1002", HIGH))]
        client = client_at(rest)
        switch.wait_said("api.started")
        client.incoming_phone_numbers.create(phone_number=OURS)
        hooks.files |= {"/prompt.wav": tone_wav(PROMPT, 5.0), "/music.wav": tone_wav(MUSIC, 5.0)}
        yield Office(client, *phones, hooks)
        for phone in phones:
            phone.stop()
    hooks.stop()
    assert "Traceback" not in switch.said(200_000)


def _phone(folder: Path, name: str, switch: Switch, tone: float) -> Baresip:
    phone = Baresip(folder / name, name, PASSWORD, switch.address, tone=tone).start()
    phone.wait_registered()
    return phone


@pytest.fixture(autouse=True)
def quiet(office: Office) -> Iterator[None]:
    """Nobody talks any more, and nothing of it is remembered."""
    yield
    for phone in (office.alice, office.bob):
        phone.hang_up()
    busy = ("queued", "ringing", "in-progress")
    wait_until(lambda: not any(office.client.calls.list(status=state) for state in busy), 10, "silence")
    office.hooks.heard.clear()


def so_far(phone: Baresip) -> int:
    """Samples that it has heard until now."""
    return len(phone.heard()[0])


def test_a_menu_leads_to_a_colleague(office: Office) -> None:
    client, alice, bob, hooks = office
    configure(
        client,
        hooks,
        voice="<Gather numDigits='1' action='/chosen'><Play loop='0'>/prompt.wav</Play></Gather>",
        chosen="<Dial action='/done'><Client>1002</Client></Dial>",
        done="<Hangup/>",
    )
    alice.dial(OURS)
    alice.wait_to_hear(PROMPT)
    alice.command("sndcode", "7")
    bob.wait_for("CALL_ESTABLISHED")
    alice.wait_to_hear(HIGH, after=so_far(alice))
    bob.wait_to_hear(LOW)
    assert heard(hooks, "/chosen")[0]["Digits"] == "7"
    bob.hang_up()
    wait_until(lambda: heard(hooks, "/status"), 10, "the end")
    assert heard(hooks, "/done")[0]["DialCallStatus"] == "completed"


def test_a_conference_of_two_who_were_called(office: Office) -> None:
    client, alice, bob, hooks = office
    room = "<Conference waitUrl='/wait' beep='false' statusCallback='/room'>sales</Conference>"
    hooks.answers["/wait"] = "<Response><Play loop='0'>/music.wav</Play></Response>"
    document = f"<Response><Dial>{room}</Dial></Response>".replace("='/", f"='{hooks.url}/")
    client.calls.create(to=THEIRS, from_=OURS, twiml=document)
    alice.wait_to_hear(MUSIC, after=so_far(alice))
    client.calls.create(to="1002", from_=OURS, twiml=document)
    alice.wait_to_hear(HIGH)
    bob.wait_to_hear(LOW, after=so_far(bob))
    [conference] = client.conferences.list(status="in-progress")
    mine = next(one for one in conference.participants.list() if one.call_sid == _call_to(client, "1002"))
    mine.update(muted=True)
    bob.wait_to_hear(LOW, after=so_far(bob))
    conference.update(status="completed")
    wait_until(lambda: len(heard(hooks, "/room")) == 2, 10, "its end")
    events = [one["StatusCallbackEvent"] for one in heard(hooks, "/room")]
    assert events == ["conference-start", "conference-end"]


def _call_to(client: Client, number: str) -> str:
    return str(client.calls.list(to=number, status="in-progress")[0].sid)


def test_somebody_waits_in_a_queue_and_is_taken(office: Office) -> None:
    client, alice, bob, hooks = office
    wait = "<Play loop='0'>/music.wav</Play>"
    queue = "<Enqueue waitUrl='/wait' action='/left'>support</Enqueue>"
    configure(client, hooks, voice=queue, wait=wait, left="<Hangup/>")
    alice.dial(OURS)
    alice.wait_to_hear(MUSIC, after=so_far(alice))
    assert heard(hooks, "/wait")[0]["QueuePosition"] == "1"
    agent = "<Response><Dial><Queue>support</Queue></Dial></Response>"
    client.calls.create(to="1002", from_=OURS, twiml=agent)
    alice.wait_to_hear(HIGH)
    bob.wait_to_hear(LOW, after=so_far(bob))
    bob.hang_up()
    wait_until(lambda: heard(hooks, "/left"), 10, "the end of it")
    assert heard(hooks, "/left")[0]["QueueResult"] == "bridged"


def test_a_voicemail(office: Office) -> None:
    client, alice, _, hooks = office
    record = "<Play>/short.wav</Play><Record playBeep='false' maxLength='2' action='/kept'/>"
    hooks.files["/short.wav"] = tone_wav(PROMPT, 0.5)
    configure(client, hooks, voice=record, kept="<Hangup/>")
    alice.dial(OURS)
    wait_until(lambda: heard(hooks, "/status"), 15, "the end")
    [kept] = heard(hooks, "/kept")
    channels, seconds, pitch = wav_of(kept["RecordingUrl"])
    assert (channels, pitch, kept["RecordingDuration"]) == (1, LOW, "2")
    assert 1.8 < seconds < 2.2
