"""What the legs of an answered call tell each other: hold, new media, INFO, and the end.

Each leg's engine answers glare (491) by itself, so at most one re-INVITE of a leg is on its way to the other.
One of ours that met another is sent again after a while (RFC 3261 §14.1), and whoever asked for it waits.
A leg whose other end has gone, while somebody is about to take it elsewhere, is alone: ``other`` finds none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from switchroom.protocols import sdp, sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.wheel import NEVER
from switchroom.switch.calls import keys
from switchroom.switch.calls.leg import ALLOW, RETRY_AFTER, Leg, offered, sdp_headers, sdp_of
from switchroom.switch.calls.passing import of_refusal
from switchroom.switch.media import NoPortsLeft

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call

_RELAYED = frozenset(("INFO", "MESSAGE"))
# What a relayed body needs, and what is said of it
_DESCRIBING = ("Content-Type", "Content-Disposition", "Content-Encoding", "Info-Package", "Reason")
_ANSWERING = ("Accept", "Accept-Encoding", "Recv-Info", "Retry-After", "Content-Type")
_MAX_RETRIES = 3
_TERMINATED = sip.State.TERMINATED


@runtime_checkable
class Awaiting(Protocol):
    """Has sent a request inside a dialog and waits for the answer."""

    def on_response(self, status: int, now: float) -> None:
        """A final one; 408 when there was none."""


def other(leg: Leg) -> Leg | None:
    """The leg at the other end, as long as it is there."""
    call = leg.call
    far = call.b if leg.is_a else call.a
    return None if far is None or far.session.state is _TERMINATED else far


def on_acknowledged(leg: Leg, request: sip.Request, now: float) -> None:
    """An ACK came; where our 2xx carried an offer, it brings the answer that the other leg waits for."""
    call, far = leg.call, other(leg)
    if call.is_over or far is None or not far.owes_answer:
        return
    far.owes_answer = False
    sdp = sdp_of(request)
    try:
        body = call.media.answer(leg.media, far.media, sdp) if sdp else b""
    except RemoteProtocolError as error:
        call.exchange.log.info("call.bad_answer", call=call.id, error=str(error))
        body = b""
    far.session.acknowledge(now, body=body)
    if not body:
        call.hang_up("No usable SDP in the ACK", now, cause=488)


def on_reinvite(leg: Leg, transaction: sip.ServerTransaction, request: sip.Request, now: float) -> None:
    """A leg wants other media (hold, resume, a new address): ask the other leg."""
    call, far = leg.call, other(leg)
    if call.is_over:
        leg.session.answer_reinvite(transaction, 491, now)
        return
    if far is None:  # alone: its next call is on the way, and will tell
        leg.session.answer_reinvite(transaction, 500, now, b"", RETRY_AFTER)
        return
    if far.owes_answer or far.mover is not None or leg.mover is not None:
        leg.session.answer_reinvite(transaction, 491, now)
        return
    sdp = sdp_of(request)
    try:
        body = offered(call.media, leg, far, sdp) if sdp else b""
    except RemoteProtocolError as error:
        leg.session.answer_reinvite(transaction, error.status, now)
        return
    except NoPortsLeft:
        leg.session.answer_reinvite(transaction, 503, now, b"", RETRY_AFTER)
        return
    leg.offer_txn = transaction
    far.retry = None
    far.session.reinvite(now, body=body, headers=sdp_headers(body))


def on_reinvite_answered(leg: Leg, response: sip.Response, now: float) -> None:
    """The other leg's 2xx to our re-INVITE: it answers the offer, or brings one."""
    if leg.mover is not None:
        leg.mover.on_reinvite_answered(leg, response, now)
        return
    call, far = leg.call, other(leg)
    transaction = far.offer_txn if far else None
    leg.retry = None
    if call.is_over or far is None or transaction is None:
        leg.session.acknowledge(now)
        return
    far.offer_txn = None
    sdp = sdp_of(response)
    was_offer = not sdp_of(transaction.request)
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
    if leg.mover is not None:
        leg.mover.on_reinvite_rejected(leg, response, status, now)
        return
    call, far = leg.call, other(leg)
    if call.is_over or far is None:
        return
    if status == 491 and far.offer_txn is not None and _will_retry(leg, now):
        return
    transaction, far.offer_txn, leg.retry = far.offer_txn, None, None
    if transaction is not None:
        call.media.reject(far.media, leg.media)
        far.session.answer_reinvite(transaction, status, now, b"", of_refusal(response))
    if status in (408, 481):
        call.hang_up("The other side is gone", now, cause=status)


# -- glare: both ends wanted something else at once


def _will_retry(leg: Leg, now: float) -> bool:
    """Whether the re-INVITE that met another goes out again, and when."""
    count = leg.retry[1] + 1 if leg.retry is not None else 1
    if count > _MAX_RETRIES or leg.offer_txn is not None:
        return False  # both wait for each other: one gives way
    leg.retry = (now + leg.session.glare_delay(), count)
    leg.call.exchange.watch(leg.call, now)
    return True


