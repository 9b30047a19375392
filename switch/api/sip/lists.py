"""CredentialLists with Credentials, IpAccessControlLists with IpAddresses: two sorts of lists, one manner."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from switchroom.protocols.sip.digest import ALGORITHMS, compute_a1
from switchroom.switch.store.documents import Document, Query

from ..front.operation import V2010, Answer, Ask, Operation
from ..office import Shelf, account_uri
from ..wire import params
from ..wire.dates import rfc2822
from ..wire.errors import ApiError, not_found
from ..wire.paging import one_page
from .filed import Group, closed
from .kinds import CREDENTIAL, OF_FILE
from .roster import PAGE, READ, WRITE, Roster

MAX_LISTS = 100
_USERNAME = re.compile(r"[A-Za-z0-9+][A-Za-z0-9_.+-]{0,31}")
_STRONG = (re.compile("[0-9]"), re.compile("[a-z]"), re.compile("[A-Z]"))
_NAME = params.text("FriendlyName", max_size=64, is_required=True)


class Lists:
    """Lists of one sort, those of the file among them."""

    path: str  # CredentialLists
    key: str
    below: str  # Credentials
    below_key: str
    variable: str  # of the one that is meant of those
    owner: str  # how a row names its list
    codes: tuple[int, int, int]  # too many lists, too many in one, one that is used
    max_rows: int
    create_params: tuple[params.Param, ...]
    update_params: tuple[params.Param, ...]

    def __init__(self, roster: Roster, lists: Shelf, rows: Shelf) -> None:
        self.roster, self.lists, self.rows = roster, lists, rows

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base = f"{V2010}/SIP/{self.path}"
        one, inner = f"{base}/{{Sid}}.json", f"{base}/{{Sid}}/{self.below}"
        row = f"{inner}/{{{self.variable}}}.json"
        yield Operation("GET", f"{base}.json", self.list_all, PAGE, READ, summary="List them")
        yield Operation("POST", f"{base}.json", self.create, (_NAME,), WRITE, 201, summary="Make a list")
        yield Operation("GET", one, self.fetch, (), READ, summary="Fetch a list")
        yield Operation("POST", one, self.update, (_NAME,), WRITE, summary="Name it otherwise")
        yield Operation("DELETE", one, self.delete, (), WRITE, summary="Delete a list that nobody uses")
        yield Operation("GET", f"{inner}.json", self.list_rows, PAGE, READ, summary="What is in it")
        add = self.create_params
        yield Operation("POST", f"{inner}.json", self.create_row, add, WRITE, 201, summary="Add one")
        yield Operation("GET", row, self.fetch_row, (), READ, summary="Fetch one")
        yield Operation("POST", row, self.update_row, self.update_params, WRITE, summary="Change one")
        yield Operation("DELETE", row, self.delete_row, (), WRITE, summary="Take one out")

    def read(self, ask: Ask, group: Document, row: Document | None) -> dict[str, Any]:
        """What the parameters say of a row; ApiError."""
        raise NotImplementedError

    def show_row(self, data: dict[str, Any]) -> dict[str, Any]:
        """What of a row is shown."""
        raise NotImplementedError

    # -- lists

    async def list_all(self, ask: Ask) -> Answer:
        """Of the file and of the account."""
        shown = [self._show_filed(ask, group) for group in self._filed(ask)]
        return one_page(
            ask, self.key, shown + [self._show(doc) for doc in self.roster.of(self.lists, ask.account)]
        )

    async def create(self, ask: Ask) -> Answer:
        """A new one, with nothing in it."""
        self.roster.check_room(self.lists, ask, MAX_LISTS, self.codes[0], "lists")
        doc = self.lists.new(ask.account, {"friendly_name": ask["FriendlyName"]})
        await self.roster.write("list.made", [doc])
        return self._show(doc)

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        group = self._filed_one(ask)
        return self._show(self.lists.take(ask)) if group is None else self._show_filed(ask, group)

    async def update(self, ask: Ask) -> Answer:
        """Another name."""
        doc = self._take(ask).change(ask.now, data={"friendly_name": ask["FriendlyName"]})
        await self.roster.write("list.changed", [doc])
        return self._show(doc)

    async def delete(self, ask: Ask) -> Answer:
        """With all that is in it, if no domain and no trunk goes by it."""
        doc = self._take(ask)
        used = self.roster.owners_of(doc.sid, doc.account)
        if used:
            raise ApiError(self.codes[2], f"{doc.sid}: {used[0].sid} goes by this list; take it away there")
        await self.roster.write("list.deleted", drops=[doc, *self._rows(doc)])
        return None

    # -- what is in them

    async def list_rows(self, ask: Ask) -> Answer:
        """All of one list."""
        group = self._filed_one(ask)
        if group is not None:
            return one_page(ask, self.below_key, self._filed_rows(ask, group))
        doc = self.lists.take(ask)
        return one_page(ask, self.below_key, [self._show_one(row) for row in self._rows(doc)])

    async def create_row(self, ask: Ask) -> Answer:
        """One more; it counts at once."""
        doc = self._take(ask)
        self.roster.check_room(self.rows, ask, self.max_rows, self.codes[1], "entries", doc.sid)
        data = self.read(ask, doc, None)
        row = self.rows.new(ask.account, data, parent=doc.sid)
        row = self.finish(row, ask)
        await self.roster.write("entry.made", [row], code=21243)
        return self._show_one(row)

    def finish(self, row: Document, ask: Ask) -> Document:
        """What can only be said once the row has its SID."""
        return row

    async def fetch_row(self, ask: Ask) -> Answer:
        """One of a list."""
        group = self._filed_one(ask)
        if group is None:
            return self._show_one(self.rows.take(ask, self.variable, self.lists.take(ask).sid))
        for row in self._filed_rows(ask, group):
            if row["sid"] == ask.path[self.variable]:
                return row
        raise not_found(f"/SIP/{self.path}/{self.below}")

    async def update_row(self, ask: Ask) -> Answer:
        """Change one of a list."""
        doc = self._take(ask)
        row = self.rows.take(ask, self.variable, doc.sid)
        changed = self.finish(row.change(ask.now, data=self.read(ask, doc, row)), ask)
        await self.roster.write("entry.changed", [changed])
        return self._show_one(changed)

    async def delete_row(self, ask: Ask) -> Answer:
        """Take one out; what it let in ends."""
        row = self.rows.take(ask, self.variable, self._take(ask).sid)
        await self.roster.write("entry.deleted", drops=[row])
        return None

    # -- of the file, and how they are shown

    def _filed(self, ask: Ask) -> list[Group]:
        return self.roster.filed.groups(self.path) if self.roster.is_main(ask) else []

    def _filed_one(self, ask: Ask) -> Group | None:
        return next((group for group in self._filed(ask) if group.sid == ask.path["Sid"]), None)

    def _take(self, ask: Ask) -> Document:
        if self._filed_one(ask) is not None:
            raise closed()
        return self.lists.take(ask)

    def _rows(self, doc: Document) -> list[Document]:
        return self.roster.of(self.rows, doc.account, doc.sid)

    def _filed_rows(self, ask: Ask, group: Group) -> list[dict[str, Any]]:
        return [self._frame(ask.account, group.sid, sid, fields) for sid, fields in group.rows]

    def _show_filed(self, ask: Ask, group: Group) -> dict[str, Any]:
        uri = account_uri(ask.account, "SIP", self.path, group.sid)
        return {
            "sid": group.sid,
            "account_sid": ask.account,
            "friendly_name": group.name,
            "date_created": None,
            "date_updated": None,
            "uri": uri,
            "subresource_uris": {self.below_key: f"{uri.removesuffix('.json')}/{self.below}.json"},
        }

    def _show(self, doc: Document) -> dict[str, Any]:
        uri = account_uri(doc.account, "SIP", self.path, doc.sid)
        return {
            "sid": doc.sid,
            "account_sid": doc.account,
            "friendly_name": doc.data["friendly_name"],
            "date_created": rfc2822(doc.created_at),
            "date_updated": rfc2822(doc.updated_at),
            "uri": uri,
            "subresource_uris": {self.below_key: f"{uri.removesuffix('.json')}/{self.below}.json"},
        }

    def _show_one(self, row: Document) -> dict[str, Any]:
        dates = {"date_created": rfc2822(row.created_at), "date_updated": rfc2822(row.updated_at)}
        return self._frame(row.account, row.parent, row.sid, {**self.show_row(row.data), **dates})

    def _frame(self, account: str, parent: str, sid: str, fields: dict[str, Any]) -> dict[str, Any]:
        uri = account_uri(account, "SIP", self.path, parent, self.below, sid)
        return {"sid": sid, "account_sid": account, self.owner: parent, **fields, "uri": uri}


class CredentialLists(Lists):
    """Names and passwords of phones."""

    path, key = "CredentialLists", "credential_lists"
    below, below_key = "Credentials", "credentials"
    variable, owner = "CredentialSid", "credential_list_sid"
    codes, max_rows = (21239, 21242, 21241), 1000
    create_params = (
        params.text("Username", max_size=32, is_required=True, code=21243),
        params.text("Password", max_size=128, is_required=True, code=21243),
    )
    update_params = (params.text("Password", max_size=128, code=21243),)

    def __init__(self, roster: Roster, realm: str) -> None:
        super().__init__(roster, roster.lists, roster.credentials)
        self._realm = realm

    def read(self, ask: Ask, group: Document, row: Document | None) -> dict[str, Any]:
        """The password is not kept: what a digest needs of it is, sealed with the key of the switch."""
        username = ask["Username"] if row is None else row.data["username"]
        if row is None:
            self._check_name(group, username)
        password = ask["Password"]
        if password is None:
            return {}
        if len(password) < 12 or not all(one.search(password) for one in _STRONG):
            raise ApiError(
                21243, "Password: must have 12 characters, with a small and a large letter and a digit"
            )
        a1 = {name: compute_a1(username, self._realm, password, name) for name in ALGORITHMS}
        return {"username": username, "realm": self._realm, "a1": json.dumps(a1)}

    def finish(self, row: Document, ask: Ask) -> Document:
        """Seal it for this credential alone."""
        if not row.data["a1"].startswith("{"):
            return row
        sealed = self.roster.office.accounts.vault.seal(row.data["a1"], row.sid)
        return row.change(ask.now, data={"a1": sealed}, name=f"{row.parent}/{row.data['username']}")

    def _check_name(self, group: Document, name: str) -> None:
        if not _USERNAME.fullmatch(name):
            raise ApiError(21243, "Username: must be letters, digits, _ . + -, and not begin with _ . -")
        limit = self.roster.office.config.max_credentials
        if self.roster.office.library.count(Query(CREDENTIAL, None)) >= limit:
            raise ApiError(21242, f"The switch has {limit} credentials (api.max_credentials) already")
        is_own = any(doc.state == OF_FILE for doc in self.roster.owners_of(group.sid, group.account))
        if is_own and self.roster.filed.has_user(name):
            raise ApiError(21243, f"Username: {name} is a user of the configuration")

    def show_row(self, data: dict[str, Any]) -> dict[str, Any]:
        """Never the password."""
        return {"username": data["username"]}


class AccessLists(Lists):
    """Addresses and networks that may call."""

    path, key = "IpAccessControlLists", "ip_access_control_lists"
    below, below_key = "IpAddresses", "ip_addresses"
    variable, owner = "IpSid", "ip_access_control_list_sid"
    codes, max_rows = (21255, 21237, 21236), 100
    create_params = (
        params.text("FriendlyName", max_size=255, is_required=True, code=21238),
        params.text("IpAddress", max_size=45, is_required=True, code=21238),
        params.count("CidrPrefixLength", 8, 128, code=21238),
    )
    update_params = (
        params.text("FriendlyName", max_size=255, code=21238),
        params.text("IpAddress", max_size=45, code=21238),
        params.count("CidrPrefixLength", 8, 128, code=21238),
    )

    def __init__(self, roster: Roster) -> None:
        super().__init__(roster, roster.access, roster.addresses)

    def read(self, ask: Ask, group: Document, row: Document | None) -> dict[str, Any]:
        """A network: what lies behind its prefix is left off."""
        before = {} if row is None else row.data
        text = ask["IpAddress"] or before.get("ip_address", "")
        try:
            address = ip_address(text)
        except ValueError:
            raise ApiError(21238, "IpAddress: must be an IPv4 or IPv6 address") from None
        known = before.get("cidr_prefix_length")
        length = ask["CidrPrefixLength"] or (known if ask["IpAddress"] is None else None)
        length = address.max_prefixlen if length is None else length
        if length > address.max_prefixlen or address.is_multicast or address.is_unspecified:
            raise ApiError(21238, f"CidrPrefixLength: {length} does not fit {address}")
        network = ip_network(f"{address}/{length}", strict=False)
        name = ask["FriendlyName"] or before.get("friendly_name", "")
        return {
            "friendly_name": name,
            "ip_address": str(network.network_address),
            "cidr_prefix_length": network.prefixlen,
        }

    def show_row(self, data: dict[str, Any]) -> dict[str, Any]:
        """All of it."""
        return data
