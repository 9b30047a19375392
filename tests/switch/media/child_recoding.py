"""Run by test_kernel.py in network namespaces: one form of G.711 becomes the other in the kernel."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import sys

from switchroom.switch.media.recoding import TABLES
from tests.peers.child_networks import inside

from .child_kernel import datagram, hardware_of
from .kernel_house import Cases, House, run_case, until
from .phones import Call

ULAW, ALAW, EVENT = 0, 8, 101
WARM = 60
NUMBERS = random.Random(7)


def sound(seq: int, payload_type: int, size: int = 160, *, first: int = 0x80, middle: bytes = b"") -> bytes:
    head = struct.pack("!BBHII", first, payload_type, seq & 0xFFFF, 160 * seq & 0xFFFFFFFF, 0xABCD)
    return head + middle + NUMBERS.randbytes(size)


def other(packet: bytes, at: int = 12) -> bytes:
    """What it is for whom it goes to."""
    marker, number = packet[1] & 0x80, packet[1] & 0x7F
    head = packet[:1] + bytes([marker | {ULAW: ALAW, ALAW: ULAW}[number]]) + packet[2:at]
    return head + packet[at:].translate(TABLES[number == ALAW])


class Pair(Call):
    """A of µ-law and B of A-law, both up and in the kernel."""

    def say(self, *packets: bytes, back: bool = False) -> None:
        """One after the other; each has to come out as it is for the other end."""
        speaker, listener = (self.b, self.a) if back else (self.a, self.b)
        for packet in packets:
            speaker.say(packet)
            assert listener.hear() == other(packet)


async def pair(house: House, one: str = "left", two: str = "right") -> Pair:
    call = Pair(house.plane, house.phone(one), house.phone(two))
    call.set_up(call.a.describe(formats="0 101"), call.b.describe(formats="8 101"))
    for seq in range(WARM):
        call.say(sound(seq, ULAW))
        call.say(sound(seq, ALAW), back=True)
    await until(lambda: house.kernel_streams() == 2)
    return call


def made_house() -> House:
    return House(kernel="required", transcode=["PCMU", "PCMA"])


async def octets() -> None:
    """Each octet, in packets of several lengths, both ways; and nothing of it went up."""
    for one, two in (("left", "right"), ("six", "seven")):
        async with made_house() as house:
            call = await pair(house, one, two)
            before = house.plane.engine.read_totals().packets
            heard = 0
            for seq, size in enumerate((80, 160, 240, 320, 8, 256) * 20, WARM):
                marker = 0x80 * (seq % 7 == 0)
                call.say(sound(seq, ULAW | marker, size))
                call.say(sound(seq, ALAW | marker, size), back=True)
                heard += size + 12
            assert house.plane.engine.read_totals().packets == before
            for stream in call.session.report().streams:
                counters = stream.counters
                assert (counters.packets, counters.lost, counters.is_in_kernel) == (WARM + 120, 0, True)
                assert counters.size == WARM * 172 + heard
            call.session.close()
            await until(lambda: house.kernel_streams() == 0)


async def checksums() -> None:
    """Complete sums, as a network card leaves them, are right behind the kernel; none stays none."""
    for one, two in (("left", "right"), ("six", "seven")):
        async with made_house() as house:
            call = await pair(house, one, two)
            before = house.plane.engine.read_totals().packets
            for back in (False, True):
                name, speaker, listener = (two, call.b, call.a) if back else (one, call.a, call.b)
                with inside(name):
                    raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
                kind = 0x86DD if ":" in speaker.host else 0x0800
                with raw:
                    for seq in range(WARM, WARM + 200):
                        packet = sound(seq, ALAW if back else ULAW, 8 * NUMBERS.randint(1, 40))
                        has_sum = ":" in speaker.host or seq % 4 != 0
                        framed = datagram(speaker, packet, has_sum=has_sum)
                        raw.sendto(framed, ("wire", kind, 0, 0, hardware_of(name)))
                        assert listener.hear() == other(packet)
            assert house.plane.engine.read_totals().packets == before


async def exceptions() -> None:
    """What the kernel does not say in the other form the engine does, and the kernel goes on behind it."""
    async with made_house() as house:
        call = await pair(house)
        extension = b"\xbe\xde\x00\x01abcd"
        key = struct.pack("!BBHII", 0x80, EVENT, 60, 9600, 0xABCD) + bytes((5, 10, 0, 160))
        call.a.say(key)
        assert call.b.hear() == key
        call.say(sound(61, ULAW, 161), sound(62, ULAW, 0), sound(63, ULAW, 800), sound(64, ULAW, 7))
        extended = sound(65, ULAW, first=0x90, middle=extension)
        call.a.say(extended, sound(66, 9), sound(67, ALAW))  # two are not agreed
        assert call.b.hear() == other(extended, 20)
        call.say(sound(68, ULAW), sound(70, ULAW))
        assert house.kernel_streams() == 2
        await until(lambda: call.session.report().streams[0].counters.packets == 70)
        before = house.plane.engine.read_totals().packets
        call.say(*(sound(seq, ULAW) for seq in range(71, 100)))
        assert house.plane.engine.read_totals().packets == before
        counters = call.session.report().streams[0].counters
        assert (counters.lost, counters.duplicates, counters.packets) == (1, 0, 99), counters


async def to_and_fro() -> None:
    """Taken back and given again, and negotiated to pass for a while: each packet comes, as it should."""
    async with made_house() as house:
        call = await pair(house)
        seq = WARM
        for turn in range(6):
            if turn % 3 == 0:
                for leg in (call.a_leg, call.b_leg):
                    house.plane.engine.take_back(leg.pairs[0].index)  # type: ignore[union-attr]
            for _ in range(30):
                call.say(sound(seq, ULAW))
                call.say(sound(seq, ALAW), back=True)
                seq += 1
            if turn % 3 == 1:  # one codec for both, for a while
                await negotiate(house, call, "8 101")
                passed = [sound(seq + i, ALAW) for i in range(80)]
                for packet in passed:
                    call.a.say(packet)
                    call.b.say(packet)
                    assert (call.a.hear(), call.b.hear()) == (packet, packet)
                    await asyncio.sleep(0.001)
                seq += len(passed)
                await until(lambda: house.kernel_streams() == 2)
                await negotiate(house, call, "0 101")
                assert house.plane.counters()["converted_sessions"] == 0
            for _ in range(60):
                call.say(sound(seq, ULAW))
                call.say(sound(seq, ALAW), back=True)
                seq += 1
            await until(lambda: house.kernel_streams() == 2)
        for stream in call.session.report().streams:
            assert (stream.counters.lost, stream.counters.duplicates) == (0, 0)
            assert stream.counters.packets == seq


async def negotiate(house: House, call: Call, formats: str) -> None:
    """The caller offers anew. Until the engine has heard of it, the kernel goes on as before."""
    assert house.kernel_streams() == 2
    call.session.offer(call.a_leg, call.b_leg, call.a.describe(formats=formats))
    call.session.answer(call.b_leg, call.a_leg, call.b.describe(formats="8 101"))
    await until(lambda: house.kernel_streams() == 0)


CASES: Cases = {case.__name__: case for case in (octets, checksums, exceptions, to_and_fro)}


if __name__ == "__main__":
    run_case(CASES[sys.argv[1]])
