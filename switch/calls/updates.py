"""UPDATE from one leg to the other, before the answer and after it (RFC 3311, RFC 6337 §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls.leg import RETRY_AFTER, Leg, offered, sdp_headers, sdp_of
from switchroom.switch.calls.passing import of_refusal
from switchroom.switch.media import NoPortsLeft

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call


def on_received(leg: Leg, transaction: sip.ServerTransaction, request: sip.Request, now: float) -> None:
    """A leg offers other media without a new INVITE; the engine has seen to glare on this side."""
    call, sdp = leg.call, sdp_of(request)
    far, tag = _far(call, leg, request)
    if call.is_over or far is None or far.offer_txn is not None or far.owes_answer:
        transaction.respond(491, now)
        return
    if leg.mover is not None or far.mover is not None or far.session.state is sip.State.TERMINATED:
        transaction.respond(500, now, headers=RETRY_AFTER)  # it is about to have another far end
        return
    if not sdp or not far.session.allows("UPDATE"):
        transaction.respond(488 if sdp else 200, now)
        return
    try:
        body = offered(call.media, leg, far, sdp)
    except RemoteProtocolError as error:
        transaction.respond(error.status, now)
        return
    except NoPortsLeft:
        transaction.respond(503, now, headers=RETRY_AFTER)
        return
    leg.offer_txn = transaction
    far.session.update(now, body=body, headers=sdp_headers(body), tag=tag)


def on_answered(leg: Leg, response: sip.Response, now: float) -> None:
    """The other leg took it."""
    call = leg.call
    far = _asker(call, leg)
    if call.is_over or far is None or far.offer_txn is None:
        return
    transaction, far.offer_txn = far.offer_txn, None
    sdp = sdp_of(response)
    try:
        body = call.media.answer(leg.media, far.media, sdp) if sdp else b""
    except RemoteProtocolError as error:
        call.exchange.log.info("call.bad_answer", call=call.id, error=str(error))
        body = b""
    if body:
        transaction.respond(200, now, headers=sdp_headers(body), body=body)
    else:
        call.media.reject(far.media, leg.media)
        transaction.respond(488, now)


def on_rejected(leg: Leg, response: sip.Response | None, status: int, now: float) -> None:
    """The other leg keeps what was agreed; 481 and 408 mean that it is gone, which the engine tells."""
    call = leg.call
    far = _asker(call, leg)
    if call.is_over or far is None or far.offer_txn is None:
        return
    transaction, far.offer_txn = far.offer_txn, None
    call.media.reject(far.media, leg.media)
    transaction.respond(status if 400 <= status < 700 else 488, now, headers=of_refusal(response))


def _far(call: Call, leg: Leg, request: sip.Request) -> tuple[Leg | None, str | None]:
    """The leg that an UPDATE is for: before the answer tags tell which early dialog is meant."""
    if not leg.is_a:
        early = call.early_of(leg, request.from_tag) if call.b is None else None
        return call.a, None if early is None else early.tag
    if call.b is not None:
        return call.b, None
    for early in call.earlies:
        if (early.tag or leg.session.local_tag) == request.to_tag:
            return early.leg, early.remote_tag
    return call.early_offerer, None


def _asker(call: Call, leg: Leg) -> Leg | None:
    """Whose UPDATE it was that this leg has answered."""
    if not leg.is_a:
        return call.a
    return next((other for other in call.forks if other.offer_txn is not None), None)
