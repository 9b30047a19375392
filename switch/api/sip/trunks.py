"""Trunks: PBXs that call in at a domain of their own, and where the calls to their numbers go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from switchroom.switch.config import TrunkConfig
from switchroom.switch.store.documents import Document, Query

from ..front.operation import Answer, Ask, Operation
from ..office import fields_of
from ..resources.numbers import NUMBER
from ..wire import params
from ..wire.dates import iso
from ..wire.errors import ApiError, not_found
from ..wire.paging import one_later_page
from .filed import closed, sid_of
from .roster import PAGE, READ, WRITE, Roster

_MAX = 100
PRODUCT = "trunking"
_FIELDS = {
    "FriendlyName": "friendly_name",
    "Secure": "secure",
    "DisasterRecoveryUrl": "disaster_recovery_url",
    "DisasterRecoveryMethod": "disaster_recovery_method",
}
_DEFAULTS: dict[str, Any] = {
    "friendly_name": "",
    "secure": False,
    "disaster_recovery_url": "",
    "disaster_recovery_method": "POST",
    "lists": [],
    "sources": [],
}
_PARAMS = (
    params.text("FriendlyName", max_size=64, code=21245),
    params.text("DomainName", max_size=253, code=21245),
    params.url("DisasterRecoveryUrl", code=21245),
    params.method("DisasterRecoveryMethod", code=21245),
    params.flag("Secure"),
    params.choice("TransferMode", "disable-all", "enable-all", "sip-only", code=21245),
    params.flag("CnamLookupEnabled"),
)
_BELOW = {
    "origination_urls": "OriginationUrls",
    "credential_lists": "CredentialLists",
    "ip_access_control_lists": "IpAccessControlLists",
    "phone_numbers": "PhoneNumbers",
    "recording": "Recording",
}


def operation(
    method: str,
    path: str,
    handler: Any,
    given: tuple[params.Param, ...] = (),
    status: int = 200,
    summary: str = "",
) -> Operation:
    """One of the product of trunks."""
    scope = READ if method == "GET" else WRITE
    return Operation(method, f"/v1/Trunks{path}", handler, given, scope, status, PRODUCT, summary)


class TrunkResources:
    """``/v1/Trunks``; those of the file first."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._shelf = roster.trunks

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        yield operation("GET", "", self.list_all, PAGE, summary="List trunks")
        yield operation("POST", "", self.create, _PARAMS, 201, "Make a trunk")
        yield operation("GET", "/{Sid}", self.fetch, summary="Fetch a trunk")
        yield operation("POST", "/{Sid}", self.update, _PARAMS, summary="Change a trunk")
        yield operation("DELETE", "/{Sid}", self.delete, summary="Delete a trunk without numbers")
        yield operation("GET", "/{Sid}/Recording", self.recording, summary="Whether it records")
        mode = params.text("Mode", max_size=64), params.text("Trim", max_size=64)
        yield operation(
            "POST", "/{Sid}/Recording", self.record, mode, 202, "Calls of a trunk are not recorded"
        )

    async def list_all(self, ask: Ask) -> Answer:
        """Of the file and of the account."""
        filed = self._roster.filed.config.trunks if self._roster.is_main(ask) else []
        shown = [self._show_filed(ask, trunk) for trunk in filed]
        shown += [self._show(ask, doc) for doc in self._roster.of(self._shelf, ask.account)]
        return one_later_page(ask, "trunks", shown)

    async def create(self, ask: Ask) -> Answer:
        """A new one; with a domain name it can call in."""
        self._roster.check_room(self._shelf, ask, _MAX, 21244, "trunks")
        name = ask["DomainName"]
        host = self._roster.check_host(ask, name, code=21248) if name else None
        doc = self._shelf.new(ask.account, {**_DEFAULTS, **fields_of(ask.found, _FIELDS)}, name=host)
        await self._roster.write("trunk.made", [doc], code=21248)
        return self._show(ask, doc)

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        filed = self.filed(ask)
        return self._show(ask, self._shelf.take(ask)) if filed is None else self._show_filed(ask, filed)

    async def update(self, ask: Ask) -> Answer:
        """Change it."""
        doc = self.take(ask)
        columns: dict[str, Any] = {}
        if ask["DomainName"]:
            columns["name"] = self._roster.check_host(ask, ask["DomainName"], code=21248, own=doc.sid)
        elif ask["DomainName"] == "":
            columns["name"] = None
        changed = doc.change(ask.now, data=fields_of(ask.found, _FIELDS), **columns)
        await self._roster.write("trunk.changed", [changed], code=21248)
        return self._show(ask, changed)

    async def delete(self, ask: Ask) -> Answer:
        """With its addresses, if no number is its."""
        doc = self.take(ask)
        numbers = Query(NUMBER, doc.account, fields={"trunk_sid": doc.sid}, limit=1)
        if self._roster.office.library.select(numbers):
            raise ApiError(21247, f"{doc.sid}: numbers are of this trunk; take them away first")
        origins = self._roster.of(self._roster.origins, doc.account, doc.sid)
        await self._roster.write("trunk.deleted", drops=[doc, *origins])
        return None

    # -- recording

    async def recording(self, ask: Ask) -> Answer:
        """It does not."""
        if self.filed(ask) is None:
            self._shelf.take(ask)
        return {"mode": "do-not-record", "trim": "do-not-trim"}

    async def record(self, ask: Ask) -> Answer:
        """Nothing else can be had."""
        self.take(ask)
        if ask["Mode"] not in (None, "do-not-record"):
            raise ApiError(
                21245, "Mode: calls of trunks are recorded by a number's TwiML or by `record` of a route"
            )
        return {"mode": "do-not-record", "trim": "do-not-trim"}

    # -- which is meant

    def filed(self, ask: Ask) -> TrunkConfig | None:
        """The trunk of the file that a path names."""
        return self._roster.filed.trunk(ask.path["Sid"]) if self._roster.is_main(ask) else None

    def take(self, ask: Ask) -> Document:
        """The trunk that a path names and that is to be changed; ApiError."""
        if self.filed(ask) is not None:
            raise closed()
        return self._shelf.take(ask)

    # -- as they are shown

    def _show(self, ask: Ask, doc: Document) -> dict[str, Any]:
        kinds = [("IP_ACL", "sources"), ("CREDENTIAL_LIST", "lists")]
        auth = [kind for kind, name in kinds if doc.data[name]]
        shown = {name: doc.data[name] for name in _FIELDS.values()}
        dates = {"date_created": iso(doc.created_at), "date_updated": iso(doc.updated_at)}
        return {**self._frame(ask, doc.sid, auth), **shown, "domain_name": doc.name, **dates}

    def _show_filed(self, ask: Ask, trunk: TrunkConfig) -> dict[str, Any]:
        auth = [*(["IP_ACL"] if trunk.sources else []), *(["CREDENTIAL_LIST"] if trunk.username_in else [])]
        return {
            **self._frame(ask, sid_of("TK", trunk.name), auth),
            "friendly_name": trunk.name,
            "domain_name": trunk.domain or None,
            "secure": all("transport=tls" in one.lower() for one in trunk.address),
            "disaster_recovery_url": None,
            "disaster_recovery_method": None,
            "date_created": None,
            "date_updated": None,
        }

    def _frame(self, ask: Ask, sid: str, auth: list[str]) -> dict[str, Any]:
        url = f"{ask.base}/v1/Trunks/{sid}"
        return {
            "sid": sid,
            "account_sid": ask.account,
            "auth_type": ",".join(auth),
            "auth_type_set": auth,
            "cnam_lookup_enabled": False,
            "recording": {"mode": "do-not-record", "trim": "do-not-trim"},
            "symmetric_rtp_enabled": True,
            "transfer_mode": "disable-all",
            "transfer_caller_id": "from-transferee",
            "url": url,
            "links": {name: f"{url}/{path}" for name, path in _BELOW.items()},
        }


