"""One stream that is up: between a party and its application, without a task for its messages."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from switchroom.codecs import Samples, find
from switchroom.switch.calls.script import CallEnded

from .messages import Clear, Mark, Media, StreamError, StreamWriter, read_message

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call, Leg, Stream
    from switchroom.switch.calls.script.stream import Side

    from .socket import Socket

SIDES: dict[str, Side] = {"inbound": "heard", "outbound": "said"}
_RATE = 8000
_MAX_WAITING = 4 << 20  # octets of sound that may wait to be heard: 8 minutes


class Line:
    """What the caller says goes to the application, and what that says to the caller, in its order."""

    def __init__(self, socket: Socket, party: Call | Leg, writer: StreamWriter, *, is_two_way: bool) -> None:
        self._socket, self._party, self._writer = socket, party, writer
        self._is_two_way = is_two_way
        self._streams = {track: party.stream(_RATE, side=SIDES[track]) for track in writer.tracks}
        self._stream: Stream = next(iter(self._streams.values()))
        self._waiting: deque[Media | Mark] = deque()  # beyond what the stream has room for
        self._size = 0
        self._feeder: asyncio.Task[None] | None = None
        self._encoder, self._decoder = find("PCMU").encoder(), find("PCMU").decoder()
        self.lost_count = 0  # frames that the application was too slow for

    async def run(self, parameters: dict[str, str]) -> None:
        """Until one of both is gone. CallEnded: that was the caller. StreamError: it was the application."""
        party, socket = self._party, self._socket
        if self._is_two_way:
            party.hear_keys(self._on_key)
        for text in self._writer.begin(parameters):
            socket.send(text)
        for track, stream in self._streams.items():
            stream.on_frame = partial(self._on_frame, track)
        socket.on_text = self._on_text
        try:
            waiting: set[asyncio.Future[None] | asyncio.Future[str]] = {socket.closed, party.ended}
            await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
            if socket.closed.done():
                socket.closed.result()
        finally:
            for stream in self._streams.values():
                stream.close()
            if self._feeder is not None:
                self._feeder.cancel()
            if self._is_two_way and not party.is_over:
                party.hear_keys(None)
            socket.send(self._writer.stop())
            await socket.close()
        if party.is_over:
            raise CallEnded(party.ended.result())

    # -- to the application

    def _on_frame(self, track: str, frame: Samples) -> None:
        if self._socket.is_congested:
            self.lost_count += 1
            return
        self._socket.send(self._writer.media(self._encoder.encode(frame), track))

    def _on_key(self, key: str) -> None:
        self._socket.send(self._writer.key(key))

    def _on_marked(self, name: str, heard: asyncio.Future[bool]) -> None:
        if not self._stream.is_closed:
            self._socket.send(self._writer.mark(name))

    # -- from it

    def _on_text(self, text: bytes) -> None:
        news = read_message(text)
        if news is None or not self._is_two_way:
            return
        if isinstance(news, Clear):
            self._clear()
        elif self._waiting:
            self._wait(news)
        elif isinstance(news, Mark):
            self._mark(news)
        else:
            left = self._stream.put(self._decoder.decode(news.payload))
            if len(left):
                self._wait(Media(self._encoder.encode(left)))

    def _mark(self, mark: Mark) -> None:
        self._stream.mark().add_done_callback(partial(self._on_marked, mark.name))

    def _wait(self, news: Media | Mark) -> None:
        """There is no room for it yet."""
        self._size += len(news.payload) if isinstance(news, Media) else 1
        if self._size > _MAX_WAITING:
            raise StreamError(31930, "more sound waits to be heard than may wait")
        self._waiting.append(news)
        if self._feeder is None or self._feeder.done():
            self._feeder = asyncio.create_task(self._feed())

    async def _feed(self) -> None:
        while self._waiting:
            news = self._waiting[0]  # it stays there, so that nothing overtakes it
            if isinstance(news, Media):
                await self._stream.send(self._decoder.decode(news.payload))
            self._waiting.popleft()
            self._size -= len(news.payload) if isinstance(news, Media) else 1
            if isinstance(news, Mark):
                self._mark(news)

    def _clear(self) -> None:
        """Nothing of what waits is heard; its marks are told at once."""
        if self._feeder is not None:
            self._feeder.cancel()
            self._feeder = None
        left, self._size = [news for news in self._waiting if isinstance(news, Mark)], 0
        self._waiting.clear()
        self._stream.clear()
        for mark in left:
            self._socket.send(self._writer.mark(mark.name))
