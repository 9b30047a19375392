"""What users have set by their phones: small texts by key, in the state table."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .schema import connect

if TYPE_CHECKING:
    from .writer import Writer


class SettingStore(Protocol):
    """Keeps settings. Writes return at once and are durable soon."""

    def load(self, prefix: str) -> dict[str, str]:
        """The settings whose key begins so, without the beginning; for the start, it blocks."""

    def save(self, key: str, value: str) -> None:
        """Keep a setting in place of what it was."""


class SqliteSettings:
    """A SettingStore."""

    def __init__(self, path: Path, writer: Writer) -> None:
        self._path, self._writer = path, writer
        self.refused_count = 0

    def load(self, prefix: str) -> dict[str, str]:
        """The settings whose key begins so, without the beginning; for the start, it blocks."""
        with closing(connect(self._path)) as connection:
            found = connection.execute(
                "SELECT key, value FROM state WHERE substr(key, 1, ?) = ?", (len(prefix), prefix)
            )
            return {key[len(prefix) :]: value for key, value in found}

    def save(self, key: str, value: str) -> None:
        """Keep a setting in place of what it was."""
        writer = self._writer
        with writer.lock:
            settings = writer.pending.settings
            if key not in settings and not writer.has_room():
                self.refused_count += 1
                return
            settings[key] = value
            writer.wake()
