"""What all resources share: the library, the accounts, the courier, and how a document becomes an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from switchroom.switch.store.documents import Document, Library, Query

from .front.operation import Ask
from .wire.errors import ApiError, not_found
from .wire.paging import Page, Render
from .wire.sids import is_sid, new_sid

if TYPE_CHECKING:
    from switchroom.switch.config import ApiConfig
    from switchroom.switch.store.documents.library import Event

    from .front.accounts import Accounts
    from .front.audit import Audit
    from .webhooks.courier import Courier, Letter
    from .webhooks.fetch import Fetcher

API_VERSION = "2010-04-01"

log = structlog.get_logger("switchroom.api")


async def _nothing() -> None:
    return None


@dataclass(slots=True)
class Office:
    """The means of the resources."""

    config: ApiConfig
    library: Library
    accounts: Accounts
    audit: Audit
    fetcher: Fetcher
    courier: Courier
    on_events: list[Callable[[], None]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    refresh: Callable[[], Awaitable[None]] = (
        _nothing  # the switch takes up whose numbers, users, trunks changed
    )

    async def write(
        self,
        puts: Sequence[Document] = (),
        drops: Sequence[Document] = (),
        events: Sequence[Event] = (),
    ) -> None:
        """Write durably; ApiError when the disk cannot take it. Whoever follows the events is woken."""
        if self.library.is_full:
            raise ApiError(20503, headers={"Retry-After": "5"})
        await self.library.write(puts, drops, events)
        if events:
            self._wake()

    def begin(
        self,
        puts: Sequence[Document] = (),
        drops: Sequence[Document] = (),
        events: Sequence[Event] = (),
    ) -> asyncio.Future[None]:
        """The same for who goes on before it is durable, and may not be refused."""
        done = self.library.begin(puts, drops, events)
        if events:
            done.add_done_callback(lambda _: self._wake())
        return done

    def note(
        self, docs: Sequence[Document], letters: Sequence[Letter], events: Sequence[Event]
    ) -> asyncio.Future[None]:
        """Write what has happened, and then tell those who asked to be told."""
        written = [self.courier.make(letter) for letter in letters]
        done = self.begin([*docs, *written], events=events)
        if written:
            done.add_done_callback(lambda future: self._post(future, written))
        return done

    def _post(self, future: asyncio.Future[None], letters: list[Document]) -> None:
        if not future.cancelled() and future.exception() is None:
            self.courier.post_all(letters)

    @property
    def public_url(self) -> str:
        """How others reach REST: in addresses that are told."""
        if self.config.public_url:
            return self.config.public_url
        for scheme, host, port in self.config.rest_listeners:
            if scheme != "proxy":
                return f"{scheme}://{host}:{port}"
        return ""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for; what goes wrong is a line of the log."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("api.task_failed", reason=f"{type(error).__name__}: {error}"[:300])

    def _wake(self) -> None:
        for wake in self.on_events:
            wake()


class Shelf:
    """The documents of one kind."""

    def __init__(self, office: Office, kind: str, prefix: str) -> None:
        self.office, self.kind, self.prefix = office, kind, prefix

    @property
    def library(self) -> Library:
        """Where they are."""
        return self.office.library

    def new(self, account: str, data: dict[str, Any], *, sid: str = "", **columns: Any) -> Document:
        """A new document, not written yet."""
        now = time.time()
        sid = sid or new_sid(self.prefix)
        return Document(self.library.next_seq(), sid, account, self.kind, now, now, data, **columns)

    def find(self, account: str, sid: str, parent: str | None = None) -> Document | None:
        """A document of an account, or None."""
        if not is_sid(sid, self.prefix):
            return None
        doc = self.library.get(self.kind, sid, account)
        return None if doc is None or (parent is not None and doc.parent != parent) else doc

    def take(self, ask: Ask, name: str = "Sid", parent: str | None = None) -> Document:
        """The document that a path names; ApiError: there is none for this account."""
        doc = self.find(ask.account, ask.path[name], parent)
        if doc is None:
            raise not_found("".join(c for c in ask.target[:200] if c.isalnum() or c in "/._-+"))
        return doc

    def left(self, *states: str) -> list[Document]:
        """Those of all accounts that an earlier process has left in these states, the oldest first."""
        found: list[Document] = []
        for state in states:
            query = Query(self.kind, None, equal={"state": state}, is_ascending=True, limit=100_000)
            found += self.library.select(query)
        return found

    def query(self, ask: Ask, **more: Any) -> Query:
        """Ask for those of the account."""
        return Query(self.kind, ask.account, **more)

    async def list_first(self, ask: Ask, key: str, render: Render, **more: Any) -> dict[str, Any]:
        """A page as the API of 2010 has it."""
        page = await Page(ask.values, ask.target).load(self.library, self.query(ask, **more))
        return page.first_api(key, render)

    async def list_later(self, ask: Ask, key: str, render: Render, **more: Any) -> dict[str, Any]:
        """A page as the later APIs have it."""
        page = await Page(ask.values, ask.target).load(self.library, self.query(ask, **more))
        return page.later_api(key, ask.base, render)


def account_uri(account: str, *parts: str) -> str:
    """The path of a resource of the API of 2010."""
    return "/".join((f"/{API_VERSION}/Accounts/{account}", *parts)) + ".json"


def fields_of(found: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The parameters that were given, as fields: ``names`` has the field of each parameter."""
    return {names[name]: value for name, value in found.items() if name in names}
