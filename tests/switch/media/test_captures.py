"""What is kept of what passes: whose packets, for how long, how many, and that in the clear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import Captures, MediaPlane
from switchroom.switch.media._capture import Capture
from switchroom.switch.media._engine import Engine, Stream

from .conftest import local_for
from .phones import Call, Phone, receiver_report, rtp, wait_for
from .secured import SecurePhone

OCTETS = 1 << 20


@pytest.fixture
async def keeping() -> AsyncIterator[MediaPlane]:
    """A plane that keeps what passes for a minute."""
    config = MediaConfig(ports="22000-27999", transcode=[])
    plane = MediaPlane(config, local_for, lambda session: None, quarantine=0.0, captures=Captures(60, OCTETS))
    plane.start(asyncio.get_running_loop())
    yield plane
    plane.stop()


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(4)
    yield engine
    engine.stop()


async def test_both_sides_of_a_relayed_packet(keeping: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(keeping, a, b).set_up()
    began = time.monotonic()
    a.say(rtp(1))
    assert b.hear() == rtp(1)
    a.rtcp.sendto(receiver_report(), a.control)
    assert b.rtcp.recv(2048) == receiver_report()
    found = await keeping.captured((call.session.key,))
    assert [(one.source, one.destination, one.data) for one in found] == [
        ((a.host, a.port), a.media, rtp(1)),
        (b.media, (b.host, b.port), rtp(1)),
        ((a.host, a.port + 1), a.control, receiver_report()),
        ((b.media[0], b.media[1] + 1), (b.host, b.port + 1), receiver_report()),
    ]
    times = [one.at for one in found]
    assert began <= times[0] <= times[-1] <= time.monotonic()
    assert times == sorted(times)


async def test_each_call_by_itself_and_after_its_end(
    keeping: MediaPlane, a: Phone, b: Phone, third: Phone
) -> None:
    one = Call(keeping, a, b).set_up()
    a.say(rtp(1))
    assert b.hear() == rtp(1)
    one.session.key, other = "0001-one", keeping.session("0002-other")
    one.session.close()
    found = await keeping.captured(("0001",))
    assert [packet.data for packet in found] == [rtp(1), rtp(1)]
    assert await keeping.captured(("0002",)) == []
    assert await keeping.captured(()) == []
    other.close()


async def test_what_is_refused_is_not_kept(keeping: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    call = Call(keeping, a, b).set_up()
    for seq in range(50):
        third.rtp.sendto(rtp(seq), a.media)
    wait_for(lambda: call.dropped()["source"] == 50)
    a.say(rtp(1))
    assert b.hear() == rtp(1)
    assert [one.data for one in await keeping.captured(("call",))] == [rtp(1), rtp(1)]


async def test_secured_legs_in_the_clear(keeping: MediaPlane, a: Phone, b: Phone) -> None:
    call, caller = Call(keeping, a, b), SecurePhone(a, "AES_CM_128_HMAC_SHA1_80")
    b.obey(call.session.offer(call.a_leg, call.b_leg, caller.describe()))
    caller.obey(call.session.answer(call.b_leg, call.a_leg, b.describe()))
    call.session.confirm()
    caller.say(rtp(1))
    assert b.hear() == rtp(1)
    b.say(rtp(2, ssrc=9))
    assert caller.hear() == rtp(2, ssrc=9)
    found = await keeping.captured(("call",))
    assert [one.data for one in found] == [rtp(1)] * 2 + [rtp(2, ssrc=9)] * 2


async def test_the_kernel_relays_nothing(keeping: MediaPlane) -> None:
    assert keeping.kernel is None
    assert "trace.media_seconds" in keeping.path


async def test_nothing_is_kept_unless_wanted(plane: MediaPlane) -> None:
    with pytest.raises(LookupError, match="media_seconds is 0"):
        await plane.captured(("call",))


def relay(engine: Engine, a: Phone, b: Phone, capture: Capture) -> tuple[str, int]:
    """Two ends of call 7 that hear these phones; returns where a sends to."""
    engine.keep(capture)
    engine.start()
    for index, phone in enumerate((a, b)):
        engine.open(index, "127.0.0.1", 28_000 + 2 * index, 0)
        engine.program(index, Stream(1 - index, 7, 1, phone.host, (phone.host, phone.port)))
    return "127.0.0.1", 28_000


def test_the_oldest_go_first_and_none_is_torn(engine: Engine, a: Phone, b: Phone) -> None:
    """Read while it is written: each packet is whole, they are in order, and the last ones are there."""
    capture = Capture(65_536)
    target = relay(engine, a, b, capture)
    seen = 0
    for seq in range(0, 4000, 20):
        sent = [rtp(at, size=at % 300) for at in range(seq, seq + 20)]
        for packet in sent:
            a.rtp.sendto(packet, target)
        found = [one.data for one in capture.packets({7}, 0.0)]
        numbers = [int.from_bytes(data[2:4], "big") for data in found]
        assert all(data == rtp(at, size=at % 300) for data, at in zip(found, numbers, strict=True))
        assert numbers == sorted(numbers)
        seen = max(seen, len(found))
        b.hear_until(sent[-1])
    assert [one.data for one in capture.packets({7}, 0.0)][-2:] == [rtp(3999, size=99)] * 2
    assert 150 < seen < 65_536 // 80
    assert capture.packets({8}, 0.0) == []


def test_what_is_too_old_is_not_shown(engine: Engine, a: Phone, b: Phone) -> None:
    capture = Capture(65_536)
    a.rtp.sendto(rtp(1), relay(engine, a, b, capture))
    assert b.hear() == rtp(1)
    assert len(capture.packets({7}, time.monotonic() - 10)) == 2
    assert capture.packets({7}, time.monotonic()) == []
