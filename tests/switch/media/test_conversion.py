"""A converter makes packets of one codec into those of another: sound, numbers, times, gaps, events."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
import pytest

from switchroom.codecs import Decoder, DtmfDetector, find
from switchroom.switch.media._conversion import Converter
from switchroom.switch.media.stream import Conversion, Incoming

from .converting import EVENT_IN, EVENT_OUT, IN, OUT, Line, Sent, share_of_tone, steps

PAIRS = [("PCMU", "PCMA"), ("PCMA", "G722"), ("G722", "PCMU"), ("PCMU", "L16/16000"), ("GSM", "G726-32")]
OPUS = pytest.mark.skipif(not find("opus").is_offered, reason="libopus is not installed")


@pytest.mark.parametrize("packet_times", [(20, 20), (10, 60), (60, 10), (30, 20), (20, 50)])
@pytest.mark.parametrize("pair", [*PAIRS[:4], pytest.param(("opus", "PCMA"), marks=OPUS)])
def test_the_tone_goes_through_at_its_level(pair: tuple[str, str], packet_times: tuple[int, int]) -> None:
    one, two = packet_times
    if pair[0] == "opus" and one == 30:
        pytest.skip("no packet of Opus lasts 30 ms")
    line = Line(*pair, one, two, sample_rate=8000, channels=1)
    sent = line.talk(2000 // one)
    heard = line.heard(sent)
    rate = line.out.sample_rate
    last = heard[-rate:]
    assert share_of_tone(last, rate) > 0.99
    level = 20 * np.log10(np.sqrt(np.mean(last**2)) / (12000 / np.sqrt(2)))
    assert abs(level) < (1.5 if pair[0] == "opus" else 0.5)
    clock = line.out.clock_rate
    assert steps(sent) == ({1}, {clock * two // 1000})
    assert {one.ssrc for one in sent} == {sent[0].ssrc} != {line.ssrc}
    assert {one.payload_type for one in sent} == {OUT}
    assert [one.is_marked for one in sent] == [True] + [False] * (len(sent) - 1)
    assert len(sent) == 2000 // one * one // two


@pytest.mark.parametrize("pair", PAIRS)
def test_what_is_lost_is_concealed(pair: tuple[str, str]) -> None:
    line = Line(*pair)
    sent = line.talk(50)
    line.skip()
    made = line.take(line.speak())
    assert len(made) == 2
    sent += made + line.talk(50)
    assert steps(sent)[0] == {1}
    assert len(steps(sent)[1]) == 1
    assert share_of_tone(line.heard(sent), line.out.sample_rate) > 0.95


def test_a_long_loss_moves_the_time_on() -> None:
    line = Line("PCMU", "PCMA")
    before = line.talk(10)
    for _ in range(25):
        line.skip()
    made = line.take(line.speak())
    assert (made[-1].timestamp - before[-1].timestamp) & 0xFFFFFFFF == 26 * 160
    assert any(one.is_marked for one in made)
    assert len(made) < 8  # the end of it is nobody's sound


def test_a_pause_stays_a_pause() -> None:
    line = Line("PCMU", "G722")
    before = line.talk(10)
    line.timestamp += 8000
    line.now += 1.0
    (after,) = line.take(line.speak())
    assert after.is_marked
    assert (after.timestamp - before[-1].timestamp) & 0xFFFFFFFF == 160 + 8000
    assert (after.sequence_number - before[-1].sequence_number) & 0xFFFF == 1


def test_half_a_packet_before_a_pause_is_filled_up() -> None:
    line = Line("PCMU", "PCMA", 30, 20)
    first = line.take(line.speak())
    line.timestamp += 4000
    sent = first + line.take(line.speak())
    assert len(sent) == 3  # 20 ms, 10 ms and silence, 20 of the next 30
    assert [one.is_marked for one in sent] == [True, False, True]
    assert (sent[2].timestamp - sent[0].timestamp) & 0xFFFFFFFF == 240 + 4000


def test_late_and_double_packets_are_left_out() -> None:
    line = Line("PCMU", "PCMA")
    line.talk(3)
    late, next_one = line.speak(), line.speak()
    assert len(line.take(next_one)) == 2  # the late one is concealed
    assert line.take(late) == []
    assert line.take(next_one) == []
    assert len(line.take(line.speak())) == 1


@pytest.mark.parametrize("change", ["source", "clock", "numbers"])
def test_a_careless_sender_is_made_continuous(change: str) -> None:
    """Another SSRC, other time stamps, other numbers: what goes out moves on by the time that has passed."""
    line = Line("PCMU", "PCMA")
    sent = line.talk(10)
    if change != "clock":
        line.number += 20000
    if change != "numbers":
        line.timestamp += 2**31
    if change == "source":
        line.ssrc += 1
    after = line.talk(10)
    assert after[0].is_marked == (change != "numbers")
    assert steps(sent + after)[0] == {1}
    assert all(step % 160 == 0 and step <= 480 for step in steps(sent + after)[1])
    assert {one.ssrc for one in sent + after} == {sent[0].ssrc}


def test_a_hundred_thousand_packets_roll_over_every_number() -> None:
    line = Line("PCMU", "PCMA")
    packet = line.speak()
    first = line.take(packet)[0]
    for step in range(1, 70_000):
        head = struct.pack(
            "!BBHII", 0x80, IN, (65500 + step) & 0xFFFF, (2**32 - 4000 + 160 * step) & 0xFFFFFFFF, 7
        )
        (made,) = line.converter.convert(head + packet[12:], 100 + step / 50)
    last = Sent.parse(made)
    assert (last.sequence_number - first.sequence_number) & 0xFFFF == 69_999 & 0xFFFF
    assert (last.timestamp - first.timestamp) & 0xFFFFFFFF == 160 * 69_999


def event(line: Line, duration: int, *, is_end: bool = False) -> bytes:
    return struct.pack("!BBH", 5, is_end << 7 | 10, duration)


@pytest.mark.parametrize(
    ("one", "two"),
    [("PCMU", "PCMA"), ("PCMU", "L16/48000"), ("L16/48000", "PCMU"), ("L16/48000", "L16/48000")],
)
def test_an_event_keeps_its_place_and_length(one: str, two: str) -> None:
    """A key of 80 ms in the middle of speech, with the clock of the other codec; RFC 4733 §2.3, §2.5."""
    line = Line(one, two)
    step, made_step = line.clock // 50, find(two).format.clock_rate // 50
    before = line.talk(10)
    made: list[Sent] = []
    for i in range(1, 5):
        made += line.take(line.packet(event(line, step * i), EVENT_IN, is_marked=i == 1))
    for _ in range(3):
        made += line.take(line.packet(event(line, step * 4, is_end=True), EVENT_IN))
    line.timestamp += step * 4
    after = line.talk(3)
    assert [one.payload_type for one in made] == [EVENT_OUT] * 7
    assert [one.is_marked for one in made] == [True] + [False] * 6
    assert {(one.timestamp - before[-1].timestamp) & 0xFFFFFFFF for one in made} == {made_step}
    durations = [struct.unpack("!BBH", one.payload) for one in made]
    assert [duration for _, _, duration in durations] == [made_step * n for n in (1, 2, 3, 4, 4, 4, 4)]
    assert [flags >> 7 for _, flags, _ in durations] == [0, 0, 0, 0, 1, 1, 1]
    assert (after[0].timestamp - made[0].timestamp) & 0xFFFFFFFF == 4 * made_step
    assert steps(before + made + after)[0] == {1}


def test_two_events_have_two_times() -> None:
    line = Line("PCMU", "PCMA")
    line.talk(5)
    (first,) = line.take(line.packet(event(line, 800, is_end=True), EVENT_IN))
    line.timestamp += 1600
    (second,) = line.take(line.packet(event(line, 800, is_end=True), EVENT_IN))
    assert (second.timestamp - first.timestamp) & 0xFFFFFFFF == 1600


def dialled(digits: str, rate: int, down_ms: int = 80, pause_ms: int = 80) -> npt.NDArray[np.int16]:
    """Keys as a telephone sounds them; ITU-T Q.23."""
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
    at = np.arange(rate * down_ms // 1000) / rate
    parts = [np.zeros(rate // 5)]
    for digit in digits:
        place = "123A456B789C*0#D".index(digit)
        parts.append(
            5000 * sum(np.sin(2 * np.pi * hertz * at) for hertz in (rows[place // 4], columns[place % 4]))
        )
        parts.append(np.zeros(rate * pause_ms // 1000))
    return np.concatenate([*parts, np.zeros(rate // 5)]).astype(np.int16)


DIGITS = "0123456789*#ABCD"


@pytest.mark.parametrize("two", ["PCMA", "L16/16000"])
def test_keys_are_heard_where_there_is_no_telephone_event(two: str) -> None:
    config = find(two).config()
    converter = Converter(
        Conversion(
            (Incoming(0, 8000, find("PCMU").config()), Incoming(101, 8000, is_event=True)), 97, config, 20
        )
    )
    silence, number, timestamp, packets = b"\xff" * 160, 0, 0, []
    for digit in DIGITS:
        for i in range(12):  # 80 ms of a key, its end three times, and a pause
            if i < 4 or 4 <= i < 7:
                payload = struct.pack("!BBH", DIGITS.index(digit), (i > 3) << 7 | 10, min(i + 1, 4) * 160)
                packet = struct.pack("!BBHII", 0x80, 101, number, timestamp, 7) + payload
            else:
                packet = struct.pack("!BBHII", 0x80, 0, number, timestamp + 160 * (i - 3), 7) + silence
            number += 1
            packets += [Sent.parse(one) for one in converter.convert(packet, number / 50)]
        timestamp += 160 * 9
    assert {one.payload_type for one in packets} == {97}
    assert steps(packets)[0] == {1}
    sound = np.zeros(0, np.int16)
    decoder, start = Decoder(config), packets[0].timestamp
    for one in packets:
        place = ((one.timestamp - start) & 0xFFFFFFFF) * config.sample_rate // config.clock_rate
        sound = np.concatenate([sound, np.zeros(place - len(sound), np.int16), decoder.decode(one.payload)])
    assert DtmfDetector(config.sample_rate).process(sound) == DIGITS


@pytest.mark.parametrize("one", ["PCMU", "G722"])
@pytest.mark.parametrize("packet_ms", [10, 20, 60])
def test_keys_in_the_sound_become_telephone_events(one: str, packet_ms: int) -> None:
    """Each once, and none is left to be heard."""
    line = Line(one, "PCMA", packet_ms)
    line.converter = Converter(
        Conversion((Incoming(IN, 8000, line.config),), OUT, line.out, 20, (EVENT_OUT, 8000))
    )
    sound = dialled(DIGITS, line.config.sample_rate)
    size = line.config.sample_rate * packet_ms // 1000
    packets: list[Sent] = []
    for at in range(0, len(sound) - size + 1, size):
        packets += line.take(line.packet(line.encoder.encode(sound[at : at + size])))
        line.timestamp += 8 * packet_ms
    assert steps(packets)[0] == {1}
    told = [packet for packet in packets if packet.payload_type == EVENT_OUT]
    ends = [packet for packet in told if packet.payload[1] >> 7]
    assert "".join(DIGITS[packet.payload[0]] for packet in ends[::3]) == DIGITS
    assert len(ends) == 3 * len(DIGITS)
    assert len({packet.timestamp for packet in told}) == len(DIGITS)
    lengths = {struct.unpack("!H", packet.payload[2:])[0] for packet in ends}
    assert all(240 <= length <= 1280 for length in lengths)
    rest = [packet for packet in packets if packet.payload_type == OUT]
    assert DtmfDetector(8000).process(line.heard(rest).astype(np.int16)) == ""
    place = (rest[-1].timestamp - packets[0].timestamp) & 0xFFFFFFFF
    assert abs(place + 160 - len(sound) * 8000 // line.config.sample_rate) <= 480


def test_speech_during_a_key_is_not_heard_beside_it() -> None:
    """Some phones go on sending sound while a key is down: its time is taken."""
    line = Line("PCMU", "PCMA")
    line.converter = Converter(
        Conversion(
            (Incoming(IN, 8000, line.config), Incoming(EVENT_IN, 8000, is_event=True)), OUT, line.out, 20
        )
    )
    packets = line.talk(5)
    start = line.timestamp
    for i in range(1, 6):
        line.timestamp = start
        packets += line.take(line.packet(event(line, 160 * i), EVENT_IN))
        line.timestamp = start + 160 * (i - 1)
        packets += line.take(line.speak())
    packets += line.talk(5)
    assert steps(packets) == ({1}, {160})
    assert len(packets) == 15


def test_what_both_know_leaves_as_it_came() -> None:
    """The other end may answer with a codec of the offer and one that was added, and change between them."""
    config = find("PCMA").config()
    converter = Converter(
        Conversion(
            (Incoming(0, 8000, copied_as=18), Incoming(9, 8000, find("G722").config())), 8, config, 20, None
        )
    )
    made = []
    for i in range(6):
        payload_type = 9 if i == 3 else 0
        packet = struct.pack("!BBHII", 0x80, payload_type, i, 160 * i, 7) + bytes([i]) * 160
        made += [Sent.parse(one) for one in converter.convert(packet, i / 50)]
    assert [one.payload_type for one in made] == [18, 18, 18, 8, 18, 18]
    assert [one.payload[:1] for one in made if one.payload_type == 18] == [b"\0", b"\1", b"\2", b"\4", b"\5"]
    assert steps(made) == ({1}, {160})


@pytest.mark.parametrize("payload", [b"", b"\0", b"\xff" * 2000])
@pytest.mark.parametrize("one", ["PCMU", "GSM", "G726-16", pytest.param("opus", marks=OPUS)])
def test_damaged_payloads_do_no_harm(one: str, payload: bytes) -> None:
    line = Line(one, "G722", sample_rate=16000, channels=1)
    for _ in range(5):
        line.take(line.packet(payload))
        line.timestamp += 20 * line.clock // 1000
    assert line.talk(20)[-1].payload_type == OUT


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80" * 11, b"\x9f" * 40, b"\xa0\x60" + b"\0" * 10])
def test_what_is_no_packet_is_left_out(data: bytes) -> None:
    assert Line("PCMU", "PCMA").converter.convert(data) == []


def test_extensions_and_padding_are_no_sound() -> None:
    line = Line("PCMU", "PCMA")
    head = struct.pack("!BBHII", 0xB1, IN, 1, 0, 7) + bytes(4) + struct.pack("!HHI", 0xBEDE, 1, 0)
    (made,) = line.take(head + b"\xd5" * 160 + b"\0\0\0\4")
    assert len(made.payload) == 160


@pytest.mark.parametrize("packet_ms", [0, -20, 30, 1000])
def test_impossible_packet_times_are_refused(packet_ms: int) -> None:
    """GSM has frames of 20 ms."""
    with pytest.raises(ValueError, match="cannot convert"):
        Converter(Conversion((Incoming(0, 8000, find("PCMU").config()),), 3, find("GSM").config(), packet_ms))


def test_a_converter_is_handed_over_once() -> None:
    converter = Converter(Conversion((Incoming(0, 8000, copied_as=0),), 3, find("GSM").config(), 20))
    with pytest.raises(ValueError, match="at most 16"):
        Converter(Conversion((Incoming(0, 8000, copied_as=0),) * 17, 3, find("GSM").config(), 20))
    with pytest.raises(ValueError, match="neither decoded nor copied"):
        Converter(Conversion((Incoming(0, 8000),), 3, find("GSM").config(), 20))
    converter.convert(b"")
