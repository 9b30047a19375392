"""What the wire says inside a dialog, and how a session reacts (RFC 3261 §12.2, §14, §15)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from . import forks
from .client import ClientTransaction, InviteClient
from .core import reply_flow
from .events import (
    ReinviteAnswered,
    ReinviteReceived,
    ReinviteRejected,
    SessionAcknowledged,
    SessionEnded,
    SessionRequestFailed,
    SessionRequestReceived,
    SessionResponseReceived,
)
from .message import Request, Response
from .server import InviteServer, ServerTransaction, respond_at_once
from .session import Session, State

if TYPE_CHECKING:
    from .dialog import Dialog
    from .flow import Flow

_DEAD_DIALOG = {408: "timeout", 481: "unknown"}  # §12.2.1.2: what ends a dialog besides BYE

_CONFIRMED = State.CONFIRMED
_TERMINATED = State.TERMINATED


class Conversation(Session):
    """The reactions that caller and callee share."""

    __slots__ = ()

    def receive_request(self, request: Request, flow: Flow, key: str, now: float) -> None:
        """Take a new request inside the dialog, neither ACK nor CANCEL."""
        method, number = request.method, request.cseq.number
        dialog = self._dialog_of(request)
        if dialog is None or (self.state is _TERMINATED and method != "BYE"):
            self.core.answer(request, reply_flow(request, flow), 481)
        elif number <= dialog.remote_cseq:
            self.core.answer(request, reply_flow(request, flow), 500)  # §12.2.2
        else:
            dialog.remote_cseq = number
            if method == "BYE":
                respond_at_once(self.core, key, request, reply_flow(request, flow), now, 200, self.local_tag)
                self._on_bye(request, now)
            elif method == "INVITE":
                self._on_reinvite(request, flow, key, now)
            else:
                if method == "UPDATE":  # RFC 3311 §5.2
                    dialog.refresh(request)
                    self._follow(flow)
                transaction = self._begin(request, flow, key, now)
                self.core.emit(SessionRequestReceived(self, transaction, request))

    @abstractmethod
    def _dialog_of(self, request: Request) -> Dialog | None:
        """The dialog that a request from the wire belongs to: before the 2xx there may be several."""

    def _begin(self, request: Request, flow: Flow, key: str, now: float) -> ServerTransaction:
        return ServerTransaction(self.core, key, request, reply_flow(request, flow), now, self.local_tag)

    def _on_reinvite(self, request: Request, flow: Flow, key: str, now: float) -> None:
        transaction = InviteServer(
            self.core, key, request, reply_flow(request, flow), now, self.local_tag, self
        )
        if self._invited is not None:  # §14.2: they are still waiting for the answer to another
            delay = int(self.core.mint.tag()[-4:], 16) % 11
            transaction.respond(500, now, None, [("Retry-After", str(delay))])
        elif self._inviting is not None or self._owed is not None or self._expects_answer():
            transaction.respond(491, now)
        else:
            self._invited = transaction
            transaction.respond(100, now)
            self.core.emit(ReinviteReceived(self, transaction, request))

    def _expects_answer(self) -> bool:
        """Whether an offer of ours went in a 2xx whose ACK has not come (RFC 5407 §3.1.5)."""
        return any(not invite.request.body for invite in self._unacknowledged.values())

    def _on_bye(self, request: Request, now: float) -> None:
        was_up = self.state is not _TERMINATED
        self._drop(now)
        if was_up:
            self.core.emit(SessionEnded(self, "bye", request))

    def receive_ack(self, request: Request, now: float) -> None:
        """Take the ACK to a 2xx."""
        transaction = self._unacknowledged.pop(request.cseq.number, None)
        if transaction is None:
            self.core.counters.retransmissions_in += 1
            return
        transaction.settle(now)
        self.is_acknowledged = True
        if self.state is _CONFIRMED:
            self.core.emit(SessionAcknowledged(self, request))
        elif self._bye_headers is not None and not self._unacknowledged:
            self._send_bye(now, self._bye_headers)

    def on_cancel(self, transaction: InviteServer, request: Request, now: float) -> None:
        """A re-INVITE was taken back: what the owner may still answer to it is not sent."""
        self._invited = None

    def on_ack_timeout(self, transaction: InviteServer, now: float) -> None:
        """No ACK in 64*T1: the dialog is confirmed, but the session has to end (§13.3.1.4)."""
        self._unacknowledged.pop(transaction.request.cseq.number, None)
        if self.state is _CONFIRMED:
            self._end("ack-timeout", now)
        elif self._bye_headers is not None and not self._unacknowledged:
            self._send_bye(now, self._bye_headers)

    def on_lost(self, transaction: InviteServer, cause: str, now: float) -> None:
        """A re-INVITE was never answered, or cannot be any more."""
        self._invited = None

    # What the wire says: responses

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """React to a response to a request of ours."""
        if transaction is self._inviting:
            if response.status >= 200:
                self._on_reinvite_response(response, now)
        elif transaction.method == "BYE":
            if response.status >= 200:
                self._leave()
        elif self.state is not _TERMINATED:
            if transaction.method == "UPDATE" and 200 <= response.status < 300 and self.dialog is not None:
                self.dialog.refresh(response)
            self.core.emit(SessionResponseReceived(self, transaction, response))
            self._on_status(response.status, now)

    def _on_reinvite_response(self, response: Response, now: float) -> None:
        invite, self._inviting = self._inviting, None
        if response.status >= 300:
            if self.state is _CONFIRMED:
                self.core.emit(ReinviteRejected(self, response, response.status))
                self._on_status(response.status, now)
            return
        assert self.dialog is not None
        self.dialog.refresh(response)
        self._owed = invite
        if self.state is _CONFIRMED:
            self.core.emit(ReinviteAnswered(self, response))
        else:
            self.acknowledge(now)  # the session ended meanwhile

    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """React to a request of ours having no final response."""
        if transaction is self._inviting:
            self._inviting = None
            if self.state is _CONFIRMED:
                status = 408 if reason == "timeout" else 503
                self.core.emit(ReinviteRejected(self, None, status))
                self._on_status(status, now)
        elif transaction.method == "BYE":
            self._leave()
        elif self.state is not _TERMINATED:
            self.core.emit(SessionRequestFailed(self, transaction, reason))
            self._on_status(408 if reason == "timeout" else 503, now)

    def on_fork(self, transaction: InviteClient, response: Response, now: float) -> None:
        """Refuse the second answer of a forked INVITE."""
        forks.refuse(self.core, transaction.key, response, transaction.flow, now)

    def on_no_news(self, transaction: InviteClient, now: float) -> None:
        """Give up an INVITE about which nothing was heard for timer C."""
        transaction.cancel(now, ())

    def on_unacknowledged(self, transaction: InviteClient, now: float) -> None:
        """The owner forgot the ACK: nobody shall wait for ever for what he makes of it."""
        self.acknowledge(now)
        self._end("ack-timeout", now)

    def _on_status(self, status: int, now: float) -> None:
        cause = _DEAD_DIALOG.get(status)
        if cause is not None and self.state is _CONFIRMED:
            self._end(cause, now)
