"""A session goes on in another plane, on the same ports, from what the first one kept."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from switchroom.codecs import find
from switchroom.protocols import sdp
from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane, MediaSession, NoPortsLeft, export_media, restore_media
from switchroom.switch.media.clips import Tone
from tests.switch.calls.script.handset import pitches

from .phones import Call, Phone, rtp

VIDEO = ("m=video {} RTP/AVP 96", "a=rtpmap:96 H264/90000")
Plane = Callable[[], MediaPlane]


@pytest.fixture
async def another(plane: MediaPlane) -> AsyncIterator[Plane]:
    """Ends the plane as a crash would, and gives the next one, with the same configuration."""
    made = []

    def make() -> MediaPlane:
        plane.stop()
        new = MediaPlane(plane.config, lambda host: "127.0.0.1", lambda session: None)
        new.start(asyncio.get_running_loop())
        made.append(new)
        return new

    yield make
    for one in made:
        one.stop()


def kept_of(call: Call) -> Any:
    state = export_media(call.session, call.a_leg, call.b_leg)
    return json.loads(json.dumps(state, default=lambda octets: octets.decode("latin-1")))


def taken_up(plane: MediaPlane, kept: Any) -> MediaSession:
    session = plane.session("again")
    restore_media(session, kept)
    return session


def hears(listener: Phone, speaker: Phone, seq: int) -> bool:
    speaker.say(rtp(seq, ssrc=seq))
    return listener.hear() == rtp(seq, ssrc=seq)


@pytest.mark.parametrize("offerer", ["a", "b"])
async def test_sound_goes_on_by_the_same_ports(
    plane: MediaPlane, another: Plane, a: Phone, b: Phone, offerer: str
) -> None:
    call = Call(plane, a, b).set_up()
    if offerer == "b":
        b.obey(call.session.answer(call.a_leg, call.b_leg, offered(call, b, a)))
    kept = kept_of(call)
    new = another()
    session = taken_up(new, kept)
    assert hears(b, a, 1)
    assert hears(a, b, 2)
    one, two = session.legs
    assert (
        json.loads(json.dumps(export_media(session, one, two), default=lambda o: o.decode("latin-1"))) == kept
    )
    assert new.ports_in_use == 4
    report = session.close()
    assert (report.a.packets, report.b.packets) == (1, 1)
    assert report.codecs
    assert new.ports_in_use == 0


def offered(call: Call, b: Phone, a: Phone) -> bytes:
    """The callee offers the same again; what the caller answers."""
    a.obey(call.session.offer(call.b_leg, call.a_leg, b.describe("a=sendrecv")))
    return a.describe("a=sendrecv")


async def test_what_follows_fits_what_went_before(
    plane: MediaPlane, another: Plane, a: Phone, b: Phone
) -> None:
    """The next offer has our origin with a higher version, and the same ports (RFC 3264 §8)."""
    call = Call(plane, a, b).set_up()
    before = sdp.Origin(*call.b_leg.opening.origin)
    session = taken_up(another(), kept_of(call))
    one, two = session.legs
    session.offer(one, two, a.describe("a=sendonly"))
    after = sdp.Origin(*two.opening.origin)
    assert (after.session_id, after.host) == (before.session_id, before.host)
    assert after.version == before.version + 1
    session.answer(two, one, b.describe("a=recvonly"))
    assert hears(b, a, 7)


async def test_a_rejected_line_stays_rejected(plane: MediaPlane, another: Plane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b)
    call.session.offer(call.a_leg, call.b_leg, a.describe(VIDEO[0].format(40000), VIDEO[1]))
    call.session.answer(call.b_leg, call.a_leg, b.describe(VIDEO[0].format(0), VIDEO[1]))
    session = taken_up(another(), kept_of(call))
    assert [len([pair for pair in leg.pairs if pair is not None]) for leg in session.legs] == [1, 1]


async def test_ports_that_are_gone_are_told(plane: MediaPlane, another: Plane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    kept, port = kept_of(call), a.media[1]
    bound = call.a_leg.bound
    new = another()
    with socket.socket(a.family, socket.SOCK_DGRAM) as thief:
        thief.bind((bound, port))
        session = new.session("again")
        with pytest.raises(NoPortsLeft):
            restore_media(session, kept)
        session.close()
    assert new.ports_in_use == 0


async def test_nothing_is_kept_of_who_does_not_hear_the_other(plane: MediaPlane, a: Phone, b: Phone) -> None:
    session = plane.session("offered")
    one, two = session.leg(toward=a.host, is_nat=False), session.leg(toward=b.host, is_nat=False)
    session.offer(one, two, a.describe())
    assert export_media(session, one, two) is None


async def test_ports_taken_again_are_not_given_to_others() -> None:
    """They stand in the queue of free ports, too, and must leave it once and come back once."""
    plane = MediaPlane(MediaConfig(ports="21000-21015"), lambda host: "127.0.7.1", lambda session: None)
    plane.start(asyncio.get_running_loop())
    try:
        first, second = plane.session("one"), plane.session("two")
        again = plane.take_again(first, "127.0.7.1", 21004)
        others = [plane.take(second, "127.0.7.1") for _ in range(7)]
        assert {pair.port for pair in others} == set(range(21000, 21016, 2)) - {21004}
        with pytest.raises(NoPortsLeft):
            plane.take(second, "127.0.7.1")
        plane.give_back(again)
    finally:
        plane.stop()


async def test_whoever_was_on_hold_hears_music_again(
    plane: MediaPlane, another: Plane, a: Phone, b: Phone
) -> None:
    call = Call(plane, a, b).set_up()
    a.obey(call.session.offer(call.b_leg, call.a_leg, b.describe("a=sendonly")))
    b.obey(call.session.answer(call.a_leg, call.b_leg, a.describe("a=recvonly")))
    kept = kept_of(call)
    new = another()
    new.music.default = (Tone((700.0,), 1.0),)
    session = taken_up(new, kept)
    await asyncio.sleep(0.2)
    decoder = find("PCMU").decoder()
    heard = np.concatenate([decoder.decode(a.hear()[12:]) for _ in range(30)])
    assert 700 in pitches(heard, 8000)
    assert [leg.is_holding for leg in session.legs] == [False, True]
    session.close()
