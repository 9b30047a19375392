"""What calls and the registration of one phone share: account, engine, clock, and the way to the owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from switchroom.protocols import sip
from switchroom.switch.net import Addresses, Clock, SipFace

from .events import PhoneEvent

__all__ = ["Account", "Line"]

USER_AGENT = "Switchroom-phone"
METHODS = ("ACK", "BYE", "CANCEL", "INVITE", "MESSAGE", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Account:
    """Who the phone is and where it is registered."""

    user: str = "phone"
    password: str = ""
    domain: str = ""  # of the address; the server's name if empty
    server: tuple[str, int] | None = None  # where every request goes; None: to the address that is called
    transport: str = "UDP"
    listen: str = ""  # ADDRESS:PORT; any free port of the address that faces the server if empty
    expires: int = 300
    codecs: tuple[str, ...] = ("PCMU/8000", "PCMA/8000")


@dataclass(slots=True)
class Line:
    """One account on the air."""

    account: Account
    endpoint: sip.Endpoint
    mint: sip.Mint
    face: SipFace
    addresses: Addresses
    clock: Clock
    tell: Callable[[PhoneEvent], None]
    digest: sip.DigestClient
    server_flow: sip.Flow | None = None
    domain: str = field(default="")

    def report(self, name: str, /, **fields: object) -> None:
        """Tell the owner."""
        self.tell(PhoneEvent(name, fields))

    def now(self) -> float:
        return self.clock.now()

    async def send(self, request: sip.Request, flow: sip.Flow) -> sip.Response:
        """Send a request outside of dialogs and wait for its final response; RequestFailedError."""
        answered: asyncio.Future[sip.Response] = asyncio.get_running_loop().create_future()
        self.endpoint.send_request(request, flow, self.now()).context = answered
        self.face.flush()
        return await answered

    def address(self, flow: sip.Flow) -> sip.NameAddr:
        """Our address-of-record; without a registrar's domain it is the address itself."""
        host = self.domain or sip.bracketed(self.local_host(flow))
        return sip.NameAddr.parse(f"<sip:{self.account.user}@{host}>")

    def contact(self, flow: sip.Flow) -> str:
        """Where we can be reached by that flow's other end."""
        transport = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
        host = sip.bracketed(self.local_host(flow))
        return f"<sip:{self.account.user}@{host}:{flow.local[1]}{transport}>"

    def local_host(self, flow: sip.Flow) -> str:
        """Our address as the flow's other end sees it."""
        host = flow.local[0]
        return self.addresses.local_for(flow.remote[0]) if ip_address(host).is_unspecified else host

    def headers(self) -> list[tuple[str, object]]:
        """What every request of ours carries."""
        return [("Max-Forwards", "70"), ("User-Agent", USER_AGENT)]

    def allowed(self) -> list[tuple[str, object]]:
        """What we understand."""
        return [("Allow", ", ".join(METHODS)), ("Supported", "")]
