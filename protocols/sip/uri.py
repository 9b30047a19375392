"""SIP, SIPS and tel URIs, and any other as an opaque one (RFC 3261 §19.1, RFC 3966)."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, NamedTuple, Self
from urllib.parse import quote, unquote_to_bytes

from ..errors import RemoteProtocolError
from .grammar import HOST, Params, find_param, format_params, parse_number, with_groups, with_param

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# user, password: "#" is let through, telephones dial it unescaped
_USER = re.compile(with_groups(r"(?:[-A-Za-z0-9_.!~*'()&=+$,;?/#]|%[0-9A-Fa-f]{2})++"))
_PASSWORD = re.compile(with_groups(r"(?:[-A-Za-z0-9_.!~*'()&=+$,]|%[0-9A-Fa-f]{2})*+"))
_HOST_PORT = re.compile(rf"({HOST})(?::([0-9]+))?")
_PARAM = re.compile(
    with_groups(
        r";((?:[-A-Za-z0-9_.!~*'()\[\]/:&+$]|%[0-9A-Fa-f]{2})++)"
        r"(?:=((?:[-A-Za-z0-9_.!~*'()\[\]/:&+$]|%[0-9A-Fa-f]{2})++))?"
    )
)
_HEADERS = re.compile(with_groups(r"(?:[-A-Za-z0-9_.!~*'()\[\]/?:+$=&]|%[0-9A-Fa-f]{2})++"))
_NUMBER = re.compile(r"[-0-9A-Fa-f+*#().]++")
_OPAQUE = re.compile(r"[!#-;=?-\[\]_a-z~]++")

# RFC 3261 §19.1.4: these must be equal or absent on both sides, all others only where both have them
_MATTERING_PARAMS = ("user", "ttl", "method", "maddr", "transport")


class Uri(NamedTuple):
    """A URI; for schemes other than sip and sips all after the scheme (of tel: the number) is in ``user``."""

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None = None
    params: Params = ()
    headers: str = ""

    @staticmethod
    def parse(text: str) -> Uri:
        """The URI that the text is; RemoteProtocolError when it is none."""
        return parse_uri(text)

    def __str__(self) -> str:
        return uri_text(self)

    @property
    def is_sip(self) -> bool:
        """Whether the scheme is sip or sips."""
        return self.scheme in ("sip", "sips")

    @property
    def user_unescaped(self) -> str | None:
        """The user with its %-escapes resolved: for looking up, never for writing into a message."""
        return None if self.user is None else unescape(self.user)

    @property
    def transport(self) -> str | None:
        """The transport parameter in upper case, as a Via says it."""
        value = find_param(self.params, "transport")
        return value.upper() if value else None

    def param(self, name: str) -> str | None:
        """The parameter's value, "" when it has none, None when it is not there."""
        return find_param(self.params, name)

    def with_params(self, **params: str | None) -> Self:
        """The URI with these parameters changed or added."""
        changed = self.params
        for name, value in params.items():
            changed = with_param(changed, name, value)
        return self._replace(params=changed)

    def without_params(self, *names: str) -> Self:
        """The URI without these parameters."""
        return self._replace(params=tuple(pair for pair in self.params if pair[0].lower() not in names))

    def replace(self, **changes: Any) -> Self:
        """The URI with other fields."""
        return self._replace(**changes)

    def equivalent(self, other: Uri) -> bool:
        """Whether both name the same thing (§19.1.4)."""
        if not self.is_sip or self.scheme != other.scheme:
            return str(self).lower() == str(other).lower()
        return _identity(self) == _identity(other) and _have_matching_params(self, other)


def _identity(uri: Uri) -> tuple[object, ...]:
    """What must be equal in two URIs besides their parameters."""
    return (
        None if uri.user is None else unescape(uri.user),  # case-sensitive, the host is not
        None if uri.password is None else unescape(uri.password),
        uri.host.lower(),
        uri.port,
        sorted(_fold_pair(header) for header in uri.headers.split("&")),
    )


