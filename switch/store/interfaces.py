"""What must last, and who keeps it: a record for each call, a binding for each registered phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from .record import Record


class StoredBinding(NamedTuple):
    """One registered contact, as it survives a restart: a row of the table, times in seconds since 1970."""

    user: str
    contact: str
    expires_at: float
    q: float = 1.0
    call_id: str = ""
    cseq: int = 0
    transport: str = "UDP"
    local_host: str = ""
    local_port: int = 0
    remote_host: str = ""
    remote_port: int = 0
    user_agent: str = ""
    instance: str = ""
    path: str = ""  # a line for each proxy


class BindingStore(Protocol):
    """Keeps registered contacts. Writes return at once and are durable soon, or when ``flush`` returns."""

    def load(self, now: float) -> list[StoredBinding]:
        """Give what had not expired at ``now``, in seconds since 1970; for the start, it blocks."""

    def save(self, binding: StoredBinding) -> None:
        """Keep the binding in place of an earlier one of the same user and contact."""

    def renew(self, binding: StoredBinding) -> None:
        """The same of one that is kept, and only its time moves: durable a little later, with others."""

    def remove(self, user: str, contact: str) -> None:
        """Forget one contact."""

    async def flush(self) -> None:
        """Return when everything asked for until now is durable."""


# Is offered an answered call that a crash left: the record, its state as JSON gives it, the slot of the
# worker that had it, when that was last alive (UTC)
Restore = Callable[[Record, list[Any], int, float], bool]


class RecordStore(Protocol):
    """Keeps call records. Writes return at once and take a copy: the record may change right after."""

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written that no new call should be taken."""

    def open(self, record: Record) -> None:
        """A call is being set up."""

    def answered(self, record: Record) -> None:
        """It was answered."""

    def heartbeat(self, now: float) -> None:
        """The switch lives; after a crash this is the end of the calls that were up."""

    def close(self, record: Record) -> None:
        """It ended; nothing is written about it after this."""

    def recover(self, now: float, *, died_at: float | None = None, restore: Restore | None = None) -> int:
        """Close what a crash left open and count it; for the start, before the first ``open``; it blocks.

        What ``restore`` takes, True, stays open.
        """

    async def recent(self, limit: int = 100) -> list[Record]:
        """Give the records of the latest calls, the newest first."""

    async def beginning(self, id: str, limit: int = 2) -> list[Record]:
        """Give the records of ended calls, however old, whose id is this or begins so."""

    async def flush(self) -> None:
        """Return when everything asked for until now is durable."""


class RecordSink(Protocol):
    """A second place for closed records, after they are durable; the store's thread alone calls it."""

    def append(self, lines: bytes) -> int:
        """Write them whole or not at all, and give the size reached; OSError: try again later."""

    def sync(self) -> None:
        """Make what was appended durable."""

    def ids_after(self, size: int) -> set[str]:
        """The ids that were written since that size; used once, at the start."""

    def close(self) -> None:
        """Nothing more comes; a store that is started again opens it again."""
