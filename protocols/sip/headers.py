"""Typed values of the headers that route a message: frozen, parsed once, written by str() (RFC 3261 §20)."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import NamedTuple, Self

from ..errors import RemoteProtocolError
from .grammar import (
    HOST,
    TOKEN,
    Params,
    check_encodable,
    find_param,
    format_params,
    match_params,
    match_quoted,
    parse_number,
    quote,
    skip_space,
    unquote,
    with_param,
)
from .uri import Uri, parse_uri

MAX_CSEQ = 2**31 - 1  # §8.1.1.5
MAX_EXPIRES = 2**32 - 1  # §20.19
DEFAULT_EXPIRES = 3600  # §20.10: what a malformed expires parameter means

_VIA = re.compile(
    rf"[Ss][Ii][Pp][ \t]*+/[ \t]*+{TOKEN}[ \t]*+/[ \t]*+({TOKEN})[ \t]++({HOST})(?:[ \t]*+:[ \t]*+([0-9]++))?"
)
_CSEQ = re.compile(rf"([0-9]++)[ \t]++({TOKEN})")
# Wider than the grammar's tokens: names like "Müller (home)" come unquoted; "," and ":" would be ambiguous
_DISPLAY = re.compile(r'[^"<>,;:\\]*+')
_BARE = re.compile(r'[^ \t"<>,;?]++')
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class NameAddr(NamedTuple):
    """An address with a name and parameters: From, To, Contact, Route and their like (§20.10)."""

    display_name: str
    uri: Uri
    params: Params = ()

    @staticmethod
    def parse(text: str) -> NameAddr:
        """The address that the whole text is; RemoteProtocolError when it is none."""
        return parse_name_addr(text)

    def __str__(self) -> str:
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{self.uri}>{format_params(self.params)}"

    @property
    def tag(self) -> str | None:
        """The tag parameter: one end of a dialog (§19.3)."""
        return find_param(self.params, "tag")

    @property
    def q(self) -> float:
        """The contact's preference from 0 to 1 (§20.10)."""
        value = find_param(self.params, "q")
        if value is None:
            return 1.0
        if _QVALUE.fullmatch(value) is None:
            raise RemoteProtocolError(f"q is not between 0 and 1: {value!r:.40}")
        return float(value)

    @property
    def expires(self) -> int | None:
        """The contact's expires parameter; a malformed one counts as 3600 (§20.10)."""
        value = find_param(self.params, "expires")
        return None if value is None else read_seconds(value)

    def param(self, name: str) -> str | None:
        """The parameter's value unquoted, "" when it has none, None when it is not there."""
        return find_param(self.params, name)

    def with_params(self, **params: str | None) -> Self:
        """The address with these parameters changed or added."""
        changed = self.params
        for name, value in params.items():
            changed = with_param(changed, name, value)
        return self._replace(params=changed)

    def with_tag(self, tag: str) -> Self:
        """The address with this tag."""
        return self._replace(params=with_param(self.params, "tag", tag))


class Via(NamedTuple):
    """One hop on the way of a request (§20.42, RFC 3581)."""

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @staticmethod
    def parse(text: str) -> Via:
        """The hop that the whole text is; RemoteProtocolError when it is none."""
        via, at = match_via(text, 0)
        if at < len(text):
            raise RemoteProtocolError("something after the Via's end")
        return via

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{format_params(self.params)}"

    @property
    def sent_by(self) -> str:
        """Host and port as the sender of the request wrote them."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def branch(self) -> str | None:
        """The transaction's name (§8.1.1.7)."""
        return find_param(self.params, "branch")

    @property
    def received(self) -> str | None:
        """The address that the request really came from (§18.2.1)."""
        return find_param(self.params, "received")

    @property
    def has_rport(self) -> bool:
        """Whether the sender asks for the answer at its source port (RFC 3581 §3)."""
        return find_param(self.params, "rport") is not None

    @property
    def rport(self) -> int | None:
        """The source port that was filled in, None before."""
        value = find_param(self.params, "rport")
        return parse_number(value, 65535) if value else None

    def param(self, name: str) -> str | None:
        """The parameter's value unquoted, "" when it has none, None when it is not there."""
        return find_param(self.params, name)

    def with_source(self, host: str, port: int) -> Self:
        """The hop with where the request really came from: received where needed, rport where asked for."""
        params = []
        needs_received = self.host.strip("[]").lower() != host.lower()
        for name, value in self.params:
            key = name.lower()
            if key == "rport":
                value = str(port)
                needs_received = True  # RFC 3581 §4 wants both together
            if key == "received":
                needs_received = True  # over one that the sender made up
            else:
                params.append((name, value))
        if needs_received:
            params.append(("received", host))
        return self._replace(params=tuple(params))


