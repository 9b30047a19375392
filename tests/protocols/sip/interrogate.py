"""Everything that can be asked of octets: the same from both twins, no error but the protocol's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError

ACCESSORS = (
    *(
        "uri",
        "via",
        "vias",
        "from_",
        "to",
        "from_tag",
        "to_tag",
        "call_id",
        "cseq",
        "contacts",
        "contact_is_star",
    ),
    *(
        "routes",
        "record_routes",
        "max_forwards",
        "expires",
        "content_type",
        "require",
        "proxy_require",
        "supported",
    ),
    "allow",
)

LISTED = (("Supported", "timer"), ("k", "replaces"), ("Allow", "INVITE"), ("X-Y", "z"), ("Require", "100rel"))


def describe(sip: ModuleType, octets: bytes) -> object:
    """All that the message layer says of these octets; anything but RemoteProtocolError goes through."""
    try:
        message = sip.parse(octets)
    except sip.ParseError as error:
        request = error.request
        return str(error), error.status, None if request is None else describe_message(sip, request)
    described = describe_message(sip, message)
    again = sip.parse(bytes(message))
    assert again == message
    assert bytes(again) == bytes(message)
    return described


def describe_message(sip: ModuleType, message: Any) -> list[object]:
    """The answer of each accessor, or its error."""
    said: list[object] = [
        type(message).__name__,
        message.method,
        message.status,
        message.reason,
        message.body,
    ]
    said += [list(message.items()), message.names(), bytes(message)]
    said += [message.has_any(frozenset((name,))) for name in ("via", "subject", "x-y", "")]
    for name in ACCESSORS:
        said.append(attempt(partial(getattr, message, name)))
    said.append(attempt(message.branches))
    said += [attempt(partial(message.whose, name)) for name in ("From", "To")]
    said += [attempt(partial(message.lists, *asked)) for asked in LISTED]
    said += [attempt(message.validate), attempt(lambda: sip.body_parts(message))]
    if said[-2] is None:  # whoever asks for no more than the first Contact has had all of them checked
        said += [message.contact_host(), message.has_contact()]
    if isinstance(message, sip.Request):
        said.append(attempt(lambda: sip.inspect_request(message, methods=("INVITE", "ACK"))))
        said.append(bytes(message.response(400, to_tag="t")))
        said.append(bytes(message.response(200, to_tag="t", headers=[("X", "y")])))
    copy = message.copy()
    copy.insert_first("Via", "SIP/2.0/UDP first")
    copy.set("CSeq", "1 X")
    copy.remove("From")
    said += [bytes(copy), attempt(lambda: copy.vias), copy.cseq, attempt(lambda: copy.from_)]
    said += [
        attempt(lambda: copy.replace_top("To", "<sip:a@b>")),
        bytes(copy),
        message.get("x"),
        "x" in message,
    ]
    return said


def attempt(ask: Callable[[], object]) -> object:
    """The answer, or the error; only the protocol's own errors are answers."""
    try:
        return ask()
    except RemoteProtocolError as error:
        return str(error), error.status
    except LocalProtocolError as error:  # there is no To to replace
        return str(error)
