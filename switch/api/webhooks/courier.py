"""Deliveries: durable before anybody is asked, in order for each resource, tried again, kept if they die."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from switchroom.switch.store.documents import Document, Library, Query

from ..wire.sids import new_sid
from ..wire.urls import shown
from .fetch import Fetcher, FetchError, Reply, Request
from .overrides import Overrides
from .waiting import Key, Waiting

if TYPE_CHECKING:
    from switchroom.switch.config import ApiConfig

    from ..front.accounts import Accounts

DELIVERY = "delivery"
_MAX_PAUSE = 600.0
_SHOWN_BODY = 2000
_WAIT_STATUS = (408, 425, 429)

Done = Callable[[Document, Reply | None], Awaitable[None]]

log = structlog.get_logger("switchroom.webhooks")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be delivered."""

    account: str
    resource: str  # what it is about: letters about one go in order
    purpose: str  # who hears of the answer: status, message, ...
    url: str
    params: list[tuple[str, str]]
    method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    payload: Any = None


class Courier:
    """Brings letters; as many at once as the configuration says."""

    def __init__(self, library: Library, accounts: Accounts, fetcher: Fetcher, config: ApiConfig) -> None:
        self.config = config
        self._library, self._accounts, self._fetcher = library, accounts, fetcher
        self._waiting = Waiting(
            lambda: max(self.config.max_webhooks // 2, 1), lambda: self.config.held_webhooks
        )
        self._later: list[tuple[float, Key]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self.on_done: dict[str, Done] = {}
        self.on_keep: dict[
            str, Callable[[Document], Document]
        ] = {}  # by purpose: as it is kept when it is over
        self.delivered_count = self.failed_count = self.dead_count = 0

    @property
    def waiting_count(self) -> int:
        """Letters that are not delivered yet."""
        return len(self._waiting)

    def start(self) -> None:
        """Go on with what was not delivered before."""
        self._waiting.left_from = 0
        self._refill()
        self._pump()

    async def stop(self) -> None:
        """Let go of what is under way: it is tried again after the next start."""
        self._is_stopping = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def make(self, letter: Letter) -> Document:
        """The document of a letter: write it together with what it tells of, then ``post`` it."""
        now = time.time()
        data = {
            "purpose": letter.purpose,
            "url": letter.url,
            "method": letter.method,
            "fallback_url": letter.fallback_url,
            "fallback_method": letter.fallback_method,
            "params": letter.params,
            "payload": letter.payload,
            "token": new_sid("IT")[2:],
            "attempts": [],
        }
        seq = self._library.next_seq()
        return Document(
            *(seq, new_sid("WD"), letter.account, DELIVERY, now, now, data),
            parent=letter.resource,
            state="pending",
            at=now,
        )

    def post(self, doc: Document) -> None:
        """Deliver a letter that is durable."""
        self._waiting.add(doc)
        self._pump()

    def post_all(self, docs: Iterable[Document]) -> None:
        """Deliver some."""
        for doc in docs:
            self.post(doc)

    async def replay(self, sid: str) -> Document:
        """Send a letter again that was delivered or died; LookupError: there is none."""
        old = self._library.get(DELIVERY, sid, None)
        if old is None:
            raise LookupError(f"there is no webhook {sid}")
        now = time.time()
        data = {**old.data, "attempts": [], "replay_of": sid}
        doc = Document(
            *(self._library.next_seq(), new_sid("WD"), old.account, DELIVERY, now, now, data),
            parent=old.parent,
            state="pending",
            at=now,
        )
        await self._library.write([doc])
        self.post(doc)
        return doc

    def recent(self, limit: int, state: str = "") -> list[Document]:
        """The newest letters, for the operator."""
        equal = {"state": state} if state else {}
        return self._library.select(Query(DELIVERY, None, equal=equal, limit=limit))

    # -- at work

    def _pump(self) -> None:
        """Start what is ready, as long as there is room."""
        while len(self._tasks) < self.config.max_webhooks and not self._is_stopping:
            key = self._waiting.take()
            if key is None:
                return
            task = asyncio.create_task(self._work(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, key: Key | None) -> None:
        """Deliver what waits for one resource, then for others that are ready."""
        while key is not None and not self._is_stopping:
            pause = await self._deliver_next(key)
            if pause:
                heapq.heappush(self._later, (time.monotonic() + pause, key))
                self._arm()
            self._waiting.give_back(key, is_later=pause > 0)
            if self._waiting.has_room:
                self._refill()
                self._pump()
            key = self._waiting.take()

    def _refill(self) -> None:
        """Read what was left on the disk, as far as there is room now."""
        first, room = self._waiting.left_from or 0, self.config.held_webhooks
        query = Query(DELIVERY, None, equal={"state": "pending"}, after=first - 1, limit=room)
        found = self._library.select(query)[::-1]  # the oldest first
        self._waiting.refill(found, is_all=len(found) < room)

    async def _deliver_next(self, key: Key) -> float:
        """Try the first letter of a resource; gives how long to wait before it is tried again."""
        doc = self._waiting.first(key)
        try:
            doc, reply = await self._try(doc)
            if doc.state == "pending":
                self._waiting.keep(key, doc)
                await self._library.write([doc])
                return float(
                    min(self.config.webhook_pause * 2 ** (len(doc.data["attempts"]) - 1), _MAX_PAUSE)
                )
            await self._finish(doc, reply)
        except asyncio.CancelledError:
            raise
        except Exception:  # one letter must not hold up the others
            log.exception("webhook.broken", webhook=doc.sid)
        self._waiting.drop(key)
        return 0.0

    async def _finish(self, doc: Document, reply: Reply | None) -> None:
        if doc.state == "done":
            self.delivered_count += 1
        else:
            self.dead_count += 1
            log.warning(
                "webhook.dead", webhook=doc.sid, resource=doc.parent, attempts=len(doc.data["attempts"])
            )
        heard = self.on_done.get(doc.data["purpose"])
        if heard is not None:
            await heard(doc, reply)
        keep = self.on_keep.get(doc.data["purpose"])
        await self._library.write([doc if keep is None else keep(doc)])

    async def _try(self, doc: Document) -> tuple[Document, Reply | None]:
        """One attempt, and one at the fallback; the document as it is after that."""
        data = doc.data
        attempts = list(data["attempts"])
        reply, error = await self._ask(doc, data["url"], data["method"], data["params"], attempts)
        if error is not None and data["fallback_url"]:
            more = [("ErrorCode", str(error.code)), ("ErrorUrl", shown(data["url"]))]
            params = [*map(tuple, data["params"]), *more]
            reply, error = await self._ask(
                doc, data["fallback_url"], data["fallback_method"], params, attempts
            )
        state = "done"
        if error is not None:
            self.failed_count += 1
            said = Overrides.of(data["url"])
            # somebody waits for an answer to a text: now or never
            retries = 0 if data["purpose"] == "message" else self.config.webhook_attempts - 1
            retries = retries if said.retries is None else said.retries
            can_retry = error.can_retry if said.policy is None else said.allows(error.kind, "")
            state = "pending" if can_retry and len(attempts) <= retries else "dead"
        return doc.change(time.time(), data={"attempts": attempts}, state=state), reply

    async def _ask(
        self, doc: Document, url: str, method: str, params: list[Any], attempts: list[dict[str, Any]]
    ) -> tuple[Reply | None, FetchError | None]:
        started = time.time()
        token = self._accounts.token(doc.account)
        request = Request(
            url,
            method,
            [(name, value) for name, value in params],
            doc.data["payload"],
            {"I-Twilio-Idempotency-Token": doc.data["token"]},
        )
        reply: Reply | None = None
        error: FetchError | None = None
        try:
            reply = await self._fetcher.fetch(request, token)
            if not 200 <= reply.status < 300:
                can_retry = reply.status >= 500 or reply.status in _WAIT_STATUS
                error = FetchError(11200, f"status {reply.status}", can_retry=can_retry, status=reply.status)
        except FetchError as failed:
            error = failed
        attempts.append(_attempt(started, url, reply, error))
        return (reply if error is None else None), error

    def _arm(self) -> None:
        """Have the timer come for the first that waits."""
        if self._timer is not None:
            self._timer.cancel()
        if self._later and not self._is_stopping:
            delay = max(self._later[0][0] - time.monotonic(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            self._waiting.wake(heapq.heappop(self._later)[1])
        self._pump()
        self._arm()


def _attempt(started: float, url: str, reply: Reply | None, error: FetchError | None) -> dict[str, Any]:
    """What the operator is shown of an attempt."""
    made = {"at": round(started, 3), "seconds": round(time.time() - started, 3), "url": shown(url)}
    if reply is not None:
        body = reply.body[:_SHOWN_BODY].decode("utf-8", "replace")
        made |= {"status": reply.status, "content_type": reply.content_type[:100], "body": body}
    if error is not None:
        made |= {"code": error.code, "error": error.message}
    return made
