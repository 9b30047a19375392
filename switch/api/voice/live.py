"""The row of a call that is up: each change is written down, told to its callbacks and to the events."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

import structlog

from ..webhooks.cookies import Cookies
from ..webhooks.courier import Letter
from ..webhooks.fetch import FetchError, Reply, Request
from .actions import (
    Fetch,
    Page,
)
from .render import FINAL, call_params, callback_params, event

if TYPE_CHECKING:
    from switchroom.switch.store.documents import Document

    from ..office import Office

_EVENTS = {"queued": "initiated", "ringing": "ringing", "in-progress": "answered"}
_RANKS = {"queued": 0, "ringing": 1, "in-progress": 2}
_MAX_REQUESTS = 30
_SHOWN = 2000
_PASSWORD = re.compile(r"""(?<=password)\s*=\s*("[^"]*"?|'[^']*'?)""")  # of a Sip

log = structlog.get_logger("switchroom.api")


class Live:
    """One call as the API has it."""

    def __init__(self, office: Office, doc: Document) -> None:
        self._office = office
        self.doc = doc
        self.cookies = Cookies()
        self._requests: list[dict[str, Any]] = []

    @property
    def sid(self) -> str:
        """As clients know it."""
        return self.doc.sid

    @property
    def account(self) -> str:
        """Whose it is."""
        return self.doc.account

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.doc.state in FINAL

    def begin(self) -> asyncio.Future[None]:
        """Write the row of a call that begins."""
        return self._write(self.doc)

    def enter(self, state: str, **data: Any) -> None:
        """Another state; one that was passed already is not entered again."""
        if self.is_over or _RANKS.get(state, 9) <= _RANKS.get(self.doc.state, 0):
            return
        now = time.time()
        if state == "in-progress":
            data["answered_at"] = now
        columns = {"at": now} if state == "in-progress" else {}
        self._write(self.doc.change(now, state=state, data=data, **columns))

    def keep(self, **data: Any) -> None:
        """Something more that is to be known of it."""
        self.doc = self.doc.change(time.time(), data=data)
        self._office.begin([self.doc])

    def end(self, state: str, cause: int = 0) -> None:
        """It is over: with how many seconds of talk."""
        if self.is_over:
            return
        now = time.time()
        answered_at = self.doc.data.get("answered_at")
        data: dict[str, Any] = {"ended_at": now, "requests": self._requests}
        data["duration"] = 0 if answered_at is None else round(now - answered_at)
        if cause:
            data["cause"] = cause
        if "login" in self.doc.data:
            data["login"] = None  # it is not needed any more
        final = "completed" if answered_at is not None else state
        self._write(self.doc.change(now, state=final, data=data, at=self.doc.at or self.doc.created_at))

    def _write(self, doc: Document) -> asyncio.Future[None]:
        letters = self._letters(doc)
        if letters:
            doc = doc.change(doc.updated_at, data={"told": doc.data.get("told", 0) + 1})
        self.doc = doc
        done = self._office.begin([doc, *letters], events=[event(doc)])
        if letters:
            done.add_done_callback(lambda future: self._written(future, letters))
        return done

    def _written(self, future: asyncio.Future[None], letters: list[Document]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._office.courier.post_all(letters)

    def _letters(self, doc: Document) -> list[Document]:
        callback = doc.data.get("callback")
        what = "completed" if doc.state in FINAL else _EVENTS[doc.state]
        if not callback or what not in callback["events"]:
            return []
        params = callback_params(doc, what, doc.data.get("told", 0), time.time())
        letter = Letter(doc.account, doc.sid, "call", callback["url"], params, callback["method"])
        return [self._office.courier.make(letter)]

    # -- its documents

    async def fetch(self, fetch: Fetch, status: str = "") -> Page:
        """Ask for a document, with another status than the row's perhaps; FetchError: there is none."""
        params = [*call_params(self.doc, status), *fetch.params]
        request = Request(fetch.url, fetch.method, params)
        token = self._office.accounts.token(self.account)
        started = time.time()
        try:
            reply = await self._office.fetcher.persist(request, token, cookies=self.cookies)
            self._note(fetch, params, started, reply)
            if not 200 <= reply.status < 300:
                raise FetchError(11200, f"{fetch.url[:200]}: status {reply.status}", status=reply.status)
        except FetchError as error:
            if not error.status:
                self._note(fetch, params, started, None, error)
            raise
        return Page(reply.url, reply.content_type, reply.body)

    def _note(
        self,
        fetch: Fetch,
        params: list[tuple[str, str]],
        started: float,
        reply: Reply | None,
        error: FetchError | None = None,
    ) -> None:
        """For ``/Events``: the last requests of a call and what was answered."""
        made: dict[str, Any] = {"at": round(started, 3), "seconds": round(time.time() - started, 3)}
        made |= {"url": fetch.url, "method": fetch.method, "params": params}
        if reply is not None:
            text = reply.body.decode("utf-8", "replace").replace("\0", "")  # UTF-16 is readable then
            shown = _PASSWORD.sub('="***"', text)[:_SHOWN]
            made |= {"status": reply.status, "content_type": reply.content_type[:100], "body": shown}
        if error is not None:
            made |= {"code": error.code, "error": error.message}
        self._requests = [*self._requests[1 - _MAX_REQUESTS :], made]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The last ones."""
        return list(self.doc.data.get("requests", self._requests))

    def complain(self, code: int, text: str) -> None:
        """Something could not be done: a line of the log and an event of the account."""
        log.warning("api.twiml_refused", call=self.sid, code=code, reason=text[:300])
        data = {"code": code, "message": text[:300], "resource": self.sid}
        self._office.begin(events=[(self.account, "alert.webhook", self.sid, data)])
