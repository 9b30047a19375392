"""The kernel's part of the relay: loads the program, attaches it where streams come in, finds their ways.

The engine says which direction is ready and opens it by a word in shared memory; it closes it in the same
way, so that taking a stream back takes effect with the next packet and asks nobody.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from typing import Protocol

from switchroom.switch.media.recoding import TABLES

from .bpf import BpfError, Map, attach, closing, load_program
from .program import KEY_SIZE, Layout, assemble, key_of
from .reasons import reason_of
from .recoding import open_tables
from .ways import NoWay, Way, Ways

_INDEX = struct.Struct("=I")
Place = tuple[str, int]
Ready = tuple[int, int, Place, Place, Place, Place]


class _Engine(Protocol):
    def hand_over(self, in_interface: int, out_interface: int, max_size: int, next_hop: bytes, /) -> None: ...
    def take_back(self, index: int, /) -> None: ...


class KernelRelay:
    """The program and its maps; BpfError: the kernel has not what it takes, or we have not the right."""

    def __init__(self, capacity: int, layout: Layout) -> None:
        self.reasons: Counter[str] = Counter()  # why directions stay with the engine, each time it was asked
        self._ways = Ways()
        self._links: dict[int, int] = {}  # by interface: what keeps the program there
        self._given: dict[int, tuple[bytes, tuple[str, str, str, str], Way]] = {}  # by index
        size = layout["size"]
        keys = Map.hash(KEY_SIZE, _INDEX.size, 2 * capacity)
        with closing(keys):
            streams = Map.shared_array(size, capacity)
            with closing(streams):
                self.memory = streams.memory(size * capacity)
                self._program = _load(layout, keys, streams)
        self._keys, self._streams = keys, streams
        self._check()

    def _check(self) -> None:
        """Whether the program can be attached at all: to the loopback, where it finds nothing to do."""
        try:
            os.close(attach(self._program, 1))
        except BpfError:
            self.close()
            raise

    def close(self) -> None:
        """Detach and give up everything but the memory, which whoever reads it keeps."""
        for link in self._links.values():
            os.close(link)
        self._links.clear()
        os.close(self._program)
        self._keys.close()
        self._streams.close()

    @property
    def interfaces(self) -> list[int]:
        """Where the program is attached."""
        return list(self._links)

    def give(self, engine: _Engine, ready: Ready) -> None:
        """Tell the engine the way of a direction that it reported, or that there is none."""
        index, _, source, local, sender, target = ready
        hosts = (source[0], local[0], sender[0], target[0])
        try:
            way = self._ways.find(*hosts)
            self._attach(way.in_interface)
            self._name(index, key_of(*local), hosts, way)
        except (NoWay, OSError) as error:
            self.reasons[str(error)] += 1
            engine.hand_over(0, 0, 0, b"")
            return
        engine.hand_over(way.in_interface, way.out_interface, way.max_size, way.next_hop)

    def reconsider(self, engine: _Engine) -> None:
        """The network changed: whatever goes another way now is taken back, and may be given again."""
        self._ways.forget()
        for index, (_, hosts, way) in list(self._given.items()):
            try:
                is_same = self._ways.find(*hosts) == way
            except NoWay:
                is_same = False
            if not is_same:
                engine.take_back(index)
                self._keys.remove(self._given.pop(index)[0])

    def _name(self, index: int, key: bytes, hosts: tuple[str, str, str, str], way: Way) -> None:
        before = self._given.get(index)
        if before is not None and before[0] != key:  # other ports have the index by now
            self._keys.remove(before[0])
        if before is None or before[0] != key:
            self._keys.put(key, _INDEX.pack(index))
        self._given[index] = key, hosts, way

    def _attach(self, interface: int) -> None:
        if interface not in self._links:
            self._links[interface] = attach(self._program, interface)


def _load(layout: Layout, keys: Map, streams: Map) -> int:
    tables = open_tables(TABLES)
    try:
        code = assemble(layout, keys.descriptor, streams.descriptor, tables.descriptor)
        return load_program(code, b"switchroom")
    finally:
        tables.close()  # the program holds it


def open_kernel(wanted: str, capacity: int, layout: Layout) -> tuple[KernelRelay | None, str]:
    """Return the kernel's relay, if there is one, and what is to be said about it.

    OSError: it is required and cannot be had.
    """
    if wanted == "off":
        return None, "switched off (media.kernel)"
    try:
        return KernelRelay(capacity, layout), ""
    except BpfError as error:
        reason = reason_of(error, "Linux 6.6")
        if wanted == "required":
            raise OSError(error.errno, f"media.kernel is required: {reason}") from error
        return None, reason