class OriginationResources:
    """Where the calls to the numbers of a trunk go: by priority, then by weight."""

    _MAX = 10

    def __init__(self, roster: Roster, trunks: TrunkResources) -> None:
        self._roster, self._trunks = roster, trunks
        self._shelf = roster.origins

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, one = "/{Sid}/OriginationUrls", "/{Sid}/OriginationUrls/{OriginationSid}"
        yield operation("GET", base, self.list_all, PAGE, summary="Where its calls go")
        yield operation("POST", base, self.create, _origin_params(is_new=True), 201, "One way more")
        yield operation("GET", one, self.fetch, summary="Fetch one")
        yield operation("POST", one, self.update, _origin_params(is_new=False), summary="Change one")
        yield operation("DELETE", one, self.delete, summary="One way less")

    async def list_all(self, ask: Ask) -> Answer:
        """Those of a trunk."""
        filed = self._trunks.filed(ask)
        if filed is not None:
            return one_later_page(ask, "origination_urls", self._filed(ask, filed))
        doc = self._roster.trunks.take(ask)
        rows = self._roster.of(self._shelf, doc.account, doc.sid)
        return one_later_page(ask, "origination_urls", [self._show(ask, row) for row in rows])

    async def create(self, ask: Ask) -> Answer:
        """One more; it counts at once."""
        trunk = self._trunks.take(ask)
        self._roster.check_room(self._shelf, ask, self._MAX, 21249, "origination URLs", trunk.sid)
        await self._check(ask)
        doc = self._shelf.new(ask.account, fields_of(ask.found, _ORIGIN), parent=trunk.sid)
        await self._roster.write("origination.made", [doc])
        return self._show(ask, doc)

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        filed = self._trunks.filed(ask)
        if filed is None:
            return self._show(ask, self._take(ask))
        for row in self._filed(ask, filed):
            if row["sid"] == ask.path["OriginationSid"]:
                return row
        raise not_found("/v1/Trunks/OriginationUrls")

    async def update(self, ask: Ask) -> Answer:
        """Change it."""
        self._trunks.take(ask)
        await self._check(ask)
        doc = self._take(ask).change(ask.now, data=fields_of(ask.found, _ORIGIN))
        await self._roster.write("origination.changed", [doc])
        return self._show(ask, doc)

    async def delete(self, ask: Ask) -> Answer:
        """One less."""
        self._trunks.take(ask)
        await self._roster.write("origination.deleted", drops=[self._take(ask)])
        return None

    def _take(self, ask: Ask) -> Document:
        return self._shelf.take(ask, "OriginationSid", self._roster.trunks.take(ask).sid)

    async def _check(self, ask: Ask) -> None:
        if ask["SipUrl"]:
            await self._roster.check_address(ask["SipUrl"])

    def _show(self, ask: Ask, doc: Document) -> dict[str, Any]:
        return {
            "sid": doc.sid,
            "account_sid": doc.account,
            "trunk_sid": doc.parent,
            **doc.data,
            "date_created": iso(doc.created_at),
            "date_updated": iso(doc.updated_at),
            "url": f"{ask.base}/v1/Trunks/{doc.parent}/OriginationUrls/{doc.sid}",
        }

    def _filed(self, ask: Ask, trunk: TrunkConfig) -> list[dict[str, Any]]:
        sid, found = ask.path["Sid"], []
        for place, address in enumerate(trunk.address):
            own = sid_of("OU", trunk.name, address)
            shown = {"sip_url": address, "friendly_name": address, "priority": place, "weight": 1}
            row = {"sid": own, "account_sid": ask.account, "trunk_sid": sid, **shown, "enabled": True}
            dates = {"date_created": None, "date_updated": None}
            found.append({**row, **dates, "url": f"{ask.base}/v1/Trunks/{sid}/OriginationUrls/{own}"})
        return found


_ORIGIN = {
    "Weight": "weight",
    "Priority": "priority",
    "Enabled": "enabled",
    "FriendlyName": "friendly_name",
    "SipUrl": "sip_url",
}


def _origin_params(*, is_new: bool) -> tuple[params.Param, ...]:
    more: dict[str, Any] = {"is_required": is_new, "code": 21245}
    return (
        params.count("Weight", 1, 65535, **more),
        params.count("Priority", 0, 65535, **more),
        params.flag("Enabled", **more),
        params.text("FriendlyName", max_size=64, **more),
        params.text("SipUrl", max_size=255, **more),
    )
