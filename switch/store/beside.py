"""A connection beside the one of the sqlite3 module, which works without the interpreter's lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class _Closed(Protocol):
    def close(self) -> None: ...


Kind = TypeVar("Kind", bound=_Closed)


class Beside(Generic[Kind]):
    """Opened when it is first wanted, and again after it was closed."""

    def __init__(self, make: Callable[[], Kind]) -> None:
        self._make = make
        self._connection: Kind | None = None

    def get(self) -> Kind | None:
        """The connection; None: the file cannot be opened, and the sqlite3 module says why."""
        if self._connection is None:
            try:
                self._connection = self._make()
            except sqlite3.Error:
                return None
        return self._connection

    def close(self) -> None:
        """Close it, if it is open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
