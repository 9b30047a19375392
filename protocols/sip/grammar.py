"""What SIP is written with: tokens, quoted strings, parameters, lists (RFC 3261 §25)."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from string import ascii_letters, digits

from ..errors import RemoteProtocolError

Params = tuple[tuple[str, str | None], ...]


def with_groups(pattern: str) -> str:
    """A pattern that repeats groups possessively; their alternatives begin differently.

    Python before 3.11.5 counts what the last, failing round of such a group has read as well: there they are
    only greedy, which matches the same and more slowly.
    """
    if sys.version_info >= (3, 11, 5):
        return pattern
    return pattern.replace(")*+", ")*").replace(")++", ")+")


TOKEN_LETTERS = "-.!%*_+`'~" + ascii_letters + digits
TOKEN = r"[-.!%*_+`'~A-Za-z0-9]+"
# qdtext, with every octet but CR and LF allowed after a backslash (quoted-pair)
QUOTED = with_groups(r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\r\n])*+"')
HOST = r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]+)"

_TOKEN = re.compile(TOKEN)
_QUOTED = re.compile(QUOTED)
# wider than token/host: the tokens of the wild hold "=", "/", "@" and brackets; LWS , ; < > " \ end a value
_VALUE = re.compile(r"[!#-+\--:=?-\[\]-~]+")
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PAIR_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LIST_PART = re.compile(with_groups(rf"(?:{QUOTED}|<[^<>]*+>|[^,\"<])*+"))
_DIGITS = re.compile(r"[0-9]+")

# RFC 3261 §7.3.3 and the IANA registry of compact forms
COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

# Headers that stand once in a message; a second one is how requests are smuggled past a checker
SINGLE = frozenset(
    {
        "call-id", "content-disposition", "content-length", "content-type", "cseq", "date", "event",
        "expires", "from", "join", "max-forwards", "mime-version", "min-expires", "min-se", "organization",
        "priority", "rack", "refer-to", "referred-by", "replaces", "reply-to", "retry-after", "rseq",
        "server", "session-expires", "sip-etag", "sip-if-match", "subject", "subscription-state",
        "target-dialog", "timestamp", "to", "user-agent",
    }
)  # fmt: skip


def header_key(name: str) -> str:
    """The one spelling of a header's name: long and lower-case."""
    key = name.lower()
    return COMPACT.get(key, key)


def is_token(text: str) -> bool:
    """Whether the text is a token (§25.1)."""
    return _TOKEN.fullmatch(text) is not None


def check_encodable(text: str) -> str:
    """Refuse what no octets could have been: lone surrogates other than those of broken UTF-8."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise RemoteProtocolError("text that cannot be encoded") from error
    return text


def unfold(value: str) -> str:
    """The value on one line (§7.3.1), without the white space around it."""
    if "\r\n" in value:
        value = " ".join([part.strip(" \t") for part in value.split("\r\n")])
    return value.strip(" \t")


def has_control(text: str) -> bool:
    """Whether there is a control octet other than HTAB."""
    return _CONTROL.search(text) is not None


def has_bare_control(text: str) -> bool:
    """Whether a control octet stands where none may: anywhere but behind a backslash in a quoted string."""
    if _CONTROL.search(text) is None:
        return False
    at = 0
    while (start := text.find('"', at)) >= 0:
        found = _QUOTED.match(text, start)
        if found is None or _CONTROL.search(text, at, start) is not None:
            break
        at = found.end()
    return _CONTROL.search(text, at) is not None


def quote(text: str) -> str:
    """The text as a quoted string; octets that only a quoted-pair may bring in are not sent on."""
    return '"' + _PAIR_CONTROL.sub("", text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """What a quoted string says; any other text as it is."""
    if not text.startswith('"'):
        return text
    inside = text[1:-1]
    return _PAIR.sub(r"\1", inside) if "\\" in inside else inside


def skip_space(text: str, at: int) -> int:
    """The place of the next octet that is not white space."""
    while at < len(text) and text[at] in " \t":
        at += 1
    return at


def match_quoted(text: str, at: int) -> int:
    """The end of the quoted string that starts here."""
    found = _QUOTED.match(text, at)
    if found is None:
        raise RemoteProtocolError("quoted string without end")
    return found.end()


def match_params(text: str, at: int) -> tuple[Params, int]:
    """The header parameters that start here, and the place of what follows them."""
    params: list[tuple[str, str | None]] = []
    at = skip_space(text, at)
    while text.startswith(";", at):
        name = _TOKEN.match(text, skip_space(text, at + 1))
        if name is None:
            raise RemoteProtocolError("parameter without name")
        at = skip_space(text, name.end())
        value = None
        if text.startswith("=", at):
            start = skip_space(text, at + 1)
            at = _match_value(text, start)
            value = text[start:at]
            at = skip_space(text, at)
        params.append((name[0], value))
    return tuple(params), at


def _match_value(text: str, at: int) -> int:
    """The end of the parameter's value that starts here."""
    if text.startswith('"', at):
        end = match_quoted(text, at)
        # a quoted-pair may hold any octet, but these values are written again into our own messages
        if has_control(text[at:end]):
            raise RemoteProtocolError("control octet in a parameter")
        return end
    found = _VALUE.match(text, at)
    if found is None:
        raise RemoteProtocolError("parameter without value")
    return found.end()


def format_params(params: Params) -> str:
    """The parameters as they stand on the wire."""
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params])


def find_param(params: Params, name: str) -> str | None:
    """The parameter's value unquoted, "" when it has none, None when it is not there."""
    for key, value in params:
        if key == name or key.lower() == name.lower():
            return "" if value is None else unquote(value)
    return None


def with_param(params: Params, name: str, value: str | None) -> Params:
    """The parameters with this one changed where it stands, or added at the end."""
    for at, (key, _) in enumerate(params):
        if key == name or key.lower() == name.lower():
            return (*params[:at], (key, value), *params[at + 1 :])
    return (*params, (name, value))


def split_list(text: str) -> list[str]:
    """The parts of a comma-separated value; commas in quotes and angle brackets do not separate."""
    parts = []
    at = 0
    while True:
        found = _LIST_PART.match(text, at)
        assert found is not None  # the pattern matches the empty string
        parts.append(found[0].strip(" \t"))
        at = found.end()
        if at == len(text):
            return parts
        if text[at] != ",":
            raise RemoteProtocolError("quote or angle bracket without end")
        at += 1


def parse_number(text: str, limit: int) -> int:
    """Digits as a number; RemoteProtocolError when they are none or more than the limit."""
    if _DIGITS.fullmatch(text) is None:
        raise RemoteProtocolError("not a number")
    digits = text.lstrip("0")
    if len(digits) > 20 or int(digits or "0") > limit:
        raise RemoteProtocolError(f"number greater than {limit}")
    return int(digits or "0")


plain_find_param = find_param
with suppress(ImportError):  # not built: the same answers, slower
    from ._values import find_param
