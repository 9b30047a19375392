"""The program at tc: relays the ordinary packets of streams that were handed over, and passes on all others.

What a stream is lies in the memory that it shares with the engine (kernel_stream.h); ``layout`` says where.
A packet that is not entirely ordinary goes up to the engine untouched; nothing but a flood is dropped here.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping

from .assembler import R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, Assembler, If, Op, Register, Size
from .recoding import Recoding

Layout = Mapping[str, int]  # offsets of kernel_stream's fields

KEY = struct.Struct("=16sHH")  # our address and port in network order, and the IP version
KEY_SIZE = KEY.size

_LOOKUP, _NOW, _L4_CHECKSUM, _REDIRECT, _UPDATE_SUM = 1, 5, 11, 152, 40
_NEXT, _DROP = -1, 2  # TCX_NEXT, TCX_DROP
_PSEUDO_HEADER, _KEEP_ZERO = 0x10, 0x20

# struct __sk_buff
_SIZE, _KIND, _VLAN, _INTERFACE, _DATA, _END, _SEGMENT = 0, 4, 20, 40, 76, 80, 176
_HOST = 0  # PACKET_HOST

_ETHERNET, _UDP, _RTP = 14, 8, 12
_VERSION_2 = 0x80
_ORDINARY = 0xEF  # of RTP's first octet all but the extension's bit: no padding, no CSRC
_TTL = 64
_SECOND = 1_000_000_000

# What lies on the stack, below R10
_KEY_AT = -24
_INDEX_AT = -28


class Family:
    """What differs between IPv4 and IPv6."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.ethertype = 0x0800 if version == 4 else 0x86DD
        self.header = 20 if version == 4 else 40
        self.transport = _ETHERNET + self.header
        self.source, self.target = (26, 30) if version == 4 else (22, 38)
        # (offset, size) of an address's pieces
        self.pieces = ((0, Size.WORD),) if version == 4 else ((0, Size.DOUBLE), (8, Size.DOUBLE))


FAMILIES = (Family(4), Family(6))


def key_of(host: str, port: int) -> bytes:
    """Under which a stream is found."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packed = socket.inet_pton(family, host.partition("%")[0])
    return KEY.pack(packed, socket.htons(port), 6 if ":" in host else 4)


def _network(number: int) -> int:
    """A number of 16 bits as a load of the packet's octets gives it."""
    return socket.htons(number)


def assemble(layout: Layout, keys: int, streams: int, tables: int) -> bytes:
    """Return the program; ``keys``, ``streams`` and ``tables`` are descriptors of maps."""
    return bytes(_Writer(layout, keys, streams, tables).program)


