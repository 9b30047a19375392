"""A call between two telephones that somebody speaks into: for that time the sound of both ends here.

Nothing is negotiated for it. Each leg goes on in its codec; what its other end hears is made here, as it is
for one who is on hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from . import serving
from ._sound import Line, Station
from .said import again

if TYPE_CHECKING:
    from ._engine import Stream
    from .leg import Agreement, MediaLeg
    from .ports import Pair
    from .serving import LineTerms
    from .session import MediaSession

Spoken = Callable[["Agreement", "MediaLeg", int], "LineTerms | None"]


class Entry(NamedTuple):
    """One of the two legs of such a call."""

    line: int
    terms: LineTerms
    station: Station


class Entries:
    """The legs of all calls that somebody speaks into."""

    def __init__(self, spoken: Spoken) -> None:
        self._spoken = spoken  # how to speak to one end of what was agreed on
        self._of: dict[MediaLeg, Entry] = {}

    def enter(self, session: MediaSession, one: MediaLeg, two: MediaLeg) -> tuple[Station, Station]:
        """Take the sound of two legs that hear each other. LookupError: that cannot be done here."""
        agreement = one.agreement
        if agreement is None or one.partner is not two or one in self._of or two in self._of:
            raise LookupError("the call is not one that can be spoken into")
        stations = session.plane.sounds.station(), session.plane.sounds.station()
        for leg, station in zip((one, two), stations, strict=True):
            found = self._terms(agreement, leg)
            if found is None:
                self._forget(one, two)
                raise LookupError("the sound of the call cannot be spoken into")
            self._of[leg] = Entry(*found, station)
            leg.is_entered = True
        _link_again(session, agreement)
        return stations

    def leave(self, session: MediaSession, one: MediaLeg, two: MediaLeg) -> None:
        """What the two say passes again as it did."""
        self._forget(one, two)
        agreement = one.agreement
        if agreement is not None and agreement is two.agreement and one.partner is two:
            _link_again(session, agreement)

    def renew(self, agreement: Agreement) -> None:
        """Two legs have agreed to something else: whoever speaks into their call does so still, if he can."""
        legs = agreement.offerer, agreement.answerer
        if not any(leg.is_entered for leg in legs):
            return
        found = [self._terms(agreement, leg) if leg in self._of else None for leg in legs]
        for leg, terms in zip(legs, found, strict=True):
            if terms is None:
                self._forget(*legs)
                return
            self._of[leg] = Entry(*terms, self._of[leg].station)

    def instead(self, leg: MediaLeg, i: int, pair: Pair, stream: Stream) -> Stream:
        """What the engine is told of such a leg."""
        entry = self._of.get(leg)
        if entry is None or entry.line != i:
            return stream
        line = Line(entry.terms, entry.station)
        stream.peer, stream.conversion, stream.may_kernel = pair.index, line, False
        return stream

    def _terms(self, agreement: Agreement, leg: MediaLeg) -> tuple[int, LineTerms] | None:
        """The first line of sound, and how it is heard and spoken."""
        for i, stream in enumerate(agreement.agreed.streams):
            if stream.answer.kind != "audio" or agreement.agreed.terms[i] is None:
                continue
            said = self._spoken(agreement, leg, i)
            side, is_offerer = agreement.side_of(leg, i), leg is agreement.offerer
            heard = serving.tapped(stream, side, is_offerer=is_offerer)
            if said is None or heard is None:
                return None
            return i, said._replace(formats=heard.formats, is_heard=True, is_said=not leg.is_holding)
        return None

    def _forget(self, *legs: MediaLeg) -> None:
        for leg in legs:
            entry, leg.is_entered = self._of.pop(leg, None), False
            if entry is not None:
                entry.station.close()


def _link_again(session: MediaSession, agreement: Agreement) -> None:
    session.link(agreement, again(agreement.offer), again(agreement.answer))
