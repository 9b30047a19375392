"""The session of an INVITE that we get: ringing, answering, refusing (RFC 3261 §13.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LocalProtocolError, RemoteProtocolError
from .conversation import Conversation
from .core import reply_flow
from .dialog import Dialog, dialog_of_callee
from .events import ProgressAcknowledged, RequestReceived, SessionCancelled, SessionEnded
from .message import Request
from .refresh import Refresh, SessionTiming, begin_refresh
from .reliable import OPTION, Progress, Ringing, has_sdp
from .server import take_invite
from .session import State, methods_in, typed
from .update import OfferServer

if TYPE_CHECKING:
    from .core import Core, Headers
    from .flow import Flow
    from .server import InviteServer

_PROCEEDING = State.PROCEEDING
_CONFIRMED = State.CONFIRMED


class Callee(Conversation):
    """One INVITE in, one answer out."""

    __slots__ = ("_dialogs", "_held", "_progress")

    def __init__(
        self,
        core: Core,
        event: RequestReceived,
        now: float,
        contact: str,
        timing: SessionTiming | None = None,
    ) -> None:
        self._take(core, event, now, contact, timing)

    def _take(
        self, core: Core, event: RequestReceived, now: float, contact: str, timing: SessionTiming | None
    ) -> None:
        request, flow, key = event.request, event.flow, event.key
        tag = core.mint.tag()
        self._begin_session(core, request, flow, contact, tag, request._from_tag() or "")
        self._dialogs: dict[str, Dialog | None] = {tag: None}  # by local tag; made when they are needed
        self._progress: dict[str, Progress] | None = None  # by local tag: reliable provisional responses
        self._held: tuple[int, Headers, bytes, str] | None = None  # the 2xx that waits for a PRACK
        invited = take_invite(core, key, request, reply_flow(request, flow), now, tag, self)
        self._invited = invited
        invited.respond(100, now)  # §17.2.1: unless we are quicker than 200 ms, which a call never is
        if timing is not None and timing.mode != "off":
            self._keep_time(begin_refresh(self, timing), now)

    def _keep_time(self, refresh: Refresh, now: float) -> None:
        """Have a session timer, or refuse the INVITE that wants too short a one (RFC 4028 §9)."""
        self.refresh = refresh
        assert self._request is not None  # it has just come
        refresh.heard = self._request.body
        refusal = refresh.refuse(self._request)
        if refusal is not None:
            self.reject(refusal.status, now, headers=refusal.headers)
            self.core.emit(SessionEnded(self, "too-brief", None))

    def ring(
        self,
        status: int,
        now: float,
        reason: str | None = None,
        headers: Headers = (),
        body: bytes = b"",
        tag: str | None = None,
        is_reliable: bool | None = None,
    ) -> None:
        """Send a provisional response; repeated every minute. A tag of its own makes an early dialog.

        It waits for its PRACK if the caller requires that, or can and is asked to: by default with SDP.
        """
        if not 100 < status < 200:
            raise LocalProtocolError(f"{status} is not a provisional response")
        if self.state is not _PROCEEDING or self._held is not None:
            return
        assert self._request is not None  # it is not answered
        if wants_prack(self._request, body, is_reliable):
            self._ring_reliably(Ringing(status, reason, headers, body), tag or self.local_tag, now)
        else:
            self._send(status, now, reason, headers, body, tag or self.local_tag)

    def _ring_reliably(self, ringing: Ringing, tag: str, now: float) -> None:
        if self._progress is None:
            self._progress = {}
        progress = self._progress.get(tag)
        if progress is None:
            progress = self._progress[tag] = Progress(self, tag)
        progress.ring(ringing, now)

    def send_progress(self, ringing: Ringing, tag: str, rseq: int, now: float) -> bytes:
        """Send a provisional response with this RSeq."""
        headers = [*ringing.headers, ("Require", OPTION), ("RSeq", rseq)]
        self._send(ringing.status, now, ringing.reason, headers, ringing.body, tag)
        assert self._invited is not None
        return self._invited.data

    def repeat_progress(self, data: bytes) -> None:
        """Send one again."""
        if self._invited is not None:
            self.core.send_again(data, self._invited.flow)

    def on_unacknowledged_progress(self, now: float) -> None:
        """The caller never said that he heard: refuse (RFC 3262 §3)."""
        self.core.counters.timeouts += 1
        self.reject(504, now)
        self.core.emit(SessionEnded(self, "prack-timeout", None))

    def _on_prack(self, request: Request, flow: Flow, key: str, now: float, dialog: Dialog) -> None:
        """Take the PRACK to a provisional response of ours (RFC 3262 §3)."""
        rack = request.rack
        if rack is None:
            raise RemoteProtocolError("rack is missing")
        progress = self._progress.get(dialog.local_tag) if self._progress else None
        settled = progress.settle(rack, now) if progress is not None else None
        if progress is None or settled is None:
            self._answer_at_once(request, flow, key, now, 481)
            return
        is_answer = not self.request.body and bool(settled.body) and not dialog.is_agreed
        if settled.body:
            dialog.is_agreed = True
            if self.refresh is not None:
                self.refresh.note(sent=settled.body, heard=request.body if is_answer else b"")
        if has_sdp(request) and not is_answer:
            transaction = OfferServer(self, dialog, key, request, flow, now)
            self.core.emit(ProgressAcknowledged(self, transaction, request))
        else:
            self._answer_at_once(request, flow, key, now, 200)
            self.core.emit(ProgressAcknowledged(self, None, request))
        self._go_on(progress, now)

    def _go_on(self, progress: Progress, now: float) -> None:
        """Send what has waited for a PRACK."""
        if self.state is not _PROCEEDING:
            return
        held = self._held
        if held is None:
            progress.ring_next(now)
        elif not progress.holds_back_answer:
            self._held = None
            self._send_answer(*held, now)

    def answer(
        self,
        now: float,
        body: bytes = b"",
        headers: Headers = (),
        tag: str | None = None,
        status: int = 200,
    ) -> None:
        """Send the 2xx; it is repeated until the ACK. It waits until SDP that went before is acknowledged."""
        if not 200 <= status < 300:
            raise LocalProtocolError(f"{status} is not an answer")
        if self.state is not _PROCEEDING or self._invited is None or self._held is not None:
            return
        tag = tag or self.local_tag
        progress = self._progress.get(tag) if self._progress else None
        if progress is not None and progress.holds_back_answer:
            self._held = (status, headers, body, tag)
        else:
            self._send_answer(status, headers, body, tag, now)

    def _send_answer(self, status: int, headers: Headers, body: bytes, tag: str, now: float) -> None:
        assert self._invited is not None
        assert self._request is not None
        self._unacknowledged[self._request._number()] = self._invited
        if self._progress is not None:
            for progress in self._progress.values():
                progress.stop()
            if self._is_agreed(tag):
                body = b""  # the answer went before (RFC 6337 §3.1.1)
                headers = [header for header in headers if header[0].lower() != "content-type"]
        if self.refresh is not None:
            headers = [*headers, *self.refresh.accept(self._request, now)]
            if body:
                self.refresh.sent = body
        self._send(status, now, None, headers, body, tag)
        self._invited = None
        self.dialog = self._dialogs.pop(tag) or dialog_of_callee(self._request, tag)
        self.local_tag = tag
        self._forget_dialogs()
        self.state = _CONFIRMED

    def reject(self, status: int, now: float, reason: str | None = None, headers: Headers = ()) -> None:
        """Refuse the INVITE."""
        if not 300 <= status < 700:
            raise LocalProtocolError(f"{status} is not a refusal")
        if self.state is _PROCEEDING and self._invited is not None:
            invite, self._invited = self._invited, None
            invite.respond(status, now, reason, headers)
            self._drop(now)

    def bye(self, now: float, headers: Headers = ()) -> None:
        """End an answered session; if the 2xx still waits for a PRACK, refuse instead."""
        if self._held is not None:
            self.reject(480, now, headers=headers)
        Conversation.bye(self, now, headers)

    def _is_agreed(self, tag: str) -> bool:
        dialog = self._dialogs.get(tag)
        return dialog is not None and dialog.is_agreed

    def _abort(self, status: int, now: float, headers: Headers) -> None:
        self.reject(status, now, headers=headers)

    def _send(
        self, status: int, now: float, reason: str | None, headers: Headers, body: bytes, tag: str
    ) -> None:
        if tag not in self._dialogs:
            self._dialogs[tag] = None
            self.core.sessions[tag] = self
        assert self._invited is not None
        assert self._request is not None  # it is not answered
        headers = typed(headers, body)
        headers.append(("Contact", self._contact))
        data = self._request.answer(status, reason, tag, headers, body)
        self._invited.send_response(status, data, now)

    def on_cancel(self, transaction: InviteServer, request: Request, now: float) -> None:
        """The caller took the INVITE, or a re-INVITE, back."""
        if self.state is _PROCEEDING:
            self._invited = None
            self._drop(now)
            self.core.emit(SessionCancelled(self, request))
        else:
            Conversation.on_cancel(self, transaction, request, now)

    def on_lost(self, transaction: InviteServer, cause: str, now: float) -> None:
        """An INVITE was not answered and cannot be any more."""
        if self.state is _PROCEEDING:
            self._invited = None
            self._drop(now)
            self.core.emit(SessionEnded(self, cause, None))
        else:
            Conversation.on_lost(self, transaction, cause, now)

    def _dialog_of(self, request: Request) -> Dialog | None:
        return self.dialog or self._early_dialog(request._to_tag() or "")

    def _dialog_sent(self, request: Request) -> Dialog | None:
        return self.dialog or self._early_dialog(request._from_tag() or "")

    def _own_dialog(self, tag: str | None = None) -> Dialog | None:
        if self.dialog is not None:
            return self.dialog
        return self._early_dialog(tag if tag is not None and tag in self._dialogs else self.local_tag)

    def _heard_allow(self) -> frozenset[str]:
        allow = None if self._request is None else self._request.get("Allow")
        self._allowed = Conversation._heard_allow(self) if allow is None else methods_in(allow)
        return self._allowed

    def _early_dialog(self, tag: str) -> Dialog:
        dialog = self._dialogs.get(tag)
        if dialog is None:
            dialog = self._dialogs[tag] = dialog_of_callee(self.request, tag)
        return dialog

    def _leave(self) -> None:
        Conversation._leave(self)
        self._forget_dialogs()
        self._held = None
        if self._progress is not None:
            for progress in self._progress.values():
                progress.stop()
            self._progress = None

    def _forget_dialogs(self) -> None:
        for tag in self._dialogs:
            if self.core.sessions.get(tag) is self and tag != self.local_tag:
                del self.core.sessions[tag]
        self._dialogs.clear()


def wants_prack(request: Request, body: bytes, wish: bool | None) -> bool:
    """Whether a provisional response to this INVITE is to be reliable: it must, or may and is wanted."""
    if request.lists("Require", OPTION):
        return True
    wants = bool(body) if wish is None else wish
    return wants and request.lists("Supported", OPTION)
