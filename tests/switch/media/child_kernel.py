"""Run by test_kernel.py in network namespaces of its own: what the kernel relays, and what it leaves."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import socket
import struct
import sys
import time
from collections import Counter
from pathlib import Path

from tests.peers.child_networks import inside, run

from .kernel_house import Cases, House, Talk, received, run_case, until, warm
from .phones import Phone, rtp


async def relays() -> None:
    for one, other in (("left", "right"), ("six", "seven")):
        async with House(kernel="required") as house:
            call = house.call(one, other)
            await warm(house, call)
            before = house.plane.engine.read_totals().packets
            for seq in range(60, 160):
                call.a.say(rtp(seq, size=100 + seq))
                call.b.say(rtp(seq, size=100 + seq))
                assert call.b.hear() == rtp(seq, size=100 + seq)
                data, source = call.a.rtp.recvfrom(2048)
                assert data == rtp(seq, size=100 + seq)
                assert source[:2] == call.a.media
            assert house.plane.engine.read_totals().packets == before
            report = call.session.report()
            for stream in report.streams:
                counters = stream.counters
                assert (counters.packets, counters.lost) == (160, 0), counters
                assert counters.size == sum(172 for _ in range(60)) + sum(112 + seq for seq in range(60, 160))
                assert counters.is_in_kernel
            call.session.close()
            await until(lambda: house.kernel_streams() == 0)
            totals = house.plane.engine.read_totals()
            assert totals.kernel_packets >= 200, totals


async def to_and_fro() -> None:
    """Taken back and handed over again and again while both speak: every packet arrives, once."""
    async with House(kernel="required") as house:
        call = house.call()
        talks = [Talk(call.a, call.b, interval=0.0012), Talk(call.b, call.a, interval=0.0012)]
        handovers = 0
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            await until(lambda: house.kernel_streams() == 2)
            handovers += 1
            if handovers % 3 == 0:  # negotiated again, by either side
                offerer, answerer = (call.a, call.b) if handovers % 2 else (call.b, call.a)
                legs = (call.a_leg, call.b_leg) if handovers % 2 else (call.b_leg, call.a_leg)
                call.session.offer(*legs, offerer.describe())
                call.session.answer(*reversed(legs), answerer.describe())
            else:
                for leg in (call.a_leg, call.b_leg):
                    house.plane.engine.take_back(leg.pairs[0].index)  # type: ignore[union-attr]
            await asyncio.sleep(0.01)
        for talk in talks:
            await talk.stop()
        assert handovers >= 8, handovers
        for talk in talks:
            assert sorted(talk.heard) == talk.sent, sorted(set(talk.sent) ^ set(talk.heard))[:20]
        for stream in call.session.report().streams:
            assert stream.counters.lost == 0, stream
            assert stream.counters.duplicates == 0
            assert stream.counters.packets == len(talks[stream.leg].sent)


async def exceptions() -> None:
    """What is not entirely ordinary goes up to the engine, which relays and counts it as always."""
    async with House(kernel="required") as house:
        call = house.call()
        await warm(house, call)

        async def say(*packets: bytes) -> None:
            for packet in packets:
                call.a.say(packet)
                assert call.b.hear() == packet

        first = rtp(0)[:1]
        await say(*map(rtp, range(60, 70)), *map(rtp, range(73, 80)))  # three are lost
        await say(rtp(71), rtp(71), *map(rtp, range(80, 90)))  # one of them is late, and comes twice
        await say(rtp(90, payload_type=101, size=4), rtp(91, payload_type=101, size=4))
        await say(*(b"\x81" + rtp(seq)[1:] for seq in range(92, 95)))  # CSRC
        extension = b"\xbe\xde\x00\x01abcd"
        await say(*(b"\x90" + rtp(seq)[1:12] + extension + bytes(160) for seq in range(95, 110)))
        await say(*(rtp(seq, payload_type=8) for seq in range(110, 120)))  # agreed too
        assert first == b"\x80"
        assert house.kernel_streams() == 2
        counters = call.session.report().streams[0].counters
        assert (counters.lost, counters.duplicates, counters.out_of_order) == (2, 1, 1), counters
        assert counters.packets == 60 + 10 + 7 + 2 + 10 + 2 + 3 + 15 + 10
        before = house.plane.engine.read_totals().packets
        call.a.say(rtp(120))
        assert call.b.hear() == rtp(120)
        assert house.plane.engine.read_totals().packets == before  # the kernel goes on behind all this
        await say(*map(rtp, range(65520, 65536)), *map(rtp, range(20)))  # jumps, and rolls over
        await say(*(rtp(seq, ssrc=7) for seq in range(5000, 5060)))  # another source: taken back, later given
        await until(lambda: house.kernel_streams() == 1)
        counters = call.session.report().streams[0].counters
        assert counters.lost == 2, counters
        await say(*(rtp(seq, ssrc=7) for seq in range(5060, 5200)))
        await until(lambda: house.kernel_streams() == 2)


async def silence() -> None:
    """THREATS A10: packets in the kernel are life, and their end is noticed."""
    async with House(kernel="required", rtp_timeout=2.0) as house:  # a busy machine stands still for less
        call = house.call()
        await warm(house, call)
        talks = [Talk(call.a, call.b, interval=0.01, first=60), Talk(call.b, call.a, interval=0.01, first=60)]
        await asyncio.sleep(3.0)
        assert house.ended == []
        assert house.kernel_streams() == 2
        for talk in talks:
            await talk.stop()
        await until(lambda: house.ended == [call.session], 10.0)
        report = call.session.close()
        assert report.a.packets == 60 + len(talks[0].sent)


async def reroute() -> None:
    """Where the way changes, the engine takes over at once, and the kernel is asked again."""
    async with House(kernel="required") as house:
        call = house.call()
        await warm(house, call)
        talk = Talk(call.a, call.b, interval=0.002, first=60)
        run("ip link set left mtu 1400")
        house.plane.on_network_change()
        await until(lambda: house.kernel_streams() == 1)  # what leaves there; b is silent
        run("ip link set right mtu 150")  # smaller than the packets: they go up
        house.plane.on_network_change()
        await until(lambda: house.kernel_streams() == 0)
        await until(lambda: house.kernel_streams() == 1)
        before = house.plane.engine.read_totals()
        await until(lambda: house.plane.engine.read_totals().packets > before.packets + 20)
        run("ip link set right mtu 1500", "ip link set left mtu 1500")
        house.plane.on_network_change()
        await asyncio.sleep(0.3)
        await talk.stop()
        assert talk.heard == talk.sent


async def flood() -> None:
    """More than a stream may have is dropped in the kernel already."""
    async with House(kernel="required") as house:
        call = house.call()
        await warm(house, call)
        call.b.rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        for seq in range(60, 3000):
            call.a.say(rtp(seq))
        await asyncio.sleep(0.3)
        heard = len(received(call.b.rtp))
        assert 900 <= heard <= 2100, heard
        assert call.dropped()["rate"] > 500, call.dropped()
        assert house.plane.kernel is not None


async def checksums() -> None:
    """Complete sums, as a network card leaves them, are right behind the kernel too; none stays none."""
    for one, other in (("left", "right"), ("six", "seven")):
        async with House(kernel="required") as house:
            call = house.call(one, other)
            await warm(house, call)
            there = hardware_of(one)
            with inside(one):
                raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
                protocol = 0x86DD if ":" in call.a.host else 0x0800
            with raw:
                for seq in range(60, 90):
                    packet = datagram(call.a, rtp(seq, size=seq), has_sum=one == "six" or seq % 2 == 0)
                    raw.sendto(packet, ("wire", protocol, 0, 0, there))
                    assert call.b.hear() == rtp(seq, size=seq)
            counters = call.session.report().streams[0].counters
            assert (
                house.plane.engine.read_totals().kernel_packets < counters.packets
            )  # none went up meanwhile
            assert counters.packets == 90


def hardware_of(name: str) -> bytes:
    """The address of our end of a wire."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return fcntl.ioctl(sock, 0x8927, struct.pack("16s16x", name.encode()))[18:24]


