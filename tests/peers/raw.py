"""SIP on bare sockets, for black-box tests: it shares no line with the product's own stack."""

from __future__ import annotations

import itertools
import re
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from .waiting import readable

_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "k": "supported",
    "e": "content-encoding",
    "s": "subject",
}
_serial = itertools.count(1)

Headers = Iterable[tuple[str, str]]

PATIENCE = 20.0  # seconds until what must come is missing: the machine may have much else to do


class SilenceError(AssertionError):
    """What was waited for did not come; the message holds the trace of the wire."""


@dataclass(slots=True)
class Message:
    """One message as it stood on the wire."""

    start: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Message:
        head, _, body = data.partition(b"\r\n\r\n")
        lines = re.sub("\r\n[ \t]+", " ", head.decode("utf-8", "surrogateescape")).split("\r\n")
        headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.append((name.strip(), value.strip()))
        return cls(lines[0], headers, body)

    def all(self, name: str) -> list[str]:
        wanted = name.lower()
        return [v for n, v in self.headers if _COMPACT.get(n.lower(), n.lower()) == wanted]

    def get(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    @property
    def is_response(self) -> bool:
        return self.start.startswith("SIP/2.0 ")

    @property
    def status(self) -> int:
        return int(self.start.split()[1]) if self.is_response else 0

    @property
    def method(self) -> str:
        """Of a request, or of the request that a response answers."""
        return self.get("cseq").split()[1] if self.is_response else self.start.split()[0]

    @property
    def cseq(self) -> int:
        return int(self.get("cseq").split()[0])

    @property
    def uri(self) -> str:
        return self.start.split()[1]

    def tag(self, name: str) -> str:
        found = re.search(r";\s*tag=([^;,\s]+)", self.get(name))
        return found.group(1) if found else ""

    @property
    def target(self) -> str:
        """The URI of its Contact."""
        found = re.search(r"<([^>]+)>", self.get("contact")) or re.match(r"([^;]+)", self.get("contact"))
        return found.group(1) if found else ""


def branch() -> str:
    return f"z9hG4bK-raw-{next(_serial)}-{secrets.token_hex(6)}"


def response_to(
    request: Message,
    status: int,
    reason: str = "Test",
    *,
    tag: str = "",
    headers: Headers = (),
    body: bytes = b"",
) -> bytes:
    """A response that copies what RFC 3261 §8.2.6.2 says to copy."""
    lines = [f"SIP/2.0 {status} {reason}"]
    lines += [f"Via: {v}" for v in request.all("via")]
    lines += [f"Record-Route: {v}" for v in request.all("record-route")]
    to = request.get("to")
    lines.append(f"From: {request.get('from')}")
    lines.append(f"To: {to}" if not tag or ";tag=" in to else f"To: {to};tag={tag}")
    lines += [f"Call-ID: {request.get('call-id')}", f"CSeq: {request.get('cseq')}"]
    lines += [f"{n}: {v}" for n, v in headers]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def audio(
    address: str, port: int, direction: str = "sendrecv", version: int = 1, payloads: str = "0 101"
) -> bytes:
    """A plain audio description: PCMU and telephone-event."""
    lines = [
        "v=0",
        f"o=raw 4711 {version} IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {payloads}",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=ptime:20",
        f"a={direction}",
        "",
    ]
    return "\r\n".join(lines).encode()


def media_address(body: bytes, kind: str = "audio") -> tuple[str, int]:
    """Where a description wants its media."""
    text = body.decode()
    session, *medias = re.split(r"(?m)^m=", text)
    for media in medias:
        if media.startswith(kind):
            found = re.search(r"(?m)^c=IN IP\d (\S+)", media) or re.search(r"(?m)^c=IN IP\d (\S+)", session)
            assert found, text
            return found.group(1), int(media.split()[1].split("/")[0])
    raise AssertionError(f"no {kind} in {text}")


def direction_of(body: bytes) -> str:
    found = re.findall(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)\r?$", body.decode())
    return found[-1] if found else "sendrecv"


class WebSocket:
    """The frames of a WebSocket that is opened on a connection (RFC 6455, RFC 7118)."""

    def __init__(self, stream: socket.socket, path: str = "/") -> None:
        uri = parse_uri(f"wss://localhost{path}")
        self._protocol = ClientProtocol(uri, subprotocols=[Subprotocol("sip")])
        self._protocol.send_request(self._protocol.connect())
        stream.sendall(b"".join(self._protocol.data_to_send()))
        while self._protocol.state is State.CONNECTING:
            data = stream.recv(4096)
            assert data, "closed while the WebSocket was opened"
            self._protocol.receive_data(data)
            self._protocol.events_received()

    def framed(self, data: bytes) -> bytes:
        self._protocol.send_text(data)
        return b"".join(self._protocol.data_to_send())

    def received(self, data: bytes) -> list[bytes]:
        self._protocol.receive_data(data)
        frames = [one for one in self._protocol.events_received() if isinstance(one, Frame)]
        return [bytes(one.data) for one in frames if one.opcode in (Opcode.TEXT, Opcode.BINARY)]


class Wire:
    """One UDP socket or connection that speaks SIP, and a trace of all it said and heard."""

    def __init__(
        self,
        server: tuple[str, int],
        transport: str = "udp",
        local: tuple[str, int] = ("127.0.0.1", 0),
        context: ssl.SSLContext | None = None,
    ):
        """``transport``: udp, tcp, tls, wss; ``context``: what is believed of the server's certificate."""
        self.server = server
        self.web: WebSocket | None = None
        self.transport = transport
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(family, kind)
        try:
            if transport != "udp":
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            host = "::1" if family == socket.AF_INET6 and ":" not in local[0] else local[0]
            self.socket.bind((host, local[1]))
            if transport != "udp":
                self.socket.settimeout(5)
                self.socket.connect(server)
            if transport in ("tls", "wss"):
                assert context is not None
                self.socket = context.wrap_socket(self.socket, server_hostname=server[0])
            if transport == "wss":
                self.web = WebSocket(self.socket)
            self.socket.setblocking(False)
            self.address: tuple[str, int] = self.socket.getsockname()[:2]
        except OSError:
            self.socket.close()
            raise
        self.trace: list[str] = []
        self._buffer = b""
        self._waiting: list[Message] = []
        self.is_closed_by_remote = False

    @property
    def here(self) -> str:
        """Its own address as it stands in a URI."""
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def suffix(self) -> str:
        """What its URIs say of its transport."""
        return "" if self.transport == "udp" else f";transport={self.transport.replace('wss', 'ws')}"

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- bytes

    def send(self, data: bytes | str) -> None:
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        self._note(">", data)
        if self.transport == "udp":
            self.socket.sendto(data, self.server)
        else:
            self.socket.setblocking(True)
            self.socket.sendall(data if self.web is None else self.web.framed(data))
            self.socket.setblocking(False)

    def _note(self, mark: str, data: bytes) -> None:
        self.trace.append(f"{time.monotonic():.3f} {mark} {data[:2000].decode('utf-8', 'replace')}")

    def _read(self, until: float) -> bool:
        """Take what the kernel has, or wait for it; False when the time is over or the connection ended."""
        has_some = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
        if not has_some and not readable([self.socket], max(0.0, until - time.monotonic())):
            return False
        try:
            data = self.socket.recv(65536)
        except ssl.SSLWantReadError:
            return True  # half a record, or one of TLS itself
        except ConnectionError:  # also an ICMP error of an earlier datagram
            self.is_closed_by_remote = self.transport != "udp"
            return self.transport == "udp"
        if self.transport == "udp":
            self._note("<", data)
            if data.strip():
                self._waiting.append(Message.parse(data))
            return True
        if not data:
            self.is_closed_by_remote = True
            return False
        if self.web is not None:
            for message in self.web.received(data):
                self._note("<", message)
                self._waiting.append(Message.parse(message))
            return True
        self._buffer += data
        self._cut()
        return True

    def _cut(self) -> None:
        while True:
            self._buffer = self._buffer.lstrip(b"\r\n")
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            found = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head)
            size = int(found.group(1)) if found else 0
            if len(rest) < size:
                return
            self._note("<", head + separator + rest[:size])
            self._waiting.append(Message.parse(head + separator + rest[:size]))
            self._buffer = rest[size:]

    # ---- messages

    def receive(self, timeout: float = 3.0) -> Message | None:
        """The next message, or None when there is none in time."""
        until = time.monotonic() + timeout
        while not self._waiting:
            if not self._read(until):
                return None
        return self._waiting.pop(0)

    def take(self, wanted: Callable[[Message], bool], timeout: float = 3.0) -> Message | None:
        """The first message that is wanted; the others stay for later."""
        until = time.monotonic() + timeout
        seen = 0
        while True:
            for at in range(seen, len(self._waiting)):
                if wanted(self._waiting[at]):
                    return self._waiting.pop(at)
            seen = len(self._waiting)
            if not self._read(until):
                return None

    def expect(
        self, what: str | int, timeout: float = PATIENCE, *, method: str = "", call_id: str = ""
    ) -> Message:
        """The response with that status (1..6: any of the class), or the request of that method."""

        def is_it(m: Message) -> bool:
            if call_id and m.get("call-id") != call_id:
                return False
            if isinstance(what, str):
                return not m.is_response and m.start.startswith(what + " ")
            fits = m.status // 100 == what if what < 10 else m.status == what
            return m.is_response and fits and (not method or m.method == method)

        found = self.take(is_it, timeout)
        if found is None:
            raise SilenceError(
                f"no {what} within {timeout} s; the wire of {self.address}:\n" + "\n".join(self.trace)
            )
        return found

    def final(self, timeout: float = PATIENCE, *, method: str = "", call_id: str = "") -> Message:
        """The next final response."""
        found = self.take(
            lambda m: (
                m.status >= 200
                and (not method or m.method == method)
                and (not call_id or m.get("call-id") == call_id)
            ),
            timeout,
        )
        if found is None:
            raise SilenceError(f"no final response within {timeout} s:\n" + "\n".join(self.trace))
        return found

    def forget(self) -> None:
        """Drop what came and was not asked for."""
        while self.receive(0) is not None:
            pass

    def hears_nothing(self, seconds: float) -> bool:
        """True when no message at all came in that time (bounded silence is the thing that is tested)."""
        return self.receive(seconds) is None

    def request(
        self,
        method: str,
        uri: str,
        *,
        to: str = "",
        from_: str = "",
        call_id: str = "",
        cseq: int = 1,
        headers: Headers = (),
        body: bytes = b"",
        via: str = "",
        contact: bool = True,
        max_forwards: int | None = 70,
    ) -> bytes:
        """A request outside any dialog; `to` and `from_` are whole header values."""
        here = self.here
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport.upper()} {here};rport;branch={via or branch()}",
        ]
        if max_forwards is not None:
            lines.append(f"Max-Forwards: {max_forwards}")
        lines += [
            f"From: {from_ or f'<sip:raw@{here}>;tag={secrets.token_hex(4)}'}",
            f"To: {to or f'<{uri}>'}",
            f"Call-ID: {call_id or secrets.token_hex(8)}",
            f"CSeq: {cseq} {method}",
        ]
        if contact:
            suffix = self.suffix
            lines.append(f"Contact: <sip:raw@{here}{suffix}>")
        lines += [f"{n}: {v}" for n, v in headers]
        if body and not any(n.lower() == "content-type" for n, _ in headers):
            lines.append("Content-Type: application/sdp")
        lines += [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body

    def options(self, timeout: float = 2.0) -> float:
        """Seconds until the server answered an OPTIONS; SilenceError when it did not."""
        call_id = "probe-" + secrets.token_hex(6)
        host = f"[{self.server[0]}]" if ":" in self.server[0] else self.server[0]
        began = time.monotonic()
        self.send(self.request("OPTIONS", f"sip:{host}:{self.server[1]}", call_id=call_id))
        self.final(timeout, call_id=call_id)
        return time.monotonic() - began
