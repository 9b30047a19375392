"""Scripted calls: a phone calls a number that a program has, over SIP in memory and RTP over sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from switchroom.codecs import Samples
from switchroom.protocols import sip
from switchroom.switch.calls.script import Apps, Call, Leg, NotAnswered, Silence, Tone
from tests.codecs.sounds import tone
from tests.switch.calls.world import World

from .handset import Handset, pitches, run, until

Phones = Callable[..., Handset]


def test_a_program_answers_plays_and_hangs_up(world: World, apps: Apps, handset: Phones) -> None:
    a = handset()

    @apps.on_call("sip:9*")
    async def greet(call: Call) -> None:
        assert (call.caller, call.called) == ("alice", "99")
        await call.answer()
        assert call.codec == "PCMU/8000"
        assert await call.play(Tone((440.0,), 0.4), Silence(0.1), Tone((880.0,), 0.4)) == ""

    async def story() -> None:
        a.call("99")
        await a.answered()
        await until(lambda: a.is_over)

    run(world, story())
    assert pitches(a.sound, 8000) == [440, 880]
    assert not world.exchange.calls
    assert world.exchange.calls_total == {200: 1}
    assert not world.media.session_count
    assert not world.media.sounds.count


def test_routes_lead_to_programs_and_refusals_are_plain(world: World, apps: Apps, handset: Phones) -> None:
    a, heard = handset(), list[str]()

    async def menu(call: Call) -> None:
        heard.append(call.app)
        await call.reject(486)

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await until(lambda: a.phone.has(sip.SessionRejected))

    run(world, story())
    assert a.phone.take(sip.SessionRejected).status == 486
    assert heard == ["menu"]


def test_an_app_that_is_not_there_is_refused(world: World, apps: Apps, handset: Phones) -> None:
    a = handset()
    a.call("700")
    assert a.phone.take(sip.SessionRejected).status == 480


@pytest.mark.parametrize("is_answered", [False, True])
def test_a_program_that_fails_ends_its_call_alone(
    world: World, apps: Apps, handset: Phones, is_answered: bool
) -> None:
    a, b = handset(), handset(port=5070)

    async def menu(call: Call) -> None:
        if a.session is not None:
            if is_answered:
                await call.answer()
            raise LookupError("oops")
        await call.answer()
        await call.wait()

    apps.add("menu", menu)

    async def story() -> None:
        b.call("700")
        await b.answered()
        a.call("700")
        if is_answered:
            await a.answered()
            await until(lambda: a.is_over)
        else:
            await until(lambda: a.phone.has(sip.SessionRejected))
            assert a.phone.take(sip.SessionRejected).status == 500

    run(world, story())
    assert [event for event, _ in world.log.lines].count("app.failed") == 1
    assert len(world.exchange.calls) == 1
    b.hang_up()
    assert not world.exchange.calls


def test_who_hangs_up_ends_what_the_program_waits_for(world: World, apps: Apps, handset: Phones) -> None:
    a, ends = handset(), list[str]()

    async def menu(call: Call) -> None:
        await call.answer()
        try:
            await call.play(Silence(30))
        finally:
            ends.append("over")

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        a.hang_up()
        await until(lambda: ends)

    run(world, story())


@pytest.mark.parametrize("way", ["event", "relay", "dtmf", "sound"])
def test_keys_are_gathered_whichever_way_they_come(
    world: World, apps: Apps, handset: Phones, way: str
) -> None:
    a, got = handset(), list[str]()

    async def menu(call: Call) -> None:
        await call.answer()
        got.append(await call.gather(4, timeout=3, prompt=Tone((440.0,), 10)))

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700", a.describe(events=way != "sound"))
        await a.answered()
        await a.say(tone(300, 8000, 0.3, level=20))
        for key in "12*#"[:3]:
            if way == "event":
                await a.press(key)
            elif way == "relay":
                a.info(f"Signal={key}\r\nDuration=120\r\n".encode())
            elif way == "dtmf":
                a.info(key.encode(), "application/dtmf")
            else:
                row, column = {"1": (697, 1209), "2": (697, 1336), "*": (941, 1209)}[key]
                both: Samples = tone(row, 8000, 0.1, 5000) + tone(column, 8000, 0.1, 5000)
                await a.say(both)
                await a.say(tone(300, 8000, 0.1, level=20))
        if way == "event":
            await a.press("#")
        else:
            a.info(b"Signal=#\r\n")
        await until(lambda: got)

    run(world, story())
    assert got == ["12*"]


def test_a_key_by_two_ways_counts_once(world: World, apps: Apps, handset: Phones) -> None:
    a, got = handset(), list[str]()

    async def menu(call: Call) -> None:
        await call.answer()
        got.append(await call.gather(timeout=0.5))

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        a.info(b"Signal=5\r\nDuration=120\r\n")
        await a.press("5")
        await until(lambda: got)

    run(world, story())
    assert got == ["5"]


def test_a_key_stops_what_is_played(world: World, apps: Apps, handset: Phones) -> None:
    a, got = handset(), list[str]()

    async def menu(call: Call) -> None:
        await call.answer()
        got.append(await call.play(Tone((440.0,), 20), stop_on="12"))
        got.append(await call.gather(1, timeout=0.1))

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await a.press("72")
        await until(lambda: len(got) == 2)

    run(world, story())
    assert got == ["2", "7"]


def test_a_call_without_an_offer_gets_ours(world: World, apps: Apps, handset: Phones) -> None:
    a = handset(payload_type=9)

    async def menu(call: Call) -> None:
        await call.answer()
        await call.play(Tone((600.0,), 0.5))

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700", b"")
        await until(lambda: a.phone.has(sip.SessionAnswered))
        event = a.phone.take(sip.SessionAnswered)
        assert b"G722/8000" in event.response.body
        a.obey(event.response.body)
        a.session.acknowledge(world.now, body=a.sdp)
        world.settle()
        await until(lambda: a.is_over)

    run(world, story())
    assert pitches(a.sound, 16000) == [600]


def test_two_are_bridged_with_their_own_codecs_and_keys_cross(
    world: World, apps: Apps, handset: Phones
) -> None:
    a, b = handset(), handset("127.0.0.3", "bob", payload_type=9)
    ends = list[str]()

    async def menu(call: Call) -> None:
        leg = await call.dial("user:bob")
        ends.append(await call.bridge(leg))
        await call.play(Tone((1500.0,), 0.4))

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await b.rings()
        b.answer()
        await a.answered()
        await asyncio.gather(a.say(tone(500, 8000, 0.8)), b.say(tone(900, 16000, 0.8)))
        await a.press("5")
        await asyncio.sleep(0.1)
        [call] = world.exchange.calls.values()
        assert call.b is not None
        assert call.record.to_user == "bob"
        b.hang_up()
        await until(lambda: a.is_over)

    run(world, story())
    assert ends == ["leg"]
    assert pitches(b.sound, 16000) == [500]
    assert pitches(a.sound, 8000) == [900, 1500]
    assert {key for key, _, _ in b.events} == {5}
    assert len({stamp for _, _, stamp in b.events}) == 1
    assert world.media.session_count == 0


def test_who_answers_and_leaves_at_once_has_answered(world: World, apps: Apps, handset: Phones) -> None:
    """Before the program looks: it hears of him, and the caller is still there."""
    a, b, got = handset(), handset("127.0.0.3", "bob"), list[object]()

    async def menu(call: Call) -> None:
        leg = await call.dial("user:bob")
        got.extend([leg.target, leg.is_over, call.is_over, call.legs, await call.bridge(leg)])
        await call.answer()

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await b.rings()
        b.answer()
        b.hang_up()  # nothing else has run in between
        await a.answered()
        await until(lambda: a.is_over)

    run(world, story())
    assert got == ["user:bob", True, False, (), "leg"]
    assert not world.exchange.calls
    assert not world.media.session_count
    assert not world.media.sounds.count


def test_who_is_not_wanted_any_more_when_he_answers_is_hung_up_on(
    world: World, apps: Apps, handset: Phones
) -> None:
    a, b, dials = handset(), handset("127.0.0.3", "bob"), list[asyncio.Task[Leg]]()

    async def menu(call: Call) -> None:
        await call.answer()
        dials.append(asyncio.ensure_future(call.dial("user:bob")))
        await asyncio.wait(dials)
        await call.sleep(30)

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await b.rings()
        b.answer()
        dials[0].cancel()  # nothing else has run in between
        await until(lambda: b.is_over)
        assert not a.is_over
        a.hang_up()

    run(world, story())
    assert dials[0].cancelled()
    assert not world.exchange.calls
    assert not world.media.sounds.count


def test_nobody_answers(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")
    got = list[int]()

    async def menu(call: Call) -> None:
        await call.answer()
        for seconds in (0.2, 20):
            try:
                await call.dial("200", timeout=seconds)
            except NotAnswered as error:
                got.append(error.status)

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await b.rings()
        await until(lambda: got)
        assert b.phone.has(sip.SessionCancelled)
        await b.rings()
        b.session.reject(486, world.now)
        world.settle()
        await until(lambda: a.is_over)

    run(world, story())
    assert got == [408, 486]


def test_the_caller_leaves_while_somebody_rings(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")

    async def menu(call: Call) -> None:
        await call.answer()
        await call.dial("user:bob")

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await b.rings()
        a.hang_up()
        await until(lambda: b.phone.has(sip.SessionCancelled))
        await until(lambda: not apps.calls)

    run(world, story())
    assert world.media.session_count == 0
    assert world.media.ports_in_use == 0


def test_after_a_phone_that_does_not_answer_comes_the_program(
    world: World, apps: Apps, handset: Phones
) -> None:
    """As a voicemail box: the route's second target."""
    a, b = handset(), handset("127.0.0.3", "bob")

    async def menu(call: Call) -> None:
        await call.answer()
        await call.wait()

    apps.add("menu", menu)

    async def story() -> None:
        a.call("701")
        await b.rings()
        b.session.reject(480, world.now)
        world.settle()
        await a.answered()
        a.hang_up()

    run(world, story())


