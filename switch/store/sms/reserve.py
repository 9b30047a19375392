"""Room on the disk that is kept for what must still be written when the disk is full."""

from __future__ import annotations

import os
from pathlib import Path

_MARGIN = (
    1.25  # of the size must be free before the file is made again: else it would only take its own place
)


class Reserve:
    """A file of some size, whose place the database gets in need."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size

    def take(self) -> bool:
        """Have the file; False: there is no room for it."""
        if not self._size:
            return True
        try:
            if self._path.exists() and self._path.stat().st_size == self._size:
                return True
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < self._size * _MARGIN:
                return False
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        except OSError:
            self.release()  # what it got of the room is not for us
            return False
        finally:
            os.close(descriptor)
        return True

    def release(self) -> None:
        """Give its place to whoever needs it now."""
        self._path.unlink(missing_ok=True)
