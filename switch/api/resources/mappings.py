"""Which lists of users and of addresses are for the domain, which for a trunk; read only, as all of SIP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..front.operation import V2010, Answer, Ask, Handler, Operation
from ..office import account_uri
from ..wire import params
from ..wire.errors import not_found
from ..wire.paging import one_later_page, one_page
from .sip import CLOSED, SipResources, sid_of

_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_USERS, _ADDRESSES = "CredentialListMappings", "IpAccessControlListMappings"
_DOMAIN = (  # path below the domain, key of the list
    (_USERS, "credential_list_mappings"),
    (_ADDRESSES, "ip_access_control_list_mappings"),
    (f"Auth/Calls/{_USERS}", "contents"),
    (f"Auth/Calls/{_ADDRESSES}", "contents"),
    (f"Auth/Registrations/{_USERS}", "contents"),
)
_SOURCES = "IpAccessControlLists"
_TRUNK = (
    (_SOURCES, "ip_access_control_lists"),
    ("CredentialLists", "credential_lists"),
    ("PhoneNumbers", "phone_numbers"),
)

Rows = Callable[[Ask], list[dict[str, Any]]]


class MappingResources:
    """Phones prove themselves by the users of the file; trunks by where they come from."""

    def __init__(self, sip: SipResources) -> None:
        self._sip = sip

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, read = V2010 + "/SIP/Domains/{Sid}", "sip:read"
        for below, key in _DOMAIN:
            path, rows = f"{base}/{below}", self._of_domain(below)
            handler = _lister(one_page, key, rows)
            yield Operation("GET", f"{path}.json", handler, _PAGE, read, summary="Its lists", closed=CLOSED)
            if below.endswith(_USERS):
                path, fetch = f"{path}/{{MappedSid}}.json", _fetcher(rows, "MappedSid")
                yield Operation("GET", path, fetch, (), read, summary="Fetch one", closed=CLOSED)
        for below, key in _TRUNK:
            path, rows = f"/v1/Trunks/{{Sid}}/{below}", self._of_trunk(below)
            yield _of_trunk(path, _lister(one_later_page, key, rows), _PAGE)
            if below == _SOURCES:
                yield _of_trunk(f"{path}/{{SourcesSid}}", _fetcher(rows, "SourcesSid"))

    def _of_domain(self, below: str) -> Rows:
        def rows(ask: Ask) -> list[dict[str, Any]]:
            sid = self._sip.check_domain(ask)
            if not below.endswith(_USERS):
                return []  # addresses are those of trunks
            found = []
            for group in self._sip.credentials():
                uri = account_uri(ask.account, "SIP", "Domains", sid, below, group.sid)
                shown = {"sid": group.sid, "account_sid": ask.account, "domain_sid": sid}
                found.append({**shown, "friendly_name": group.name, "uri": uri})
            return found

        return rows

    def _of_trunk(self, below: str) -> Rows:
        def rows(ask: Ask) -> list[dict[str, Any]]:
            trunk = self._sip.take_trunk(ask)
            if below != _SOURCES or not trunk.sources:
                return []  # its digest is a name and a password of its own; numbers are not bound to it
            sid, own = sid_of("AL", trunk.name), ask.path["Sid"]
            url = f"{ask.base}/v1/Trunks/{own}/{below}/{sid}"
            shown = {"sid": sid, "account_sid": ask.account, "trunk_sid": own}
            return [{**shown, "friendly_name": trunk.name, "url": url}]

        return rows


def _of_trunk(path: str, handler: Handler, given: tuple[params.Param, ...] = ()) -> Operation:
    return Operation(
        "GET", path, handler, given, "sip:read", product="trunking", summary="What it goes by", closed=CLOSED
    )


def _lister(page: Callable[[Ask, str, list[dict[str, Any]]], Answer], key: str, rows: Rows) -> Handler:
    async def list_all(ask: Ask) -> Answer:
        return page(ask, key, rows(ask))

    return list_all


def _fetcher(rows: Rows, variable: str) -> Handler:
    async def fetch(ask: Ask) -> Answer:
        for row in rows(ask):
            if row["sid"] == ask.path[variable]:
                return row
        raise not_found("list")

    return fetch
