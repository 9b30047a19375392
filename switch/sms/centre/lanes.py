"""Lanes: messages with the same ways, in order. Only their heads are in memory, the rest is on the disk."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator

from switchroom.switch.sms.book import Book
from switchroom.switch.sms.interfaces import State
from switchroom.switch.sms.stored import Stored, restore
from switchroom.switch.store.sms import Row

_HEADS = 1000  # of one lane in memory
_LOW = 200  # more are fetched when so few are left

Place = tuple[int, int]  # rank and message


class Lane:
    """One lane. ``heads`` is all of it up to ``tail``; only what lies behind that must be fetched."""

    __slots__ = ("count", "has_more", "heads", "is_loading", "late", "name", "tail", "ways")

    def __init__(self, name: str) -> None:
        self.name, self.ways = name, tuple(name.split(","))
        self.heads: deque[Stored] = deque()
        self.count = 0  # of all that wait, those that are being written among them
        self.has_more = self.is_loading = False
        self.late: list[Stored] = []  # what came while more was fetched: whether that has it is not known yet
        self.tail: Place = (-1, 0)

    def insert(self, message: Stored) -> None:
        """Take a message that is durable into its place."""
        if place_of(message) <= self.tail:
            self._insert(message)
        elif self.is_loading:
            self.late.append(message)
        elif self.has_more or len(self.heads) >= _HEADS:
            self.has_more = True  # it is fetched when its turn comes
        else:
            self._insert(message)

    def _insert(self, message: Stored) -> None:
        heads, place = self.heads, place_of(message)
        if not heads or place > place_of(heads[-1]):
            heads.append(message)
        else:
            heads.insert(bisect_left(heads, place, key=place_of), message)
        self.tail = max(self.tail, place)

    def loaded(self, messages: list[Stored], last: Place, *, is_end: bool) -> None:
        """More was fetched, up to ``last``."""
        self.is_loading, self.has_more = False, not is_end
        self.heads.extend(messages)
        self.tail = max(self.tail, last)
        late, self.late = self.late, []
        there = {message.id for message in messages} if late else set()
        for message in late:
            if message.id not in there:
                self.insert(message)


def place_of(message: Stored) -> Place:
    """Where it stands among the others of its lane."""
    return message.rank, message.id


class Lanes:
    """All lanes, by the ways that they lead to."""

    def __init__(
        self, book: Book, prepare: Callable[[Stored], None], ready: Callable[[Lane, float], None]
    ) -> None:
        """``prepare`` completes what was read; ``ready`` hears of a lane that has heads again."""
        self._book, self._prepare, self._ready = book, prepare, ready
        self._lanes: dict[str, Lane] = {}
        self._by_way: dict[str, dict[str, Lane]] = {}

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    @property
    def count(self) -> int:
        """Messages that wait in lanes."""
        return sum(lane.count for lane in self._lanes.values())

    def load(self, counts: dict[str, int]) -> None:
        """Begin with what the store has."""
        for name, count in counts.items():
            lane = self.get(name)
            lane.count, lane.has_more = count, True

    def get(self, name: str) -> Lane:
        """The lane of some ways."""
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
            for way in _names(lane):
                self._by_way.setdefault(way, {})[name] = lane
        return lane

    def of(self, way: str) -> list[Lane]:
        """The lanes that a way may serve."""
        return list(self._by_way.get(way, {}).values())

    def drop(self, lane: Lane) -> None:
        """Forget a lane that is empty; there may be one for each user."""
        if lane.count or lane.is_loading or self._lanes.get(lane.name) is not lane:
            return
        del self._lanes[lane.name]
        for way in _names(lane):
            siblings = self._by_way[way]
            del siblings[lane.name]
            if not siblings:
                del self._by_way[way]

    def pop(self, lane: Lane) -> Stored | None:
        """The next message; more are fetched in time. The caller writes down that it has left the lane."""
        while lane.heads:
            message = lane.heads.popleft()
            if message.state is State.QUEUED and message.lane == lane.name:
                lane.count -= 1
                self.fill(lane)
                return message
        self.fill(lane)
        return None

    def take(self, lane: Lane, message: int) -> Stored | None:
        """Take one message out of the memory, if it is there."""
        for at, head in enumerate(lane.heads):
            if head.id == message:
                del lane.heads[at]
                return head
        return None

    def fill(self, lane: Lane) -> None:
        """Fetch what comes next, where that is on the disk."""
        if lane.has_more and not lane.is_loading and len(lane.heads) < _LOW:
            lane.is_loading = True
            self._book.store.ask("heads", (lane.name, *lane.tail, _HEADS), self._on_heads, lane)

    def _on_heads(self, found: list[tuple[int, Row]], lane: Lane, now: float) -> None:
        book, messages, last = self._book, [], lane.tail
        is_end = len(found) < _HEADS
        for rank, row in found:
            if row.id in book.unplaced:
                is_end = False  # it is told of in a moment, and those behind it: they are fetched then
                break
            last = (rank, row.id)
            if row.id not in book.settled:  # else it is about to leave the disk
                message = restore(row)
                self._prepare(message)
                messages.append(message)
        lane.loaded(messages, last, is_end=is_end)
        self._ready(lane, now)


def _names(lane: Lane) -> set[str]:
    """The ways and their kinds: one outlet may serve all of a kind."""
    return {*lane.ways, *(way.partition(":")[0] for way in lane.ways)}
