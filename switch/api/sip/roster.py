"""What the resources of SIP share: their shelves, whose names are whose, and that a change is in force."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable, Sequence
from typing import Any

from switchroom.switch.config import Config, split_trunk_address
from switchroom.switch.store.documents import Document, Query, TakenError

from ..front.operation import Ask
from ..office import Office, Shelf
from ..wire import params
from ..wire.errors import ApiError
from .filed import Filed, closed
from .kinds import ACCESS, ADDRESS, CREDENTIAL, DOMAIN, LIST, OF_FILE, ORIGINATION, TRUNK

PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
READ, WRITE = "sip:read", "sip:write"
_ALL = 100_000
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.(?!\d+$){_LABEL}")


class Roster:
    """The documents of SIP."""

    def __init__(self, office: Office, config: Config) -> None:
        self.office, self.filed = office, Filed(config)
        self.domains = Shelf(office, DOMAIN, "SD")
        self.lists = Shelf(office, LIST, "CL")
        self.credentials = Shelf(office, CREDENTIAL, "CR")
        self.access = Shelf(office, ACCESS, "AL")
        self.addresses = Shelf(office, ADDRESS, "IP")
        self.trunks = Shelf(office, TRUNK, "TK")
        self.origins = Shelf(office, ORIGINATION, "OU")

    async def write(
        self, what: str, puts: Sequence[Document] = (), drops: Sequence[Document] = (), code: int = 20409
    ) -> None:
        """Write durably, and see that it is in force; ``code``: a name is another's."""
        first = [*puts, *drops][0]
        events = [(first.account, f"sip.{what}", first.sid, {"kind": first.kind})]
        try:
            await self.office.write(puts, drops, events)
        except TakenError:
            raise ApiError(code, "There is one of that name already") from None
        await self.office.refresh()

    # -- who is there

    def is_main(self, ask: Ask) -> bool:
        """Whether the account sees what the file has."""
        return self.office.accounts.is_main(ask.account)

    def of(self, shelf: Shelf, account: str | None, parent: str | None = None) -> list[Document]:
        """Those of an account, the newest first."""
        query = Query(shelf.kind, account, parent=parent, limit=_ALL)
        return [doc for doc in self.office.library.select(query) if doc.state != OF_FILE]

    def check_room(
        self, shelf: Shelf, ask: Ask, limit: int, code: int, what: str, parent: str | None = None
    ) -> None:
        """ApiError: there are as many as there may be."""
        query = Query(shelf.kind, ask.account, parent=parent)
        if self.office.library.count(query) >= limit:
            raise ApiError(code, f"There are {limit} {what} already, which is as many as there may be")

    def take_list(self, ask: Ask, shelf: Shelf, sid: str) -> Document:
        """A list of the account that is to be used somewhere; ApiError."""
        doc = shelf.find(ask.account, sid)
        if doc is not None:
            return doc
        kind = "CredentialLists" if shelf is self.lists else "IpAccessControlLists"
        if self.is_main(ask) and any(group.sid == sid for group in self.filed.groups(kind)):
            raise closed()
        raise ApiError(20404, f"{sid[:34]}: is not a list of the account")

    def owners_of(self, sid: str, account: str) -> list[Document]:
        """The domains and trunks that go by a list."""
        query = (Query(kind, account, limit=_ALL) for kind in (DOMAIN, TRUNK))
        found = [doc for one in query for doc in self.office.library.select(one)]
        names = ("calls", "registrations", "sources", "lists")
        return [doc for doc in found if any(sid in doc.data.get(name, ()) for name in names)]

    # -- names

    async def check_address(self, text: str) -> None:
        """Where calls are to go; ApiError: it is none, or a stranger could reach a private network by it."""
        try:
            host = split_trunk_address(text).host
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except ValueError as error:
            raise ApiError(21245, f"SipUrl: {error}") from None
        except OSError:
            raise ApiError(21245, f"SipUrl: {text[:100]} is not found") from None
        fence = self.office.fetcher.connections.fence
        if not all(fence.allows(str(info[4][0])) for info in found):
            raise ApiError(21245, f"SipUrl: {text[:100]} is not an address that may be called")

    def check_host(self, ask: Ask, text: str, *, code: int, own: str = "") -> str:
        """A domain that calls may be for; ApiError: it is another's, or none. ``own``: whose it may be."""
        host = text.lower()
        if len(host) > 253 or not _DOMAIN.fullmatch(host):
            raise ApiError(code, "DomainName: must be a domain such as acme.sip.example")
        below = self.office.config.sip_domains
        if below and not any(host.endswith(f".{one}") for one in below):
            raise ApiError(code, f"DomainName: must end in one of {', '.join('.' + one for one in below)}")
        if not below and not self.is_main(ask):
            raise ApiError(code, "DomainName: the configuration has no api.sip_domains for subaccounts")
        library = self.office.library
        others: Iterable[Any] = (library.named(kind, host) for kind in (DOMAIN, TRUNK))
        if self.filed.has_host(host) or any(other is not None and other.sid != own for other in others):
            raise ApiError(code, f"DomainName: {host} is taken")
        return host
