"""Reading the sound of all ports from one socket: who gets it, who does not, and that nothing is lost."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane
from switchroom.switch.media._engine import GATE_LAYOUT, Engine
from switchroom.switch.media.kernel import gathering, open_gathering
from switchroom.switch.media.kernel.bpf import BpfError

from .conftest import local_for
from .phones import THIRD, A, B, Call, Phone, rtp, wait_for

PORTS = range(22000, 28000)
LIMIT = 100  # of one port in a tenth of a second


@pytest.fixture(scope="module", autouse=True)
def right() -> None:
    """To bpf(2), and a kernel that has what it takes."""
    found, reason = open_gathering(True, Engine(4), PORTS, GATE_LAYOUT)
    if found is None:
        pytest.skip(reason)
    found.close()


@asynccontextmanager
async def started(ports: str = "22000-27999", **media: object) -> AsyncIterator[MediaPlane]:
    tick = media.pop("tick", 0.001)
    config = MediaConfig.model_validate({"ports": ports, "transcode": [], "kernel": "off", **media})
    plane = MediaPlane(config, local_for, lambda session: None, quarantine=0.0, tick=tick)  # type: ignore[arg-type]
    plane.start(asyncio.get_running_loop())
    try:
        yield plane
    finally:
        plane.stop()


def gathered(plane: MediaPlane) -> int:
    return plane.counters()["gathered_packets"]


def settle(plane: MediaPlane, call: Call) -> None:
    """The first packet opens the gate, and from the second on it is gone through."""
    before = gathered(plane)
    while gathered(plane) == before:
        call.a.say(rtp(0))
        call.b.hear()


@pytest.mark.parametrize("hosts", [(A, B), ("::1", "::1"), (A, "::1")])
async def test_sound_of_both_ip_versions(phone: Callable[[str], Phone], hosts: tuple[str, str]) -> None:
    async with started() as plane:
        assert plane.path.startswith("user space, one socket")
        call = Call(plane, *map(phone, hosts)).set_up()
        settle(plane, call)
        before = gathered(plane)
        for seq in range(1, 21):
            call.a.say(rtp(seq))
            assert call.b.hear() == rtp(seq)
            call.b.say(rtp(seq))
            assert call.a.hear() == rtp(seq)
        assert gathered(plane) - before >= 39  # a machine that stood still may have let one through


async def test_a_stranger_is_refused_there_as_well(a: Phone, b: Phone, third: Phone) -> None:
    async with started() as plane:
        call = Call(plane, a, b).set_up()
        settle(plane, call)
        before = gathered(plane)
        third.media = a.media
        third.say(*(rtp(seq) for seq in range(20)))
        wait_for(lambda: call.dropped()["source"] == 20)
        assert gathered(plane) > before


async def test_a_flood_of_one_port_takes_no_room_of_others(a: Phone, b: Phone) -> None:
    """Beyond its share a port is read by itself; nothing is lost, nothing overtakes."""
    async with started() as plane:
        call = Call(plane, a, b).set_up()
        settle(plane, call)
        before = gathered(plane)
        packets = [rtp(seq) for seq in range(1, 251)]
        a.say(*packets)
        assert b.hear_until(packets[-1]) == packets
        assert 0 < gathered(plane) - before <= 2 * LIMIT  # the burst may have met two windows


async def test_what_comes_while_nobody_reads_waits_in_its_own_socket(a: Phone, b: Phone) -> None:
    """An engine that comes ten times a second: of what arrives in between only the beginning is gathered."""
    async with started(tick=0.1) as plane:
        call = Call(plane, a, b).set_up()
        before = gathered(plane)
        packets = [rtp(seq) for seq in range(150)]
        for packet in packets:
            a.say(packet)
            await asyncio.sleep(0.004)
        assert b.hear_until(packets[-1]) == packets
        count = gathered(plane) - before
        assert count < len(packets)
        assert call.session.report().streams[0].counters.out_of_order == 0


async def test_calls_go_on_when_the_program_goes(a: Phone, b: Phone) -> None:
    async with started() as plane:
        call = Call(plane, a, b).set_up()
        settle(plane, call)
        assert plane.gathering is not None
        plane.gathering.detach()
        before = gathered(plane)
        for seq in range(1, 101):
            a.say(rtp(seq))
            assert b.hear() == rtp(seq)
        assert gathered(plane) == before


async def test_one_port_of_two_addresses(a: Phone, b: Phone) -> None:
    """The second one is read by itself; neither gets what is the other's."""
    async with started() as plane:
        engine = plane.engine
        call = Call(plane, a, b).set_up()
        settle(plane, call)
        host, port = a.media
        assert host == "127.0.0.1"
        engine.open(3000, "127.0.0.9", port, 0)
        before, dropped = gathered(plane), plane.counters()["dropped_unlinked"]
        with Phone(THIRD) as other:
            other.media = ("127.0.0.9", port)
            other.say(rtp(1))
            wait_for(lambda: plane.counters()["dropped_unlinked"] > dropped)
        assert gathered(plane) == before
        assert call.dropped()["source"] == 0


