"""An INVITE session: one dialog usage with its re-INVITEs and its end (RFC 3261 §13 to §15)."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from ..errors import LocalProtocolError
from .client import open_invite, open_request
from .core import Usage
from .events import ReinviteRejected, SessionEnded
from .server import InviteServer, ServerTransaction

if TYPE_CHECKING:
    from .authorization import Authorizer
    from .client import ClientTransaction, InviteClient
    from .core import Core, Headers
    from .dialog import Dialog
    from .flow import Flow
    from .message import Message, Request, Response
    from .refresh import Refresh


class State(IntEnum):
    """How far a session is."""

    CALLING = 1  # caller: nothing heard yet
    PROCEEDING = 2
    CONFIRMED = 3  # a 2xx was sent or received
    TERMINATED = 4


_CREDENTIALS = ("Authorization", "Proxy-Authorization")
_BASIC = frozenset(("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"))  # what whoever says nothing takes

_PROCEEDING = State.PROCEEDING
_CONFIRMED = State.CONFIRMED
_TERMINATED = State.TERMINATED


class Session(Usage):
    """What an owner may ask of a call, be it caller or callee.

    What the owner asks of a session that the wire has just ended is not done, and is no error: the event
    that tells him may still be waiting.
    """

    __slots__ = (
        "_allowed",
        "_bye_headers",
        "_contact",
        "_invited",
        "_inviting",
        "_owed",
        "_request",
        "_unacknowledged",
        "authorizer",
        "context",
        "core",
        "dialog",
        "flow",
        "is_acknowledged",
        "is_caller",
        "local_tag",
        "refresh",
        "remote_tag",
        "state",
    )

    def __init__(self, core: Core, request: Request, flow: Flow, contact: str, tags: tuple[str, str]) -> None:
        self._begin_session(core, request, flow, contact, tags[0], tags[1])

    def _begin_session(
        self, core: Core, request: Request, flow: Flow, contact: str, local_tag: str, remote_tag: str
    ) -> None:
        self.core = core
        self._request: Request | None = request  # the INVITE, until its ACK
        self.flow = flow  # requests inside the dialog go here; the owner may change it
        self.call_id = request._call_id()
        self.local_tag, self.remote_tag = local_tag, remote_tag
        self.dialog: Dialog | None = None
        self.is_caller = False
        self.is_acknowledged = False
        self.context: object = None  # belongs to the owner
        self.authorizer: Authorizer | None = None  # answers challenges; without it none is ever answered
        self.refresh: Refresh | None = None  # the session timer
        self._allowed: frozenset[str] | None = None  # the methods that the other end says it takes
        self._contact = contact
        self._inviting: InviteClient | None = None  # our INVITE that has no final response yet
        self._owed: InviteClient | None = None  # our INVITE whose 2xx the owner has to acknowledge
        self._invited: InviteServer | None = None  # their INVITE that has no final response yet
        self._unacknowledged: dict[int, InviteServer] = {}  # by CSeq number: our 2xx is sent, the ACK awaited
        self._bye_headers: Headers | None = None  # of a BYE that waits for the ACK
        self.state = _PROCEEDING
        self.core.sessions[self.local_tag] = self
        self.core.counters.sessions += 1

    @property
    def request(self) -> Request:
        """The INVITE; once its ACK is sent or came, as much of it as anybody asks for."""
        if self._request is not None:
            return self._request
        assert self.dialog is not None  # it was answered
        return self.dialog.invite(self._contact, is_caller=self.is_caller)

    def _forget_request(self, request: Request) -> None:
        """A call that is up takes no more memory than it needs; a re-INVITE is nothing that was kept."""
        if request is self._request:
            if self._allowed is None:
                self._heard_allow()
            self._request = None

    # What a caller asks

    def cancel(self, now: float, headers: Headers = ()) -> None:
        """Give up an INVITE that is not answered."""
        self._refuse("cancel")

    def acknowledge_progress(
        self, response: Response, now: float, body: bytes = b"", headers: Headers = ()
    ) -> None:
        """Answer the offer in a reliable provisional response."""
        self._refuse("acknowledge progress")

    # What a callee asks

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
        """Send a provisional response."""
        self._refuse("ring")

    def answer(
        self,
        now: float,
        body: bytes = b"",
        headers: Headers = (),
        tag: str | None = None,
        status: int = 200,
    ) -> None:
        """Send the 2xx."""
        self._refuse("answer")

    def reject(self, status: int, now: float, reason: str | None = None, headers: Headers = ()) -> None:
        """Refuse the INVITE."""
        self._refuse("reject")

    def _refuse(self, what: str) -> NoReturn:
        raise LocalProtocolError(f"a {'caller' if self.is_caller else 'callee'} cannot {what}")

    # What both ask

    def hang_up(self, now: float, status: int = 487, headers: Headers = ()) -> None:
        """End the session, however far it is."""
        if self.state is _CONFIRMED:
            self.bye(now, headers=headers)
        elif self.state is not _TERMINATED:
            self._abort(status, now, headers)

    def _abort(self, status: int, now: float, headers: Headers) -> None:
        """End a session that is not answered."""

    def acknowledge(self, now: float, body: bytes = b"", headers: Headers = ()) -> None:
        """Send the ACK to the 2xx that came last."""
        invite, self._owed = self._owed, None
        if invite is None or self.dialog is None:
            return
        request = invite.request
        headers = typed(headers, body)
        for name in _CREDENTIALS:
            if name in request:  # §22.1
                headers += [(name, value) for value in request.get_all(name)]
        ack = self.dialog.request("ACK", request._number(), headers, body)
        self.is_acknowledged = True
        if body and self.refresh is not None:
            self.refresh.sent = body
        invite.acknowledged(self.core.send_ack(ack, self.flow), now)
        self._forget_request(request)

    def bye(self, now: float, headers: Headers = ()) -> None:
        """End an answered session; before the ACK has come the callee has to wait for it (§15)."""
        if self.state is not _CONFIRMED:
            return
        self.acknowledge(now)  # in case the owner skipped it: a BYE does not stop the 2xx
        self._terminate(now)
        if self._unacknowledged:
            self._bye_headers = list(headers)
        else:
            self._send_bye(now, headers)

    def reinvite(self, now: float, body: bytes = b"", headers: Headers = ()) -> None:
        """Offer a change; when another change is on its way it is answered with 491 right here."""
        if self.state is not _CONFIRMED or self.dialog is None:
            return
        if self._is_changing(self.dialog):
            self.core.emit(ReinviteRejected(self, None, 491))  # §14.1: one at a time, in either direction
            return
        self._send_reinvite(self.dialog, now, body, headers)

    def _is_changing(self, dialog: Dialog) -> bool:
        """Whether a change is on its way, in either direction."""
        return (
            self._inviting is not None
            or self._invited is not None
            or self._owed is not None
            or dialog.offered is not None
            or dialog.asked is not None
        )

    def _send_reinvite(self, dialog: Dialog, now: float, body: bytes, headers: Headers = ()) -> InviteClient:
        all_headers: list[tuple[str, object]] = [("Contact", self._contact), *headers]
        if self.refresh is not None:
            all_headers += self.refresh.headers()
        request = self._make(dialog, "INVITE", all_headers, body)
        self._inviting = open_invite(self.core, request, self.flow, now, self)
        return self._inviting

    def answer_reinvite(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        body: bytes = b"",
        headers: Headers = (),
        reason: str | None = None,
    ) -> None:
        """Answer what ReinviteReceived brought."""
        if transaction is not self._invited or self.dialog is None:
            return  # it was cancelled, or the session ended
        if status >= 200:
            self._invited = None
        if 200 <= status < 300:
            self.dialog.refresh(transaction.request)
            self._follow(transaction.flow)
            self._unacknowledged[transaction.request._number()] = transaction
        headers = typed(headers, body)
        if 100 < status < 300:
            headers.append(("Contact", self._contact))
        if self.refresh is not None and 200 <= status < 300:
            headers += self.refresh.accept(transaction.request, now)
            self.refresh.note(sent=body, heard=transaction.request.body)
        transaction.respond(status, now, reason, headers, body)

    def send_request(
        self, method: str, now: float, body: bytes = b"", headers: Headers = ()
    ) -> ClientTransaction | None:
        """Send another request inside the dialog: INFO, REFER, NOTIFY... None when the session has ended."""
        if method in ("INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE"):
            raise LocalProtocolError(f"{method} is not sent by send_request")
        if self.state is _TERMINATED:
            return None
        dialog = self._own_dialog()
        if dialog is None:
            raise LocalProtocolError("there is no dialog before a provisional response")
        return open_request(self.core, self._make(dialog, method, headers, body), self.flow, now, self)

    def update(self, now: float, body: bytes = b"", headers: Headers = (), tag: str | None = None) -> None:
        """Change something outside INVITE (RFC 3311); ``tag`` is the other end's of an early dialog."""

    def glare_delay(self, is_owner_of_call_id: bool | None = None) -> float:
        """How long to wait before offering again what met 491 (§14.1)."""
        units = int(self.core.mint.tag()[-6:], 16)
        if self.is_caller if is_owner_of_call_id is None else is_owner_of_call_id:
            return 2.1 + units % 191 / 100
        return units % 201 / 100

    def _own_dialog(self, tag: str | None = None) -> Dialog | None:
        """The dialog of a request of ours: an early one by the callee's tag, or the usual one."""

    def allows(self, method: str) -> bool:
        """Whether the other end takes requests of this method, by its Allow."""
        allowed = self._allowed
        if allowed is None:
            allowed = self._heard_allow()
        return method in allowed

    def _heard_allow(self) -> frozenset[str]:
        """What the other end said that it takes when it had not yet answered."""
        return _BASIC

    def _note_allow(self, message: Message) -> None:
        allow = message.get("Allow")
        if allow is not None:
            self._allowed = methods_in(allow)

    # What the wire says: ``Conversation`` reacts

    def has_remote(self, tag: str | None) -> bool:
        """Whether the other end of this dialog bears the tag."""
        return (tag or "") == self.remote_tag

    def receive_request(self, request: Request, flow: Flow, key: str, now: float) -> None:
        """Take a new request inside the dialog, neither ACK nor CANCEL."""

    def receive_ack(self, request: Request, now: float) -> None:
        """Take the ACK to a 2xx."""

    # What its transactions tell: as ``client.Inviter`` and ``server.Invitee`` say

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """React to a response that is no retransmission."""

    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """React to there being no final response."""

    def on_fork(self, transaction: InviteClient, response: Response, now: float) -> None:
        """React to a 2xx of another than the one that answered first."""

    def on_no_news(self, transaction: InviteClient, now: float) -> None:
        """React to timer C."""

    def on_unacknowledged(self, transaction: InviteClient, now: float) -> None:
        """React to timer M."""

    # The end

    def _end(self, cause: str, now: float) -> None:
        """End what the owner believes to be up."""
        self._terminate(now)
        self._send_bye(now, ())
        self.core.emit(SessionEnded(self, cause, None))

    def _send_bye(self, now: float, headers: Headers) -> None:
        assert self.dialog is not None  # it was confirmed
        self._bye_headers = None
        open_request(self.core, self._make(self.dialog, "BYE", headers), self.flow, now, self)

    def _terminate(self, now: float) -> None:
        """No more of this session but its BYE, which keeps it in the table: a BYE may come to meet ours."""
        self.state = _TERMINATED
        if self.refresh is not None:
            self.refresh.stop()
            self.refresh = None  # it refers to the session: nothing that is over waits for the collector
        invited, self._invited = self._invited, None
        if invited is not None:
            invited.respond(487, now)  # §15.1.2: what is pending is answered nevertheless

    def _leave(self) -> None:
        """Forget the session: what comes for it from now on gets 481."""
        self.refresh = None  # of one that never began
        self.core._over.append(self)
        if self.core.sessions.get(self.local_tag) is self:
            del self.core.sessions[self.local_tag]
            self.core.counters.sessions -= 1

    def _drop(self, now: float) -> None:
        """The other end has ended the session: nothing of it is awaited any more."""
        self.acknowledge(now)
        self._terminate(now)
        for transaction in self._unacknowledged.values():
            transaction.settle(now)
        self._unacknowledged.clear()
        self._bye_headers = None
        self._leave()

    def _make(self, dialog: Dialog, method: str, headers: Headers, body: bytes = b"") -> Request:
        headers = typed(headers, body)
        if self.core.user_agent:
            headers.append(("User-Agent", self.core.user_agent))
        return dialog.request(method, dialog.next_cseq(), headers, body)

    def _follow(self, flow: Flow) -> None:
        """A NAT has given the other end a new port, or it has connected again; its host is the same."""
        if flow.transport == self.flow.transport and flow.remote[0] == self.flow.remote[0]:
            self.flow = flow


@lru_cache(maxsize=256)  # phones of one make say the same
def methods_in(allow: str) -> frozenset[str]:
    """The methods that an Allow line names."""
    return frozenset(method.strip(" \t") for method in allow.split(","))


def typed(headers: Headers, body: bytes) -> list[tuple[str, object]]:
    """The headers with a Content-Type for the body, which in sessions is SDP if nobody says otherwise."""
    typed = list(headers)
    if body:
        for name, _ in typed:
            if name.lower() == "content-type":
                return typed
        typed.append(("Content-Type", "application/sdp"))
    return typed
