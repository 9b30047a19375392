"""Looks at each answered call every five seconds: reports to its legs, notes who is not heard, and why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from switchroom.switch.media.said import again, octets_of
from switchroom.switch.media.stream import NOTHING_CAME

from .judgement import Quality, judge
from .oneway import Expectation, Look, cause_of
from .reporter import REPORT_INTERVAL, Reporter, Spoken

if TYPE_CHECKING:
    from switchroom.switch.media.leg import MediaLeg
    from switchroom.switch.media.negotiate import Clocks
    from switchroom.switch.media.plane import MediaPlane
    from switchroom.switch.media.session import MediaSession
    from switchroom.switch.media.stream import Terms

__all__ = ["Observer", "Quality", "Trouble", "Watch"]

_SLOTS = 5  # of a second each: every session's turn comes in one of them
_MAX_TROUBLES = 4  # that are kept of a call, the latest
_MUTE_AFTER = 3 * REPORT_INTERVAL  # a telephone without RTCP for so long sends none


class _Log(Protocol):
    def info(self, event: str, /, **fields: object) -> object: ...
    def warning(self, event: str, /, **fields: object) -> object: ...


class Trouble(NamedTuple):
    """A leg that was not heard."""

    leg: str  # "caller", "callee"
    cause: str
    began_at: float
    ended_at: float | None = None

    def text(self, now: float) -> str:
        """In one sentence."""
        end = now if self.ended_at is None else self.ended_at
        return f"{self.leg} not heard for {round(end - self.began_at)} s: {self.cause}"


class _Ear:
    """What is remembered of one m-line of one leg between two looks."""

    __slots__ = ("counters", "leg", "line", "quality", "reporter")

    def __init__(self, leg: int, line: int) -> None:
        self.leg, self.line = leg, line
        self.counters = NOTHING_CAME  # at the last look
        self.quality: Quality | None = None
        self.reporter: Reporter | None = None


class Watch:
    """What is remembered of a session."""

    __slots__ = ("began_at", "ears", "present", "troubles")

    def __init__(self, now: float) -> None:
        self.began_at = now
        # Tuples, as there is one of these for each call and hardly ever more than two ears
        self.ears: tuple[_Ear, ...] = ()
        self.present: tuple[Trouble, ...] = ()  # at most one of each leg
        self.troubles: tuple[Trouble, ...] = ()  # that are over

    def is_quiet(self) -> bool:
        """Whether all were heard."""
        return not self.troubles and not self.present

    def texts(self, now: float) -> tuple[str, ...]:
        """Who was not heard, and why."""
        return tuple([trouble.text(now) for trouble in (*self.troubles, *self.present)])

    def ear(self, leg: int, line: int) -> _Ear:
        """The one of that leg and m-line."""
        for ear in self.ears:
            if ear.leg == leg and ear.line == line:
                return ear
        ear = _Ear(leg, line)
        self.ears += (ear,)
        return ear

    def present_of(self, leg: str) -> Trouble | None:
        """What is wrong with a leg now."""
        return next((trouble for trouble in self.present if trouble.leg == leg), None)

    def over(self, trouble: Trouble, now: float) -> None:
        """It is heard again, or there is another cause."""
        self.present = tuple(one for one in self.present if one is not trouble)
        self.troubles = (*self.troubles, trouble._replace(ended_at=now))[-_MAX_TROUBLES:]


class Observer:
    """The one of a media plane. ``clock`` is monotonic."""

    def __init__(
        self, plane: MediaPlane, *, clock: Callable[[], float] = time.monotonic, slot: float = 1.0
    ) -> None:
        self.log: _Log | None = None
        self.counts = {"reports": 0, "one_way": 0}
        self._plane = plane
        self._clock = clock
        self._slot = slot
        self._slots: list[set[MediaSession]] = [set() for _ in range(_SLOTS)]
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to look, in that loop."""
        self._loop = loop
        self._timer = loop.call_later(self._slot, self._on_timer)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop = None

    def begin(self, session: MediaSession, number: int) -> Watch:
        """A call was answered: returns what is to be remembered of it."""
        slot = self._slots[number % _SLOTS]
        slot.add(session)
        return Watch(self._clock())

    def end(self, session: MediaSession, number: int, watch: Watch | None) -> None:
        """It is over, its ports are still there: say goodbye to whom we reported."""
        slot = self._slots[number % _SLOTS]
        slot.discard(session)
        if watch is None or not watch.ears:
            return
        for ear in watch.ears:
            pair = session.legs[ear.leg].pair_of(ear.line)
            if ear.reporter is not None and pair is not None:
                self._plane.engine.report(pair.index, pair.generation, ear.reporter.farewell())

    def sessions(self) -> list[MediaSession]:
        """Those that are looked at."""
        return [session for slot in self._slots for session in slot]

    def _on_timer(self) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_later(self._slot, self._on_timer)
        self._turn = (self._turn + 1) % _SLOTS
        now = self._clock()
        for session in list(self._slots[self._turn]):
            self.look_at(session, now)

    def look_at(self, session: MediaSession, now: float) -> None:
        """One look at both legs, or at those whose other side is the switch."""
        watch = session.watch
        if watch is None:
            return
        lines = _lines(session)
        looks = {(leg.number, i): self._read(leg, i) for leg, _, i, _ in lines}
        for leg, other, i, terms in lines:
            look = looks[leg.number, i]
            from_us = _said_by_us(leg, i)
            opposite = look if other is None or from_us else looks[other.number, i]
            ear = watch.ear(leg.number, i)
            assert leg.agreement is not None
            if leg.agreement.agreed.streams[i].answer.kind == "audio":
                self._check(session, watch, leg, i, terms, ear, look, now)
                ear.quality = _judged(leg, i, terms, look, opposite)
            if not terms.is_secured:
                self._report(leg, i, ear, look, opposite, from_us, watch.began_at, now)
            ear.counters = look.counters

    def _read(self, leg: MediaLeg, i: int) -> Look:
        pair = leg.pair_of(i)
        if pair is None:
            return Look()
        engine = self._plane.engine
        return Look(engine.read(pair.index, pair.generation), engine.read_detail(pair.index, pair.generation))

    # -- who is not heard

    def _check(
        self,
        session: MediaSession,
        watch: Watch,
        leg: MediaLeg,
        i: int,
        terms: Terms,
        ear: _Ear,
        look: Look,
        now: float,
    ) -> None:
        cause = ""
        if terms.is_counted:
            silent_for = now - max(watch.began_at, look.detail.last_at or 0.0)
            cause = cause_of(ear.counters, look, _expected(leg, i), silent_for)
        name = "caller" if leg is session.legs[0] else "callee"
        present = watch.present_of(name)
        if present is not None and present.cause != cause:
            watch.over(present, now)
            if not cause and self.log is not None:
                self.log.info("media.heard_again", call=session.key, leg=present.leg)
            present = None
        if cause and present is None:
            began_at = max(watch.began_at, look.detail.last_at or 0.0)
            watch.present += (Trouble(name, cause, began_at),)
            self.counts["one_way"] += 1
            if self.log is not None:
                self.log.warning("media.not_heard", call=session.key, leg=name, cause=cause)

    # -- reports

    def _report(
        self,
        leg: MediaLeg,
        i: int,
        ear: _Ear,
        look: Look,
        other: Look,
        from_us: Clocks | None,
        began_at: float,
        now: float,
    ) -> None:
        """Report to a leg, unless the other one does so itself."""
        agreement, pair = leg.agreement, leg.pair_of(i)
        assert agreement is not None
        side = agreement.side_of(leg, i)
        clocks = from_us or (side.clocks if side is not None and side.is_converted else None)
        rtcp_at = other.detail.rtcp_at
        if pair is None or not (look.detail.ssrc or other.detail.ssrc):
            return
        if clocks is None and (rtcp_at is not None and now - rtcp_at < _MUTE_AFTER):
            return
        if clocks is None and now - began_at < REPORT_INTERVAL:
            return  # it may be about to
        if ear.reporter is None:
            ear.reporter = Reporter()
        detail = look.detail
        quality = ear.quality if _wants_metrics(leg) else None
        utc = time.time()
        spoken = _spoken(other, clocks)
        data = ear.reporter.report(detail, spoken, now, utc, quality)
        self._plane.engine.report(pair.index, pair.generation, data)
        self.counts["reports"] += 1


