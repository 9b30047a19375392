"""What a REFER asks for, and what may not be asked (RFC 3515, THREATS C12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.extensions import parse_replaces
from switchroom.switch.calls import identity
from switchroom.switch.calls.routing import clean_number

if TYPE_CHECKING:
    from switchroom.switch.calls.leg import Leg

_HARMLESS = frozenset(
    ("subject", "user-to-user", "accept-language", "alert-info", "priority")
)  # not passed on


class Target(NamedTuple):
    """What a Refer-To asks for."""

    number: str
    host: str
    replaces: sip.Replaces | None = None


class Asked(NamedTuple):
    """A REFER inside a call: who asks, who is to talk to somebody else, and what is asked for."""

    leg: Leg
    far: Leg
    transaction: sip.ServerTransaction
    request: sip.Request
    target: Target


def parse_target(request: sip.Request) -> Target:
    """What is asked for; RemoteProtocolError when it may not be."""
    if len(request.get_all("Refer-To")) != 1:
        raise RemoteProtocolError("one Refer-To is needed")
    refer_to = request.refer_to
    assert refer_to is not None
    uri = refer_to.uri
    if uri.scheme == "tel":
        return Target(clean_number(uri.user or ""), "")
    if not uri.is_sip or (uri.param("method") or "INVITE").upper() != "INVITE":
        raise RemoteProtocolError("only calls to sip and tel addresses can be asked for", status=403)
    replaces = None
    for pair in uri.headers.split("&") if uri.headers else ():
        name, _, value = pair.partition("=")
        name = unquote(name).lower()
        if name == "replaces" and replaces is None:
            replaces = parse_replaces(unquote(value))
        elif name == "require" and unquote(value).strip().lower() == "replaces":
            continue
        elif name not in _HARMLESS:
            raise RemoteProtocolError(f"a header in Refer-To is not allowed: {name[:40]}", status=403)
    return Target(clean_number(uri.user_unescaped or ""), uri.host.strip("[]").lower(), replaces)


def who(account: str) -> str:
    """An account in plain words."""
    kind, _, name = account.partition(":")
    return f"trunk {name}" if name else f"user {kind}"


def warning(text: str) -> list[tuple[str, str]]:
    """Why, for people to read (RFC 3261 §20.43)."""
    return [("Warning", f'399 switchroom "{identity.plain(text)}"')]
