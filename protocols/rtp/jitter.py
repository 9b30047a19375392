"""The jitter buffer: packets in as they come, out what to play now. It has no clock and touches no sample.

A packet's *transit* is its arrival minus its timestamp; the *delay* at which the stream is played is the
same difference for what is heard now. A histogram of transits (delay.py) says which delay is worth bearing.
When the actual one is off, the answer asks for the sound to be stretched or shrunk by so much; pauses simply
last longer or shorter. Numbers and timestamps of another source are made to continue those of the last.
A play-out that has no clock to obey but its own does better: it moves its ticks by ``offset``, and so frames
are asked for just when their packets should be there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from .delay import DelayHistogram
from .jitter_values import SLOTS, Action, Arrival, Decision, JitterConfig, JitterStatistics
from .sequence import MAX_DROPOUT, MAX_MISORDER

__all__ = ["SLOTS", "Action", "Arrival", "Decision", "JitterBuffer", "JitterConfig", "JitterStatistics"]

_NOTHING: Final = -(1 << 40)  # no packet's number


@dataclass(slots=True)
class _Entry:
    number: int = _NOTHING  # extended sequence number
    timestamp: int = 0  # extended and made continuous
    own_timestamp: int = 0
    duration: int = 0
    is_noise: bool = False
    is_waiting: bool = False


@dataclass(slots=True)
class _Source:
    """Where a stream stands: the highest number seen and its timestamp, both extended."""

    ssrc: int = 0
    number: int = 0
    timestamp: int = 0
    duration: int = 0
    number_shift: int = 0  # what makes a later source's numbers follow
    timestamp_shift: int = 0
    suspect: tuple[int, int] | None = None  # SSRC and the number that would follow


@dataclass(slots=True)
class _Cursor:
    """What is to be played next."""

    number: int = 0
    timestamp: int = 0
    duration: int = 0  # of the last packet
    held: int = 0  # ticks that were concealed without moving on
    empty: int = 0  # ticks concealed since the last packet
    is_noise: bool = False
    surplus: int = 0  # ticks for which there was more delay than wanted


@dataclass(slots=True)
class _State:
    source: _Source = field(default_factory=_Source)
    cursor: _Cursor = field(default_factory=_Cursor)
    at: int = 0
    transit: int = 0
    jitter16: int = 0  # RFC 3550 A.8, times 16
    waiting: int = 0
    has_source: bool = False
    is_playing: bool = False


class JitterBuffer:
    """One incoming stream."""

    __slots__ = (
        "_config",
        "_histogram",
        "_hold",
        "_initial",
        "_max",
        "_min",
        "_rate",
        "_ring",
        "_state",
        "is_followed",
        "offset",
        "statistics",
    )

    def __init__(self, config: JitterConfig) -> None:
        self._config = config
        self._rate = config.clock_rate
        self._min = int(config.min_delay * self._rate)
        self._initial = int(config.initial_delay * self._rate)
        self._hold = int(config.hold * self._rate)
        self._max = self._initial + self._hold if config.is_fixed else int(config.max_delay * self._rate)
        self._ring = [_Entry() for _ in range(SLOTS)]
        self.is_followed = False  # the play-out moves its ticks by ``offset``
        self.reset()

    def reset(self) -> None:
        """Forget everything but the configuration."""
        config = self._config
        for index in range(SLOTS):
            self._ring[index] = _Entry()
        self._state = _State()
        self.offset = 0  # ticks by which the play-out would best ask later (> 0) or earlier from now on
        self._histogram = DelayHistogram(
            self._rate, late_loss=config.late_loss, late_cost=config.late_cost, memory=config.memory
        )
        self.statistics = JitterStatistics()

    @property
    def waiting(self) -> int:
        """Packets held."""
        return self._state.waiting

    # -- packets in

    def put(
        self,
        sequence_number: int,
        timestamp: int,
        ssrc: int,
        duration: int,
        now: float,
        *,
        is_noise: bool = False,
    ) -> tuple[Arrival, int]:
        """Take a packet of ``duration`` ticks; returns what became of it and, when stored, its slot.

        The caller keeps the payload under the slot until it is asked to play it or the slot is given again.
        """
        at = self._ticks(now)
        duration = min(max(duration, 1), self._rate)
        self.statistics.received += 1
        if not self._state.has_source:
            self._begin(sequence_number, timestamp, ssrc, at, duration)
        source = self._state.source
        number = source.number + _signed(sequence_number + source.number_shift - source.number, 16)
        extended = source.timestamp + _signed(timestamp + source.timestamp_shift - source.timestamp, 32)
        if self._is_foreign(number, at - extended, ssrc):
            if not self._believe(sequence_number, timestamp, ssrc, at, duration):
                self.statistics.suspect += 1
                return Arrival.SUSPECT, -1
            number, extended = source.number, source.timestamp
        source.suspect = None
        self._measure(at - extended, at)
        if number > source.number:
            source.number, source.timestamp, source.duration = number, extended, duration
        return self._store(_Entry(number, extended, timestamp, duration, is_noise, is_waiting=True))

    def _begin(self, sequence_number: int, timestamp: int, ssrc: int, at: int, duration: int) -> None:
        state = self._state
        state.has_source = True
        state.transit = at - timestamp
        state.source = _Source(ssrc, sequence_number, timestamp, duration)
        state.cursor = _Cursor(sequence_number, timestamp, duration)

    def _is_foreign(self, number: int, transit: int, ssrc: int) -> bool:
        source = self._state.source
        step = number - source.number
        if ssrc != source.ssrc or not -MAX_MISORDER <= step <= MAX_DROPOUT:
            return True
        return (
            not self._histogram.is_empty and abs(transit - self._histogram.mean) > self._rate + 2 * self._max
        )

    def _believe(self, sequence_number: int, timestamp: int, ssrc: int, at: int, duration: int) -> bool:
        """Two in a row make a new source, whose numbers and times continue the old one's; as RFC 3550 A.1."""
        source = self._state.source
        expected = source.suspect
        source.suspect = (ssrc, (sequence_number + 1) & 0xFFFF)
        if expected != (ssrc, sequence_number):
            return False
        number = source.number + 1
        continued = max(source.timestamp + source.duration, at - self._histogram.mean)
        source.number_shift, source.timestamp_shift = number - sequence_number, continued - timestamp
        source.ssrc, source.number, source.timestamp, source.duration = ssrc, number, continued, duration
        self.statistics.resyncs += 1
        return True

    def _measure(self, transit: int, at: int) -> None:
        state, statistics = self._state, self.statistics
        if not self._histogram.is_empty:
            state.jitter16 += abs(transit - state.transit) - ((state.jitter16 + 8) >> 4)  # RFC 3550 A.8
            statistics.jitter = state.jitter16 >> 4
        state.transit = transit
        self._histogram.add(transit, at, self._initial)

    def _store(self, entry: _Entry) -> tuple[Arrival, int]:
        cursor, statistics = self._state.cursor, self.statistics
        if entry.number >= cursor.number + SLOTS:
            self._make_room(entry.number - SLOTS + 1)
        slot = entry.number % SLOTS
        if self._ring[slot].number == entry.number:
            statistics.duplicate += 1
            return Arrival.DUPLICATE, -1
        if entry.number < cursor.number:
            if self._state.is_playing or not self._can_start_with(entry):
                statistics.late += 1
                return Arrival.LATE, -1
            cursor.number, cursor.timestamp = entry.number, entry.timestamp
        self._ring[slot] = entry
        self._state.waiting += 1
        return Arrival.STORED, slot

    def _can_start_with(self, entry: _Entry) -> bool:
        """Whether an older packet than the first one may still be played: nothing was yet, and it fits."""
        return self.statistics.played == 0 and self._state.source.number - entry.number < SLOTS // 2

    def _make_room(self, first: int) -> None:
        """Give up what is older than ``first``."""
        cursor = self._state.cursor
        while cursor.number < first and self._state.waiting:
            entry = self._ring[cursor.number % SLOTS]
            if entry.is_waiting and entry.number == cursor.number:
                self._take(entry)
                self.statistics.discarded += 1
            else:
                cursor.number += 1
        if cursor.number < first:
            cursor.number = first
            self._state.is_playing = False

    def _take(self, entry: _Entry) -> None:
        """The cursor passes a packet."""
        cursor = self._state.cursor
        entry.is_waiting = False
        self._state.waiting -= 1
        cursor.number = entry.number + 1
        cursor.timestamp = max(cursor.timestamp, entry.timestamp + entry.duration)

    # -- what to play

    def get(self, now: float, buffered: int = 0) -> Decision:
        """Say what to append to the ``buffered`` ticks of sound that are still to be played from ``now`` on.

        To be asked again and again at each tick until a frame is there.
        """
        at = self._ticks(now)
        if not self._state.has_source:
            return Decision(Action.WAIT, duration=self._config.frame)
        self._drop_stale(at)
        entry = self._next_waiting()
        if entry is None:
            return self._decide_empty()
        cursor = self._state.cursor
        missing, gap = entry.number - cursor.number, entry.timestamp - cursor.timestamp
        if not self._state.is_playing or gap > missing * cursor.duration + cursor.duration // 2:
            return self._decide_pause(entry, at, buffered)
        if missing and gap > cursor.duration // 2:
            return self._decide_missing(entry, at, buffered)
        return self._play(entry, at, buffered)

    def _drop_stale(self, at: int) -> None:
        """Skip packets whose time was concealed already, and those that would be played too late."""
        state, cursor = self._state, self._state.cursor
        if not state.is_playing:
            return
        while state.waiting:
            entry = self._ring[cursor.number % SLOTS]
            if not entry.is_waiting or entry.number != cursor.number:
                return
            if entry.timestamp + entry.duration // 2 < cursor.timestamp:
                if state.waiting == 1 and 10 * cursor.empty >= self._rate:
                    cursor.timestamp = entry.timestamp  # all come late now: the path became longer
                    return
                self._take(entry)
                self.statistics.late += 1
            elif state.waiting > 1 and at - entry.timestamp > self._histogram.base + self._max:
                self._take(entry)
                self.statistics.discarded += 1
            else:
                return

    def _next_waiting(self) -> _Entry | None:
        if not self._state.waiting:
            return None
        number = self._state.cursor.number
        while True:
            entry = self._ring[number % SLOTS]
            if entry.is_waiting and entry.number == number:
                return entry
            number += 1

    def _decide_empty(self) -> Decision:
        """Nothing is there: wait a little with the stream halted, then let its time pass."""
        state, cursor, frame = self._state, self._state.cursor, self._config.frame
        if not state.is_playing:
            return self._pause(frame)
        cursor.empty += frame
        if cursor.is_noise or cursor.empty > self._rate:
            state.is_playing = False
            return self._pause(frame)
        # a single late packet changes nothing; when more are late it is the delay that is too short
        return self._conceal(frame, is_held=cursor.empty > frame and cursor.held + frame <= self._hold)

    def _decide_pause(self, entry: _Entry, at: int, buffered: int) -> Decision:
        """Before a talk spurt: its first packet is played when its time has come."""
        if at < entry.timestamp + self._wanted():
            return self._pause(self._config.frame)
        self._state.is_playing = True
        return self._play(entry, at, buffered)

    def _decide_missing(self, entry: _Entry, at: int, buffered: int) -> Decision:
        """A packet is missing before ``entry``: skip it, or wait for it where more delay is wanted anyway."""
        cursor, frame = self._state.cursor, self._config.frame
        if cursor.held:  # the time was concealed already
            step = min(cursor.held, entry.timestamp - cursor.timestamp)
            cursor.held -= step
            cursor.timestamp += step
            if entry.timestamp - cursor.timestamp <= cursor.duration // 2:
                return self._play(entry, at, buffered)
        if cursor.held + frame <= self._hold and cursor.timestamp + self._wanted() >= at + frame:
            return self._conceal(frame, is_held=True)
        duration = min(entry.timestamp - cursor.timestamp, cursor.duration)
        if cursor.number < entry.number - 1:
            cursor.number += 1
        slot = entry.number % SLOTS if entry.number == cursor.number + 1 else -1
        return self._conceal(duration, slot=slot)

    def _play(self, entry: _Entry, at: int, buffered: int) -> Decision:
        cursor, statistics = self._state.cursor, self.statistics
        statistics.lost += entry.number - cursor.number
        statistics.played += 1
        stretch = self._stretch(at - entry.timestamp, buffered, entry.duration)
        self._take(entry)
        cursor.timestamp = entry.timestamp + entry.duration
        cursor.duration, cursor.is_noise = entry.duration, entry.is_noise
        cursor.held = cursor.empty = 0
        action = Action.NOISE if entry.is_noise else Action.PLAY
        return Decision(action, entry.number % SLOTS, entry.own_timestamp, entry.duration, stretch)

    def _stretch(self, behind: int, buffered: int, duration: int) -> int:
        """How much longer or shorter to play; fetching is by frames, so delays in between have no use."""
        frame, cursor = self._config.frame, self._state.cursor
        wanted = self._wanted()
        frames = -(-(wanted - behind - (frame // 2 if self.is_followed else 0)) // frame)
        self.offset = wanted - behind - frames * frame
        self.statistics.target_delay = wanted - self._histogram.base
        self.statistics.current_delay = behind + buffered - self._histogram.base
        if self._config.is_fixed:
            return 0
        off = frames * frame - buffered
        if off > 0:
            return min(off, duration)
        cursor.surplus = cursor.surplus + duration if off < 0 else 0
        return max(off, -duration) if 10 * cursor.surplus > 3 * self._rate else 0

    def _wanted(self) -> int:
        """The delay to play at: within the bounds, or fixed."""
        base = self._histogram.base
        if self._config.is_fixed:
            return base + self._initial
        return min(max(self._histogram.wanted(), base + self._min), base + self._max)

    def _conceal(self, duration: int, *, slot: int = -1, is_held: bool = False) -> Decision:
        cursor = self._state.cursor
        self.statistics.concealed += duration
        if is_held:
            cursor.held += duration
        else:
            cursor.timestamp += duration
        return Decision(Action.CONCEAL, slot, cursor.timestamp, duration, is_held=is_held)

    def _pause(self, duration: int) -> Decision:
        self.statistics.paused += duration
        is_before = self.statistics.played == 0
        return Decision(Action.WAIT if is_before else Action.NOISE, duration=duration, is_held=True)

    def _ticks(self, now: float) -> int:
        """The clock in ticks; it never goes back."""
        self._state.at = max(self._state.at, math.floor(now * self._rate + 0.5))
        return self._state.at

    def stretched(self, ticks: int) -> None:
        """Count what a stretch came to: > 0 longer, < 0 shorter."""
        if ticks > 0:
            self.statistics.stretched += ticks
        else:
            self.statistics.shrunk -= ticks


def _signed(value: int, bits: int) -> int:
    """A difference across the wrap."""
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half
