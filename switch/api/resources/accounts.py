"""Accounts, subaccounts, their tokens and their keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from switchroom.switch.store.documents import Document, Query

from ..front.accounts import ACCOUNT, KEY
from ..front.operation import V2010, Answer, Ask, Operation
from ..office import Office, Shelf, account_uri
from ..wire import params
from ..wire.dates import iso, rfc2822
from ..wire.errors import ApiError, not_found
from ..wire.paging import Page

_SUBRESOURCES = {
    "applications": "Applications",
    "available_phone_numbers": "AvailablePhoneNumbers",
    "calls": "Calls",
    "conferences": "Conferences",
    "incoming_phone_numbers": "IncomingPhoneNumbers",
    "keys": "Keys",
    "messages": "Messages",
    "queues": "Queues",
    "recordings": "Recordings",
    "sip": "SIP",
    "usage": "Usage",
}
_NAME = params.text("FriendlyName", max_size=64)
_SCOPES = params.text("Scopes", is_list=True, max_size=64)
_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))


async def _nothing(account: str) -> None:
    return None


class AccountResources:
    """``/Accounts``: an account sees itself and those that it owns."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.on_closed: Callable[[str], Awaitable[None]] = _nothing

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base = "/2010-04-01/Accounts.json"
        status = params.choice("Status", "active", "suspended", "closed")
        yield Operation("GET", base, self.list_all, (_NAME, status, *_PAGE), summary="List accounts")
        yield Operation("POST", base, self.create, (_NAME,), status=201, summary="Make a subaccount")
        yield Operation("GET", V2010 + ".json", self.fetch, summary="Fetch an account")
        yield Operation("POST", V2010 + ".json", self.update, (_NAME, status), summary="Change an account")
        tokens = "/v1/AuthTokens"
        yield Operation(
            *("POST", f"{tokens}/Secondary", self.create_token),
            status=201,
            product="accounts",
            summary="Make a second token, so that the first one can be replaced",
        )
        yield Operation(
            "DELETE", f"{tokens}/Secondary", self.delete_token, product="accounts", summary="Drop it again"
        )
        yield Operation(
            *("POST", f"{tokens}/Promote", self.promote_token),
            product="accounts",
            summary="Make the second token the first",
        )

    async def list_all(self, ask: Ask) -> Answer:
        """The account and its subaccounts."""
        fields = {"friendly_name": ask["FriendlyName"]} if ask["FriendlyName"] else {}
        if ask["Status"]:
            fields["status"] = ask["Status"]
        query = Query(ACCOUNT, ask.account, fields=fields)  # subaccounts are kept as the owner's
        page = await Page(ask.values, ask.target).load(self._office.library, query)
        return page.first_api("accounts", lambda doc: self._show(doc, ask))

    async def create(self, ask: Ask) -> Answer:
        """A subaccount."""
        if not ask.principal.is_main:
            raise ApiError(20006, "A subaccount cannot have subaccounts")
        name = ask["FriendlyName"] or "Subaccount"
        doc = self._office.accounts.make(name, owner=ask.principal.account)
        await self._office.write([doc])
        return self._show(doc, ask)

    async def fetch(self, ask: Ask) -> Answer:
        """One account."""
        return self._show(self._take(ask), ask)

    async def update(self, ask: Ask) -> Answer:
        """Name or status; closed is for ever."""
        doc = self._take(ask)
        data: dict[str, Any] = {}
        if ask["FriendlyName"]:
            data["friendly_name"] = ask["FriendlyName"]
        if ask["Status"] and ask["Status"] != doc.data["status"]:
            if not doc.data["owner"]:
                raise ApiError(20006, "The status of a main account cannot be changed")
            if doc.data["status"] == "closed":
                raise ApiError(20422, "Status: a closed account stays closed")
            data["status"] = ask["Status"]
        changed = await self._office.accounts.change(doc, **data)
        if data.get("status") == "closed":
            await self.on_closed(doc.sid)
        if "status" in data:
            await self._office.refresh()  # phones and trunks of a closed account are no more let in
        return self._show(changed, ask)

    async def create_token(self, ask: Ask) -> Answer:
        """A second token beside the first."""
        doc = self._own(ask)
        if doc.data["secondary"]:
            raise ApiError(20409, "There is a second token already", status=409)
        sealed, token = self._office.accounts.seal_new(doc.sid)
        changed = await self._office.accounts.change(doc, secondary=sealed)
        dates = {"date_created": iso(changed.updated_at), "date_updated": iso(changed.updated_at)}
        url = f"{ask.base}/v1/AuthTokens/Secondary"
        return {"account_sid": doc.sid, "secondary_auth_token": token, **dates, "url": url}

    async def delete_token(self, ask: Ask) -> Answer:
        """Only the first one is good again."""
        doc = self._own(ask)
        if not doc.data["secondary"]:
            raise not_found("/v1/AuthTokens/Secondary")
        await self._office.accounts.change(doc, secondary="")
        return None

    async def promote_token(self, ask: Ask) -> Answer:
        """The second token signs webhooks from now on, the first one is nothing any more."""
        doc = self._own(ask)
        if not doc.data["secondary"]:
            raise not_found("/v1/AuthTokens/Secondary")
        changed = await self._office.accounts.change(doc, token=doc.data["secondary"], secondary="")
        dates = {"date_created": iso(doc.created_at), "date_updated": iso(changed.updated_at)}
        token = self._office.accounts.token(doc.sid)
        url = f"{ask.base}/v1/AuthTokens/Promote"
        return {"account_sid": doc.sid, "auth_token": token, **dates, "url": url}

    def _take(self, ask: Ask) -> Document:
        doc = self._office.accounts.get(ask.account)
        if doc is None:
            raise not_found("/Accounts")
        return doc

    def _own(self, ask: Ask) -> Document:
        doc = self._office.accounts.get(ask.principal.account)
        assert doc is not None
        return doc

    def _show(self, doc: Document, ask: Ask) -> dict[str, Any]:
        may_see = not ask.principal.key or "main" in ask.principal.scopes
        token = self._office.accounts.token(doc.sid) if may_see else None
        return {
            "sid": doc.sid,
            "owner_account_sid": doc.data["owner"] or doc.sid,
            "friendly_name": doc.data["friendly_name"],
            "status": doc.data["status"],
            "type": "Full",
            "auth_token": token,
            "date_created": rfc2822(doc.created_at),
            "date_updated": rfc2822(doc.updated_at),
            "uri": account_uri(doc.sid),
            "subresource_uris": {name: account_uri(doc.sid, path) for name, path in _SUBRESOURCES.items()},
        }


