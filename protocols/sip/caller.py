"""The session of an INVITE that we send: early dialogs, forks, CANCEL (RFC 3261 §13.2, §9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from .client import ClientTransaction, InviteClient
from .conversation import Conversation
from .dialog import Dialog
from .events import SessionAnswered, SessionProgressed, SessionRejected
from .message import Request, Response
from .session import State

if TYPE_CHECKING:
    from .core import Core, Headers
    from .flow import Flow

_CALLING = State.CALLING
_PROCEEDING = State.PROCEEDING
_CONFIRMED = State.CONFIRMED
_TERMINATED = State.TERMINATED

_MAX_FORKS = 32  # early dialogs of one INVITE that we remember


class Caller(Conversation):
    """One INVITE out, one answer in."""

    __slots__ = ("_cancel_headers", "_early", "_given_up")

    is_caller = True

    def __init__(self, core: Core, request: Request, flow: Flow, now: float) -> None:
        tag, contact = request.from_tag, request.get("Contact")
        if not tag or not contact:
            raise LocalProtocolError("an INVITE needs a From tag and a Contact")
        super().__init__(core, request, flow, contact, (tag, ""))
        self.state = _CALLING
        self._early: dict[str, Response | Dialog] = {}  # by remote tag; a dialog is made when it is needed
        self._given_up: tuple[int, str] | None = None  # what the owner is to hear when the INVITE has ended
        self._cancel_headers: Headers = ()
        self._inviting = InviteClient(core, request, flow, now, self)

    def cancel(self, now: float, *, headers: Headers = ()) -> None:
        """Give up the INVITE; SessionRejected follows, also when a 2xx meets the CANCEL."""
        self._give_up((487, "cancelled"), now, headers)

    def _abort(self, status: int, now: float, headers: Headers) -> None:
        self.cancel(now, headers=headers)

    def _give_up(self, why: tuple[int, str], now: float, headers: Headers) -> None:
        if self._inviting is None or self.state >= _CONFIRMED or self._given_up is not None:
            return
        self._given_up = why
        self._cancel_headers = list(headers)
        self._inviting.cancel(now, self._cancel_headers)  # waits for a provisional response if there was none

    def has_remote(self, tag: str | None) -> bool:
        """Whether the tag is of the other end, or of one of them before the answer."""
        return super().has_remote(tag) if self.dialog is not None else (tag or "") in self._early

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """React to a response to a request of ours."""
        invite = self._inviting
        if transaction is not invite or invite is None or self.state >= _CONFIRMED:
            super().on_response(transaction, response, now)
        elif response.status < 200:
            self._on_provisional(invite, response, now)
        elif response.status < 300:
            self._on_answer(invite, response, now)
        else:
            status, reason = response.status, response.reason
            if self._given_up is not None and status == 487:
                status, reason = self._given_up
            self._on_rejected(response, status, reason)

    def _on_provisional(self, invite: InviteClient, response: Response, now: float) -> None:
        self.state = _PROCEEDING
        if self._given_up is not None:
            invite.cancel(now, self._cancel_headers)
        elif response.status > 100:
            tag = response.to_tag
            if tag and len(self._early) < _MAX_FORKS and not isinstance(self._early.get(tag), Dialog):
                self._early[tag] = response
            self.core.emit(SessionProgressed(self, response))

    def _on_answer(self, invite: InviteClient, response: Response, now: float) -> None:
        self.remote_tag = response.to_tag or ""
        early = self._early.get(self.remote_tag)
        self.dialog = Dialog.of_caller(response, self.request.uri)
        if isinstance(early, Dialog):  # §13.2.2.4: only the route set (and target) is computed again
            self.dialog.local_cseq, self.dialog.remote_cseq = early.local_cseq, early.remote_cseq
        self._early.clear()
        self._inviting, self._owed = None, invite
        self.state = _CONFIRMED
        if self._given_up is None:
            self.core.emit(SessionAnswered(self, response))
        else:
            self.bye(now, headers=self._cancel_headers)  # with the ACK in front
            self.core.emit(SessionRejected(self, None, *self._given_up))

    def _on_rejected(self, response: Response | None, status: int, reason: str) -> None:
        self._inviting = None
        self._early.clear()
        self.state = _TERMINATED
        self._leave()
        self.core.emit(SessionRejected(self, response, status, reason))

    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """React to a request of ours having no final response."""
        if transaction is not self._inviting or self.state >= _CONFIRMED:
            super().on_failure(transaction, reason, now)
        elif self._given_up is not None:
            self._on_rejected(None, *self._given_up)
        else:
            self._on_rejected(None, 408 if reason == "timeout" else 503, reason)

    def on_no_news(self, transaction: InviteClient, now: float) -> None:
        """Give up an INVITE about which nothing was heard for timer C."""
        if self.state >= _CONFIRMED:
            super().on_no_news(transaction, now)
        else:
            self._give_up((408, "timeout"), now, ())

    def _dialog_of(self, request: Request) -> Dialog | None:
        return self.dialog or self._early_dialog(request.from_tag or "")

    def _own_dialog(self) -> Dialog | None:
        return self.dialog or (self._early_dialog(next(reversed(self._early))) if self._early else None)

    def _early_dialog(self, tag: str) -> Dialog | None:
        early = self._early.get(tag)
        if isinstance(early, Response):
            early = self._early[tag] = Dialog.of_caller(early, self.request.uri)
        return early