def _fold_pair(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return unescape(name).lower(), unescape(value)


def _have_matching_params(one: Uri, other: Uri) -> bool:
    ours = {unescape(name).lower(): unescape(value or "").lower() for name, value in one.params}
    theirs = {unescape(name).lower(): unescape(value or "").lower() for name, value in other.params}
    if any(ours.get(name) != theirs.get(name) for name in _MATTERING_PARAMS):
        return False
    return all(theirs.get(name, value) == value for name, value in ours.items())


def unescape(text: str) -> str:
    """The text with its %-escapes resolved."""
    return (
        unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
        if "%" in text
        else text
    )


def escape_user(text: str) -> str:
    """The text as a user part may bear it: everything else as %-escapes."""
    if text.isascii() and text.isalnum():
        return text  # as nearly all are
    return quote(text, safe="-_.!~*'()&=+$,;?/#", errors="surrogateescape")


def parse_uri(text: str) -> Uri:
    """The URI that the whole text is; RemoteProtocolError when it is none."""
    found = _SCHEME.match(text)
    if found is None:
        raise RemoteProtocolError("URI without scheme")
    scheme = found[1].lower()
    if scheme in ("sip", "sips"):
        return _parse_sip(scheme, text, found.end())
    if scheme == "tel":
        return _parse_tel(text, found.end())
    if _OPAQUE.fullmatch(text, found.end()) is None:
        raise RemoteProtocolError("URI with a character that must be escaped")
    return Uri(scheme, text[found.end() :], None, "")


def _parse_sip(scheme: str, text: str, at: int) -> Uri:
    user = password = None
    split = text.find("@", at)
    if split >= 0:
        user, password = _parse_userinfo(text[at:split])
        at = split + 1
    found = _HOST_PORT.match(text, at)
    if found is None:
        raise RemoteProtocolError("URI without host")
    host, digits = found.groups()
    port = None if digits is None else parse_number(digits, 65535)
    params, at = _match_params(text, found.end())
    headers = ""
    if text.startswith("?", at):
        headers = text[at + 1 :]
        if _HEADERS.fullmatch(headers) is None:
            raise RemoteProtocolError("URI with malformed headers")
    elif at < len(text):
        raise RemoteProtocolError("URI with a character that must be escaped")
    return Uri(scheme, user, password, host, port, params, headers)


def _parse_userinfo(text: str) -> tuple[str, str | None]:
    user, colon, password = text.partition(":")
    if _USER.fullmatch(user) is None or _PASSWORD.fullmatch(password) is None:
        raise RemoteProtocolError("URI with malformed user")
    return user, password if colon else None


def _parse_tel(text: str, at: int) -> Uri:
    found = _NUMBER.match(text, at)
    if found is None:
        raise RemoteProtocolError("tel URI without number")
    params, at = _match_params(text, found.end())
    if at < len(text):
        raise RemoteProtocolError("URI with a character that must be escaped")
    return Uri("tel", found[0], None, "", None, params)


def _match_params(text: str, at: int) -> tuple[Params, int]:
    params: list[tuple[str, str | None]] = []
    while found := _PARAM.match(text, at):
        params.append((found[1], found[2]))
        at = found.end()
    return tuple(params), at


def uri_text(uri: Uri) -> str:
    """The URI as it stands on the wire."""
    at = "" if uri.user is None else f"{uri.user}@" if uri.is_sip else uri.user
    if uri.password is not None:
        at = f"{uri.user}:{uri.password}@"
    port = "" if uri.port is None else f":{uri.port}"
    params = format_params(uri.params) if uri.params else ""
    headers = f"?{uri.headers}" if uri.headers else ""
    return f"{uri.scheme}:{at}{uri.host}{port}{params}{headers}"


plain_parse_uri, plain_uri_text = parse_uri, uri_text
with suppress(ImportError):  # not built: the same answers, slower
    from ._message import parse_uri
    from ._values import uri_text
