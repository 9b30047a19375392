"""Counts RTP packets that arrive for the phones of rtp_frames_core.c, in the kernel; there they end.

A program at tc adds each marked packet to its phone's count, and its time on the way to a histogram: a tenth
of a microsecond, where a phone's socket takes two. What is told of loss and delay is exact.
"""

from __future__ import annotations

import os
import socket
import struct

from switchroom.switch.media.kernel.assembler import (
    R0,
    R1,
    R2,
    R3,
    R6,
    R7,
    R8,
    R9,
    R10,
    Assembler,
    If,
    Op,
    Size,
)
from switchroom.switch.media.kernel.bpf import Map, attach, closing, load_program

_DATA, _END = 76, 80  # of struct __sk_buff
_LOOKUP, _NOW = 1, 5
_NEXT, _DROP = -1, 2
_PORTS, _RTP = 34, 42  # in a frame of Ethernet with IPv4
_STAMP = _RTP + 4
_UNIT = 1.024  # microseconds of a time stamp
_ETHERTYPE_IP = 0x0008  # as a load of the octets gives it
_UDP = 17
_BUCKETS = 65536  # of a unit
_KEY_AT = -4


class Sink:
    """Counts for ``flows`` phones, on even ports from ``first_port`` on."""

    def __init__(self, first_port: int, flows: int) -> None:
        self._links: list[int] = []
        self._counts, self._delays = Map.shared_array(8, flows), Map.shared_array(8, _BUCKETS)
        with closing(self._counts, self._delays):
            self._read_counts, self._read_delays = (
                self._counts.memory(8 * flows),
                self._delays.memory(8 * _BUCKETS),
            )
            code = _assemble(self._counts.descriptor, self._delays.descriptor, first_port, flows)
            self._program = load_program(code, b"sink")

    def watch(self, interface: str) -> None:
        """Count what arrives at an interface of this network namespace too."""
        self._links.append(attach(self._program, socket.if_nametoindex(interface)))

    def result(self) -> dict[str, float]:
        """As rtp_traffic_core.c says it."""
        counts = [count for (count,) in struct.iter_unpack("=Q", self._read_counts[:])]
        delays = [count for (count,) in struct.iter_unpack("=Q", self._read_delays[:])]
        return {
            "received": sum(counts),
            "silent_flows": counts.count(0),
            "p50_us": _percentile(delays, 0.5),
            "p99_us": _percentile(delays, 0.99),
        }

    def close(self) -> None:
        for descriptor in (*self._links, self._program):
            os.close(descriptor)
        self._counts.close()
        self._delays.close()


def _percentile(delays: list[int], share: float) -> int:
    wanted, seen = sum(delays) * share, 0
    for units, count in enumerate(delays):
        seen += count
        if seen > wanted:
            return round(units * _UNIT)
    return _BUCKETS


def _assemble(counts: int, delays: int, first_port: int, flows: int) -> bytes:
    """R7 is the frame, R8 the number of the phone, R9 the delay."""
    p = Assembler()
    p.move(R6, R1)
    p.load(Size.WORD, R7, R6, _DATA)
    p.load(Size.WORD, R2, R6, _END)
    p.move(R3, R7)
    p.add(R3, _RTP + 12)
    p.jump_if(If.GT, R3, R2, "pass")
    p.load(Size.HALF, R2, R7, 12)
    p.jump_if(If.NE, R2, _ETHERTYPE_IP, "pass")
    p.load(Size.BYTE, R2, R7, 23)
    p.jump_if(If.NE, R2, _UDP, "pass")
    p.load(Size.HALF, R8, R7, _PORTS + 2)
    p.to_big_endian(R8, 16)
    p.op(Op.SUB, R8, first_port, bits=32)
    p.jump_if(If.GE, R8, 2 * flows, "pass", bits=32)
    p.jump_if(If.SET, R8, 1, "drop")  # RTCP
    p.op(Op.RSH, R8, 1)
    p.load(Size.BYTE, R2, R7, _RTP + 1)
    p.jump_if(If.LT, R2, 0x80, "drop")  # of the warm-up
    p.call(_NOW)
    p.move(R9, R0)
    p.op(Op.RSH, R9, 10)
    p.load(Size.WORD, R2, R7, _STAMP)
    p.to_big_endian(R2, 32)
    p.op(Op.SUB, R9, R2, bits=32)
    p.jump_if(If.LT, R9, _BUCKETS, "within")
    p.move(R9, _BUCKETS - 1)
    p.label("within")
    for where, number in ((counts, R8), (delays, R9)):
        p.store(Size.WORD, R10, _KEY_AT, number)
        p.move(R2, R10)
        p.add(R2, _KEY_AT)
        p.load_map(R1, where)
        p.call(_LOOKUP)
        p.jump_if(If.EQ, R0, 0, "drop")
        p.move(R1, 1)
        p.add_atomically(R0, 0, R1)
    p.label("drop")
    p.move(R0, _DROP)
    p.exit()
    p.label("pass")
    p.move(R0, _NEXT)
    p.exit()
    return bytes(p)
