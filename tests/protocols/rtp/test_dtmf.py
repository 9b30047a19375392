"""Digits over RTP; RFC 4733."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import rtp
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError


def packets(digits: str, *, start: int = 1000, ticks: int | None = None, **settings: int) -> list[rtp.Packet]:
    """What a sender says in so many packet times."""
    sender = rtp.DigitSender(**settings)
    sender.send(digits)
    found: list[rtp.Packet] = []
    for tick in range(ticks if ticks is not None else 20 * len(digits)):
        event = sender.next_packet((start + 160 * tick) % (1 << 32))
        if event is not None:
            found.append(rtp.Packet(101, len(found), event.timestamp, 7, event.payload, event.marker))
    return found


def received(sent: list[rtp.Packet]) -> str:
    receiver = rtp.DigitReceiver()
    return "".join(event.digit for event in map(receiver.receive, sent) if event is not None)


def test_a_digit_is_sent_with_growing_duration_and_three_ends() -> None:
    sent = packets("5")
    events = [rtp.Event.parse(packet.payload) for packet in sent]
    assert [event.duration for event in events] == [160, 320, 480, 640, 800, 800, 800]
    assert [event.is_end for event in events] == [False] * 4 + [True] * 3
    assert {event.code for event in events} == {5}
    assert {packet.timestamp for packet in sent} == {1000}
    assert [packet.marker for packet in sent] == [True] + [False] * 6


def test_digits_are_kept_apart() -> None:
    sender = rtp.DigitSender()
    sender.send("1")
    sender.send("1")
    ticks = [sender.next_packet(160 * tick) is not None for tick in range(20)]
    assert ticks == [True] * 7 + [False] * 3 + [True] * 7 + [False] * 3
    assert not sender.is_sending
    assert sender.next_packet(160 * 20) is None


def test_is_sending_until_the_gap_is_over() -> None:
    sender = rtp.DigitSender(gap_ms=20)
    assert not sender.is_sending
    sender.send("9")
    states = []
    for tick in range(9):
        sender.next_packet(160 * tick)
        states.append(sender.is_sending)
    assert states == [True] * 7 + [False] * 2


def test_every_digit_arrives() -> None:
    assert received(packets("0123456789*#abcd")) == "0123456789*#ABCD"


def test_digits_cross_the_wrap_of_the_timestamp() -> None:
    assert received(packets("4711", start=(1 << 32) - 2000)) == "4711"


def test_an_event_that_is_no_digit_is_not_reported() -> None:
    flash = rtp.Packet(101, 1, 5, 7, bytes(rtp.Event(16, 400)))
    assert rtp.DigitReceiver().receive(flash) is None


def test_a_sender_whose_clock_was_set_back_is_heard() -> None:
    receiver = rtp.DigitReceiver()
    assert receiver.receive(packets("1", start=10_000_000)[0]) is not None
    assert receiver.receive(packets("2", start=1000)[0]) is not None


@given(st.text("0123456789*#ABCD", min_size=1, max_size=12), st.integers(), st.integers(0, (1 << 32) - 1))
def test_loss_doubles_and_small_disorder_change_nothing(digits: str, seed: int, start: int) -> None:
    dice = random.Random(seed)
    kept: list[rtp.Packet] = []
    by_digit: dict[int, list[rtp.Packet]] = {}
    for packet in packets(digits, start=start):
        by_digit.setdefault(packet.timestamp, []).append(packet)
    for group in by_digit.values():
        kept += dice.sample(group, dice.randint(1, len(group))) * 2  # at least one of each key gets through
    for place in range(len(kept) - 1):
        if dice.random() < 0.3 and kept[place].timestamp == kept[place + 1].timestamp:
            kept[place], kept[place + 1] = kept[place + 1], kept[place]
    assert received(kept) == digits


def test_a_late_packet_of_an_earlier_digit_is_no_new_digit() -> None:
    sent = packets("12")
    assert received([*sent[:5], *sent[7:9], *sent[5:7]]) == "12"


@pytest.mark.parametrize("digits", ["x", "1 2", "+49", "\u0661"])
def test_only_digits_are_sent(digits: str) -> None:
    with pytest.raises(LocalProtocolError):
        rtp.DigitSender().send(digits)


def test_a_digit_fits_its_duration_field() -> None:
    with pytest.raises(LocalProtocolError):
        rtp.DigitSender(tone_ms=9000)
    with pytest.raises(LocalProtocolError):
        rtp.DigitSender(packet_ms=0)
    with pytest.raises(LocalProtocolError):
        bytes(rtp.Event(5, 65536))


@given(st.binary(max_size=8))
def test_any_payload_is_an_event_or_refused(payload: bytes) -> None:
    try:
        event = rtp.Event.parse(payload)
    except RemoteProtocolError:
        assert len(payload) < 4
        return
    assert rtp.Event.parse(bytes(event)) == event
    assert (event.digit is None) == (event.code > 15)
