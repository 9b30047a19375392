"""The clock and the watchdog."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from switchroom.switch.net import LAG_BOUNDS, Clock, Watchdog

from .desk import TIMEOUT, Log


class Times:
    """Two clocks to walk by hand."""

    def __init__(self) -> None:
        self.monotonic = 1000.0
        self.wall = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()

    def clock(self) -> Clock:
        return Clock(lambda: self.monotonic, lambda: self.wall)

    def walk(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds


def test_utc_is_aware_and_right_for_past_and_present() -> None:
    times = Times()
    clock = times.clock()
    then = clock.now()
    times.walk(90)
    assert clock.utc(clock.now()) == datetime(2026, 3, 1, 12, 1, 30, tzinfo=UTC)
    assert clock.utc(then) == datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("step", [3600.0, -3600.0, 30 * 86400.0])
def test_a_step_of_the_wall_clock_moves_no_duration(step: float) -> None:
    times = Times()
    clock = times.clock()
    answered_at = clock.now()
    times.walk(60)
    times.wall += step  # by NTP, or by hand
    times.walk(60)
    ended_at = clock.now()
    assert ended_at - answered_at == 120.0
    assert clock.utc(ended_at) - clock.utc(answered_at) == timedelta(seconds=120)
    assert clock.utc(ended_at).timestamp() == times.wall


def test_what_was_stored_by_the_wall_clock_comes_back_as_monotonic() -> None:
    times = Times()
    expires = times.clock().utc(times.monotonic + 300)
    times.walk(100)
    assert times.clock().monotonic_of(expires) == pytest.approx(times.monotonic + 200)


def test_the_real_clock_is_the_loops() -> None:
    clock = Clock()
    assert abs(clock.now() - time.monotonic()) < 0.1
    assert abs(clock.utc(clock.now()) - datetime.now(UTC)) < timedelta(seconds=1)


class Ticks:
    """A clock that tells who asks, so that a test need not sleep until the watchdog has looked."""

    def __init__(self, lag: float) -> None:
        self.asked = 0
        self.lag = lag
        self.was_asked = asyncio.Event()
        self.clock = Clock(self.now)

    def now(self) -> float:
        self.asked += 1
        if self.asked >= 4:  # armed, looked, armed, looked
            self.was_asked.set()
        return time.monotonic() + (self.lag if self.asked % 2 == 0 else 0.0)


@pytest.mark.parametrize(("lag", "is_logged"), [(0.2, True), (0.0, False)])
async def test_the_watchdog_measures_and_logs_lag(lag: float, is_logged: bool) -> None:
    log, ticks = Log(), Ticks(lag)
    watchdog = Watchdog(log, clock=ticks.clock, interval=0.01, threshold=0.15)
    watchdog.start()
    async with asyncio.timeout(TIMEOUT):
        await ticks.was_asked.wait()
    watchdog.stop()
    assert sum(watchdog.counts) >= 1
    assert watchdog.max_lag >= lag
    assert watchdog.quantile(0.99) >= lag
    assert watchdog.lag_sum >= watchdog.max_lag
    assert [event for event, _ in log.lines] == ["net.loop_lag"] * len(log.lines)
    assert bool(log.lines) == is_logged


async def test_a_blocked_loop_is_noticed() -> None:
    log = Log()
    watchdog = Watchdog(log, clock=Clock(), interval=0.005, threshold=0.05)
    watchdog.start()
    time.sleep(0.1)  # noqa: ASYNC251 - what the watchdog is there for
    async with asyncio.timeout(TIMEOUT):
        await log.written.wait()
    watchdog.stop()
    assert 0.05 < watchdog.max_lag < TIMEOUT
    assert log.lines[0][0] == "net.loop_lag"
    assert log.lines[0][1]["lag_ms"] == pytest.approx(watchdog.max_lag * 1000, abs=0.1)


def test_quantiles_of_the_histogram() -> None:
    watchdog = Watchdog(Log(), clock=Clock())
    watchdog.counts[0] = 98
    watchdog.counts[4] = 1
    watchdog.counts[-1] = 1
    watchdog.max_lag = 3.0
    assert watchdog.quantile(0.5) == LAG_BOUNDS[0]
    assert watchdog.quantile(0.99) == LAG_BOUNDS[4]
    assert watchdog.quantile(1.0) == 3.0
