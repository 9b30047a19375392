"""Run by test_kernel.py as child_kernel.py is: THREATS A1, A2, A3 and A8 beside the kernel's relay."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

from tests.peers.child_networks import inside

from .discontinuities import STORIES, Packet
from .kernel_house import STRANGER, Cases, House, received, run_case, until, warm
from .malformed import RTCP, RTP
from .phones import Call, rtp
from .secured import SecurePhone


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


async def discontinuities() -> None:
    """THREATS A8: whatever comes arrives, in its order; then the kernel has the stream again."""
    for kernel, streams in (("required", 2), ("off", 0)):
        async with House(kernel=kernel) as house:
            calls = [house.call() for _ in STORIES]
            await asyncio.gather(*map(break_off, calls, STORIES.values()))
            await until(lambda: house.kernel_streams() == streams * len(calls))  # noqa: B023
            for call, name in zip(calls, STORIES, strict=True):
                counters = call.session.report().streams[0].counters
                assert 0 <= counters.lost <= 1100, (name, counters)
                assert counters.is_in_kernel == bool(streams)


async def break_off(call: Call, story: Callable[[int], list[Packet]]) -> None:
    """Both speak, and one as the story goes."""
    call.b.rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sent = [rtp(seq) for seq in range(60)]
    for packet in sent:
        call.a.say(packet)
        call.b.say(packet)
        await asyncio.sleep(0.002)
    for one in story(60):
        sent.append(rtp(one.number, ssrc=0xABCD - 7 + one.ssrc, timestamp=one.timestamp * 160))
        call.a.say(sent[-1])
        await asyncio.sleep(0.002)
    assert [call.b.hear() for _ in sent] == sent
    assert received(call.b.rtp) == []
    assert call.session.report().streams[0].counters.packets == len(sent)


async def secured() -> None:
    """A leg with keys stays with the engine; A1 and A4 hold there as on the loopback."""
    async with House(kernel="required") as house:
        call = Call(house.plane, house.phone("left"), house.phone("right"))
        caller, stranger = SecurePhone(call.a, "AES_CM_128_HMAC_SHA1_80"), house.phone("left", STRANGER)
        call.b.obey(call.session.offer(call.a_leg, call.b_leg, caller.describe()))
        caller.obey(call.session.answer(call.b_leg, call.a_leg, call.b.describe()))
        call.session.confirm()
        for seq in range(150):
            true = caller.sender.protect(rtp(seq))
            stranger.rtp.sendto(true, call.a.media)
            call.a.say(rtp(seq), true[:-1] + bytes([true[-1] ^ 1]), true)
            assert call.b.hear() == rtp(seq)
            call.b.say(rtp(seq, ssrc=9))
            assert caller.hear() == rtp(seq, ssrc=9)
        await until(lambda: call.dropped()["source"] == 150)
        assert call.dropped()["unauthentic"] == 300
        assert house.kernel_streams() == 0
        for phone in (call.b, stranger):
            assert received(phone.rtp) == []


CASES: Cases = {case.__name__: case for case in (impostors, malformed, discontinuities, secured)}


if __name__ == "__main__":
    run_case(CASES[sys.argv[1]])
