"""Run by test_kernel.py in network namespaces of its own: a media plane here, phones behind wires."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane
from tests.peers.child_networks import inside, network, run

from .malformed import RTCP, RTP
from .phones import Call, Phone, rtp

OURS = {"left": "192.0.2.1", "right": "203.0.113.1", "six": "2001:db8:1::1", "seven": "2001:db8:2::1"}
THEIRS = {"left": "192.0.2.9", "right": "203.0.113.9", "six": "2001:db8:1::9", "seven": "2001:db8:2::9"}
STRANGER = "192.0.2.66"


def local_for(toward: str) -> str:
    return next(ours for name, ours in OURS.items() if toward.rpartition(THEIRS[name][-1])[0] == ours[:-1])


class House:
    """A plane, and phones that live in other namespaces."""

    def __init__(self, **media: object) -> None:
        self.ended: list[object] = []
        config = MediaConfig(ports="30000-39999", transcode=[], **media)  # type: ignore[arg-type]
        self.plane = MediaPlane(config, local_for, self.ended.append, quarantine=0.0)
        self._stack = ExitStack()

    async def __aenter__(self) -> House:
        self.plane.start(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stack.close()
        self.plane.stop()

    def phone(self, name: str, host: str = "") -> Phone:
        with inside(name):
            return self._stack.enter_context(Phone(host or THEIRS[name]))

    def call(self, one: str = "left", other: str = "right", **kind: bool) -> Call:
        return Call(self.plane, self.phone(one), self.phone(other), **kind).set_up()

    def kernel_streams(self) -> int:
        return self.plane.engine.read_totals().kernel_streams


async def until(is_so: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - another thread's counters
            await asyncio.sleep(0.002)


class Talk:
    """A phone that speaks at a steady pace, in a thread, and another one that listens."""

    def __init__(self, speaker: Phone, listener: Phone, *, interval: float = 0.002, first: int = 1) -> None:
        self.sent: list[int] = []
        self.heard: list[int] = []
        self._speaker, self._listener, self._interval, self._seq = speaker, listener, interval, first
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._speak, self._listen)]
        for thread in self._threads:
            thread.start()

    def _speak(self) -> None:
        while not self._is_over.is_set():
            self.sent.append(self._seq)
            self._speaker.say(rtp(self._seq))
            self._seq += 1
            time.sleep(self._interval)

    def _listen(self) -> None:
        self._listener.rtp.settimeout(0.3)
        while True:
            try:
                self.heard.append(int.from_bytes(self._listener.rtp.recv(2048)[2:4], "big"))
            except TimeoutError:
                if self._is_over.is_set():
                    return

    async def stop(self) -> None:
        self._is_over.set()
        await asyncio.to_thread(lambda: [thread.join() for thread in self._threads])


async def warm(house: House, call: Call, count: int = 60, streams: int = 2) -> None:
    """Speak to each other until the kernel has taken over."""
    for seq in range(count):
        call.a.say(rtp(seq))
        call.b.say(rtp(seq))
        await asyncio.sleep(0.001)
    for phone in (call.a, call.b):
        for _ in range(count):
            phone.hear()
    await until(lambda: house.kernel_streams() == streams)


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


async def impostors() -> None:
    """THREATS A1, A2: nothing gets in and nothing goes out but from and to the phones."""
    for is_nat in (False, True):
        async with House(kernel="required") as house:
            call = house.call(a_is_nat=is_nat)
            if is_nat:  # learnt: another port than its SDP names
                with inside("left"):
                    moved = house.phone("left")
                moved.media, moved.control = call.a.media, call.a.control
                call.a = moved
            await warm(house, call)
            stranger = house.phone("left", STRANGER)
            neighbour = house.phone("left")  # the same host, another port
            for seq in range(1000):
                for thief in (stranger, neighbour):
                    thief.rtp.sendto(rtp(60 + seq), call.a.media)
                    if seq < 5:
                        thief.rtcp.sendto(rtp(seq), call.a.control)
                if seq % 100 == 0:
                    await asyncio.sleep(0.01)
            if is_nat:
                call.a.say(rtp(60, ssrc=0x666))  # the SSRC is pinned too
            call.a.say(rtp(60))
            assert call.b.hear() == rtp(60)
            assert house.kernel_streams() == 2
            for thief in (stranger, neighbour):
                thief.rtp.setblocking(False)
                try:
                    raise AssertionError(thief.rtp.recv(2048))
                except BlockingIOError:
                    pass
            await until(lambda: call.dropped()["source"] >= 2000)  # noqa: B023
            assert call.dropped()["ssrc"] == is_nat


async def malformed() -> None:
    """THREATS A3 with a call in the kernel: each is refused, the call is heard on."""
    async with House(kernel="required") as house:
        call = house.call()
        await warm(house, call)
        stranger = house.phone("left", STRANGER)
        for seq, data in enumerate((*RTP.values(), *RTCP.values()), 60):
            for target in (call.a.media, call.a.control):
                call.a.rtp.sendto(data, target)
                stranger.rtp.sendto(data, target)
            call.a.say(rtp(seq))
            assert call.b.hear_until(rtp(seq)) == [rtp(seq)]
        assert house.kernel_streams() == 2


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
    async with House(kernel="required", rtp_timeout=0.8) as house:
        call = house.call()
        await warm(house, call)
        talks = [Talk(call.a, call.b, interval=0.01, first=60), Talk(call.b, call.a, interval=0.01, first=60)]
        await asyncio.sleep(1.6)
        assert house.ended == []
        assert house.kernel_streams() == 2
        for talk in talks:
            await talk.stop()
        await until(lambda: house.ended == [call.session])
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


def received(sock: socket.socket) -> list[bytes]:
    """All that is there."""
    sock.setblocking(False)
    found = []
    while True:
        try:
            found.append(sock.recv(2048))
        except BlockingIOError:
            return found


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


CASES: dict[str, Callable[[], Awaitable[None]]] = {
    case.__name__: case
    for case in (
        relays, to_and_fro, impostors, malformed, exceptions, silence, reroute, flood, checksums, unfit,
    )
}  # fmt: skip


def main() -> None:
    run("mount -t tmpfs none /run", "ip link set lo up")
    os.makedirs("/run/netns", exist_ok=True)
    for name, ours in OURS.items():
        size = 64 if ":" in ours else 24
        network(name, f"{ours}/{size}", f"{THEIRS[name]}/{size}")
    run(f"ip -n left addr add {STRANGER}/24 dev wire")
    asyncio.run(CASES[sys.argv[1]]())


if __name__ == "__main__":
    main()
