"""MESSAGE requests read and written: what a text is on the wire (RFC 3428)."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.switch.calls.leg import RETRY_AFTER
from switchroom.switch.store import StoredText

if TYPE_CHECKING:
    from datetime import datetime

    from switchroom.switch.calls.registration.bindings import Binding
    from switchroom.switch.calls.rules import Caller
    from switchroom.switch.config import MessagesConfig

COMPOSING = "application/im-iscomposing+xml"  # RFC 3994: signs of typing, worth nothing later
_MAX_NUMBER = 64  # characters that are shown of who sends
_MAX_NAME = 64
_MAX_TYPE = 128


def refusal_of(request: sip.Request, config: MessagesConfig, mint: sip.Mint) -> sip.Refusal | None:
    """Why a text is not taken, whoever it is for."""
    if request.max_forwards == 0:
        return sip.Refusal(483)
    if any(mint.is_own_branch(branch or "") for branch in request.branches()):
        return sip.Refusal(482)
    if len(request.body) > config.max_size:
        return sip.Refusal(413)
    kind = request.content_type
    if kind not in (*config.content_types, COMPOSING) or len(request.get("Content-Type") or "") > _MAX_TYPE:
        return sip.Refusal(415, (("Accept", ", ".join([*config.content_types, COMPOSING])),))
    if any(coding.lower() != "identity" for coding in request.get_list("Content-Encoding")):
        return sip.Refusal(415, (("Accept-Encoding", "identity"),))
    return None


def read_text(
    request: sip.Request, caller: Caller, user: str, id: int, sent_at: datetime, keep: int
) -> StoredText:
    """The text of a MESSAGE: who sends it is the account, not what From claims (THREATS C7, C8)."""
    expires = request.expires
    number, name = caller.number, request.from_.display_name
    if caller.trunk is not None:
        identity = caller.trunk.undress(request)
        number, name = identity.number, identity.name
    number = number or request.from_.uri.user_unescaped or "anonymous"
    return StoredText(
        id,
        printable(number, _MAX_NUMBER),
        user,
        request.body,
        sent_at,
        sent_at + timedelta(seconds=keep if expires is None else min(expires, keep)),
        printable(request.get("Content-Type") or "", _MAX_TYPE),
        printable(request.uri.user_unescaped or "", _MAX_NUMBER),
        printable(name, _MAX_NAME),
        caller.account,
    )


def write_text(text: StoredText, binding: Binding, mint: sip.Mint, domain: str, name: str) -> sip.Request:
    """The MESSAGE that brings a text to one phone; it has no Contact (RFC 3428 §4). ``domain`` is ours."""
    sender = sip.NameAddr(text.sender_name, sip.Uri("sip", sip.escape_user(text.sender), None, domain), ())
    return sip.Request(
        "MESSAGE",
        binding.contact,
        [
            *[("Route", route) for route in binding.path],
            ("Max-Forwards", "70"),
            ("From", f"{sender};tag={mint.tag()}"),
            ("To", f"<sip:{sip.escape_user(text.called or text.user)}@{domain}>"),
            ("Call-ID", mint.call_id()),
            ("CSeq", "1 MESSAGE"),
            ("Date", format_datetime(text.sent_at, usegmt=True)),
            ("User-Agent", name),
            ("Content-Type", text.content_type),
        ],
        text.body,
    )


def printable(text: str, limit: int) -> str:
    """The beginning of a text, with nothing in it that could break a header, a table or a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text[:limit])


OVERLOADED = sip.Refusal(503, RETRY_AFTER)
