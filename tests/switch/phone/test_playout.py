"""The order of packets, gaps, jumps and floods; THREATS A8."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from switchroom.codecs import Samples
from switchroom.switch.phone.playout import Playout


def frame(number: int) -> Samples:
    """Twenty milliseconds that tell their own number."""
    return np.full(160, number % 30000 + 1, np.int16)


def heard(playout: Playout, packets: list[tuple[int, int, float]], *, start: int = 0) -> list[int]:
    """The frames that come out, 0 for silence; packets are (number, SSRC offset, time)."""
    parts: list[Samples] = []
    now = 0.0
    for number, offset, now in packets:
        parts += playout.push(7 + offset, (start + 160 * number) & 0xFFFFFFFF, frame(number), now)
    parts += playout.flush(now)
    samples = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    assert len(samples) % 160 == 0
    return [int(sample) for sample in samples[::160]]


def steady(numbers: list[int]) -> list[tuple[int, int, float]]:
    return [(number, 0, 0.02 * place) for place, number in enumerate(numbers)]


def test_packets_come_out_in_order() -> None:
    assert heard(Playout(), steady([0, 2, 1, 3, 5, 6, 4, 7])) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_what_is_missing_is_silence() -> None:
    assert heard(Playout(), steady([0, 1, 2, 5, 6, 7, 8, 9, 10])) == [1, 2, 3, 0, 0, 6, 7, 8, 9, 10, 11]


def test_what_comes_too_late_is_dropped() -> None:
    playout = Playout(depth=2)
    assert heard(playout, steady([0, 1, 2, 4, 5, 6, 3, 7])) == [1, 2, 3, 0, 5, 6, 7, 8]
    assert playout.late == 1


def test_doubles_are_heard_once() -> None:
    assert heard(Playout(), steady([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 0, 1])) == [1, 2, 3, 4, 5, 6, 7]


def test_the_timestamp_wraps() -> None:
    assert heard(Playout(), steady(list(range(20))), start=(1 << 32) - 800) == list(range(1, 21))


def test_another_source_goes_on_where_the_first_stopped() -> None:
    packets = [(number, 0, 0.02 * number) for number in range(8)]
    packets += [(number + 5000, 1, 0.02 * number) for number in range(8, 16)]
    assert heard(Playout(), packets) == [*range(1, 9), *(number + 5001 for number in range(8, 16))]


def test_a_jump_is_a_new_stream_not_silence() -> None:
    for jump in (1000, -1000, 32768 // 160, 30 * 50, 100_000):
        packets = [(number, 0, 0.02 * number) for number in range(10)]
        packets += [(number + jump, 0, 0.02 * number) for number in range(10, 20)]
        assert len(heard(Playout(), packets, start=1 << 30)) == 20


def test_a_pause_is_silence_as_long_as_it_was() -> None:
    packets = [(number, 0, 0.02 * number) for number in [*range(10), *range(200, 210)]]
    assert heard(Playout(), packets) == [*range(1, 11), *[0] * 190, *range(201, 211)]


def test_nobody_fills_the_disk() -> None:
    playout = Playout()
    made = 0
    for number in range(100_000):
        made += sum(map(len, playout.push(number % 3, number * 15_000, frame(0), 0.0001 * number)))
    assert made <= (10 + 1) * 8000


@given(st.integers(), st.integers(0, (1 << 32) - 1), st.floats(0, 0.3))
def test_small_disorder_and_loss_keep_every_packet_in_its_place(seed: int, start: int, loss: float) -> None:
    dice = random.Random(seed)
    numbers = [number for number in range(120) if number == 0 or dice.random() >= loss]
    shuffled = sorted(numbers, key=lambda number: number + dice.uniform(0, 3) * (number > 0))
    out = heard(Playout(), [(number, 0, 0.02 * number) for number in shuffled], start=start)
    present = set(numbers)
    assert out == [number + 1 if number in present else 0 for number in range(max(numbers) + 1)]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, (1 << 32) - 1), st.integers(0, 400), st.floats(0, 2)),
        max_size=60,
    )
)
def test_takes_anything(packets: list[tuple[int, int, int, float]]) -> None:
    playout, now, made = Playout(), 0.0, 0
    for ssrc, timestamp, size, pause in packets:
        now += pause
        made += sum(map(len, playout.push(ssrc, timestamp, np.ones(size, np.int16), now)))
    made += sum(map(len, playout.flush(now)))
    assert made <= (now + 1.0) * 8000 + 1
