"""The simulator on pseudo-terminals: what opens and closes them, and what it can be told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from switchroom.switch.sms.modems.simulator import Journal, Orders, Sim, Stand
from switchroom.switch.sms.simulation import Control


class Desk:
    def __init__(self, folder: Path) -> None:
        self.stand = Stand(delay=0.01, seed=1)
        self.news: list[Journal] = []
        self.stand.on_news = self.news.append
        self.place = self.stand.add(Sim("+491"), str(folder / "modem1"))
        self.stand.add(Sim("+492"), str(folder / "modem2"))
        self.orders = Orders(self.stand)
        self.fd = -1
        self.heard = b""

    def open(self) -> None:
        self.fd = os.open(self.place.terminal.shown, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def is_hung_up(self) -> bool:
        try:
            return os.read(self.fd, 100) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    async def hear(self, what: bytes, after: bytes = b"") -> None:
        """Write something, and read until the answer has come."""
        if after:
            os.write(self.fd, after)
        async with asyncio.timeout(5):
            while what not in self.heard:
                await asyncio.sleep(0.005)
                try:
                    self.heard += os.read(self.fd, 4096)
                except BlockingIOError:
                    continue
        self.heard = b""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    if desk.fd >= 0:
        os.close(desk.fd)
    desk.stand.close()


async def test_a_port_is_opened_closed_and_opened_again(desk: Desk) -> None:
    for _ in range(2):
        desk.open()
        await desk.hear(b"\r\nOK\r\n", b"AT\r")
        os.close(desk.fd)
        await asyncio.sleep(0.12)
    desk.open()
    await desk.hear(b"\r\nOK\r\n", b"AT\r")
    desk.orders.execute("hang +491")
    os.write(desk.fd, b"AT\r")
    await asyncio.sleep(0.1)
    with pytest.raises(BlockingIOError):
        os.read(desk.fd, 100)
    os.close(desk.fd)
    await asyncio.sleep(0.12)
    desk.open()  # a modem that hangs starts anew
    await desk.hear(b"\r\nOK\r\n", b"AT\r")


async def test_a_modem_is_unplugged_and_plugged_in_again(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    await desk.hear(b"OK", b"AT\r")
    desk.orders.execute("unplug +491")
    assert not (tmp_path / "modem1").is_symlink()
    assert desk.is_hung_up()
    os.close(desk.fd)
    assert desk.orders.execute("plug +491") == [str(tmp_path / "modem1")]
    desk.open()
    await desk.hear(b"OK", b"AT\r")


async def test_orders(desk: Desk) -> None:
    desk.open()
    await desk.hear(b"OK", b"AT+CNMI=2,1,0,2,0\r")
    assert desk.orders.execute("send +4930 +491 Grüße\\nLeute " + "x" * 200) == ["2 on the way"]
    await desk.hear(b'+CMTI: "SM",2')
    assert [news.what for news in desk.news] == ["delivered", "delivered"]
    assert desk.news[0].text.startswith("Grüße\nLeute ")
    desk.orders.execute("ring 491 +4930")
    await desk.hear(b'+CLIP: "+4930",145')
    assert desk.orders.execute("rule +493*=fail:38") == ["493*=fail:38"]
    assert desk.orders.execute("rule 49*=silent") == ["49*=silent:0", "493*=fail:38"]
    assert desk.orders.execute("forget 49*") == ["493*=fail:38"]
    assert "error_rate=0.5" in desk.orders.execute("fault 491 error_rate=0.5 is_interrupting=yes")
    assert desk.place.device.faults.is_interrupting
    assert desk.orders.execute("radio 491 off") == []
    assert desk.orders.execute("list")[0].endswith("radio off; SM 2, ME 0")
    assert len(desk.orders.execute("help")) == 13
    assert desk.orders.execute("  ") == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("dance", "is none of send, rule"),
        ("hang 4", "is the number of no modem here"),
        ("send +49 491", "needs 3 words"),
        ("rule 49", "is not NUMBERS=ACTION"),
        ("fault 491 luck=1", "is none of error_rate"),
        ("fault 491 delay=x", "could not convert"),
        ("radio 491 maybe", "neither on nor off"),
    ],
)
async def test_wrong_orders(desk: Desk, line: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        desk.orders.execute(line)


async def test_orders_over_a_socket_and_typed(desk: Desk, tmp_path: Path) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    control = Control(desk.orders, said.put_nowait)
    await control.listen(str(tmp_path / "control"))
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control"))
    writer.write(b"rules\nhang 5\n")
    assert await reader.readline() == b"ok\n"
    assert (await reader.readline()).startswith(b"error: ")
    writer.close()
    read, write = os.pipe()
    control.read_from(read)
    os.write(write, b"hang 491\nli")
    os.write(write, b"st\n")
    async with asyncio.timeout(5):
        assert await said.get() == "ok"
        assert "hangs" in await said.get()
    os.close(write)
    await asyncio.sleep(0.05)
    os.close(read)
    control.close()
