"""SIP as the clients know it: the domain, users as credentials, sources of trunks as access lists, trunks.

They stand in the switch's own file and are read here; what they are changed by is that file, and a reload.
Only the main account has them: passwords are never shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

from switchroom.switch.config import Config, TrunkConfig

from ..front.accounts import Accounts
from ..front.operation import V2010, Answer, Ask, Operation
from ..office import API_VERSION, account_uri
from ..wire import params
from ..wire.errors import not_found
from ..wire.paging import one_later_page, one_page

_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))


CLOSED = (
    "SIP stands in the configuration: [[users]], [[trunks]] and switch.domain are changed there, "
    "then `switchroom reload`"
)


def sid_of(prefix: str, *names: str) -> str:
    """The SID of something that the file names: the same as long as it has that name."""
    return prefix + hashlib.blake2b("\0".join(names).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class _Group:
    """A list and what is in it."""

    sid: str
    name: str
    rows: tuple[tuple[str, dict[str, Any]], ...]  # SID and fields


class SipResources:
    """``/SIP`` of the API of 2010, and ``/v1/Trunks``."""

    def __init__(self, config: Config, accounts: Accounts) -> None:
        self.config, self._accounts = config, accounts

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        for operation in self._operations():
            yield replace(operation, closed=CLOSED)

    def _operations(self) -> Iterator[Operation]:
        base, read = V2010 + "/SIP", "sip:read"
        yield Operation("GET", f"{base}/Domains.json", self.domains, _PAGE, read, summary="The domain")
        yield Operation("GET", f"{base}/Domains/{{Sid}}.json", self.domain, (), read, summary="Fetch it")
        yield from self._lists(f"{base}/CredentialLists", "Credentials", self.credentials)
        yield from self._lists(f"{base}/IpAccessControlLists", "IpAddresses", self._addresses)
        trunks, product = "/v1/Trunks", "trunking"
        yield Operation("GET", trunks, self.trunks, _PAGE, read, 200, product, "The trunks of the file")
        yield Operation("GET", f"{trunks}/{{Sid}}", self.trunk, (), read, 200, product, "Fetch a trunk")
        path = f"{trunks}/{{Sid}}/OriginationUrls"
        yield Operation("GET", path, self.origins, _PAGE, read, 200, product, "Where a trunk leads")
        path = f"{path}/{{OriginationSid}}"
        yield Operation("GET", path, self.origin, (), read, 200, product, "Fetch one")

    def _is_main(self, ask: Ask) -> bool:
        return self._accounts.is_main(ask.account)

    # -- the domain

    def _domain(self) -> str:
        return self.config.switch.domain or "localhost"

    def _show_domain(self, ask: Ask) -> dict[str, Any]:
        sid = sid_of("SD", self._domain())
        return {
            "sid": sid,
            "account_sid": ask.account,
            "domain_name": self._domain(),
            "friendly_name": self._domain(),
            "auth_type": "CREDENTIAL_LIST",
            "sip_registration": True,
            "secure": False,
            "api_version": API_VERSION,
            "uri": account_uri(ask.account, "SIP", "Domains", sid),
            "subresource_uris": {},
        }

    async def domains(self, ask: Ask) -> Answer:
        """The one that phones register at."""
        return one_page(ask, "domains", [self._show_domain(ask)] if self._is_main(ask) else [])

    async def domain(self, ask: Ask) -> Answer:
        """The same, by its SID."""
        self.check_domain(ask)
        return self._show_domain(ask)

    def check_domain(self, ask: Ask) -> str:
        """Its SID; ApiError: the path names another one."""
        sid = sid_of("SD", self._domain())
        if not self._is_main(ask) or ask.path["Sid"] != sid:
            raise not_found("/SIP/Domains")
        return sid

    # -- lists of users, and of addresses

    def credentials(self) -> list[_Group]:
        """All users, as one list."""
        name = self._domain()
        rows = [(sid_of("CR", user.name), {"username": user.name}) for user in self.config.users]
        return [_Group(sid_of("CL", name), name, tuple(rows))]

    def _addresses(self) -> list[_Group]:
        found = []
        for trunk in self.config.trunks:
            rows = []
            for source in trunk.sources:
                network = ip_network(source)
                address = str(network.network_address)
                shown = {"ip_address": address, "cidr_prefix_length": network.prefixlen}
                rows.append((sid_of("IP", trunk.name, source), {"friendly_name": source, **shown}))
            if rows:
                found.append(_Group(sid_of("AL", trunk.name), trunk.name, tuple(rows)))
        return found

    def _lists(self, base: str, below: str, groups: Callable[[], list[_Group]]) -> Iterator[Operation]:
        """Lists of lists: both are read in the same way."""
        kind, read = base.rpartition("/")[2], "sip:read"
        key = {"CredentialLists": "credential_lists", "IpAccessControlLists": "ip_access_control_lists"}[kind]
        inner_key = {"Credentials": "credentials", "IpAddresses": "ip_addresses"}[below]
        owner = {"Credentials": "credential_list_sid", "IpAddresses": "ip_access_control_list_sid"}[below]
        variable = {"Credentials": "CredentialSid", "IpAddresses": "IpSid"}[below]

        def show(ask: Ask, group: _Group) -> dict[str, Any]:
            uri = account_uri(ask.account, "SIP", kind, group.sid)
            return {
                "sid": group.sid,
                "account_sid": ask.account,
                "friendly_name": group.name,
                "uri": uri,
                "subresource_uris": {inner_key: f"{uri.removesuffix('.json')}/{below}.json"},
            }

        def take(ask: Ask) -> _Group:
            for group in groups() if self._is_main(ask) else ():
                if group.sid == ask.path["Sid"]:
                    return group
            raise not_found(f"/SIP/{kind}")

        def rows(ask: Ask) -> list[dict[str, Any]]:
            group = take(ask)
            return [
                {
                    "sid": sid,
                    "account_sid": ask.account,
                    owner: group.sid,
                    **fields,
                    "uri": account_uri(ask.account, "SIP", kind, group.sid, below, sid),
                }
                for sid, fields in group.rows
            ]

        async def list_all(ask: Ask) -> Answer:
            found = groups() if self._is_main(ask) else []
            return one_page(ask, key, [show(ask, group) for group in found])

        async def fetch(ask: Ask) -> Answer:
            return show(ask, take(ask))

        async def list_rows(ask: Ask) -> Answer:
            return one_page(ask, inner_key, rows(ask))

        async def fetch_row(ask: Ask) -> Answer:
            for row in rows(ask):
                if row["sid"] == ask.path[variable]:
                    return row
            raise not_found(f"/SIP/{kind}/{below}")

        one = f"{base}/{{Sid}}"
        yield Operation("GET", f"{base}.json", list_all, _PAGE, read, summary="Of the switch's file")
        yield Operation("GET", f"{one}.json", fetch, (), read, summary="Fetch a list")
        yield Operation("GET", f"{one}/{below}.json", list_rows, _PAGE, read, summary="What is in it")
        yield Operation("GET", f"{one}/{below}/{{{variable}}}.json", fetch_row, (), read, summary="Fetch one")

    # -- trunks

    def _trunks(self, ask: Ask) -> list[dict[str, Any]]:
        found = []
        for trunk in self.config.trunks if self._is_main(ask) else ():
            sid = sid_of("TK", trunk.name)
            url = f"{ask.base}/v1/Trunks/{sid}"
            found.append(
                {
                    "sid": sid,
                    "account_sid": ask.account,
                    "friendly_name": trunk.name,
                    "domain_name": trunk.domain or None,
                    "secure": all("transport=tls" in str(one).lower() for one in trunk.address),
                    "auth_type": "CREDENTIAL_LIST" if trunk.username_in else "IP_ACL",
                    "cnam_lookup_enabled": False,
                    "transfer_mode": "disable-all",
                    "url": url,
                    "links": {"origination_urls": f"{url}/OriginationUrls"},
                }
            )
        return found

    async def trunks(self, ask: Ask) -> Answer:
        """Those of the file."""
        return one_later_page(ask, "trunks", self._trunks(ask))

    async def trunk(self, ask: Ask) -> Answer:
        """One."""
        for row in self._trunks(ask):
            if row["sid"] == ask.path["Sid"]:
                return row
        raise not_found("/v1/Trunks")

    def take_trunk(self, ask: Ask) -> TrunkConfig:
        """The one that a path names; ApiError: there is none."""
        for trunk in self.config.trunks if self._is_main(ask) else ():
            if sid_of("TK", trunk.name) == ask.path["Sid"]:
                return trunk
        raise not_found("/v1/Trunks")

    def _origins(self, ask: Ask) -> list[dict[str, Any]]:
        trunk, sid = self.take_trunk(ask), ask.path["Sid"]
        return [
            {
                "sid": sid_of("OU", trunk.name, str(address)),
                "account_sid": ask.account,
                "trunk_sid": sid,
                "sip_url": str(address),
                "friendly_name": str(address),
                "priority": place,
                "weight": 1,
                "enabled": True,
                "url": f"{ask.base}/v1/Trunks/{sid}/OriginationUrls/{sid_of('OU', trunk.name, str(address))}",
            }
            for place, address in enumerate(trunk.address)
        ]

    async def origins(self, ask: Ask) -> Answer:
        """The addresses of a trunk, in their order."""
        return one_later_page(ask, "origination_urls", self._origins(ask))

    async def origin(self, ask: Ask) -> Answer:
        """One of them."""
        for row in self._origins(ask):
            if row["sid"] == ask.path["OriginationSid"]:
                return row
        raise not_found("/v1/Trunks")
