"""Whom Dial names: its text, or Number, Sip and Client in it."""

from __future__ import annotations

from collections.abc import Callable

from ..twiml.document import TwimlError
from ..twiml.parse import Verb
from .actions import Callee

MAX_CALLEES = 10
_MAX_URI = 1024


def callees_of(verb: Verb, where: Callable[[str], str]) -> tuple[Callee, ...]:
    """Those whom Dial is to call; TwimlError: one of them cannot be called."""
    found = [Callee("number", verb.text)] if verb.text else []
    for child in verb.children:
        if child.name not in ("Number", "Sip", "Client"):
            raise TwimlError(13215, f"Dial: {child.name} cannot be called here")
        found.append(_callee(child, where))
    if len(found) > MAX_CALLEES:
        raise TwimlError(13250, f"Dial: more than {MAX_CALLEES} at once")
    return tuple(found)


def _callee(noun: Verb, where: Callable[[str], str]) -> Callee:
    name = noun.text
    if noun.name == "Client" and (identity := noun.first("Identity")) is not None:
        name = identity.text
    if noun.name == "Sip" and (uri := noun.first("Uri")) is not None:
        name = uri.text
    if noun.name == "Sip" and (not name.lower().startswith(("sip:", "sips:")) or len(name) > _MAX_URI):
        raise TwimlError(13243, "Dial->Sip: is not a SIP URI")
    if not name:
        raise TwimlError(13223, f"Dial->{noun.name}: nobody is named")
    return Callee(
        noun.name.lower(),
        name,
        url=where(noun["url"]) if noun["url"] else "",
        method=noun["method"],
        keys=noun.attributes.get("sendDigits") or "",
        callback=where(noun["statusCallback"]) if noun["statusCallback"] else "",
        callback_method=noun["statusCallbackMethod"],
        callback_events=noun["statusCallbackEvent"],
    )
