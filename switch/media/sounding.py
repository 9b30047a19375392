"""Legs whose other side is the switch itself: their offers and answers, and what brings their sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sdp
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError

from . import holding, serving
from ._sound import Line, Station
from .leg import Agreement, MediaLeg
from .negotiate import Line as PortLine
from .negotiate import terms_of
from .ports import NoPortsLeft
from .said import Agreed, Said, kept
from .serving import LineTerms, Served
from .stream import NO_END

if TYPE_CHECKING:
    from .session import MediaSession
    from .sounds import Heard

Names = tuple[str, ...]
SENDRECV = sdp.Direction.SENDRECV


def serve(
    session: MediaSession,
    leg: MediaLeg,
    offer: bytes,
    codecs: Names = (),
    direction: sdp.Direction = SENDRECV,
) -> bytes:
    """Answer a leg's offer; its sound ends here from now on. RemoteProtocolError: 488; NoPortsLeft."""
    said = leg.hear_offer(offer)
    here = serving.codecs_here(session.plane.rules.converted, codecs)
    description, served = serving.make_answer(said.description, here, direction)
    ports = _ports(session, leg, description, served.line, has_mux=said.wishes[served.line].has_mux)
    answer = leg.write(Said(description, []), ports, leg.security.dress_answer(leg))
    _agree(session, leg, served, said, leg.hear(answer), is_offerer=True)
    return answer


def propose(
    session: MediaSession,
    leg: MediaLeg,
    codecs: Names = (),
    first: str = "",
    direction: sdp.Direction = SENDRECV,
) -> bytes:
    """Offer a leg sound that ends here, with the codec named ``first`` before others. NoPortsLeft."""
    description = serving.make_offer(
        serving.codecs_here(session.plane.rules.converted, codecs), first, direction
    )
    ports = _ports(session, leg, description, 0, has_mux=False)
    dress = leg.security.make_offer(leg, description, False)
    offer = leg.write(Said(description, []), ports, dress)
    leg.proposed = leg.hear(offer)
    return offer


def settle(session: MediaSession, leg: MediaLeg, answer: bytes) -> None:
    """Take the answer to what was proposed. RemoteProtocolError: it cannot be used."""
    if leg.proposed is None:
        raise LocalProtocolError("an answer without an offer")
    said = leg.hear_answer(answer)
    served = serving.take_answer(leg.proposed.description, said.description)
    _agree(session, leg, served, leg.proposed, said, is_offerer=False)


def station_of(session: MediaSession, leg: MediaLeg, heard: Heard | None = None) -> Station:
    """Our side of a leg's sound; ``heard`` is told what happens there."""
    if leg.station is None:
        leg.station = session.plane.sounds.station(heard)
    elif heard is not None:
        session.plane.sounds.listen(leg.station, heard)
    return leg.station


def tap(session: MediaSession, leg: MediaLeg) -> Station | None:
    """Listen to what a leg says to another; what passes is not touched. None: that cannot be understood."""
    if leg.served is None and leg.station is None:
        if _tap_line(leg) is None:
            return None
        _set_tap(session, leg)
    return leg.station


def rate_of(leg: MediaLeg) -> int:
    """Samples a second of what is heard of a leg that is listened to."""
    if leg.served is not None:
        return leg.served.terms.rate
    found = _tap_line(leg)
    return 8000 if found is None else found[1].rate


def untap(session: MediaSession, leg: MediaLeg) -> None:
    """Listen no more."""
    if leg.served is None and leg.station is not None and not session.plane.sounds.is_heard(leg.station):
        for pair in leg.pairs:
            if pair is not None:
                session.plane.engine.tap(pair.index, None)
        let_go(leg)


def renew_tap(session: MediaSession, leg: MediaLeg) -> None:
    """The leg has agreed to something else: whoever listens to it does so still."""
    if leg.served is None:
        _set_tap(session, leg)


def _set_tap(session: MediaSession, leg: MediaLeg) -> None:
    found = _tap_line(leg)
    if found is None:
        return
    i, terms = found
    pair = leg.pair_of(i)
    if pair is not None:
        session.plane.engine.tap(pair.index, Line(terms, station_of(session, leg)))


def _tap_line(leg: MediaLeg) -> tuple[int, LineTerms] | None:
    """The first line of sound that a leg speaks in, and how to hear it."""
    agreement = leg.agreement
    if agreement is None:
        return None
    for i, (stream, own) in enumerate(zip(agreement.agreed.streams, agreement.agreed.terms, strict=True)):
        if own is None or stream.answer.kind != "audio" or own.is_secured or not own.is_rtp:
            continue
        terms = serving.tapped(stream, agreement.side_of(leg, i), is_offerer=leg is agreement.offerer)
        if terms is not None:
            return i, terms
    return None


def watch_served(session: MediaSession, leg: MediaLeg) -> None:
    """From now on its silence counts."""
    if leg.served is not None and (pair := leg.pair_of(leg.served.line)) is not None:
        session.plane.engine.watch(pair.index)


def let_go(leg: MediaLeg) -> None:
    """Nothing is heard of a leg any more."""
    holding.close(leg)
    if leg.station is not None:
        leg.station.close()
    leg.station = leg.served = leg.inner = leg.proposed = None


def _ports(
    session: MediaSession, leg: MediaLeg, description: sdp.Description, line: int, *, has_mux: bool
) -> list[PortLine]:
    try:
        pair = session.pair(leg, line)
        session.resolve(leg)
    except NoPortsLeft:
        session.prune(leg)
        raise
    count = len(description.media)
    return [PortLine(pair.port, has_mux) if i == line else PortLine() for i in range(count)]


def _agree(
    session: MediaSession, leg: MediaLeg, served: Served, offer: Said, answer: Said, *, is_offerer: bool
) -> None:
    """Program the leg's end: what comes from it is heard here, what is said here goes to it."""
    session.unlink(leg)
    leg.inner = leg.inner or MediaLeg(-1, "", session.plane.guard, False)
    offerer, answerer = (leg, leg.inner) if is_offerer else (leg.inner, leg)
    streams = sdp.answers(offer.description, answer.description)
    terms = tuple([terms_of(one) if i == served.line else None for i, one in enumerate(streams)])
    agreed = Agreed(streams, terms, (None,) * len(streams))
    pair, own = leg.pair_of(served.line), terms[served.line]
    if pair is None or own is None:
        raise RemoteProtocolError("no sound that can be made here", status=488)
    wish = (offer if is_offerer else answer).wishes[served.line]
    is_mux = wish.has_mux and (answer if is_offerer else offer).wishes[served.line].has_mux
    try:
        line = Line(served.terms, station_of(session, leg))
    except ValueError as error:  # a codec's library gives out, or its settings do not go together
        raise RemoteProtocolError(str(error), status=488) from error
    leg.security.settle(leg)
    leg.agreement = Agreement(offerer, answerer, kept(offer), kept(answer), agreed)
    leg.served, leg.proposed = served, None
    own, at = own._replace(codec=served.codec), served.line
    stream = session.stream(leg, wish, own, pair, pair, NO_END, None, at)
    stream.is_mux, stream.conversion, stream.may_kernel = is_mux, line, False
    session.plane.engine.program(pair.index, stream)
    leg.security.install(at, pair, stream.rtp, leg.is_nat)
    if session.is_confirmed:
        session.plane.engine.watch(pair.index)
    session.prune(leg)
