"""Media Streams over WebSocket: the sound of a call to an application, and what that says to the caller."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from switchroom.switch.calls.script import CallEnded

from ...office import Shelf
from ...webhooks.courier import Letter
from ...webhooks.signature import HEADER, sign
from ...wire.dates import iso
from ..wishes import StreamWish
from .line import Line
from .messages import StreamError, StreamWriter
from .socket import Socket, open_socket

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call, Leg
    from switchroom.switch.store.documents import Document

    from ...office import Office
    from ..live import Live

STREAM = "stream"


class Streams:
    """Those that are up, by their SIDs."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.shelf = Shelf(office, STREAM, "MZ")
        self.running: dict[str, asyncio.Task[None]] = {}

    def start_again(self) -> None:
        """Those of an earlier process are over."""
        for doc in self.shelf.left("in-progress"):
            self._tell(doc.change(time.time(), state="stopped"), "stream-stopped")

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
        line = Line(
            socket, party, StreamWriter(doc.sid, live.account, live.sid, wish.tracks), is_two_way=is_two_way
        )
        try:
            await line.run(wish.parameters)
        except StreamError as error:
            error_code = str(error.code)
            live.complain(error.code, f"Stream: {error.message}")
        finally:
            event = "stream-error" if error_code else "stream-stopped"
            self._tell(doc.change(time.time(), state="stopped"), event, error_code)

    async def _open(self, account: str, url: str) -> Socket:
        headers = {
            HEADER: sign(self._office.accounts.token(account), url),
            "User-Agent": "TwilioProxy/1.1",
        }
        fetcher = self._office.fetcher
        address = await self._check(url)
        return await open_socket(url, address, headers, fetcher.context, fetcher.limits.connect)

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
        if not addresses or not all(map(self._office.fetcher.connections.fence.allows, addresses)):
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
            letters.append(
                Letter(doc.account, doc.sid, "stream", doc.data["callback"], params, doc.data["method"])
            )
        self._office.note(
            [doc], letters, [(doc.account, f"stream.{event.removeprefix('stream-')}", doc.sid, data)]
        )
