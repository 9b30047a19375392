"""Server transactions: requests that we answer (RFC 3261 §17.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..wheel import NEVER
from .message import Request
from .transaction import CAME, INVITE_SERVER, REQUEST_SERVER, Transaction, TransactionState, rows

if TYPE_CHECKING:
    from .core import Core, Headers
    from .flow import Flow

_TRYING = TransactionState.TRYING
_PROCEEDING = TransactionState.PROCEEDING
_ACCEPTED = TransactionState.ACCEPTED
_COMPLETED = TransactionState.COMPLETED
_TERMINATED = TransactionState.TERMINATED

_NEVER = NEVER  # compiled, a number of C

_ON_REQUEST, _ON_INVITE = rows(REQUEST_SERVER), rows(INVITE_SERVER)

ABSORB = b""  # the tombstone of what needs no answer


class ServerTransaction(Transaction):
    """A request other than INVITE (§17.2.2)."""

    __slots__ = ("to_tag",)

    def __init__(
        self,
        core: Core,
        key: str,
        request: Request,
        flow: Flow,
        now: float,
        to_tag: str,
        state: TransactionState = _TRYING,
    ) -> None:
        self._prepare(core, key, request, flow, state)
        self.to_tag = to_tag  # for a request that has none
        self._start(now)

    def _start(self, now: float) -> None:
        core = self.core
        core.servers[self.key] = self
        core.counters.transactions += 1
        self.give_up_at = now + core.timers.timeout  # by then the client has given up (timer F)
        self._arm(now)

    def respond(
        self, status: int, now: float, reason: str | None = None, headers: Headers = (), body: bytes = b""
    ) -> None:
        """Answer; nothing happens when a final answer was given already or the client has given up."""
        state = _ON_REQUEST[self.state][CAME[status // 100]]
        if state is None:
            return
        self.data = self.request.answer(status, reason, self.to_tag, headers, body)
        self.state = state
        core = self.core
        core.send_response(status, self.data, self.flow)
        if state is _COMPLETED:
            grave = self.data if self.flow.transport == "UDP" else None
            core.finish_server(self, grave, now + core.timers.timeout)  # J

    def receive_again(self) -> None:
        """Take a retransmission: the last response again, if there was one."""
        self.core.counters.retransmissions_in += 1
        if self.data:
            self.core.send_again(self.data, self.flow)

    def on_flow_failed(self, reason: str, now: float) -> None:
        """React to the client's connection being closed: a late answer is lost, and that is all."""

    def _on_give_up(self, now: float) -> None:
        self.core.counters.timeouts += 1
        self.state = _TERMINATED
        self.core.finish_server(self, None, now)


def respond_at_once(
    core: Core,
    key: str,
    request: Request,
    flow: Flow,
    now: float,
    status: int,
    to_tag: str,
    headers: Headers = (),
    reason: str | None = None,
) -> None:
    """Answer a request other than INVITE as soon as it comes: it begins as its tombstone."""
    data = request.answer(status, reason, to_tag, headers)
    core.send_response(status, data, flow)
    if flow.transport == "UDP":
        core.bury_server(key, data, now + core.timers.timeout)  # J


class Invitee(Protocol):
    """Whoever answers an INVITE."""

    __slots__ = ()

    def on_cancel(self, transaction: InviteServer, request: Request, now: float) -> None:
        """React to a CANCEL that came in time; 487 is sent already."""

    def on_ack_timeout(self, transaction: InviteServer, now: float) -> None:
        """React to there being no ACK to our 2xx in 64*T1."""

    def on_lost(self, transaction: InviteServer, cause: str, now: float) -> None:
        """React to the end of an INVITE that we had not answered: "timeout" (408 is sent) or "transport"."""


