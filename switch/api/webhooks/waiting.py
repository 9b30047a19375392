"""Letters that wait, in memory as far as there is room: accounts take turns, none has all the couriers."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable

from switchroom.switch.store.documents import Document

Key = tuple[str, str]  # account and resource: letters about one go in order


class Waiting:
    """By resource. What there is no room for is on the disk, and is read again when there is some."""

    def __init__(self, share: Callable[[], int], room: Callable[[], int]) -> None:
        """``share``: how many of one account may be under way; ``room``: how many letters are held."""
        self._share, self._room = share, room
        self._queues: dict[Key, deque[Document]] = {}
        self._ready: OrderedDict[str, deque[Key]] = OrderedDict()
        self._running: Counter[str] = Counter()
        self._held: set[str] = set()
        self.left_from: int | None = None  # the first letter that was left on the disk

    def __len__(self) -> int:
        return len(self._held)

    @property
    def has_room(self) -> bool:
        """Whether it is time to read what was left on the disk."""
        return self.left_from is not None and len(self._held) <= self._room() // 2

    def add(self, doc: Document) -> None:
        """Hold a letter. While some are left on the disk all are: none overtakes another."""
        if self.left_from is not None or len(self._held) >= self._room():
            self.left_from = doc.seq if self.left_from is None else min(self.left_from, doc.seq)
            return
        self._hold(doc)

    def refill(self, docs: Iterable[Document], *, is_all: bool) -> None:
        """Hold letters that were read from the disk, in order; ``is_all``: no others are there."""
        last = 0
        for doc in docs:
            if doc.sid not in self._held:
                self._hold(doc)
            last = doc.seq
        self.left_from = None if is_all else last + 1

    def _hold(self, doc: Document) -> None:
        key = doc.account, doc.parent
        self._held.add(doc.sid)
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = deque([doc])
            self.wake(key)
        else:
            queue.append(doc)

    def wake(self, key: Key) -> None:
        """A resource is ready: its first letter may go."""
        self._ready.setdefault(key[0], deque()).append(key)

    def take(self) -> Key | None:
        """A resource whose first letter goes now: of the account whose turn it is."""
        for account, keys in self._ready.items():
            if self._running[account] < self._share():
                key = keys.popleft()
                if keys:
                    self._ready.move_to_end(account)
                else:
                    del self._ready[account]
                self._running[account] += 1
                return key
        return None

    def first(self, key: Key) -> Document:
        """The letter that goes."""
        return self._queues[key][0]

    def keep(self, key: Key, doc: Document) -> None:
        """The letter was tried, and will be again."""
        self._queues[key][0] = doc

    def drop(self, key: Key) -> None:
        """The letter is over."""
        self._held.discard(self._queues[key].popleft().sid)

    def give_back(self, key: Key, *, is_later: bool) -> None:
        """Its courier is free; ``is_later``: it wakes when its time has come."""
        self._running[key[0]] -= 1
        if not self._running[key[0]]:
            del self._running[key[0]]
        if is_later:
            return
        if self._queues[key]:
            self.wake(key)
        else:
            del self._queues[key]
