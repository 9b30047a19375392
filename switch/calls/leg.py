"""One end of a call: its SIP session, its media, and where it leads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call
    from switchroom.switch.media import MediaLeg

ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO"
SDP = "application/sdp"
RETRY_AFTER = (("Retry-After", "10"),)


class Parties(NamedTuple):
    """From (without its tag, which is each leg's own) and To of the legs that we make."""

    caller: str
    callee: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where an INVITE goes: its Request-URI and the flow that reaches it."""

    uri: str
    flow: sip.Flow
    is_nat: bool = False


class Leg:
    """The owner's side of a session: ``a`` called us, each ``b`` is called by us."""

    __slots__ = (
        "answer",
        "call",
        "early_tag",
        "is_a",
        "is_failed",
        "media",
        "offer_txn",
        "owes_answer",
        "session",
    )

    def __init__(self, call: Call, media: MediaLeg, *, is_a: bool) -> None:
        self.call = call
        self.media = media
        self.is_a = is_a
        self.session: sip.Session
        self.is_failed = False
        self.early_tag: str | None = None  # the tag under which the caller heard this fork's early media
        self.owes_answer = False  # its 2xx brought an offer: our ACK waits for the other leg's
        self.answer = b""  # the SDP of this fork for the caller, once it came
        self.offer_txn: sip.ServerTransaction | None = None  # its re-INVITE that waits for the other leg


def sdp_of(message: sip.Request | sip.Response) -> bytes:
    """The message's SDP, alone or as a part of its body, or nothing."""
    if not message.body:
        return b""
    if message.content_type == SDP:
        return message.body
    try:
        return next((part.body for part in sip.body_parts(message) if part.content_type == SDP), b"")
    except RemoteProtocolError:
        return b""


def sdp_headers(body: bytes) -> tuple[tuple[str, str], ...]:
    """The header that a body needs."""
    return (("Content-Type", SDP),) if body else ()


def contact_for(flow: sip.Flow) -> str:
    """Our Contact as the other end of this flow reaches it."""
    return _contact(flow.transport, *flow.local)


@lru_cache(maxsize=256)  # there are as many as listeners
def _contact(transport: str, host: str, port: int) -> str:
    suffix = "" if transport == "UDP" else f";transport={transport.lower()}"
    return f"<sip:{sip.bracketed(host)}:{port}{suffix}>"


def reason_of(message: sip.Request | sip.Response | None) -> tuple[tuple[str, str], ...]:
    """The Reason headers of a message, to travel on (RFC 3326)."""
    if message is None:
        return ()
    return tuple(("Reason", value) for value in message.get_all("Reason")[:4] if value.isprintable())


def leads_elsewhere(message: sip.Request | sip.Response, source: tuple[str, int]) -> bool:
    """The Contact names another address than the packet came from: its sender sits behind a NAT."""
    contacts = message.contacts
    return not contacts or contacts[0].uri.host.strip("[]") != source[0]
