"""A registration of ours at a trunk: asks, proves, refreshes early, comes back (RFC 3261 §10.2).

No task and no clock of its own: the engine tells the answers, the wheel of all trunks the times.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.wheel import Timed
from switchroom.switch.calls.trunks.means import Means
from switchroom.switch.calls.trunks.targets import Targets, Way
from switchroom.switch.config import RegisterConfig

MAX_TRIES = 5  # challenges and too short intervals in a row
MAX_RETRY = 1800.0  # seconds between attempts, however often they failed (RFC 5626 §4.5)
MAX_RETRY_AFTER = 3600.0
MAX_EXPIRES = 604_800
ANSWER_TIMEOUT = 8.0  # seconds; a registrar may have to ask others
_LEAST_REFRESH = 1.0
_FLOW_WAIT = (0.2, 2.0)  # seconds before we come back after a connection broke, as others do
_MAX_SERVICE_ROUTES = 8


class State(StrEnum):
    """What a registration is at."""

    IDLE = "idle"
    ASKING = "asking"
    REGISTERED = "registered"
    WAITING = "waiting"  # after a failure
    LEAVING = "leaving"
    GONE = "gone"


class RegistrationNews(NamedTuple):
    """What other workers need to know of a registration."""

    flow: sip.Flow | None
    expires_at: float
    service_route: tuple[str, ...]


class Registration(Timed):
    """One address of record at one trunk."""

    __slots__ = (
        "_call_id", "_client", "_cseq", "_expires", "_failures", "_means", "_name", "_retry_after",
        "_tag", "_targets", "_transaction", "_tries", "_ways", "config", "expires_at", "fault", "flow",
        "service_route", "state",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        config: RegisterConfig,
        targets: Targets,
        client: sip.DigestClient | None,
        means: Means,
    ) -> None:
        super().__init__()
        self.config = config
        self.state = State.IDLE
        self.flow: sip.Flow | None = None  # over which we are registered
        self.service_route: tuple[str, ...] = ()  # RFC 3608
        self.expires_at = 0.0
        self.fault = ""  # why the last attempt failed
        self._name = name
        self._targets = targets
        self._client = client
        self._means = means
        self._call_id = (
            means.endpoint.mint.call_id()
        )  # §10.2: the same for all, so that they keep their order
        self._tag = means.endpoint.mint.tag()
        self._cseq = 0
        self._expires = config.expires
        self._ways: list[Way] = []
        self._tries = 0
        self._failures = 0
        self._retry_after = 0.0
        self._transaction: sip.ClientTransaction | None = None

    # -- what the trunk asks

    @property
    def user(self) -> str:
        """The user of the address of record."""
        return sip.Uri.parse(self.config.aor).user_unescaped or ""

    @property
    def contact_user(self) -> str:
        """The user under which calls for us come in."""
        return self.config.contact_user or self.user

    def is_registered(self, now: float) -> bool:
        """Whether the registrar still knows us, even while a refresh is under way or failed."""
        return self.flow is not None and now < self.expires_at

    def export(self) -> RegistrationNews:
        """What other workers need to know."""
        flow = None if self.flow is None else self.flow.replace(connection=0)  # theirs are their own
        return RegistrationNews(flow, self.expires_at, self.service_route)

    def learn(self, news: RegistrationNews) -> None:
        """Take what the worker says that registers."""
        self.flow, self.expires_at, self.service_route = news
        self.state = State.REGISTERED if news.flow is not None else State.IDLE

    @property
    def is_leaving(self) -> bool:
        """Whether the registrar has yet to confirm that it forgot us."""
        return self.state is State.LEAVING

    def describe(self, now: float) -> str:
        """The registration for people."""
        text = f"{self.config.aor} {self.state}"
        if self.is_registered(now) and self.flow is not None:
            host, port = self.flow.remote
            text += f" at {self.flow.transport.lower()}:{sip.bracketed(host)}:{port}"
            text += f" for {self.expires_at - now:.0f} s"
        return f"{text} ({self.fault})" if self.fault else text

    # -- life

    def start(self, now: float) -> None:
        """Begin, at a moment of its own among many registrations."""
        self.state = State.WAITING
        self._means.wheel.arm(self, now + self._means.wait(0.0, min(1.0, self.config.retry)), now)

    def stop(self, now: float, *, is_replaced: bool = False) -> None:
        """Take the binding back, if there may be one and no other registration goes on with it."""
        if not self._means.is_leader:
            is_replaced = True
        may_be_known = not is_replaced and (self.is_registered(now) or self.state is State.ASKING)
        self._let_go()
        if may_be_known and self.state not in (State.LEAVING, State.GONE):
            self.state = State.LEAVING
            self._ask(now)
        else:
            self._leave()

    def flow_failed(self, flow: sip.Flow, now: float) -> None:
        """A connection closed: calls for us cannot come in over it any more (RFC 5626 §4.5)."""
        ours = self.flow
        if (
            ours is None
            or not flow.is_reliable
            or (flow.transport, flow.remote) != (ours.transport, ours.remote)
        ):
            return
        self.flow = None
        self._means.on_change(self._name)
        if self.state is State.REGISTERED:
            self.state = State.WAITING
            self._means.wheel.arm(self, now + self._means.wait(*_FLOW_WAIT), now)

    def handle_timer(self, now: float) -> None:
        """Time to ask again, or an answer that does not come."""
        if self._transaction is not None:
            self._let_go()
            self._try_next("no answer", now)
        elif self.state in (State.REGISTERED, State.WAITING):
            self.state = State.ASKING
            self._ask(now)

    # -- asking

    def _ask(self, now: float) -> None:
        self._tries = 0
        self._retry_after = 0.0
        self._ways = self._targets.ways(now, dead_too=True)
        if self.flow is not None:  # the server that knows us first
            self._ways.sort(key=lambda way: way.flow.remote != self._remote)
        self._send_to_next("no address to register at", now)

    @property
    def _remote(self) -> tuple[str, int] | None:
        return None if self.flow is None else self.flow.remote

    def _try_next(self, fault: str, now: float) -> None:
        """This server does not answer, or cannot at present: the next one (RFC 3263 §4.3)."""
        self._ways = self._ways[1:]
        self._tries = 0
        self._send_to_next(fault, now)

    def _send_to_next(self, fault: str, now: float) -> None:
        if self._ways:
            self._send(now)
        else:
            self._failed(fault, now)

    def _send(self, now: float) -> None:
        flow = self._ways[0].flow
        expires = 0 if self.state is State.LEAVING else self._expires
        request = self._request(flow, expires)
        if self._client is not None:
            self._client.authorize(request)  # by the challenge of last time, which saves a round
        self._transaction = self._means.endpoint.send_request(request, flow, now)
        self._transaction.context = self
        self._means.wheel.arm(self, now + ANSWER_TIMEOUT, now)

    def _request(self, flow: sip.Flow, expires: int) -> sip.Request:
        self._cseq += 1
        aor = sip.Uri.parse(self.config.aor)
        contact = self._means.contact(flow, sip.escape_user(self.contact_user))
        routes = [("Route", route) for route in self._routes()]
        return sip.Request(
            "REGISTER",
            aor._replace(user=None, password=None),
            [
                ("Max-Forwards", "70"),
                *routes,
                ("From", f"<{aor}>;tag={self._tag}"),
                ("To", f"<{aor}>"),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._cseq} REGISTER"),
                ("Contact", f"{contact};expires={expires}"),
                ("Expires", str(expires)),
                ("Supported", "path"),
                ("User-Agent", self._means.user_agent),
            ],
        )

    def _routes(self) -> tuple[str, ...]:
        """A proxy on the way is named; a registrar is not."""
        first = self._targets.addresses[0]
        return (route_of(first.host, first.port, first.transport),) if self._targets.is_proxy else ()

    # -- answers

    def handle_event(self, event: Any, now: float) -> None:
        """What the engine tells of our REGISTER."""
        if event.transaction is not self._transaction:
            return
        if isinstance(event, sip.RequestFailed):
            self._let_go()
            self._try_next(event.reason, now)
        elif event.response.status >= 200:
            transaction = self._transaction
            self._let_go()
            self._on_answer(transaction, event.response, now)

    def _on_answer(self, transaction: sip.ClientTransaction, response: sip.Response, now: float) -> None:
        status = response.status
        self._retry_after = max(self._retry_after, retry_after_of(response))
        if status < 300:
            self._on_granted(transaction, response, now)
        elif status in (408, 503):
            self._try_next(f"{status} {response.reason}", now)
        elif self._may_repeat(transaction.request, response):
            self._send(now)
        else:
            self._failed(f"{status} {response.reason}", now)

    def _may_repeat(self, request: sip.Request, response: sip.Response) -> bool:
        """A challenge that we can answer, or an interval that is too brief (§10.2.8, §22)."""
        self._tries += 1
        if self._tries >= MAX_TRIES:
            return False
        if response.status in (401, 407):
            return self._client is not None and self._may_answer(self._client, request, response)
        if response.status != 423:
            return False
        least = _number(response.get("Min-Expires"))
        if not self._expires < least <= MAX_EXPIRES:
            return False
        self._expires = least
        return True

    def _may_answer(self, client: sip.DigestClient, request: sip.Request, response: sip.Response) -> bool:
        """Whether we know an answer. The first challenge tells nothing about the password.

        What it refused was made from the challenge of last time, whose nonce the server may have forgotten,
        and not all say ``stale=true`` then (Kamailio does not).
        """
        if self._tries == 1:
            request = request.copy()
            request.remove("Authorization")
            request.remove("Proxy-Authorization")
        return client.receive_challenge(response, request)

    def _on_granted(self, transaction: sip.ClientTransaction, response: sip.Response, now: float) -> None:
        if self.state is State.LEAVING:
            self._means.log.info("trunk.unregistered", trunk=self._name, aor=self.config.aor)
            self._leave()
            return
        granted = self._granted(transaction, response)
        if granted <= 0:
            self._failed("the registrar did not keep our contact", now)
            return
        is_new = not self.is_registered(now)
        self.state = State.REGISTERED
        self.flow = transaction.flow
        self.expires_at = now + granted
        self.service_route = _service_route(response)
        self.fault = ""
        self._failures = 0
        self._means.on_change(self._name)
        share = self.config.refresh * self._means.wait(0.95, 1.0)
        self._means.wheel.arm(self, now + max(_LEAST_REFRESH, granted * share), now)
        if is_new:
            self._means.log.info(
                "trunk.registered",
                trunk=self._name,
                aor=self.config.aor,
                expires=granted,
                at=str(self.flow.remote),
            )

    def _granted(self, transaction: sip.ClientTransaction, response: sip.Response) -> int:
        """Our contact's own expires=, else the header's, else what we asked for (§10.2.4)."""
        contact = transaction.request.contacts[0].uri
        try:
            found = [one for one in response.contacts if one.uri.equivalent(contact)]
            default = self._expires if response.expires is None else response.expires
            granted = default if not found or found[0].expires is None else found[0].expires
        except RemoteProtocolError:
            granted = self._expires
        return min(granted, MAX_EXPIRES)

    def _failed(self, fault: str, now: float) -> None:
        if self.state is State.LEAVING:
            self._leave()
            return
        self.fault = fault
        self._failures += 1
        wait = min(MAX_RETRY, self.config.retry * 2.0 ** min(self._failures - 1, 16))
        wait = max(wait * self._means.wait(0.5, 1.0), min(self._retry_after, MAX_RETRY_AFTER))
        if not self._failures & (self._failures - 1):  # the 1st, 2nd, 4th, 8th...
            self._means.log.warning(
                "trunk.not_registered", trunk=self._name, aor=self.config.aor, reason=fault, retry=round(wait)
            )
        self.state = State.WAITING
        self._means.wheel.arm(self, now + wait, now)

    def _let_go(self) -> None:
        """Wait for nothing any more."""
        if self._transaction is not None:
            self._transaction.abandon()
            self._transaction.context = None
            self._transaction = None
        self._means.wheel.disarm(self)

    def _leave(self) -> None:
        self.state = State.GONE
        self.flow = None
        self.expires_at = 0.0
        self._means.wheel.disarm(self)


def route_of(host: str, port: int | None, transport: str | None) -> str:
    """A Route header for a proxy (RFC 3261 §16.12.1.1)."""
    params: tuple[tuple[str, str | None], ...] = (("lr", None),)
    if transport:
        params = (("transport", transport.lower()), *params)
    return f"<{sip.Uri('sip', None, None, sip.bracketed(host), port, params)}>"


def retry_after_of(response: sip.Response) -> float:
    """The seconds that a refusal asks us to stay away (RFC 3261 §20.33); 0: it does not say."""
    try:
        return float(response.retry_after or 0)
    except RemoteProtocolError:
        return 0.0


def _number(text: str | None) -> int:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _service_route(response: sip.Response) -> tuple[str, ...]:
    """The way that our requests are to take while we are registered (RFC 3608 §6.1)."""
    found = []
    try:
        for text in response.get_list("Service-Route")[:_MAX_SERVICE_ROUTES]:
            address = sip.NameAddr.parse(text)
            if not address.uri.is_sip or address.uri.param("lr") is None:
                return ()
            found.append(str(address))
    except RemoteProtocolError:
        return ()
    return tuple(found)