def _lines(session: MediaSession) -> list[tuple[MediaLeg, MediaLeg | None, int, Terms]]:
    """Each leg's m-lines of RTP, and the leg that it hears there; None: it hears the switch."""
    first = session.legs[0] if session.legs else None
    second = None if first is None else first.partner
    found: list[tuple[MediaLeg, MediaLeg | None, int, Terms]] = []
    if first is None or second is None or first.agreement is None:
        for leg in session.legs:
            if leg.served is not None and leg.agreement is not None:
                terms = leg.agreement.agreed.terms[leg.served.line]
                if terms is not None:
                    found.append((leg, None, leg.served.line, terms))
        return found
    for i, terms in enumerate(first.agreement.agreed.terms):
        if terms is not None and terms.is_rtp:
            found += [(first, second, i, terms), (second, first, i, terms)]
    return found


def _said_by_us(leg: MediaLeg, i: int) -> Clocks | None:
    """The clock of what the switch itself says to a leg; None: it hears another leg."""
    if leg.served is not None:
        terms = leg.served.terms
    elif leg.waiting is not None and leg.waiting.line == i:
        terms = leg.waiting.terms
    else:
        return None
    return ((terms.payload_type, terms.formats[0].clock_rate),)


def _spoken(other: Look, clocks: Clocks | None) -> Spoken:
    """What a leg hears of the other: as it came, or as the converter made it (with the leg's own clocks)."""
    detail, made = other.detail, other.detail.made
    if clocks is not None:
        rate = clocks[0][1] if clocks else 8000
        return Spoken(made.ssrc, made.timestamp, made.at, rate, made.packets, made.octets)
    counters = other.counters
    octets = max(0, counters.size - 12 * counters.packets)
    spoken_at = detail.last_at if detail.clock_rate else None
    return Spoken(detail.ssrc, detail.timestamp, spoken_at, detail.clock_rate, counters.packets, octets)


