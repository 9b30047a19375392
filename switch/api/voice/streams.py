"""Media Streams over WebSocket: the sound of a call to an application, and what that says to the caller."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from switchroom.codecs import find
from switchroom.switch.calls.script import CallEnded

from ..office import Shelf
from ..webhooks.courier import Letter
from ..webhooks.signature import HEADER, sign
from ..wire.dates import iso
from .actions import StreamWish
from .media_stream import MAX_MESSAGE, Clear, Mark, Media, StreamError, StreamWriter, read_message

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call, Leg, Stream
    from switchroom.switch.store.documents import Document

    from ..office import Office
    from .live import Live

STREAM = "stream"
_RATE = 8000
_MAX_WAITING = 4 << 20  # octets of sound that may wait to be heard: 8 minutes


class Streams:
    """Those that are up, by their SIDs."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.shelf = Shelf(office, STREAM, "MZ")
        self.running: dict[str, asyncio.Task[None]] = {}

    async def connect(self, live: Live, party: Call | Leg, wish: StreamWish) -> str:
        """Let an application talk with the caller until it, or the caller, has enough; its SID."""
        doc = self._row(live, wish)
        await self._run(live, party, wish, doc, is_two_way=True)
        return doc.sid

    def start(self, live: Live, party: Call | Leg, wish: StreamWish) -> Document:
        """Let an application listen while the call goes on."""
        doc = self._row(live, wish)

        async def run() -> None:
            with suppress(CallEnded):
                await self._run(live, party, wish, doc, is_two_way=False)

        task = self.running[doc.sid] = asyncio.create_task(run())
        self._office.tasks.add(task)
        task.add_done_callback(self._office.tasks.discard)
        task.add_done_callback(lambda _: self.running.pop(doc.sid, None))
        return doc

    def find(self, call: Document, name: str) -> Document | None:
        """The one of a call that has that name, or that SID, and goes on."""
        for sid in list(self.running):
            doc = self._office.library.get(STREAM, sid, call.account)
            if doc is not None and doc.parent == call.sid and name in (sid, doc.data["name"]):
                return doc
        return None

    def end(self, doc: Document) -> None:
        """No more."""
        if (task := self.running.get(doc.sid)) is not None:
            task.cancel()

    def stop(self, live: Live, name: str) -> bool:
        """End the one of a call that has that name; False: there is none."""
        doc = self.find(live.doc, name)
        if doc is not None:
            self.end(doc)
        return doc is not None

    def _row(self, live: Live, wish: StreamWish) -> Document:
        data = {"name": wish.name, "url": wish.url, "callback": wish.callback, "method": wish.method}
        return self.shelf.new(live.account, data, parent=live.sid, state="in-progress")

    async def _run(
        self, live: Live, party: Call | Leg, wish: StreamWish, doc: Document, *, is_two_way: bool
    ) -> None:
        try:
            socket = await self._open(live.account, wish.url)
        except StreamError as error:
            live.complain(error.code, f"Stream: {error.message}")
            self._tell(doc.change(time.time(), state="stopped"), "stream-error", str(error.code))
            return
        self._tell(doc, "stream-started")
        error_code = ""
        line = _Line(socket, party, StreamWriter(doc.sid, live.account, live.sid), is_two_way=is_two_way)
        try:
            await line.run(wish.parameters)
        except StreamError as error:
            error_code = str(error.code)
            live.complain(error.code, f"Stream: {error.message}")
        finally:
            event = "stream-error" if error_code else "stream-stopped"
            self._tell(doc.change(time.time(), state="stopped"), event, error_code)

    async def _open(self, account: str, url: str) -> ClientConnection:
        host, port = await self._check(url)
        limits = self._office.fetcher.limits
        headers = {HEADER: sign(self._office.accounts.token(account), url)}
        secure = self._office.fetcher.context if url.startswith("wss:") else None
        try:
            return await connect(
                url,
                host=host,
                port=port,
                additional_headers=headers,
                user_agent_header="TwilioProxy/1.1",
                open_timeout=limits.connect,
                close_timeout=1.0,
                max_size=MAX_MESSAGE,
                max_queue=64,
                compression=None,
                proxy=None,
                ssl=secure,
            )
        except TimeoutError:
            raise StreamError(31901, f"{url[:200]}: no answer in time") from None
        except (InvalidHandshake, InvalidURI) as error:
            raise StreamError(31920, f"{url[:200]}: {error}"[:300]) from None
        except OSError as error:
            raise StreamError(31902, f"{url[:200]}: {error}"[:300]) from None

    async def _check(self, url: str) -> tuple[str, int]:
        """The one address that is used, which was looked up and may be reached."""
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise StreamError(31920, "the URL is not one of wss")
        port = parts.port or (443 if parts.scheme == "wss" else 80)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise StreamError(31902, f"{parts.hostname}: there is no such name") from None
        addresses = [str(info[4][0]) for info in found]
        if not addresses or not all(map(self._office.fetcher.backend.fence.allows, addresses)):
            raise StreamError(31902, f"{parts.hostname}: is not an address that may be reached")
        if parts.scheme == "ws" and ip_address(addresses[0]).is_global:
            raise StreamError(31920, "the URL must be one of wss, for it leads into the world")
        return addresses[0], port

    def _tell(self, doc: Document, event: str, error: str = "") -> None:
        data = {"event": event, "name": doc.data["name"], "call": doc.parent}
        letters = []
        if doc.data["callback"]:
            params = [
                ("AccountSid", doc.account),
                ("CallSid", doc.parent),
                ("StreamSid", doc.sid),
                ("StreamName", doc.data["name"]),
                ("StreamEvent", event),
                ("Timestamp", iso(time.time()) or ""),
            ]
            if error:
                params.append(("StreamError", error))
            letter = Letter(doc.account, doc.sid, "stream", doc.data["callback"], params, doc.data["method"])
            letters.append(self._office.courier.make(letter))
        events = [(doc.account, f"stream.{event.removeprefix('stream-')}", doc.sid, data)]
        written = self._office.begin([doc, *letters], events=events)
        if letters:
            written.add_done_callback(lambda _: self._office.courier.post_all(letters))


