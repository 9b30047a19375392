"""What the wire says inside a dialog, and how a session reacts (RFC 3261 §12.2, §14, §15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import forks
from .authorization import CHALLENGES, answer_challenge
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
from .server import ServerTransaction, respond_at_once, take_invite
from .session import State
from .update import Offering

if TYPE_CHECKING:
    from .client import ClientTransaction, InviteClient
    from .core import Headers
    from .dialog import Dialog
    from .flow import Flow
    from .refresh import Refresh
    from .server import InviteServer

_DEAD_DIALOG = {408: "timeout", 481: "unknown"}  # §12.2.1.2: what ends a dialog besides BYE

_CONFIRMED = State.CONFIRMED
_TERMINATED = State.TERMINATED


class Conversation(Offering):
    """The reactions that caller and callee share."""

    __slots__ = ()

    def receive_request(self, request: Request, flow: Flow, key: str, now: float) -> None:
        """Take a new request inside the dialog, neither ACK nor CANCEL."""
        method, number = request.method, request._number()
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
            elif method == "UPDATE":
                self._on_update(request, flow, key, now, dialog)
            elif method == "PRACK":
                self._on_prack(request, flow, key, now, dialog)
            else:
                transaction = self._begin(request, flow, key, now)
                self.core.emit(SessionRequestReceived(self, transaction, request))

    def _dialog_of(self, request: Request) -> Dialog | None:
        """The dialog that a request from the wire belongs to: before the 2xx there may be several."""

    def _dialog_sent(self, request: Request) -> Dialog | None:
        """The dialog that a request of ours was sent in."""

    def _on_prack(self, request: Request, flow: Flow, key: str, now: float, dialog: Dialog) -> None:
        """Take a PRACK: nothing here waits for it (RFC 3262 §3)."""
        self._answer_at_once(request, flow, key, now, 481)

    def _answer_at_once(
        self, request: Request, flow: Flow, key: str, now: float, status: int, headers: Headers = ()
    ) -> None:
        respond_at_once(
            self.core, key, request, reply_flow(request, flow), now, status, self.local_tag, headers
        )

    def _begin(self, request: Request, flow: Flow, key: str, now: float) -> ServerTransaction:
        return ServerTransaction(self.core, key, request, reply_flow(request, flow), now, self.local_tag)

    def _on_reinvite(self, request: Request, flow: Flow, key: str, now: float) -> None:
        transaction = take_invite(
            self.core, key, request, reply_flow(request, flow), now, self.local_tag, self
        )
        dialog = self.dialog
        if self._invited is not None or (dialog is not None and dialog.asked is not None):
            # §14.2: they are still waiting for the answer to another
            transaction.respond(500, now, None, [self._retry_soon()])
        elif (
            self._inviting is not None
            or self._owed is not None
            or self._expects_answer()
            or (dialog is not None and dialog.offered is not None)
        ):
            transaction.respond(491, now)
        elif self.refresh is not None and self._is_settled_here(self.refresh, transaction, now):
            pass
        else:
            self._invited = transaction
            transaction.respond(100, now)
            self.core.emit(ReinviteReceived(self, transaction, request))

    def _is_settled_here(self, refresh: Refresh, transaction: InviteServer, now: float) -> bool:
        """Whether a re-INVITE is no news: too brief, or a refresh that changes nothing (RFC 4028)."""
        refusal = refresh.refuse(transaction.request)
        if refusal is not None:
            transaction.respond(refusal.status, now, None, refusal.headers)
            return True
        if not refresh.is_unchanged(transaction.request.body):
            return False
        self._invited = transaction
        refresh.silent_cseq = transaction.request._number()
        self.answer_reinvite(transaction, 200, now, body=refresh.sent)
        return True

    def _on_bye(self, request: Request, now: float) -> None:
        was_up = self.state is not _TERMINATED
        self._drop(now)
        if was_up:
            self.core.emit(SessionEnded(self, "bye", request))

    def receive_ack(self, request: Request, now: float) -> None:
        """Take the ACK to a 2xx."""
        transaction = self._unacknowledged.pop(request._number(), None)
        if transaction is None:
            self.core.counters.retransmissions_in += 1
            return
        if not self._unacknowledged:
            self._unacknowledged = {}  # one that was never used has no table
        transaction.settle(now)
        self._forget_request(transaction.request)
        self.is_acknowledged = True
        if self.state is _CONFIRMED:
            if self.refresh is not None:
                if self.refresh.silent_cseq == request._number():
                    return
                if request.body:
                    self.refresh.heard = request.body
            self.core.emit(SessionAcknowledged(self, request))
        elif self._bye_headers is not None and not self._unacknowledged:
            self._send_bye(now, self._bye_headers)

    def on_cancel(self, transaction: InviteServer, request: Request, now: float) -> None:
        """A re-INVITE was taken back: what the owner may still answer to it is not sent."""
        self._invited = None

    def on_ack_timeout(self, transaction: InviteServer, now: float) -> None:
        """No ACK in 64*T1: the dialog is confirmed, but the session has to end (§13.3.1.4)."""
        self._unacknowledged.pop(transaction.request._number(), None)
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
        if response.status >= 300 and self._is_sent_again(transaction, response, now):
            return
        if transaction is self._inviting:
            if response.status >= 200:
                self._on_reinvite_response(response, now)
        elif transaction.request.method == "BYE":
            if response.status >= 200:
                self._leave()
        elif self.state is not _TERMINATED:
            self._on_other_response(transaction, response, now)

    def _on_other_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        method = transaction.method
        if method == "PRACK":
            return  # if it was not understood, whoever waits for it refuses the INVITE
        if method == "UPDATE":
            self._on_update_response(transaction, response, self._dialog_sent(transaction.request), now)
        else:
            self.core.emit(SessionResponseReceived(self, transaction, response))
        if method != "NOTIFY":  # it is of another usage of the dialog, and that one has ended (RFC 5057 §5.1)
            self._on_status(response.status, now)

    def _is_sent_again(self, transaction: ClientTransaction, response: Response, now: float) -> bool:
        """Whether what was refused was sent once more: with credentials, or for a longer session."""
        status = response.status
        if status in CHALLENGES:
            if self.authorizer is None:
                return False
        elif status != 422 or self.refresh is None:
            return False
        if self.state is _TERMINATED and transaction.method != "BYE":
            return False
        dialog = self._dialog_sent(transaction.request)
        number = 1 + (transaction.request._number() if dialog is None else dialog.local_cseq)
        if status == 422:
            assert self.refresh is not None
            is_sent = self.refresh.ask_longer(transaction, response, number, now)
        else:
            assert self.authorizer is not None
            is_sent = answer_challenge(transaction, response, self.authorizer, number, now)
        if is_sent and dialog is not None:
            dialog.local_cseq = number
        return is_sent

    def _on_reinvite_response(self, response: Response, now: float) -> None:
        invite, self._inviting = self._inviting, None
        assert invite is not None
        refresh = self.refresh
        is_own = refresh is not None and refresh.take(invite)
        if response.status >= 300:
            if self.state is _CONFIRMED:
                if refresh is not None and is_own:
                    refresh.on_refused("INVITE", response.status, response.retry_after, now)
                else:
                    self.core.emit(ReinviteRejected(self, response, response.status))
                self._on_status(response.status, now)
            return
        assert self.dialog is not None
        self.dialog.refresh(response)
        self._owed = invite
        if self.state is not _CONFIRMED:
            self.acknowledge(now)  # the session ended meanwhile
            return
        if refresh is not None:
            is_own = is_own and response.body == refresh.heard
            refresh.on_answer(response, now)
            refresh.note(sent=invite.request.body, heard=response.body)
            if is_own:
                self.acknowledge(now)
                return
        self.core.emit(ReinviteAnswered(self, response))

    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """React to a request of ours having no final response."""
        status = 408 if reason == "timeout" else 503
        if transaction is self._inviting:
            self._inviting = None
            if self.state is _CONFIRMED:
                is_own = self.refresh is not None and self.refresh.take(transaction)
                if not is_own:
                    self.core.emit(ReinviteRejected(self, None, status))
                self._on_change_failed(status, now, is_own=is_own)
        elif transaction.method == "BYE":
            self._leave()
        elif self.state is not _TERMINATED and transaction.method != "PRACK":
            if transaction.method == "UPDATE":
                is_own = self._on_update_failed(transaction, self._dialog_sent(transaction.request), status)
                self._on_change_failed(status, now, is_own=is_own)
            else:
                self.core.emit(SessionRequestFailed(self, transaction, reason))
                if transaction.method != "NOTIFY":
                    self._on_status(status, now)

    def _on_change_failed(self, status: int, now: float, *, is_own: bool) -> None:
        """An INVITE or UPDATE got no answer: that ends the dialog, or our refresh comes again."""
        self._on_status(status, now)
        if is_own and self.refresh is not None and self.state is _CONFIRMED:
            self.refresh.on_refused("INVITE", status, None, now)

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

    # What the session timer asks

    def can_update(self) -> bool:
        """Whether the other end takes UPDATE."""
        return self.allows("UPDATE")

    def send_refresh(self, body: bytes, now: float, *, by_update: bool) -> ClientTransaction | None:
        """Send a refresh; None: something else is on its way."""
        dialog = self.dialog
        if dialog is None or self._unacknowledged or self._is_changing(dialog):
            return None
        return self._send_update(dialog, now) if by_update else self._send_reinvite(dialog, now, body)

    def expire(self, now: float) -> None:
        """End what nobody has refreshed (RFC 4028 §10)."""
        if self.state is _CONFIRMED:
            self._end("expired", now)

    def _on_status(self, status: int, now: float) -> None:
        cause = _DEAD_DIALOG.get(status)
        if cause is not None and self.state is _CONFIRMED:
            self._end(cause, now)
