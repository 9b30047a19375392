"""Client transactions: requests that we send (RFC 3261 §17.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..wheel import NEVER
from .dialog import MAX_FORWARDS
from .flow import Flow
from .message import Request, Response
from .transaction import CAME, INVITE_CLIENT, REQUEST_CLIENT, Transaction, TransactionState, rows

if TYPE_CHECKING:
    from .core import ClientGrave, Core, Headers

_CALLING = TransactionState.CALLING
_TRYING = TransactionState.TRYING
_PROCEEDING = TransactionState.PROCEEDING
_ACCEPTED = TransactionState.ACCEPTED
_COMPLETED = TransactionState.COMPLETED
_TERMINATED = TransactionState.TERMINATED

_NEVER = NEVER  # compiled, a number of C

_ON_RESPONSE, _ON_ANSWER = rows(REQUEST_CLIENT), rows(INVITE_CLIENT)

# §17.1.1.3, §22.1; and §9.1
_SAME_IN_ACK = ("Route", "From", "Call-ID", "Authorization", "Proxy-Authorization")
_SAME_IN_CANCEL = ("Route", "From", "To", "Call-ID")
_ABSORB: ClientGrave = (False, "", b"")
_FALLBACK = 4  # times T1: how long a long request's connection may keep us waiting before UDP is tried


class Owner(Protocol):
    """Whoever sent the request."""

    __slots__ = ()

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """React to a response that is no retransmission."""

    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """React to there being no final response: "timeout" or "transport"."""


class ClientTransaction(Transaction):
    """A request other than INVITE (§17.1.2)."""

    __slots__ = ("_fallback", "attempts", "branch", "owner", "sent_by")

    def __init__(
        self,
        core: Core,
        request: Request,
        flow: Flow,
        now: float,
        owner: Owner,
        *,
        branch: str | None = None,
        state: TransactionState = _TRYING,
    ) -> None:
        self._open(core, request, flow, now, owner, branch, state)

    def _open(
        self,
        core: Core,
        request: Request,
        flow: Flow,
        now: float,
        owner: Owner,
        branch: str | None,
        state: TransactionState,
    ) -> None:
        self.branch = branch or core.mint.branch()
        # only a CANCEL shares its branch with another transaction
        key = self.branch if branch is None else f"{branch} {request.method}"
        self._prepare(core, key, request, flow, state)
        self.owner = owner
        self.attempts = 0  # how often a challenge was answered
        self._fallback: Flow | None = None
        self._start(now)

    def _start(self, now: float) -> None:
        core, flow, request = self.core, self.flow, self.request
        self.sent_by = core.sent_by(flow)
        request.insert_first("Via", f"SIP/2.0/{flow.transport} {self.sent_by};branch={self.branch};rport")
        data = request.encode()
        if len(data) > core.udp_request_limit > 0 and flow.transport == "UDP":
            data = self._move_to_stream()
            flow = self.flow
        self.data = data
        core.clients[self.key] = self
        core.watch(self)
        counters = core.counters
        counters.transactions += 1
        counters.count_request_out(request.method)
        core.send(data, flow)
        timers = core.timers
        if flow.transport == "UDP":
            self.resend_at = now + timers.t1
        elif self._fallback is not None:
            self.resend_at = now + _FALLBACK * timers.t1
        self.give_up_at = now + timers.timeout  # timer B, F
        self._arm(now)

    def _move_to_stream(self) -> bytes:
        """Send a long request over TCP, which controls congestion and needs no fragments (§18.1.1)."""
        self._fallback = self.flow
        self.flow = Flow("TCP", self.flow.local, self.flow.remote)
        return self._change_via()

    def _fall_back(self, now: float) -> None:
        """No such connection, or none in time: UDP is what the other end surely speaks (§18.1.1)."""
        assert self._fallback is not None
        core = self.core
        core.unwatch(self)
        self.flow, self._fallback = self._fallback, None
        core.watch(self)
        self.data = self._change_via()
        core.send_again(self.data, self.flow)
        self.interval = core.timers.t1
        self.resend_at = now + self.interval

    def _change_via(self) -> bytes:
        self.request.replace_top("Via", self.core.make_via(self.flow, self.branch))
        return self.request.encode()

    def receive(self, response: Response, now: float) -> None:
        """Take a response that bears our branch."""
        state = _ON_RESPONSE[self.state][CAME[response.status // 100]]
        assert state is not None  # a transaction in any other state is not in the table of them
        self.state = state
        if state is _COMPLETED:
            reliable = self.flow.transport != "UDP"
            self.core.finish_client(self, None if reliable else _ABSORB, now + self.core.timers.t4)  # K
        else:
            self._fallback = None
            if self.flow.transport == "UDP":
                self.interval = self.core.timers.t2  # §17.1.2.2: E goes on at T2
        self.owner.on_response(self, response, now)

    def on_flow_failed(self, reason: str, now: float) -> None:
        """React to a closed connection or an ICMP error."""
        if self._fallback is not None:
            self._fall_back(now)
            self._arm(now)
        else:
            self._fail("transport", now)

    def renew(self, request: Request, now: float) -> None:
        """Send the request that a refusal asked for: another transaction, for its owner the same."""
        assert self.is_finished
        self._begin_again(request, _TRYING, now)

    def _begin_again(self, request: Request, state: TransactionState, now: float) -> None:
        self.request = request
        self.branch = self.key = self.core.mint.branch()
        self.state = state
        self.interval = self.core.timers.t1
        self.resend_at = _NEVER
        self._start(now)

    def abandon(self) -> None:
        """Forget the request: nobody waits for its answer any more."""
        if not self.is_finished:
            self.state = _TERMINATED
            self.core.finish_client(self, None, 0.0)

    def _send_again(self, now: float) -> None:
        if self._fallback is not None:
            self._fall_back(now)
            return
        self.core.send_again(self.data, self.flow)
        self.interval = min(2 * self.interval, self.core.timers.t2)
        self.resend_at = now + self.interval

    def _on_give_up(self, now: float) -> None:
        self.core.counters.timeouts += 1
        self._fail("timeout", now)

    def _fail(self, reason: str, now: float) -> None:
        self.state = _TERMINATED
        self.core.finish_client(self, None, now)
        self.owner.on_failure(self, reason, now)


def open_request(core: Core, request: Request, flow: Flow, now: float, owner: Owner) -> ClientTransaction:
    """Send a request other than INVITE in a transaction of its own."""
    transaction = ClientTransaction.__new__(ClientTransaction)
    transaction._open(core, request, flow, now, owner, None, _TRYING)
    return transaction


class Inviter(Owner, Protocol):
    """Whoever sent an INVITE."""

    __slots__ = ()

    def on_fork(self, transaction: InviteClient, response: Response, now: float) -> None:
        """React to a 2xx of another than the one that answered first."""

    def on_no_news(self, transaction: InviteClient, now: float) -> None:
        """React to timer C."""

    def on_unacknowledged(self, transaction: InviteClient, now: float) -> None:
        """React to timer M: a 2xx came and nobody acknowledged it."""


class InviteClient(ClientTransaction):
    """An INVITE of ours (§17.1.1, RFC 6026 §7.2)."""

    __slots__ = ("_expire_at", "inviter", "is_cancelled", "to_tag")

    def __init__(self, core: Core, request: Request, flow: Flow, now: float, inviter: Inviter) -> None:
        self._invite(core, request, flow, now, inviter)

    def _invite(self, core: Core, request: Request, flow: Flow, now: float, inviter: Inviter) -> None:
        self.inviter = inviter
        self.is_cancelled = False
        self.to_tag: str | None = None  # of the 2xx that was first
        self._open(core, request, flow, now, inviter, None, _CALLING)
        self._expire_at = now + self.core.timers.invite_lifetime

    def receive(self, response: Response, now: float) -> None:
        """Take a response that bears our branch."""
        before = self.state
        state = _ON_ANSWER[before][CAME[response.status // 100]]
        if state is None:
            return  # a provisional response that was overtaken
        if before is _ACCEPTED:
            if response._to_tag() != self.to_tag:
                self.inviter.on_fork(self, response, now)
            return  # a retransmission; the ACK follows as soon as the owner acknowledges
        if before is _CALLING or response.status > 100:  # another 100 is no news (§16.6.11)
            self._enter(state, response, now)
        self.owner.on_response(self, response, now)

    def renew(self, request: Request, now: float) -> None:
        """Send the request that a refusal asked for: another transaction, for its owner the same."""
        assert self.is_finished
        self._begin_again(request, _CALLING, now)

    def _enter(self, state: TransactionState, response: Response, now: float) -> None:
        self.state = state
        self._fallback = None
        self.resend_at = _NEVER
        if state is _COMPLETED:
            self._acknowledge_failure(response, now)
            return
        timers = self.core.timers
        if state is _PROCEEDING:
            self.give_up_at = min(now + timers.c, self._expire_at)
        else:
            self.to_tag = response._to_tag()
            self.give_up_at = now + timers.timeout  # M
        self._arm(now)

    def _acknowledge_failure(self, response: Response, now: float) -> None:
        """The ACK to a refusal belongs to the transaction and takes the INVITE's way (§17.1.1.3)."""
        request = self.request
        headers = [(name, value) for name in _SAME_IN_ACK for value in request.get_all(name)]
        headers += [("To", response.get("To") or ""), ("CSeq", f"{request._number()} ACK")]
        headers.append(("Max-Forwards", MAX_FORWARDS))
        ack = Request("ACK", request.uri, [("Via", self.core.make_via(self.flow, self.branch)), *headers])
        data = ack.encode()
        core = self.core
        core.counters.count_request_out("ACK")
        core.send(data, self.flow)
        grave = (False, "", data) if self.flow.transport == "UDP" else None
        core.finish_client(self, grave, now + core.timers.d)

    def acknowledged(self, ack: bytes, now: float) -> None:
        """The owner has sent the ACK to the 2xx; a repeated 2xx gets it again until timer M (§13.2.2.4)."""
        self.state = _TERMINATED
        self.core.finish_client(self, (True, self.to_tag or "", ack), now + self.core.timers.timeout)

    def cancel(self, now: float, headers: Headers) -> None:
        """Send a CANCEL if it may be sent already (§9.1); it is up to the owner to come again if not."""
        if self.is_cancelled or self.state is not _PROCEEDING:
            return
        self.is_cancelled = True
        self._expire_at = self.give_up_at = now + self.core.timers.timeout
        self._arm(now)
        request = self.request
        same = [(name, value) for name in _SAME_IN_CANCEL for value in request.get_all(name)]
        same += [("CSeq", f"{request._number()} CANCEL"), ("Max-Forwards", MAX_FORWARDS), *headers]
        ClientTransaction(
            self.core, Request("CANCEL", request.uri, same), self.flow, now, NOBODY, branch=self.branch
        )

    def on_flow_failed(self, reason: str, now: float) -> None:
        """React to a closed connection; an ICMP error, that could be forged, only before anybody answered."""
        if self.state is _CALLING or (self.state is _PROCEEDING and self.flow.transport != "UDP"):
            ClientTransaction.on_flow_failed(self, reason, now)

    def _send_again(self, now: float) -> None:
        if self._fallback is not None:
            self._fall_back(now)
            return
        self.core.send_again(self.data, self.flow)
        self.interval *= 2  # A knows no T2
        self.resend_at = now + self.interval

    def _on_give_up(self, now: float) -> None:
        if self.state is _ACCEPTED:
            self.inviter.on_unacknowledged(self, now)
        elif self.state is _PROCEEDING and not self.is_cancelled:
            self.core.counters.timeouts += 1
            self.inviter.on_no_news(self, now)
        else:
            ClientTransaction._on_give_up(self, now)


def open_invite(core: Core, request: Request, flow: Flow, now: float, inviter: Inviter) -> InviteClient:
    """Send an INVITE."""
    invite = InviteClient.__new__(InviteClient)
    invite._invite(core, request, flow, now, inviter)
    return invite


class _Nobody:
    """Sends a CANCEL, or a BYE to a fork: whatever comes back changes nothing."""

    __slots__ = ()

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Take no notice."""

    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """Take no notice."""


NOBODY = _Nobody()
