"""Start line and header lines of a message: indexed in one pass, typed when asked for (RFC 3261 §7)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, Self, TypeVar

from ..errors import LocalProtocolError, RemoteProtocolError
from .grammar import (
    SINGLE,
    has_bare_control,
    has_control,
    header_key,
    is_token,
    parse_number,
    split_list,
    unfold,
)
from .headers import CSeq, NameAddr, Via, parse_cseq, parse_name_addr, parse_name_addrs, parse_vias
from .uri import Uri, parse_uri

T = TypeVar("T")


class Limits(NamedTuple):
    """What a message may measure before it is refused."""

    message_size: int = 65536
    header_count: int = 128
    header_size: int = 8192
    via_count: int = 70


LIMITS = Limits()


class Head:
    """A start line, header lines, a body; typed values are made once and kept."""

    __slots__ = ("_cache", "_lines", "_uri_text", "body", "method", "reason", "status")
    _lines: list[tuple[str, str]]  # key, the line as on the wire without its CRLF
    _cache: dict[str, Any]

    def __new__(cls, *_args: object, **_kwargs: object) -> Self:
        self = super().__new__(cls)
        self.method = ""
        self.status = 0
        self.reason = ""
        self.body = b""
        self._uri_text = ""
        self._lines = []
        self._cache = {}
        return self

    def _read(self, data: bytes, limits: Limits) -> None:
        """Read a whole message; octets after its Content-Length are not its own (§18.3)."""
        if len(data) > limits.message_size:
            raise RemoteProtocolError(f"message of {len(data)} octets", status=513)
        start = 0
        while data.startswith(b"\r\n", start):  # §7.5
            start += 2
        end = data.find(b"\r\n\r\n", start)
        if end < 0:
            raise RemoteProtocolError("header section without end")
        first, *lines = data[start:end].decode("utf-8", "surrogateescape").split("\r\n")
        if len(encode(first)) > limits.header_size:
            raise RemoteProtocolError("start line too long")
        self._read_start(first)
        self._read_lines(lines, limits)
        if has_control("".join(lines)):
            self._check_controls()
        self.body = self._cut_body(data, end + 4)

    def _read_start(self, line: str) -> None:
        if has_control(line):
            raise RemoteProtocolError("control octet in the start line")
        if line[:4].upper() == "SIP/":
            version, _, rest = line.partition(" ")
            status, _, self.reason = rest.partition(" ")
            if (
                len(status) != 3
                or not status.isascii()
                or not status.isdigit()
                or not 100 <= int(status) < 700
            ):
                raise RemoteProtocolError(f"malformed status: {status!r:.40}")
            self.status = int(status)
        else:
            parts = line.split(" ")
            is_whole = len(parts) == 3 and is_token(parts[0]) and parts[1] and "\t" not in line
            if not is_whole or parts[2][:4].upper() != "SIP/":
                raise RemoteProtocolError("request line is not: method, one space, URI, one space, version")
            self.method, self._uri_text, version = parts
        if version.upper() != "SIP/2.0":
            raise RemoteProtocolError(f"version is not SIP/2.0: {version!r:.40}", status=505)

    def _read_lines(self, lines: list[str], limits: Limits) -> None:
        found = self._lines
        vias = 0
        for line in lines:
            if line[:1] in (" ", "\t"):  # folded
                if not found:
                    raise RemoteProtocolError("first header line begins with white space")
                key = found[-1][0]
                vias += line.count(",") if key == "via" else 0
                line = f"{found[-1][1]}\r\n{line}"
                found[-1] = key, line
            else:
                name, colon, _ = line.partition(":")
                name = name.rstrip(" \t")  # allowed before the colon (§7.3.1), in front of a name it folds
                if not colon or not is_token(name):
                    raise RemoteProtocolError(f"header line without a name: {line!r:.60}")
                key = header_key(name)
                vias += (1 + line.count(",")) if key == "via" else 0
                found.append((key, line))
            if len(found) > limits.header_count or vias > limits.via_count:
                raise RemoteProtocolError("too many headers")
            if len(line) * 4 > limits.header_size and len(encode(line)) > limits.header_size:
                raise RemoteProtocolError(f"header line too long: {key}")

    def _check_controls(self) -> None:
        for key, line in self._lines:
            if has_bare_control(unfold(line)):
                raise RemoteProtocolError(f"control octet in header {key}")

    def _cut_body(self, data: bytes, start: int) -> bytes:
        lengths = [unfold(line.partition(":")[2]) for key, line in self._lines if key == "content-length"]
        if not lengths:
            return data[start:]
        if len(lengths) > 1:
            raise RemoteProtocolError("Content-Length stands more than once")
        try:
            size = parse_number(lengths[0], len(data) - start)
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"Content-Length: {error}: {lengths[0]!r:.40}") from error
        return data[start : start + size]

    def _copy(self, other: Head, keys: Collection[str]) -> None:
        """Take over the lines of these headers, unchanged and in their order."""
        self._lines += [line for line in other._lines if line[0] in keys]
        self._cache.clear()

    def _copy_all(self, other: Head) -> None:
        """Take over all lines, unchanged."""
        self._lines += other._lines
        self._cache.clear()

    def _append(self, key: str, text: str) -> None:
        """Put more at the end of the first line of this name."""
        at = next(at for at, line in enumerate(self._lines) if line[0] == key)
        self._lines[at] = key, self._lines[at][1] + check_writable(text)
        self._cache.clear()

    def _pack(self, first: str, second: str, third: str) -> bytes:
        """The message on the wire, with a start line of these; only here one is written."""
        start = check_writable(f"{first} {second} {third}")
        lines = [line for key, line in self._lines if key != "content-length"]
        head = "\r\n".join([start, *lines, f"Content-Length: {len(self.body)}", "", ""])
        return encode(head) + self.body

    def _value(self, key: str) -> str | None:
        for found, line in self._lines:
            if found == key:
                return unfold(line.partition(":")[2])
        return None

    def _required(self, key: str) -> str:
        value = self._value(key)
        if value is None:
            raise RemoteProtocolError(f"{key} is missing")
        return value

    def get(self, name: str) -> str | None:
        """The first value of this name, on one line."""
        return self._value(header_key(name))

    def _text(self, at: int) -> str:
        """The value of this line."""
        return unfold(self._lines[at][1].partition(":")[2])

    def __contains__(self, name: str) -> bool:
        return bool(self._places(name))

    def _places(self, name: str) -> list[int]:
        """Where the lines of this name stand."""
        wanted = header_key(name)
        return [at for at, (key, _) in enumerate(self._lines) if key == wanted]

    def _entries(self) -> list[tuple[str, str, str]]:
        """Of each line its key, its name as it was written, and its value."""
        parts = [(key, line.partition(":")) for key, line in self._lines]
        return [(key, name.rstrip(" \t"), unfold(value)) for key, (name, _, value) in parts]

    def names(self) -> list[str]:
        """The names of all lines: long and lower-case."""
        return [key for key, _ in self._lines]

    def has_any(self, wanted: frozenset[str]) -> bool:
        """Whether one of these headers is there; their names are long and lower-case."""
        return any(key in wanted for key, _ in self._lines)

    def _find_double(self) -> str | None:
        """The key of a header that stands again although it may stand only once."""
        seen = set()
        for key, _ in self._lines:
            if key in SINGLE and key in seen:
                return key
            seen.add(key)
        return None

    def add(self, name: str, value: object) -> None:
        """Add a header below the others."""
        self._insert(len(self._lines), name, value)

    def _add_all(self, headers: Iterable[tuple[str, object]]) -> None:
        """Add headers below the others."""
        for name, value in headers:
            self.add(name, value)

    def _insert(self, at: int, name: str, value: object, rest: str = "") -> None:
        """Put a header in this place; the rest of its list, which came in, is not checked again."""
        key, line = make_line(name, value)
        self._lines.insert(at, (key, line + rest))
        self._cache.clear()

    def _drop(self, places: list[int]) -> None:
        """Remove these lines."""
        for at in reversed(places):
            del self._lines[at]
        self._cache.clear()

    def _is_sound(self) -> bool:
        """Whether ``validate`` needs not look; the compiled twin says so of what is usual."""
        return False

    def _check_typed(self) -> None:
        """Make the values that RFC 3261 §8.1.1 wants; each raises when it is missing or malformed."""
        _ = self._top_via(), self.from_, self.to, self.call_id, self.cseq
        _ = self.max_forwards, self.contacts, self.routes, self.record_routes

    @property
    def uri(self) -> Uri:
        """The Request-URI."""
        uri: Uri | None = self._cache.get("uri")
        if uri is None:
            uri = self._cache["uri"] = typed("Request-URI", parse_uri, self._uri_text)
        return uri

    @uri.setter
    def uri(self, uri: Uri | str) -> None:
        self._set_uri(uri)

    def _set_uri(self, uri: Uri | str) -> None:
        self._uri_text = check_uri_text(str(uri))
        self._cache.pop("uri", None)

    @property
    def vias(self) -> tuple[Via, ...]:
        """The hops that the request took, the last one first."""
        return self._typed_list("via", parse_vias)

    def _top_via(self) -> Via:
        if self.vias:
            return self.vias[0]
        raise RemoteProtocolError("via is missing")

    @property
    def from_(self) -> NameAddr:
        """From."""
        return self._typed_single("from", parse_name_addr)

    @property
    def to(self) -> NameAddr:
        """To."""
        return self._typed_single("to", parse_name_addr)

    @property
    def from_tag(self) -> str | None:
        """The tag of From."""
        return self.from_.tag

    @property
    def to_tag(self) -> str | None:
        """The tag of To."""
        return self.to.tag

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self._typed_single("call-id", parse_call_id)

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        return self._typed_single("cseq", parse_cseq)

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, None when it is not there."""
        value = self._value("max-forwards")
        return None if value is None else typed("max-forwards", parse_max_forwards, value)

    @property
    def contacts(self) -> tuple[NameAddr, ...]:
        """All contacts; none for ``*``."""
        return () if self.contact_is_star else self._typed_list("contact", parse_name_addrs)

    @property
    def contact_is_star(self) -> bool:
        """Whether the contact is ``*``: all of them (§10.2.2)."""
        return [self._text(at) for at in self._places("contact")] == ["*"]

    @property
    def routes(self) -> tuple[NameAddr, ...]:
        """The way that the request shall take."""
        return self._typed_list("route", parse_name_addrs)

    @property
    def record_routes(self) -> tuple[NameAddr, ...]:
        """The proxies that want to see the dialog's requests."""
        return self._typed_list("record-route", parse_name_addrs)

    def _typed_single(self, key: str, parse: Callable[[str], T]) -> T:
        value: T | None = self._cache.get(key)
        if value is None:
            value = self._cache[key] = typed(key, parse, self._required(key))
        return value

    def _typed_list(self, key: str, parse: Callable[[str], list[T]]) -> tuple[T, ...]:
        values: tuple[T, ...] | None = self._cache.get(key)
        if values is None:
            lines = [self._text(at) for at in self._places(key)]
            values = self._cache[key] = tuple(value for line in lines for value in typed(key, parse, line))
        return values


