"""One ordered stream of everything that happens, as CloudEvents: over Server-Sent Events and WebSocket."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from switchroom.switch.store.documents import Query

from .front.accounts import ACCOUNT
from .front.desk import check_origin, send_error
from .wire.dates import iso
from .wire.errors import ApiError

if TYPE_CHECKING:
    from .front.desk import Receive, Scope, Send
    from .front.gate import Gate
    from .office import Office

PATH = "/events"
_BATCH = 200
_KEEP_ALIVE = 15.0
_MAX_STREAMS, _MAX_OF_ACCOUNT = 200, 20
_MAX_ACCOUNTS = 10_000


class _Listener(NamedTuple):
    account: str
    has_all: bool  # those of its subaccounts too
    after: int


class EventStreams:
    """Whoever listens: each reads the durable events of its account from where it says."""

    def __init__(self, office: Office, gate: Gate) -> None:
        self._office, self._gate = office, gate
        self._news: dict[asyncio.Event, str] = {}  # of which account
        self._is_closing = False
        office.on_events.append(self._wake)

    def close(self) -> None:
        """Send everybody away."""
        self._is_closing = True
        self._wake()

    @property
    def count(self) -> int:
        """How many listen."""
        return len(self._news)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One listener."""
        try:
            listener = self._admit(scope)
        except ApiError as error:
            if scope["type"] == "http":
                await send_error(send, error)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": str(error.code)})
            return
        serve = self._serve_http if scope["type"] == "http" else self._serve_websocket
        await serve(listener, receive, send)

    def _admit(self, scope: Scope) -> _Listener:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        check_origin(headers)
        source = scope["client"][0] if scope.get("client") else ""
        principal = self._gate.admit(headers.get("authorization", ""), source, time.time())
        if not principal.may("events:read"):
            raise ApiError(20006)
        own = sum(account == principal.account for account in self._news.values())
        if self.count >= _MAX_STREAMS or own >= _MAX_OF_ACCOUNT:
            raise ApiError(20503, "Too many listen already")
        query = parse_qs(scope["query_string"].decode("latin-1"))
        text = headers.get("last-event-id") or query.get("after", ["0"])[-1]
        everybody = query.get("subaccounts", ["false"])[-1].lower() in ("true", "1")
        has_all = everybody and principal.is_main
        if text == "now":
            return _Listener(principal.account, has_all, self._office.library.event_id)
        if not text.isdecimal() or len(text) > 18:
            raise ApiError(20422, "after: must be the number of an event, or now")
        return _Listener(principal.account, has_all, int(text))

    async def _serve_http(self, listener: _Listener, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.create_task(_until(receive, "http.disconnect"))
        try:
            async for one in self._events(listener, gone):
                text = ": still here\n\n" if one is None else _sse(one)
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        finally:
            gone.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _serve_websocket(self, listener: _Listener, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        gone = asyncio.create_task(_until(receive, "websocket.disconnect"))
        try:
            async for one in self._events(listener, gone):
                if one is not None:  # the protocol has pings of its own
                    await send({"type": "websocket.send", "text": json.dumps(one)})
        finally:
            gone.cancel()
        if not gone.done():
            await send({"type": "websocket.close", "code": 1001})

    async def _events(
        self, listener: _Listener, gone: asyncio.Task[None]
    ) -> AsyncIterator[dict[str, Any] | None]:
        """Events as they become durable; None now and then, so that a dead connection is noticed."""
        news = asyncio.Event()
        self._news[news] = listener.account
        library, after = self._office.library, listener.after
        try:
            first = await library.first_event()
            if 0 < after < first - 1:  # some may be missing: whoever counts on all of them must know
                data = json.dumps({"after": after, "first": first})
                yield _cloud_event(listener.account, first - 1, "events.lost", "", time.time(), data)
            while not self._is_closing and not gone.done():
                news.clear()
                rows = await library.events_after(self._accounts(listener), after, _BATCH)
                for id, *event in rows:
                    yield _cloud_event(event[0], id, *event[1:])
                    after = id
                if rows:
                    continue
                waiting = asyncio.ensure_future(news.wait())
                await asyncio.wait({waiting, gone}, timeout=_KEEP_ALIVE, return_when="FIRST_COMPLETED")
                if waiting.done():
                    continue
                waiting.cancel()
                yield None
        finally:
            del self._news[news]

    def _accounts(self, listener: _Listener) -> list[str]:
        if not listener.has_all:
            return [listener.account]
        owned = Query(ACCOUNT, listener.account, limit=_MAX_ACCOUNTS)  # the account itself is among them
        return [doc.sid for doc in self._office.library.select(owned)]

    def _wake(self) -> None:
        for news in self._news:
            news.set()


def _cloud_event(account: str, id: int, kind: str, subject: str, at: float, data: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(id),
        "source": f"/accounts/{account}",
        "type": f"switchroom.{kind}",
        "subject": subject,
        "time": (iso(at) or "").replace("Z", f".{int(at % 1 * 1000):03d}Z"),
        "datacontenttype": "application/json",
        "data": json.loads(data),
    }


def _sse(event: dict[str, Any]) -> str:
    return f"id: {event['id']}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n"


async def _until(receive: Receive, kind: str) -> None:
    while (await receive())["type"] != kind:
        pass
