"""Applications: webhooks that several numbers share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from switchroom.switch.store.documents import Document

from ..front.operation import V2010, Answer, Ask, Operation
from ..office import API_VERSION, Office, Shelf, account_uri, fields_of
from ..wire import params
from ..wire.dates import rfc2822

APPLICATION = "application"
_FIELDS = {
    "FriendlyName": "friendly_name",
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "voice_fallback_url",
    "VoiceFallbackMethod": "voice_fallback_method",
    "VoiceCallerIdLookup": "voice_caller_id_lookup",
    "StatusCallback": "status_callback",
    "StatusCallbackMethod": "status_callback_method",
    "SmsUrl": "sms_url",
    "SmsMethod": "sms_method",
    "SmsFallbackUrl": "sms_fallback_url",
    "SmsFallbackMethod": "sms_fallback_method",
    "SmsStatusCallback": "sms_status_callback",
    "MessageStatusCallback": "message_status_callback",
    "PublicApplicationConnectEnabled": "public_application_connect_enabled",
}
_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(_FIELDS.values()),
    **{name: "POST" for name in _FIELDS.values() if name.endswith("_method")},
    "friendly_name": "",
    "voice_caller_id_lookup": False,
    "public_application_connect_enabled": False,
}


def _param(name: str) -> params.Param:
    if name.endswith("Method"):
        return params.method(name, code=21403)
    if name.endswith(("Url", "Callback")):
        return params.url(name, code=21402)
    if name.endswith(("Lookup", "Enabled")):
        return params.flag(name)
    return params.text(name, max_size=64)


_PARAMS = tuple(map(_param, _FIELDS))
_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))


class ApplicationResources:
    """``/Applications``."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.shelf = Shelf(office, APPLICATION, "AP")

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, read, write = V2010 + "/Applications", "applications:read", "applications:write"
        one = f"{base}/{{Sid}}.json"
        filters = (params.text("FriendlyName", max_size=64), *_PAGE)
        yield Operation("GET", f"{base}.json", self.list_all, filters, read, summary="List applications")
        yield Operation("POST", f"{base}.json", self.create, _PARAMS, write, 201, summary="Make one")
        yield Operation("GET", one, self.fetch, (), read, summary="Fetch an application")
        yield Operation("POST", one, self.update, _PARAMS, write, summary="Change an application")
        yield Operation("DELETE", one, self.delete, (), write, summary="Delete an application")

    async def list_all(self, ask: Ask) -> Answer:
        """Those of the account."""
        fields = {"friendly_name": ask["FriendlyName"]} if ask["FriendlyName"] else {}
        return await self.shelf.list_first(ask, "applications", self._show, fields=fields)

    async def create(self, ask: Ask) -> Answer:
        """A new one."""
        doc = self.shelf.new(ask.account, {**_DEFAULTS, **fields_of(ask.found, _FIELDS)})
        await self._office.write([doc])
        return self._show(doc)

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        return self._show(self.shelf.take(ask))

    async def update(self, ask: Ask) -> Answer:
        """Change it."""
        doc = self.shelf.take(ask).change(ask.now, data=fields_of(ask.found, _FIELDS))
        await self._office.write([doc])
        return self._show(doc)

    async def delete(self, ask: Ask) -> Answer:
        """Numbers that name it have no webhook then."""
        await self._office.write(drops=[self.shelf.take(ask)])
        return None

    def _show(self, doc: Document) -> dict[str, Any]:
        return {
            "sid": doc.sid,
            "account_sid": doc.account,
            **doc.data,
            "api_version": API_VERSION,
            "date_created": rfc2822(doc.created_at),
            "date_updated": rfc2822(doc.updated_at),
            "uri": account_uri(doc.account, "Applications", doc.sid),
        }
