"""Parts back into messages, whatever their order, with some lost and some twice, and bounded in everything.

Nothing that was taken is dropped: what stays incomplete too long, or has to make room, comes out as it is.
The owner keeps the parts where they last; ``Fragment.id`` is his name for one.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from .header import Concatenation

__all__ = ["Fragment", "Joined", "Joiner", "JoinerConfig", "key_of"]


@dataclass(frozen=True, slots=True)
class Fragment:
    """One part as it came; ``data`` is whatever the owner joins: septets, octets, or a text."""

    key: Hashable  # who sends to whom, and in which encoding
    concatenation: Concatenation
    data: bytes
    id: object = None


@dataclass(frozen=True, slots=True)
class Joined:
    """A message with all its parts in order, or with what is there of it."""

    key: Hashable
    fragments: tuple[Fragment, ...]
    total: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return len(self.fragments) == self.total

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers of the parts that never came."""
        there = {fragment.concatenation.number for fragment in self.fragments}
        return tuple(number for number in range(1, self.total + 1) if number not in there)


@dataclass(frozen=True, slots=True)
class JoinerConfig:
    """What it may hold, and how long."""

    timeout: float = 24 * 3600.0  # seconds until an incomplete message is given out
    max_messages: int = 10_000
    max_octets: int = 8_000_000
    max_messages_per_key: int = 32
    remember: float = 600.0  # seconds in which a late copy of a part is known for one


@dataclass(slots=True)
class _Message:
    key: Hashable
    total: int
    expires_at: float
    fragments: dict[int, Fragment] = field(default_factory=dict)


def key_of(key: Hashable, concatenation: Concatenation) -> Hashable:
    """What the parts of one message have in common (TS 23.040 §9.2.3.24.1)."""
    return key, concatenation.reference, concatenation.total, concatenation.is_wide


class Joiner:
    """Takes fragments and gives messages; a timer ends what stays incomplete."""

    def __init__(self, config: JoinerConfig = JoinerConfig()) -> None:
        self.config = config
        self._messages: OrderedDict[Hashable, _Message] = OrderedDict()  # the oldest first
        self._by_key: defaultdict[Hashable, dict[Hashable, None]] = defaultdict(dict)
        self._done: OrderedDict[Hashable, tuple[float, frozenset[tuple[int, int]]]] = OrderedDict()
        self._events: deque[Joined] = deque()
        self.octets = 0

    def __len__(self) -> int:
        return len(self._messages)

    def receive_fragment(self, fragment: Fragment, now: float) -> bool:
        """Take a part; False: it is a copy of one that was taken already."""
        key = key_of(fragment.key, fragment.concatenation)
        number = fragment.concatenation.number
        self._forget(now)
        message = self._messages.get(key)
        if message is None:
            if self._is_late_copy(key, fragment):
                return False
            message = self._open(key, fragment, now)
        elif number in message.fragments:
            if message.fragments[number].data == fragment.data:
                return False
            self._close(key)  # the reference has come round again: another message
            message = self._open(key, fragment, now)
        message.fragments[number] = fragment
        self.octets += len(fragment.data)
        if len(message.fragments) == message.total:
            self._close(key)
            self._remember(key, message, now)
        else:
            self._make_room()
        return True

    def next_event(self) -> Joined | None:
        """The next message, or None."""
        return self._events.popleft() if self._events else None

    def next_timer(self) -> float | None:
        """When the oldest one is to be given out."""
        return next(iter(self._messages.values())).expires_at if self._messages else None

    def handle_timer(self, now: float) -> None:
        """Give out what stayed incomplete too long."""
        while self._messages and next(iter(self._messages.values())).expires_at <= now:
            self._close(next(iter(self._messages)))
        self._forget(now)

    def restore(self, fragments: Iterable[tuple[Fragment, float]]) -> None:
        """Begin with what an owner has kept: parts, each with the time that it came, the oldest first."""
        for fragment, at in fragments:
            self.receive_fragment(fragment, at)

    def _open(self, key: Hashable, fragment: Fragment, now: float) -> _Message:
        if len(self._by_key[fragment.key]) >= self.config.max_messages_per_key:
            self._close(next(iter(self._by_key[fragment.key])))
        message = _Message(fragment.key, fragment.concatenation.total, now + self.config.timeout)
        self._messages[key] = message
        self._by_key[fragment.key][key] = None
        return message

    def _close(self, key: Hashable) -> None:
        """Give a message out as it is."""
        message = self._messages.pop(key)
        self.octets -= sum(len(fragment.data) for fragment in message.fragments.values())
        siblings = self._by_key[message.key]
        del siblings[key]
        if not siblings:
            del self._by_key[message.key]
        fragments = tuple(message.fragments[number] for number in sorted(message.fragments))
        self._events.append(Joined(message.key, fragments, message.total))

    def _make_room(self) -> None:
        while len(self._messages) > self.config.max_messages or self.octets > self.config.max_octets:
            self._close(next(iter(self._messages)))

    def _remember(self, key: Hashable, message: _Message, now: float) -> None:
        prints = frozenset((number, hash(part.data)) for number, part in message.fragments.items())
        self._done[key] = (now + self.config.remember, prints)
        self._done.move_to_end(key)
        if len(self._done) > self.config.max_messages:
            self._done.popitem(last=False)

    def _forget(self, now: float) -> None:
        while self._done and next(iter(self._done.values()))[0] <= now:
            self._done.popitem(last=False)

    def _is_late_copy(self, key: Hashable, fragment: Fragment) -> bool:
        done = self._done.get(key)
        return done is not None and (fragment.concatenation.number, hash(fragment.data)) in done[1]
