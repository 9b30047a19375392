"""How a message is shown, and what its callbacks are told."""

from __future__ import annotations

import time
from typing import Any

from switchroom.switch.store.documents import Document

from ..office import API_VERSION, account_uri
from ..resources.inventory import facts_of, region_of
from ..wire.dates import rfc2822
from .statuses import error_text

MESSAGE = "message"


def show(doc: Document) -> dict[str, Any]:
    """A message as REST shows it."""
    data = doc.data
    uri = account_uri(doc.account, "Messages", doc.sid)
    code = data.get("error_code")
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        "messaging_service_sid": data.get("service"),
        "from": doc.source or None,
        "to": doc.target,
        "body": data["body"],
        "status": doc.state,
        "direction": data["direction"],
        "num_segments": str(data["segments"]),
        "num_media": str(len(data.get("media", ()))),
        "price": None,
        "price_unit": "USD",
        "error_code": code,
        "error_message": error_text(code),
        "api_version": API_VERSION,
        "date_created": rfc2822(doc.created_at),
        "date_updated": rfc2822(doc.updated_at),
        "date_sent": rfc2822(doc.at) if doc.at else None,
        "uri": uri,
        "subresource_uris": {
            "media": account_uri(doc.account, "Messages", doc.sid, "Media"),
            "feedback": account_uri(doc.account, "Messages", doc.sid, "Feedback"),
        },
    }


def status_params(doc: Document) -> list[tuple[str, str]]:
    """What a status callback says."""
    params = [
        ("MessageSid", doc.sid),
        ("MessageStatus", doc.state),
        ("SmsSid", doc.sid),
        ("SmsStatus", doc.state),
        ("AccountSid", doc.account),
        ("From", doc.source),
        ("To", doc.target),
        ("ApiVersion", API_VERSION),
    ]
    if doc.data.get("service"):
        params.append(("MessagingServiceSid", doc.data["service"]))
    if doc.data.get("error_code") is not None:
        params.append(("ErrorCode", str(doc.data["error_code"])))
    if doc.data.get("done_at"):
        params.append(("RawDlrDoneDate", time.strftime("%y%m%d%H%M", time.gmtime(doc.data["done_at"]))))
    return params


def inbound_params(doc: Document, opt_out: str = "") -> list[tuple[str, str]]:
    """What the webhook of a number is told of a message that came."""
    params = [
        ("MessageSid", doc.sid),
        ("SmsSid", doc.sid),
        ("SmsMessageSid", doc.sid),
        ("AccountSid", doc.account),
        ("From", doc.source),
        ("To", doc.target),
        ("Body", doc.data["body"]),
        ("NumMedia", "0"),
        ("NumSegments", str(doc.data["segments"])),
        ("SmsStatus", "received"),
        ("ApiVersion", API_VERSION),
        *place_params("From", doc.source),
        *place_params("To", doc.target),
    ]
    if doc.data.get("service"):
        params.append(("MessagingServiceSid", doc.data["service"]))
    if opt_out:
        params.append(("OptOutType", opt_out))
    return params


def place_params(which: str, number: str) -> list[tuple[str, str]]:
    """What can be told of where a number is from how it is written."""
    region = region_of(number)
    city, _, state = region.rpartition(", ") if ", " in region else ("", "", region)
    return [
        (f"{which}City", city.upper()),
        (f"{which}State", state),
        (f"{which}Zip", ""),
        (f"{which}Country", facts_of(number).country),
    ]


def event(doc: Document) -> tuple[str, str, str, dict[str, Any]]:
    """What the stream of events says of a message; bodies are not in it."""
    data = {
        "from": doc.source,
        "to": doc.target,
        "direction": doc.data["direction"],
        "status": doc.state,
        "segments": doc.data["segments"],
        "error_code": doc.data.get("error_code"),
    }
    return doc.account, f"message.{doc.state}", doc.sid, data
