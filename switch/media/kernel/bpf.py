"""The kernel's maps, programs and their attachment to an interface: bpf(2), without a library."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_MAP_CREATE, _MAP_UPDATE, _MAP_DELETE, _PROG_LOAD, _LINK_CREATE = 0, 2, 3, 5, 28
_HASH, _ARRAY, _SOCKETS = 1, 2, 15
_MMAPABLE = 1 << 10
_LOG_SIZE = 1 << 16


class Hook(NamedTuple):
    """Where a program runs: its kind, and what it is attached as."""

    kind: int
    attachment: int


TC_INGRESS = Hook(3, 46)  # BPF_PROG_TYPE_SCHED_CLS, BPF_TCX_INGRESS; on an interface
SOCKET_LOOKUP = Hook(30, 36)  # BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP; in a network namespace

_libc = ctypes.CDLL(None, use_errno=True)


class BpfError(OSError):
    """The kernel does not do what it was asked."""


def _bpf(command: int, attributes: bytes) -> int:
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise BpfError(errno.ENOSYS, f"bpf on {platform.machine()}")
    buffer = ctypes.create_string_buffer(attributes, max(len(attributes), 144))
    done = int(_libc.syscall(number, command, buffer, len(buffer)))
    if done < 0:
        error = ctypes.get_errno()
        raise BpfError(error, os.strerror(error))
    return done


def _address(buffer: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.addressof(buffer)


class Map:
    """Keys and values of fixed sizes, which a program reads too."""

    def __init__(self, kind: int, key_size: int, value_size: int, count: int, flags: int = 0) -> None:
        self.descriptor = _bpf(_MAP_CREATE, struct.pack("=IIIII", kind, key_size, value_size, count, flags))
        self._key = ctypes.create_string_buffer(key_size)
        self._value = ctypes.create_string_buffer(value_size)

    @classmethod
    def hash(cls, key_size: int, value_size: int, count: int) -> Map:
        """One that finds a value by any key."""
        return cls(_HASH, key_size, value_size, count)

    @classmethod
    def shared_array(cls, value_size: int, count: int) -> Map:
        """One of numbered values in memory that we see too."""
        return cls(_ARRAY, 4, value_size, count, _MMAPABLE)

    @classmethod
    def sockets(cls, count: int) -> Map:
        """One of numbered sockets, each put in as a descriptor of 32 bits."""
        return cls(_SOCKETS, 4, 4, count)

    def memory(self, size: int) -> mmap.mmap:
        """The values of a shared array."""
        return mmap.mmap(self.descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)

    def put(self, key: bytes, value: bytes) -> None:
        """Set a key's value."""
        self._key.raw, self._value.raw = key, value
        _bpf(
            _MAP_UPDATE,
            struct.pack("=IxxxxQQQ", self.descriptor, _address(self._key), _address(self._value), 0),
        )

    def remove(self, key: bytes) -> None:
        """Forget a key, if it is there."""
        self._key.raw = key
        try:
            _bpf(_MAP_DELETE, struct.pack("=IxxxxQ", self.descriptor, _address(self._key)))
        except BpfError as error:
            if error.errno != errno.ENOENT:
                raise

    def close(self) -> None:
        """Give it up."""
        os.close(self.descriptor)


def load_program(code: bytes, name: bytes, hook: Hook = TC_INGRESS) -> int:
    """Load a program; returns its descriptor. BpfError has what the verifier says."""
    instructions = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"Dual MIT/GPL")  # it calls nothing that asks for another
    attributes = _program(instructions, licence, name, hook)
    try:
        return _bpf(_PROG_LOAD, attributes)
    except BpfError as error:
        if error.errno not in (errno.EINVAL, errno.EACCES):
            raise
        log = ctypes.create_string_buffer(_LOG_SIZE)
        try:
            return _bpf(_PROG_LOAD, _program(instructions, licence, name, hook, log))
        except BpfError:
            said = log.value.decode(errors="replace").strip()
            raise BpfError(error.errno, said[-2000:] or error.strerror) from None


def _program(
    code: ctypes.Array[ctypes.c_char],
    licence: ctypes.Array[ctypes.c_char],
    name: bytes,
    hook: Hook,
    log: ctypes.Array[ctypes.c_char] | None = None,
) -> bytes:
    level, size, where = (0, 0, 0) if log is None else (1, len(log), _address(log))
    what = struct.pack("=IIQQ", hook.kind, len(code) // 8, _address(code), _address(licence))
    return what + struct.pack("=IIQII16sII", level, size, where, 0, 0, name, 0, hook.attachment)


def attach(program: int, where: int, hook: Hook = TC_INGRESS) -> int:
    """Let a program see what comes by, until the descriptor that this returns is closed.

    ``where`` is the index of an interface, or a descriptor of a network namespace.
    """
    return _bpf(_LINK_CREATE, struct.pack("=IIII", program, where, hook.attachment, 0))


@contextmanager
def closing(*maps: Map) -> Iterator[None]:
    """Close maps if what is done with them fails."""
    try:
        yield
    except BaseException:
        for one in maps:
            one.close()
        raise