async def test_two_switches_of_one_machine(phone: Callable[[str], Phone]) -> None:
    async with started("22000-23999") as one, started("24000-25999") as other:
        calls = [(plane, Call(plane, phone(A), phone(B)).set_up()) for plane in (one, other)]
        for plane, call in calls:
            settle(plane, call)
            call.a.say(rtp(7))
            assert call.b.hear() == rtp(7)
        assert not any(plane.counters()["dropped_unlinked"] for plane in (one, other))


async def test_video_and_rtcp_are_read_by_themselves(a: Phone, b: Phone) -> None:
    async with started() as plane:
        video = ("m=video 40000 RTP/AVP 96", "a=rtpmap:96 VP8/90000")
        with Phone(A) as camera, Phone(B) as screen:
            offer, answer = (
                phone.describe(f"m=video {picture.port} RTP/AVP 96", *video[1:])
                for phone, picture in ((a, camera), (b, screen))
            )
            call = Call(plane, a, b)
            b.obey(call.session.offer(call.a_leg, call.b_leg, offer))
            told = call.session.answer(call.b_leg, call.a_leg, answer)
            a.obey(told)
            camera.obey(told, 1)
            call.session.confirm()
            before = gathered(plane)
            for seq in range(10):
                camera.say(rtp(seq, payload_type=96))
                assert screen.hear() == rtp(seq, payload_type=96)
            assert gathered(plane) == before


async def test_switched_off(a: Phone, b: Phone) -> None:
    async with started(one_socket=False) as plane:
        assert "port by port (switched off (media.one_socket))" in plane.path
        Call(plane, a, b).set_up()
        a.say(rtp(1), rtp(2))
        assert [b.hear(), b.hear()] == [rtp(1), rtp(2)]
        assert gathered(plane) == 0


@pytest.mark.parametrize(
    ("rights", "said"),
    [("-all,+bpf,+net_admin", ""), ("-all,+net_admin", "no right to it"), ("-all,+bpf", "no right to it")],
)
def test_which_rights_it_takes(rights: str, said: str) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    program = (
        "from switchroom.switch.media._engine import GATE_LAYOUT, Engine\n"
        "from switchroom.switch.media.kernel import open_gathering\n"
        "print(open_gathering(True, Engine(4), range(22000, 23000), GATE_LAYOUT)[1])\n"
    )
    command = ["setpriv", f"--bounding-set={rights}", "--inh-caps=-all", sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip().startswith(said), done.stdout
    assert bool(done.stdout.strip()) == bool(said)


async def test_an_older_kernel_is_told(monkeypatch: pytest.MonkeyPatch, a: Phone, b: Phone) -> None:
    def refuse(*_: object) -> None:
        raise BpfError(22, "Invalid argument")

    monkeypatch.setattr(gathering, "load_program", refuse)
    async with started() as plane:
        assert "port by port (this kernel has not what it takes (Linux 5.9): Invalid argument)" in plane.path
        Call(plane, a, b).set_up()
        a.say(rtp(1))
        assert b.hear() == rtp(1)
