"""Domains: where phones register and call, what answers their calls, and which lists let them in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from switchroom.switch.store.documents import Document, Query

from ..front.operation import V2010, Answer, Ask, Operation
from ..office import API_VERSION, account_uri, fields_of
from ..wire import params
from ..wire.dates import rfc2822
from ..wire.errors import ApiError, not_found
from ..wire.paging import one_page
from .filed import closed, sid_of
from .kinds import CREDENTIAL, OF_FILE
from .roster import PAGE, READ, WRITE, Roster

_MAX = 100
_MAX_LISTS = 50
_FIELDS = {
    "FriendlyName": "friendly_name",
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "voice_fallback_url",
    "VoiceFallbackMethod": "voice_fallback_method",
    "VoiceStatusCallbackUrl": "voice_status_callback_url",
    "VoiceStatusCallbackMethod": "voice_status_callback_method",
    "SipRegistration": "sip_registration",
    "Secure": "secure",
}
_DEFAULTS: dict[str, Any] = {
    "friendly_name": "",
    "voice_url": "",
    "voice_method": "POST",
    "voice_fallback_url": "",
    "voice_fallback_method": "POST",
    "voice_status_callback_url": "",
    "voice_status_callback_method": "POST",
    "sip_registration": False,
    "secure": False,
    "calls": [],
    "registrations": [],
    "sources": [],
}
_PARAMS = (
    params.text("FriendlyName", max_size=64),
    params.url("VoiceUrl", code=21402),
    params.method("VoiceMethod", code=21403),
    params.url("VoiceFallbackUrl", code=21402),
    params.method("VoiceFallbackMethod", code=21403),
    params.url("VoiceStatusCallbackUrl", code=21402),
    params.method("VoiceStatusCallbackMethod", code=21403),
    params.flag("SipRegistration"),
    params.flag("Secure"),
)
_CALLS, _ACCESS = "CredentialListMappings", "IpAccessControlListMappings"
_MAPPINGS = (  # path below the domain, key of the list, what of the domain it is, parameter
    (_CALLS, "credential_list_mappings", "calls", "CredentialListSid"),
    (_ACCESS, "ip_access_control_list_mappings", "sources", "IpAccessControlListSid"),
    (f"Auth/Calls/{_CALLS}", "contents", "calls", "CredentialListSid"),
    (f"Auth/Calls/{_ACCESS}", "contents", "sources", "IpAccessControlListSid"),
    (f"Auth/Registrations/{_CALLS}", "contents", "registrations", "CredentialListSid"),
)


class DomainResources:
    """``/SIP/Domains``; the switch's own is the first of the main account."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._shelf = roster.domains

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base = f"{V2010}/SIP/Domains"
        one = f"{base}/{{Sid}}.json"
        name = params.text("DomainName", max_size=253, is_required=True, code=21231)
        again = params.text("DomainName", max_size=253, code=21231)
        yield Operation("GET", f"{base}.json", self.list_all, PAGE, READ, summary="List domains")
        yield Operation(
            "POST", f"{base}.json", self.create, (name, *_PARAMS), WRITE, 201, summary="Make a domain"
        )
        yield Operation("GET", one, self.fetch, (), READ, summary="Fetch a domain")
        yield Operation("POST", one, self.update, (again, *_PARAMS), WRITE, summary="Change a domain")
        yield Operation("DELETE", one, self.delete, (), WRITE, summary="Delete a domain")
        for below, key, which, given in _MAPPINGS:
            yield from self._mappings(f"{base}/{{Sid}}/{below}", below, key, which, given)

    # -- domains

    async def list_all(self, ask: Ask) -> Answer:
        """The switch's own and those of the account."""
        own = [self._show_own(ask)] if self._roster.is_main(ask) else []
        return one_page(
            ask, "domains", own + [self._show(doc) for doc in self._roster.of(self._shelf, ask.account)]
        )

    async def create(self, ask: Ask) -> Answer:
        """A new one."""
        self._roster.check_room(self._shelf, ask, _MAX, 21230, "domains")
        host = self._roster.check_host(ask, ask["DomainName"], code=21232)
        data = {**_DEFAULTS, "friendly_name": host, **fields_of(ask.found, _FIELDS)}
        doc = self._shelf.new(ask.account, data, name=host)
        await self._roster.write("domain.made", [doc], code=21232)
        return self._show(doc)

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        return self._show_own(ask) if self._is_own(ask) else self._show(self._take(ask))

    async def update(self, ask: Ask) -> Answer:
        """Change it; with another name its phones must register anew."""
        if self._is_own(ask):
            raise closed()
        doc = self._take(ask)
        columns = {}
        if ask["DomainName"]:
            columns["name"] = self._roster.check_host(ask, ask["DomainName"], code=21232, own=doc.sid)
        changed = doc.change(ask.now, data=fields_of(ask.found, _FIELDS), **columns)
        await self._roster.write("domain.changed", [changed], code=21232)
        return self._show(changed)

    async def delete(self, ask: Ask) -> Answer:
        """Its registrations end."""
        if self._is_own(ask):
            raise closed()
        await self._roster.write("domain.deleted", drops=[self._take(ask)])
        return None

    # -- the lists that it goes by

    def _mappings(self, path: str, below: str, key: str, which: str, given: str) -> Iterator[Operation]:
        shelf = self._roster.access if which == "sources" else self._roster.lists
        variable = "AccessSid" if which == "sources" else "MappedSid"
        wanted = params.text(given, max_size=34, is_required=True)

        def show(ask: Ask, domain: str, sid: str) -> dict[str, Any]:
            group = shelf.find(ask.account, sid)
            return {
                "sid": sid,
                "account_sid": ask.account,
                "domain_sid": domain,
                "friendly_name": self._name_of(sid) if group is None else group.data["friendly_name"],
                "date_created": None if group is None else rfc2822(group.created_at),
                "date_updated": None if group is None else rfc2822(group.updated_at),
                "uri": account_uri(ask.account, "SIP", "Domains", domain, below, sid),
            }

        def filed(ask: Ask) -> list[str]:
            is_users = self._is_own(ask) and which != "sources"
            return [self._roster.filed.groups("CredentialLists")[0].sid] if is_users else []

        async def list_all(ask: Ask) -> Answer:
            sid, doc = self._meant(ask)
            sids = [*filed(ask), *(doc.data[which] if doc is not None else ())]
            return one_page(ask, key, [show(ask, sid, one) for one in sids])

        async def fetch(ask: Ask) -> Answer:
            sid, doc = self._meant(ask)
            if ask.path[variable] not in [*filed(ask), *(doc.data[which] if doc is not None else ())]:
                raise not_found(f"/SIP/Domains/{below}")
            return show(ask, sid, ask.path[variable])

        async def create(ask: Ask) -> Answer:
            sid, doc = self._meant(ask)
            if self._is_own(ask):
                if which == "sources":
                    raise closed()
                doc = doc or self._new_own(ask.account)
            assert doc is not None
            group = self._roster.take_list(ask, shelf, ask[given])
            if self._is_own(ask):
                self._check_names(group)
            sids = list(dict.fromkeys([*doc.data[which], group.sid]))
            if len(sids) > _MAX_LISTS:
                raise ApiError(21232, f"A domain goes by {_MAX_LISTS} lists at most")
            await self._roster.write("domain.mapped", [doc.change(ask.now, data={which: sids})])
            return show(ask, sid, group.sid)

        async def delete(ask: Ask) -> Answer:
            _, doc = self._meant(ask)
            if ask.path[variable] in filed(ask):
                raise closed()
            if doc is None or ask.path[variable] not in doc.data[which]:
                raise not_found(f"/SIP/Domains/{below}")
            sids = [sid for sid in doc.data[which] if sid != ask.path[variable]]
            await self._roster.write("domain.unmapped", [doc.change(ask.now, data={which: sids})])
            return None

        one = f"{path}/{{{variable}}}.json"
        yield Operation("GET", f"{path}.json", list_all, PAGE, READ, summary="Its lists")
        yield Operation("POST", f"{path}.json", create, (wanted,), WRITE, 201, summary="Go by a list")
        yield Operation("GET", one, fetch, (), READ, summary="Fetch one")
        yield Operation("DELETE", one, delete, (), WRITE, summary="Go by it no more")

    def _meant(self, ask: Ask) -> tuple[str, Document | None]:
        """The domain of a path: its SID, and what is written of it; of the switch's own maybe nothing."""
        if self._is_own(ask):
            return ask.path["Sid"], self._shelf.find(ask.account, sid_of("SD", OF_FILE, ask.account))
        doc = self._take(ask)
        return doc.sid, doc

    def _new_own(self, account: str) -> Document:
        """What is mapped to the switch's own domain has a document too."""
        data = {**_DEFAULTS, "sip_registration": True}
        return self._shelf.new(account, data, sid=sid_of("SD", OF_FILE, account), state=OF_FILE)

    def _take(self, ask: Ask) -> Document:
        doc = self._shelf.take(ask)
        if doc.state == OF_FILE:
            raise not_found("/SIP/Domains")
        return doc

    def _is_own(self, ask: Ask) -> bool:
        return self._roster.is_main(ask) and ask.path["Sid"] == self._roster.filed.domain_sid

    def _check_names(self, group: Document) -> None:
        """In the switch's own domain nobody may have the name of a user of the file."""
        query = Query(CREDENTIAL, group.account, parent=group.sid, limit=100_000)
        for credential in self._roster.office.library.select(query):
            name = credential.data["username"]
            if self._roster.filed.has_user(name):
                raise ApiError(21243, f"{group.sid}: {name} is a user of the configuration")

    def _name_of(self, sid: str) -> str:
        groups = self._roster.filed.groups("CredentialLists")
        return next((group.name for group in groups if group.sid == sid), "")

    # -- as they are shown

    def _show_own(self, ask: Ask) -> dict[str, Any]:
        filed = self._roster.filed
        shown = {**_DEFAULTS, "friendly_name": filed.domain, "sip_registration": True}
        return self._frame(ask.account, filed.domain_sid, filed.domain, shown, "CREDENTIAL_LIST")

    def _show(self, doc: Document) -> dict[str, Any]:
        kinds = [("IP_ACL", "sources"), ("CREDENTIAL_LIST", "calls")]
        auth = ",".join(kind for kind, name in kinds if doc.data[name])
        shown = self._frame(doc.account, doc.sid, doc.name or "", doc.data, auth)
        dates = {"date_created": rfc2822(doc.created_at), "date_updated": rfc2822(doc.updated_at)}
        return shown | dates

    def _frame(self, account: str, sid: str, host: str, data: dict[str, Any], auth: str) -> dict[str, Any]:
        uri = account_uri(account, "SIP", "Domains", sid)
        below = uri.removesuffix(".json")
        return {
            "sid": sid,
            "account_sid": account,
            "domain_name": host,
            **{name: data[name] for name in _FIELDS.values()},
            "auth_type": auth,
            "emergency_calling_enabled": False,
            "emergency_caller_sid": None,
            "byoc_trunk_sid": None,
            "api_version": API_VERSION,
            "date_created": None,
            "date_updated": None,
            "uri": uri,
            "subresource_uris": {
                "credential_list_mappings": f"{below}/{_CALLS}.json",
                "ip_access_control_list_mappings": f"{below}/{_ACCESS}.json",
                "auth": f"{below}/Auth.json",
            },
        }
