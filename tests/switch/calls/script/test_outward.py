"""Calls that a program makes to somebody who has not called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.digest import Challenge
from switchroom.switch.calls.identity import Identity
from switchroom.switch.calls.script import Apps, Call, Credentials, Manner, NotAnswered, Outward, Tone
from tests.switch.calls.world import World

from .handset import Handset, pitches, run, until

Phones = Callable[..., Handset]
WHO = Identity("+15017122661")


def test_a_program_calls_and_hangs_up(world: World, apps: Apps, handset: Phones) -> None:
    b, heard = handset("127.0.0.3", user="bob"), list[str]()

    async def story() -> None:
        outward = Outward("api", lambda: heard.append("ringing"))
        work = asyncio.create_task(apps.call("user:bob", app="api", caller=WHO, outward=outward))
        await b.rings()
        b.answer()
        call = await work
        assert call.is_answered
        assert call.id == outward.id
        assert not call.is_over
        await call.play(Tone((440.0,), 0.4))
        await call.hang_up()
        await until(lambda: b.is_over)

    run(world, story())
    assert heard == ["ringing"]
    assert b.invited.request.from_.uri.user == WHO.number
    assert pitches(b.sound, 8000) == [440]
    assert not world.exchange.calls
    assert not world.media.session_count
    assert world.exchange.calls_total == {200: 1}


def test_whoever_was_called_hangs_up_or_is_bridged_to_another(
    world: World, apps: Apps, handset: Phones
) -> None:
    b, c = handset("127.0.0.3", user="bob"), handset("127.0.0.4", user="carol")
    ends = list[str]()

    async def onward(call: Call) -> None:
        leg = await call.dial("user:carol", on_ringing=ends.append)
        ends.append(leg.target)
        ends.append(await call.bridge(leg))

    async def story() -> None:
        work = asyncio.create_task(apps.call("user:bob", app="api", caller=WHO))
        await b.rings()
        b.answer()
        apps.run(onward, await work)
        await c.rings()
        c.answer()
        await until(lambda: c.phone.has(sip.SessionAcknowledged))
        await asyncio.sleep(0.05)
        b.hang_up()
        await until(lambda: c.is_over)

    run(world, story())
    assert ends[:2] == ["user:carol", "user:carol"]
    assert not world.exchange.calls


def test_who_answers_and_leaves_at_once_ends_the_call(world: World, apps: Apps, handset: Phones) -> None:
    """Before the program looks: it hears that the call is over, and does not wait for ever."""
    b = handset("127.0.0.3", user="bob")

    async def story() -> None:
        work = asyncio.create_task(apps.call("user:bob", app="api", caller=WHO))
        await b.rings()
        b.answer()
        b.hang_up()  # nothing else has run in between
        call = await work
        assert call.is_answered
        assert call.is_over

    run(world, story())
    assert not apps.calls
    assert not world.exchange.calls
    assert not world.media.sounds.count
    assert world.exchange.calls_total == {200: 1}


@pytest.mark.parametrize("way", ["busy", "nobody", "given up", "timeout"])
def test_nobody_answers(world: World, apps: Apps, handset: Phones, way: str) -> None:
    b = handset("127.0.0.3", user="bob")
    statuses = list[int]()

    async def story() -> None:
        target = "user:carol" if way == "nobody" else "user:bob"
        outward = Outward("api")
        work = asyncio.create_task(apps.call(target, app="api", caller=WHO, outward=outward, timeout=0.3))
        if way != "nobody":
            await b.rings()
        if way == "busy":
            b.session.reject(486, world.now)
            world.settle()
        elif way == "given up":
            outward.give_up()
        elif way == "timeout":
            world.walk(0.6)
        with pytest.raises(NotAnswered) as refused:
            await work
        statuses.append(refused.value.status)
        if way != "nobody" and way != "busy":
            await until(lambda: b.phone.has(sip.SessionCancelled))

    run(world, story())
    assert statuses == [{"busy": 486, "nobody": 480, "given up": 487, "timeout": 408}[way]]
    assert not world.exchange.calls
    assert not world.media.session_count


async def challenged(one: Handset, status: int = 401) -> sip.Request:
    """The first INVITE, which is asked who it is from."""
    await one.rings()
    request: sip.Request = one.invited.request
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    challenge = str(Challenge(f"realm-{one.phone.address[0]}", "nonce"))
    one.session.reject(status, one.world.now, headers=[(name, challenge)])
    one.world.settle()
    return request


@pytest.mark.parametrize("status", [401, 407])
def test_a_uri_that_asks_for_digest_is_answered(
    world: World, apps: Apps, handset: Phones, status: int
) -> None:
    b, target = handset("127.0.0.8"), "sip:bob@127.0.0.8"
    answers = list[str]()

    async def story() -> None:
        login = Credentials("us", "secret")
        work = asyncio.create_task(apps.call(target, app="api", caller=WHO, credentials=login))
        first = await challenged(b, status)
        assert not first.get("Authorization")
        await b.rings()
        field = "Authorization" if status == 401 else "Proxy-Authorization"
        answers.append(b.invited.request.get(field) or "")
        b.answer()
        await (await work).hang_up()

    run(world, story())
    assert 'username="us"' in answers[0]
    assert "secret" not in answers[0] + repr(world.log.lines)


def test_credentials_and_headers_are_for_one_uri_alone(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset("127.0.0.2", user="alice"), handset("127.0.0.8")
    c, d = handset("127.0.0.9"), handset("127.0.0.3", user="bob")
    uris = ("sip:b@127.0.0.8", "sip:c@127.0.0.9", "user:bob")
    asked = dict[str, sip.Request]()

    @apps.on_call("900")
    async def menu(call: Call) -> None:
        secret = Manner((("X-Mine", "1"),), Credentials("us", "secret"))
        # Also where they make no sense: a phone of ours has no business with a password
        await call.dial(*uris, manners={uris[0]: secret, uris[2]: secret})

    async def story() -> None:
        a.call("900")
        for one in (b, c, d):
            asked[one.phone.address[0]] = await challenged(one)
        await b.rings()
        assert 'realm="realm-127.0.0.8"' in (b.invited.request.get("Authorization") or "")
        await asyncio.sleep(0.05)
        assert not c.phone.has(sip.RequestReceived)
        assert not d.phone.has(sip.RequestReceived)
        a.session.hang_up(world.now)
        world.settle()

    run(world, story())
    mine = {host: request.get("X-Mine") for host, request in asked.items()}
    assert mine == {"127.0.0.8": "1", "127.0.0.9": None, "127.0.0.3": "1"}
