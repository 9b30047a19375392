"""What must last, and who keeps it: a record for each call, a binding for each registered phone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

_VARIANT = dict(
    zip("0123456789abcdef", 4 * "89ab", strict=True)
)  # what the first digit of the clock sequence is


def _random_tails() -> Iterator[str]:
    """What follows the time in ids; the kernel is asked for 400 at once, which is most of what one costs."""
    while True:
        pool = os.urandom(4000).hex()
        for at in range(0, len(pool), 20):
            d = pool[at : at + 20]
            yield f"-7{d[:3]}-{_VARIANT[d[3]]}{d[4:7]}-{d[7:19]}"


_tails = _random_tails()


def record_id() -> str:
    """A new unique id: a UUID of version 7 (RFC 9562 §5.7), so that ids are in the order of time."""
    moment = time.time_ns() // 1_000_000
    return f"{moment >> 16:08x}-{moment & 0xFFFF:04x}{next(_tails)}"


class Direction(NamedTuple):
    """What came from one side of a call, all its streams together."""

    packets: int = 0
    size: int = 0
    lost: int = 0
    jitter_ms: float = 0.0
    mos: float = 0.0  # of its sound, from 1 to 4.5 (G.107); 0: there was none
    round_trip_ms: float = 0.0  # to that side and back; 0: not known
    secured: str = ""  # how its sound was protected, SDES or DTLS and the suite; "": it was not


_NOTHING = Direction()


@dataclass(slots=True)
class Record:
    """One call; times are seconds of UTC since 1970, the duration is of the monotonic clock."""

    setup_at: float
    call_id_a: str = ""
    call_id_b: str = ""
    caller: str = ""  # number or address, as it was shown
    callee: str = ""  # what was dialled
    from_user: str = ""  # the account or "trunk:NAME" that made the call
    to_user: str = ""  # the account or trunk that answered, or was tried last
    ring_at: float | None = None
    answer_at: float | None = None
    end_at: float | None = None
    duration: float = 0.0  # seconds from answer to end
    cause: int = 0  # SIP status; 200 after an answered call
    reason: str = ""
    ended_by: str = ""  # caller | callee | switch
    codecs: tuple[str, ...] = ()
    media_a: Direction = _NOTHING  # what the caller sent
    media_b: Direction = _NOTHING  # what the callee sent
    trunk: str = ""  # the trunk that the call went out by, or that was tried last
    verdict: str = ""  # what became of the call, in plain words
    explanation: tuple[str, ...] = ()  # why it went where it went: a sentence for each decision
    state: Sequence[Any] | None = None  # what another process needs to go on with the call; for JSON
    id: str = field(default_factory=record_id)


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
