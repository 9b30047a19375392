"""What the engine counts: RFC 3550 A.1, A.3 and A.8."""

from __future__ import annotations

import pytest

from switchroom.switch.media import MediaPlane
from switchroom.switch.media.stream import Counters

from .phones import Call, Phone, rtp, wait_for


def counted(plane: MediaPlane, a: Phone, b: Phone, sequence: list[int], **kwargs: int) -> Counters:
    call = Call(plane, a, b).set_up()
    a.say(*[rtp(seq, **kwargs) for seq in sequence])
    for _ in sequence:
        b.hear()
    return call.session.report().streams[0].counters


@pytest.mark.parametrize(
    ("sequence", "lost", "out_of_order", "duplicates"),
    [
        (list(range(10)), 0, 0, 0),
        ([1, 2, 5, 6], 2, 0, 0),
        ([1, 3, 2, 4], 0, 1, 0),
        ([1, 2, 2, 2, 3], 0, 0, 2),
        ([5, 4, 3, 6], 0, 2, 0),
        ([65534, 65535, 0, 1], 0, 0, 0),
        ([65535, 1], 1, 0, 0),
        ([0, 65535, 1], 0, 1, 0),
        ([1, 2, 30000, 30001, 30002], 0, 0, 0),  # a restart: two in row somewhere else
        ([1, 2, 30000, 3], 0, 0, 0),  # one stray number is nothing
        ([1, 90, 1], 87, 1, 0),  # too late to remember that it came before
    ],
)
def test_sequence_numbers(
    plane: MediaPlane, a: Phone, b: Phone, sequence: list[int], lost: int, out_of_order: int, duplicates: int
) -> None:
    counters = counted(plane, a, b, sequence)
    assert (counters.lost, counters.out_of_order, counters.duplicates) == (lost, out_of_order, duplicates)
    assert counters.packets == len(sequence)
    assert counters.size == 172 * len(sequence)


def test_jitter_of_a_clock_that_runs_away(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """Each timestamp is 50 ms ahead of its packet: A.8 grows by 1/16 of that a packet."""
    counters = counted(plane, a, b, [1], timestamp=0)
    assert counters.jitter_ms == 0
    call = Call(plane, a, b).set_up()
    for seq in range(100):
        a.say(rtp(seq, timestamp=400 * seq))
        b.hear()
    assert 25 < call.session.report().a.jitter_ms <= 50.5


def test_jitter_is_in_the_clock_of_the_description(plane: MediaPlane, a: Phone, b: Phone) -> None:
    opus = ("a=rtpmap:96 opus/48000/2",)
    call = Call(plane, a, b).set_up(a.describe(*opus, formats="96"), b.describe(*opus, formats="96"))
    for seq in range(100):
        a.say(rtp(seq, payload_type=96, timestamp=2400 * seq))
        b.hear()
    assert 25 < call.session.report().a.jitter_ms <= 50.5
    assert call.session.report().codecs == ("opus/48000/2",)


def test_digits_and_jumps_of_the_clock_are_not_jitter(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    for seq in range(50):
        a.say(rtp(2 * seq, payload_type=101, timestamp=0), rtp(2 * seq + 1, timestamp=1_000_000 * seq))
        b.hear()
        b.hear()
    assert call.session.report().a.jitter_ms == 0


def test_a_new_source_counts_on_when_it_stays_alone(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    first = [rtp(seq) for seq in (1, 2, 4)]
    second = [rtp(seq, ssrc=2) for seq in range(500, 508)]
    a.say(*first, *second)
    for _ in range(11):
        b.hear()
    counters = call.session.report().streams[0].counters
    assert (counters.packets, counters.lost) == (11, 1)


def test_two_sources_at_once_are_one_stream_with_guests(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    for seq in range(20):
        a.say(rtp(seq), rtp(7000 + 50 * seq, ssrc=2))
        b.hear()
        b.hear()
    counters = call.session.report().streams[0].counters
    assert (counters.packets, counters.lost, counters.out_of_order) == (40, 0, 0)


def test_each_call_counts_from_zero(plane: MediaPlane, a: Phone, b: Phone) -> None:
    for _ in range(3):
        call = Call(plane, a, b).set_up()
        assert call.session.report().a.packets == 0
        assert call.session.report().streams[0].counters.last_at is None
        a.say(rtp(1))
        b.hear()
        assert call.session.report().streams[0].counters.last_at is not None
        assert call.session.close().a[:4] == (1, 172, 0, 0.0)
        assert call.session.close().a.packets == 1  # asking again gives the same


def test_a_call_that_only_injection_reached_counts_it(
    plane: MediaPlane, a: Phone, b: Phone, third: Phone
) -> None:
    call = Call(plane, a, b).set_up()
    third.rtp.sendto(rtp(1), a.media)
    wait_for(lambda: call.dropped()["source"] == 1)
    assert call.session.report().a.packets == 0
    assert plane.counters()["dropped_source"] == 1
