"""A leg's sound for a program, and the program's sound for the leg: frames of 20 ms, marks, and clear."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from switchroom.codecs import Samples
from switchroom.switch.media._sound import Pipe

if TYPE_CHECKING:
    from switchroom.switch.media._sound import Station

Side = Literal["heard", "said"]
_HEARD_SECONDS = 2.0  # that may wait to be read; what is older is left out
_SAID_SECONDS = 10.0  # that may wait to be played


class Stream:
    """``async for frame in stream`` gives what is heard; ``send`` takes what is to be said."""

    def __init__(self, station: Station, rate: int, side: Side = "heard") -> None:
        """``side``: said, for what is said to the leg instead."""
        self.rate = rate
        self.frame = rate // 50
        self.is_closed = False
        self._cleared = 0  # how often
        self._station = station
        self._heard = Pipe(rate, _HEARD_SECONDS)
        self._said: Pipe | None = None
        self._left = np.zeros(0, dtype=np.int16)
        self._frames: deque[Samples] = deque(maxlen=round(50 * _HEARD_SECONDS))
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._marks: deque[tuple[int, asyncio.Future[bool]]] = deque()
        self.on_frame: Callable[[Samples], object] | None = None  # gets each at once, instead of who iterates
        if side == "heard":
            station.tap(self._heard, is_told=True)
        else:
            station.tap(None, self._heard, is_told=True)

    # -- what is heard

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Samples:
        while not self._frames:
            if self.is_closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._frames.popleft()

    # -- what is said

    async def send(self, samples: Samples) -> None:
        """Say something after what waits to be said; waits while there is much. ``clear`` ends it too."""
        left = np.ascontiguousarray(samples, dtype=np.int16)
        count = self._cleared
        while len(left) and not self.is_closed and self._cleared == count:
            said = self._open()
            left = left[said.write(left) :]
            if len(left):
                self._room.clear()
                said.await_room()
                if said.room < self.frame:
                    await self._room.wait()

    def put(self, samples: Samples) -> Samples:
        """Say as much after what waits as there is room for; what is left."""
        return samples if self.is_closed else samples[self._open().write(samples) :]

    async def feed(self, frames: AsyncIterable[Samples]) -> bool:
        """Say what somebody makes, as it comes; whether all of it has been heard: it was not cleared."""
        count = self._cleared
        async for samples in frames:
            if self._cleared != count or self.is_closed:
                return False
            await self.send(samples)
        return self._cleared == count and await self.mark()

    def mark(self) -> asyncio.Future[bool]:
        """Comes true when what was sent until now has been heard, false when it was cleared."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        said = self._open()
        if self.is_closed or said.waiting == 0:
            future.set_result(not self.is_closed)
            return future
        self._marks.append((said.written, future))
        said.mark(self._marks[0][0])
        self._check_marks()
        return future

    def clear(self) -> None:
        """Say nothing of what waits: somebody has interrupted."""
        self._cleared += 1
        self._room.set()  # whoever waits to say more does not
        if self._said is not None:
            self._said.mark(None)
            self._said.clear()
        while self._marks:
            _, future = self._marks.popleft()
            if not future.done():
                future.set_result(False)

    @property
    def waiting(self) -> float:
        """Seconds that wait to be said."""
        return 0.0 if self._said is None else self._said.waiting / self.rate

    def close(self) -> None:
        """Hear and say no more."""
        if self.is_closed:
            return
        self.is_closed = True
        self.clear()
        if self._said is not None:
            self._said.end()
        if not self._station.is_closed:
            self._station.untap(self._heard)
        self._news.set()
        self._room.set()

    def _open(self) -> Pipe:
        if self._said is None:
            self._said = Pipe(self.rate, _SAID_SECONDS)
            self._station.play(self._said)
        return self._said

    def _check_marks(self) -> None:
        assert self._said is not None
        while self._marks and self._said.read_count >= self._marks[0][0]:
            _, future = self._marks.popleft()
            if not future.done():
                future.set_result(True)
        self._said.mark(self._marks[0][0] if self._marks else None)

    # -- from the engine

    def hear(self, kind: str, value: int) -> None:
        """What the bell tells of the station."""
        if kind == "data" and value == self._heard.id:
            self._take(self._heard.read(self.rate))
        elif self._said is not None and value == self._said.id:
            if kind == "low":
                self._room.set()
            elif kind == "marked":
                self._check_marks()

    def _take(self, samples: Samples) -> None:
        if len(self._left):
            samples = np.concatenate([self._left, samples])
        whole = len(samples) // self.frame * self.frame
        take = self.on_frame or self._frames.append
        for at in range(0, whole, self.frame):
            take(samples[at : at + self.frame])
        self._left = samples[whole:]
        if whole and self.on_frame is None:
            self._news.set()
