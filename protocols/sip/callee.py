"""The session of an INVITE that we get: ringing, answering, refusing (RFC 3261 §13.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from .conversation import Conversation
from .core import reply_flow
from .dialog import Dialog
from .events import RequestReceived, SessionCancelled, SessionEnded
from .message import Request
from .server import InviteServer
from .session import State, typed

if TYPE_CHECKING:
    from .core import Core, Headers

_PROCEEDING = State.PROCEEDING
_CONFIRMED = State.CONFIRMED


class Callee(Conversation):
    """One INVITE in, one answer out."""

    __slots__ = ("_dialogs",)

    def __init__(self, core: Core, event: RequestReceived, now: float, contact: str) -> None:
        request, flow, key = event
        tag = core.mint.tag()
        super().__init__(core, request, flow, contact, (tag, request.from_tag or ""))
        self._dialogs: dict[str, Dialog | None] = {tag: None}  # by local tag; made when they are needed
        self._invited = InviteServer(core, key, request, reply_flow(request, flow), now, tag, self)
        self._invited.respond(100, now)  # §17.2.1: unless we are quicker than 200 ms, which a call never is

    def ring(
        self,
        status: int,
        now: float,
        *,
        reason: str | None = None,
        headers: Headers = (),
        body: bytes = b"",
        tag: str | None = None,
    ) -> None:
        """Send a provisional response; repeated every minute. A tag of its own makes an early dialog."""
        if not 100 < status < 200:
            raise LocalProtocolError(f"{status} is not a provisional response")
        if self.state is _PROCEEDING:
            self._send(status, now, reason, headers, body, tag or self.local_tag)

    def answer(
        self,
        now: float,
        *,
        body: bytes = b"",
        headers: Headers = (),
        tag: str | None = None,
        status: int = 200,
    ) -> None:
        """Send the 2xx; it is repeated until the ACK."""
        if not 200 <= status < 300:
            raise LocalProtocolError(f"{status} is not an answer")
        if self.state is not _PROCEEDING or self._invited is None:
            return
        tag = tag or self.local_tag
        self._unacknowledged[self.request.cseq.number] = self._invited
        self._send(status, now, None, headers, body, tag)
        self._invited = None
        self.dialog = self._dialogs.pop(tag) or Dialog.of_callee(self.request, tag)
        self.local_tag = tag
        self._forget_dialogs()
        self.state = _CONFIRMED

    def reject(self, status: int, now: float, *, reason: str | None = None, headers: Headers = ()) -> None:
        """Refuse the INVITE."""
        if not 300 <= status < 700:
            raise LocalProtocolError(f"{status} is not a refusal")
        if self.state is _PROCEEDING and self._invited is not None:
            invite, self._invited = self._invited, None
            invite.respond(status, now, reason, headers)
            self._drop(now)

    def _abort(self, status: int, now: float, headers: Headers) -> None:
        self.reject(status, now, headers=headers)

    def _send(
        self, status: int, now: float, reason: str | None, headers: Headers, body: bytes, tag: str
    ) -> None:
        if tag not in self._dialogs:
            self._dialogs[tag] = None
            self.core.sessions[tag] = self
        assert self._invited is not None
        headers = typed(headers, body)
        headers.append(("Contact", self._contact))
        response = self.request.response(status, reason, to_tag=tag, headers=headers, body=body)
        self._invited.send_response(response, now)

    def on_cancel(self, transaction: InviteServer, request: Request, now: float) -> None:
        """The caller took the INVITE, or a re-INVITE, back."""
        if self.state is _PROCEEDING:
            self._invited = None
            self._drop(now)
            self.core.emit(SessionCancelled(self, request))
        else:
            super().on_cancel(transaction, request, now)

    def on_lost(self, transaction: InviteServer, cause: str, now: float) -> None:
        """An INVITE was not answered and cannot be any more."""
        if self.state is _PROCEEDING:
            self._invited = None
            self._drop(now)
            self.core.emit(SessionEnded(self, cause, None))
        else:
            super().on_lost(transaction, cause, now)

    def _dialog_of(self, request: Request) -> Dialog | None:
        return self.dialog or self._early_dialog(request.to_tag or "")

    def _own_dialog(self) -> Dialog | None:
        return self.dialog or self._early_dialog(self.local_tag)

    def _early_dialog(self, tag: str) -> Dialog:
        dialog = self._dialogs.get(tag)
        if dialog is None:
            dialog = self._dialogs[tag] = Dialog.of_callee(self.request, tag)
        return dialog

    def _leave(self) -> None:
        super()._leave()
        self._forget_dialogs()

    def _forget_dialogs(self) -> None:
        for tag in self._dialogs:
            if self.core.sessions.get(tag) is self and tag != self.local_tag:
                del self.core.sessions[tag]
        self._dialogs.clear()
