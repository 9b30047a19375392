"""Requests and responses: parse them, ask them, build them, write them (RFC 3261 §7, §8)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Self

from ..errors import LocalProtocolError, RemoteProtocolError
from .extensions import Extended
from .grammar import TOKEN, has_control, header_key, is_token, split_list
from .head import LIMITS, Limits, rest_of_list
from .headers import Via, read_seconds
from .reasons import REASONS
from .uri import Uri

METHODS = frozenset(
    {
        "ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER",
        "REGISTER", "SUBSCRIBE", "UPDATE",
    }
)  # fmt: skip
_CONTENT_TYPE = re.compile(rf"({TOKEN})[ \t]*+/[ \t]*+({TOKEN})[ \t]*+(?:;|\Z)")
_MAX_TYPE = 256  # octets of a Content-Type that are looked at: boundaries stay out of it
_MAX_SHORT = 256  # octets of a list that is remembered
_FOLD = re.compile(rb"\r\n[ \t]+")
_REASONS = REASONS  # compiled, known as a dictionary
_UNLIMITED = Limits(*[sys.maxsize] * 4)
_ANSWERED = ("via", "from", "to", "call-id", "cseq")  # §8.2.6.2: what a response repeats


class ParseError(RemoteProtocolError):
    """Octets that are no message; ``request`` is as much of it as an answer needs, if there is that much."""

    def __init__(self, message: str, *, status: int = 400, request: Request | None = None) -> None:
        super().__init__(message, status=status)
        self.request = request


class Message(Extended):
    """What requests and responses have in common."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # messages change

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self._meaning() == other._meaning()

    def __bytes__(self) -> bytes:
        return self.encode()

    def encode(self) -> bytes:
        """The message on the wire."""
        raise NotImplementedError

    def _meaning(self) -> tuple[object, ...]:
        # Content-Length is written anew each time
        lines = [(key, value) for key, _, value in self._entries() if key != "content-length"]
        return self.method, str(self._uri_text), self.status, self.reason, lines, self.body

    def get_all(self, name: str) -> list[str]:
        """The value of each line of this name."""
        return [self._text(at) for at in self._places(name)]

    def items(self) -> list[tuple[str, str]]:
        """Names, as they were written, and values."""
        return [(name, value) for _, name, value in self._entries()]

    def insert_first(self, name: str, value: object) -> None:
        """Add a header above the others."""
        self._insert(0, name, value)

    def set(self, name: str, value: object) -> None:
        """Replace all values of this name by one, where the first one stands."""
        places = self._places(name)
        if places:
            self._insert(places[0], name, value)
            self._drop([at + 1 for at in places])
        else:
            self.add(name, value)

    def remove(self, name: str) -> None:
        """Remove all values of this name."""
        self._drop(self._places(name))

    def replace_top(self, name: str, value: object) -> None:
        """Replace the first value of this name and keep what follows it, in its line and in others."""
        places = self._places(name)
        if not places:
            raise LocalProtocolError(f"there is no {name!r:.40} to replace")
        line = self._text(places[0])
        self._insert(places[0], name, value, rest_of_list(line) if "," in line else "")
        self._drop([places[0] + 1])

    @property
    def via(self) -> Via:
        """The top Via."""
        return self._top_via()

    @via.setter
    def via(self, via: Via) -> None:
        self.replace_top("Via", via)

    def get_list(self, name: str) -> tuple[str, ...]:
        """The parts of a comma-separated header, from all its lines."""
        lines = self.get_all(name)
        if len(lines) == 1:
            return _split(name, lines[0])
        return tuple([part for line in lines for part in _split(name, line)])

    @property
    def expires(self) -> int | None:
        """Expires in seconds, None when it is not there; a malformed one counts as 3600 (§20.10)."""
        value = self.get("expires")
        return None if value is None else read_seconds(value)

    @property
    def content_type(self) -> str | None:
        """The body's type/subtype in lower case."""
        return self._content_type()

    def _content_type(self) -> str | None:
        usual = self._usual_type()
        if usual is not None:
            return usual
        value = self.get("content-type")
        return None if value is None else _media_type(value[:_MAX_TYPE])

    @property
    def require(self) -> tuple[str, ...]:
        """Extensions that the other end must know."""
        return self.get_list("require")

    @property
    def proxy_require(self) -> tuple[str, ...]:
        """Extensions that proxies must know."""
        return self.get_list("proxy-require")

    @property
    def supported(self) -> tuple[str, ...]:
        """Extensions that the sender knows."""
        return self.get_list("supported")

    @property
    def allow(self) -> tuple[str, ...]:
        """Methods that the sender takes."""
        return self.get_list("allow")

    def validate(self) -> None:
        """Check what RFC 3261 §8.1.1 and §8.1.3 make mandatory; RemoteProtocolError says what is wrong."""
        if not self._is_sound():
            self._check()

    def _check(self) -> None:
        double = self._find_double()
        if double is not None:  # how requests are smuggled past a checker
            raise RemoteProtocolError(f"{double} stands more than once")
        self._check_typed()
        self._content_type()

    def copy(self) -> Self:
        """The same message, to be changed without changing this one."""
        same = type(self).__new__(type(self))
        same.method, same.status, same.reason, same.body = self.method, self.status, self.reason, self.body
        same._uri_text = self._uri_text
        same._copy_all(self)
        return same


