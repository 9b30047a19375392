"""What legs are offered and told where sound can be converted, and that it is, by the engine."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

import numpy as np
import pytest

from switchroom.codecs import DtmfDetector, find
from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane, export_media, restore_media
from switchroom.switch.media.said import extended, parse

from .conftest import local_for
from .phones import Call, Phone, receiver_report

OPUS = pytest.mark.skipif(not find("opus").is_offered, reason="libopus is not installed")


@pytest.fixture
async def plane() -> AsyncIterator[MediaPlane]:
    config = MediaConfig(ports="22000-27999", transcode=["PCMA", "PCMU", "G722"])
    plane = MediaPlane(config, local_for, lambda session: None, quarantine=0.0)
    plane.start(asyncio.get_running_loop())
    yield plane
    plane.stop()


def line_of(description: bytes) -> sdp.Media:
    return sdp.Description.parse(description).media[0]


def tone(codec: str, count: int, payload_type: int) -> list[bytes]:
    """Packets of 20 ms with 440 Hz."""
    encoder, form = find(codec).encoder(), find(codec).format
    size = form.sample_rate // 50
    sound = (9000 * np.sin(2 * np.pi * 440 * np.arange(size * count) / form.sample_rate)).astype(np.int16)
    return [
        struct.pack("!BBHII", 0x80, payload_type, i, i * form.clock_rate // 50, 99)
        + encoder.encode(sound[i * size : (i + 1) * size])
        for i in range(count)
    ]


def assert_tone(codec: str, packets: list[bytes]) -> None:
    decoder, rate = find(codec).decoder(), find(codec).format.sample_rate
    sound = np.concatenate([decoder.decode(packet[12:]) for packet in packets]).astype(float)[rate // 10 :]
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    near = np.abs(np.fft.rfftfreq(len(sound), 1 / rate) - 440) < 15
    assert power[near].sum() / power.sum() > 0.99
    assert abs(20 * np.log10(np.sqrt(np.mean(sound**2)) / (9000 / np.sqrt(2)))) < 1


def hear(phone: Phone, count: int) -> list[bytes]:
    return [phone.hear() for _ in range(count)]


class Talk(Call):
    """A call whose offer and answer are kept."""

    def negotiate(
        self, offer: bytes, answer: bytes, codecs: tuple[str, ...] = ()
    ) -> tuple[sdp.Media, sdp.Media]:
        shown = self.session.offer(self.a_leg, self.b_leg, offer, codecs)
        told = self.session.answer(self.b_leg, self.a_leg, answer)
        self.b.obey(shown)
        self.a.obey(told)
        self.session.confirm()
        return line_of(shown), line_of(told)


def test_both_forms_of_g711_need_no_help(plane: MediaPlane, a: Phone, b: Phone) -> None:
    shown, told = Talk(plane, a, b).negotiate(a.describe(formats="0 8 101"), b.describe(formats="8 101"))
    assert shown.formats == ("0", "8", "101")
    assert told.formats == ("8", "101")


def test_what_can_be_converted_stands_behind_what_came(plane: MediaPlane, a: Phone, b: Phone) -> None:
    shown, told = Talk(plane, a, b).negotiate(a.describe(formats="0 101"), b.describe(formats="0 101"))
    assert shown.formats == ("0", "8", "9", "101")
    assert told.formats == ("0", "101")
    for phone, other in ((a, b), (b, a)):
        packets = tone("PCMU", 3, 0)
        phone.say(*packets)
        assert hear(other, 3) == packets  # not touched


def test_without_a_common_codec_sound_is_converted(plane: MediaPlane, a: Phone, b: Phone) -> None:
    talk = Talk(plane, a, b)
    shown, told = talk.negotiate(a.describe("a=ptime:20", formats="0 101"), b.describe(formats="8 101"))
    assert told.formats == ("0", "101")
    assert told.rtpmaps[101].name == "telephone-event/8000"
    assert told.ptime == 20
    for phone, other, one, two, number in ((a, b, "PCMU", "PCMA", 8), (b, a, "PCMA", "PCMU", 0)):
        phone.say(*tone(one, 25, shown.codecs[0].payload_type if phone is a else 8))
        packets = hear(other, 25)
        assert {packet[1] & 0x7F for packet in packets} == {number}
        assert_tone(two, packets)
    report = talk.session.report()
    assert set(report.codecs) == {"PCMU/8000", "PCMA/8000"}
    assert [stream.codec for stream in report.streams] == ["PCMU/8000", "PCMA/8000"]
    assert [stream.counters.packets for stream in report.streams] == [25, 25]
    assert [stream.counters.lost for stream in report.streams] == [0, 0]


def test_numbers_of_each_leg_are_its_own(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """The answerer sends A-law under the number that it was offered, and wants it under another."""
    offer = a.describe("a=rtpmap:120 telephone-event/8000", formats="9 120")
    answer = b.describe("a=rtpmap:77 PCMA/8000", "a=rtpmap:99 telephone-event/8000", formats="77 99")
    shown, told = Talk(plane, a, b).negotiate(offer, answer)
    assert told.formats == ("9", "120")
    a.say(*tone("G722", 25, 9))
    heard = hear(b, 25)
    assert {packet[1] & 0x7F for packet in heard} == {77}
    assert_tone("PCMA", heard)
    [number] = [codec.payload_type for codec in shown.codecs if codec.encoding == "PCMA"]
    b.say(*tone("PCMA", 25, number))
    assert_tone("G722", hear(a, 25))
    key = struct.pack("!BBHII", 0x80, 120, 25, 160 * 25, 99) + bytes((5, 10, 0, 160))
    a.say(key)
    packet = b.hear()
    assert (packet[1] & 0x7F, packet[12:]) == (99, key[12:])


def test_the_codec_nearest_to_the_other_end_is_told(plane: MediaPlane, a: Phone, b: Phone) -> None:
    _, told = Talk(plane, a, b).negotiate(a.describe(formats="9 0 101"), b.describe(formats="8"))
    assert told.formats == ("0", "101")


def test_keys_for_a_leg_without_telephone_event_are_heard(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """And its own, which are in its sound, are told to the one that has it; no digit comes twice."""
    _, told = Talk(plane, a, b).negotiate(a.describe(formats="0 101"), b.describe(formats="8"))
    assert told.formats == ("0", "101")
    a.say(*tone("PCMU", 5, 0))
    hear(b, 5)
    for i in range(1, 6):
        payload = bytes((7, 10, *struct.pack("!H", 160 * i)))
        a.say(struct.pack("!BBHII", 0x80, 101, 4 + i, 800, 99) + payload)
    heard = b"".join(packet[12:] for packet in hear(b, 5))
    assert DtmfDetector(8000).process(find("PCMA").decoder().decode(heard)) == "7"
    row, column = (np.sin(2 * np.pi * hertz * np.arange(8000) / 8000) for hertz in (852, 1209))
    sound = np.zeros(8000, np.int16)
    sound[1600:2400] = (6000 * (row + column))[:800]
    encoder = find("PCMA").encoder()
    for i in range(25):
        head = struct.pack("!BBHII", 0x80, 8, i, 160 * i, 5)
        b.say(head + encoder.encode(sound[160 * i : 160 * i + 160]))
    packets = [a.hear()]
    while struct.unpack("!I", packets[-1][4:8])[0] - struct.unpack("!I", packets[0][4:8])[0] != 24 * 160:
        packets.append(a.hear())
    events = [packet for packet in packets if packet[1] & 0x7F == 101]
    assert {packet[12] for packet in events} == {7}
    assert len({packet[4:8] for packet in events}) == 1
    assert [packet[13] >> 7 for packet in events[-4:]] == [0, 1, 1, 1]
    left = b"".join(packet[12:] for packet in packets if packet[1] & 0x7F == 0)
    assert DtmfDetector(8000).process(find("PCMU").decoder().decode(left)) == ""


def test_an_answer_with_a_common_codec_and_an_added_one(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """The answerer may send either; the offerer hears of the common one and gets it."""
    _, told = Talk(plane, a, b).negotiate(a.describe(formats="0 101"), b.describe(formats="8 0 101"))
    assert told.formats == ("0", "101")
    b.say(*tone("PCMA", 25, 8))
    heard = hear(a, 25)
    assert {packet[1] & 0x7F for packet in heard} == {0}
    assert_tone("PCMU", heard)
    a.say(*tone("PCMU", 3, 0))
    assert [packet[12:] for packet in hear(b, 3)] == [packet[12:] for packet in tone("PCMU", 3, 0)]


@pytest.mark.parametrize(
    ("allowed", "formats"),
    [(("PCMA",), ("8", "101")), (("G722", "PCMU"), ("0", "9", "101")), (("PCMU",), ("0", "101"))],
)
def test_a_leg_is_offered_what_it_may_use(
    plane: MediaPlane, a: Phone, b: Phone, allowed: tuple[str, ...], formats: tuple[str, ...]
) -> None:
    session = plane.session("call")
    legs = session.leg(toward=a.host, is_nat=False), session.leg(toward=b.host, is_nat=False)
    assert line_of(session.offer(*legs, a.describe(formats="0 101"), allowed)).formats == formats


@pytest.mark.parametrize("formats", ["4 101", "101", "13 101"])
def test_what_nobody_converts_is_refused(plane: MediaPlane, a: Phone, b: Phone, formats: str) -> None:
    session = plane.session("call")
    legs = session.leg(toward=a.host, is_nat=False), session.leg(toward=b.host, is_nat=False)
    with pytest.raises(RemoteProtocolError) as caught:
        session.offer(*legs, a.describe(formats=formats), ("PCMA",))
    assert caught.value.status == 488


def test_secured_sound_is_not_converted(plane: MediaPlane, a: Phone, b: Phone) -> None:
    plane.guard.missing = "no libcrypto"  # else it would be ours to convert
    session = plane.session("call")
    legs = session.leg(toward=a.host, is_nat=False), session.leg(toward=b.host, is_nat=False)
    offer = a.describe("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x", formats="0").replace(b"/AVP", b"/SAVP")
    assert line_of(session.offer(*legs, offer)).formats == ("0",)


def test_enough_calls_are_converted_already(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """The next one is offered nothing to convert; the first may agree anew, and its end makes room."""
    plane.apply(plane.config.model_copy(update={"max_transcoded": 1}))
    offer, answer = a.describe(formats="0 101"), b.describe(formats="9 101")
    first, second = Talk(plane, a, b), Talk(plane, a, b)
    first.negotiate(offer, answer)
    assert plane.counters()["converted_sessions"] == 1
    assert line_of(second.session.offer(second.a_leg, second.b_leg, offer)).formats == ("0", "101")
    assert first.negotiate(offer, answer)[0].formats == ("0", "8", "9", "101")
    first.session.close()
    assert plane.counters()["converted_sessions"] == 0
    assert second.negotiate(offer, answer)[1].formats == ("0", "101")
    second.session.close()


@OPUS
def test_opus_brings_its_own_events_and_parameters(a: Phone) -> None:
    plane = MediaPlane(MediaConfig(transcode=["opus", "PCMU"]), local_for, print)
    shown = extended(
        parse(a.describe("a=fmtp:101 0-16", formats="0 101")), (), plane.rules.converted
    ).description.media[0]
    assert [codec.name for codec in shown.codecs] == [
        "PCMU/8000", "opus/48000/2", "telephone-event/8000", "telephone-event/48000",
    ]  # fmt: skip
    assert shown.fmtps["96"] == "minptime=10;useinbandfec=1"


def test_the_codec_changes_in_the_middle_of_a_call(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """Converted, then not, then converted by the other leg's wish: a re-INVITE each time."""
    talk = Talk(plane, a, b)
    talk.negotiate(a.describe(formats="0 101"), b.describe(formats="8 101"))
    a.say(*tone("PCMU", 25, 0))
    assert_tone("PCMA", hear(b, 25))
    _, told = talk.negotiate(a.describe(formats="8 101"), b.describe(formats="8 101"))
    assert told.formats == ("8", "101")
    packets = tone("PCMA", 3, 8)
    a.say(*packets)
    assert hear(b, 3) == packets
    shown = talk.session.offer(talk.b_leg, talk.a_leg, b.describe(formats="9 101"))
    assert line_of(shown).formats == ("9", "8", "0", "101")
    told_b = talk.session.answer(talk.a_leg, talk.b_leg, a.describe(formats="8 101"))
    assert line_of(told_b).formats == ("9", "101")
    b.say(*tone("G722", 25, 9))
    assert_tone("PCMA", hear(a, 25))
    a.say(*tone("PCMA", 25, 8))
    assert_tone("G722", hear(b, 25))


