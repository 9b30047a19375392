"""Call records as lines of JSON, beside the database: for whoever reads files."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from ..store.interfaces import RecordStore
from ..store.record import Direction, Record

__all__ = ["Direction", "Record", "RecordLines", "find", "recent"]

_MAX_RECORDS = 1000  # in one table

_ID = b'{"id":"'  # each line begins with it
_BLOCK = 65536


class RecordLines:
    """A RecordSink: a file that is only appended to, whole lines only; a rotated file is followed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._opened = (0, 0)  # device and inode

    def append(self, lines: bytes) -> int:
        """Write the lines whole or not at all, and give the size reached; OSError: try again later."""
        size = self._follow()
        try:
            written = os.write(self._descriptor, lines)
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise
        if written < len(lines):
            os.ftruncate(self._descriptor, size)
            raise OSError(f"{self._path}: only {written} of {len(lines)} octets could be written")
        return size + written

    def sync(self) -> None:
        """Make what was appended durable."""
        if self._descriptor >= 0:
            os.fdatasync(self._descriptor)

    def ids_after(self, size: int) -> set[str]:
        """The ids that were written since that size."""
        self._follow()
        with self._path.open("rb") as file:
            if size <= os.fstat(file.fileno()).st_size:
                file.seek(size)
            return {_id(line) for line in file if line.startswith(_ID)}

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _follow(self) -> int:
        """Open the file, or open it again when somebody moved it away, and give its size."""
        if self._descriptor >= 0:
            try:
                found = os.stat(self._path)
                if (found.st_dev, found.st_ino) == self._opened:
                    return found.st_size
            except FileNotFoundError:
                pass
            self.close()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o600)
        _cut_torn_line(self._descriptor)
        found = os.fstat(self._descriptor)
        self._opened = found.st_dev, found.st_ino
        return found.st_size


def _id(line: bytes) -> str:
    return line[len(_ID) : line.index(b'"', len(_ID))].decode() if line.endswith(b"\n") else ""


def _cut_torn_line(descriptor: int) -> None:
    """A crash may have left half a line at the end; it is written again, whole."""
    size = end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _BLOCK)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)


async def recent(store: RecordStore, limit: int) -> list[dict[str, object]]:
    """The calls that ended last, for a table; the newest first."""
    return [
        {
            "id": record.id,
            "at": _iso(record.setup_at, "seconds"),
            "caller": record.caller,
            "callee": record.callee,
            "cause": record.cause,
            "seconds": round(record.duration, 1),
            "verdict": record.verdict,
        }
        for record in await store.recent(min(max(1, limit), _MAX_RECORDS))
    ]


async def find(store: RecordStore, record: str) -> dict[str, object]:
    """All that is known of a call that ended: by its id, or a beginning that only one has."""
    found = await store.beginning(record) if record else []
    if len(found) != 1:
        raise LookupError(f"record: {record}: {'several begin so' if found else 'there is no such record'}")
    fields = {name: getattr(found[0], name) for name in Record.__slots__}
    return {
        name: _iso(value)
        if name.endswith("_at") and value is not None
        else list(value)
        if isinstance(value, tuple)
        else value
        for name, value in fields.items()
    }


def _iso(at: float, precision: str = "auto") -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec=precision)
