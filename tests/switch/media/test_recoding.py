"""Two legs with one form of G.711 each: the engine relays, and says each octet in the other form."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest

from switchroom.codecs import DtmfDetector, find
from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane, keying
from switchroom.switch.media._conversion import Converter
from switchroom.switch.media.recoding import TABLES, recoded
from switchroom.switch.media.stream import Conversion, Incoming, Recoding, Retyped

from .conftest import local_for
from .phones import Call, Phone, receiver_report, wait_for

ULAW, ALAW = find("PCMU").config(), find("PCMA").config()
ALL = bytes(range(256))


@pytest.fixture
async def plane() -> AsyncIterator[MediaPlane]:
    config = MediaConfig(ports="22000-27999", transcode=["PCMA", "PCMU"])
    plane = MediaPlane(config, local_for, lambda session: None, quarantine=0.0)
    plane.start(asyncio.get_running_loop())
    yield plane
    plane.stop()


@pytest.fixture
def call(plane: MediaPlane, a: Phone, b: Phone) -> Call:
    return Call(plane, a, b).set_up(a.describe(formats="0 101"), b.describe(formats="8 101"))


def packet(seq: int, payload_type: int, payload: bytes, *, first: int = 0x80, middle: bytes = b"") -> bytes:
    return struct.pack("!BBHII", first, payload_type, seq, 160 * seq, 0xABCD) + middle + payload


# -- the tables, and when they do


@pytest.mark.parametrize(("form", "number", "other"), [(0, 0, 8), (1, 8, 0)])
def test_each_octet_is_what_the_converter_makes_of_it(form: int, number: int, other: int) -> None:
    one, two = (ULAW, ALAW) if form == 0 else (ALAW, ULAW)
    converter = Converter(Conversion((Incoming(number, 8000, one),), other, two, 32))
    [made] = converter.convert(packet(1, number, ALL))
    assert made[12:] == TABLES[form]


A_SIDE = Conversion((Incoming(0, 8000, ULAW), Incoming(101, 8000, None, None, True)), 8, ALAW, 20, (99, 8000))
B_SIDE = Conversion((Incoming(8, 8000, ALAW), Incoming(99, 8000, None, None, True)), 0, ULAW, 20, (101, 8000))


def test_what_becomes_of_payload_types() -> None:
    assert recoded(A_SIDE, B_SIDE) == (
        Recoding(0, (Retyped(0, 8, True), Retyped(101, 99, False))),
        Recoding(1, (Retyped(8, 0, True), Retyped(99, 101, False))),
    )
    shared = (*A_SIDE.incoming, Incoming(13, 8000, copied_as=13))
    [one, _] = recoded(A_SIDE._replace(incoming=shared), B_SIDE)
    assert one is not None
    assert one.types[2] == Retyped(13, 13, False)


@pytest.mark.parametrize(
    "other",
    [
        B_SIDE._replace(packet_ms=30),
        B_SIDE._replace(event=None),  # keys become tones
        B_SIDE._replace(event=(101, 48000)),
        B_SIDE._replace(incoming=B_SIDE.incoming[:1]),  # and tones keys
        B_SIDE._replace(config=find("G722").config()),
        B_SIDE._replace(incoming=(*B_SIDE.incoming, Incoming(3, 8000, find("GSM").config()))),
        B_SIDE._replace(
            incoming=(*B_SIDE.incoming, *(Incoming(n, 8000, copied_as=n) for n in range(20, 27)))
        ),
    ],
)
def test_when_it_takes_a_converter(other: Conversion) -> None:
    assert recoded(A_SIDE, other) == (None, None)
    assert recoded(other, A_SIDE) == (None, None)


# -- in calls


def test_all_but_octets_and_payload_types_stays_as_it_came(call: Call) -> None:
    a, b = call.a, call.b
    extension, csrc = b"\xbe\xde\x00\x01abcd", b"\0\0\0\7"
    for speaker, listener, form, one, two in ((a, b, 0, 0, 8), (b, a, 1, 8, 0)):
        made = TABLES[form]
        for first, marker, middle, end in (
            (0x80, 0x80, b"", b""),
            (0x90, 0, extension, b""),
            (0x81, 0, csrc, b""),
            (0xB1, 0, csrc + extension, b"\xaa\xaa\x03"),
        ):
            speaker.say(packet(7, one | marker, ALL + end, first=first, middle=middle))
            assert listener.hear() == packet(7, two | marker, made + end, first=first, middle=middle)
        speaker.say(packet(70, one, b""), packet(9, one, b"\x55", first=0x80))
        assert listener.hear() == packet(70, two, b"")  # numbers are the sender's
        assert listener.hear() == packet(9, two, made[0x55:0x56])


def test_keys_pass(plane: MediaPlane, a: Phone, b: Phone) -> None:
    answer = b.describe("a=rtpmap:77 PCMA/8000", "a=rtpmap:99 telephone-event/8000", formats="77 99")
    Call(plane, a, b).set_up(a.describe(formats="0 101"), answer)
    key = bytes((5, 10, 0, 160))
    a.say(packet(1, 101, key), packet(2, 0, ALL))
    assert b.hear() == packet(1, 99, key)
    assert b.hear() == packet(2, 77, TABLES[0])


def test_what_was_not_agreed_goes_no_further(call: Call) -> None:
    call.a.say(packet(1, 9, ALL), packet(2, 0, ALL))
    assert call.b.hear() == packet(2, 8, TABLES[0])
    assert call.session.report().streams[0].counters.packets == 2


def test_rtcp_passes_and_nothing_counts_as_converted(plane: MediaPlane, call: Call) -> None:
    call.a.rtcp.sendto(receiver_report(), call.a.control)
    assert call.b.rtcp.recv(2048) == receiver_report()
    assert plane.counters()["converted_sessions"] == 0
    report = call.session.report()
    assert [stream.codec for stream in report.streams] == ["PCMU/8000", "PCMA/8000"]


def test_other_packet_times_are_converted(plane: MediaPlane, a: Phone, b: Phone) -> None:
    Call(plane, a, b).set_up(
        a.describe("a=ptime:10", formats="0 101"), b.describe("a=ptime:20", formats="8 101")
    )
    assert plane.counters()["converted_sessions"] == 1
    a.say(packet(1, 0, bytes(80)), packet(2, 0, bytes(80)))
    assert len(b.hear()) == 12 + 160


@pytest.mark.parametrize("event", [True, False])
def test_keys_of_signalling_leave_in_the_form_of_who_listens(
    plane: MediaPlane, a: Phone, b: Phone, event: bool
) -> None:
    formats = " 101" * event
    call = Call(plane, a, b).set_up(a.describe(formats="0" + formats), b.describe(formats="8" + formats))
    a.say(packet(1, 0, bytes(160)))
    b.hear()
    wait_for(lambda: call.session.report().streams[0].counters.packets == 1)
    assert keying.press(call.session, call.b_leg, "5", 100)
    for seq in range(2, 12):
        a.say(packet(seq, 0, b"\xff" * 160))
    heard = [b.hear() for _ in range(10)]
    if event:
        assert heard[0][1:2] + heard[0][12:13] == bytes((0x80 | 101, 5))
    else:
        sound = find("PCMA").decoder().decode(b"".join(one[12:] for one in heard))
        assert DtmfDetector(8000).process(sound) == "5"
