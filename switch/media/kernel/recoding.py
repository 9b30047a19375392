"""The part of the program at tc that says sound of one form of G.711 in the other (recoding.h).

It has a table of each form: for each octet the one that it becomes, and by how much it grows, so that UDP's
checksum is known when all are written. What is not a bare header and eights of octets goes up to the engine,
before it was counted.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Mapping

from .assembler import R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, Assembler, If, Op, Size
from .bpf import Map, closing

_LOOKUP, _L4_CHECKSUM, _PULL = 1, 11, 39
_SIZE, _DATA, _END = 0, 76, 80  # struct __sk_buff

_NUMBER, _ENTRY = struct.Struct("=I"), struct.Struct("=q")
_GROWTH = 32  # the bit where it begins in an entry
_HEADER, _STEP = 12, 8
_MOST = 320  # octets of sound, 40 ms; in the verifier each takes its time
_WHOLE = 0xFFFF * 256  # nothing, to a sum of 16 bits, and more than octets of a packet can shrink by

# On the stack, below R10
_TABLE_AT, _OCTETS_AT, _GROWN_AT, _INDEX_AT = -40, -48, -56, -60


def open_tables(octets: Iterable[bytes]) -> Map:
    """A map with a table for each form: what each octet of it becomes."""
    tables = [b"".join(_entry(one, other) for one, other in enumerate(of_form)) for of_form in octets]
    found = Map.shared_array(len(tables[0]), len(tables))
    with closing(found):
        for form, table in enumerate(tables):
            found.put(_NUMBER.pack(form), table)
    return found


def _entry(before: int, after: int) -> bytes:
    return _ENTRY.pack((after - before << _GROWTH) + after)


class Recoding:
    """Writes it into a program: R6 is the context, R7 the packet, R9 the stream; ``name`` ends its labels."""

    def __init__(
        self, program: Assembler, layout: Mapping[str, int], tables: int, rtp: int, name: str
    ) -> None:
        self._p, self._at, self._tables = program, layout, tables
        self._rtp = rtp  # where its header begins
        self._name = name

    def check(self) -> None:
        """R4: octets of RTP; whatever is behind this can be done."""
        p, done = self._p, f"as-it-is{self._name}"
        p.store(Size.DOUBLE, R10, _OCTETS_AT, 0)
        p.load(Size.WORD, R2, R9, self._at["recoding"])
        p.jump_if(If.EQ, R2, 0, done)
        p.op(Op.SUB, R2, 1)
        p.store(Size.WORD, R10, _INDEX_AT, R2)
        p.load(Size.BYTE, R2, R7, self._rtp)
        p.jump_if(If.NE, R2, 0x80, "pass")
        p.move(R2, R4)
        p.op(Op.SUB, R2, _HEADER)
        p.jump_if(If.SET, R2, _STEP - 1, "pass")
        p.jump_if(If.GT, R2, _MOST, "pass")
        p.jump_if(If.LT, R2, _STEP, "pass")
        p.store(Size.DOUBLE, R10, _OCTETS_AT, R2)
        p.load_map(R1, self._tables)
        p.move(R2, R10)
        p.add(R2, _INDEX_AT)
        p.call(_LOOKUP)
        p.jump_if(If.EQ, R0, 0, "pass")
        p.store(Size.DOUBLE, R10, _TABLE_AT, R0)
        self._pull()
        p.label(done)

    def _pull(self) -> None:
        """All of the packet is in one piece from now on."""
        p = self._p
        p.move(R1, R6)
        p.load(Size.WORD, R2, R6, _SIZE)
        p.call(_PULL)
        p.jump_if(If.NE, R0, 0, "pass")
        p.load(Size.WORD, R7, R6, _DATA)
        p.load(Size.WORD, R8, R6, _END)
        p.move(R2, R7)
        p.add(R2, self._rtp + _HEADER)
        p.jump_if(If.GT, R2, R8, "pass")
        p.load(Size.DOUBLE, R4, R10, _OCTETS_AT)
        p.add(R4, _HEADER)

    def write(self) -> None:
        """Change the octets and the payload type."""
        p, over, done = self._p, f"said{self._name}", f"written{self._name}"
        p.load(Size.DOUBLE, R4, R10, _OCTETS_AT)
        p.jump_if(If.EQ, R4, 0, done)
        p.load(Size.DOUBLE, R5, R10, _TABLE_AT)
        p.load(Size.WORD, R8, R6, _END)
        p.move(R1, R7)
        p.add(R1, self._rtp + _HEADER)
        p.move(R0, 0)
        p.move(R3, 0)
        for first in range(0, _MOST, _STEP):
            self._write_octets(first, over)
        p.label(over)
        p.op(Op.ARSH, R0, _GROWTH)
        p.op(Op.ARSH, R3, _GROWTH)
        self._write_type()
        p.op(Op.LSH, R3 if sys.byteorder == "little" else R0, 8)
        p.add(R0, R3)
        p.add(R0, _WHOLE)
        p.store(Size.DOUBLE, R10, _GROWN_AT, R0)
        p.label(done)

    def _write_octets(self, first: int, over: str) -> None:
        """Those from the ``first`` on, if there are any. A loop asks for more rights (CAP_PERFMON)."""
        p = self._p
        p.jump_if(If.LE, R4, first, over)
        p.move(R2, R1)
        p.add(R2, first + _STEP)
        p.jump_if(If.GT, R2, R8, over)  # never: it is in one piece
        for at in range(first, first + _STEP):
            p.load(Size.BYTE, R2, R1, at)
            p.op(Op.LSH, R2, 3)
            p.add(R2, R5)
            p.load(Size.DOUBLE, R2, R2, 0)
            p.store(Size.BYTE, R1, at, R2)
            p.add((R0, R3)[at % 2], R2)

    def _write_type(self) -> None:
        """R3 grows as the second octet of the header does, as all of odd places."""
        p = self._p
        p.load(Size.BYTE, R2, R7, self._rtp + 1)
        p.move(R1, R2)
        p.op(Op.AND, R1, 0x80)
        p.load(Size.WORD, R4, R9, self._at["leaves"])
        p.op(Op.OR, R1, R4)
        p.store(Size.BYTE, R7, self._rtp + 1, R1)
        p.add(R3, R1)
        p.op(Op.SUB, R3, R2)

    def sum_up(self, flags: int) -> None:
        """Bring UDP's checksum to what was written."""
        p, done = self._p, f"summed{self._name}"
        p.load(Size.DOUBLE, R4, R10, _OCTETS_AT)
        p.jump_if(If.EQ, R4, 0, done)
        p.move(R1, R6)
        p.move(R2, self._rtp - 2)
        p.move(R3, 0)
        p.load(Size.DOUBLE, R4, R10, _GROWN_AT)
        p.move(R5, flags)
        p.call(_L4_CHECKSUM)
        p.label(done)
