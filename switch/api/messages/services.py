"""Messaging Services: pools of numbers with settings that they share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document, Query, TakenError

from ..front.operation import Answer, Ask, Operation
from ..office import Shelf, fields_of
from ..resources.inventory import facts_of
from ..resources.numbers import NUMBER
from ..wire import params
from ..wire.dates import iso
from ..wire.errors import ApiError
from .senders import ALPHA

if TYPE_CHECKING:
    from ..office import Office
    from .senders import Senders

_FIELDS = {
    "FriendlyName": "friendly_name",
    "InboundRequestUrl": "inbound_request_url",
    "InboundMethod": "inbound_method",
    "FallbackUrl": "fallback_url",
    "FallbackMethod": "fallback_method",
    "StatusCallback": "status_callback",
    "StickySender": "sticky_sender",
    "MmsConverter": "mms_converter",
    "SmartEncoding": "smart_encoding",
    "ScanMessageContent": "scan_message_content",
    "FallbackToLongCode": "fallback_to_long_code",
    "AreaCodeGeomatch": "area_code_geomatch",
    "ValidityPeriod": "validity_period",
    "SynchronousValidation": "synchronous_validation",
    "Usecase": "usecase",
    "UseInboundWebhookOnNumber": "use_inbound_webhook_on_number",
}
_DEFAULTS: dict[str, Any] = {
    "friendly_name": "",
    "inbound_request_url": None,
    "inbound_method": "POST",
    "fallback_url": None,
    "fallback_method": "POST",
    "status_callback": None,
    "sticky_sender": True,
    "mms_converter": True,
    "smart_encoding": True,
    "scan_message_content": "inherit",
    "fallback_to_long_code": False,
    "area_code_geomatch": False,
    "validity_period": 14400,
    "synchronous_validation": False,
    "usecase": "undeclared",
    "use_inbound_webhook_on_number": False,
}
_SETTINGS = (
    params.url("InboundRequestUrl"),
    params.method("InboundMethod"),
    params.url("FallbackUrl"),
    params.method("FallbackMethod"),
    params.url("StatusCallback"),
    *map(params.flag, ("StickySender", "MmsConverter", "SmartEncoding", "FallbackToLongCode")),
    *map(params.flag, ("AreaCodeGeomatch", "SynchronousValidation", "UseInboundWebhookOnNumber")),
    params.choice("ScanMessageContent", "inherit", "enable", "disable"),
    params.count("ValidityPeriod", 1, 36000),
    params.text("Usecase", max_size=64),
)
_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))


class ServiceResources:
    """``/v1/Services`` of the product messaging."""

    def __init__(self, office: Office, senders: Senders) -> None:
        self._office, self._shelf, self._pooled = office, senders.services, senders.pooled
        self._numbers = Shelf(office, NUMBER, "PN")

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        rows = (
            ("GET", "/v1/Services", self.list_all, _PAGE, 200, "List services"),
            ("POST", "/v1/Services", self.create, (_name(True), *_SETTINGS), 201, "Make a service"),
            ("GET", "/v1/Services/{Sid}", self.fetch, (), 200, "Fetch a service"),
            ("POST", "/v1/Services/{Sid}", self.update, (_name(False), *_SETTINGS), 200, "Change it"),
            ("DELETE", "/v1/Services/{Sid}", self.delete, (), 200, "Delete a service"),
            ("GET", "/v1/Services/{Sid}/PhoneNumbers", self.list_numbers, _PAGE, 200, "List its numbers"),
            ("POST", "/v1/Services/{Sid}/PhoneNumbers", self.add_number, (_NUMBER,), 201, "Add a number"),
            ("GET", "/v1/Services/{Sid}/PhoneNumbers/{Number}", self.fetch_number, (), 200, "Fetch one"),
            ("DELETE", "/v1/Services/{Sid}/PhoneNumbers/{Number}", self.drop_number, (), 200, "Remove one"),
        )
        for method, path, handler, given, status, summary in rows:
            scope = "services:read" if method == "GET" else "services:write"
            yield Operation(method, path, handler, given, scope, status, "messaging", summary)

    async def list_all(self, ask: Ask) -> Answer:
        """Those of the account."""
        return await self._shelf.list_later(ask, "services", lambda doc: _show(doc, ask))

    async def create(self, ask: Ask) -> Answer:
        """A new one, without numbers."""
        doc = self._shelf.new(ask.account, {**_DEFAULTS, **fields_of(ask.found, _FIELDS)})
        await self._office.write([doc])
        return _show(doc, ask)

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        return _show(self._shelf.take(ask), ask)

    async def update(self, ask: Ask) -> Answer:
        """Change it."""
        doc = self._shelf.take(ask).change(ask.now, data=fields_of(ask.found, _FIELDS))
        await self._office.write([doc])
        return _show(doc, ask)

    async def delete(self, ask: Ask) -> Answer:
        """Its numbers are free for another."""
        doc = self._shelf.take(ask)
        pooled = self._office.library.select(
            Query(self._pooled.kind, doc.account, parent=doc.sid, limit=1000)
        )
        names = self._office.library.select(Query(ALPHA, doc.account, parent=doc.sid, limit=1000))
        await self._office.write(drops=[doc, *pooled, *names])
        return None

    async def list_numbers(self, ask: Ask) -> Answer:
        """Its pool."""
        service = self._shelf.take(ask)
        render = lambda doc: _show_number(doc, ask)  # noqa: E731
        return await self._pooled.list_later(ask, "phone_numbers", render, parent=service.sid)

    async def add_number(self, ask: Ask) -> Answer:
        """A number of the account joins the pool; it can be in one only."""
        service = self._shelf.take(ask)
        number = self._numbers.find(ask.account, ask["PhoneNumberSid"])
        if number is None:
            raise ApiError(21711, "PhoneNumberSid: there is no such number", status=404)
        data = {"phone_number": number.name, "number": number.sid}
        doc = self._pooled.new(ask.account, data, parent=service.sid, name=number.name)
        try:
            await self._office.write([doc])
        except TakenError:
            known = self._office.library.named(self._pooled.kind, str(number.name))
            code = 21710 if known is not None and known.parent == service.sid else 21712
            raise ApiError(code, "PhoneNumberSid: is in a service already", status=409) from None
        return _show_number(doc, ask)

    async def fetch_number(self, ask: Ask) -> Answer:
        """One number of the pool."""
        return _show_number(self._take_number(ask), ask)

    async def drop_number(self, ask: Ask) -> Answer:
        """It leaves the pool, not the account."""
        await self._office.write(drops=[self._take_number(ask)])
        return None

    def _take_number(self, ask: Ask) -> Document:
        service = self._shelf.take(ask)
        query = Query(
            self._pooled.kind, ask.account, parent=service.sid, fields={"number": ask.path["Number"]}, limit=1
        )
        found = self._office.library.select(query)
        if not found:
            raise ApiError(20404)
        return found[0]


_NUMBER = params.text("PhoneNumberSid", is_required=True, max_size=34)


def _name(is_required: bool) -> params.Param:
    return params.text("FriendlyName", is_required=is_required, max_size=64)


def _show(doc: Document, ask: Ask) -> dict[str, Any]:
    url = f"{ask.base}/v1/Services/{doc.sid}"
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        **doc.data,
        "us_app_to_person_registered": False,
        "date_created": iso(doc.created_at),
        "date_updated": iso(doc.updated_at),
        "url": url,
        "links": {"phone_numbers": f"{url}/PhoneNumbers", "alpha_senders": f"{url}/AlphaSenders"},
    }


def _show_number(doc: Document, ask: Ask) -> dict[str, Any]:
    return {
        "sid": doc.data["number"],
        "account_sid": doc.account,
        "service_sid": doc.parent,
        "phone_number": doc.data["phone_number"],
        "country_code": facts_of(doc.data["phone_number"]).country,
        "capabilities": ["SMS"],
        "date_created": iso(doc.created_at),
        "date_updated": iso(doc.updated_at),
        "url": f"{ask.base}/v1/Services/{doc.parent}/PhoneNumbers/{doc.data['number']}",
    }
