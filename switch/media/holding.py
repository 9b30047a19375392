"""Music on hold: who is kept waiting hears it from here, whatever the one who holds sends.

Hold is when the other end of a call that was up stops to listen; RFC 3264 §8.4. A first offer that only sends
is an announcement, and passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from switchroom.codecs import CodecError
from switchroom.protocols import sdp

from ._sound import Line, Station
from .clips import Clips, Sound
from .entering import Entries
from .negotiate import direction_of
from .said import Said, again
from .serving import LineTerms, spoken
from .stream import NO_END
from .transcoding import answer_of

if TYPE_CHECKING:
    from ._engine import Stream
    from .leg import Agreement, MediaLeg
    from .ports import Pair
    from .session import MediaSession
    from .sounds import Sounds

SENDONLY, SENDRECV = sdp.Direction.SENDONLY, sdp.Direction.SENDRECV


class Waiting(NamedTuple):
    """A leg whose sound ends here for a while: on hold, or holding."""

    line: int
    terms: LineTerms
    station: Station


class Music:
    """Plays to whoever is on hold; ``sounds``: one after the other, again and again."""

    def __init__(self, clips: Clips, sounds: Callable[[], Sounds]) -> None:
        self.default: tuple[Sound, ...] = ()
        self.choose: Callable[[MediaSession, MediaLeg], tuple[Sound, ...]] = lambda session, holder: ()
        self.on_fault: Callable[[str], object] = lambda text: None
        self.clips = clips
        self.entries = Entries(_terms)
        self._sounds = sounds
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, session: MediaSession, holder: MediaLeg) -> tuple[Sound, ...]:
        """What somebody's callers hear while they wait; nothing: what that phone sends."""
        return self.choose(session, holder) or self.default

    # -- calls between two legs

    def shown(self, session: MediaSession, source: MediaLeg, offer: Said) -> Said:
        """An offer that would have the other end hear nothing, so that it listens to us."""
        if not self.of(session, source):
            return offer
        description = offer.description
        media = tuple([self._heard(description, media) for media in description.media])
        if media == description.media:
            return offer
        return offer.shown_as(replace(description, media=media))

    @staticmethod
    def _heard(description: sdp.Description, media: sdp.Media) -> sdp.Media:
        if media.kind != "audio" or media.is_rejected or not media.is_rtp:
            return media
        is_silent = direction_of(description, media) is sdp.Direction.INACTIVE
        return media.with_direction(SENDONLY) if is_silent else media

    def told(self, offer: Said, answer: Said) -> Said:
        """The answer to such an offer, with no more than that had."""
        pairs = list(zip(offer.description.media, answer.description.media, strict=True))
        media = tuple([_bounded(offer.description, one, answer.description, two) for one, two in pairs])
        if media == answer.description.media:
            return answer
        return answer.shown_as(replace(answer.description, media=media))

    def attend(self, session: MediaSession, agreement: Agreement, offer: Said, answer: Said) -> None:
        """Two legs have agreed to something: find out who holds whom, and who hears music."""
        self._attend(session, agreement, offer, answer)
        self.entries.renew(agreement)

    def _attend(self, session: MediaSession, agreement: Agreement, offer: Said, answer: Said) -> None:
        i = next((i for i, one in enumerate(offer.description.media) if one.kind == "audio"), None)
        if i is None:
            return
        one, two = agreement.offerer, agreement.answerer
        offered = direction_of(offer.description, offer.description.media[i])
        answered = direction_of(answer.description, answer.description.media[i])
        one.is_holding = not offered.can_receive
        if offered is SENDRECV:  # else the answer follows from the offer, and says nothing of its own
            two.is_holding = not answered.can_receive
        if one.is_holding and answered.can_receive and self._hold(session, agreement, two, one, i):
            return
        if two.is_holding and offered.can_receive and self._hold(session, agreement, one, two, i):
            return
        close(one)
        close(two)

    def _hold(
        self, session: MediaSession, agreement: Agreement, held: MediaLeg, holder: MediaLeg, i: int
    ) -> bool:
        sounds = self.of(session, holder)
        if not sounds:
            return False
        heard, sent = _terms(agreement, held, i), _terms(agreement, holder, i)
        if heard is None or sent is None:
            return False  # encrypted from end to end, or in a codec that is not here
        self._wait(held, i, heard, sounds)
        self._wait(holder, i, sent._replace(is_said=False), ())
        return True

    def instead(self, leg: MediaLeg, i: int, pair: Pair, stream: Stream) -> Stream:
        """What the engine is told of a leg that is on hold or holds, or whose call is spoken into."""
        waiting = leg.waiting
        if waiting is None or waiting.line != i:
            return self.entries.instead(leg, i, pair, stream)
        line = Line(waiting.terms, waiting.station)
        stream.terms = stream.terms._replace(is_counted=False)
        stream.peer, stream.conversion, stream.may_kernel = pair.index, line, False
        return stream

    # -- legs that wait alone

    def entertain(self, session: MediaSession, leg: MediaLeg) -> None:
        """Play to a leg whose partner has gone, until its next agreement."""
        agreement = leg.agreement
        if agreement is None or not self.default:
            return
        for i, stream in enumerate(agreement.agreed.streams):
            pair = leg.pair_of(i)
            if stream.answer.kind == "audio" and pair is not None:
                terms = _terms(agreement, leg, i)
                if terms is not None:
                    self._wait(leg, i, terms, self.default)
                    self._program_alone(session, leg, i, pair)
                return

    def _program_alone(self, session: MediaSession, leg: MediaLeg, i: int, pair: Pair) -> None:
        """Connect a leg with nobody but what stands for its partner."""
        agreement = leg.agreement
        assert agreement is not None
        terms = agreement.agreed.terms[i]
        if terms is None:
            return
        wish = again(agreement.offer if agreement.offerer is leg else agreement.answer).wishes[i]
        stream = session.stream(leg, wish, terms, pair, pair, NO_END, None, i)
        stream.is_mux = wish.has_mux
        session.plane.engine.program(pair.index, self.instead(leg, i, pair, stream))
        leg.security.install(i, pair, stream.rtp, leg.is_nat)

    # -- a station

    def play(self, station: Station, rate: int, sounds: tuple[Sound, ...]) -> None:
        """Let somebody hear it as soon as it is there."""
        task = asyncio.get_running_loop().create_task(self._play(station, rate, sounds), name="hold music")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, station: Station, rate: int, sounds: tuple[Sound, ...]) -> None:
        try:
            clip = await self.clips.load(*sounds, rate=rate)
        except (OSError, CodecError) as error:
            self.on_fault(str(error))
            return
        if not station.is_closed:
            station.play(clip, 0)

    def _wait(self, leg: MediaLeg, i: int, terms: LineTerms, sounds: tuple[Sound, ...]) -> None:
        before = leg.waiting
        if before is not None and _sort_of(before.terms) == _sort_of(terms):
            leg.waiting = Waiting(i, terms, before.station)
            return
        close(leg)
        leg.waiting = Waiting(i, terms, self._sounds().station())
        if sounds:
            self.play(leg.waiting.station, terms.rate, sounds)


