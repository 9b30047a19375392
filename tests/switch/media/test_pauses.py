"""Pauses between converted legs: comfort noise (RFC 3389), silence that codecs describe, made noise."""

from __future__ import annotations

import numpy as np
import pytest

from switchroom.codecs import Decoder, Samples, describe_noise, find, level
from switchroom.protocols import sdp
from switchroom.switch.media._conversion import Converter
from switchroom.switch.media.recoding import recoded
from switchroom.switch.media.said import Said, agree, extended, parse, told
from switchroom.switch.media.stream import Conversion, Incoming
from switchroom.switch.media.transcoding import Plan

from .converting import Line, Sent, steps

NOISE_IN, NOISE_OUT, IN, OUT = 13, 13, 96, 97
LEVEL = 45
MONO = {"sample_rate": 8000, "channels": 1}


def rates_of(codec: str) -> int:
    return find(codec).format.clock_rate


class Pausing(Line):
    """A sender that has comfort noise, and a listener that has it or not."""

    def __init__(self, one: str, two: str, *, is_taken: bool, **settings: int) -> None:
        super().__init__(one, two)
        self.out = find(two).config(**settings)
        self.decoder = Decoder(self.out)
        incoming = (
            Incoming(IN, self.clock, self.config),
            Incoming(NOISE_IN, 8000, is_noise=True),
        )
        noise = (NOISE_OUT, 8000) if is_taken else None
        self.converter = Converter(Conversion(incoming, OUT, self.out, 20, None, noise))

    def noise(self, payload: bytes) -> list[Sent]:
        """A description of what the pause sounds like."""
        data = self.packet(payload, NOISE_IN)
        return [Sent.parse(one) for one in self.converter.convert(data, self.now)]

    def wait(self, seconds: float) -> list[Sent]:
        """The pause goes on, and so do the ticks."""
        made: list[Sent] = []
        for _ in range(round(seconds * 50)):
            self.now += 0.02
            self.timestamp += self.clock // 50
            made += [Sent.parse(one) for one in self.converter.tick(self.now)]
        return made


def test_a_leg_that_has_comfort_noise_gets_it_with_its_level_and_place() -> None:
    line = Pausing("PCMU", "PCMA", is_taken=True)
    before = line.talk(10)
    payload = bytes((LEVEL, 130, 120))
    [noise] = line.noise(payload)
    assert (noise.payload_type, noise.payload, noise.is_marked) == (NOISE_OUT, payload, False)
    assert (noise.timestamp - before[-1].timestamp) & 0xFFFFFFFF == 160
    assert line.wait(1.0) == []
    [again] = line.noise(bytes((LEVEL + 5,)))
    assert (again.timestamp - noise.timestamp) & 0xFFFFFFFF == 8000
    line.wait(0.5)
    after = line.talk(5)
    assert after[0].is_marked
    assert (after[0].timestamp - again.timestamp) & 0xFFFFFFFF == 4000
    assert steps([*before, noise, again, *after])[0] == {1}


def test_another_rate_keeps_the_level_only() -> None:
    converter = Converter(
        Conversion(
            (Incoming(13, 8000, is_noise=True),), OUT, find("L16/16000").config(), 20, None, (99, 16000)
        )
    )
    line = Line("PCMU", "PCMA")
    [noise] = converter.convert(line.packet(bytes((LEVEL, 1, 2, 3)), 13), 1.0)
    assert Sent.parse(noise).payload == bytes((LEVEL,))


