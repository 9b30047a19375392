"""Texts that wait for those who are not there: durable before their sender is told so."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .rows import Row
from .schema import connect

if TYPE_CHECKING:
    from .writer import Writer

TEXT_COLUMNS = (
    *("id", "sender", "sender_name", "account", "user", "called", "content_type", "body"),
    *("sent_at", "expires_at", "slot"),
)


@dataclass(frozen=True, slots=True)
class StoredText:
    """One text; ids are in the order in which the texts came."""

    id: int
    sender: str  # the number that it is shown to come from
    user: str  # who is to get it
    body: bytes
    sent_at: datetime
    expires_at: datetime
    content_type: str = "text/plain"  # as it was written, with its parameters
    called: str = ""  # the number that it was sent to
    sender_name: str = ""
    account: str = ""  # who sent it: a user, or trunk:NAME


class TextStore(Protocol):
    """Keeps texts. Writes return at once; ``take_durable`` tells which are on the disk."""

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written that no new text should be taken."""

    def next_id(self) -> int:
        """An id above all that were given before, over restarts too."""

    def load(self, now: datetime) -> list[StoredText]:
        """Give what had not expired at ``now``, oldest first; for the start, it blocks."""

    def save(self, text: StoredText) -> None:
        """Keep a text."""

    def remove(self, id: int) -> None:
        """Forget a text."""

    def take_durable(self) -> list[int]:
        """Take the ids of the texts that became durable since the last time."""


class SqliteTexts:
    """A TextStore; ``on_durable`` is called in the writer's thread when ``take_durable`` has something."""

    def __init__(self, path: Path, writer: Writer, slot: int | None = None) -> None:
        """``slot``: the worker whose texts these are; None: there is one, who has them all."""
        self._path, self._writer, self._slot = path, writer, slot
        self._durable: deque[int] = deque()  # appended to by the writer's thread
        self._last_id = 0
        self.refused_count = 0
        self.on_durable: Callable[[], object] = lambda: None
        writer.on_texts = self._on_written

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written that no new text should be taken."""
        return self._writer.is_failing or not self._writer.has_room(0.5)

    def next_id(self) -> int:
        """An id above all that were given before, over restarts too; no other worker gives the same."""
        self._last_id = max(self._last_id + 256, time.time_ns() // 1000 << 8 | (self._slot or 0))
        return self._last_id

    def load(self, now: datetime) -> list[StoredText]:
        """Give what had not expired at ``now``, oldest first; for the start, it blocks."""
        columns = ", ".join(TEXT_COLUMNS[:-1])
        where, slots = ("", ()) if self._slot is None else (" WHERE slot = ?", (self._slot,))
        with closing(connect(self._path)) as connection:
            connection.execute("DELETE FROM texts WHERE expires_at <= ?", (now.timestamp(),))
            rows = connection.execute(f"SELECT {columns} FROM texts{where} ORDER BY id", slots)
            found = [row_text(row) for row in rows]
        self._last_id = max([self._last_id, *[text.id for text in found]])
        return found

    def save(self, text: StoredText) -> None:
        """Keep a text."""
        self._put(text.id, text_row(text, self._slot or 0))

    def remove(self, id: int) -> None:
        """Forget a text."""
        self._put(id, None)

    def take_durable(self) -> list[int]:
        """Take the ids of the texts that became durable since the last time."""
        taken = []
        while self._durable:
            taken.append(self._durable.popleft())
        return taken

    def _put(self, id: int, row: Row | None) -> None:
        writer = self._writer
        with writer.lock:
            texts = writer.pending.texts
            if id not in texts and not writer.has_room():
                self.refused_count += 1
                return
            texts[id] = row
            writer.wake()

    def _on_written(self, ids: list[int]) -> None:
        self._durable.extend(ids)
        self.on_durable()


def text_row(text: StoredText, slot: int) -> Row:
    """What SQLite takes, in the order of TEXT_COLUMNS."""
    t = text
    return (
        *(t.id, t.sender, t.sender_name, t.account, t.user, t.called, t.content_type, t.body),
        *(t.sent_at.timestamp(), t.expires_at.timestamp(), slot),
    )


def row_text(row: Row) -> StoredText:
    """Read a row with TEXT_COLUMNS, without the slot."""
    id, sender, sender_name, account, user, called, content_type, body, sent_at, expires_at = row
    return StoredText(
        id,
        sender,
        user,
        body,
        datetime.fromtimestamp(sent_at, UTC),
        datetime.fromtimestamp(expires_at, UTC),
        content_type,
        called,
        sender_name,
        account,
    )
