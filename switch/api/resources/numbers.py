"""IncomingPhoneNumbers and AvailablePhoneNumbers: search, buy, configure and release numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any

from switchroom.switch.store.documents import Document, TakenError

from ..front.operation import V2010, Answer, Ask, Operation
from ..office import API_VERSION, Office, Shelf, account_uri, fields_of
from ..sip.kinds import TRUNK
from ..wire import params
from ..wire.dates import rfc2822
from ..wire.errors import ApiError, not_found
from ..wire.sids import is_sid
from .inventory import Inventory, code_of, compile_pattern, facts_of, region_of

NUMBER, POOLED = "number", "pooled"
CALLER_ID = "caller_id"  # a number that an account does not have and may call from
_CAPABILITIES = {"voice": True, "sms": True, "mms": False, "fax": False}
_HOOKS = {
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "voice_fallback_url",
    "VoiceFallbackMethod": "voice_fallback_method",
    "VoiceApplicationSid": "voice_application_sid",
    "VoiceCallerIdLookup": "voice_caller_id_lookup",
    "StatusCallback": "status_callback",
    "StatusCallbackMethod": "status_callback_method",
    "SmsUrl": "sms_url",
    "SmsMethod": "sms_method",
    "SmsFallbackUrl": "sms_fallback_url",
    "SmsFallbackMethod": "sms_fallback_method",
    "SmsApplicationSid": "sms_application_sid",
    "FriendlyName": "friendly_name",
    "TrunkSid": "trunk_sid",
    "AddressSid": "address_sid",
    "IdentitySid": "identity_sid",
    "BundleSid": "bundle_sid",
    "VoiceReceiveMode": "voice_receive_mode",
    "EmergencyStatus": "emergency_status",
    "EmergencyAddressSid": "emergency_address_sid",
}
_SETTINGS = (
    params.url("VoiceUrl", code=21402),
    params.method("VoiceMethod", code=21403),
    params.url("VoiceFallbackUrl", code=21402),
    params.method("VoiceFallbackMethod", code=21403),
    params.text("VoiceApplicationSid", max_size=34),
    params.flag("VoiceCallerIdLookup"),
    params.url("StatusCallback", code=21502),
    params.method("StatusCallbackMethod", code=21403),
    params.url("SmsUrl", code=21402),
    params.method("SmsMethod", code=21403),
    params.url("SmsFallbackUrl", code=21402),
    params.method("SmsFallbackMethod", code=21403),
    params.text("SmsApplicationSid", max_size=34),
    params.text("FriendlyName", max_size=64),
    params.text("TrunkSid", max_size=34),
    params.text("AddressSid", max_size=34),
    params.text("IdentitySid", max_size=34),
    params.text("BundleSid", max_size=34),
    params.choice("VoiceReceiveMode", "voice", "fax"),
    params.choice("EmergencyStatus", "Active", "Inactive"),
    params.text("EmergencyAddressSid", max_size=34),
)
_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(_HOOKS.values(), ""),
    **{name: "POST" for name in _HOOKS.values() if name.endswith("_method")},
    "voice_caller_id_lookup": False,
    "voice_receive_mode": "voice",
    "emergency_status": "Inactive",
    **dict.fromkeys(("trunk_sid", "address_sid", "identity_sid", "bundle_sid", "emergency_address_sid")),
}
_KINDS = {"Local": "local", "Mobile": "mobile", "TollFree": "tollfree"}
_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_FILTERS = (
    params.text("PhoneNumber", max_size=32),
    params.text("FriendlyName", max_size=64),
    params.flag("Beta"),
    params.text("Origin", max_size=64),
    *_PAGE,
)
_SEARCH = (
    params.text("Contains", max_size=20),
    params.text("AreaCode", max_size=8),
    params.flag("SmsEnabled"),
    params.flag("VoiceEnabled"),
    params.flag("MmsEnabled"),
    params.flag("FaxEnabled"),
    params.count("PageSize", 0, 10**9),
)
_MAX_FOUND = 1000


class NumberResources:
    """Numbers of accounts."""

    def __init__(self, office: Office, inventory: Inventory) -> None:
        self._office, self._inventory = office, inventory
        self._lock = asyncio.Lock()
        self.shelf = Shelf(office, NUMBER, "PN")

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base = V2010 + "/IncomingPhoneNumbers"
        read, write = "numbers:read", "numbers:write"
        phone = params.text("PhoneNumber", max_size=32)
        given = (*_SETTINGS, phone, params.text("AreaCode", max_size=8))
        yield Operation("GET", f"{base}.json", self.list_all, _FILTERS, read, summary="List numbers")
        yield Operation("POST", f"{base}.json", self.create, given, write, 201, summary="Buy a number")
        for name in _KINDS:
            yield Operation(
                "GET", f"{base}/{name}.json", self.list_all, _FILTERS, read, summary="List numbers"
            )
            yield Operation("POST", f"{base}/{name}.json", self.create, given, write, 201, summary="Buy one")
        one = f"{base}/{{Sid}}.json"
        account = params.text("AccountSid", max_size=34)
        yield Operation("GET", one, self.fetch, (), read, summary="Fetch a number")
        yield Operation("POST", one, self.update, (*_SETTINGS, account), write, summary="Configure a number")
        yield Operation("DELETE", one, self.delete, (), write, summary="Release a number")
        base = V2010 + "/AvailablePhoneNumbers"
        country = f"{base}/{{CountryCode}}"
        yield Operation("GET", f"{base}.json", self.list_countries, (), read, summary="List countries")
        yield Operation("GET", f"{country}.json", self.fetch_country, (), read, summary="Fetch a country")
        for name in _KINDS:
            path = f"{country}/{name}.json"
            yield Operation("GET", path, self.search, _SEARCH, read, summary="Search numbers to buy")

    # -- numbers that somebody has

    def owner(self, number: str) -> Document | None:
        """The document of a number, whosever it is."""
        return self._office.library.named(NUMBER, number)

    async def list_all(self, ask: Ask) -> Answer:
        """Those of the account."""
        more: dict[str, Any] = {"fields": {}}
        if ask["PhoneNumber"]:
            more["prefix"] = ask["PhoneNumber"].partition("*")[0]
        if ask["FriendlyName"]:
            more["fields"]["friendly_name"] = ask["FriendlyName"]
        kind = _KINDS.get(ask.target.rpartition("/")[2].removesuffix(".json"))
        if kind:
            more["fields"]["kind"] = kind
        return await self.shelf.list_first(ask, "incoming_phone_numbers", self.show, **more)

    async def create(self, ask: Ask) -> Answer:
        """Buy a number of the inventory: the one that is named, or any of an area."""
        number = ask["PhoneNumber"]
        if not number and not ask["AreaCode"]:
            raise ApiError(21421, "PhoneNumber or AreaCode is required")
        if not number:
            async with self._lock:
                number = await asyncio.to_thread(self._free_in_area, ask["AreaCode"])
        if number not in self._inventory:
            raise ApiError(21421, f"PhoneNumber: {_digits(number)} is not in the inventory")
        facts = facts_of(number)
        given = fields_of(ask.found, _HOOKS)
        data = {**_DEFAULTS, "friendly_name": facts.national, **given, "kind": facts.kind}
        self._check_trunk(ask, ask.account)
        doc = self.shelf.new(ask.account, data, name=number)
        try:
            await self._office.write([doc], events=[self._event(doc, "bought")])
        except TakenError:
            raise ApiError(21422, f"PhoneNumber: {_digits(number)} is not available") from None
        await self._office.refresh()
        return self.show(doc)

    async def fetch(self, ask: Ask) -> Answer:
        """One number."""
        return self.show(self.shelf.take(ask))

    async def update(self, ask: Ask) -> Answer:
        """Other webhooks, another name, or another account of the same owner."""
        doc = self.shelf.take(ask)
        columns: dict[str, Any] = {}
        left: list[Document] = []
        to = ask["AccountSid"]
        if to and to != doc.account:
            if not ask.principal.is_main or not self._office.accounts.belongs(to, ask.principal.account):
                raise ApiError(20422, "AccountSid: is not an account that the number can go to")
            columns["account"] = to
            left = self._pooled(doc)
            columns["data"] = {"trunk_sid": None}
        self._check_trunk(ask, to or doc.account)
        data = columns.pop("data", {}) | fields_of(ask.found, _HOOKS)
        changed = doc.change(ask.now, data=data, **columns)
        await self._office.write([changed], left, events=[self._event(changed, "configured")])
        if changed.data["trunk_sid"] != doc.data["trunk_sid"]:
            await self._office.refresh()
        return self.show(changed)

    async def delete(self, ask: Ask) -> Answer:
        """It goes back into the inventory."""
        doc = self.shelf.take(ask)
        drops = [doc, *self._pooled(doc)]
        await self._office.write(drops=drops, events=[self._event(doc, "released")])
        await self._office.refresh()
        return None

    def _check_trunk(self, ask: Ask, account: str) -> None:
        """Calls go to a trunk of the same account, or to none."""
        sid = ask["TrunkSid"]
        if sid and (not is_sid(sid, "TK") or self._office.library.get(TRUNK, sid, account) is None):
            raise ApiError(20422, "TrunkSid: is not a trunk of the account")

    def _pooled(self, doc: Document) -> list[Document]:
        """Its place in a service: whoever has the number next must not be heard there."""
        found = self._office.library.named(POOLED, str(doc.name))
        return [] if found is None else [found]

    # -- numbers that nobody has

    async def list_countries(self, ask: Ask) -> Answer:
        """Where there are numbers."""
        base = account_uri(ask.account, "AvailablePhoneNumbers")
        return {"countries": [self._country(ask, code) for code in self._inventory.countries()], "uri": base}

    async def fetch_country(self, ask: Ask) -> Answer:
        """One country."""
        code = ask.path["CountryCode"].upper()
        if code not in self._inventory.countries():
            raise not_found("/AvailablePhoneNumbers")
        return self._country(ask, code)

    async def search(self, ask: Ask) -> Answer:
        """Numbers of a country and a kind that fit a pattern."""
        kind = ask.target.rpartition("/")[2].removesuffix(".json")
        contains = ask["Contains"] or ""
        try:
            if contains:
                compile_pattern(contains)
            if ask["AreaCode"] and not ask["AreaCode"].isdecimal():
                raise ValueError("must be digits")
        except ValueError as error:
            raise ApiError(20422, f"Contains or AreaCode: {error}") from None
        if ask["MmsEnabled"] or ask["FaxEnabled"]:
            found: list[str] = []
        else:
            size = min(ask["PageSize"] or 50, _MAX_FOUND)
            wanted = ask.path["CountryCode"].upper(), _KINDS[kind], contains, ask["AreaCode"], size
            async with self._lock:  # one after the other: they must not keep the switch from its work
                found = await asyncio.to_thread(self._search, *wanted)
        return {"available_phone_numbers": [_available(number) for number in found], "uri": ask.target}

    def _search(self, country: str, kind: str, contains: str, area: str | None, size: int) -> list[str]:
        prefix = f"+{code_of(country)}{area}" if area else ""
        numbers = self._inventory.search(country=country, kind=kind, contains=contains, prefix=prefix)
        taken = self._taken()
        return list(islice((number for number in numbers if number not in taken), size))

    def _taken(self) -> set[str]:
        return self._office.library.names(NUMBER)

    def _free_in_area(self, area: str) -> str:
        if not area.isdecimal():
            raise ApiError(21452, "AreaCode: must be digits")
        found = self._search("US", "", "", area, 1)
        if not found:
            raise ApiError(21452, f"AreaCode: no number is left in {area}")
        return found[0]

    # -- as they are shown

    def _event(self, doc: Document, what: str) -> tuple[str, str, str, dict[str, Any]]:
        return doc.account, f"number.{what}", doc.sid, {"phone_number": doc.name}

    def _country(self, ask: Ask, code: str) -> dict[str, Any]:
        uri = account_uri(ask.account, "AvailablePhoneNumbers", code)
        below = {
            name: account_uri(ask.account, "AvailablePhoneNumbers", code, path)
            for name, path in (("local", "Local"), ("mobile", "Mobile"), ("toll_free", "TollFree"))
        }
        return {"country_code": code, "country": code, "uri": uri, "beta": False, "subresource_uris": below}

    def show(self, doc: Document) -> dict[str, Any]:
        """As REST has it."""
        data = {name: value for name, value in doc.data.items() if name != "kind"}
        return {
            "sid": doc.sid,
            "account_sid": doc.account,
            "phone_number": doc.name,
            **data,
            "capabilities": _CAPABILITIES,
            "address_requirements": "none",
            "beta": False,
            "origin": "switchroom",
            "status": "in-use",
            "type": doc.data["kind"],
            "emergency_address_status": "unregistered",
            "api_version": API_VERSION,
            "date_created": rfc2822(doc.created_at),
            "date_updated": rfc2822(doc.updated_at),
            "uri": account_uri(doc.account, "IncomingPhoneNumbers", doc.sid),
        }


def _available(number: str) -> dict[str, Any]:
    facts, region = facts_of(number), region_of(number) or None
    return {
        "friendly_name": facts.national,
        "phone_number": number,
        "lata": None,
        "locality": region,
        "rate_center": None,
        "latitude": None,
        "longitude": None,
        "region": region,
        "postal_code": None,
        "iso_country": facts.country,
        "address_requirements": "none",
        "beta": False,
        "capabilities": _CAPABILITIES,
    }


def _digits(text: str) -> str:
    return "".join(c for c in text[:32] if c.isdigit() or c == "+")
