"""Whoever a program has called sends the caller elsewhere (RFC 3515)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from switchroom.protocols import sip
from switchroom.switch.calls.script import Apps, Call, Tone
from tests.switch.calls.world import World

from .handset import Handset, pitches, run, until

Phones = Callable[..., Handset]


async def asked(one: Handset, *headers: tuple[str, str]) -> int:
    """Ask for a transfer; how that was answered."""
    one.session.send_request("REFER", one.world.now, headers=headers)
    one.world.settle()
    await until(lambda: one.phone.has(sip.SessionResponseReceived))
    return int(one.phone.take(sip.SessionResponseReceived).response.status)


def notified(one: Handset) -> list[str]:
    """What it was told since; each is answered."""
    lines = []
    while one.phone.has(sip.SessionRequestReceived):
        event = one.phone.take(sip.SessionRequestReceived)
        lines.append(event.request.body.decode().strip())
        event.transaction.respond(200, one.world.now)
        one.world.settle()
    return lines


def test_a_program_does_what_a_phone_asks_for(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")
    told = list[str]()

    @apps.on_call("900")
    async def menu(call: Call) -> None:
        leg = await call.dial("user:bob")
        referred: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        leg.hear_refer(referred.set_result)
        bridge = asyncio.ensure_future(call.bridge(leg))
        told.append(await referred)
        bridge.cancel()
        await asyncio.wait({bridge})
        leg.let_go()
        assert leg.is_over
        await call.play(Tone((1500.0,), 0.4))

    async def story() -> None:
        a.call("900")
        await b.rings()
        b.answer()
        await a.answered()
        await until(lambda: b.phone.has(sip.SessionAcknowledged))
        assert await asked(b, ("Refer-To", "<http://a.example/>")) == 403
        assert await asked(b) == 400
        assert await asked(b, ("Refer-To", "<sip:200@a.example?X-Case=7>"), ("Refer-To", "<sip:b@c>")) == 400
        assert await asked(b, ("Refer-To", "<sip:200@a.example?X-Case=7>")) == 202
        lines = notified(b)
        await until(lambda: b.phone.has(sip.SessionRequestReceived) or b.is_over)
        lines += notified(b)
        assert lines == ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]
        await until(lambda: b.is_over)
        await until(lambda: a.is_over)

    run(world, story())
    assert told == ["<sip:200@a.example?X-Case=7>"]
    assert pitches(a.sound, 8000)[-1:] == [1500]
    assert not world.exchange.calls
    assert not world.media.session_count


@pytest.mark.parametrize("who", ["caller", "called"])
def test_a_program_that_does_not_want_it_has_it_refused(
    world: World, apps: Apps, handset: Phones, who: str
) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")

    @apps.on_call("900")
    async def menu(call: Call) -> None:
        await call.connect("user:bob")

    async def story() -> None:
        a.call("900")
        await b.rings()
        b.answer()
        await a.answered()
        await until(lambda: b.phone.has(sip.SessionAcknowledged))
        assert await asked(a if who == "caller" else b, ("Refer-To", "<sip:200@127.0.0.1>")) == 603
        a.hang_up()
        await until(lambda: b.is_over)

    run(world, story())
