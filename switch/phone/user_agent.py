"""A small SIP phone on the protocol rooms alone: registers, calls, is called; RFC 3261 §8."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address

from switchroom.protocols import sip
from switchroom.switch.net import Addresses, Clock, NetLimits, NoListenerError, SipFace

from .call import Call
from .events import CallFailedError, PhoneEvent, RegistrationFailedError, RequestFailedError
from .line import METHODS, Account, Line
from .registration import Registration
from .texts import Texts

__all__ = ["Phone"]

_DRAIN_TIMEOUT = 2.0  # seconds that the other end has to answer our last BYE
_DRAIN_STEP = 0.02


class Phone:
    """One account, one call at a time: ``async with Phone(account) as phone: ...``"""

    def __init__(self, account: Account, on_event: Callable[[PhoneEvent], None] = lambda event: None) -> None:
        self._account = account
        self._tell = on_event
        self._clock = Clock()
        self._addresses = Addresses(clock=self._clock)
        self._mint = sip.Mint()
        self._endpoint = sip.Endpoint(mint=self._mint)
        self._line: Line  # from start() on
        self._registration: Registration | None = None
        self._texts: Texts  # from start() on
        self._call: Call | None = None
        self._incoming: asyncio.Queue[Call] = asyncio.Queue(1)

    async def __aenter__(self) -> Phone:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the sockets; OSError says what is not to be had."""
        server = self._account.server
        remote = None if server is None else (await _resolve(server[0]), server[1])
        listen = self._account.listen
        if not listen:
            host = "0.0.0.0" if remote is None else self._addresses.local_for(remote[0])
            listen = f"{sip.bracketed(host)}:{5060 if remote is None else 0}"
        face = SipFace(
            self._endpoint,
            self._on_event,
            listen=[f"{self._account.transport.lower()}:{listen}"],
            limits=NetLimits(),
            addresses=self._addresses,
            clock=self._clock,
        )
        await face.start()
        self._line = Line(
            account=self._account,
            endpoint=self._endpoint,
            mint=self._mint,
            face=face,
            addresses=self._addresses,
            clock=self._clock,
            tell=self._tell,
            digest=sip.DigestClient(self._account.user, self._account.password),
            domain=self._account.domain or _server_name(self._account),
        )
        self._texts = Texts(self._line)
        if remote is not None:
            try:
                self._line.server_flow = self._flow_to(*remote)
            except OSError:
                await face.stop()
                raise

    async def stop(self) -> None:
        """Hang up, unregister, and close once the other end knows."""
        if self._call is not None:
            self._call.hang_up()
        try:
            await self.unregister()
        except RegistrationFailedError as error:
            self._line.report("unregistration_failed", status=error.status, reason=error.reason)
        for _ in range(round(_DRAIN_TIMEOUT / _DRAIN_STEP)):
            if not self._endpoint.counters.sessions:
                break
            await asyncio.sleep(_DRAIN_STEP)
        await self._line.face.stop()
        await self._addresses.stop()

    @property
    def bound(self) -> list[tuple[str, str, int]]:
        """Where the phone listens: (transport, host, port)."""
        return self._line.face.bound

    async def register(self) -> int:
        """Register and stay so; returns the seconds granted. RegistrationFailedError otherwise."""
        if self._registration is None:
            self._registration = Registration(self._line)
        return await self._registration.add()

    async def unregister(self) -> None:
        """Take the registration back, if there is one."""
        if self._registration is not None:
            await self._registration.remove()

    async def call(self, number: str) -> Call:
        """Begin a call to a number or SIP URI; ``await call.answered()`` tells how it went."""
        target = self._target(number)
        flow = await self._way_to(target)
        call = Call(self._line, str(target), self._line.local_host(flow), self._clock)
        self._call = call
        call.invite(target, flow)
        return call

    async def text(self, number: str, text: str) -> int:
        """Send a text to a number or SIP URI; returns the status. TextFailedError when it is not taken."""
        target = self._target(number)
        return await self._texts.send(target, await self._way_to(target), text)

    async def incoming(self) -> Call:
        """Wait for a call; it rings and is to be answered or rejected."""
        return await self._incoming.get()

    async def _way_to(self, target: sip.Uri) -> sip.Flow:
        if self._line.server_flow is not None:
            return self._line.server_flow
        return self._flow_to(await _resolve(target.host.strip("[]")), target.port or 5060)

    def _flow_to(self, host: str, port: int) -> sip.Flow:
        try:
            return self._line.face.flow_to(host, port, self._account.transport)
        except NoListenerError as error:
            raise OSError(f"{host} cannot be reached from {self._account.listen}") from error

    def _target(self, number: str) -> sip.Uri:
        if number.startswith("sip:"):
            return sip.Uri.parse(number)
        if "@" in number:
            return sip.Uri.parse(f"sip:{number}")
        if not self._line.domain:
            raise CallFailedError(0, f"{number} is no SIP address, and there is no server to ask")
        return sip.Uri.parse(f"sip:{sip.escape_user(number)}@{self._line.domain}")

    # -- what the engine says

    def _on_event(self, event: sip.Event, now: float) -> None:
        match event:
            case sip.RequestReceived():
                self._on_request(event, now)
            case sip.ResponseReceived():
                self._on_response(event)
            case sip.RequestFailed():
                status = 408 if event.reason == "timeout" else 503
                _resolve_with(
                    event.transaction.context,
                    RequestFailedError(status, f"{sip.REASONS.get(status, '')} ({event.reason})"),
                )
            case sip.SubscriptionAnswered() | sip.NotifyReceived() | sip.SubscriptionEnded():
                pass  # this phone watches nobody
            case sip.SessionEvent() if isinstance(event.session.context, Call):
                event.session.context.on_event(event, now)

    def _on_request(self, event: sip.RequestReceived, now: float) -> None:
        refusal = sip.inspect_request(event.request, methods=METHODS)
        if refusal is not None:
            self._endpoint.reply(event, refusal.status, now=now, headers=refusal.headers)
        elif event.request.method == "INVITE":
            self._on_invite(event, now)
        elif event.request.method == "MESSAGE":
            self._texts.receive(event, now)
        elif event.request.method == "OPTIONS":
            headers = [*self._line.allowed(), ("Accept", "application/sdp")]
            self._endpoint.begin(event, now).respond(200, now, headers=headers)
        else:
            self._endpoint.reply(event, 481, now=now)  # a BYE for no call

    def _on_invite(self, event: sip.RequestReceived, now: float) -> None:
        session = self._endpoint.accept(event, now, contact=self._line.contact(event.flow))
        is_busy = self._call is not None and not self._call.is_over
        if is_busy or self._incoming.full():
            session.reject(486, now)
            return
        remote = str(event.request.from_.uri)
        try:
            call = Call(self._line, remote, self._line.local_host(event.flow), self._clock)
        except OSError as error:
            self._line.report("failed", status=503, reason=error)
            session.reject(503, now)
            return
        call.take(session)
        self._call = call
        self._line.report("incoming", remote=remote)
        call.ring()
        self._incoming.put_nowait(call)

    def _on_response(self, event: sip.ResponseReceived) -> None:
        if event.response.status >= 200:
            _resolve_with(event.transaction.context, event.response)


def _server_name(account: Account) -> str:
    if account.server is None:
        return ""
    host, port = account.server
    return sip.bracketed(host) if port == 5060 else f"{sip.bracketed(host)}:{port}"


async def _resolve(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        return str(found[0][4][0])


def _resolve_with(waiting: object, result: sip.Response | RequestFailedError) -> None:
    """Wake up whoever waits for a response."""
    if not isinstance(waiting, asyncio.Future) or waiting.done():
        return
    if isinstance(result, RequestFailedError):
        waiting.set_exception(result)
    else:
        waiting.set_result(result)