class CSeq(NamedTuple):
    """Number and method of a request in its dialog (§20.16)."""

    number: int
    method: str

    @staticmethod
    def parse(text: str) -> CSeq:
        """The CSeq that the whole text is; RemoteProtocolError when it is none."""
        return parse_cseq(text)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_cseq(text: str) -> CSeq:
    """The CSeq that the whole text is."""
    found = _CSEQ.fullmatch(text)
    if found is None:
        raise RemoteProtocolError("not a number and a method")
    return CSeq(parse_number(found[1], MAX_CSEQ), found[2])


def match_name_addr(text: str, at: int) -> tuple[NameAddr, int]:
    """The address that starts here, and the place of the comma or end behind it."""
    at = skip_space(text, at)
    name = ""
    if text.startswith('"', at):
        end = match_quoted(text, at)
        name = unquote(text[at:end])
        at = skip_space(text, end)
        if not text.startswith("<", at):
            raise RemoteProtocolError("display name without <URI>")
    else:
        found = _DISPLAY.match(text, at)
        assert found is not None  # the pattern matches the empty string
        if text.startswith("<", found.end()):
            name = found[0].rstrip(" \t")
            at = found.end()
    if text.startswith("<", at):
        end = text.find(">", at)
        if end < 0:
            raise RemoteProtocolError("'<' without '>'")
        uri = parse_uri(text[at + 1 : end])
        at = end + 1
    else:
        # §20: without angle brackets "," ";" "?" are not the URI's
        bare = _BARE.match(text, at)
        if bare is None:
            raise RemoteProtocolError("address without URI")
        uri = parse_uri(bare[0])
        at = bare.end()
    params, at = match_params(text, at)
    _check_end(text, at)
    return NameAddr(name, uri, params), at


def match_via(text: str, at: int) -> tuple[Via, int]:
    """The hop that starts here, and the place of the comma or end behind it."""
    found = _VIA.match(text, skip_space(text, at))
    if found is None:
        raise RemoteProtocolError("not SIP/2.0/transport host")
    transport, host, digits = found.groups()
    port = None if digits is None else parse_number(digits, 65535)
    params, at = match_params(text, found.end())
    _check_end(text, at)
    return Via(transport.upper(), host, port, params), at


def parse_name_addr(text: str) -> NameAddr:
    """The address that the whole text is."""
    address, at = match_name_addr(check_encodable(text), 0)
    if at < len(text):
        raise RemoteProtocolError("more than one address")
    return address


def parse_name_addrs(text: str) -> list[NameAddr]:
    """The addresses of one header line."""
    address, at = match_name_addr(check_encodable(text), 0)
    found = [address]
    while at < len(text):
        address, at = match_name_addr(text, at + 1)
        found.append(address)
    return found


def parse_vias(text: str) -> list[Via]:
    """The hops of one header line."""
    via, at = match_via(check_encodable(text), 0)
    found = [via]
    while at < len(text):
        via, at = match_via(text, at + 1)
        found.append(via)
    return found


def read_seconds(text: str) -> int:
    """A time to live: at most 2**32-1, and 3600 for what is no number (§20.10, §20.19)."""
    if not (text.isascii() and text.isdigit()):
        return DEFAULT_EXPIRES
    digits = text.lstrip("0")
    return MAX_EXPIRES if len(digits) > 10 else min(int(digits or "0"), MAX_EXPIRES)


def _check_end(text: str, at: int) -> None:
    if at < len(text) and text[at] != ",":
        raise RemoteProtocolError(f"unexpected {text[at]!r}")


plain_parse_name_addr = parse_name_addr
with suppress(ImportError):  # not built: the same answers, slower
    from ._message import parse_name_addr