def _sort_of(terms: LineTerms) -> tuple[int, bool]:
    return terms.rate, terms.is_said


def _terms(agreement: Agreement, leg: MediaLeg, i: int) -> LineTerms | None:
    """How to speak to one end of what was agreed on with another leg; None: that cannot be done here."""
    agreed = agreement.agreed
    stream, own, plan = agreed.streams[i], agreed.terms[i], agreed.plans[i]
    if own is None or own.is_secured or not own.is_rtp:
        return None
    if leg is agreement.answerer:
        return spoken(stream.answer, stream.answer)
    answer = stream.answer if plan is None else answer_of(stream.answer, plan)
    return spoken(again(agreement.offer).description.media[i], answer)


def close(leg: MediaLeg) -> None:
    """Nothing of ours plays to it any more."""
    waiting, leg.waiting = leg.waiting, None
    if waiting is not None:
        waiting.station.close()


def _bounded(
    offer: sdp.Description, offered: sdp.Media, answer: sdp.Description, answered: sdp.Media
) -> sdp.Media:
    if offered.kind != "audio" or answered.is_rejected:
        return answered
    is_silent = direction_of(offer, offered) is sdp.Direction.INACTIVE
    return answered.with_direction(sdp.Direction.INACTIVE) if is_silent else answered
