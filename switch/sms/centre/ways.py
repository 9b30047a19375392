"""Ways out: what an outlet has room for is claimed on the disk first, and handed over then."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from switchroom.switch.sms.book import Book
from switchroom.switch.sms.interfaces import Fault, Form, Outcome, Outlet, Part
from switchroom.switch.sms.receipts.receipts import progress_of
from switchroom.switch.sms.stored import Stored
from switchroom.switch.sms.texts import UnsendableError, parts_of
from switchroom.switch.store.sms import Expecting

from .lanes import Lane, Lanes
from .turns import Turns

_BATCH = 500  # messages claimed at a time


class Way:
    """An outlet that is there, and what is promised to it."""

    __slots__ = ("_room", "_room_at", "name", "outlet", "ready", "reserved", "turn")

    def __init__(self, outlet: Outlet) -> None:
        self.outlet, self.name = outlet, outlet.name
        self.reserved = 0  # messages that are being written down as on their way
        self.ready: deque[Part] = deque()  # parts that may go
        self.turn = 0  # which of its lanes goes first
        self._room, self._room_at = 0, -1.0

    def free(self, now: float) -> int:
        """How many more it takes: asked once for all messages of a turn."""
        if now != self._room_at:
            self._room, self._room_at = self.outlet.room(now), now
        return self._room - self.reserved - len(self.ready)

    def look_again(self) -> None:
        """Its room is another now."""
        self._room_at = -1.0


class Ways:
    """The outlets that are attached. ``failed`` hears what they cannot take, ``place`` what goes back."""

    def __init__(
        self,
        book: Book,
        failed: Callable[[Stored, Outcome, float], None],
        place: Callable[[Stored, float], None],
        expired: Callable[[Stored, float], None],
    ) -> None:
        self._book, self._failed, self._place, self._expired = book, failed, place, expired
        self._ways: dict[str, Way] = {}
        self._dirty: dict[str, Way] = {}
        self.turns = Turns()
        self.lanes: Lanes
        self.is_known: Callable[[str], bool] = lambda way: True  # whether a route may lead to a way
        self.is_routed: Callable[[Stored, float], bool] = lambda message, now: True
        self.gather: Callable[[str, Form, Stored, float], None]

    def get(self, name: str) -> Way | None:
        """The way of this name, where it is there: by its name, or by its kind."""
        return self._ways.get(name) or self._ways.get(name.partition(":")[0])

    def first(self, lane: Lane) -> Way | None:
        """The way that a lane takes now: the first that is there."""
        for name in lane.ways:
            way = self.get(name)
            if way is not None:
                return way
        return None

    def name_of(self, way: Way, lane: Lane) -> str:
        """By which of its names a lane means a way: an outlet may serve a whole kind."""
        if lane.name == way.name:
            return way.name
        return next((name for name in lane.ways if self.get(name) is way), way.name)

    def attach(self, outlet: Outlet, now: float) -> None:
        """An outlet is there, or has room again."""
        way = self._ways.get(outlet.name)
        if way is None or way.outlet is not outlet:
            way = self._ways[outlet.name] = Way(outlet)
        self._dirty[way.name] = way
        self.pump(way, now)

    def detach(self, name: str, now: float) -> None:
        """It is gone: what it did not get goes elsewhere, or waits."""
        way = self._ways.pop(name, None)
        if way is None:
            return
        self._dirty.pop(name, None)
        messages = {part.message.id: part.message for part in way.ready}
        way.ready.clear()
        for message in messages.values():
            assert isinstance(message, Stored)
            for waiting in (message, *message.joined):
                self._place(waiting, now)
        for lane in self.lanes.of(name):
            self.pump_lane(lane, now)

    # -- claiming

    def pump(self, way: Way, now: float) -> None:
        """Claim what waits for this way, as far as there is room."""
        way.look_again()
        lanes = self.lanes.of(way.name)
        if len(lanes) > 1:
            way.turn = (way.turn + 1) % len(lanes)
            lanes = lanes[way.turn :] + lanes[: way.turn]
        for lane in lanes:
            if lane.count and self.first(lane) is way:
                self._claim(lane, way, now)

    def pump_lane(self, lane: Lane, now: float) -> None:
        """Claim what waits in this lane."""
        way = self.first(lane)
        if way is not None and lane.count:
            self._claim(lane, way, now)
        elif lane.count and not any(map(self.is_known, lane.ways)):
            self._empty(lane, now)

    def heal(self, now: float) -> None:
        """The routes have changed: what waits for a way that is in none any more goes by the new ones."""
        for lane in list(self.lanes):
            self.pump_lane(lane, now)

    def _empty(self, lane: Lane, now: float) -> None:
        while lane.heads and self.is_routed(lane.heads[0], now):
            message = self.lanes.pop(lane)
            if message is None:
                break
            self._book.store.pending.unqueue(lane.name, message.rank, message.id)
            self._place(message, now)
        self.lanes.fill(lane)
        self.lanes.drop(lane)

    def _claim(self, lane: Lane, way: Way, now: float) -> None:
        free = min(way.free(now), _BATCH)
        claimed: list[Stored] = []
        pending = self._book.store.pending
        posix = self._book.posix(now)
        while free > 0:
            message = self.lanes.pop(lane)
            if message is None:
                break
            if message.turn and not self.turns.take(message):
                lane.count += 1
                if self.turns.is_full:
                    lane.heads.appendleft(message)
                    break
                self.turns.wait(message)
                continue
            pending.unqueue(lane.name, message.rank, message.id)
            if message.expires_at <= posix:
                self._expired(message, now)
                continue
            message.outlet = self.name_of(way, lane)
            self._book.claim(message, now)
            claimed.append(message)
            free -= 1
        if claimed:
            way.reserved += len(claimed)
            pending.after((self._on_claimed, (way, claimed)))
        self.lanes.drop(lane)

    def reserve(self, lane: Lane, message: Stored, now: float) -> Way | None:
        """The way that a message of this lane may take at once, past nobody; it has a place there then."""
        if lane.count:
            return None
        way = self.first(lane)
        if way is None or way.free(now) <= 0 or (message.turn and not self.turns.take(message)):
            return None
        way.reserved += 1
        return way

    def end_turn(self, message: Stored, now: float) -> None:
        """The next one to the same receiver may go."""
        waiting = self.turns.end(message)
        if waiting is not None:
            lane = self.lanes.get(waiting.lane)
            lane.insert(waiting)
            self.pump_lane(lane, now)

    def _on_claimed(self, is_written: bool, claim: tuple[Way, list[Stored]], now: float) -> None:
        way, messages = claim
        if is_written:
            self.hand_over(way, messages, now)

    def hand_over(self, way: Way, messages: Iterable[Stored], now: float) -> None:
        """What is durable goes, when ``flush`` comes."""
        is_there = self._ways.get(way.name) is way
        for message in messages:
            way.reserved -= 1
            if is_there and message.parts > 1 and message.progress is None:
                way.reserved += 1  # until it is read which of its parts have gone
                self._book.store.ask("parts", (message.id,), self._on_parts, (way, message))
            elif is_there:
                self._dispatch(way, message, now)
            else:
                self._place(message, now)

    def _on_parts(self, found: list[Expecting], asked: tuple[Way, Stored], now: float) -> None:
        way, message = asked
        message.progress = progress_of(found, message.parts)
        self.hand_over(way, (message,), now)

    def _dispatch(self, way: Way, message: Stored, now: float) -> None:
        form = way.outlet.form
        if form.is_whole and message.submission.concat.total > 1:
            self.gather(way.name, form, message, now)
            return
        try:
            parts = parts_of(message, form)
        except UnsendableError as error:
            part = Part(message, b"", 0)
            self._failed(message, Outcome(part, fault=Fault.ROUTE, text=str(error)), now)
            return
        if len(parts) > 1 or message.progress:
            if message.progress is None or len(message.progress) != len(parts):
                message.progress, message.parts = [None] * len(parts), len(parts)
            parts = [part for part in parts if message.progress[part.ordinal] is None]
        message.outstanding = len(parts)
        way.ready.extend(parts)
        self._dirty[way.name] = way

    def put(self, name: str, part: Part, now: float) -> None:
        """This may go too, when ``flush`` comes."""
        way = self._ways.get(name)
        message = part.message
        assert isinstance(message, Stored)
        if way is not None:
            way.ready.append(part)
            self._dirty[name] = way
            return
        for waiting in (message, *message.joined):
            self._place(waiting, now)

    def flush(self, now: float) -> None:
        """Hand over what is ready."""
        while self._dirty:
            _, way = self._dirty.popitem()
            count = min(len(way.ready), way.outlet.room(now))
            if count > 0:
                ready = way.ready
                way.outlet.send([ready.popleft() for _ in range(count)], now)
                way.look_again()

    def dirty(self, name: str) -> None:
        """An outlet may have room again for what is ready."""
        way = self._ways.get(name)
        if way is not None and way.ready:
            self._dirty[name] = way

    def rows(self, now: float) -> list[dict[str, Any]]:
        """For people."""
        return [
            {"outlet": way.name, "room": way.outlet.room(now), "ready": len(way.ready) + way.reserved}
            for way in self._ways.values()
        ]
