"""Before the answer: what the caller hears of the forks, and which media belongs to which (RFC 3960, 5009).

Each answer to the caller's offer is an early dialog of its own, whether it comes from another fork of ours
or from another phone behind the same one: it has its own To tag towards the caller. The media of the answer
that came last is connected, unless its sender says that it has none to give (P-Early-Media).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls import updates
from switchroom.switch.calls.leg import Leg, offered, sdp_headers, sdp_of
from switchroom.switch.calls.passing import of_progress
from switchroom.switch.media import NoPortsLeft

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call

_GIVING = ("sendrecv", "sendonly")  # RFC 5009 §8: from the side that answers


class Early:
    """An answer that came before the call was answered, and the tag under which the caller knows it."""

    __slots__ = ("leg", "remote_tag", "sdp", "tag")

    def __init__(self, leg: Leg, remote_tag: str, sdp: bytes, tag: str | None) -> None:
        self.leg = leg
        self.remote_tag = remote_tag
        self.sdp = sdp  # as it came
        self.tag = tag  # None: the first one, which has the tag that we began with


def on_progress(call: Call, leg: Leg, response: sip.Response, now: float) -> None:
    """A fork rings or plays something: tell the caller."""
    status = response.status
    if status == 199:
        return  # the caller hears of the forks that are left
    sdp = sdp_of(response)
    if not call.has_offer:
        if sdp and "rseq" in response:
            _offer(call, leg, response, sdp, now)
            return
        sdp = b""  # an unreliable 18x may not carry an offer (RFC 3261 §13.2.1)
    early = call.early_of(leg, response.to_tag) if call.earlies else None
    attempt = leg.attempt
    trunk = attempt.trunk if attempt is not None else None
    is_silent = not call.plays_early or (trunk is not None and not trunk.has_early_media)
    body = b""
    leg.answer = sdp or leg.answer  # for a 2xx that does not say it again
    if sdp and is_silent:
        status = 180
    elif sdp and _gives_media(response, early is not None):
        body = take_answer(call, leg, sdp)
        if body and early is None:
            early = Early(leg, response.to_tag or "", sdp, call.exchange.mint.tag() if call.earlies else None)
            call.earlies = [*call.earlies, early]
        elif early is not None:
            early.sdp = sdp
    if not body and status == call.rung:
        return  # the caller knows; another fork, or a repetition
    call.rang(status, now)
    headers = [*of_progress(response), *sdp_headers(body)]
    tag = early.tag if early is not None else None
    reason = response.reason if status == response.status else None
    call.a.session.ring(status, now, reason=reason, headers=headers, body=body, tag=tag)


def take_answer(call: Call, leg: Leg, sdp: bytes) -> bytes:
    """The fork's answer, rewritten for the caller; nothing when it cannot be understood."""
    try:
        return call.media.answer(leg.media, call.a.media, sdp)
    except RemoteProtocolError as error:
        call.exchange.log.info("call.bad_answer", call=call.id, error=str(error))
        return b""


def _gives_media(response: sip.Response, is_known: bool) -> bool:
    """Whether its sender wants early media to be heard; who says nothing does (RFC 5009 §8)."""
    if "p-early-media" not in response:
        return True
    said = (response.get("P-Early-Media") or "").lower()
    return any(word.strip() in _GIVING for word in said.replace(";", ",").split(","))


# -- a call without an offer: the callee makes it in a reliable 18x (RFC 3262 §5)


def _offer(call: Call, leg: Leg, response: sip.Response, sdp: bytes, now: float) -> None:
    """Pass the callee's offer on; the caller's PRACK brings the answer."""
    try:
        body = offered(call.media, leg, call.a, sdp)
    except (RemoteProtocolError, NoPortsLeft) as error:
        call.exchange.log.info("call.bad_offer", call=call.id, error=str(error))
        return
    leg.early_offer = response
    call.early_offerer = leg
    call.rang(response.status, now)
    headers = [*of_progress(response), *sdp_headers(body)]
    call.a.session.ring(response.status, now, None, headers, body, None, True)


def on_acknowledged(
    call: Call, leg: Leg, transaction: sip.ServerTransaction | None, request: sip.Request, now: float
) -> None:
    """A PRACK: with the answer to the offer of a reliable 18x, or with an offer of its own (RFC 3262 §5)."""
    if transaction is not None:
        updates.on_received(leg, transaction, request, now)
        return
    far, sdp = call.early_offerer, sdp_of(request)
    if far is None or far.early_offer is None or not sdp or not leg.is_a:
        return
    response, far.early_offer = far.early_offer, None
    try:
        body = call.media.answer(leg.media, far.media, sdp)
    except RemoteProtocolError as error:
        call.refuse(error.status, str(error), now, ended_by="switch")
        return
    far.session.acknowledge_progress(response, now, body=body)
