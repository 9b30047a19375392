"""What the legs of an answered call tell each other: hold, new media, INFO, and the end.

Each leg's engine answers glare (491) by itself, so at most one re-INVITE of a leg is on its way to the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls.leg import ALLOW, RETRY_AFTER, Leg, offered, sdp_headers, sdp_of
from switchroom.switch.calls.passing import of_refusal
from switchroom.switch.media import NoPortsLeft

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call

_RELAYED = frozenset(("INFO",))
_DESCRIBING = ("Content-Type", "Info-Package")  # what a relayed body needs


def other(leg: Leg) -> Leg | None:
    """The leg at the other end."""
    call = leg.call
    return call.b if leg.is_a else call.a


def on_acknowledged(leg: Leg, request: sip.Request, now: float) -> None:
    """An ACK came; where our 2xx carried an offer, it brings the answer that the other leg waits for."""
    far = other(leg)
    if leg.call.is_over or far is None or not far.owes_answer:
        return
    far.owes_answer = False
    sdp = sdp_of(request)
    try:
        body = leg.call.media.answer(leg.media, far.media, sdp) if sdp else b""
    except RemoteProtocolError as error:
        leg.call.exchange.log.info("call.bad_answer", call=leg.call.id, error=str(error))
        body = b""
    far.session.acknowledge(now, body=body)
    if not body:
        leg.call.hang_up("No usable SDP in the ACK", now, cause=488)


def on_reinvite(leg: Leg, transaction: sip.ServerTransaction, request: sip.Request, now: float) -> None:
    """A leg wants other media (hold, resume, a new address): ask the other leg."""
    call, far = leg.call, other(leg)
    if call.is_over or far is None or far.owes_answer:
        leg.session.answer_reinvite(transaction, 491, now)
        return
    sdp = sdp_of(request)
    try:
        body = offered(call.media, leg, far, sdp) if sdp else b""
    except RemoteProtocolError as error:
        leg.session.answer_reinvite(transaction, error.status, now)
        return
    except NoPortsLeft:
        leg.session.answer_reinvite(transaction, 503, now, headers=RETRY_AFTER)
        return
    leg.offer_txn = transaction
    far.session.reinvite(now, body=body, headers=sdp_headers(body))


def on_reinvite_answered(leg: Leg, response: sip.Response, now: float) -> None:
    """The other leg's 2xx to our re-INVITE: it answers the offer, or brings one."""
    call, far = leg.call, other(leg)
    transaction = far.offer_txn if far else None
    if call.is_over or far is None or transaction is None:
        leg.session.acknowledge(now)
        return
    far.offer_txn = None
    sdp = sdp_of(response)
    was_offer = not transaction.request.body
    try:
        if was_offer:
            body = offered(call.media, leg, far, sdp) if sdp else b""
        else:
            body = call.media.answer(leg.media, far.media, sdp) if sdp else b""
    except (RemoteProtocolError, NoPortsLeft) as error:
        call.exchange.log.info("call.bad_answer", call=call.id, error=str(error))
        body = b""
    leg.owes_answer = was_offer and bool(body)
    if not leg.owes_answer:
        leg.session.acknowledge(now)
    if body:
        far.session.answer_reinvite(transaction, 200, now, body=body, headers=sdp_headers(body))
        return
    if not was_offer:
        call.media.reject(far.media, leg.media)
    far.session.answer_reinvite(transaction, 488, now)


def on_reinvite_rejected(leg: Leg, response: sip.Response | None, status: int, now: float) -> None:
    """The other leg keeps what was agreed; 481 and 408 mean that it is gone (RFC 3261 §14.1)."""
    call, far = leg.call, other(leg)
    if call.is_over or far is None:
        return
    transaction, far.offer_txn = far.offer_txn, None
    if transaction is not None:
        call.media.reject(far.media, leg.media)
        far.session.answer_reinvite(transaction, status, now, headers=of_refusal(response))
    if status in (408, 481):
        call.hang_up("The other side is gone", now, cause=status)


def on_request(leg: Leg, transaction: sip.ServerTransaction, request: sip.Request, now: float) -> None:
    """INFO travels to the other leg; OPTIONS is answered; the rest is refused."""
    far = other(leg)
    if request.method == "OPTIONS":
        transaction.respond(200, now, headers=(("Allow", ALLOW), ("Accept", "application/sdp")))
    elif request.method not in _RELAYED:
        transaction.respond(405, now, headers=(("Allow", ALLOW),))
    elif leg.call.is_over or far is None:
        transaction.respond(480, now)
    else:
        values = ((name, request.get(name) or "") for name in _DESCRIBING)
        headers = [(name, value) for name, value in values if value and value.isprintable()]
        sent = far.session.send_request(request.method, now, body=request.body, headers=headers)
        if sent is not None:
            sent.context = transaction


def on_response(transaction: sip.ClientTransaction, status: int, now: float) -> None:
    """The answer to a request that we relayed travels back."""
    waiting = transaction.context
    if isinstance(waiting, sip.ServerTransaction) and status >= 200:
        waiting.respond(status, now)


def on_ended(leg: Leg, cause: str, request: sip.Request | None, now: float) -> None:
    """A leg ended by BYE, or because it does not answer any more: end the other."""
    call: Call = leg.call
    if call.is_over:
        return
    far = other(leg)
    if cause != "bye":
        call.hang_up(_CAUSES.get(cause, cause), now, cause=408)
        return
    if far is not None:
        far.session.hang_up(now, headers=of_refusal(request))
    call.finish(200, "Normal call clearing", "caller" if leg.is_a else "callee", now)


_CAUSES = {
    "ack-timeout": "No ACK",
    "timeout": "No answer to a request",
    "unknown": "The other side does not know the call",
    "transport": "Connection lost",
}