def test_hold_and_resume_go_on_where_they_were(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """The same source, and numbers that follow."""
    talk = Talk(plane, a, b)
    talk.negotiate(a.describe(formats="0 101"), b.describe(formats="9 101"))
    a.say(*tone("PCMU", 5, 0))
    before = hear(b, 5)
    talk.negotiate(a.describe("a=sendonly", formats="0 101"), b.describe("a=recvonly", formats="9 101"))
    a.say(*tone("PCMU", 5, 0))
    after = hear(b, 5)
    assert {packet[8:12] for packet in before + after} == {before[0][8:12]}
    numbers = [struct.unpack("!H", packet[2:4])[0] for packet in before + after]
    assert [(number - numbers[0]) & 0xFFFF for number in numbers] == list(range(10))


def test_rtcp_of_a_converted_stream_ends_here(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """It speaks of a source that the other end never sees; it still counts as a sign of life."""
    talk = Talk(plane, a, b)
    talk.negotiate(a.describe(formats="0 101"), b.describe(formats="9 101"))
    a.rtcp.sendto(receiver_report(), a.control)
    a.say(*tone("PCMU", 1, 0))
    b.hear()
    b.rtcp.settimeout(0)
    with pytest.raises(BlockingIOError):
        b.rtcp.recv(2048)


def test_a_codec_that_nobody_knows_is_named() -> None:
    with pytest.raises(ValueError, match=r"media\.transcode\.1: no codec 'PCMX'"):
        MediaPlane(MediaConfig(transcode=["PCMU", "PCMX"]), local_for, print)


async def test_a_new_process_goes_on_converting(plane: MediaPlane, a: Phone, b: Phone) -> None:
    talk = Talk(plane, a, b)
    talk.negotiate(a.describe(formats="0 101"), b.describe(formats="9 101"))
    state = export_media(talk.session, talk.a_leg, talk.b_leg)
    assert state is not None
    plane.stop()
    new = MediaPlane(plane.config, local_for, lambda session: None)
    new.start(asyncio.get_running_loop())
    session = new.session("again")
    restore_media(session, state)
    a.say(*tone("PCMU", 25, 0))
    assert_tone("G722", hear(b, 25))
    b.say(*tone("G722", 25, 9))
    assert_tone("PCMU", hear(a, 25))
    new.stop()


def video(port: int) -> tuple[str, ...]:
    return (f"m=video {port} RTP/AVP 96", "a=rtpmap:96 VP8/90000")


def test_picture_passes_beside_converted_sound(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """A description of several lines takes the long way, with the same result."""
    shown, told = Talk(plane, a, b).negotiate(
        a.describe(*video(40000), formats="0 101"), b.describe(*video(50000), formats="8 101")
    )
    assert (shown.formats, told.formats) == (("0", "8", "9", "101"), ("0", "101"))
    a.say(*tone("PCMU", 25, 0))
    assert_tone("PCMA", hear(b, 25))


def test_sound_that_nobody_can_use_is_refused_beside_a_picture(plane: MediaPlane, a: Phone, b: Phone) -> None:
    talk = Talk(plane, a, b)
    offer = a.describe(*video(40000), formats="4")
    shown = talk.session.offer(talk.a_leg, talk.b_leg, offer, ("PCMA",))
    assert [media.is_rejected for media in sdp.Description.parse(shown).media] == [True, False]
    answer = b.describe(*video(50000), formats="4", port=0)
    told = talk.session.answer(talk.b_leg, talk.a_leg, answer)
    assert [media.is_rejected for media in sdp.Description.parse(told).media] == [True, False]


def test_hold_by_the_null_address(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """Of old: c=0.0.0.0; the other leg is told in today's words, and its codec is still its own."""
    talk = Talk(plane, a, b)
    talk.negotiate(a.describe(formats="0 101"), b.describe(formats="8 101"))
    shown = talk.session.offer(talk.a_leg, talk.b_leg, a.describe(formats="0 101", host="0.0.0.0"))
    assert line_of(shown).direction is sdp.Direction.SENDONLY
    told = talk.session.answer(talk.b_leg, talk.a_leg, b.describe("a=recvonly", formats="8 101"))
    assert line_of(told).formats == ("0", "101")


def test_an_impostor_is_not_converted(plane: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    talk = Talk(plane, a, b)
    talk.negotiate(a.describe(formats="0 101"), b.describe(formats="9 101"))
    third.media = a.media
    third.say(*tone("PCMU", 5, 0))
    a.say(*tone("PCMU", 5, 0))
    hear(b, 5)
    assert talk.dropped()["source"] == 5
    b.rtp.settimeout(0)
    with pytest.raises(BlockingIOError):
        b.hear()


@pytest.mark.skipif(not find("AMR").is_offered, reason="no library of AMR")
async def test_the_mode_that_a_phone_asks_for_is_the_one_that_it_hears(a: Phone, b: Phone) -> None:
    """RFC 4867 §3.3: the request stands in what the phone sends, so the other direction has to know."""
    config = MediaConfig(ports="22000-27999", transcode=["PCMA", "AMR"])
    plane = MediaPlane(config, local_for, lambda session: None, quarantine=0.0)
    plane.start(asyncio.get_running_loop())
    try:
        rtpmap, fmtp = "a=rtpmap:96 AMR/8000", "a=fmtp:96 octet-align=1"
        Talk(plane, a, b).negotiate(a.describe(rtpmap, fmtp, formats="96"), b.describe(formats="8"))
        encoder = find("AMR").encoder(octet_align=1)
        for i, (request, heard_in) in enumerate(((15, 7), (2, 2), (15, 2), (5, 5))):
            payload = encoder.encode(np.zeros(160, np.int16))
            payload = bytes([request << 4]) + payload[1:]
            a.say(struct.pack("!BBHII", 0x80, 96, i, 160 * i, 5) + payload)
            b.hear()
            b.say(tone("PCMA", i + 1, 8)[i])
            assert a.hear()[13] >> 3 & 15 == heard_in
    finally:
        plane.stop()
