"""Call pickup: somebody answers a call that rings at another's phone.

Both have made an offer, the caller and the one who picks up. Each is answered with the other's description,
as far as its own offer has it (RFC 3264 §6).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from switchroom.protocols import sdp, sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls.hunting.dialling import ANSWERED_ELSEWHERE
from switchroom.switch.calls.leg import Leg, leg_of_caller, offered, sdp_headers, sdp_of
from switchroom.switch.media import NoPortsLeft

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.rules import Caller

_OF_FORMAT = frozenset(("rtpmap", "fmtp", "rtcp-fb"))


def is_allowed(exchange: Exchange, caller: Caller, account: str) -> bool:
    """Whether the caller may answer for an account: its own, or one of the same group (THREATS C12)."""
    if caller.account == account:
        return True
    other = exchange.config.users.get(account)
    group = caller.user.pickup_group if caller.user is not None else None
    return group is not None and other is not None and other.pickup_group == group


def find_ringing(exchange: Exchange, caller: Caller, number: str) -> Leg | None:
    """The leg of a call that rings at a number, or anywhere in the caller's group when there is no number."""
    for call in exchange.calls.values():
        if call.answered_at is not None or call.is_over or call.account == caller.account:
            continue
        for leg in call.forks:
            if leg.is_failed or not leg.account or not is_allowed(exchange, caller, leg.account):
                continue
            user = exchange.config.users.get(leg.account)
            names = () if user is None else (user.name, user.dialled, call.record.callee)
            if (not number and leg.account != caller.account) or number in names:
                return leg
    return None


def pick_up(leg: Leg, event: sip.RequestReceived, caller: Caller, now: float) -> sip.Refusal | None:
    """Answer the call that rings at a leg with the one who calls for it; a refusal when that cannot be."""
    call = leg.call
    dialling = call.dialling
    theirs = sdp_of(event.request)
    if dialling is None or dialling.is_over or call.is_over:
        return sip.Refusal(481)
    if not dialling.errand.offer or not theirs:
        return sip.Refusal(488)  # the description of one would have to come before that of the other
    one = leg_of_caller(call, event, caller, is_a=False)
    try:
        shown = offered(call.media, call.a, one, dialling.errand.offer)
        answer = _met(shown, theirs)
        for_caller = call.media.answer(one.media, call.a.media, _met(theirs, shown))
    except RemoteProtocolError as error:
        call.media.drop(one.media)
        return sip.Refusal(error.status)
    except NoPortsLeft:
        return sip.Refusal(503)
    one.media.sent = answer
    call.accept(one, event, caller, now)
    _connect(call, one, answer, for_caller, now)
    return None


def _connect(call: Call, one: Leg, answer: bytes, for_caller: bytes, now: float) -> None:
    dialling = call.dialling
    assert dialling is not None
    before = [leg for leg in dialling.legs if leg is not one]
    dialling.give_up(now, ANSWERED_ELSEWHERE)
    for leg in before:
        call.media.drop(leg.media)
    dialling.legs = [one]
    call.notes.append(f"picked up by {one.account}")
    one.session.answer(now, body=answer, headers=sdp_headers(answer))
    call._connect(one, now)
    tag = call.exchange.mint.tag() if call.earlies else None
    call.a.session.answer(now, body=for_caller, headers=sdp_headers(for_caller), tag=tag)


def _met(said: bytes, offer: bytes) -> bytes:
    """What somebody said as an answer to an offer: its lines, and of each the codecs that both have."""
    description, asked = sdp.Description.parse(said), sdp.Description.parse(offer)
    media = []
    for i, line in enumerate(asked.media):
        own = description.media[i] if i < len(description.media) else None
        met = None if own is None or line.is_rejected else _met_line(description, own, asked, line)
        media.append(met or sdp.Media(line.kind, 0, line.proto, line.formats))
    if all(line.is_rejected for line in media):
        raise RemoteProtocolError("no stream that both have", status=488)
    return bytes(replace(description, media=tuple(media)))


def _met_line(
    description: sdp.Description, own: sdp.Media, asked: sdp.Description, line: sdp.Media
) -> sdp.Media | None:
    if own.is_rejected or own.kind != line.kind or own.proto != line.proto:
        return None
    formats = own.formats
    if own.is_rtp:
        known = {codec.name.lower() for codec in line.codecs}
        common = [codec for codec in own.codecs if codec.name.lower() in known]
        if all(codec.encoding.lower() == "telephone-event" for codec in common):
            return None
        formats = tuple(str(codec.payload_type) for codec in common)
    kept = tuple(one for one in own.attributes if _is_kept(one, formats, has_mux=line.has_rtcp_mux))
    direction = description.direction_of(own) & asked.direction_of(line).reversed
    return replace(own, formats=formats, attributes=kept).with_direction(direction)


def _is_kept(attribute: sdp.Attribute, formats: tuple[str, ...], *, has_mux: bool) -> bool:
    if attribute.name == "rtcp-mux":
        return has_mux
    if attribute.name not in _OF_FORMAT:
        return True
    number = (attribute.value or "").lstrip(" ").partition(" ")[0]
    return number in formats or number == "*"
