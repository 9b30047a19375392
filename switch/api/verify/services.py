"""Verify services and their rate limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document, Query, TakenError

from ..front.operation import Answer, Ask, Operation
from ..front.rates import Rates
from ..office import Shelf, fields_of
from ..wire import params
from ..wire.dates import iso
from ..wire.errors import ApiError

if TYPE_CHECKING:
    from ..office import Office

_FIELDS = {
    "FriendlyName": "friendly_name",
    "CodeLength": "code_length",
    "LookupEnabled": "lookup_enabled",
    "SkipSmsToLandlines": "skip_sms_to_landlines",
    "DtmfInputRequired": "dtmf_input_required",
    "TtsName": "tts_name",
    "Psd2Enabled": "psd2_enabled",
    "DoNotShareWarningEnabled": "do_not_share_warning_enabled",
    "CustomCodeEnabled": "custom_code_enabled",
}
_BUCKET = {"Max": "max", "Interval": "interval"}
_DEFAULTS: dict[str, Any] = {
    "friendly_name": "",
    "code_length": 6,
    "lookup_enabled": False,
    "skip_sms_to_landlines": False,
    "dtmf_input_required": True,
    "tts_name": None,
    "psd2_enabled": False,
    "do_not_share_warning_enabled": False,
    "custom_code_enabled": False,
}
_SETTINGS = (
    params.count("CodeLength", 4, 10, code=60200),
    *map(params.flag, ("LookupEnabled", "SkipSmsToLandlines", "DtmfInputRequired", "Psd2Enabled")),
    *map(params.flag, ("DoNotShareWarningEnabled", "CustomCodeEnabled")),
    params.text("TtsName", max_size=64),
)
_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_MAX_BUCKETS, _MAX_KEY = 5, 256


class VerifyServices:
    """``/v2/Services`` of the product verify."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.shelf = Shelf(office, "verify_service", "VA")
        self._limits = Shelf(office, "verify_limit", "RK")
        self._buckets = Shelf(office, "verify_bucket", "BL")
        self._rates: dict[str, Rates] = {}  # by bucket

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base = "/v2/Services"
        one, limits = f"{base}/{{Sid}}", f"{base}/{{Sid}}/RateLimits"
        limit, buckets = f"{limits}/{{LimitSid}}", f"{limits}/{{LimitSid}}/Buckets"
        bucket = f"{buckets}/{{BucketSid}}"
        name = params.text("FriendlyName", max_size=30, code=60200)
        required = params.text("FriendlyName", max_size=30, code=60200, is_required=True)
        unique = params.text("UniqueName", max_size=64, code=60209, is_required=True)
        text = params.text("Description", max_size=256)
        size = params.count("Max", 1, 1_000_000, code=60200)
        interval = params.count("Interval", 1, 86400, code=60200)
        wanted = tuple(replace(one, is_required=True) for one in (size, interval))
        rows = (
            ("GET", base, self.list_all, _PAGE, 200, "List services"),
            ("POST", base, self.create, (required, *_SETTINGS), 201, "Make a service"),
            ("GET", one, self.fetch, (), 200, "Fetch a service"),
            ("POST", one, self.update, (name, *_SETTINGS), 200, "Change a service"),
            ("DELETE", one, self.delete, (), 200, "Delete a service"),
            ("GET", limits, self.list_limits, _PAGE, 200, "List rate limits"),
            ("POST", limits, self.create_limit, (unique, text), 201, "Make a rate limit"),
            ("GET", limit, self.fetch_limit, (), 200, "Fetch a rate limit"),
            ("POST", limit, self.update_limit, (text,), 200, "Change a rate limit"),
            ("DELETE", limit, self.delete_limit, (), 200, "Delete a rate limit"),
            ("GET", buckets, self.list_buckets, _PAGE, 200, "List buckets"),
            ("POST", buckets, self.create_bucket, wanted, 201, "Make a bucket"),
            ("GET", bucket, self.fetch_bucket, (), 200, "Fetch a bucket"),
            ("POST", bucket, self.update_bucket, (size, interval), 200, "Change a bucket"),
            ("DELETE", bucket, self.delete_bucket, (), 200, "Delete a bucket"),
        )
        for method, path, handler, given, status, summary in rows:
            scope = "verify:read" if method == "GET" else "verify:write"
            yield Operation(method, path, handler, given, scope, status, "verify", summary)

    def take(self, ask: Ask) -> Document:
        """The service of a path."""
        return self.shelf.take(ask)

    def spend(self, account: str, service: str, keys: dict[str, Any], now: float) -> None:
        """Count one verification against the limits that a request names; ApiError: one is used up."""
        for limit in self._office.library.select(Query("verify_limit", account, parent=service)):
            key = keys.get(limit.data["unique_name"])
            if key is None:
                continue
            for bucket in self._office.library.select(Query("verify_bucket", account, parent=limit.sid)):
                size, interval = bucket.data["max"], bucket.data["interval"]
                rates = self._rates.setdefault(bucket.sid, Rates(size / interval, size))
                if rates.take(str(key)[:_MAX_KEY], now):
                    raise ApiError(60207, f"RateLimits: {limit.data['unique_name']} is used up", status=429)

    def recall(self, account: str, service: str, keys: dict[str, Any], at: float) -> None:
        """Count what was counted before the start."""
        with suppress(ApiError):  # a limit that was used up then
            self.spend(account, service, keys, at)

    def kept(self, account: str, service: str, keys: dict[str, Any]) -> dict[str, str]:
        """Those of the keys that are counted."""
        found = self._office.library.select(Query("verify_limit", account, parent=service))
        names = {limit.data["unique_name"] for limit in found}
        return {name: str(key)[:_MAX_KEY] for name, key in keys.items() if name in names and key is not None}

    async def list_all(self, ask: Ask) -> Answer:
        """Those of the account."""
        return await self.shelf.list_later(ask, "services", lambda doc: _show(doc, ask))

    async def create(self, ask: Ask) -> Answer:
        """A new one."""
        doc = self.shelf.new(ask.account, {**_DEFAULTS, **fields_of(ask.found, _FIELDS)})
        await self._office.write([doc])
        return _show(doc, ask)

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        return _show(self.take(ask), ask)

    async def update(self, ask: Ask) -> Answer:
        """Change it."""
        doc = self.take(ask).change(ask.now, data=fields_of(ask.found, _FIELDS))
        await self._office.write([doc])
        return _show(doc, ask)

    async def delete(self, ask: Ask) -> Answer:
        """It is gone; its verifications are checked by nobody any more."""
        await self._office.write(drops=[self.take(ask)])
        return None

    async def list_limits(self, ask: Ask) -> Answer:
        """Limits of a service."""
        service = self.take(ask)
        render = lambda doc: _show_limit(doc, ask)  # noqa: E731
        return await self._limits.list_later(ask, "rate_limits", render, parent=service.sid)

    async def create_limit(self, ask: Ask) -> Answer:
        """A limit, by a name that requests use."""
        service = self.take(ask)
        data = {"unique_name": ask["UniqueName"], "description": ask["Description"] or ""}
        name = f"{service.sid}|{ask['UniqueName']}"
        doc = self._limits.new(ask.account, data, parent=service.sid, name=name)
        try:
            await self._office.write([doc])
        except TakenError:
            raise ApiError(60208, "UniqueName: there is a rate limit of this name", status=409) from None
        return _show_limit(doc, ask)

    async def fetch_limit(self, ask: Ask) -> Answer:
        """One."""
        return _show_limit(self._take_limit(ask), ask)

    async def update_limit(self, ask: Ask) -> Answer:
        """Another description."""
        doc = self._take_limit(ask).change(ask.now, data={"description": ask["Description"] or ""})
        await self._office.write([doc])
        return _show_limit(doc, ask)

    async def delete_limit(self, ask: Ask) -> Answer:
        """It counts no more."""
        await self._office.write(drops=[self._take_limit(ask)])
        return None

    async def list_buckets(self, ask: Ask) -> Answer:
        """Sizes and intervals of a limit."""
        limit = self._take_limit(ask)
        render = lambda doc: _show_bucket(doc, ask)  # noqa: E731
        return await self._buckets.list_later(ask, "buckets", render, parent=limit.sid)

    async def create_bucket(self, ask: Ask) -> Answer:
        """So many in so many seconds."""
        limit = self._take_limit(ask)
        known = self._office.library.select(Query("verify_bucket", ask.account, parent=limit.sid))
        if len(known) >= _MAX_BUCKETS:
            raise ApiError(60210, f"A rate limit has at most {_MAX_BUCKETS} buckets")
        if any(doc.data["interval"] == ask["Interval"] for doc in known):
            raise ApiError(60211, "Interval: there is a bucket of this interval")
        data = {"max": ask["Max"], "interval": ask["Interval"]}
        doc = self._buckets.new(ask.account, data, parent=limit.sid)
        await self._office.write([doc])
        return _show_bucket(doc, ask)

    async def fetch_bucket(self, ask: Ask) -> Answer:
        """One."""
        return _show_bucket(self._take_bucket(ask), ask)

    async def update_bucket(self, ask: Ask) -> Answer:
        """Another size or interval: it is full again."""
        doc = self._take_bucket(ask).change(ask.now, data=fields_of(ask.found, _BUCKET))
        self._rates.pop(doc.sid, None)
        await self._office.write([doc])
        return _show_bucket(doc, ask)

    async def delete_bucket(self, ask: Ask) -> Answer:
        """One less."""
        doc = self._take_bucket(ask)
        self._rates.pop(doc.sid, None)
        await self._office.write(drops=[doc])
        return None

    def _take_bucket(self, ask: Ask) -> Document:
        return self._buckets.take(ask, "BucketSid", self._take_limit(ask).sid)

    def _take_limit(self, ask: Ask) -> Document:
        return self._limits.take(ask, "LimitSid", self.take(ask).sid)