class Request(Message):
    """A request."""

    __slots__ = ()

    def __init__(
        self, method: str, uri: Uri | str, headers: Iterable[tuple[str, object]] = (), body: bytes = b""
    ) -> None:
        self._begin(method, uri, body)
        self._add_all(headers)

    def _begin(self, method: str, uri: Uri | str, body: bytes) -> None:
        """Be a request without headers."""
        if method not in METHODS and not is_token(method):
            raise LocalProtocolError(f"method is not a token: {method!r:.40}")
        self.method = method
        self._set_uri(uri)
        self.body = body

    def __repr__(self) -> str:
        return f"<Request {self.method} {self._uri_text}>"

    @property
    def uri_text(self) -> str:
        """The Request-URI as it was written."""
        return self._uri_text

    def encode(self) -> bytes:
        """The request on the wire."""
        return self._pack(self.method, self._uri_text, "SIP/2.0")

    def answer(
        self,
        status: int,
        reason: str | None = None,
        to_tag: str | None = None,
        headers: Iterable[tuple[str, object]] = (),
        body: bytes = b"",
    ) -> bytes:
        """The response with this status, on the wire: what §8.2.6.2 repeats is copied, unchanged."""
        if not 100 <= status < 700:
            raise LocalProtocolError(f"status is not between 100 and 699: {status}")
        if reason is None:
            reason = _REASONS.get(status, "")
        tag = to_tag if status > 100 and self.lacks_to_tag() else None
        return self._reply(status, reason, tag, headers, body)

    def response(
        self,
        status: int,
        reason: str | None = None,
        to_tag: str | None = None,
        headers: Iterable[tuple[str, object]] = (),
        body: bytes = b"",
    ) -> Response:
        """The response with this status."""
        response = Response.__new__(Response)
        response._read(self.answer(status, reason, to_tag, headers, body), _UNLIMITED)
        return response

    def _check(self) -> None:
        Message._check(self)
        if self.cseq.method != self.method:
            raise RemoteProtocolError(f"cseq: method is not {self.method}: {self.cseq.method!r:.40}")
        if self.uri.headers:  # §19.1.1 allows none here; obeying them would let the sender write our headers
            raise RemoteProtocolError(f"Request-URI: has headers: {self._uri_text!r:.80}")


class Response(Message):
    """A response."""

    __slots__ = ()

    def __init__(
        self,
        status: int,
        reason: str | None = None,
        headers: Iterable[tuple[str, object]] = (),
        body: bytes = b"",
    ) -> None:
        self._begin(status, reason, body)
        self._add_all(headers)

    def _begin(self, status: int, reason: str | None, body: bytes) -> None:
        """Be a response without headers."""
        if not 100 <= status < 700:
            raise LocalProtocolError(f"status is not between 100 and 699: {status}")
        self.status = status
        self.reason = _REASONS.get(status, "") if reason is None else reason
        self.body = body

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"

    def encode(self) -> bytes:
        """The response on the wire."""
        return self._pack("SIP/2.0", str(self.status), self.reason)

    def _check(self) -> None:
        Message._check(self)
        if len(self.vias) > 1:  # §8.1.3.3: it was meant for somebody else
            raise RemoteProtocolError("response with more than one Via")


def _split(name: str, line: str) -> tuple[str, ...]:
    try:
        return _parts(line) if len(line) <= _MAX_SHORT else _parts.__wrapped__(line)
    except RemoteProtocolError as error:
        raise RemoteProtocolError(f"{name}: {error}: {line!r:.80}") from error


@lru_cache(maxsize=512)  # phones of one make say the same
def _parts(line: str) -> tuple[str, ...]:
    return tuple([part for part in split_list(line) if part])


@lru_cache(maxsize=256)  # a few types are all that phones say
def _media_type(value: str) -> str:
    found = _CONTENT_TYPE.match(value)
    if found is None:
        raise RemoteProtocolError(f"content-type: not type/subtype: {value!r:.80}")
    return f"{found[1]}/{found[2]}".lower()


def parse(data: bytes, limits: Limits = LIMITS) -> Request | Response:
    """The message that a datagram (or a framed piece of a stream) holds; ParseError when there is none."""
    message = Response.__new__(Response) if _is_response(data) else Request.__new__(Request)
    try:
        message._read(data, limits)
    except RemoteProtocolError as error:
        request = salvage(data, limits) if isinstance(message, Request) else None
        raise ParseError(str(error), status=error.status, request=request) from error
    return message


def _is_response(data: bytes) -> bool:
    """Whether what begins here is a status line."""
    at = 0
    while data.startswith(b"\r\n", at):  # §7.5
        at += 2
    if len(data) < at + 4 or data[at + 3] != 0x2F:
        return False
    return data[at] in b"Ss" and data[at + 1] in b"Ii" and data[at + 2] in b"Pp"


def salvage(data: bytes, limits: Limits = LIMITS) -> Request | None:
    """As much of a broken request as its answer repeats (§8.2.6.2); None when that is not there."""
    head, _, _ = data[: limits.message_size].lstrip(b"\r\n").partition(b"\r\n\r\n")
    first, *lines = _FOLD.sub(b" ", head).decode("utf-8", "surrogateescape").split("\r\n")
    method, _, rest = first.partition(" ")
    if not is_token(method):
        return None
    request = Request.__new__(Request)
    request.method = method
    text = rest.strip(" \t").partition(" ")[0]
    request._uri_text = "" if has_control(text) else text
    for line in lines[: limits.header_count]:
        name, _, value = line.partition(":")
        _take(request, name.rstrip(" \t"), value, limits)
    return request if all(key in request for key in _ANSWERED) else None


def _take(request: Request, name: str, value: str, limits: Limits) -> None:
    """Add a header line to what is salvaged if an answer needs it and may hold it."""
    if not is_token(name) or len(value) > limits.header_size:
        return
    key = header_key(name)
    if key not in _ANSWERED or (key != "via" and key in request):
        return
    try:
        request.add(name, value)
    except LocalProtocolError:
        return