@pytest.mark.parametrize("two", ["PCMA", "G722", "L16/16000", "GSM"])
def test_a_leg_without_it_hears_noise_of_that_level(two: str) -> None:
    line = Pausing("PCMU", two, is_taken=False)
    sent = line.talk(10)
    assert line.noise(bytes((LEVEL,))) == []
    made = line.wait(2.0)
    assert len(made) == 100
    sent += made + line.talk(10)
    numbers, times = steps(sent)
    assert numbers == {1}
    assert times == {line.out.clock_rate // 50}
    assert sum(one.is_marked for one in sent) == 1  # the first of all: for who listens there was no pause
    heard = line.heard(sent).astype(np.int16)
    rate = line.out.sample_rate
    assert abs(level(heard[rate // 2 : 2 * rate]) - LEVEL) <= 2
    assert level(heard[: rate // 10]) < 20
    assert level(heard[-rate // 10 :]) < 20


def test_a_second_description_changes_the_level_and_not_the_time() -> None:
    line = Pausing("PCMU", "L16/8000", is_taken=False)
    sent = line.talk(5)
    line.noise(bytes((LEVEL,)))
    sent += line.wait(1.0)
    assert line.noise(bytes((LEVEL + 20,))) == []
    sent += line.wait(1.0)
    heard = line.heard(sent[-40:]).astype(np.int16)
    assert abs(level(heard) - LEVEL - 20) <= 2
    assert steps(sent) == ({1}, {160})


@pytest.mark.parametrize("late_ms", [-30, 0, 30])
def test_jitter_at_the_end_of_pauses_does_not_add_up(late_ms: int) -> None:
    """What comes early or late after each of many pauses leaves as a stream of one clock."""
    line = Pausing("PCMU", "PCMA", is_taken=False)
    sent = line.talk(5)
    for _ in range(20):
        line.noise(bytes((LEVEL,)))
        sent += line.wait(0.4)
        line.timestamp += 8 * late_ms
        sent += line.talk(5)
        line.now += late_ms / 1000
    assert steps(sent) == ({1}, {160})
    spoken = (20 * 25 + 5) * 20 + 20 * late_ms
    assert abs(len(sent) * 20 - spoken) <= 60


def test_noise_lost_is_a_pause_as_ever() -> None:
    line = Pausing("PCMU", "PCMA", is_taken=False)
    before = line.talk(5)
    assert line.wait(1.0) == []
    [after] = line.take(line.speak())
    assert after.is_marked
    assert (after.timestamp - before[-1].timestamp) & 0xFFFFFFFF == 160 + 8000


@pytest.mark.parametrize(
    ("two", "settings", "height", "described"),
    [("G729", {"annexb": 1}, LEVEL, {2, 12}), ("opus", {**MONO, "dtx": 1}, 60, {1, 2})],
)
def test_a_codec_with_pauses_of_its_own_makes_them(
    two: str, settings: dict[str, int], height: int, described: set[int]
) -> None:
    if not find(two).is_offered:
        pytest.skip(f"the library of {two} is not installed")
    line = Pausing("PCMU", two, is_taken=False, **settings)
    line.talk(20)
    line.noise(bytes((height,)))
    made = line.wait(3.0)
    sizes = {len(one.payload) for one in made}
    assert len(made) < 75
    assert sizes & described  # a description of silence, alone or behind the last speech


def speech(seconds: float, rate: int, height: int) -> Samples:
    return np.random.default_rng(1).normal(0, height, int(seconds * rate)).astype(np.int16)


@pytest.mark.parametrize(
    ("one", "settings", "quiet"),
    [("G729", {"annexb": 1}, 100), ("AMR", {"dtx": 1}, 100), ("opus", {**MONO, "dtx": 1}, 30)],
)
@pytest.mark.parametrize("is_taken", [True, False])
def test_silence_that_a_codec_describes_is_told_or_heard(
    one: str, settings: dict[str, int], quiet: int, is_taken: bool
) -> None:
    if not find(one).is_offered:
        pytest.skip(f"the library of {one} is not installed")
    codec, noise = find(one), (13, 8000) if is_taken else None
    encoder, out, clock = codec.encoder(**settings), find("L16/8000").config(), rates_of(one)
    config = codec.config(**MONO) if one == "opus" else codec.config()
    converter = Converter(Conversion((Incoming(IN, clock, config),), OUT, out, 20, None, noise))
    line = Line("PCMU", "PCMA")
    sound = np.concatenate((speech(1, 8000, 6000), speech(4, 8000, quiet)))
    sent: list[Sent] = []
    packets = 0
    for at in range(0, len(sound), 160):
        payload = encoder.encode(sound[at : at + 160].copy())
        if payload:
            packets += 1
            sent += [Sent.parse(data) for data in converter.convert(line.packet(payload), line.now)]
        line.now += 0.02
        line.timestamp += clock // 50
        sent += [Sent.parse(data) for data in converter.tick(line.now)]
    assert packets < 200  # there are pauses
    sounds = [one for one in sent if one.payload_type == OUT]
    told = [one for one in sent if one.payload_type == 13]
    if is_taken:
        assert told
        assert len(sounds) < 200
        assert abs(told[-1].payload[0] - level(sound[-8000:])) <= 4
    else:
        heard = np.frombuffer(b"".join(one.payload for one in sounds[-50:]), ">i2").astype(np.int16)
        assert not told
        assert abs(len(sounds) - 250) <= 4
        assert abs(level(heard) - level(sound[-8000:])) <= 4


# -- what is agreed on


def offer(formats: str, *lines: str) -> Said:
    text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    text += f"m=audio 4000 RTP/AVP {formats}\r\n"
    return parse((text + "".join(f"a={line}\r\n" for line in lines)).encode())


def agreed(
    offered: str,
    answered: str,
    allowed: tuple[str, ...] = (),
    converted: tuple[str, ...] = ("PCMU", "PCMA", "G722"),
) -> tuple[sdp.Media, Plan | None, sdp.Media]:
    """What the second leg is offered, how it is converted, and what the first is told."""
    from switchroom.switch.media.negotiate import Line as Port

    one, two = offer(offered), offer(answered)
    sent = extended(one, allowed, converted)
    result = agree(one, sent, [Port(4000)], two, converted)
    [plan] = result.plans
    return sent.description.media[0], plan, told(two, result).description.media[0]


def noise_of(conversion: Conversion) -> tuple[list[int], tuple[int, int] | None]:
    return [one.payload_type for one in conversion.incoming if one.is_noise], conversion.noise


def test_both_legs_have_it() -> None:
    sent, plan, answer = agreed("9 13", "8 13")
    assert "13" in sent.formats
    assert plan is not None
    assert noise_of(plan.offerer.conversion) == ([13], (13, 8000))
    assert noise_of(plan.answerer.conversion) == ([13], (13, 8000))
    assert answer.formats == ("9", "13")


def test_who_offers_it_may_send_it_to_a_leg_without() -> None:
    _, plan, answer = agreed("9 13", "8")
    assert plan is not None
    assert noise_of(plan.offerer.conversion) == ([13], None)
    assert noise_of(plan.answerer.conversion) == ([], (13, 8000))
    assert answer.formats == ("9", "13")


def test_a_leg_whose_codecs_name_it_is_offered_it() -> None:
    sent, plan, answer = agreed("9", "8 13", ("PCMA", "CN"))
    assert sent.formats == ("8", "13")
    assert plan is not None
    assert noise_of(plan.answerer.conversion) == ([13], None)
    assert answer.formats == ("9",)


def test_a_leg_whose_codecs_do_not_name_it_is_not_offered_it() -> None:
    sent, plan, answer = agreed("9 13", "8", ("PCMA",))
    assert sent.formats == ("8",)
    assert answer.formats == ("9", "13")
    assert plan is not None


def test_the_number_stays_when_its_codec_goes() -> None:
    sent, _, _ = agreed("9 13", "8 13", ("PCMA", "CN"))
    assert sent.formats == ("8", "13")


def test_comfort_noise_alone_is_no_sound() -> None:
    assert not sdp.keep_codecs(offer("0 13").description.media[0], ("CN",)).port


def test_what_passes_but_for_comfort_noise_is_converted_for_that() -> None:
    sent, plan, answer = agreed("8", "8 13", ("PCMA", "CN"))
    assert sent.formats == ("8", "13")
    assert plan is not None
    assert answer.formats == ("8",)
    back = plan.answerer.conversion
    assert noise_of(back) == ([13], None)
    assert [one.copied_as for one in back.incoming if not one.is_noise] == [8]


@pytest.mark.parametrize(("answered", "is_relayed"), [("8 13", True), ("8", False)])
def test_the_two_forms_of_g711_are_relayed_where_both_have_it(answered: str, is_relayed: bool) -> None:
    _, plan, _ = agreed("0 13", answered)
    assert plan is not None
    ways = recoded(plan.offerer.conversion, plan.answerer.conversion)
    assert (None not in ways) == is_relayed
    if ways[0] is not None:
        assert (13, 13, False) in ways[0].types


def test_the_same_on_both_legs_passes() -> None:
    _, plan, _ = agreed("8 13", "8 13")
    assert plan is None


def test_its_level_is_described_as_it_is_read() -> None:
    assert abs(describe_noise(speech(1, 8000, 200))[0] - level(speech(1, 8000, 200))) <= 1
