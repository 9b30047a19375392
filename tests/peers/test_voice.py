"""Calls by TwiML and REST: raw phones with sound and keys, the listener over HTTP, the client of PyPI."""

from __future__ import annotations

import base64
import io
import json
import struct
import time
import wave
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from websockets.sync.server import serve

from switchroom.codecs import Samples, find

from .harness import PASSWORD, Switch, user, wait_until
from .phone import Dialog, Phone
from .ports import free_port
from .raw import audio
from .rtp import Sound, packet
from .test_api import OURS, SID, THEIRS, TOKEN, Hooks, client_at, rest_of

OTHER = "+15017122662"


def media_port(body: bytes) -> int:
    line = next(line for line in body.decode().splitlines() if line.startswith("m=audio"))
    return int(line.split()[1])


class Talker:
    """A phone with a socket for its sound."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.sound = Sound(phone.address[0])
        self.dialog: Dialog

    @property
    def sdp(self) -> bytes:
        return audio(self.phone.address[0], self.sound.port)

    def call(self, number: str) -> Talker:
        self.dialog = self.phone.start_call(number, self.sdp)
        answer = self.phone.answered(self.dialog, 10)
        self.sound.remote = self.phone.address[0], media_port(answer.body)
        return self

    def take(self) -> Talker:
        self.dialog = self.phone.incoming(10)
        invite: Any = self.dialog.invite
        self.dialog.respond(invite, 180, "Ringing")
        self.phone.accept(self.dialog, self.sdp)
        self.sound.remote = self.phone.address[0], media_port(invite.body)
        return self

    def press(self, keys: str) -> None:
        for key in keys:
            number, stamp = "0123456789*#".index(key), clock()
            for i in range(8):
                end = 0x80 if i >= 5 else 0
                payload = struct.pack("!BBH", number, end | 10, 160 * min(i + 1, 5))
                self.sound.sequence += 1
                sent = packet(self.sound.sequence, stamp, self.sound.ssrc, payload, 101)
                self.sound.socket.sendto(sent, self.sound.remote)
                time.sleep(0.01)
            time.sleep(0.05)

    def hears(self, pitch: int, timeout: float = 5.0) -> bool:
        """Whether a tone comes within that time."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            self.sound.heard.clear()
            self.sound.receive(25, 0.6)
            packets = [data[12:] for data in self.sound.heard if data[1] & 0x7F == 0]
            if packets and pitch_of(find("PCMU").decoder().decode(b"".join(packets))) == pitch:
                return True
        return False

    def close(self) -> None:
        self.sound.close()


def clock() -> int:
    """The time as RTP counts it: whoever was silent for a while goes on at the right moment."""
    return int(time.monotonic() * 8000)


def pitch_of(samples: Samples) -> int:
    if np.abs(samples.astype(int)).max() < 500:
        return 0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return round(float(np.argmax(spectrum)) * 8000 / len(samples) / 20) * 20