def test_hold_and_resume(world: World, apps: Apps, handset: Phones) -> None:
    a = handset()

    async def menu(call: Call) -> None:
        await call.answer()
        await call.play(Tone((440.0,), 30))

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await until(lambda: len(a.parts) > 5)
        for direction, expected in (
            ("inactive", b"a=inactive"),
            ("sendonly", b"a=recvonly"),
            ("sendrecv", b""),
        ):
            a.session.reinvite(world.now, body=a.describe(direction))
            world.settle()
            answer = a.phone.take(sip.ReinviteAnswered).response.body
            assert expected in answer
            a.session.acknowledge(world.now)
            world.settle()
            await asyncio.sleep(0.1)
            before = len(a.parts)
            await asyncio.sleep(0.2)
            assert (len(a.parts) > before) is (direction == "sendrecv")
        a.hang_up()

    run(world, story())


def test_a_stream_hears_says_marks_and_is_interrupted(world: World, apps: Apps, handset: Phones) -> None:
    a, heard, marks = handset(), list[Samples](), list[bool]()

    async def menu(call: Call) -> None:
        await call.answer()
        stream = call.stream(16000)
        await stream.send(tone(700, 16000, 0.4))
        mark = stream.mark()
        async for frame in stream:
            heard.append(frame)
            if len(heard) == 50:
                break
        marks.append(await mark)
        await stream.send(tone(1200, 16000, 5.0))
        mark = stream.mark()
        await asyncio.sleep(0.3)
        stream.clear()
        marks.append(await mark)
        await stream.send(tone(2000, 16000, 0.3))
        marks.append(await stream.mark())

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await a.say(tone(300, 8000, 1.2))
        await until(lambda: a.is_over)

    run(world, story())
    assert {len(frame) for frame in heard} == {320}
    assert pitches(np.concatenate(heard), 16000) == [300]
    assert marks == [True, False, True]
    assert pitches(a.sound, 8000) == [700, 1200, 2000]


def test_a_stream_is_fed_and_what_was_interrupted_is_not_said_later(
    world: World, apps: Apps, handset: Phones
) -> None:
    a, fed = handset(), list[bool]()

    async def words(*pitches_said: int, seconds: float = 0.2) -> AsyncIterator[Samples]:
        for pitch in pitches_said:
            yield tone(pitch, 8000, seconds)

    async def menu(call: Call) -> None:
        await call.answer()
        stream = call.stream(8000)
        fed.append(await stream.feed(words(500, 900)))
        long = asyncio.create_task(stream.feed(words(1400, seconds=25.0)))  # more than may wait
        await asyncio.sleep(0.3)
        stream.clear()
        fed.append(await long)
        fed.append(await stream.feed(words(2000)))

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await until(lambda: a.is_over)

    run(world, story())
    assert fed == [True, False, True]
    assert pitches(a.sound, 8000) == [500, 900, 1400, 2000]
