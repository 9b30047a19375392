"""What the API hears of a call: words, who has answered; streams begun by REST; and calls sent elsewhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from websockets.sync.server import serve

from switchroom.codecs import find

from .harness import wait_until
from .raw import response_to
from .test_api import OURS, THEIRS, Hooks
from .test_voice import Talker, configure, heard, pitch_of, speak, tone_wav, voice_place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    command = """sh -c 'test -s {file} && echo "  hello\n in {language} "'"""
    with voice_place(tmp_path_factory.mktemp("hearing"), transcribe_command=command) as place:
        yield place


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    yield hooks
    hooks.stop()


@pytest.fixture
def talker(place: Any) -> Iterator[Talker]:
    one = Talker(place[2])
    yield one
    one.close()


def test_what_is_said_is_understood(place: Any, hooks: Hooks, talker: Talker) -> None:
    """Speech stops the prompt; the text goes to the action; what is recorded is transcribed."""
    _, client, *_ = place
    hooks.files["/menu.wav"] = tone_wav(600, 9.0)
    gather = "<Gather input='speech' language='en-GB' action='/said'><Play>/menu.wav</Play></Gather>"
    record = "<Record playBeep='false' finishOnKey='#' transcribeCallback='/text' action='/kept'/>"
    configure(client, hooks, voice=gather, said=record, kept="<Hangup/>")
    talker.call(OURS)
    assert talker.hears(600)
    for pitch in (400, 700, 300):
        speak(talker, pitch, 0.3)
    wait_until(lambda: heard(hooks, "/said"), 5, "the words")
    [said] = heard(hooks, "/said")
    assert (said["SpeechResult"], said["Confidence"], said["Language"]) == (
        *("hello in en-GB", "1.0000", "en-GB"),
    )
    speak(talker, 500, 1.0)
    talker.press("#")
    talker.dialog.answer_bye()
    wait_until(lambda: heard(hooks, "/text"), 5, "the text")
    [text] = heard(hooks, "/text")
    assert (text["TranscriptionStatus"], text["TranscriptionText"]) == ("completed", "hello in en-US")
    row = client.transcriptions(text["TranscriptionSid"]).fetch()
    assert (row.transcription_text, row.recording_sid) == ("hello in en-US", text["RecordingSid"])
    assert client.recordings(row.recording_sid).transcriptions.list()[0].sid == row.sid
    assert row.delete()


def test_partial_results_come_while_somebody_speaks(place: Any, hooks: Hooks, talker: Talker) -> None:
    _, client, *_ = place
    gather = "<Gather input='speech' partialResultCallback='/part' action='/said' timeout='20'/>"
    configure(client, hooks, voice=gather, said="<Hangup/>")
    talker.call(OURS)
    for pitch in (400, 700, 300, 500, 400, 700):
        speak(talker, pitch, 0.5)
    talker.dialog.answer_bye()
    wait_until(lambda: len(heard(hooks, "/part")) >= 2, 5, "partial results")
    [said] = heard(hooks, "/said")
    assert said["SpeechResult"] == "hello in en-US"
    first, second = heard(hooks, "/part")[:2]
    assert (first["UnstableSpeechResult"], first["StableSpeechResult"]) == ("hello in en-US", "")
    assert (second["UnstableSpeechResult"], second["StableSpeechResult"]) == ("", "hello in en-US")
    assert [one["SequenceNumber"] for one in (first, second)] == ["0", "1"]
    assert first["CallSid"] == said["CallSid"]
    places = [path for path, _, _ in hooks.heard]
    assert places.index("/part") < places.index("/said")


def test_both_sides_are_written_down_while_they_talk(place: Any, hooks: Hooks, talker: Talker) -> None:
    """Start Transcription: what the caller says and what he hears, in order, to the end."""
    _, client, *_ = place
    hooks.files["/prompt.wav"] = tone_wav(600, 1.2)
    wanted = "statusCallbackUrl='/text' name='all' partialResults='true' inboundTrackLabel='caller'"
    start = f"<Start><Transcription {wanted} languageCode='de-DE'/></Start>"
    voice = f"{start}<Play>/prompt.wav</Play><Pause length='60'/>"
    configure(client, hooks, voice=voice)
    talker.call(OURS)
    assert talker.hears(600)

    def told(track: str) -> list[dict[str, str]]:
        return [one for one in heard(hooks, "/text") if one.get("Track") == track and "Final" in one]

    wait_until(lambda: [one for one in told("outbound_track") if one["Final"] == "true"], 10, "our words")
    for pitch in (400, 700, 300):
        speak(talker, pitch, 0.5)
    wait_until(lambda: [one for one in told("inbound_track") if one["Final"] == "true"], 10, "his words")
    call = client.calls.list(to=OURS, status="in-progress")[0]
    assert client.calls(call.sid).transcriptions("all").update(status="stopped").status == "stopped"
    wait_until(
        lambda: heard(hooks, "/text")[-1]["TranscriptionEvent"] == "transcription-stopped", 5, "the end"
    )
    rows = heard(hooks, "/text")
    assert [int(one["SequenceId"]) for one in rows] == list(range(1, len(rows) + 1))
    assert (rows[0]["TranscriptionEvent"], rows[0]["InboundTrackLabel"]) == (
        "transcription-started",
        "caller",
    )
    said = {"transcript": "hello in de-DE", "confidence": 1.0}
    assert json.loads(told("inbound_track")[0]["TranscriptionData"]) == said
    assert {one["Final"] for one in told("inbound_track")} == {"true", "false"}
    made = client.calls(call.sid).transcriptions.create(track="inbound_track", name="again")
    assert (made.status, made.call_sid, made.sid[:2]) == ("in-progress", call.sid, "GT")
    talker.dialog.bye()
    wait_until(lambda: client.calls(call.sid).fetch().status == "completed", 5, "the end of the call")
    with pytest.raises(TwilioRestException) as refused:
        client.calls(call.sid).transcriptions(made.sid).update(status="stopped")
    assert refused.value.code == 21220


def test_who_has_answered_is_found_out(place: Any, hooks: Hooks, talker: Talker) -> None:
    _, client, *_ = place
    hooks.answers["/met"] = "<Response><Hangup/></Response>"
    call = client.calls.create(
        to=THEIRS,
        from_=OURS,
        url=hooks.url + "/met",
        machine_detection="Enable",
        machine_detection_silence_timeout=2000,
    )
    talker.take()
    talker.dialog.answer_bye(10)
    assert heard(hooks, "/met")[0]["AnsweredBy"] == "unknown"
    assert call.fetch().answered_by == "unknown"


def tracks(got: list[str]) -> set[str]:
    return {json.loads(one)["media"]["track"] for one in got if '"media"' in one}


def test_a_stream_is_begun_and_ended_by_rest(place: Any, hooks: Hooks, talker: Talker) -> None:
    _, client, *_ = place
    got: list[str] = []

    def application(socket: Any) -> None:
        got.extend(socket)

    hooks.files["/tone.wav"] = tone_wav(600, 9.0)
    play = f"<Response><Play loop='0'>{hooks.url}/tone.wav</Play></Response>"
    call = client.calls.create(to=THEIRS, from_=OURS, twiml=play)
    talker.take()
    wait_until(lambda: call.fetch().status == "in-progress", 5, "the call")
    with serve(application, "127.0.0.1", 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/ear"
        made = client.calls(call.sid).streams.create(
            url=url, name="ear", track="both_tracks", parameter1_name="who", parameter1_value="me"
        )
        assert (made.status, made.name) == ("in-progress", "ear")
        speak(talker, 400, 0.6)
        wait_until(lambda: {"inbound", "outbound"} == tracks(got), 5, "sound of both")
        assert client.calls(call.sid).streams("ear").update(status="stopped").status == "stopped"
        wait_until(lambda: '"stop"' in got[-1], 5, "the end")
        server.shutdown()
    begin = json.loads(got[1])["start"]
    assert (begin["customParameters"], begin["tracks"]) == ({"who": "me"}, ["inbound", "outbound"])
    media = [json.loads(one)["media"] for one in got if '"media"' in one]
    for track, pitch in (("inbound", 400), ("outbound", 600)):
        mine = [one for one in media if one["track"] == track]
        assert [int(one["chunk"]) for one in mine] == list(range(1, len(mine) + 1))
        sound = find("PCMU").decoder().decode(b"".join(base64.b64decode(one["payload"]) for one in mine))
        assert pitch in {pitch_of(sound[at : at + 800]) for at in range(0, len(sound) - 800, 400)}
    with pytest.raises(TwilioRestException) as refused:
        client.calls(call.sid).streams(made.sid).update(status="stopped")
    assert refused.value.code == 21220
    call.update(status="completed")
    talker.dialog.answer_bye()


def test_a_call_is_sent_elsewhere(place: Any, hooks: Hooks, talker: Talker) -> None:
    _, client, *_ = place
    refer = "<Refer action='/sent'><Sip>sip:bob@example.com</Sip></Refer>"
    configure(client, hooks, voice=refer, sent="<Hangup/>")
    talker.call(OURS)
    request = talker.dialog.wait_for("REFER")
    assert request.get("Refer-To") == "<sip:bob@example.com>"
    talker.phone.send(response_to(request, 202, "Accepted"))
    for line, state in (("SIP/2.0 100 Trying", "active"), ("SIP/2.0 200 OK", "terminated;reason=noresource")):
        headers = [("Event", "refer"), ("Subscription-State", state), ("Content-Type", "message/sipfrag")]
        talker.phone.send(talker.dialog.request("NOTIFY", headers=headers, body=f"{line}\r\n".encode()))
        assert talker.phone.final(3, method="NOTIFY", call_id=talker.dialog.call_id).status == 200
    talker.dialog.answer_bye()
    [sent] = heard(hooks, "/sent")
    assert (sent["ReferCallStatus"], sent["ReferSipResponseCode"], sent["NotifySipResponseCode"]) == (
        *("completed", "202", "200"),
    )
