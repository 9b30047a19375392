"""Every codec that is here to every other: the decision makes a converter, and a tone comes through it."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchroom.codecs import CODECS, Codec, Decoder, Encoder, find
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.media._conversion import Converter
from switchroom.switch.media.negotiate import Line
from switchroom.switch.media.said import agree, extended, parse
from switchroom.switch.media.transcoding import Plan

ALL = tuple(CODECS)
HERE = [codec for codec in CODECS.values() if codec.is_offered]
HERTZ = 440


def description(codec: Codec, payload_type: int, packet_ms: int, *more: str) -> bytes:
    lines = (
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        f"m=audio 4000 RTP/AVP {payload_type}",
        f"a=rtpmap:{payload_type} {codec.format.name}",
        f"a=ptime:{packet_ms}",
        *more,
    )
    return ("\r\n".join(lines) + "\r\n").encode()


def plan_of(one: Codec, two: Codec, packet_ms: int) -> Plan:
    offer = parse(description(one, 120, packet_ms))
    sent = extended(offer, (two.format.name,), ALL)
    number = sent.description.media[0].codecs[0].payload_type
    answer = parse(description(two, number, packet_ms))
    [plan] = agree(offer, sent, [Line(4002)], answer, ALL).plans
    assert plan is not None
    return plan


@pytest.mark.parametrize("one", HERE, ids=lambda codec: codec.format.name)
def test_a_tone_comes_through(one: Codec) -> None:
    for two in HERE:
        if two is one:
            continue
        conversion = plan_of(one, two, 20).offerer.conversion
        source = conversion.incoming[0].config
        assert source is not None
        encoder, decoder = Encoder(source), Decoder(conversion.config)
        size = max(source.sample_rate // 50, source.frame_samples)
        at = np.arange(25 * size) / source.sample_rate
        tone = np.repeat((9000 * np.sin(2 * np.pi * HERTZ * at)).astype(np.int16), source.channels)
        size *= source.channels
        converter, heard = Converter(conversion), []
        for i in range(25):
            at_sample = i * size // source.channels
            head = struct.pack(
                "!BBHII", 0x80, 120, i, at_sample * one.format.clock_rate // source.sample_rate, 1
            )
            sound_in = tone[i * size : (i + 1) * size]
            for packet in converter.convert(head + encoder.encode(sound_in), at_sample / source.sample_rate):
                heard.append(decoder.decode(packet[12:])[:: conversion.config.channels].astype(float))
        rate = conversion.config.sample_rate
        sound = np.concatenate(heard)[rate // 5 :]
        power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
        near = np.abs(np.fft.rfftfreq(len(sound), 1 / rate) - HERTZ) < 25
        names = f"{one.format.name} to {two.format.name}"
        assert len(sound) >= rate // 5, names
        assert power[near].sum() / power.sum() > 0.9, names
        assert abs(20 * np.log10(np.sqrt(np.mean(sound**2)) / (9000 / np.sqrt(2)))) < 3, names


AMR = pytest.mark.skipif(not find("AMR").is_offered, reason="opencore-amr is not installed")


@AMR
@pytest.mark.parametrize(("taken", "packing"), [((96,), [0]), ((97,), [1]), ((97, 96), [1, 0])])
def test_amr_is_offered_in_both_packings(taken: tuple[int, ...], packing: list[int]) -> None:
    """Some read only frames that are padded to octets; RFC 4867 §8.3.1."""
    offer = parse(description(find("PCMU"), 0, 20))
    sent = extended(offer, ("AMR/8000",), ALL)
    aligned = {96: "mode-change-capability=2", 97: "octet-align=1"}
    fmtps = sent.description.media[0].fmtps
    assert ["octet-align=1" in fmtps[number] for number in ("96", "97")] == [False, True]
    lines = [f"a=fmtp:{number} {aligned[number]}" for number in taken]
    answer = description(find("AMR"), taken[0], 20, *lines)
    for number in taken[1:]:
        answer += f"a=rtpmap:{number} AMR/8000\r\n".encode()
        answer = answer.replace(b"AVP %d" % taken[0], b"AVP %d %d" % (taken[0], number))
    [plan] = agree(offer, sent, [Line(4002)], parse(answer), ALL).plans
    assert plan is not None
    assert plan.offerer.conversion.payload_type == taken[0]
    assert plan.offerer.conversion.config.settings["octet_align"] == packing[0]
    heard = {one.payload_type: one.config for one in plan.answerer.conversion.incoming}
    for number, is_aligned in zip(taken, packing, strict=True):
        config = heard[number]
        assert config is not None
        assert config.settings["octet_align"] == is_aligned


@pytest.mark.parametrize("packet_ms", [5, 10, 30, 50, 60, 200])
def test_every_packet_time_is_brought_to_one_that_can_be(packet_ms: int) -> None:
    for one in HERE:
        for two in HERE:
            if one is not two:
                plan = plan_of(one, two, packet_ms)
                Converter(plan.offerer.conversion)
                Converter(plan.answerer.conversion)


NAMES = (
    "annexb", "octet-align", "mode-set", "mode-change-period", "mode-change-neighbor", "crc", "interleaving",
    "maxaveragebitrate", "maxplaybackrate", "stereo", "sprop-stereo", "useinbandfec", "usedtx", "cbr", "vbr",
    "mode", "cng", "channels",
)  # fmt: skip
VALUES = st.one_of(
    st.integers(-1, 10).map(str),
    st.sampled_from(["", "no", "yes", "on", "0,2,4,7", "99999999999", "48000", '"3"']),
)
PARAMETERS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4).map(
    lambda found: ";".join(f"{name}={value}" for name, value in found.items())
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(HERE),
    st.sampled_from(HERE),
    PARAMETERS,
    PARAMETERS,
    st.sampled_from(["0", "1", "15", "19.5", "1000", "9999"]),
)
def test_no_parameters_do_harm(one: Codec, two: Codec, offered: str, answered: str, packet_time: str) -> None:
    """Either a converter, or a refusal that says so."""
    limits = (f"a=maxptime:{packet_time}",)
    offer = parse(description(one, 120, 20, f"a=fmtp:120 {offered}", *limits))
    sent = extended(offer, (two.format.name,), ALL)
    number = sent.description.media[0].codecs[0].payload_type
    answer = parse(description(two, number, 20, f"a=fmtp:{number} {answered}", *limits))
    try:
        [plan] = agree(offer, sent, [Line(4002)], answer, ALL).plans
    except RemoteProtocolError:
        return
    if plan is not None:
        Converter(plan.offerer.conversion)
        Converter(plan.answerer.conversion)