def tone_wav(pitch: int, seconds: float) -> bytes:
    samples = (8000 * np.sin(np.arange(int(8000 * seconds)) * 2 * np.pi * pitch / 8000)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


@contextmanager
def voice_place(folder: Path, *others: str, is_bought: bool = True, **more: Any) -> Iterator[Any]:
    """A switch with REST and two phones, or more; a client that is led to it."""
    rest = free_port()
    api = rest_of(rest, OURS, OTHER, **more)
    people = [user("1001", number=THEIRS), user("1002", number="1002"), *(user(name) for name in others)]
    with Switch(folder, users=people, api=api) as switch, ExitStack() as stack:
        switch.wait_said("api.started")
        client = client_at(rest)
        for number in (OURS, OTHER) if is_bought else ():  # without webhooks
            client.incoming_phone_numbers.create(phone_number=number)
        phones = []
        for name in ("1001", "1002", *others):
            phone = stack.enter_context(Phone(switch.address, name, PASSWORD))
            assert phone.register().status == 200
            phones.append(phone)
        yield switch, client, *phones


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with voice_place(tmp_path_factory.mktemp("voice")) as place:
        yield place


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    yield hooks
    hooks.stop()


@pytest.fixture
def talkers(place: Any) -> Iterator[tuple[Talker, Talker]]:
    pair = Talker(place[2]), Talker(place[3])
    yield pair
    for one in pair:
        one.close()


def heard(hooks: Hooks, path: str) -> list[dict[str, str]]:
    return [form for at, form, _ in hooks.heard if at == path]


def configure(client: Client, hooks: Hooks, **documents: str) -> None:
    hooks.answers |= {f"/{path}": f"<Response>{body}</Response>" for path, body in documents.items()}
    number = client.incoming_phone_numbers.list(phone_number=OURS)[0]
    number.update(voice_url=hooks.url + "/voice", status_callback=hooks.url + "/status")


def test_a_menu_by_keys_leads_to_another_phone(
    place: Any, hooks: Hooks, talkers: tuple[Talker, Talker]
) -> None:
    _, client, _, _ = place
    a, b = talkers
    hooks.files["/menu.wav"] = tone_wav(600, 5.0)
    configure(
        client,
        hooks,
        voice="<Gather numDigits='2' action='/chosen'><Play>/menu.wav</Play></Gather><Hangup/>",
        chosen="<Dial action='/done' timeout='9'><Client statusCallback='/leg' statusCallbackEvent="
        "'initiated ringing answered completed'>1002</Client></Dial>",
        done="<Play>/menu.wav</Play>",
    )
    a.call(OURS)
    assert a.hears(600)
    a.press("42")
    b.take()
    assert b.dialog.invite.get("from").find(THEIRS) > 0  # type: ignore[union-attr]
    live = client.calls.list(status="in-progress")
    assert [(call.direction, call.to) for call in live] == [
        ("outbound-dial", "client:1002"),
        ("inbound", OURS),
    ]
    assert live[0].parent_call_sid == live[1].sid
    time.sleep(1.1)
    b.dialog.bye()
    assert a.hears(600)  # the action's document
    a.dialog.bye()
    wait_until(lambda: heard(hooks, "/status"), 10, "completed")
    [voice], [chosen], [done] = heard(hooks, "/voice"), heard(hooks, "/chosen"), heard(hooks, "/done")
    assert (voice["From"], voice["To"], voice["CallStatus"], voice["Direction"]) == (
        *(THEIRS, OURS, "ringing", "inbound"),
    )
    assert (chosen["Digits"], chosen["CallStatus"]) == ("42", "in-progress")
    assert (done["DialCallStatus"], done["DialBridged"], done["DialCallDuration"]) == (
        "completed",
        "true",
        "1",
    )
    [status] = heard(hooks, "/status")
    assert (status["CallStatus"], status["CallbackSource"]) == ("completed", "call-progress-events")
    leg = [(form["CallStatus"], form["SequenceNumber"]) for form in heard(hooks, "/leg")]
    assert leg == [("initiated", "0"), ("ringing", "1"), ("in-progress", "2"), ("completed", "3")]
    for path, form, signature in hooks.heard:
        assert RequestValidator(TOKEN).validate(hooks.url + path, form, signature)
    call = client.calls(voice["CallSid"]).fetch()
    assert (call.status, call.direction, int(call.duration) >= 1) == ("completed", "inbound", True)
    asked = [event.request["url"] for event in client.calls(call.sid).events.list()]
    assert asked == [f"{hooks.url}/{path}" for path in ("voice", "chosen", "done")]
    assert client.calls(call.sid).delete()


def test_who_hangs_up_is_told_of_and_nothing_else_is_done(
    place: Any, hooks: Hooks, talkers: tuple[Talker, Talker]
) -> None:
    """The action of Dial is asked when the caller has left; what follows a Dial without one is not."""
    _, client, _, _ = place
    a, b = talkers
    dial = "<Dial action='/done'><Client>1002</Client></Dial>"
    configure(client, hooks, voice=dial, done="<Play>/never.wav</Play><Redirect>/never</Redirect>")
    a.call(OURS)
    b.take()
    time.sleep(0.2)
    a.dialog.bye()
    b.dialog.answer_bye()
    wait_until(lambda: heard(hooks, "/status"), 10, "the end")
    [done] = heard(hooks, "/done")
    assert (done["DialCallStatus"], done["DialBridged"], done["CallStatus"]) == (
        *("completed", "true", "completed"),
    )
    hooks.heard.clear()
    for voice, asked in (
        (dial, ["/voice", "/done", "/status"]),
        ("<Dial><Client>1002</Client></Dial><Redirect>/never</Redirect>", ["/voice", "/status"]),
    ):
        configure(client, hooks, voice=voice)
        a.call(OURS)
        ringing = b.phone.incoming(10)
        ringing.respond(ringing.invite, 180, "Ringing")  # type: ignore[arg-type]
        a.dialog.bye()
        ringing.wait_for("CANCEL")
        wait_until(lambda: heard(hooks, "/status"), 10, "the end")
        assert [path for path, _, _ in hooks.heard] == asked
        if asked[1] == "/done":
            [done] = heard(hooks, "/done")
            assert (done["DialCallStatus"], done["DialBridged"]) == ("canceled", "false")
        hooks.heard.clear()


def test_refusals_and_numbers_without_an_application(place: Any, hooks: Hooks) -> None:
    _, client, a, _ = place
    configure(client, hooks, voice="<Reject reason='busy'/>")
    headers = [("X-Ticket", "4711"), ("X-Bad", "a\tb"), ("Subject", "no")]
    dialog = a.start_call(OURS, audio(a.address[0], 40000), headers)
    assert a.final(5, method="INVITE", call_id=dialog.call_id).status == 486
    told = {name: text for name, text in heard(hooks, "/voice")[0].items() if name.startswith("SipHeader_")}
    assert told == {"SipHeader_X-Ticket": "4711"}
    wait_until(lambda: heard(hooks, "/status"), 10, "the callback")
    assert heard(hooks, "/status")[0]["CallStatus"] == "busy"
    for number in (OTHER, OURS):
        configure(client, hooks, voice="<Dial><Say>no</Say></Dial>")
        dialog = a.start_call(number, audio(a.address[0], 40000))
        assert a.final(5, method="INVITE", call_id=dialog.call_id).status == 480
    wait_until(lambda: len(heard(hooks, "/status")) == 2, 10, "the callback")
    assert heard(hooks, "/status")[1]["CallStatus"] == "failed"
    wait_until(lambda: client.calls.list(limit=1)[0].status == "failed", 5, "the row")
    said = place[0].cli("webhooks", "list", "--limit", "1", "--json").stdout
    shown = place[0].cli("webhooks", "show", json.loads(said)[0]["webhook"]).stdout
    assert ("CallStatus=failed" in shown, "attempt at" in shown, "status" in shown) == (True,) * 3


def test_a_call_is_made_redirected_and_hung_up(
    place: Any, hooks: Hooks, talkers: tuple[Talker, Talker]
) -> None:
    _, client, _, _ = place
    a, _ = talkers
    hooks.files |= {"/one.wav": tone_wav(600, 9.0), "/two.wav": tone_wav(900, 9.0)}
    made = client.calls.create(
        to=THEIRS,
        from_=OURS,
        twiml=f"<Response><Play loop='0'>{hooks.url}/one.wav</Play></Response>",
        status_callback=hooks.url + "/status",
        status_callback_event=["initiated", "ringing", "answered", "completed"],
    )
    assert (made.status, made.direction, made.to, made._from) == ("queued", "outbound-api", THEIRS, OURS)
    a.take()
    assert a.hears(600)
    assert made.fetch().status == "in-progress"
    tapes = client.calls(made.sid).recordings
    tape = tapes.create(recording_track="outbound", recording_channels="dual")
    time.sleep(0.5)
    tapes(tape.sid).update(status="stopped")
    wait_until(lambda: tapes(tape.sid).fetch().status == "completed", 5, "the recording")
    channels, _, pitch = wav_of(client.recordings(tape.sid).fetch().media_url)
    assert (channels, pitch, tape.track) == (1, 600, "outbound")
    assert client.recordings(tape.sid).delete()
    made.update(twiml=f"<Response><Play loop='0'>{hooks.url}/two.wav</Play></Response>")
    assert a.hears(900)
    assert made.update(status="completed").status == "completed"
    a.dialog.answer_bye()
    wait_until(lambda: len(heard(hooks, "/status")) == 4, 10, "four callbacks")
    statuses = [form["CallStatus"] for form in heard(hooks, "/status")]
    assert statuses == ["initiated", "ringing", "in-progress", "completed"]
    with pytest.raises(TwilioRestException) as refused:
        made.update(twiml="<Response/>")
    assert refused.value.code == 21220


def test_a_call_nobody_wants(place: Any, hooks: Hooks) -> None:
    _, client, a, _ = place
    made = client.calls.create(to=THEIRS, from_=OURS, url=hooks.url + "/voice")
    dialog = a.incoming()
    dialog.respond(dialog.invite, 486, "Busy Here")  # type: ignore[arg-type]
    wait_until(lambda: made.fetch().status == "busy", 5, "busy")
    made = client.calls.create(to=THEIRS, from_=OURS, url=hooks.url + "/voice")
    dialog = a.incoming()
    dialog.respond(dialog.invite, 180, "Ringing")  # type: ignore[arg-type]
    made.update(status="canceled")
    dialog.wait_for("CANCEL")
    assert made.fetch().status == "canceled"
    for given, code in (
        ({"to": THEIRS, "from_": OURS}, 21205),
        ({"to": THEIRS, "from_": "+15550001111", "url": hooks.url}, 21210),
        ({"to": "nobody", "from_": OURS, "url": hooks.url}, 21211),
        ({"to": "+88216123456", "from_": OURS, "url": hooks.url}, 21215),
        ({"to": "sip:x@10.1.2.3", "from_": OURS, "url": hooks.url}, 13254),
        ({"to": THEIRS, "from_": OURS, "twiml": "<Response><Dial timeout='x'/></Response>"}, 13212),
    ):
        with pytest.raises(TwilioRestException) as refused:
            client.calls.create(**given)
        assert refused.value.code == code


@pytest.mark.peer("espeak-ng")
def test_what_is_said_is_heard(place: Any, hooks: Hooks, talkers: tuple[Talker, Talker]) -> None:
    switch, client, _, _ = place
    a, _ = talkers
    configure(client, hooks, voice="<Say>Hello out there, this is a test.</Say><Message>bye</Message>")
    a.call(OURS)
    a.sound.receive(100, 3.0)
    packets = [data[12:] for data in a.sound.heard if data[1] & 0x7F == 0]
    samples = find("PCMU").decoder().decode(b"".join(packets))
    assert np.abs(samples.astype(int)).max() > 2000
    assert list((Path(switch.file).parent).rglob("speech/*.wav"))
    message = a.phone.expect("MESSAGE", 10)
    assert message.body == b"bye"
    a.dialog.answer_bye(10)


def speak(talker: Talker, pitch: int, seconds: float) -> None:
    """A tone, in real time."""
    samples = (8000 * np.sin(np.arange(int(8000 * seconds)) * 2 * np.pi * pitch / 8000)).astype(np.int16)
    data, sound, since = find("PCMU").encoder().encode(samples), talker.sound, clock()
    for at in range(0, len(data), 160):
        sound.sequence += 1
        sent = packet(sound.sequence, since + at, sound.ssrc, data[at : at + 160])
        sound.socket.sendto(sent, sound.remote)
        time.sleep(0.019)


def wav_of(url: str) -> tuple[int, float, int]:
    """Channels, seconds and pitch of a recording, fetched as programs do."""
    answer = requests.get(url + ".wav", auth=(SID, TOKEN), timeout=10)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    with wave.open(io.BytesIO(answer.content)) as reader:
        count, rate, channels = reader.getnframes(), reader.getframerate(), reader.getnchannels()
        samples = np.frombuffer(reader.readframes(count), "<i2")[::channels]
    middle = samples[len(samples) // 3 : len(samples) // 3 + 2000]
    return channels, count / rate, pitch_of(middle)


def test_a_voicemail_is_recorded_told_fetched_and_deleted(
    place: Any, hooks: Hooks, talkers: tuple[Talker, Talker]
) -> None:
    _, client, _, _ = place
    a, _ = talkers
    configure(
        client,
        hooks,
        voice="<Record action='/kept' playBeep='false' finishOnKey='#' recordingStatusCallback='/rec'/>",
        kept="<Hangup/>",
    )
    a.call(OURS)
    speak(a, 500, 1.2)
    a.press("#")
    a.dialog.answer_bye()
    [kept] = heard(hooks, "/kept")
    assert (kept["Digits"], kept["RecordingDuration"]) == ("#", "1")
    wait_until(lambda: heard(hooks, "/rec"), 5, "the callback")
    assert heard(hooks, "/rec")[0]["RecordingStatus"] == "completed"
    channels, seconds, pitch = wav_of(kept["RecordingUrl"])
    assert (channels, pitch) == (1, 500)
    assert 1.0 < seconds < 2.0
    [row] = client.recordings.list(call_sid=kept["CallSid"])
    assert (row.sid, row.source, row.status) == (kept["RecordingSid"], "RecordVerb", "completed")
    assert client.calls(kept["CallSid"]).recordings.list()[0].duration == "1"
    assert row.delete()
    assert not client.recordings.list()


def test_both_sides_of_a_dialled_call_are_recorded(
    place: Any, hooks: Hooks, talkers: tuple[Talker, Talker]
) -> None:
    _, client, _, _ = place
    a, b = talkers
    dial = "<Dial record='record-from-answer-dual' action='/done'><Client>1002</Client></Dial>"
    configure(client, hooks, voice=dial, done="<Hangup/>")
    a.call(OURS)
    b.take()
    time.sleep(0.2)
    live = client.calls.list(to=OURS, status="in-progress")[0]
    more = client.calls(live.sid).recordings.create()
    speak(a, 500, 1.0)
    assert client.calls(live.sid).recordings("Twilio.CURRENT").update(status="stopped").sid == more.sid
    b.dialog.bye()
    a.dialog.answer_bye()
    [done] = heard(hooks, "/done")
    wait_until(lambda: len(client.recordings.list()) == 2, 5, "both")
    wait_until(lambda: all(one.status == "completed" for one in client.recordings.list()), 5, "whole")
    channels, _, pitch = wav_of(done["RecordingUrl"])
    assert (channels, pitch) == (2, 500)
    assert {one.source for one in client.recordings.list()} == {"DialVerb", "StartCallRecordingAPI"}


def test_an_application_talks_over_a_stream(place: Any, hooks: Hooks, talkers: tuple[Talker, Talker]) -> None:
    """Keys and sound come; what is sent is heard, marked, and taken back by clear."""
    _, client, _, _ = place
    a, _ = talkers
    got: list[dict[str, Any]] = []
    tone = (
        find("PCMU")
        .encoder()
        .encode((8000 * np.sin(np.arange(8000 * 9) * 2 * np.pi * 700 / 8000)).astype(np.int16))
    )

    def application(socket: Any) -> None:
        for text in socket:
            message = json.loads(text)
            got.append(message)
            sid = message.get("streamSid", "")
            if message["event"] == "start":
                payload = base64.b64encode(tone).decode()
                for one in (
                    {"event": "media", "streamSid": sid, "media": {"payload": payload}},
                    {"event": "mark", "streamSid": sid, "mark": {"name": "sung"}},
                ):
                    socket.send(json.dumps(one))
            elif message["event"] == "dtmf":
                if message["dtmf"]["digit"] == "5":
                    socket.send(json.dumps({"event": "clear", "streamSid": sid}))
                else:
                    return

    with serve(application, "127.0.0.1", 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/talk"
        stream = f"<Stream url='{url}' statusCallback='/stream'><Parameter name='who' value='me'/></Stream>"
        configure(client, hooks, voice=f"<Connect action='/after'>{stream}</Connect>", after="<Hangup/>")
        a.call(OURS)
        assert a.hears(700)
        a.press("5")
        wait_until(lambda: [one for one in got if one["event"] == "mark"], 3, "the mark, at once")
        speak(a, 500, 0.4)
        a.press("7")
        a.dialog.answer_bye(10)
        server.shutdown()
    begin = next(one for one in got if one["event"] == "start")["start"]
    assert (begin["customParameters"], begin["tracks"]) == ({"who": "me"}, ["inbound"])
    media = [base64.b64decode(one["media"]["payload"]) for one in got if one["event"] == "media"]
    assert {len(one) for one in media} == {160}
    spoken = find("PCMU").decoder().decode(b"".join(media))
    assert 500 in {pitch_of(spoken[at : at + 800]) for at in range(0, len(spoken) - 800, 400)}
    numbers = [int(one["sequenceNumber"]) for one in got if "sequenceNumber" in one]
    assert numbers == list(range(1, len(numbers) + 1))
    assert heard(hooks, "/after")[0]["StreamSid"] == got[1]["streamSid"]
    wait_until(lambda: len(heard(hooks, "/stream")) == 2, 5, "both callbacks")
    assert [one["StreamEvent"] for one in heard(hooks, "/stream")] == ["stream-started", "stream-stopped"]
