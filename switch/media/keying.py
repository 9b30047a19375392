"""A key that signalling has told, on its way into sound that passes (keying.h); RFC 4733."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .said import again

if TYPE_CHECKING:
    from .leg import Agreement, MediaLeg
    from .session import MediaSession

_KEYS = "0123456789*#ABCD"  # a key's place is its number; §3.2
_EVENT = "telephone-event"
_UNSPOKEN = (_EVENT, "cn")
_PLAIN = frozenset(("PCMU/8000", "PCMA/8000"))
_FLOWS = 0.5  # seconds: where nothing has come for so long, nothing would carry the key


def press(session: MediaSession, leg: MediaLeg, key: str, ms: int) -> bool:
    """Let a leg hear a key of its partner: as telephone-event, or as tones; False: it cannot."""
    agreement, partner = leg.agreement, leg.partner
    if agreement is None or partner is None or len(key) != 1 or key not in _KEYS:
        return False
    for i, stream in enumerate(agreement.agreed.streams):
        terms, pair = agreement.agreed.terms[i], partner.pair_of(i)
        if stream.answer.kind != "audio" or terms is None or pair is None or terms.is_secured:
            continue
        counters = session.plane.engine.read(pair.index, pair.generation)
        if counters.last_at is None or session.plane.now() - counters.last_at > _FLOWS:
            return False
        way = _way(agreement, leg, i)
        if way is None:
            return False
        number, rate = way
        said = (_KEYS.index(key), number, rate, max(ms, 40))
        session.plane.engine.press(pair.index, pair.generation, said)
        return True
    return False


def _way(agreement: Agreement, leg: MediaLeg, i: int) -> tuple[int | None, int] | None:
    """The payload type of telephone-event (None: as tones) and the clock rate of what a leg hears."""
    stream = agreement.agreed.streams[i]
    partner = agreement.answerer if leg is agreement.offerer else agreement.offerer
    side, other = agreement.side_of(leg, i), agreement.side_of(partner, i)
    if side is not None and other is not None:
        return other.conversion.event or ((None, 8000) if side.codec in _PLAIN else None)
    own = again(agreement.offer if leg is agreement.offerer else agreement.answer).description.media[i]
    spoken = next((one for one in stream.answer.codecs if one.encoding.lower() not in _UNSPOKEN), None)
    if spoken is None:
        return None
    for one in own.codecs:
        if one.encoding.lower() == _EVENT and one.clock_rate == spoken.clock_rate:
            return one.payload_type, one.clock_rate
    return (None, 8000) if spoken.name in _PLAIN else None
