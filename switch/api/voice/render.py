"""How a call is shown, and what servers are told of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document

from ..messages.render import place_params
from ..office import API_VERSION, account_uri
from ..resources.inventory import facts_of
from ..wire.dates import rfc2822

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call as ScriptCall

CALL = "call"
FINAL = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
_BELOW = {
    "events": "Events",
    "notifications": "Notifications",
    "recordings": "Recordings",
    "streams": "Streams",
    "siprec": "Siprec",
    "transcriptions": "Transcriptions",
    "payments": "Payments",
    "user_defined_messages": "UserDefinedMessages",
    "user_defined_message_subscriptions": "UserDefinedMessageSubscriptions",
}
_EXTENSION = re.compile(r"[Xx]-[A-Za-z0-9-]{1,60}")
_MAX_HEADERS, _MAX_HEADER = 20, 1024
_BUSY = (486, 600)
_NO_ANSWER = (408, 480, 487)

Params = list[tuple[str, str]]


def status_of(cause: int) -> str:
    """How a call ended that nobody answered."""
    if cause in _BUSY:
        return "busy"
    return "no-answer" if cause in _NO_ANSWER else "failed"


def show(doc: Document) -> dict[str, Any]:
    """A call as REST shows it."""
    data = doc.data
    duration = data.get("duration")
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        "parent_call_sid": doc.parent or None,
        "from": doc.source,
        "from_formatted": _national(doc.source),
        "to": doc.target,
        "to_formatted": _national(doc.target),
        "phone_number_sid": data.get("number"),
        "status": doc.state,
        "direction": data["direction"],
        "start_time": rfc2822(doc.at) if doc.at else None,
        "end_time": rfc2822(data.get("ended_at")),
        "duration": None if duration is None else str(duration),
        "price": None,
        "price_unit": "USD",
        "answered_by": data.get("answered_by"),
        "caller_name": data.get("caller_name"),
        "forwarded_from": None,
        "group_sid": None,
        "queue_time": str(data.get("queue_time", 0)),
        "trunk_sid": None,
        "api_version": API_VERSION,
        "date_created": rfc2822(doc.created_at),
        "date_updated": rfc2822(doc.updated_at),
        "uri": account_uri(doc.account, "Calls", doc.sid),
        "subresource_uris": {
            name: account_uri(doc.account, "Calls", doc.sid, path) for name, path in _BELOW.items()
        },
    }


def show_part(doc: Document, part: str) -> dict[str, Any]:
    """A stream or a transcription as REST shows it; ``part``: what the list of a call's is named."""
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        "call_sid": doc.parent,
        "name": doc.data["name"] or None,
        "status": doc.state,
        "date_updated": rfc2822(doc.updated_at),
        "uri": account_uri(doc.account, "Calls", doc.parent, part, doc.sid),
    }


def _national(number: str) -> str:
    return facts_of(number).national if number.startswith("+") else number


def call_params(doc: Document, status: str = "") -> Params:
    """What every request about a call says."""
    params = [
        ("CallSid", doc.sid),
        ("AccountSid", doc.account),
        ("ApiVersion", API_VERSION),
        ("CallStatus", status or doc.state),
        ("Direction", doc.data["direction"]),
    ]
    for which, number in (("From", doc.source), ("To", doc.target)):
        old = {"From": "Caller", "To": "Called"}[which]
        params += [(which, number), (old, number)]
        if number.startswith("+"):
            params += [*place_params(which, number), *place_params(old, number)]
    if doc.parent:
        params.append(("ParentCallSid", doc.parent))
    params += doc.data.get("sip", {}).items()
    if doc.data.get("answered_by"):
        params.append(("AnsweredBy", doc.data["answered_by"]))
    if doc.data.get("caller_name"):
        params.append(("CallerName", doc.data["caller_name"]))
    return params


def callback_params(doc: Document, event: str, sequence: int, now: float) -> Params:
    """What a status callback says."""
    params = [
        *call_params(doc, "initiated" if event == "initiated" else ""),
        ("Timestamp", rfc2822(now) or ""),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", str(sequence)),
    ]
    if doc.state in FINAL:
        params.append(("CallDuration", str(doc.data.get("duration") or 0)))
        if doc.data.get("cause"):
            params.append(("SipResponseCode", str(doc.data["cause"])))
    return params


def sip_headers(call: ScriptCall) -> dict[str, str]:
    """The X- headers of an INVITE, as servers are told them; the first ones, where there are many."""
    found: dict[str, str] = {}
    for name, value in call.request.items():
        if _EXTENSION.fullmatch(name) and value.isprintable() and len(found) < _MAX_HEADERS:
            found.setdefault(f"SipHeader_{name}", value[:_MAX_HEADER])
    return found


def event(doc: Document) -> tuple[str, str, str, dict[str, Any]]:
    """What the stream of events says of a call."""
    data = {
        "from": doc.source,
        "to": doc.target,
        "direction": doc.data["direction"],
        "status": doc.state,
        "duration": doc.data.get("duration"),
        "parent": doc.parent or None,
    }
    return doc.account, f"call.{doc.state}", doc.sid, data
