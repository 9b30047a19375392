"""What programs do with sound: recordings, conferences, the built-in ones, calls that are passed on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from switchroom.codecs import find
from switchroom.codecs.files import read_opus, read_wav, wav_header
from switchroom.protocols import sip
from switchroom.switch.calls.script import Apps, Call, NotAnswered, Silence, Tone
from switchroom.switch.calls.script.conference import ConferenceEvent, Member
from switchroom.switch.config import SoundConfig
from switchroom.switch.media.recorder import Recorded
from tests.codecs.sounds import tone
from tests.switch.calls.world import World

from .handset import Handset, pitches, run, until, until_quiet

Phones = Callable[..., Handset]


@pytest.mark.parametrize("end", ["#", "hangup", "silence", "length"])
def test_what_the_caller_says_is_recorded(
    world: World, apps: Apps, handset: Phones, tmp_path: Path, end: str
) -> None:
    a, got = handset(), list[Recorded]()

    async def menu(call: Call) -> None:
        await call.answer()
        length = 0.5 if end == "length" else None
        got.append(await call.record(tmp_path / "said.wav", silence=0.6, max_length=length))

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await until(lambda: len(a.parts) > 15)  # the beep
        await a.say(tone(500, 8000, 0.7))
        if end == "#":
            await a.press("#")
        elif end == "hangup":
            a.hang_up()
        await until(lambda: got)

    run(world, story())
    expected = {"#": "key", "hangup": "hangup", "silence": "silence", "length": "max-length"}[end]
    assert got[0].reason == expected
    samples, rate = read_wav((tmp_path / "said.wav").read_bytes())
    assert rate == 8000
    assert pitches(samples, rate) == [500]
    assert len(samples) / rate == pytest.approx(got[0].seconds, abs=0.01)
    if end == "length":
        assert got[0].seconds == 0.5
    assert 990 < max(pitches(a.sound, 8000)) < 1010  # the beep


@pytest.mark.parametrize("kind", ["wav", "ogg"])
def test_both_sides_are_recorded_apart_and_paused(
    world: World, apps: Apps, handset: Phones, tmp_path: Path, kind: str
) -> None:
    if kind == "ogg" and not find("opus").is_offered:
        pytest.skip("libopus is not installed")
    a, got = handset(), list[Recorded]()
    path = tmp_path / "deep" / f"both.{kind}"

    async def menu(call: Call) -> None:
        await call.answer()
        recording = call.start_recording(path)
        await call.play(Tone((900.0,), 0.6))
        recording.pause()
        await asyncio.sleep(0.3)
        await call.play(Tone((1500.0,), 0.5))
        await asyncio.sleep(0.3)
        recording.resume()
        await call.play(Tone((2000.0,), 0.4))
        recording.stop()
        got.append(await recording.ended)

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await a.say(tone(400, 8000, 2.0))
        await until(lambda: a.is_over)

    run(world, story())
    data = path.read_bytes()
    if kind == "wav":
        assert wav_header(data).channels == 2
        both = np.frombuffer(data[44:], dtype="<i2").reshape(-1, 2)
        assert pitches(both[:, 0], 8000) == [400]
        assert pitches(both[:, 1], 8000) == [900, 2000]
    else:
        mixed, rate = read_opus(data)
        spectrum = np.abs(np.fft.rfft(mixed.astype(float)))
        at = np.fft.rfftfreq(len(mixed), 1 / rate)
        loud = {f: spectrum[np.abs(at - f) < 20].max() for f in (400, 900, 1500, 2000)}
        assert loud[1500] < 0.05 * min(loud[400], loud[900], loud[2000])
        assert len(mixed) / rate == pytest.approx(got[0].seconds, abs=0.05)


def test_a_full_disk_ends_the_recording_and_not_the_call(
    world: World, apps: Apps, handset: Phones, tmp_path: Path
) -> None:
    a, got = handset(), list[Recorded]()

    async def menu(call: Call) -> None:
        await call.answer()
        recording = call.start_recording("/dev/full")
        got.append(await asyncio.shield(recording.ended))
        await call.play(Tone((700.0,), 0.3))

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await until(lambda: a.is_over, 8)

    run(world, story())
    assert got[0].reason == "disk-full"
    assert pitches(a.sound, 8000) == [700]
    assert "recording.ended" in [event for event, _ in world.log.lines]


def test_a_call_of_a_recorded_user_between_two_phones(
    world: World, apps: Apps, handset: Phones, tmp_path: Path
) -> None:
    """The relay passes the packets as they are; copies of them are recorded."""
    a, b = handset(), handset("127.0.0.3", "carol")

    async def story() -> None:
        a.call("201")
        await b.rings()
        b.answer()
        await a.answered()
        await asyncio.gather(a.say(tone(500, 8000, 0.8)), b.say(tone(900, 8000, 0.8)))
        a.hang_up()
        await until(lambda: not apps.house.recorder.count)

    run(world, story())
    [path] = (tmp_path / "recordings").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    both = np.frombuffer(path.read_bytes()[44:], dtype="<i2").reshape(-1, 2)
    assert pitches(both[:, 0], 8000) == [500]
    assert pitches(both[:, 1], 8000) == [900]
    assert pitches(a.sound, 8000) == [900]


@pytest.mark.parametrize("ends_first", ["call", "listener"])
def test_somebody_hears_both_sides_of_a_call_between_two_phones(
    world: World, apps: Apps, handset: Phones, ends_first: str
) -> None:
    """What passes is not touched: he is not heard, and the call goes on without him."""
    a, b, c = handset(), handset("127.0.0.3", "carol"), handset(port=5080, payload_type=9)
    outcome = list[str]()

    async def listen(call: Call) -> None:
        await call.answer()
        [other] = [one for one in apps.house.exchange.calls if one != call.id]
        try:
            await apps.overhear(call, other)
            outcome.append("over")
        finally:
            outcome.append("left")

    apps.on_call("799")(listen)

    async def story() -> None:
        a.call("201")
        await b.rings()
        b.answer()
        await a.answered()
        c.call("799")
        await c.answered()
        await asyncio.sleep(0.2)
        await asyncio.gather(
            a.say(tone(500, 8000, 1.0)), b.say(tone(900, 8000, 1.0)), c.say(tone(700, 16000, 1.0))
        )
        await asyncio.sleep(0.2)
        if ends_first == "listener":
            c.hang_up()
            await until(lambda: outcome)
            b.parts.clear()
            await a.say(tone(600, 8000, 0.4))
        a.hang_up()
        await until(lambda: outcome)

    run(world, story())
    heard = np.asarray(c.sound, float)
    power = np.abs(np.fft.rfft(heard * np.hanning(len(heard)))) ** 2
    at = np.fft.rfftfreq(len(heard), 1 / 16000)
    loud = {f: power[np.abs(at - f) < 20].sum() for f in (500, 700, 900)}
    assert min(loud[500], loud[900]) > 100 * loud[700]
    assert pitches(a.sound, 8000) == [900]
    assert pitches(b.sound, 8000) == ([600] if ends_first == "listener" else [500])
    assert outcome == ["over", "left"]
    assert not apps.house.media.sounds.count


def test_what_is_no_call_of_two_phones_cannot_be_overheard(world: World, apps: Apps, handset: Phones) -> None:
    a, refused = handset(), list[str]()

    async def listen(call: Call) -> None:
        await call.answer()
        for other in ("nothing", call.id):
            try:
                await apps.overhear(call, other)
            except LookupError as error:
                refused.append(str(error))

    apps.on_call("799")(listen)

    async def story() -> None:
        a.call("799")
        await until(lambda: len(refused) == 2)

    run(world, story())
    assert refused == ["no call nothing", "the call is not up"]


def test_three_in_a_conference_hear_each_other_and_not_themselves(
    world: World, apps: Apps, handset: Phones
) -> None:
    phones = [handset(), handset(port=5070, payload_type=9), handset(port=5080, payload_type=8)]
    events = list[ConferenceEvent]()
    apps.house.conferences.on_event.append(events.append)

    async def story() -> None:
        for phone in phones:
            phone.call("702")
            await phone.answered()
        await until(lambda: [event.kind for event in events].count("joined") == 3)
        await until_quiet(*phones)  # the tones of entry
        for phone in phones:
            phone.parts.clear()
        frequencies = (500, 900, 1400)
        for i, (phone, frequency) in enumerate(zip(phones, frequencies, strict=True)):
            await phone.say(tone(frequency, phone.rate, 0.7))
            await until(lambda n=i: [event.kind for event in events].count("speaker") > n)
            await until_quiet(*phones)
        assert world.media.session_count == 3
        conference = apps.house.conferences.get("sales")
        assert conference is not None
        assert len(conference.members) == 3
        conference.members[0].mute()
        for phone in phones:
            phone.parts.clear()
        await phones[0].say(tone(700, 8000, 0.5))
        assert pitches(phones[1].sound, 16000) == []
        conference.end()
        await until(lambda: all(phone.is_over for phone in phones))

    heard: list[list[int]] = []

    async def whole() -> None:
        nonlocal heard
        task = asyncio.ensure_future(story())
        await asyncio.sleep(0)
        await task

    run(world, whole(), 30)
    assert apps.house.conferences.get("sales") is None
    kinds = [event.kind for event in events]
    assert kinds.count("joined") == kinds.count("left") == 3
    assert kinds.count("speaker") >= 3
    assert kinds[-1] == "ended"


def test_what_each_hears_in_a_conference(world: World, apps: Apps, handset: Phones) -> None:
    phones = [handset(), handset(port=5070, payload_type=9), handset(port=5080, payload_type=8)]
    members = list[Member]()

    async def menu(call: Call) -> None:
        await call.answer()
        await call.conference("room", is_quiet=True, on_join=members.append)

    apps.add("menu", menu)

    async def talk(expected: dict[int, list[int]]) -> None:
        for phone in phones:
            phone.parts.clear()
        for phone, frequency in zip(phones, (500, 900, 1400), strict=True):
            await phone.say(tone(frequency, phone.rate, 0.7))
            await phone.say(np.zeros(phone.rate, np.int16)[: phone.rate * 6 // 10])
        await until_quiet(*phones)
        for i, pitches_heard in expected.items():
            assert pitches(phones[i].sound, phones[i].rate) == pitches_heard, i

    async def story() -> None:
        for phone in phones:
            phone.call("700")
            await phone.answered()
        await until(lambda: len(members) == 3)
        await talk({0: [900, 1400], 1: [500, 1400], 2: [500, 900]})
        members[2].coach(members[0])
        await talk({0: [900, 1400], 1: [500], 2: [500, 900]})
        members[2].coach(None)
        members[1].hold()
        await talk({0: [1400], 1: [], 2: [500]})

    run(world, story(), 40)


def test_who_is_alone_hears_music_until_somebody_comes(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset(port=5070)
    sound = SoundConfig(hold_music=["tone:700:1"], conference_music=True, conference_tones=False)
    apps.house.reconfigure(sound, apps.house.voicemail.config)

    async def hears_music() -> None:
        a.parts.clear()
        await until(lambda: pitches(a.sound[-3200:], 8000) == [700] and len(a.parts) > 20)

    async def story() -> None:
        a.call("702")
        await a.answered()
        await hears_music()
        b.call("702")
        await b.answered()
        await until_quiet(a)
        b.hang_up()
        await hears_music()
        a.hang_up()
        await until(lambda: not apps.house.conferences.rooms)

    run(world, story())


@pytest.mark.skipif(not find("opus").is_offered, reason="libopus is not installed")
def test_each_member_hears_as_much_of_the_others_as_its_codec_has(
    world: World, apps: Apps, handset: Phones
) -> None:
    phones = [handset(payload_type=96), handset(port=5070, payload_type=96), handset(port=5080)]

    apps.house.reconfigure(SoundConfig(conference_tones=False), apps.house.voicemail.config)

    async def said(pitch: int) -> list[bool]:
        for phone in phones:
            phone.parts.clear()
        await phones[0].say(tone(pitch, 48000, 0.5))
        await phones[0].say(np.zeros(9600, np.int16))  # an end that nothing has to be made up for
        await until_quiet(*phones)
        return [hears(phone, pitch) for phone in phones[1:]]

    async def story() -> None:
        for phone in phones:
            phone.call("702")
            await phone.answered()
        await until(lambda: len(apps.house.conferences.rooms["sales"].members) == 3)
        assert await said(1000) == [True, True]
        loudness = energy(phones[2])
        assert await said(10_000) == [True, False]
        assert energy(phones[2]) < loudness / 5  # it is silent but for what Opus makes up for late packets
        for phone in phones:
            phone.hang_up()

    run(world, story())


def energy(phone: Handset) -> float:
    """Of all it has heard."""
    return float(np.sum(phone.sound.astype(float) ** 2))


def hears(phone: Handset, pitch: int) -> bool:
    """Whether that is the strongest of all it has heard; Opus is not exact, least of all at the end."""
    sound = phone.sound.astype(float)
    strongest = np.abs(np.fft.rfft(sound)).argmax() * phone.rate / len(sound)
    return sound.max() > 1000 and abs(strongest - pitch) <= 40


def test_echo_and_milliwatt(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset(port=5070)

    async def story() -> None:
        a.call("703")
        await a.answered()
        await asyncio.sleep(0.3)
        await a.say(tone(800, 8000, 0.6))
        await asyncio.sleep(0.1)
        a.hang_up()
        b.call("704")
        await b.answered()
        await until(lambda: len(b.parts) > 40)
        b.hang_up()

    run(world, story())
    assert pitches(a.sound, 8000) == [440, 800]
    sound = b.sound[1600:8000].astype(float)
    rms = np.sqrt(np.mean(sound**2))
    assert 20 * np.log10(rms / (32767 / np.sqrt(2))) == pytest.approx(-3.14, abs=0.1)  # 0 dBm0


def test_a_caller_is_passed_on_and_the_program_is_out(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")
    tries = list[int]()

    async def menu(call: Call) -> None:
        await call.answer()
        for _ in range(2):
            try:
                await call.transfer("200")
            except NotAnswered as error:
                tries.append(error.status)
                await call.play(Silence(0.1))

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await b.rings()
        b.session.reject(486, world.now)
        world.settle()
        await b.rings()
        b.answer()
        await until(lambda: a.phone.has(sip.ReinviteReceived))
        event = a.phone.take(sip.ReinviteReceived)
        a.obey(event.request.body)
        a.session.answer_reinvite(event.transaction, 200, world.now, body=a.sdp)
        world.settle()
        await until(lambda: not apps.calls)
        await asyncio.gather(a.say(tone(500, 8000, 0.5)), b.say(tone(900, 8000, 0.5)))
        a.hang_up()
        assert b.is_over

    run(world, story())
    assert tries == [486]
    assert pitches(b.sound, 8000) == [500]
    assert pitches(a.sound, 8000) == [900]
    assert not world.exchange.calls


def test_a_conference_is_recorded_and_its_members_are_told_what_becomes_of_them(
    world: World, apps: Apps, handset: Phones, tmp_path: Path
) -> None:
    phones = [handset(), handset(port=5070), handset(port=5080)]
    members, kinds, done = list[Member](), list[str](), list[Recorded]()
    apps.house.conferences.on_event.append(lambda event: kinds.append(event.kind))
    apps.house.music.reconfigure(["tone:2000:1"])

    async def menu(call: Call) -> None:
        await call.answer()
        await call.conference("room", is_quiet=True, on_join=members.append)

    apps.add("menu", menu)

    async def heard_of(speaker: int, frequency: int) -> list[list[int]]:
        for phone in phones:
            phone.parts.clear()
        await phones[speaker].say(tone(frequency, 8000, 0.5))
        await asyncio.sleep(0.15)  # it is heard to its end
        return [pitches(phone.sound, 8000) for phone in phones]

    def loudness(phone: Handset) -> float:
        return float(np.abs(phone.sound[2000:3200].astype(float)).max())

    async def story() -> None:
        for phone in phones:
            phone.call("700")
            await phone.answered()
        await until(lambda: len(members) == 3)
        recording = members[0].conference.start_recording(tmp_path / "room.wav")
        with pytest.raises(OSError, match="recorded already"):
            members[0].conference.start_recording()
        assert await heard_of(0, 500) == [[], [500], [500]]
        before = loudness(phones[1])
        members[0].boost(-12.0)
        members[2].gain(-6.0)
        assert await heard_of(0, 500) == [[], [500], [500]]
        assert before / loudness(phones[1]) == pytest.approx(4, rel=0.05)
        assert loudness(phones[1]) / loudness(phones[2]) == pytest.approx(2, rel=0.05)
        members[0].boost(0)
        members[1].hold()
        assert await heard_of(0, 700) == [[], [2000], [700]]
        members[1].hold(False)
        with pytest.raises(ValueError, match="another member"):
            members[0].coach(members[0])
        members[0].coach(members[1])
        await asyncio.sleep(0.1)
        assert await heard_of(0, 900) == [[], [900], []]
        phones[1].hang_up()
        await until(lambda: len(members[0].conference.members) == 2)
        assert members[0].is_muted  # what was for one alone nobody else hears by mistake
        assert (await heard_of(0, 1100))[2] == []
        members[0].mute(False)
        assert (await heard_of(0, 1300))[2] == [1300]
        members[0].conference.end()
        done.append(await asyncio.wait_for(asyncio.shield(recording.ended), 5))

    run(world, story(), 30)
    assert done[0].reason == "ended"
    samples, rate = read_wav((tmp_path / "room.wav").read_bytes())
    assert pitches(samples, rate) == [500, 700, 1300]
    for kind in ("held", "unheld", "coaching", "muted", "unmuted", "speaker"):
        assert kind in kinds