def datagram(phone: Phone, payload: bytes, *, has_sum: bool) -> bytes:
    """IP and UDP around a payload, by hand."""
    source, target = (socket.inet_pton(phone.family, host) for host in (phone.host, phone.media[0]))
    size = 8 + len(payload)
    head = struct.pack("!HHHH", phone.port, phone.media[1], size, 0)
    pseudo = source + target + struct.pack("!IHBB", size, 0, 0, 17)
    total = complement(pseudo + head + payload) or 0xFFFF
    udp = head[:6] + struct.pack("!H", total if has_sum else 0) + payload
    if phone.family == socket.AF_INET6:
        return struct.pack("!IHBB", 6 << 28, size, 17, 9) + source + target + udp
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 77, 0, 9, 17, 0) + source + target
    return ip[:10] + struct.pack("!H", complement(ip)) + ip[12:] + udp


def complement(data: bytes) -> int:
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


async def unfit() -> None:
    """Legs of two IP versions stay with the engine, which says why."""
    async with House(kernel="required") as house:
        call = house.call("left", "six")
        await warm(house, call, streams=0)
        await until(
            lambda: house.plane.kernel and house.plane.kernel.reasons["the legs differ in IP version"] == 2
        )
        call.a.say(rtp(60))
        assert call.b.hear() == rtp(60)
        path = house.plane.path
        assert path.startswith("kernel where it can, else user space, one socket"), path
        assert path.endswith(": the legs differ in IP version"), path


async def leaves_nothing() -> None:
    """THREATS G4: calls come and go, and so does the plane; descriptors and the kernel's maps go too."""
    before = held()
    for one, other in (("left", "right"), ("six", "seven"), ("left", "right")):
        await come_and_go(one, other)
        gc.collect()
        assert held() == before, held() - before


async def come_and_go(one: str, other: str) -> None:
    async with House(kernel="required") as house:
        for _ in range(5):
            call = house.call(one, other)
            await warm(house, call)
            call.session.close()
            await until(lambda: house.kernel_streams() == 0)
        assert held()["anon_inode:bpf-map"] > 0
    assert house.plane.ports_in_use == 0


def held() -> Counter[str]:
    """Descriptors by their kind, and memory of the kernel's maps."""
    kinds: Counter[str] = Counter()
    for link in Path("/proc/self/fd").iterdir():
        if link.is_symlink():  # all but the one that lists them
            kinds[os.readlink(link).partition(":[")[0]] += 1
    kinds["mapped"] = Path("/proc/self/maps").read_text().count("bpf-map")
    return +kinds


CASES: Cases = {
    case.__name__: case
    for case in (
        relays, to_and_fro, exceptions, silence, reroute, flood, checksums, unfit, leaves_nothing,
    )
}  # fmt: skip


if __name__ == "__main__":
    run_case(CASES[sys.argv[1]])
