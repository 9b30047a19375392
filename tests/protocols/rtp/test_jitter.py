"""The jitter buffer on simulated traces: how much delay for how much loss; and its rules, one by one."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchroom.protocols.rtp.jitter import SLOTS, Action, Arrival, Decision, JitterBuffer, JitterConfig

from . import traces
from .traces import FRAME, RATE, Sent

COUNT = 1500


# -- traces: the figures of docs/samples.md


def test_a_steady_stream_is_played_whole_with_no_more_delay_than_ticks_need() -> None:
    heard = traces.play(traces.trace(traces.constant(COUNT)))
    assert heard.played == list(range(COUNT))
    assert heard.mean_delay < 0.05 + 0.02  # the network's and at most a tick
    assert heard.buffer.statistics.jitter <= 1


def test_a_jittery_stream_costs_the_delay_that_its_histogram_asks_for() -> None:
    packets = traces.trace(traces.gaussian(COUNT, 0.01))
    heard = traces.play(packets)
    assert heard.loss(COUNT) < 0.01
    assert heard.mean_delay < 0.05 + 0.01 * 3 + 0.02
    assert heard.played == sorted(heard.played)  # though they came in another order
    assert [packet.index for packet in packets] != heard.played


def test_where_jitter_is_strong_less_is_lost_than_with_a_fixed_delay_of_60_ms() -> None:
    packets = traces.trace(traces.gaussian(COUNT, 0.03))
    adaptive = traces.play(packets).loss(COUNT)
    fixed = traces.play(packets, JitterConfig(is_fixed=True, initial_delay=0.06)).loss(COUNT)
    assert adaptive <= 0.03 < fixed


def test_bursts_are_heard_with_less_delay_than_a_fixed_buffer_needs_for_the_same_loss() -> None:
    packets = traces.trace(traces.bursty(COUNT))
    adaptive = traces.play(packets)
    fixed = traces.play(packets, JitterConfig(is_fixed=True, initial_delay=0.06))
    assert adaptive.loss(COUNT) < 0.04
    assert adaptive.mean_delay < fixed.mean_delay


@pytest.mark.parametrize("ppm", [-200, 200])
def test_a_clock_that_drifts_is_followed_by_stretching_and_not_by_loss(ppm: int) -> None:
    count = 15_000  # five minutes: 60 ms of drift
    heard = traces.play(traces.trace(traces.constant(count), ppm))
    statistics = heard.buffer.statistics
    assert heard.played == list(range(count))
    assert heard.mean_delay < 0.05 + 0.03
    grown = heard.delays[-1] - heard.delays[100]
    assert abs(grown) < 0.03
    assert (statistics.shrunk if ppm > 0 else statistics.stretched) >= FRAME


def test_after_a_handover_the_delay_is_that_of_the_new_path() -> None:
    heard = traces.play(traces.trace(traces.handover(COUNT)))
    assert heard.loss(COUNT) < 0.02
    settled = heard.delays[-COUNT // 10 :]
    assert sum(settled) / len(settled) < 0.08 + 0.03


def test_what_is_lost_is_concealed_in_place_and_costs_no_delay() -> None:
    packets = traces.trace(traces.lossy(COUNT, 0.1))
    heard = traces.play(packets)
    assert heard.played == [packet.index for packet in packets]
    assert heard.mean_delay < 0.04 + 0.03
    assert heard.buffer.statistics.lost == pytest.approx(COUNT - len(packets), abs=2)


def test_a_fixed_buffer_stretches_nothing() -> None:
    packets = traces.trace(traces.gaussian(COUNT, 0.01))
    heard = traces.play(packets, JitterConfig(is_fixed=True, initial_delay=0.06))
    assert {decision.stretch for decision in heard.decisions} == {0}
    assert heard.loss(COUNT) == 0


# -- rules


def put(buffer: JitterBuffer, index: int, now: float | None = None, **how: int) -> Arrival:
    arrived = 0.02 * index if now is None else now
    ssrc = how.get("ssrc", 7)
    number, timestamp = how.get("number", index), how.get("timestamp", index * FRAME)
    arrival, _ = buffer.put(
        number % 65536, timestamp % (1 << 32), ssrc, FRAME, arrived, is_noise=bool(how.get("is_noise"))
    )
    return arrival


def decide(buffer: JitterBuffer, now: float) -> Decision:
    return buffer.get(now)


def test_before_anything_comes_there_is_nothing_to_play() -> None:
    buffer = JitterBuffer(JitterConfig())
    assert decide(buffer, 5.0) == Decision(Action.WAIT, duration=FRAME)
    assert buffer.waiting == 0


def test_the_first_packet_is_played_after_the_initial_delay() -> None:
    buffer = JitterBuffer(JitterConfig(initial_delay=0.06))
    assert put(buffer, 0) is Arrival.STORED
    assert decide(buffer, 0.04).action is Action.WAIT
    played = decide(buffer, 0.08)
    assert (played.action, played.slot, played.timestamp, played.duration) == (Action.PLAY, 0, 0, FRAME)


def test_a_packet_that_came_twice_is_played_once() -> None:
    packets = traces.trace(traces.gaussian(300, 0.005))
    twice = sorted(
        [*packets, *(Sent(p.index, p.arrives_at + 0.001, p.sent_at) for p in packets)],
        key=lambda packet: packet.arrives_at,
    )
    heard = traces.play(twice)
    assert len(heard.played) == len(set(heard.played)) >= 297
    statistics = heard.buffer.statistics
    assert statistics.duplicate + statistics.late >= 300
    assert statistics.received == 600


def test_a_packet_that_comes_after_its_time_is_counted_as_late() -> None:
    buffer = JitterBuffer(JitterConfig(initial_delay=0.0))
    for index in (0, 2, 3):
        put(buffer, index)
        decide(buffer, 0.02 * index + 0.03)
    while buffer.waiting:
        decide(buffer, 0.2)
    assert put(buffer, 1, 0.2) is Arrival.LATE
    assert (buffer.statistics.played, buffer.statistics.lost, buffer.statistics.late) == (3, 1, 1)


def test_one_stray_packet_is_not_believed_and_two_make_a_new_source() -> None:
    buffer = JitterBuffer(JitterConfig())
    for index in range(50):
        put(buffer, index)
        decide(buffer, 0.02 * index + 0.01)
    assert put(buffer, 50, ssrc=9, number=7000, timestamp=123456) is Arrival.SUSPECT
    assert put(buffer, 50) is Arrival.STORED
    decide(buffer, 1.01)
    assert put(buffer, 51, ssrc=9, number=7001, timestamp=123616) is Arrival.SUSPECT
    assert put(buffer, 52, ssrc=9, number=7002, timestamp=123776) is Arrival.STORED
    assert buffer.statistics.resyncs == 1
    decisions = [decide(buffer, 1.04 + 0.02 * tick) for tick in range(5)]
    assert 123776 in [one.timestamp for one in decisions if one.action is Action.PLAY]


def test_a_timestamp_that_jumps_with_the_same_ssrc_is_followed() -> None:
    buffer = JitterBuffer(JitterConfig())
    played = 0
    for index in range(200):
        jump = 5_000_000 if index >= 100 else 0
        put(buffer, index, timestamp=index * FRAME + jump)
        played += decide(buffer, 0.02 * index + 0.01).action is Action.PLAY
    assert buffer.statistics.resyncs == 1
    assert played > 190


def test_a_pause_of_the_sender_is_comfort_noise_and_the_next_words_are_played_whole() -> None:
    buffer = JitterBuffer(JitterConfig())
    actions = []
    for tick in range(200):
        number = tick if tick <= 50 else 51 + tick - 150  # DTX: numbers go on, timestamps leave out the pause
        if tick <= 50 or tick >= 150:
            put(buffer, tick, number=number, is_noise=tick == 50)
        actions.append(decide(buffer, 0.02 * tick + 0.01).action)
    assert actions[60:145] == [Action.NOISE] * 85
    assert actions[155:] == [Action.PLAY] * 45
    assert (buffer.statistics.lost, buffer.statistics.late) == (0, 0)


def test_memory_and_delay_are_bounded_whatever_comes_at_once() -> None:
    buffer = JitterBuffer(JitterConfig(max_delay=0.2))
    for index in range(2000):
        put(buffer, index, 1.0)
        assert buffer.waiting <= SLOTS
    played = next(one for one in (decide(buffer, 1.0 + 0.02 * t) for t in range(200)) if one.action == 0)
    assert played.timestamp >= (2000 - SLOTS) * FRAME
    assert buffer.statistics.discarded >= 2000 - SLOTS


def test_a_reset_forgets() -> None:
    buffer = JitterBuffer(JitterConfig())
    put(buffer, 0)
    buffer.reset()
    assert (buffer.waiting, buffer.statistics.received) == (0, 0)
    assert decide(buffer, 1.0).action is Action.WAIT
    buffer.stretched(5)
    buffer.stretched(-7)
    assert (buffer.statistics.stretched, buffer.statistics.shrunk) == (5, 7)


def test_a_clock_that_goes_back_is_no_harm() -> None:
    buffer = JitterBuffer(JitterConfig())
    put(buffer, 0, 10.0)
    put(buffer, 1, 9.0)
    assert decide(buffer, 10.1).action is Action.PLAY


@pytest.mark.parametrize(
    ("name", "value"),
    [("clock_rate", 0), ("frame", 0), ("max_delay", 6.0), ("late_loss", -0.1), ("memory", 5), ("hold", -1.0)],
)
def test_a_configuration_names_what_is_wrong_with_it(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        dataclasses.replace(JitterConfig(), **{name: value})  # type: ignore[arg-type]


def test_a_most_delay_below_the_least_is_refused() -> None:
    with pytest.raises(ValueError, match="max_delay"):
        JitterConfig(min_delay=0.4, max_delay=0.3)


# -- whatever comes


packets_of_any_kind = st.lists(
    st.tuples(
        st.integers(0, 65535), st.integers(0, (1 << 32) - 1), st.integers(0, 2), st.integers(0, 100_000),
        st.floats(-1.0, 3.0), st.booleans(),
    ),
    max_size=60,
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(packets_of_any_kind, st.booleans())
def test_no_packets_do_harm(packets: list[tuple[int, int, int, int, float, bool]], is_fixed: bool) -> None:
    buffer = JitterBuffer(JitterConfig(is_fixed=is_fixed))
    now = 0.0
    slots: set[int] = set()
    for number, timestamp, ssrc, duration, step, is_noise in packets:
        now += step
        arrival, slot = buffer.put(number, timestamp, ssrc, duration, now, is_noise=is_noise)
        assert (arrival is Arrival.STORED) == (slot >= 0)
        slots.add(slot)
        decision = buffer.get(now, 0)
        assert 0 < decision.duration <= RATE
        assert abs(decision.stretch) <= decision.duration
        assert decision.action is not Action.PLAY or decision.slot in slots
        assert 0 <= buffer.waiting <= SLOTS
    statistics = buffer.statistics
    assert statistics.received == len(packets)
    kept = statistics.received - statistics.suspect - statistics.duplicate
    assert statistics.played + buffer.waiting <= kept


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.floats(0, 0.3), st.floats(0, 0.08), st.integers(0, 65535))
def test_a_real_stream_is_played_in_order_each_packet_once(
    seed: int, lost: float, spread: float, first: int
) -> None:
    chance = random.Random(seed)
    delays = [None if chance.random() < lost else chance.uniform(0.01, 0.01 + spread) for _ in range(200)]
    packets = traces.trace([0.01, *delays, 0.01])
    moved = [Sent(p.index + first * 7, p.arrives_at, p.sent_at) for p in packets]
    heard = traces.play(moved)
    assert heard.played == sorted(set(heard.played))
    assert heard.loss(len(moved)) <= 0.25
    assert all(math.isfinite(delay) and 0 < delay < 0.6 for delay in heard.delays)


@pytest.mark.parametrize("begins_at", [0.001, 0.009, 0.013])
@pytest.mark.parametrize("name", ["constant", "gaussian"])
def test_ticks_that_follow_come_just_behind_the_packets(name: str, begins_at: float) -> None:
    packets = traces.trace(getattr(traces, name)(COUNT))
    still = traces.play(packets, begins_at=begins_at)
    moved = traces.play(packets, begins_at=begins_at, can_move=True)
    assert moved.loss(COUNT) <= still.loss(COUNT) + 0.005
    assert moved.mean_delay < {"constant": 0.05 + 0.003, "gaussian": 0.05 + 0.032}[name]
    assert moved.mean_delay < still.mean_delay
    assert moved.moved < COUNT // 4  # milliseconds, in COUNT frames
    assert moved.buffer.statistics.stretched <= still.buffer.statistics.stretched + FRAME


def test_a_clock_that_drifts_is_followed_without_stretching() -> None:
    count = 7_500  # 30 ms of drift
    heard = traces.play(traces.trace(traces.constant(count), 200), can_move=True)
    statistics = heard.buffer.statistics
    assert heard.played == list(range(count))
    assert heard.delays[-1] - heard.delays[COUNT] < 0.005
    assert statistics.stretched <= 2 * FRAME  # at the beginning
