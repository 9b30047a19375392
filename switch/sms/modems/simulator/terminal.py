"""A pseudo-terminal: the port of a modem that is none. Its other end is a file that programs open."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import tty
from collections.abc import Callable
from pathlib import Path

__all__ = ["Terminal"]

_LOOK_INTERVAL = 0.05  # seconds between looks whether somebody has opened it
_READ_SIZE = 4096
_MAX_UNREAD = 65_536  # octets; what somebody does not read is lost beyond that, as with a real port


class Terminal:
    """``on_open`` and ``on_data`` hear what the program at the other end does."""

    def __init__(self, on_open: Callable[[], None], on_data: Callable[[bytes], None], link: str = "") -> None:
        """``link``: a symbolic link that leads to it, whatever its name is."""
        self.path = ""
        self._on_open, self._on_data, self._link = on_open, on_data, link
        self._loop = asyncio.get_running_loop()
        self._fd = -1
        self._is_open = self._is_blocked = False
        self._unread = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def shown(self) -> str:
        """What to open."""
        return self._link or self.path

    def plug(self) -> None:
        """Be there; OSError: there is no terminal, or no link can be made."""
        if self._fd >= 0:
            return
        self._fd, slave = os.openpty()
        self.path = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)
        os.set_blocking(self._fd, False)
        if self._link:
            Path(self._link).unlink(missing_ok=True)
            Path(self._link).symlink_to(self.path)
        self._look()

    def unplug(self) -> None:
        """Be gone: who has it open reads the end."""
        if self._fd < 0:
            return
        self._close()
        if self._timer is not None:
            self._timer.cancel()
        os.close(self._fd)
        self._fd = -1
        if self._link:
            Path(self._link).unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """To be read by who has it open; nobody: it is lost."""
        if self._is_open and len(self._unread) + len(data) <= _MAX_UNREAD:
            self._unread += data
            self._flush()

    # -- the other end

    def _look(self) -> None:
        """A terminal whose other end nobody has open is hung up."""
        poll = select.poll()
        poll.register(self._fd, 0)
        if poll.poll(0):
            self._timer = self._loop.call_later(_LOOK_INTERVAL, self._look)
            return
        self._timer = None
        self._is_open = True
        self._on_open()
        self._loop.add_reader(self._fd, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._close()
            self._look()
            return
        self._on_data(data)

    def _flush(self) -> None:
        try:
            written = os.write(self._fd, self._unread)
        except BlockingIOError:
            written = 0
        except OSError:
            self._unread.clear()  # it was closed: the next read says so
            return
        del self._unread[:written]
        if bool(self._unread) != self._is_blocked:
            self._is_blocked = bool(self._unread)
            if self._is_blocked:
                self._loop.add_writer(self._fd, self._flush)
            else:
                self._loop.remove_writer(self._fd)

    def _close(self) -> None:
        if self._is_open:
            self._loop.remove_reader(self._fd)
        if self._is_blocked:
            self._loop.remove_writer(self._fd)
        self._is_open = self._is_blocked = False
        self._unread.clear()
