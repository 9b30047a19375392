"""Keys that came by SIP INFO leave as telephone-event (RFC 4733) or as tones; none comes twice."""

from __future__ import annotations

import numpy as np
import pytest

from switchroom.codecs import DtmfDetector, find
from switchroom.protocols import rtp as protocol
from switchroom.switch.media import MediaPlane, keying

from .phones import Call, Phone, rtp

EVENT = 101


def heard_digits(packets: list[bytes]) -> str:
    """The digits that a receiver makes of packets."""
    receiver, digits = protocol.DigitReceiver(), ""
    for data in packets:
        packet = protocol.Packet.parse(data)
        if packet.payload_type == EVENT:
            found = receiver.receive(packet)
            digits += "" if found is None else found.digit
    return digits


def talk(call: Call, count: int, first: int = 0) -> list[bytes]:
    """So many packets of A; what B hears of them."""
    packets = [rtp(i) for i in range(first, first + count)]
    heard = []
    for packet in packets:
        call.a.say(packet)
        heard.append(call.b.hear())
    return heard


def test_keys_leave_as_telephone_events(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    talk(call, 2)
    for key in "5#":
        assert keying.press(call.session, call.b_leg, key, 100)
    heard = talk(call, 40, 2)
    assert heard_digits(heard) == "5#"
    packets = [protocol.Packet.parse(data) for data in heard]
    assert [one.sequence_number for one in packets] == list(range(2, 42))
    events = [one for one in packets if one.payload_type == EVENT]
    assert [one.marker for one in events].count(True) == 2
    assert len({one.timestamp for one in events}) == 2
    ends = [protocol.Event.parse(one.payload) for one in events if one.payload[1] & 0x80]
    assert [one.duration for one in ends] == [800] * 6
    assert heard[-1] == rtp(41)  # and the sound goes on as it was


def test_who_has_no_telephone_event_hears_tones(plane: MediaPlane, a: Phone, b: Phone) -> None:
    for codec, payload_type in (("PCMU", 0), ("PCMA", 8)):
        answer = b.describe(formats=str(payload_type)).replace(b"a=rtpmap:101 telephone-event/8000\r\n", b"")
        call = Call(plane, a, b).set_up(answer=answer)
        heard = []
        for i in range(40):
            if i == 5:
                assert keying.press(call.session, call.b_leg, "7", 160)
            call.a.say(rtp(i, payload_type=payload_type))
            heard.append(call.b.hear())
        sound = np.concatenate([find(codec).decoder().decode(packet[12:]) for packet in heard])
        assert DtmfDetector(8000).process(sound) == "7"
        call.session.close()


def test_a_key_that_the_sound_says_as_well_comes_once(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """By INFO first, and in the sound first."""
    call = Call(plane, a, b).set_up()
    talk(call, 2)
    assert keying.press(call.session, call.b_leg, "1", 100)
    sender, heard = protocol.DigitSender(), []
    for first, digit in ((2, "1"), (30, "2")):
        sender.send(digit)
        for seq in range(first, first + 12):
            event = sender.next_packet(seq * 160)
            packet = rtp(seq)
            if event is not None:
                packet = bytes(
                    protocol.Packet(EVENT, seq, event.timestamp, 0xABCD, event.payload, event.marker)
                )
            call.a.say(packet)
            heard.append(call.b.hear())
    assert keying.press(call.session, call.b_leg, "2", 100)
    heard += talk(call, 20, 60)
    assert heard_digits(heard) == "12"


def test_where_nothing_flows_a_key_cannot_go(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    assert not keying.press(call.session, call.b_leg, "1", 100)


@pytest.mark.parametrize("key", ["", "12", "x"])
def test_what_is_no_key_is_none(plane: MediaPlane, a: Phone, b: Phone, key: str) -> None:
    call = Call(plane, a, b).set_up()
    talk(call, 1)
    assert not keying.press(call.session, call.b_leg, key, 100)