def _expected(leg: MediaLeg, i: int) -> Expectation:
    assert leg.agreement is not None
    stream = leg.agreement.agreed.streams[i]
    said = leg.agreement.offer if leg is leg.agreement.offerer else leg.agreement.answer
    wish = again(said).wishes[i]
    formats = {int(one) for one in (*stream.offer.formats, *stream.answer.formats) if one.isdigit()}
    if (side := leg.agreement.side_of(leg, i)) is not None:
        formats = {one.payload_type for one in side.conversion.incoming}
    place = None if leg.is_nat or wish.host is None else (wish.host, wish.port)
    return Expectation(place, frozenset(formats))


def _judged(leg: MediaLeg, i: int, terms: Terms, look: Look, other: Look) -> Quality | None:
    if not look.detail.ssrc or leg.agreement is None:
        return None
    side = leg.agreement.side_of(leg, i)
    codec = terms.codec if side is None else side.codec
    return judge(codec, look.detail, look.counters.jitter_ms, other.detail.heard.round_trip)


def _wants_metrics(leg: MediaLeg) -> bool:
    """Whether a leg asked for RTCP XR; RFC 3611 §5.1."""
    assert leg.agreement is not None
    said = leg.agreement.offer if leg is leg.agreement.offerer else leg.agreement.answer
    data = octets_of(said)
    return b"a=rtcp-xr:" in data and b"voip-metrics" in data
