"""A serial port in the loop: raw octets at a speed, and the news that it is gone (a modem was unplugged)."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import termios
import tty
from collections.abc import Callable
from contextlib import suppress

__all__ = ["SPEEDS", "SerialPort"]

SPEEDS = {
    speed: getattr(termios, f"B{speed}")
    for speed in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)
    if hasattr(termios, f"B{speed}")
}
_READ_SIZE = 4096
_MAX_UNWRITTEN = 65_536  # octets that a port may be behind
_CFLAG, _ISPEED, _OSPEED = 2, 4, 5  # places in what termios.tcgetattr gives


class SerialPort:
    """Open from the start. Nothing is heard after ``close``."""

    def __init__(
        self,
        path: str,
        speed: int,
        *,
        has_flow_control: bool,
        on_data: Callable[[bytes], None],
        on_lost: Callable[[str], None],
    ) -> None:
        """OSError: it is not there, not ours, or somebody else's at present."""
        self._on_data, self._on_lost = on_data, on_lost
        self._loop = asyncio.get_running_loop()
        self._unwritten = bytearray()
        self._is_blocked = False
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _prepare(self._fd, speed, has_flow_control=has_flow_control)
        except BaseException:
            os.close(self._fd)
            raise
        self._loop.add_reader(self._fd, self._read)

    @property
    def is_open(self) -> bool:
        """Whether it was not closed or lost."""
        return self._fd >= 0

    def write(self, data: bytes) -> None:
        """Write, when the port takes it. One that takes nothing is lost."""
        if self._fd < 0 or not data:
            return
        self._unwritten += data
        if len(self._unwritten) > _MAX_UNWRITTEN:
            self._lose("it takes nothing")
        elif not self._is_blocked:
            self._flush()

    def close(self) -> None:
        """Let it go; what was not written is not."""
        if self._fd < 0:
            return
        self._loop.remove_reader(self._fd)
        if self._is_blocked:
            self._loop.remove_writer(self._fd)
        with suppress(termios.error):
            termios.tcflush(self._fd, termios.TCIOFLUSH)  # else closing may wait for a modem that hangs
        os.close(self._fd)
        self._fd = -1

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(_reason(error))
            return
        if data:
            self._on_data(data)
        else:
            self._lose("unplugged")

    def _flush(self) -> None:
        try:
            written = os.write(self._fd, self._unwritten)
        except BlockingIOError:
            written = 0
        except OSError as error:
            self._lose(_reason(error))
            return
        del self._unwritten[:written]
        if bool(self._unwritten) != self._is_blocked:
            self._is_blocked = bool(self._unwritten)
            if self._is_blocked:
                self._loop.add_writer(self._fd, self._flush)
            else:
                self._loop.remove_writer(self._fd)

    def _lose(self, reason: str) -> None:
        self.close()
        self._loop.call_soon(self._on_lost, reason)


def _prepare(fd: int, speed: int, *, has_flow_control: bool) -> None:
    if not os.isatty(fd):
        raise OSError(errno.ENOTTY, "is no serial port")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(errno.EBUSY, "another program has it") from None
    try:
        fcntl.ioctl(fd, termios.TIOCEXCL)
        tty.setraw(fd, termios.TCSANOW)
        attributes = termios.tcgetattr(fd)
        attributes[_CFLAG] |= termios.CLOCAL | termios.CREAD | termios.HUPCL
        attributes[_CFLAG] &= ~(termios.CSTOPB | termios.PARENB | termios.CRTSCTS)
        if has_flow_control:
            attributes[_CFLAG] |= termios.CRTSCTS
        attributes[_ISPEED] = attributes[_OSPEED] = SPEEDS[speed]
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
        termios.tcflush(fd, termios.TCIOFLUSH)
    except termios.error as error:
        raise OSError(*error.args) from None


def _reason(error: OSError) -> str:
    if error.errno in (errno.EIO, errno.ENXIO, errno.ENODEV):
        return "unplugged"
    return (error.strerror or str(error)).lower()
