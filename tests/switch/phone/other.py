"""The other end of a call, played by the test itself: an endpoint whose events wait in a queue."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from switchroom.protocols import sip
from switchroom.switch.net import Addresses, Clock, NetLimits, SipFace

E = TypeVar("E")

AUDIO = (
    b"v=0\r\no=other 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio %d RTP/AVP 0\r\na=sendrecv\r\n"
)


class Other:
    """Says what it is told to, by the rules of transactions and dialogs."""

    def __init__(self) -> None:
        self.endpoint = sip.Endpoint()
        self.events: asyncio.Queue[sip.Event] = asyncio.Queue()
        self._addresses = Addresses()
        self._clock = Clock()
        self.face = SipFace(
            self.endpoint,
            lambda event, now: self.events.put_nowait(event),
            listen=["udp:127.0.0.1:0"],
            limits=NetLimits(),
            addresses=self._addresses,
        )

    async def __aenter__(self) -> Other:
        await self.face.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.face.stop()
        await self._addresses.stop()

    @property
    def uri(self) -> str:
        _, host, port = self.face.bound[0]
        return f"sip:other@{host}:{port}"

    @property
    def now(self) -> float:
        return self._clock.now()

    async def event(self, kind: type[E]) -> E:
        """The next event, which is to be of that kind."""
        async with asyncio.timeout(5):
            event = await self.events.get()
        assert isinstance(event, kind), event
        return event

    async def accept(self) -> sip.Session:
        """The session of the INVITE that comes next."""
        event = await self.event(sip.RequestReceived)
        return self.endpoint.accept(event, self.now, contact=f"<{self.uri}>")

    def invite(self, port: int, body: bytes, *headers: tuple[str, object]) -> sip.Session:
        """Call a phone on this machine."""
        request = self._request("INVITE", port, [("Contact", f"<{self.uri}>"), *headers], body)
        session = self.endpoint.invite(request, self.face.flow_to("127.0.0.1", port), self.now)
        self.face.flush()
        return session

    async def ask(self, method: str, port: int, *headers: tuple[str, object]) -> sip.Response:
        """Send a request outside any dialog and return the answer."""
        request = self._request(method, port, list(headers), b"")
        self.endpoint.send_request(request, self.face.flow_to("127.0.0.1", port), self.now)
        self.face.flush()
        return (await self.event(sip.ResponseReceived)).response

    def _request(self, method: str, port: int, headers: list[tuple[str, object]], body: bytes) -> sip.Request:
        mint = self.endpoint.mint
        own: list[tuple[str, object]] = [
            ("Max-Forwards", "70"),
            ("From", f"<{self.uri}>;tag={mint.tag()}"),
            ("To", f"<sip:phone@127.0.0.1:{port}>"),
            ("Call-ID", mint.call_id()),
            ("CSeq", f"1 {method}"),
        ]
        if body and not any(name == "Content-Type" for name, _ in headers):
            headers = [*headers, ("Content-Type", "application/sdp")]
        return sip.Request(method, sip.Uri.parse(f"sip:phone@127.0.0.1:{port}"), [*own, *headers], body)
