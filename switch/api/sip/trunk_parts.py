"""What a trunk goes by: lists of names, lists of addresses, and the numbers that are its."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from switchroom.switch.config import TrunkConfig
from switchroom.switch.store.documents import Document, Query

from ..front.operation import Answer, Ask, Operation
from ..resources.numbers import NUMBER, NumberResources
from ..wire import params
from ..wire.dates import iso
from ..wire.errors import ApiError, not_found
from ..wire.paging import one_later_page
from .filed import sid_of
from .roster import PAGE, Roster
from .trunks import TrunkResources, operation

_MAX_LISTS = 50
_ALL = 100_000
_PARTS = (  # path below the trunk, key of the list, what of the trunk it is, parameter
    ("CredentialLists", "credential_lists", "lists", "CredentialListSid"),
    ("IpAccessControlLists", "ip_access_control_lists", "sources", "IpAccessControlListSid"),
)


class TrunkParts:
    """Lists and numbers of trunks."""

    def __init__(self, roster: Roster, trunks: TrunkResources, numbers: NumberResources) -> None:
        self._roster, self._trunks, self._numbers = roster, trunks, numbers

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        for below, key, which, given in _PARTS:
            yield from self._lists(below, key, which, given)
        base, one = "/{Sid}/PhoneNumbers", "/{Sid}/PhoneNumbers/{NumberSid}"
        number = params.text("PhoneNumberSid", max_size=34, is_required=True)
        yield operation("GET", base, self.list_numbers, PAGE, summary="The numbers of a trunk")
        yield operation("POST", base, self.add_number, (number,), 201, "Calls to a number go to the trunk")
        yield operation("GET", one, self.fetch_number, summary="Fetch one")
        yield operation("DELETE", one, self.remove_number, summary="They go to its webhook again")

    # -- lists

    def _lists(self, below: str, key: str, which: str, given: str) -> Iterator[Operation]:
        shelf = self._roster.access if which == "sources" else self._roster.lists
        variable = "SourcesSid" if which == "sources" else "ListSid"

        def show(ask: Ask, group: Document) -> dict[str, Any]:
            own = ask.path["Sid"]
            dates = {"date_created": iso(group.created_at), "date_updated": iso(group.updated_at)}
            shown = {"sid": group.sid, "account_sid": ask.account, "trunk_sid": own, **dates}
            name = {"friendly_name": group.data["friendly_name"]}
            return {**shown, **name, "url": f"{ask.base}/v1/Trunks/{own}/{below}/{group.sid}"}

        def rows(ask: Ask) -> list[dict[str, Any]]:
            filed = self._trunks.filed(ask)
            if filed is not None:
                return self._filed(ask, filed) if which == "sources" else []
            doc = self._roster.trunks.take(ask)
            found = [shelf.find(ask.account, sid) for sid in doc.data[which]]
            return [show(ask, group) for group in found if group is not None]

        async def list_all(ask: Ask) -> Answer:
            return one_later_page(ask, key, rows(ask))

        async def fetch(ask: Ask) -> Answer:
            for row in rows(ask):
                if row["sid"] == ask.path[variable]:
                    return row
            raise not_found(f"/v1/Trunks/{below}")

        async def create(ask: Ask) -> Answer:
            doc = self._trunks.take(ask)
            group = self._roster.take_list(ask, shelf, ask[given])
            sids = list(dict.fromkeys([*doc.data[which], group.sid]))
            if len(sids) > _MAX_LISTS:
                raise ApiError(21245, f"A trunk goes by {_MAX_LISTS} lists at most")
            await self._roster.write("trunk.mapped", [doc.change(ask.now, data={which: sids})])
            return show(ask, group)

        async def delete(ask: Ask) -> Answer:
            doc = self._trunks.take(ask)
            if ask.path[variable] not in doc.data[which]:
                raise not_found(f"/v1/Trunks/{below}")
            sids = [sid for sid in doc.data[which] if sid != ask.path[variable]]
            await self._roster.write("trunk.unmapped", [doc.change(ask.now, data={which: sids})])
            return None

        base, one = f"/{{Sid}}/{below}", f"/{{Sid}}/{below}/{{{variable}}}"
        wanted = params.text(given, max_size=34, is_required=True)
        yield operation("GET", base, list_all, PAGE, summary="What it goes by")
        yield operation("POST", base, create, (wanted,), 201, "Go by a list")
        yield operation("GET", one, fetch, summary="Fetch one")
        yield operation("DELETE", one, delete, summary="Go by it no more")

    def _filed(self, ask: Ask, trunk: TrunkConfig) -> list[dict[str, Any]]:
        if not trunk.sources:
            return []
        sid, own = sid_of("AL", trunk.name), ask.path["Sid"]
        url = f"{ask.base}/v1/Trunks/{own}/IpAccessControlLists/{sid}"
        shown = {"sid": sid, "account_sid": ask.account, "trunk_sid": own, "friendly_name": trunk.name}
        return [{**shown, "date_created": None, "date_updated": None, "url": url}]

    # -- numbers

    async def list_numbers(self, ask: Ask) -> Answer:
        """Those whose calls go there."""
        if self._trunks.filed(ask) is not None:
            return one_later_page(ask, "phone_numbers", [])
        doc = self._roster.trunks.take(ask)
        query = Query(NUMBER, ask.account, fields={"trunk_sid": doc.sid}, limit=_ALL)
        found = await self._roster.office.library.page(query)
        return one_later_page(ask, "phone_numbers", [self._show(ask, number) for number in found])

    async def add_number(self, ask: Ask) -> Answer:
        """From now on its VoiceUrl is not asked."""
        trunk = self._trunks.take(ask)
        number = self._numbers.shelf.find(ask.account, ask["PhoneNumberSid"])
        if number is None:
            raise ApiError(20404, "PhoneNumberSid: is not a number of the account")
        changed = number.change(ask.now, data={"trunk_sid": trunk.sid})
        await self._roster.write("trunk.numbered", [changed])
        return self._show(ask, changed)

    async def fetch_number(self, ask: Ask) -> Answer:
        """One."""
        return self._show(ask, self._take(ask))

    async def remove_number(self, ask: Ask) -> Answer:
        """Its VoiceUrl is asked again."""
        self._trunks.take(ask)
        await self._roster.write(
            "trunk.unnumbered", [self._take(ask).change(ask.now, data={"trunk_sid": None})]
        )
        return None

    def _take(self, ask: Ask) -> Document:
        number = self._numbers.shelf.find(ask.account, ask.path["NumberSid"])
        if number is None or number.data["trunk_sid"] != ask.path["Sid"]:
            raise not_found("/v1/Trunks/PhoneNumbers")
        return number

    def _show(self, ask: Ask, number: Document) -> dict[str, Any]:
        shown = self._numbers.show(number)
        own = number.data["trunk_sid"]
        shown["url"] = f"{ask.base}/v1/Trunks/{own}/PhoneNumbers/{number.sid}"
        dates = {"date_created": iso(number.created_at), "date_updated": iso(number.updated_at)}
        return {**shown, **dates, "links": {}}