def next_retry(call: Call) -> float:
    """When a re-INVITE that met another goes out again."""
    one = NEVER if call.a.retry is None else call.a.retry[0]
    return one if call.b is None or call.b.retry is None else min(one, call.b.retry[0])


def retry(call: Call, now: float) -> None:
    """Send again what has waited long enough."""
    for leg in (call.a, call.b):
        if leg is None or leg.retry is None or leg.retry[0] > now:
            continue
        far = other(leg)
        if far is None or far.offer_txn is None:
            leg.retry = None  # whoever wanted it has gone, or taken it back
            continue
        body = leg.media.sent if sdp_of(far.offer_txn.request) else b""  # it was the last that we said
        leg.retry = (NEVER, leg.retry[1])
        leg.session.reinvite(now, body=body, headers=sdp_headers(body))


# -- hold


def is_hold(offer: bytes) -> bool:
    """Whether an offer asks its other end to be silent: sendonly, inactive, or the address 0.0.0.0."""
    try:
        description = sdp.Description.parse(offer)
    except RemoteProtocolError:
        return False
    lines = [media for media in description.media if media.kind == "audio" and not media.is_rejected]
    return bool(lines) and all(_is_silencing(description, media) for media in lines)


def _is_silencing(description: sdp.Description, media: sdp.Media) -> bool:
    connection = description.connection_of(media)
    if connection is not None and connection.is_null:
        return True
    return description.direction_of(media) in (sdp.Direction.SENDONLY, sdp.Direction.INACTIVE)


# -- other requests


def on_request(leg: Leg, transaction: sip.ServerTransaction, request: sip.Request, now: float) -> None:
    """INFO and MESSAGE travel to the other leg; OPTIONS is answered; REFER asks the switch for something."""
    method = request.method
    exchange = leg.call.exchange
    if method == "OPTIONS":
        transaction.respond(200, now, headers=(("Allow", ALLOW), ("Accept", "application/sdp")))
    elif method == "REFER" and exchange.on_refer is not None:
        exchange.on_refer(leg, transaction, request, now)
    elif method == "NOTIFY" and exchange.on_notify is not None:
        exchange.on_notify(leg, transaction, request, now)
    elif method not in _RELAYED:
        transaction.respond(405, now, headers=(("Allow", ALLOW),))
    else:
        relay(leg, transaction, request, now)


def relay(leg: Leg, transaction: sip.ServerTransaction, request: sip.Request, now: float) -> None:
    """Send what one leg said to the other; its answer goes back."""
    far = other(leg)
    if leg.call.is_over or far is None or leg.call.answered_at is None:
        transaction.respond(480, now)
        return
    if (
        not far.session.allows(request.method) and request.method != "INFO"
    ):  # many take INFO and do not say so
        transaction.respond(405, now, headers=(("Allow", ALLOW),))
        return
    if request.method == "INFO" and keys.from_info(far, transaction, request, now):
        return
    headers = _pick(request, _DESCRIBING)
    sent = far.session.send_request(request.method, now, body=request.body, headers=headers)
    if sent is not None:
        sent.context = transaction


def on_response(
    transaction: sip.ClientTransaction, status: int, now: float, response: sip.Response | None = None
) -> None:
    """The answer to a request that we relayed travels back."""
    waiting = transaction.context
    if status < 200:
        return
    if isinstance(waiting, sip.ServerTransaction):
        headers = [] if response is None else _pick(response, _ANSWERING)
        body = b"" if response is None else response.body
        waiting.respond(status, now, headers=headers, body=body)
    elif isinstance(waiting, Awaiting):
        waiting.on_response(status, now)


def _pick(message: sip.Message, names: tuple[str, ...]) -> list[tuple[str, str]]:
    values = ((name, message.get(name) or "") for name in names)
    return [(name, value) for name, value in values if value and value.isprintable()]


# -- the end


def on_ended(leg: Leg, cause: str, request: sip.Request | None, now: float) -> None:
    """A leg ended by BYE, or because it does not answer any more: end the other."""
    call: Call = leg.call
    if call.is_over:
        return
    far = other(leg)
    if far is not None and far.mover is not None and far.mover.takes(far):
        call.notes.append("one side has left; the other is about to be connected elsewhere")
        call.exchange.tell(call, now)
        return
    if cause in ("unknown", "timeout") and call.doubted_since is not None:
        call.hang_up("crash", now, cause=500)  # it ended while nobody was here to hear of it
        return
    if cause != "bye":
        call.hang_up(_CAUSES.get(cause, cause), now, cause=408)
        return
    if far is not None:
        far.session.hang_up(now, 487, of_refusal(request))
    call.finish(200, "Normal call clearing", "caller" if leg.is_a else "callee", now)


_CAUSES = {
    "ack-timeout": "No ACK",
    "timeout": "No answer to a request",
    "unknown": "The other side does not know the call",
    "transport": "Connection lost",
}
