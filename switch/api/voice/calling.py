"""Calls that are asked for over REST: their parameters, what must be right, and the row of each."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document

from ..front.operation import Ask
from ..office import Shelf
from ..resources.applications import APPLICATION
from ..twiml.document import TwimlError
from ..twiml.parse import parse_voice
from ..wire import params
from ..wire.errors import ApiError
from .answering import DETECTING, detection_of
from .render import CALL
from .wishes import Place

if TYPE_CHECKING:
    from ..office import Office
    from .means import Means
    from .switchboard import Switchboard

_MAX_TWIML = 4000
_KEYS = re.compile(r"[0-9*#wWA-Da-d]{1,32}")
_EVENTS = ("initiated", "ringing", "answered", "completed")
_CALLBACK = (
    params.url("StatusCallback", code=21205),
    params.method("StatusCallbackMethod", code=21209),
)
DOCUMENT = (
    params.url("Url", code=21205),
    params.method("Method", code=21209),
    params.url("FallbackUrl", code=21205),
    params.method("FallbackMethod", code=21209),
    params.text("Twiml", code=21205, max_size=_MAX_TWIML),
)
CHANGE = (*_CALLBACK, params.count("TimeLimit", 1, 86400))
CALLING = (
    params.text("To", code=21201, is_required=True, max_size=1024),
    params.text("From", code=21213, is_required=True, max_size=128),
    *CHANGE,
    params.text("StatusCallbackEvent", is_list=True, max_size=64),
    params.text("SendDigits", code=21206, max_size=32),
    params.count("Timeout", 1, 600, code=21208),
    params.text("CallerId", max_size=128),
    params.text("SipAuthUsername", max_size=255),
    params.text("SipAuthPassword", code=21223, max_size=255),
    params.text("CallReason", max_size=50),
    params.text("CallToken", max_size=4096),
    params.text("Byoc", max_size=34),
    params.flag("Record"),
    params.choice("RecordingChannels", "mono", "dual"),
    params.url("RecordingStatusCallback", code=13256),
    params.method("RecordingStatusCallbackMethod"),
    params.text("RecordingStatusCallbackEvent", is_list=True, max_size=64),
    params.choice("RecordingTrack", "inbound", "outbound", "both"),
    params.choice("Trim", "trim-silence", "do-not-trim"),
    *DETECTING,
)


class Calling:
    """Makes calls for whoever asks."""

    def __init__(self, office: Office, means: Means, board: Switchboard) -> None:
        self._office, self._means, self._board = office, means, board
        self._applications = Shelf(office, APPLICATION, "AP")
        self._shelf = Shelf(office, CALL, "CA")

    async def make(self, ask: Ask, place: Place, more: dict[str, Any] | None = None) -> Document:
        """A call: durable before this returns, then it is made."""
        callee = _callee(ask["To"])
        await self._means.target(ask.account, *callee)
        caller = self._means.check_caller(ask.account, ask["From"])
        if ask["SendDigits"] and not _KEYS.fullmatch(ask["SendDigits"]):
            raise ApiError(21206, "SendDigits: must be keys, and w or W to wait")
        data: dict[str, Any] = {
            "direction": "outbound-api",
            "callee": callee,
            "place": asdict(place),
            "timeout": ask["Timeout"] or 60,
            "time_limit": ask["TimeLimit"] or 14400,
            "keys": ask["SendDigits"] or "",
            **(more or {}),
        }
        if detection := detection_of(ask):
            data["detect"] = detection
        if login := self._login(ask):
            data["login"] = login
        if ask["Record"]:
            data["record"] = _recording(ask)
        if ask["CallerId"]:
            data["caller_id"] = self._means.check_caller(ask.account, ask["CallerId"])
        if callback := self._callback(ask):
            data["callback"] = callback
        self._means.count(ask.account)
        target = ask["To"] if callee[0] != "number" else callee[1]
        doc = self._shelf.new(ask.account, data, state="queued", source=caller, target=target)
        await self._board.create(doc)
        return doc

    def _login(self, ask: Ask) -> list[str] | None:
        """The name and the sealed password for a URI that asks for digest."""
        username, password = ask["SipAuthUsername"], ask["SipAuthPassword"]
        if not username:
            return None
        if not password:
            raise ApiError(21225, "SipAuthPassword is required with SipAuthUsername")
        if not username.isprintable() or not password.isprintable():
            raise ApiError(21224, "SipAuthUsername, SipAuthPassword: only printable characters")
        return [username, self._office.accounts.vault.seal(password, ask.account)]

    def place(self, ask: Ask) -> Place | None:
        """The document that is asked for, or None."""
        fallback = ask["FallbackUrl"] or "", ask["FallbackMethod"] or "POST"
        if ask["Twiml"]:
            try:
                parse_voice(ask["Twiml"].encode())
            except TwimlError as error:
                raise ApiError(error.code, f"Twiml: {error.message}") from None
            return Place("", "POST", *fallback, ask["Twiml"])
        return Place(ask["Url"], ask["Method"] or "POST", *fallback) if ask["Url"] else None

    def application(self, ask: Ask) -> Place | None:
        sid = ask["ApplicationSid"]
        if not sid:
            return None
        found = self._applications.find(ask.account, sid)
        if found is None or not found.data["voice_url"]:
            raise ApiError(21218, "ApplicationSid: there is no such application, or it has no VoiceUrl")
        data = found.data
        return Place(
            data["voice_url"],
            data["voice_method"] or "POST",
            data["voice_fallback_url"] or "",
            data["voice_fallback_method"] or "POST",
        )

    def _callback(self, ask: Ask) -> dict[str, Any] | None:
        url, method = ask["StatusCallback"], ask["StatusCallbackMethod"] or "POST"
        if not url and ask["ApplicationSid"] and not ask["Url"] and not ask["Twiml"]:
            found = self._applications.find(ask.account, ask["ApplicationSid"])
            if found is not None and found.data["status_callback"]:
                url, method = found.data["status_callback"], found.data["status_callback_method"] or "POST"
        given = [word for text in ask["StatusCallbackEvent"] or [] for word in text.split()]
        events = [word for word in given if word in _EVENTS] or ["completed"]
        return {"url": url, "method": method, "events": events} if url else None


def _recording(ask: Ask) -> dict[str, Any]:
    given = [word for text in ask["RecordingStatusCallbackEvent"] or [] for word in text.split()]
    return {
        "channels": 2 if ask["RecordingChannels"] == "dual" else 1,
        "url": ask["RecordingStatusCallback"] or "",
        "method": ask["RecordingStatusCallbackMethod"] or "POST",
        "events": given or ["completed"],
        "is_trimmed": ask["Trim"] == "trim-silence",
        "track": ask["RecordingTrack"] or "both",
    }


def _callee(text: str) -> tuple[str, str]:
    """Whom To means: a client, a SIP URI or a number."""
    low = text.lower()
    if low.startswith("client:"):
        return "client", text[7:]
    if low.startswith(("sip:", "sips:")):
        return "sip", text
    number = re.sub(r"[\s().\-]", "", text)
    if not re.fullmatch(r"\+?[0-9*#]{1,32}", number):
        raise ApiError(21211, "To: is not a number, a SIP URI or a client")
    return "number", number
