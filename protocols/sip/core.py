"""What all transactions and sessions of one endpoint share: tables, timers, and the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..wheel import NEVER, Slots, Timed, Wheel
from .counters import Counters
from .flow import Flow
from .head import LIMITS, Limits
from .identifiers import Mint
from .message import Request
from .timers import Timers

if TYPE_CHECKING:
    from .client import ClientTransaction
    from .events import Event
    from .server import ServerTransaction

# A finished transaction is no object but what its retransmissions still need, and the collector of garbage
# looks at neither bytes nor plain tuples of them. Of a server: the last response (nothing: absorb).
ServerGrave = bytes
# Of a client INVITE: whether a 2xx answered it, the answer's To tag, the ACK. Of others: nothing to send.
ClientGrave = tuple[bool, str, bytes]

Headers = Iterable[tuple[str, Any]]

_NEVER = NEVER  # compiled, a number of C
_MAX_NAMES = 1000
_PILE_MASK = 1023  # how many piles of watchers there are, less one


class Usage:
    """What uses a dialog: a session, or a subscription (RFC 5057); the table of them is by local tag."""

    __slots__ = ("call_id",)

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id

    def has_remote(self, tag: str | None) -> bool:
        """Whether the other end of this dialog bears the tag."""
        raise NotImplementedError

    def receive_request(self, request: Request, flow: Flow, key: str, now: float) -> None:
        """Take a new request inside the dialog, neither ACK nor CANCEL."""

    def receive_ack(self, request: Request, now: float) -> None:
        """Take the ACK to a 2xx."""


class Filed(Timed):
    """What stands in the tables under a key, and wants to know when its flow fails: a transaction."""

    __slots__ = ("_above", "_below", "flow", "key")

    def __init__(self, key: str, flow: Flow) -> None:
        self._file(key, flow)

    def _file(self, key: str, flow: Flow) -> None:
        self._rest()
        self.key = key
        self.flow = flow
        self._above: Filed | None = None  # its neighbours among those that watch their flows
        self._below: Filed | None = None

    def on_flow_failed(self, reason: str, now: float) -> None:
        """React to a closed connection or an ICMP error."""


class Core:
    """The tables, the wheel, the outbox and the news."""

    __slots__ = (
        "_client_graves",
        "_events",
        "_merge_graves",
        "_name",
        "_names",
        "_out",
        "_over",
        "_place",
        "_server_graves",
        "_told",
        "_watchers",
        "advertise",
        "clients",
        "counters",
        "limits",
        "max_transactions",
        "merges",
        "mint",
        "on_malformed",
        "servers",
        "sessions",
        "timers",
        "udp_request_limit",
        "user_agent",
        "wheel",
    )

    def __init__(
        self,
        *,
        timers: Timers | None = None,
        mint: Mint | None = None,
        max_transactions: int = 200_000,
        udp_request_limit: int = 1300,
        limits: Limits = LIMITS,
        user_agent: str = "Switchroom",
        advertise: Callable[[Flow], tuple[str, int]] | None = None,
    ) -> None:
        self.timers = timers or Timers()
        self.mint = mint or Mint()
        self.max_transactions = max_transactions
        self.udp_request_limit = udp_request_limit  # RFC 3261 §18.1.1; 0: UDP whatever the size
        self.limits = limits  # of the datagrams that it reads
        self.user_agent = user_agent
        # Told who sent what cannot be read; True: no answer to it
        self.on_malformed: Callable[[Flow], bool] = _answer_malformed
        self.advertise = advertise  # where the other end of a flow finds us, when that is not its local end
        self.counters = Counters()
        self.wheel = Wheel()
        self.clients: dict[str, ClientTransaction | ClientGrave] = {}
        self.servers: dict[str, ServerTransaction | ServerGrave] = {}
        self.sessions: dict[str, Usage] = {}  # by local tag
        self.merges: dict[str, str] = {}  # From tag, Call-ID, CSeq -> key of the server transaction
        self._client_graves: Slots = Slots(1)  # keys of the tables above
        self._server_graves: Slots = Slots(1)
        self._merge_graves: Slots = Slots(1)
        self._watchers: list[Filed | None] = [None] * (_PILE_MASK + 1)  # piles, by a hash of the remote end
        self._names: dict[tuple[str, int], str] = {}  # of the local ends that Vias name
        self._place: tuple[str, int] | None = None  # the one that was named last
        self._name = ""
        self._events: list[Event] = []
        self._over: list[object] = []  # until all is told: a method of theirs may run, and C holds nothing
        self._told = 0  # so many of them the owner has heard
        self._out: list[tuple[bytes, Flow]] = []

    # The way out

    def datagrams_to_send(self) -> list[tuple[bytes, Flow]]:
        """Take what is to be sent; a flow's transport says whether by datagram or stream."""
        out = self._out
        if out:
            self._out = []
        return out

    def emit(self, event: Event) -> None:
        """Tell the owner."""
        self._events.append(event)

    def send(self, data: bytes, flow: Flow) -> None:
        """Put a message into the outbox."""
        self._out.append((data, flow))

    def send_again(self, data: bytes, flow: Flow) -> None:
        """Put a message into the outbox that was sent before."""
        self.counters.retransmissions += 1
        self._out.append((data, flow))

    def send_response(self, status: int, data: bytes, flow: Flow) -> None:
        """Put a new response into the outbox."""
        self.counters.count_response_out(status)
        self._out.append((data, flow))

    def answer(
        self,
        request: Request,
        to: Flow,
        status: int,
        reason: str | None = None,
        headers: Headers = (),
        body: bytes = b"",
    ) -> None:
        """Answer without state; a retransmission gets the same again (§8.2.7)."""
        tag = self.mint.tag_for(f"{request.get('Call-ID')} {request.get('From')}")
        self.send_response(status, request.answer(status, reason, tag, headers, body), to)

    def send_ack(self, request: Request, flow: Flow) -> bytes:
        """Send an ACK, no transaction but with a branch of its own; its bytes answer the next 2xx."""
        request.insert_first("Via", self.make_via(flow, self.mint.branch()))
        data = request.encode()
        self.counters.count_request_out("ACK")
        self._out.append((data, flow))
        return data

    # Who we are

    def advertised(self, flow: Flow) -> tuple[str, int]:
        """Where the other end of a flow finds us: its local end, or what stands for it on a NAT."""
        return flow.local if self.advertise is None else self.advertise(flow)

    def sent_by(self, flow: Flow) -> str:
        """The local end of a flow as a Via names it."""
        place = flow.local if self.advertise is None else self.advertise(flow)
        if place is self._place:
            return self._name
        name = self._names.get(place)
        if name is None:
            if len(self._names) >= _MAX_NAMES:
                self._names.clear()
            name = self._names[place] = f"{bracketed(place[0])}:{place[1]}"
        self._place, self._name = place, name
        return name

    def make_via(self, flow: Flow, branch: str) -> str:
        """A Via of ours, asking for symmetric routing (RFC 3581)."""
        return f"SIP/2.0/{flow.transport} {self.sent_by(flow)};branch={branch};rport"

    # Time

    def next_timer(self) -> float | None:
        """When ``handle_timer`` is to be called, in the same clock as every ``now``."""
        at = min(
            self.wheel.soonest(),
            self._client_graves.soonest(),
            self._server_graves.soonest(),
            self._merge_graves.soonest(),
        )
        return None if at == _NEVER else at

    def handle_timer(self, now: float) -> None:
        """Do what has come due."""
        self.wheel.handle_timer(now)
        self._level(self._client_graves, self.clients, now)
        self._level(self._server_graves, self.servers, now)
        self._level(self._merge_graves, self.merges, now)

    def _level(self, graves: Slots, table: dict[str, Any], now: float) -> None:
        """Forget what has lain long enough."""
        while graves.soonest() <= now:
            due = graves.take(now)
            if due is not None:
                for key in due[1]:
                    table.pop(key, None)

    # Life and death of transactions

    def finish_client(self, transaction: Filed, grave: ClientGrave | None, until: float) -> None:
        """Replace a client transaction by its tombstone, or by nothing."""
        self.counters.transactions -= 1
        self._over.append(transaction)
        self.wheel.disarm(transaction)
        self.unwatch(transaction)
        if grave is None:
            del self.clients[transaction.key]
        else:
            self.bury_client(transaction.key, grave, until)

    def bury_client(self, key: str, grave: ClientGrave, until: float) -> None:
        """Keep what a retransmitted response needs."""
        self.clients[key] = grave
        self._client_graves.add(key, until)

    def finish_server(self, transaction: Filed, grave: ServerGrave | None, until: float) -> None:
        """Replace a server transaction by its tombstone, or by nothing."""
        self.counters.transactions -= 1
        self._over.append(transaction)
        self.wheel.disarm(transaction)
        if transaction.flow.transport != "UDP":
            self.unwatch(transaction)
        if grave is None:
            del self.servers[transaction.key]
        else:
            self.bury_server(transaction.key, grave, until)

    def bury_server(self, key: str, grave: ServerGrave, until: float) -> None:
        """Keep what a retransmitted request is to get."""
        self.servers[key] = grave
        self._server_graves.add(key, until)

    def remember_merge(self, merge: str, key: str, now: float) -> None:
        """Note a request outside a dialog: another way to us must not make a second one (§8.2.2.2)."""
        self.merges[merge] = key
        self._merge_graves.add(merge, now + self.timers.timeout)

    # Flows that fail

    def watch(self, watcher: Filed) -> None:
        """Tell this one when its flow fails."""
        pile = watcher.flow.pile & _PILE_MASK
        below = self._watchers[pile]
        if below is not None:
            below._above = watcher
        watcher._below = below
        self._watchers[pile] = watcher

    def unwatch(self, watcher: Filed) -> None:
        """Forget a watcher."""
        above, below = watcher._above, watcher._below
        if above is not None:
            above._below = below
        else:
            pile = watcher.flow.pile & _PILE_MASK
            if self._watchers[pile] is not watcher:
                return  # it does not watch
            self._watchers[pile] = below
        if below is not None:
            below._above = above
        watcher._above = watcher._below = None

    def flow_failed(self, flow: Flow, now: float, reason: str = "") -> None:
        """A connection closed or could not be opened, or an ICMP error came back: fail what depends on it."""
        for watcher in self._depending(flow):
            if watcher.flow.depends_on(flow):  # it has not gone another way meanwhile
                watcher.on_flow_failed(reason, now)

    def _depending(self, flow: Flow) -> list[Filed]:
        found = []
        watcher = self._watchers[flow.pile & _PILE_MASK]
        while watcher is not None:
            if watcher.flow.depends_on(flow):
                found.append(watcher)
            watcher = watcher._below
        return found


def _answer_malformed(flow: Flow) -> bool:
    return False


def bracketed(host: str) -> str:
    """A host as SIP writes it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def reply_flow(request: Request, flow: Flow) -> Flow:
    """Where the responses to a request go (RFC 3261 §18.2.2, RFC 3581 §4)."""
    if flow.transport != "UDP":
        return flow  # the connection that it came by
    port = request.reply_port()  # maddr is ignored: an unproven source could name anybody with it
    return flow if port in (0, flow.remote[1]) else Flow("UDP", flow.local, (flow.remote[0], port))