def typed(name: str, parse: Callable[[str], T], value: str) -> T:
    """The header's value parsed; an error names both."""
    try:
        return parse(value)
    except RemoteProtocolError as error:
        raise RemoteProtocolError(f"{name}: {error}: {value!r:.80}") from error


def parse_call_id(text: str) -> str:
    """A Call-ID: visible ASCII without white space."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise RemoteProtocolError("not one word")
    return text


def parse_max_forwards(text: str) -> int:
    """A hop count (§20.22)."""
    return parse_number(text, 255)


def encode(text: str) -> bytes:
    """The text's octets; what came in as broken UTF-8 goes out as it came."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"text that cannot be encoded: {text!r:.60}") from error


def check_writable(text: str) -> str:
    """Refuse CR, LF, NUL and their like, which would end a line or hide what follows from some reader."""
    if has_control(text):
        raise LocalProtocolError(f"control octet in a header or start line: {text!r:.60}")
    encode(text)
    return text


def check_uri_text(text: str) -> str:
    """Refuse what would not be one word of the request line."""
    if not text or " " in text or "\t" in check_writable(text):
        raise LocalProtocolError(f"Request-URI with white space: {text!r:.60}")
    return text


def rest_of_list(value: str) -> str:
    """What follows the first part of a comma-separated value, with the comma."""
    return "".join([f", {part}" for part in split_list(value)[1:]]).rstrip(" ") if "," in value else ""


def check_name(name: str) -> None:
    """Refuse a header name that is not a token."""
    if not is_token(name):
        raise LocalProtocolError(f"header name is not a token: {name!r:.60}")


def make_line(name: str, value: object) -> tuple[str, str]:
    """A header line to send, with its key."""
    check_name(name)
    text = check_writable(str(value)).strip(" \t")
    return header_key(name), f"{name}: {text}"


PlainHead = Head
with suppress(ImportError):  # not built: the same answers, slower
    from ._message import Head
