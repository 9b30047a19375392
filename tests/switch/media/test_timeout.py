"""Calls whose media fell silent are reported, those on hold are not; THREATS A10."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane, MediaSession

from .conftest import local_for
from .phones import ALLOWANCE, Call, Phone, receiver_report, rtp

FIRST, LATER = 0.6, 0.25


class Watched:
    """A plane with short timeouts, and what it reported."""

    def __init__(self) -> None:
        self.expired: asyncio.Queue[MediaSession] = asyncio.Queue()
        config = MediaConfig(ports="22000-27999", first_rtp_timeout=FIRST, rtp_timeout=LATER)
        self.plane = MediaPlane(config, local_for, self.expired.put_nowait, quarantine=0.0)

    async def next_expired(self) -> MediaSession:
        return await asyncio.wait_for(self.expired.get(), ALLOWANCE)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    watched.plane.start(asyncio.get_running_loop())
    yield watched
    watched.plane.stop()


async def test_a_call_that_never_spoke(watched: Watched, a: Phone, b: Phone) -> None:
    began = time.monotonic()
    call = Call(watched.plane, a, b).set_up()
    assert await watched.next_expired() is call.session
    assert FIRST <= time.monotonic() - began < FIRST + 5


async def test_a_call_that_fell_silent(watched: Watched, a: Phone, b: Phone) -> None:
    call = Call(watched.plane, a, b).set_up()
    a.say(rtp(1))
    b.hear()
    began = time.monotonic()
    assert await watched.next_expired() is call.session
    assert LATER - 0.01 <= time.monotonic() - began < FIRST
    call.session.close()
    assert watched.plane.ports_in_use == 0


async def test_a_report_that_nobody_heeds_is_repeated(watched: Watched, a: Phone, b: Phone) -> None:
    call = Call(watched.plane, a, b).set_up()
    assert await watched.next_expired() is call.session
    assert await watched.next_expired() is call.session


async def test_an_unanswered_call_may_be_silent(watched: Watched, a: Phone, b: Phone) -> None:
    """Ringing with early media: nothing counts before confirm()."""
    early = watched.plane.session("early")
    one, two = early.leg(toward=a.host, is_nat=False), early.leg(toward=b.host, is_nat=False)
    early.offer(one, two, a.describe())
    early.answer(two, one, b.describe())
    await wait_through(watched)
    early.confirm()
    assert await watched.next_expired() is early


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("a=sendonly", "a=recvonly"),
        ("a=inactive", "a=inactive"),
        ("a=recvonly", "a=sendonly"),
        ("null", "a=recvonly"),
    ],
)
async def test_a_call_on_hold_may_be_silent(
    watched: Watched, a: Phone, b: Phone, offer: str, answer: str
) -> None:
    call = Call(watched.plane, a, b).set_up()
    held = a.describe(host="0.0.0.0") if offer == "null" else a.describe(offer)
    call.set_up(held, b.describe(answer))
    await wait_through(watched)
    call.set_up()  # resumed: silence counts again, from now on
    assert await watched.next_expired() is call.session


async def test_one_side_that_speaks_is_enough(watched: Watched, a: Phone, b: Phone) -> None:
    """Also by RTCP alone: a phone that is muted may send nothing else."""
    talking = Call(watched.plane, a, b).set_up()
    talker = asyncio.create_task(keep_talking(talking))
    await wait_through(watched)
    assert await report_of(watched, talking, talker) is talking.session


async def test_calls_that_keep_the_engine_busy_are_not_silent(watched: Watched, a: Phone, b: Phone) -> None:
    """Then silence is looked for right after packets and commands were read, not when a sleep has ended."""
    began = time.monotonic()
    while time.monotonic() < began + LATER / 2:
        Call(watched.plane, a, b).set_up()  # confirmed in the turn in which it is looked at
        a.say(rtp(1))
        b.hear()
        await asyncio.sleep(0.001)
    assert watched.expired.empty()


async def test_packets_of_strangers_keep_no_call_alive(
    watched: Watched, a: Phone, b: Phone, third: Phone
) -> None:
    call = Call(watched.plane, a, b).set_up()
    began = time.monotonic()
    while watched.expired.empty():
        third.rtp.sendto(rtp(1), a.media)
        third.rtcp.sendto(receiver_report(), a.control)
        await asyncio.sleep(0)
        assert time.monotonic() < began + ALLOWANCE
    assert watched.expired.get_nowait() is call.session


async def test_a_closed_call_is_not_reported(watched: Watched, a: Phone, b: Phone) -> None:
    Call(watched.plane, a, b).set_up().session.close()
    await wait_through(watched)


async def test_both_gone_in_many_calls(watched: Watched, a: Phone, b: Phone) -> None:
    """A10 by the dozen: each is reported once, and all ports come back."""
    calls = [Call(watched.plane, a, b).set_up() for _ in range(50)]
    gone: set[MediaSession] = set()
    while len(gone) < 50:
        session = await watched.next_expired()
        if session not in gone:
            session.close()
        gone.add(session)
    assert gone == {call.session for call in calls}
    assert watched.plane.ports_in_use == 0
    assert watched.plane.session_count == 0


async def wait_through(watched: Watched) -> None:
    """A second call beside falls silent twice, so that the one that must not be reported had the time."""
    with Phone("127.0.0.7") as c, Phone("127.0.0.8") as d:
        clock = Call(watched.plane, c, d).set_up()
        c.say(rtp(1))
        for _ in range(4):  # of LATER each: longer than FIRST
            assert await watched.next_expired() is clock.session
        clock.session.close()


async def keep_talking(call: Call) -> None:
    while True:
        call.a.rtcp.sendto(receiver_report(), call.a.control)
        await asyncio.sleep(LATER / 10)


async def report_of(watched: Watched, call: Call, talker: asyncio.Task[None]) -> MediaSession:
    talker.cancel()
    return await watched.next_expired()