class KeyResources:
    """``/Keys``: secrets for programs, each with scopes; only their hashes are kept."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._shelf = Shelf(office, KEY, "SK")

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base = V2010 + "/Keys"
        given = (_NAME, _SCOPES)
        yield Operation("GET", f"{base}.json", self.list_all, _PAGE, summary="List keys")
        yield Operation("POST", f"{base}.json", self.create, given, status=201, summary="Make a key")
        yield Operation("GET", f"{base}/{{Sid}}.json", self.fetch, summary="Fetch a key")
        yield Operation("POST", f"{base}/{{Sid}}.json", self.update, given, summary="Change a key")
        yield Operation("DELETE", f"{base}/{{Sid}}.json", self.delete, summary="Take a key away")
        signing = V2010 + "/SigningKeys"  # the same by an older name
        yield Operation("GET", f"{signing}.json", self.list_signing, _PAGE, summary="List keys")
        yield Operation("POST", f"{signing}.json", self.create, given, status=201, summary="Make a key")
        yield Operation("GET", f"{signing}/{{Sid}}.json", self.fetch, summary="Fetch a key")
        yield Operation("POST", f"{signing}/{{Sid}}.json", self.update, given, summary="Change a key")
        yield Operation("DELETE", f"{signing}/{{Sid}}.json", self.delete, summary="Take a key away")

    async def list_all(self, ask: Ask) -> Answer:
        """All keys, without secrets."""
        return await self._shelf.list_first(ask, "keys", self._show)

    async def list_signing(self, ask: Ask) -> Answer:
        """The same keys."""
        return await self._shelf.list_first(ask, "signing_keys", self._show)

    async def create(self, ask: Ask) -> Answer:
        """A key; its secret is shown this once."""
        scopes = _scopes(ask) or ["*"]
        doc, secret = self._office.accounts.make_key(ask.account, ask["FriendlyName"] or "", scopes)
        await self._office.write([doc])
        return {**self._show(doc), "secret": secret}

    async def fetch(self, ask: Ask) -> Answer:
        """One key, without its secret."""
        return self._show(self._shelf.take(ask))

    async def update(self, ask: Ask) -> Answer:
        """Another name, other scopes."""
        doc = self._shelf.take(ask)
        data = {"friendly_name": ask["FriendlyName"]} if ask["FriendlyName"] is not None else {}
        if scopes := _scopes(ask):
            data["scopes"] = scopes
        changed = doc.change(ask.now, data=data)
        await self._office.write([changed])
        self._office.accounts.on_change()
        return self._show(changed)

    async def delete(self, ask: Ask) -> Answer:
        """It opens nothing from now on."""
        await self._office.write(drops=[self._shelf.take(ask)])
        self._office.accounts.on_change()
        return None

    def _show(self, doc: Document) -> dict[str, Any]:
        return {
            "sid": doc.sid,
            "friendly_name": doc.data["friendly_name"],
            "scopes": doc.data["scopes"],
            "date_created": rfc2822(doc.created_at),
            "date_updated": rfc2822(doc.updated_at),
        }


_GROUPS = (
    *("messages", "calls", "numbers", "applications", "recordings", "conferences", "queues", "sip"),
    *("services", "verify", "lookups", "usage", "events", "trunks"),
)


def _scopes(ask: Ask) -> list[str] | None:
    """Scopes are ``*``, ``GROUP:read``, ``GROUP:write``, ``GROUP:*``, ``*:read``, or ``main`` for all."""
    given: list[str] | None = ask["Scopes"]
    for scope in given or []:
        group, colon, verb = scope.partition(":")
        is_known = group in ("*", *_GROUPS) and verb in ("read", "write", "*")
        if scope not in ("*", "main") and not (colon and is_known):
            raise ApiError(
                20422, f"Scopes: must be GROUP:read or GROUP:write, with one of {', '.join(_GROUPS)}"
            )
    return given
