"""Run by test_kernel.py in network namespaces: hold, where the kernel relays the call."""

from __future__ import annotations

import asyncio
import sys

import numpy as np

from switchroom.codecs import find
from switchroom.switch.media.clips import Tone
from tests.switch.calls.script.handset import pitches

from .kernel_house import Cases, House, Talk, run_case, until, warm
from .phones import Call, Phone, rtp


def renegotiate(call: Call, direction: str, answer: str) -> None:
    call.b.obey(call.session.offer(call.a_leg, call.b_leg, call.a.describe(f"a={direction}")))
    call.a.obey(call.session.answer(call.b_leg, call.a_leg, call.b.describe(f"a={answer}")))


def hear(phone: Phone, count: int) -> list[int]:
    decoder = find("PCMU").decoder()
    heard = [phone.hear() for _ in range(count)]
    return pitches(np.concatenate([decoder.decode(packet[12:]) for packet in heard]), 8000)


async def hold() -> None:
    """The call is taken back, music is heard and nothing of the holder; then the kernel goes on."""
    async with House(kernel="required") as house:
        house.plane.music.default = (Tone((700.0,), 1.0),)
        call = house.call()
        await warm(house, call)
        renegotiate(call, "sendonly", "recvonly")
        talk = Talk(call.a, house.phone("right"), interval=0.02, first=60)  # the holder has music of its own
        heard = await asyncio.to_thread(hear, call.b, 40)
        await talk.stop()
        assert heard == [700], heard
        assert house.kernel_streams() == 0
        renegotiate(call, "sendrecv", "sendrecv")
        call.a.say(rtp(500))
        assert call.b.hear_until(rtp(500))[-1] == rtp(500)
        call.b.rtp.setblocking(False)
        await asyncio.sleep(0.06)
        try:
            raise AssertionError(call.b.rtp.recv(2048))  # the music is over
        except BlockingIOError:
            call.b.rtp.settimeout(5)
        for seq in range(501, 580):
            call.a.say(rtp(seq))
            call.b.say(rtp(seq))
            await asyncio.sleep(0.001)
        await until(lambda: house.kernel_streams() == 2)
        before = house.plane.engine.read_totals().packets
        call.a.say(rtp(580))
        assert call.b.hear_until(rtp(580))[-1] == rtp(580)
        assert house.plane.engine.read_totals().packets == before


CASES: Cases = {"hold": hold}


if __name__ == "__main__":
    run_case(CASES[sys.argv[1]])
