"""The phone against telephones that others wrote, without a switch between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchroom.switch.phone import Account, CallFailedError, Phone, read_wav
from tests.peers.baresip import Baresip
from tests.peers.ports import free_port

from .sounds import share_of, tone
from .waiting import until


@pytest.fixture
def baresip(tmp_path: Path) -> Iterator[Baresip]:
    """One that answers by itself and plays a tone; nobody is at the server that it is told of."""
    process = Baresip(
        tmp_path / "baresip", "bob", "x", ("127.0.0.1", free_port()), tone=1000.0, register_interval=0
    )
    yield process.start()
    process.stop()


@pytest.mark.peer("baresip")
async def test_baresip_is_called(baresip: Baresip, tmp_path: Path) -> None:
    async with Phone(Account(user="alice", listen="127.0.0.1:0")) as phone:
        call = await phone.call(f"sip:bob@127.0.0.1:{baresip.port}")
        call.audio.record(tmp_path / "heard.wav")
        await call.answered()
        await call.audio.play(tone(440, 1.5))
        await call.send_digits("1#")
        await call.hold()
        await call.resume()
        received = call.audio.report().packets_received
        await until(lambda: call.audio.report().packets_received > received + 25)
        call.hang_up()
        assert await call.ended() == "local"
    assert share_of(read_wav(tmp_path / "heard.wav")[4000:12000], 1000) > 0.9
    samples, rate = baresip.heard()
    assert share_of(samples[rate // 2 : rate].astype("int16"), 440) > 0.9
    log = baresip.log.read_text(errors="replace")
    assert "received event: '1' (end=1)" in log
    assert "received event: '#' (end=1)" in log


@pytest.mark.peer("baresip")
async def test_baresip_calls(baresip: Baresip) -> None:
    async with Phone(Account(user="alice", listen="127.0.0.1:0")) as phone:
        baresip.dial(f"sip:alice@127.0.0.1:{phone.bound[0][2]}")
        call = await phone.incoming()
        call.answer()
        await until(lambda: call.audio.report().packets_received > 25)
        baresip.hang_up()
        assert await call.ended() == "remote"
        assert call.report is not None
        assert call.report.malformed == 0


async def sipp(*arguments: str, folder: Path | None = None) -> asyncio.subprocess.Process:
    """sipp with a built-in scenario, for one call."""
    return await asyncio.create_subprocess_exec(
        *("sipp", *arguments, "-i", "127.0.0.1", "-m", "1", "-nostdin", "-timeout", "10s"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
    )


@pytest.mark.peer("sipp")
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_sipp_is_called(transport: str) -> None:
    port = free_port()
    process = await sipp("-sn", "uas", "-p", str(port), "-t", "u1" if transport == "UDP" else "t1")
    async with Phone(Account(listen="127.0.0.1:0", transport=transport)) as phone, asyncio.timeout(10):
        while True:  # until sipp listens
            call = await phone.call(f"sip:service@127.0.0.1:{port}")
            try:
                await call.answered()
                break
            except CallFailedError:
                await asyncio.sleep(0.05)
        call.hang_up()
        assert await process.wait() == 0


@pytest.mark.peer("sipp")
async def test_sipp_calls() -> None:
    async with Phone(Account(listen="127.0.0.1:0")) as phone, asyncio.timeout(10):
        port = phone.bound[0][2]
        process = await sipp("-sn", "uac", "-d", "300", "-p", str(free_port()), f"127.0.0.1:{port}")
        call = await phone.incoming()
        call.answer()
        assert await call.ended() == "remote"
        assert await process.wait() == 0


@pytest.mark.peer("sipp")
async def test_sipp_plays_a_captured_call_with_a_digit(tmp_path: Path) -> None:
    (tmp_path / "pcap").symlink_to("/usr/share/sip-tester")  # where its scenario looks for captures
    async with Phone(Account(listen="127.0.0.1:0")) as phone, asyncio.timeout(25):
        port = phone.bound[0][2]
        process = await sipp(
            *("-sn", "uac_pcap", "-p", str(free_port()), f"127.0.0.1:{port}"), folder=tmp_path
        )
        call = await phone.incoming()
        call.audio.record(tmp_path / "heard.wav")
        call.answer()
        assert await call.ended() == "remote"
        assert await process.wait() == 0
        assert call.digits_received == "1"
        assert call.report is not None
        assert call.report.packets_received > 200
        assert call.report.lost <= 2
    assert len(read_wav(tmp_path / "heard.wav")) > 3 * 8000
