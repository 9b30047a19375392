"""The program at the look-up of sockets: what comes for many ports is read from one socket.

Which ports those are the engine says in memory that both share (gate.h). Whatever the program does not
redirect arrives at the port's own socket, as it would without it; so nothing is lost when it is gone.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from typing import Protocol

from .assembler import R0, R1, R2, R3, R4, R5, R6, R7, R8, R10, Assembler, If, Op, Register, Size
from .bpf import SOCKET_LOOKUP, BpfError, Map, attach, closing, load_program
from .reasons import reason_of

_FIND, _NOW, _RELEASE, _ASSIGN = 1, 5, 86, 124
_PASS = 1  # SK_PASS
_AS_IT_IS = 2  # BPF_SK_LOOKUP_F_NO_REUSEPORT
_WINDOW = 100_000_000  # ns
_NUMBER = struct.Struct("=I")

# struct bpf_sk_lookup
_FAMILY, _PROTOCOL, _LOCAL_4, _LOCAL_6, _LOCAL_PORT = 8, 12, 40, 44, 60

_KEY_AT = -4  # on the stack, below R10


class _Engine(Protocol):
    def gather(self, gates: object, first_port: int, port_count: int, /) -> tuple[int, int]: ...


class Gathering:
    """The program and its maps; BpfError: the kernel has not what it takes, or we have not the right."""

    def __init__(self, engine: _Engine, ports: range, layout: Mapping[str, int]) -> None:
        count = len(ports) + 1
        gates, sockets = Map.shared_array(layout["size"], count), Map.sockets(2)
        self._maps = gates, sockets
        with closing(*self._maps):
            program = load_program(
                assemble(layout, gates.descriptor, sockets.descriptor, ports), b"switchroom", SOCKET_LOOKUP
            )
            try:
                self._link = _attach_here(program)
            finally:
                os.close(program)
            try:
                found = engine.gather(gates.memory(layout["size"] * count), ports.start, len(ports))
                for number, descriptor in enumerate(found):
                    if descriptor >= 0:
                        sockets.put(_NUMBER.pack(number), _NUMBER.pack(descriptor))
            except OSError:
                os.close(self._link)
                raise

    def detach(self) -> None:
        """What comes from now on arrives at each port's own socket."""
        if self._link >= 0:
            os.close(self._link)
        self._link = -1

    def close(self) -> None:
        """Give it up, when nobody reads any more."""
        self.detach()
        for one in self._maps:
            one.close()


def _attach_here(program: int) -> int:
    namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return attach(program, namespace, SOCKET_LOOKUP)
    finally:
        os.close(namespace)


def open_gathering(
    wanted: bool, engine: _Engine, ports: range, layout: Mapping[str, int]
) -> tuple[Gathering | None, str]:
    """Return the program that is at work, if there is one, and why there is none."""
    if not wanted:
        return None, "switched off (media.one_socket)"
    try:
        return Gathering(engine, ports, layout), ""
    except BpfError as error:
        return None, reason_of(error, "Linux 5.9")
    except OSError as error:
        return None, str(error.strerror)


def assemble(layout: Mapping[str, int], gates: int, sockets: int, ports: range) -> bytes:
    """Return the program; ``gates`` and ``sockets`` are descriptors of maps.

    R6 is the context, R7 the port's gate, R8 the time, or the socket.
    """
    p = Assembler()
    p.move(R6, R1)
    p.load(Size.WORD, R2, R6, _PROTOCOL)
    p.jump_if(If.NE, R2, socket.IPPROTO_UDP, "pass")
    p.load(Size.WORD, R2, R6, _LOCAL_PORT)
    p.op(Op.SUB, R2, ports.start, bits=32)
    p.jump_if(If.GE, R2, len(ports), "pass", bits=32)
    p.add(R2, 1)
    _find(p, gates, R2)
    p.move(R7, R0)
    _check_address(p, layout)
    p.load(Size.WORD, R2, R7, layout["is_alone"])
    p.jump_if(If.NE, R2, 0, "pass")
    p.call(_NOW)
    p.move(R8, R0)
    _find(p, gates, 0)
    p.load(Size.DOUBLE, R2, R0, layout["at"])
    p.jump_if(If.GT, R8, R2, "leave")  # the engine does not come to read
    _check_rate(p, layout)
    p.load(Size.WORD, R2, R6, _FAMILY)
    p.move(R3, 0)
    p.jump_if(If.EQ, R2, socket.AF_INET, "found")
    p.move(R3, 1)
    p.label("found")
    _find(p, sockets, R3)
    p.move(R8, R0)
    p.move(R1, R6)
    p.move(R2, R8)
    p.move(R3, _AS_IT_IS)
    p.call(_ASSIGN)
    p.move(R1, R8)
    p.call(_RELEASE)
    p.jump("pass")
    p.label("leave")
    p.store(Size.WORD, R7, layout["is_alone"], 1)
    p.label("pass")
    p.move(R0, _PASS)
    p.exit()
    return bytes(p)


def _find(p: Assembler, where: int, number: Register | int) -> None:
    """R0: the value, or there is none and the program ends."""
    p.store(Size.WORD, R10, _KEY_AT, number)
    p.move(R2, R10)
    p.add(R2, _KEY_AT)
    p.load_map(R1, where)
    p.call(_FIND)
    p.jump_if(If.EQ, R0, 0, "pass")


def _check_address(p: Assembler, layout: Mapping[str, int]) -> None:
    p.load(Size.WORD, R2, R6, _FAMILY)
    p.load(Size.WORD, R3, R7, layout["family"])
    p.jump_if(If.NE, R2, R3, "pass")
    p.jump_if(If.EQ, R2, socket.AF_INET6, "six")
    _check_words(p, layout["host"], _LOCAL_4, 1)
    p.jump("ours")
    p.label("six")
    _check_words(p, layout["host"], _LOCAL_6, 4)
    p.label("ours")


def _check_words(p: Assembler, gate: int, context: int, count: int) -> None:
    for at in range(0, 4 * count, 4):
        p.load(Size.WORD, R2, R6, context + at)
        p.load(Size.WORD, R3, R7, gate + at)
        p.jump_if(If.NE, R2, R3, "pass", bits=32)


def _check_rate(p: Assembler, layout: Mapping[str, int]) -> None:
    """R8: now."""
    p.load(Size.WORD, R2, R7, layout["count"])
    p.load(Size.DOUBLE, R3, R7, layout["at"])
    p.load(Size.WORD, R4, R7, layout["limit"])
    p.move(R5, R8)
    p.op(Op.SUB, R5, R3)
    p.jump_if(If.LT, R5, _WINDOW, "within")
    p.store(Size.DOUBLE, R7, layout["at"], R8)
    p.move(R2, 0)
    p.label("within")
    p.add(R2, 1)
    p.store(Size.WORD, R7, layout["count"], R2)
    p.jump_if(If.GT, R2, R4, "leave")