class _Writer:
    """R6 is the context, R7 the packet, R8 its UDP header, R9 the stream."""

    def __init__(self, layout: Layout, keys: int, streams: int, tables: int) -> None:
        self.program = Assembler()
        self._at = layout
        self._maps = keys, streams
        self._tables = tables
        self._open()
        for family in FAMILIES:
            self.program.label(f"ip{family.version}")
            self._write(family)
        self._close()

    def _field(self, size: Size, target: Register, name: str) -> None:
        self.program.load(size, target, R9, self._at[name])

    # -- which packet it is

    def _open(self) -> None:
        p = self.program
        p.move(R6, R1)
        for field, wanted in ((_KIND, _HOST), (_SEGMENT, 0), (_VLAN, 0)):
            p.load(Size.WORD, R2, R6, field)
            p.jump_if(If.NE, R2, wanted, "pass")
        p.load(Size.WORD, R7, R6, _DATA)
        p.load(Size.WORD, R8, R6, _END)
        for at in range(0, 24, 8):
            p.store(Size.DOUBLE, R10, _KEY_AT + at, 0)
        p.move(R2, R7)
        p.add(R2, _ETHERNET)
        p.jump_if(If.GT, R2, R8, "pass")
        p.load(Size.HALF, R3, R7, 12)
        for family in FAMILIES:
            p.jump_if(If.EQ, R3, _network(family.ethertype), f"ip{family.version}")
        p.jump("pass")

    def _write(self, family: Family) -> None:
        self._check_headers(family)
        self._find(family)
        self._check_source(family)
        self._check_size(family)
        self._check_rtp(family)
        recoding = Recoding(
            self.program, self._at, self._tables, family.transport + _UDP, str(family.version)
        )
        recoding.check()
        self._take(family)
        self._rewrite(family)
        recoding.write()
        self._send(family, recoding)

    def _check_headers(self, family: Family) -> None:
        """UDP without options or fragments, long enough for RTP's header."""
        p = self.program
        p.move(R2, R7)
        p.add(R2, family.transport + _UDP + _RTP)
        p.jump_if(If.GT, R2, R8, "pass")
        if family.version == 4:
            p.load(Size.BYTE, R2, R7, _ETHERNET)
            p.jump_if(If.NE, R2, 0x45, "pass")
            p.load(Size.HALF, R2, R7, _ETHERNET + 6)
            p.jump_if(If.SET, R2, _network(0x3FFF), "pass")
        p.load(Size.BYTE, R2, R7, _ETHERNET + (9 if family.version == 4 else 6))
        p.jump_if(If.NE, R2, socket.IPPROTO_UDP, "pass")

    def _find(self, family: Family) -> None:
        p = self.program
        for at, size in family.pieces:
            p.load(size, R2, R7, family.target + at)
            p.store(size, R10, _KEY_AT + at, R2)
        p.load(Size.HALF, R2, R7, family.transport + 2)
        p.store(Size.HALF, R10, _KEY_AT + 16, R2)
        p.store(Size.HALF, R10, _KEY_AT + 18, family.version)
        keys, streams = self._maps
        self._look_up(keys, _KEY_AT)
        p.load(Size.WORD, R1, R0, 0)
        p.store(Size.WORD, R10, _INDEX_AT, R1)
        self._look_up(streams, _INDEX_AT)
        p.move(R9, R0)

    def _look_up(self, descriptor: int, key_at: int) -> None:
        p = self.program
        p.load_map(R1, descriptor)
        p.move(R2, R10)
        p.add(R2, key_at)
        p.call(_LOOKUP)
        p.jump_if(If.EQ, R0, 0, "pass")

    # -- whether it is ordinary

    def _check_source(self, family: Family) -> None:
        p = self.program
        self._field(Size.WORD, R2, "is_open")
        p.jump_if(If.NE, R2, family.version, "pass")
        p.load(Size.WORD, R2, R6, _INTERFACE)
        self._field(Size.WORD, R3, "in_interface")
        p.jump_if(If.NE, R2, R3, "pass")
        for at, size in family.pieces:
            p.load(size, R2, R7, family.source + at)
            p.load(size, R3, R9, self._at["source"] + at)
            p.jump_if(If.NE, R2, R3, "pass")
        p.load(Size.WORD, R2, R7, family.transport)  # both ports at once, as they lie in the stream
        self._field(Size.WORD, R3, "source_port")
        p.jump_if(If.NE, R2, R3, "pass")

    def _check_size(self, family: Family) -> None:
        """R4: octets of the datagram; the lengths of IP, UDP and the frame agree."""
        p = self.program
        p.load(Size.HALF, R4, R7, family.transport + 4)
        p.to_big_endian(R4, 16)
        p.load(Size.HALF, R2, R7, _ETHERNET + (2 if family.version == 4 else 4))
        p.to_big_endian(R2, 16)
        if family.version == 4:
            p.op(Op.SUB, R2, family.header)
        p.jump_if(If.NE, R2, R4, "pass")
        p.add(R2, family.header)
        self._field(Size.WORD, R3, "max_size")
        p.jump_if(If.GT, R2, R3, "pass")
        p.add(R2, _ETHERNET)
        p.load(Size.WORD, R3, R6, _SIZE)
        p.jump_if(If.GT, R2, R3, "pass")
        p.jump_if(If.LT, R4, _UDP + _RTP, "pass")
        p.op(Op.SUB, R4, _UDP)

    def _check_rtp(self, family: Family) -> None:
        """Its first word, the extension's length, the SSRC; R4 stays."""
        p = self.program
        rtp = family.transport + _UDP
        known = f"types{family.version}"
        p.load(Size.BYTE, R2, R7, rtp)
        p.move(R3, R2)
        p.op(Op.AND, R3, _ORDINARY)
        p.jump_if(If.NE, R3, _VERSION_2, "pass")
        p.jump_if(If.EQ, R2, _VERSION_2, known)
        p.move(R2, R7)
        p.add(R2, rtp + _RTP + 4)
        p.jump_if(If.GT, R2, R8, "pass")
        p.load(Size.HALF, R2, R7, rtp + _RTP + 2)
        p.to_big_endian(R2, 16)
        p.op(Op.LSH, R2, 2)
        p.add(R2, _RTP + 4)
        p.jump_if(If.GT, R2, R4, "pass")
        p.label(known)
        p.load(Size.BYTE, R2, R7, rtp + 1)
        p.op(Op.AND, R2, 0x7F)
        self._field(Size.DOUBLE, R3, "payload_types")
        p.jump_if(If.LT, R2, 64, f"low{family.version}")
        p.load(Size.DOUBLE, R3, R9, self._at["payload_types"] + 8)
        p.label(f"low{family.version}")
        p.op(Op.AND, R2, 0x3F)
        p.op(Op.RSH, R3, R2)
        p.op(Op.AND, R3, 1)
        p.jump_if(If.EQ, R3, 0, "pass")
        p.load(Size.WORD, R2, R7, rtp + 8)
        self._field(Size.WORD, R3, "ssrc")
        p.jump_if(If.NE, R2, R3, "pass")

    # -- counting it: the number is taken, whoever comes second goes up

    def _take(self, family: Family) -> None:
        p = self.program
        rtp = family.transport + _UDP
        p.store(Size.DOUBLE, R10, _KEY_AT, R4)
        p.call(_NOW)
        p.move(R8, R0)
        self._check_rate(family)
        p.load(Size.HALF, R2, R7, rtp + 2)
        p.to_big_endian(R2, 16)
        self._field(Size.WORD, R0, "highest")
        p.move(R3, R0)
        p.add(R3, 1)
        p.move(R4, R3)
        p.op(Op.AND, R4, 0xFFFF)
        p.jump_if(If.NE, R4, R2, "pass")
        p.move(R5, R0)
        p.compare_exchange(R9, self._at["highest"], R3)
        p.jump_if(If.NE, R0, R5, "pass", bits=32)
        p.move(R2, 1)
        p.add_atomically(R9, self._at["packets"], R2)
        p.load(Size.DOUBLE, R2, R10, _KEY_AT)
        p.add_atomically(R9, self._at["octets"], R2)
        p.store(Size.DOUBLE, R9, self._at["last_at"], R8)
        self._measure(family)

    def _check_rate(self, family: Family) -> None:
        """R8: now."""
        p = self.program
        within, counted = f"within{family.version}", f"counted{family.version}"
        self._field(Size.WORD, R4, "max_rate")
        p.jump_if(If.EQ, R4, 0, counted)
        self._field(Size.DOUBLE, R2, "window_count")
        self._field(Size.DOUBLE, R3, "window_at")
        p.move(R5, R8)
        p.op(Op.SUB, R5, R3)
        p.jump_if(If.LT, R5, _SECOND, within)
        p.store(Size.DOUBLE, R9, self._at["window_at"], R8)
        p.move(R2, 0)
        p.label(within)
        p.add(R2, 1)
        p.store(Size.DOUBLE, R9, self._at["window_count"], R2)
        p.jump_if(If.GT, R2, R4, "drop")
        p.label(counted)

    def _measure(self, family: Family) -> None:
        """Jitter; RFC 3550 A.8, as statistics.h has it."""
        p = self.program
        first, positive, done = (f"{name}{family.version}" for name in ("first", "positive", "measured"))
        self._field(Size.DOUBLE, R2, "base_at")
        p.op(Op.SUB, R8, R2)
        self._field(Size.WORD, R2, "units_per_ns")
        p.op(Op.MUL, R8, R2)
        p.op(Op.RSH, R8, 32)
        p.load(Size.WORD, R3, R7, family.transport + _UDP + 4)
        p.to_big_endian(R3, 32)
        p.store(Size.WORD, R9, self._at["timestamp"], R3)
        p.op(Op.SUB, R8, R3, bits=32)  # the transit time
        self._field(Size.WORD, R2, "transit")
        p.store(Size.WORD, R9, self._at["transit"], R8)
        self._field(Size.WORD, R3, "has_transit")
        p.jump_if(If.EQ, R3, 0, first)
        p.op(Op.SUB, R8, R2, bits=32)
        p.jump_if(If.SGE, R8, 0, positive, bits=32)
        p.op(Op.NEG, R8, 0, bits=32)
        p.label(positive)
        self._field(Size.WORD, R2, "clock_rate")
        p.jump_if(If.GE, R8, R2, done)
        self._field(Size.DOUBLE, R2, "jitter")
        p.move(R3, R2)
        p.add(R3, 8)
        p.op(Op.RSH, R3, 4)
        p.op(Op.SUB, R2, R3)
        p.add(R2, R8)
        p.store(Size.DOUBLE, R9, self._at["jitter"], R2)
        p.jump(done)
        p.label(first)
        p.store(Size.WORD, R9, self._at["has_transit"], 1)
        p.label(done)

    # -- sending it

    def _rewrite(self, family: Family) -> None:
        p = self.program
        for name, place in (("sender", family.source), ("target", family.target)):
            for at, size in family.pieces:
                p.load(size, R2, R9, self._at[name] + at)
                p.store(size, R7, place + at, R2)
        self._field(Size.WORD, R2, "sender_port")
        p.store(Size.WORD, R7, family.transport, R2)
        if family.version == 6:
            self._field(Size.WORD, R2, "first_word")
            p.store(Size.WORD, R7, _ETHERNET, R2)
            p.store(Size.BYTE, R7, _ETHERNET + 7, _TTL)
            return
        self._field(Size.WORD, R2, "traffic_class")
        p.store(Size.BYTE, R7, _ETHERNET + 1, R2)
        p.store(Size.BYTE, R7, _ETHERNET + 8, _TTL)
        self._field(Size.WORD, R2, "header_sum")
        for at in (2, 4, 6):  # length, identification, flags
            p.load(Size.HALF, R3, R7, _ETHERNET + at)
            p.add(R2, R3)
        for _ in range(2):
            p.move(R3, R2)
            p.op(Op.RSH, R3, 16)
            p.op(Op.AND, R2, 0xFFFF)
            p.add(R2, R3)
        p.op(Op.XOR, R2, 0xFFFF)
        p.store(Size.HALF, R7, _ETHERNET + 10, R2)

    def _send(self, family: Family, recoding: Recoding) -> None:
        p, keeps = self.program, _KEEP_ZERO if family.version == 4 else 0
        for name, flags in (("address_difference", _PSEUDO_HEADER), ("port_difference", 0)):
            p.move(R1, R6)
            p.move(R2, family.transport + 6)
            p.move(R3, 0)
            self._field(Size.WORD, R4, name)
            p.move(R5, flags | keeps)
            p.call(_L4_CHECKSUM)
        recoding.sum_up(keeps)
        if family.version == 6:  # no sum of the header makes up for the addresses: a sum of the frame stays
            p.move(R1, R6)
            self._field(Size.WORD, R2, "address_difference")
            p.call(_UPDATE_SUM)
        self._field(Size.WORD, R1, "out_interface")
        p.move(R2, R9)
        p.add(R2, self._at["next_hop"])
        p.move(R3, 20)
        p.move(R4, 0)
        p.call(_REDIRECT)
        p.exit()

    def _close(self) -> None:
        p = self.program
        p.label("pass")
        p.move(R0, _NEXT)
        p.exit()
        p.label("drop")
        p.move(R2, 1)
        p.add_atomically(R9, self._at["refused"], R2)
        p.move(R0, _DROP)
        p.exit()
