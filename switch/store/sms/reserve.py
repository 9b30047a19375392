"""Room on the disk that is kept for what must still be written when the disk is full."""

from __future__ import annotations

import os
from pathlib import Path


class Reserve:
    """A file of some size, whose place the database gets in need."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size

    def take(self) -> bool:
        """Have the file again; False: there is no room for it."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            if self._size:
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
