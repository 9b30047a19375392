"""The session of an INVITE that we send: early dialogs, forks, CANCEL (RFC 3261 §13.2, §9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from . import forks
from .client import open_invite, open_request
from .conversation import Conversation
from .dialog import Dialog, dialog_of_caller
from .events import SessionAnswered, SessionProgressed, SessionRejected
from .extensions import RAck
from .message import Request, Response
from .refresh import SessionTiming, begin_refresh
from .reliable import OPTION, has_sdp
from .session import State

if TYPE_CHECKING:
    from .client import ClientTransaction, InviteClient
    from .core import Core, Headers
    from .flow import Flow

_CALLING = State.CALLING
_PROCEEDING = State.PROCEEDING
_CONFIRMED = State.CONFIRMED
_TERMINATED = State.TERMINATED

_MAX_FORKS = 32  # early dialogs of one INVITE that we remember


class Caller(Conversation):
    """One INVITE out, one answer in."""

    __slots__ = ("_cancel_headers", "_early", "_given_up", "_heard", "_unanswered")

    def __init__(
        self, core: Core, request: Request, flow: Flow, now: float, timing: SessionTiming | None = None
    ) -> None:
        self._call(core, request, flow, now, timing)

    def _call(
        self, core: Core, request: Request, flow: Flow, now: float, timing: SessionTiming | None
    ) -> None:
        tag, contact = request._from_tag(), request.get("Contact")
        if not tag or not contact:
            raise LocalProtocolError("an INVITE needs a From tag and a Contact")
        self._begin_session(core, request, flow, contact, tag, "")
        self.is_caller = True
        self.state = _CALLING
        self._early: dict[str, Response | Dialog] = {}  # by remote tag; a dialog is made when it is needed
        self._given_up: tuple[int, str] | None = None  # what the owner is to hear when the INVITE has ended
        self._cancel_headers: Headers = ()
        self._heard: dict[str, int] | None = None  # by remote tag: the RSeq of the last reliable response
        self._unanswered: dict[str, RAck] | None = None  # by remote tag: whose offer the owner has to answer
        if timing is not None and timing.mode != "off":
            self.refresh = begin_refresh(self, timing)
            self.refresh.sent = request.body
            request._add_all(self.refresh.headers(True))
        self._inviting = open_invite(core, request, flow, now, self)

    def cancel(self, now: float, headers: Headers = ()) -> None:
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
        return Conversation.has_remote(self, tag) if self.dialog is not None else (tag or "") in self._early

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """React to a response to a request of ours."""
        invite = self._inviting
        if invite is None or transaction is not invite or self.state >= _CONFIRMED:
            Conversation.on_response(self, transaction, response, now)
        elif response.status < 200:
            self._on_provisional(invite, response, now)
        elif response.status < 300:
            self._on_answer(invite, response, now)
        else:
            self._on_refused(invite, response, now)

    def _on_refused(self, invite: InviteClient, response: Response, now: float) -> None:
        status, reason = response.status, response.reason
        if self._given_up is None:
            if self._is_sent_again(invite, response, now):
                self._request = invite.request
                self._early.clear()
                self._heard = self._unanswered = None
                return
        elif status in (401, 407, 422, 487):
            status, reason = self._given_up
        self._on_rejected(response, status, reason)

    def _on_provisional(self, invite: InviteClient, response: Response, now: float) -> None:
        self.state = _PROCEEDING
        if self._given_up is not None:
            invite.cancel(now, self._cancel_headers)
        elif response.status > 100:
            tag = response._to_tag()
            if tag and len(self._early) < _MAX_FORKS and not isinstance(self._early.get(tag), Dialog):
                self._early[tag] = response
            if "require" not in response or self._is_new_progress(response, now):
                self.core.emit(SessionProgressed(self, response))

    def _is_new_progress(self, response: Response, now: float) -> bool:
        """Acknowledge a reliable provisional response; one out of order is not heard (RFC 3262 §4)."""
        tag = response._to_tag() or ""
        rseq = response.rseq
        if OPTION not in response.require or rseq is None:
            return True
        dialog = self._early_dialog(tag)
        if dialog is None:
            return False  # more forks than we remember
        if self._heard is None:
            self._heard = {}
        if self._heard.get(tag, rseq - 1) != rseq - 1:
            self.core.counters.retransmissions_in += 1
            return False
        self._heard[tag] = rseq
        rack = RAck(rseq, self.request._number(), "INVITE")
        if has_sdp(response) and not dialog.is_agreed:
            if not self.request.body:  # it is an offer, and the answer goes in the PRACK (§5)
                self._unanswered = {**(self._unanswered or {}), tag: rack}
                return True
            dialog.is_agreed = True
            if self.refresh is not None:
                self.refresh.note(heard=response.body)
        self._send_prack(dialog, rack, now)
        return True

    def _send_prack(
        self, dialog: Dialog, rack: RAck, now: float, headers: Headers = (), body: bytes = b""
    ) -> None:
        request = self._make(dialog, "PRACK", [("RAck", rack), *headers], body)
        open_request(self.core, request, self.flow, now, self)

    def acknowledge_progress(
        self, response: Response, now: float, body: bytes = b"", headers: Headers = ()
    ) -> None:
        """Answer the offer in a reliable provisional response."""
        tag = response._to_tag() or ""
        rack = self._unanswered.pop(tag, None) if self._unanswered else None
        dialog = self.dialog or self._early_dialog(tag)
        if rack is None or dialog is None or self.state is _TERMINATED:
            return
        dialog.is_agreed = True
        if self.refresh is not None:
            self.refresh.note(sent=body, heard=response.body)
        self._send_prack(dialog, rack, now, headers, body)

    def _on_answer(self, invite: InviteClient, response: Response, now: float) -> None:
        self.remote_tag = response._to_tag() or ""
        self.dialog = dialog_of_caller(response, invite.request._uri_text)
        self.dialog.share(self.call_id, self.local_tag)
        if self._early:
            early = self._early.pop(self.remote_tag, None)
            if isinstance(early, Dialog):
                self.dialog.succeed(early)
            elif early is not None:
                self._note_allow(early)
            self._lose(invite, now)
        self._note_allow(response)
        self._inviting, self._owed = None, invite
        self.state = _CONFIRMED
        if self.refresh is not None:
            self.refresh.on_answer(response, now)
            if response.body and not self.dialog.is_agreed:
                self.refresh.heard = response.body
        if self._given_up is None:
            self.core.emit(SessionAnswered(self, response))
        else:
            self.bye(now, headers=self._cancel_headers)  # with the ACK in front
            self.core.emit(SessionRejected(self, None, *self._given_up))

    def _lose(self, invite: InviteClient, now: float) -> None:
        """Note how far the numbers of the other early dialogs are: the BYE of one that answers is above."""
        for tag, early in self._early.items():
            if isinstance(early, Dialog):
                forks.note(self.core, invite.key, tag, early.local_cseq, now)
        self._early.clear()

    def _on_rejected(self, response: Response | None, status: int, reason: str) -> None:
        self._inviting = None
        self._early.clear()
        self.state = _TERMINATED
        self._leave()
        self.core.emit(SessionRejected(self, response, status, reason))

    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """React to a request of ours having no final response."""
        if transaction is not self._inviting or self.state >= _CONFIRMED:
            Conversation.on_failure(self, transaction, reason, now)
        elif self._given_up is not None:
            self._on_rejected(None, *self._given_up)
        else:
            self._on_rejected(None, 408 if reason == "timeout" else 503, reason)

    def on_no_news(self, transaction: InviteClient, now: float) -> None:
        """Give up an INVITE about which nothing was heard for timer C."""
        if self.state >= _CONFIRMED:
            Conversation.on_no_news(self, transaction, now)
        else:
            self._give_up((408, "timeout"), now, ())

    def _dialog_of(self, request: Request) -> Dialog | None:
        return self.dialog or self._early_dialog(request._from_tag() or "")

    def _dialog_sent(self, request: Request) -> Dialog | None:
        return self.dialog or self._early_dialog(request._to_tag() or "")

    def _own_dialog(self, tag: str | None = None) -> Dialog | None:
        if self.dialog is not None or not self._early:
            return self.dialog
        return self._early_dialog(tag or next(reversed(self._early)))

    def _early_dialog(self, tag: str) -> Dialog | None:
        early = self._early.get(tag)
        if isinstance(early, Response):
            self._note_allow(early)
            early = self._early[tag] = dialog_of_caller(early, self.request._uri_text)
        return early
