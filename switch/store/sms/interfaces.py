"""Rows of the message store, and what a message store can do; nobody outside store/ knows which one it is.

A message has an integer id that grows with time. A part of it has a key of its own, id and ordinal in one
number, so that whatever is kept of parts is found by one integer too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from .pending import Pending
    from .reader import Filter

MAX_PARTS = 255


def part_key(message: int, ordinal: int) -> int:
    """The key of a part."""
    return message << 8 | ordinal


def split_part_key(key: int) -> tuple[int, int]:
    """The message and the ordinal of a part."""
    return key >> 8, key & 0xFF


class Row(NamedTuple):
    """A message as it is stored; the fields after ``accepted_at`` change, the others never do."""

    id: int
    inlet: str
    source: str
    source_kind: int  # TON and NPI in one number
    destination: str
    destination_kind: int
    body: bytes
    coding: int
    extra: str | None  # JSON of whatever is seldom there
    wish: int
    priority: int
    expires_at: float
    accepted_at: float
    state: int
    outlet: str
    route: str
    attempts: int
    changed_at: float
    error: str
    reason: str
    parts: int
    is_redacted: int = 0


class Queued(NamedTuple):
    """A place in a lane: lanes are read by rank, then by age."""

    lane: str
    rank: int
    message: int
    expires_at: float


class Expecting(NamedTuple):
    """A part that a next hop has, and the mark by which a receipt for it is known."""

    key: int
    outlet: str
    mark: str
    remote_id: str
    state: int
    at: float


class Owed(NamedTuple):
    """A notice that an inlet has not acknowledged yet."""

    id: int
    inlet: str
    message: int
    state: int
    at: float
    detail: str  # JSON


class Orphan(NamedTuple):
    """A receipt that matched nothing, yet."""

    id: int
    outlet: str
    mark: str
    at: float
    detail: str  # JSON of the receipt
    reason: str


Reply = Callable[[Any, Any, float], None]  # what was found, the context, and when


class MessageStore(Protocol):
    """Keeps messages. ``pending`` collects what is to be written; tickets tell when it is on the disk."""

    pending: Pending
    on_wake: Callable[[], None]  # called from other threads: ``drain`` has something

    @property
    def is_failing(self) -> bool:
        """Whether nothing can be written at present: nothing new should be taken."""

    def start(self) -> None:
        """Open the file and bring it up to date; it blocks."""

    def close(self) -> None:
        """Write what waits and close the file; it blocks, some seconds at most."""

    def next_id(self) -> int:
        """An id above all that were given before, over restarts too."""

    def wake(self) -> None:
        """``pending`` has something: write it soon."""

    def drain(self, now: float) -> None:
        """Call the tickets of what is durable and the replies of what was read; in the loop's thread."""

    def ask(self, query: str, values: tuple[Any, ...], reply: Reply, context: Any = None) -> None:
        """Read something, by the name of a reader's method; ``reply`` gets it from ``drain``."""

    async def find(self, wanted: Filter) -> list[Row]:
        """The latest messages that fit."""

    def load_lanes(self) -> dict[str, int]:
        """How many messages wait in each lane; for the start, it blocks."""

    def load_values(self) -> dict[str, str]:
        """The small values by key; for the start, it blocks."""

    def load_orphans(self, since: float) -> list[Orphan]:
        """Receipts that matched nothing; for the start, it blocks."""

    def load_owing(self) -> dict[str, int]:
        """How many notices wait for each inlet; for the start, it blocks."""

    def take_claimed(self, after: int, limit: int) -> list[Row]:
        """Messages that were on their way when the switch ended; for the start, it blocks."""