class InviteServer(ServerTransaction):
    """An INVITE to us (§17.2.1, RFC 6026 §7.1), and the repetition of its 2xx (§13.3.1.4)."""

    __slots__ = ("invitee",)

    def __init__(
        self,
        core: Core,
        key: str,
        request: Request,
        flow: Flow,
        now: float,
        to_tag: str,
        invitee: Invitee,
    ) -> None:
        self._take(core, key, request, flow, now, to_tag, invitee)

    def _take(
        self,
        core: Core,
        key: str,
        request: Request,
        flow: Flow,
        now: float,
        to_tag: str,
        invitee: Invitee,
    ) -> None:
        self._prepare(core, key, request, flow, _PROCEEDING)
        self.to_tag = to_tag
        self.invitee = invitee
        self._start(now)

    @property
    def is_accepted(self) -> bool:
        """Whether our 2xx waits for its ACK."""
        return self.state is _ACCEPTED

    def _start(self, now: float) -> None:
        core = self.core
        core.servers[self.key] = self
        core.counters.transactions += 1
        self.give_up_at = now + core.timers.invite_lifetime  # armed by the first response, sent at once
        if self.flow.transport != "UDP":
            core.watch(self)

    def respond(
        self, status: int, now: float, reason: str | None = None, headers: Headers = (), body: bytes = b""
    ) -> None:
        """Answer; nothing happens when a final answer was given already."""
        if _ON_INVITE[self.state][CAME[status // 100]] is not None:
            self.send_response(status, self.request.answer(status, reason, self.to_tag, headers, body), now)

    def send_response(self, status: int, data: bytes, now: float) -> None:
        """Send what the owner has put together."""
        state = _ON_INVITE[self.state][CAME[status // 100]]
        assert state is not None
        self.state = state
        self.data = data
        core, timers = self.core, self.core.timers
        core.send_response(status, self.data, self.flow)
        is_reliable = self.flow.transport != "UDP"
        if state is _PROCEEDING:
            self.resend_at = now + timers.ring_interval if status > 100 else _NEVER
        else:
            self.give_up_at = now + timers.timeout  # H, L
            self.interval = timers.t1
            # a 2xx is repeated on any transport: there may be datagrams further on its way
            self.resend_at = _NEVER if is_reliable and state is _COMPLETED else now + timers.t1
        self._arm(now)

    def receive_again(self) -> None:
        """Take a retransmission; one of an accepted INVITE gets nothing (RFC 6026 §7.1)."""
        if self.state is _ACCEPTED:
            self.core.counters.retransmissions_in += 1
        else:
            ServerTransaction.receive_again(self)

    def receive_ack(self, request: Request, now: float) -> None:
        """Take the ACK to a refusal; the one to a 2xx is the dialog's and comes by ``settle``."""
        if self.state is _COMPLETED:
            self.settle(now)
        else:
            self.core.counters.strays += 1

    def settle(self, now: float) -> None:
        """Nothing more is to be sent."""
        until = self.give_up_at if self.state is _ACCEPTED else now + self.core.timers.t4  # L, I
        self.state = _TERMINATED
        self.core.finish_server(self, ABSORB if self.flow.transport == "UDP" else None, until)

    def receive_cancel(self, request: Request, now: float) -> None:
        """Take a CANCEL: after a final answer it has no effect (§9.2)."""
        if self.state is _PROCEEDING:
            self.respond(487, now)
            self.invitee.on_cancel(self, request, now)

    def on_flow_failed(self, reason: str, now: float) -> None:
        """React to the caller's connection being closed: he cannot hear an answer."""
        if self.state is _PROCEEDING:
            self.state = _TERMINATED
            self.core.finish_server(self, None, now)
            self.invitee.on_lost(self, "transport", now)

    def _send_again(self, now: float) -> None:
        self.core.send_again(self.data, self.flow)
        timers = self.core.timers
        if self.state is _PROCEEDING:
            self.resend_at = now + timers.ring_interval
        else:
            self.interval = min(2 * self.interval, timers.t2)
            self.resend_at = now + self.interval

    def _on_give_up(self, now: float) -> None:
        self.core.counters.timeouts += 1
        if self.state is _PROCEEDING:
            self.respond(408, now)
            self.invitee.on_lost(self, "timeout", now)
            return
        is_accepted = self.state is _ACCEPTED
        self.state = _TERMINATED
        self.core.finish_server(self, None, now)
        if is_accepted:
            self.invitee.on_ack_timeout(self, now)


def take_invite(
    core: Core, key: str, request: Request, flow: Flow, now: float, to_tag: str, invitee: Invitee
) -> InviteServer:
    """Make the transaction of an INVITE that came."""
    invite = InviteServer.__new__(InviteServer)
    invite._take(core, key, request, flow, now, to_tag, invitee)
    return invite