class _Line:
    """One stream that is up."""

    def __init__(
        self, socket: ClientConnection, party: Call | Leg, writer: StreamWriter, *, is_two_way: bool
    ) -> None:
        self._socket, self._party, self._writer = socket, party, writer
        self._is_two_way = is_two_way
        self._stream: Stream = party.stream(_RATE)
        self._waiting: deque[Media | Mark] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._feeder: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._decoder = find("PCMU").decoder()

    async def run(self, parameters: dict[str, str]) -> None:
        """Until one of both is gone. CallEnded: that was the caller."""
        party = self._party
        if self._is_two_way:
            party.hear_keys(self._on_key)
            self._feeder = asyncio.create_task(self._feed())
        tasks = [asyncio.create_task(self._listen(parameters)), asyncio.create_task(self._obey())]
        try:
            waiting: set[asyncio.Future[Any]] = {*tasks, party.ended}
            await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
            for task in tasks:
                if task.done() and isinstance(task.exception(), StreamError):
                    task.result()
        finally:
            self._stream.close()
            if self._is_two_way and not party.is_over:
                party.hear_keys(None)
            mine = [*tasks, *([self._feeder] if self._feeder is not None else [])]
            for task in mine:
                task.cancel()
            await asyncio.gather(*mine, return_exceptions=True)
            with suppress(ConnectionClosed):
                await self._socket.send(self._writer.stop())
            await self._socket.close()
        if party.is_over:
            raise CallEnded(party.ended.result())

    async def _listen(self, parameters: dict[str, str]) -> None:
        """What the caller says goes to the application."""
        encoder = find("PCMU").encoder()
        send, media = self._socket.send, self._writer.media
        with suppress(ConnectionClosed):
            for text in self._writer.begin(parameters):
                await send(text)
            async for frame in self._stream:
                await send(media(encoder.encode(frame)))

    async def _obey(self) -> None:
        """What the application says goes to the caller, in its order."""
        with suppress(ConnectionClosed):
            async for text in self._socket:
                news = read_message(text)
                if isinstance(news, Clear):
                    await self._clear()
                elif news is not None and self._is_two_way:
                    self._size += len(news.payload) if isinstance(news, Media) else 0
                    if self._size > _MAX_WAITING:
                        raise StreamError(31930, "more sound waits to be heard than may wait")
                    self._waiting.append(news)
                    self._news.set()

    async def _feed(self) -> None:
        while True:
            while self._waiting:
                news = self._waiting.popleft()
                if isinstance(news, Mark):
                    self._stream.mark().add_done_callback(partial(self._on_marked, news.name))
                else:
                    self._size -= len(news.payload)
                    await self._stream.send(self._decoder.decode(news.payload))
            self._news.clear()
            await self._news.wait()

    async def _clear(self) -> None:
        """Nothing of what waits is heard; its marks are told at once."""
        if self._feeder is None:
            return
        self._feeder.cancel()
        await asyncio.gather(self._feeder, return_exceptions=True)
        self._stream.clear()
        left, self._size = [news for news in self._waiting if isinstance(news, Mark)], 0
        self._waiting.clear()
        for mark in left:
            self._marked(mark.name)
        self._feeder = asyncio.create_task(self._feed())

    def _on_marked(self, name: str, heard: asyncio.Future[bool]) -> None:
        self._marked(name)

    def _marked(self, name: str) -> None:
        self._send(self._writer.mark(name))

    def _on_key(self, key: str) -> None:
        self._send(self._writer.key(key))

    def _send(self, text: str) -> None:
        """Say something without waiting; whoever is gone does not hear it."""

        async def send() -> None:
            with suppress(ConnectionClosed):
                await self._socket.send(text)

        if not self._stream.is_closed:
            task = asyncio.create_task(send())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
