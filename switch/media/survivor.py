"""What outlives the process of a session: agreement, ports and keys, with which a later one goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .leg import Agreement, LegState, MediaLeg
from .negotiate import Line
from .said import agree, kept, octets_of
from .security.keeping import export_channels, take_up_channels

if TYPE_CHECKING:
    from .session import MediaSession

# Flags, the offer, the answer, the legs; as JSON has it, octets may be text
SessionState = tuple[int, bytes, bytes, LegState, LegState]
KeptState = SessionState | tuple[str]  # sealed
_FIRST_OFFERED, _FIRST_HOLDS, _SECOND_HOLDS = 1, 2, 4


def export_media(session: MediaSession, one: MediaLeg, two: MediaLeg) -> KeptState | None:
    """What to keep of two legs that hear each other, without a copy of anything.

    None: they do not, or one is secured in a way that ends with this process.
    """
    agreement = one.agreement
    if agreement is None or one.partner is not two or two.agreement is not agreement:
        return None
    flags = _FIRST_OFFERED if agreement.offerer is one else 0
    if one.is_holding:
        flags |= _FIRST_HOLDS
    if two.is_holding:
        flags |= _SECOND_HOLDS
    offer, answer = octets_of(agreement.offer), octets_of(agreement.answer)
    state = flags, offer, answer, one.export(), two.export()
    if one.security.is_secured() or two.security.is_secured():
        return _sealed(session, state, one, two)
    return state


def _sealed(session: MediaSession, state: SessionState, one: MediaLeg, two: MediaLeg) -> tuple[str] | None:
    """The same with keys, which only this switch can read. Of several lines they are not kept."""
    keeper = session.plane.guard.keeper
    keys = export_channels(one.security), export_channels(two.security)
    if keeper is None or len(one.pairs) > 1 or len(two.pairs) > 1:
        return None
    if None in keys:  # a handshake goes on
        keeper.wait_for(session)
        return None
    return (keeper.seal(session, (*state, *keys)),)


def restore_media(session: MediaSession, state: KeptState) -> None:
    """Go on where a session of an earlier process was: the same ports, the same agreement.

    NoPortsLeft: somebody else has them now. What was learnt behind a NAT is learnt again.
    """
    opened: Sequence[Any] = state
    if len(state) == 1:
        if session.plane.guard.keeper is None:
            raise ValueError("there is no key for what was sealed")
        opened = session.plane.guard.keeper.open(state[0])
    flags, offer, answer, *legs = opened[:5]
    for toward, is_nat, bound, host, sent, ports in legs:
        leg = session.leg(toward, is_nat)
        leg.take_up(bound, host, _octets(sent))
        for port in ports:
            leg.pairs.append(session.plane.take_again(session, bound, port) if port else None)
    for leg, keys in zip(session.legs, opened[5:], strict=False):
        take_up_channels(leg.security, session.plane.guard, keys)
    one, two = session.legs
    offerer, answerer = (one, two) if flags & _FIRST_OFFERED else (two, one)
    offered, answered = offerer.hear(_octets(offer)), answerer.hear(_octets(answer))
    pairs = [answerer.pair_of(i) for i in range(len(offered.wishes))]
    lines = [Line(0 if pair is None else pair.port) for pair in pairs]
    shown = answerer.hear(answerer.sent) if answerer.sent else offered
    if len(shown.wishes) != len(lines):
        shown = offered  # what it saw since then was refused
    agreed = agree(offered, shown, lines, answered, session.plane.rules.converted)
    agreement = Agreement(offerer, answerer, kept(offered), kept(answered), agreed)
    session.link(agreement, offered, answered)
    session.confirm()
    if flags & (_FIRST_HOLDS | _SECOND_HOLDS):  # whoever waits hears music again
        session.link(agreement, offered, answered)


def _octets(state: bytes | str) -> bytes:
    return state if isinstance(state, bytes) else state.encode("latin-1")