def _show(doc: Document, ask: Ask) -> dict[str, Any]:
    url = f"{ask.base}/v2/Services/{doc.sid}"
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        **doc.data,
        "push": {},
        "totp": {},
        "whatsapp": {},
        "passkeys": {},
        "default_template_sid": None,
        "verify_event_subscription_enabled": False,
        "date_created": iso(doc.created_at),
        "date_updated": iso(doc.updated_at),
        "url": url,
        "links": {
            "verifications": f"{url}/Verifications",
            "verification_checks": f"{url}/VerificationCheck",
            "rate_limits": f"{url}/RateLimits",
        },
    }


def _show_limit(doc: Document, ask: Ask) -> dict[str, Any]:
    url = f"{ask.base}/v2/Services/{doc.parent}/RateLimits/{doc.sid}"
    return {
        "sid": doc.sid,
        "service_sid": doc.parent,
        "account_sid": doc.account,
        **doc.data,
        "date_created": iso(doc.created_at),
        "date_updated": iso(doc.updated_at),
        "url": url,
        "links": {"buckets": f"{url}/Buckets"},
    }


def _show_bucket(doc: Document, ask: Ask) -> dict[str, Any]:
    return {
        "sid": doc.sid,
        "rate_limit_sid": doc.parent,
        "service_sid": ask.path["Sid"],
        "account_sid": doc.account,
        **doc.data,
        "date_created": iso(doc.created_at),
        "date_updated": iso(doc.updated_at),
        "url": f"{ask.base}/v2/Services/{ask.path['Sid']}/RateLimits/{doc.parent}/Buckets/{doc.sid}",
    }
