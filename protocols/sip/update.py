"""Offers inside a session besides those of INVITE: UPDATE, PRACK, and how they meet (RFC 3311, RFC 6337)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from .client import ClientTransaction
from .core import reply_flow
from .events import UpdateAnswered, UpdateReceived, UpdateRejected
from .reliable import has_sdp
from .server import ServerTransaction, respond_at_once
from .session import Session, State, typed

if TYPE_CHECKING:
    from .core import Headers
    from .dialog import Dialog
    from .flow import Flow
    from .message import Request, Response

_CONFIRMED = State.CONFIRMED
_TERMINATED = State.TERMINATED
_KNOWN = frozenset(("100rel", "timer"))  # what an UPDATE or PRACK that we answer by ourselves may require


class Pending(IntEnum):
    """Whose offer waits for its answer."""

    LOCAL = 1
    REMOTE = 2


class OfferServer(ServerTransaction):
    """An UPDATE or PRACK that brings an offer: until it is answered there may be no other."""

    __slots__ = ("_dialog", "_session")

    def __init__(
        self, session: Offering, dialog: Dialog, key: str, request: Request, flow: Flow, now: float
    ) -> None:
        self._session = session
        self._dialog = dialog
        super().__init__(session.core, key, request, reply_flow(request, flow), now, dialog.local_tag)
        dialog.asked = self

    def respond(
        self, status: int, now: float, reason: str | None = None, headers: Headers = (), body: bytes = b""
    ) -> None:
        """Answer; nothing happens when a final answer was given already or the client has given up."""
        if status >= 200 and not self.is_finished:
            self._settle()
            if status < 300:
                headers = self._session.on_offer_accepted(self, self._dialog, headers, body, now)
        ServerTransaction.respond(self, status, now, reason, headers, body)

    def _settle(self) -> None:
        if self._dialog.asked is self:
            self._dialog.asked = None

    def _on_give_up(self, now: float) -> None:
        self._settle()
        ServerTransaction._on_give_up(self, now)


class Offering(Session):
    """What a session offers and is offered outside INVITE."""

    __slots__ = ()

    def update(self, now: float, body: bytes = b"", headers: Headers = (), tag: str | None = None) -> None:
        """Change something, before the answer or after it; ``tag``, the callee's, tells the early dialog.

        An offer that may not be made now is answered with 491 right here.
        """
        if self.state is _TERMINATED:
            return
        dialog = self._own_dialog(tag)
        if dialog is None:
            raise LocalProtocolError("there is no dialog before a provisional response")
        if body and self._pending(dialog) is not None:
            self.core.emit(UpdateRejected(self, None, 491))  # RFC 3311 §5.1
            return
        self._send_update(dialog, now, body, headers)

    def _send_update(
        self, dialog: Dialog, now: float, body: bytes = b"", headers: Headers = ()
    ) -> ClientTransaction:
        all_headers: list[tuple[str, object]] = [("Contact", self._contact), *headers]
        if self.refresh is not None and self.state is _CONFIRMED:
            all_headers += self.refresh.headers()
        request = self._make(dialog, "UPDATE", all_headers, body)
        transaction = ClientTransaction(self.core, request, self.flow, now, self)
        if body:
            dialog.offered = transaction
        return transaction

    def _pending(self, dialog: Dialog) -> Pending | None:
        """Whose offer is still to be answered in this dialog (RFC 6337 §2)."""
        if dialog.offered is not None:
            return Pending.LOCAL
        if dialog.asked is not None:
            return Pending.REMOTE
        if self.state is not _CONFIRMED:
            if dialog.is_agreed:
                return None
            # an INVITE's offer is answered by whoever got it, that of an answer to it by whoever sent it
            return Pending.LOCAL if self.is_caller == bool(self.request.body) else Pending.REMOTE
        if self._inviting is not None or self._expects_answer():
            return Pending.LOCAL
        if self._invited is not None or (self._owed is not None and not self._owed.request.body):
            return Pending.REMOTE
        return None

    def _expects_answer(self) -> bool:
        """Whether an offer of ours went in a 2xx whose ACK has not come (RFC 5407 §3.1.5)."""
        return any(not invite.request.body for invite in self._unacknowledged.values())

    def _retry_soon(self) -> tuple[str, str]:
        """When to come again with what met our own (RFC 3261 §14.2, RFC 3311 §5.2)."""
        return "Retry-After", str(int(self.core.mint.tag()[-4:], 16) % 11)

    # What the wire says

    def _on_update(self, request: Request, flow: Flow, key: str, now: float, dialog: Dialog) -> None:
        refusal = self._refuse_update(request, dialog)
        if refusal is not None:
            status, headers = refusal
            respond_at_once(
                self.core, key, request, reply_flow(request, flow), now, status, dialog.local_tag, headers
            )
        elif has_sdp(request):
            transaction = OfferServer(self, dialog, key, request, flow, now)
            self.core.emit(UpdateReceived(self, transaction, request))
        else:
            headers = self._accept_change(request, dialog, flow, now)
            respond_at_once(
                self.core, key, request, reply_flow(request, flow), now, 200, dialog.local_tag, headers
            )

    def _refuse_update(self, request: Request, dialog: Dialog) -> tuple[int, list[tuple[str, object]]] | None:
        """Why an UPDATE cannot even be looked at (RFC 3311 §5.2, RFC 4028 §9)."""
        unknown = requires_unknown(request)
        if unknown:
            return 420, [("Unsupported", unknown)]
        if self.refresh is not None:
            refusal = self.refresh.refuse(request)
            if refusal is not None:
                return refusal.status, list(refusal.headers)
        if dialog.asked is not None:
            return 500, [self._retry_soon()]
        if has_sdp(request):
            pending = self._pending(dialog)
            if pending is Pending.LOCAL:
                return 491, []
            if pending is Pending.REMOTE:
                return 500, [self._retry_soon()]
        return None

    def _accept_change(
        self, request: Request, dialog: Dialog, flow: Flow, now: float
    ) -> list[tuple[str, object]]:
        """Obey an UPDATE that is accepted; the headers of its 2xx."""
        dialog.refresh(request)
        self._follow(flow)
        headers: list[tuple[str, object]] = [("Contact", self._contact)]
        if self.refresh is not None and self.state is _CONFIRMED:
            headers += self.refresh.accept(request, now)
        return headers

    def on_offer_accepted(
        self, transaction: OfferServer, dialog: Dialog, headers: Headers, body: bytes, now: float
    ) -> Headers:
        """The owner answers an offer: the headers of his 2xx."""
        request = transaction.request
        if self.refresh is not None:
            self.refresh.note(sent=body, heard=request.body)
        added: list[tuple[str, object]] = []
        if request.method == "UPDATE":
            added = self._accept_change(request, dialog, transaction.flow, now)
        return [*typed(headers, body), *added]

    def _on_update_response(
        self, transaction: ClientTransaction, response: Response, dialog: Dialog | None, now: float
    ) -> None:
        """React to the answer to an UPDATE of ours; a provisional one says nothing."""
        if response.status < 200:
            return
        if dialog is not None:
            self._forget_offer(transaction, dialog)
        refresh = self.refresh
        if response.status >= 300:
            if refresh is not None and refresh.take(transaction):
                refresh.on_refused(transaction.method, response.status, response.retry_after, now)
            else:
                self.core.emit(UpdateRejected(self, response, response.status))
            return
        if dialog is not None:
            dialog.refresh(response)
        if refresh is not None:
            is_own = refresh.take(transaction)
            if self.state is _CONFIRMED:
                refresh.on_answer(response, now)
            refresh.note(sent=transaction.request.body, heard=response.body)
            if is_own:
                return
        self.core.emit(UpdateAnswered(self, response))

    def _on_update_failed(self, transaction: ClientTransaction, dialog: Dialog | None, status: int) -> bool:
        """React to there being no answer to an UPDATE of ours; whether it was a refresh of nobody's."""
        if dialog is not None:
            self._forget_offer(transaction, dialog)
        if self.refresh is not None and self.refresh.take(transaction):
            return True
        self.core.emit(UpdateRejected(self, None, status))
        return False

    @staticmethod
    def _forget_offer(transaction: ClientTransaction, dialog: Dialog) -> None:
        if dialog.offered is transaction:
            dialog.offered = None


def requires_unknown(request: Request) -> str:
    """The extensions that a request requires and the engine does not know by itself."""
    if "require" not in request:
        return ""
    return ", ".join(name for name in request.require if name.lower() not in _KNOWN)
