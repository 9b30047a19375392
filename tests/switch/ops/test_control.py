"""The control socket: questions of the command line, and what must not hurt the switch."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from switchroom.switch.ops.control import ControlError, ControlServer, ask


def _fails() -> None:
    raise LookupError("call: 7: there is no such call")


async def _later(text: str) -> dict[str, str]:
    await asyncio.sleep(0)
    return {"text": text}


def _counted(count: int) -> Iterator[dict[str, int]]:
    return ({"n": n} for n in range(count))


HANDLERS: dict[str, Any] = {
    "status": lambda: {"calls": 3},
    "nothing": list,
    "many": lambda: [{"n": n} for n in range(1001)],
    "counted": _counted,
    "later": _later,
    "fails": _fails,
    "breaks": lambda: 1 / 0,
}


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "state" / "control.sock"
    running = ControlServer(path, dict(HANDLERS))
    await running.start()
    yield path
    await running.stop()
    assert not path.exists()


async def asked(path: Path, name: str, timeout: float = 10.0, **arguments: object) -> Any:
    return await asyncio.to_thread(ask, path, name, arguments, timeout=timeout)


async def test_questions_and_answers(server: Path) -> None:
    assert await asked(server, "status") == {"calls": 3}
    assert await asked(server, "later", text="é\n") == {"text": "é\n"}
    assert await asked(server, "nothing") == []
    assert await asked(server, "many") == [{"n": n} for n in range(1001)]
    assert await asked(server, "counted", count=500) == [{"n": n} for n in range(500)]


async def test_a_refusal_is_told(server: Path) -> None:
    with pytest.raises(ControlError, match=r"^call: 7: there is no such call$"):
        await asked(server, "fails")


@pytest.mark.parametrize(
    ("name", "arguments"), [("what", {}), ("status", {"x": 1}), ("later", {}), ("counted", {})]
)
async def test_a_question_that_nobody_knows(server: Path, name: str, arguments: dict[str, object]) -> None:
    with pytest.raises(ControlError, match="does not know this question"):
        await asked(server, name, **arguments)


async def test_a_fault_of_a_handler_costs_one_answer(server: Path) -> None:
    with pytest.raises(ControlError, match="its log says why"):
        await asked(server, "breaks")
    assert await asked(server, "status") == {"calls": 3}


@pytest.mark.parametrize(
    "line", [b"\n", b"{\n", b"[]\n", b"3\n", b'{"ask": []}\n', b"[" * 60_000 + b"\n", b"\xff\n", b""]
)
async def test_rubbish_is_answered_or_dropped(server: Path, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(server))
    writer.write(line)
    writer.write_eof()
    answer = await reader.read()
    assert json.loads(answer) == {"error": "the switch does not know this question"}
    writer.close()
    assert await asked(server, "status") == {"calls": 3}


async def test_a_question_has_a_largest_size(server: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(server))
    writer.write(b"x" * 200_000)
    assert await reader.read() == b""
    writer.close()


async def test_who_asks_nothing_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchroom.switch.ops.control._QUESTION_TIMEOUT", 0.05)
    server = ControlServer(tmp_path / "control.sock", dict(HANDLERS))
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
    writer.write(b'{"ask"')
    assert await reader.read() == b""
    writer.close()
    await server.stop()


async def test_only_so_many_at_once(server: Path) -> None:
    others = [await asyncio.open_unix_connection(str(server)) for _ in range(16)]
    with pytest.raises(ControlError, match="closed the connection; it may be busy"):
        await asked(server, "status")
    for _, writer in others:
        writer.close()


async def test_only_the_owner_may_ask(server: Path) -> None:
    assert stat.S_IMODE(server.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.parent.stat().st_mode) == 0o700


async def test_a_stop_does_not_wait_for_anybody(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / "control.sock", dict(HANDLERS))
    await server.start()
    _, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await server.stop()
    writer.close()
    await server.stop()  # twice is once


async def test_nobody_listens(tmp_path: Path) -> None:
    for path in (tmp_path / "control.sock", tmp_path / "none" / "control.sock"):
        with pytest.raises(ControlError, match=f"^no switch is running: nobody listens at {path}$"):
            await asked(path, "status")


async def test_what_a_crash_left_behind_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    server = ControlServer(path, dict(HANDLERS))
    await server.start()
    assert await asked(path, "status") == {"calls": 3}
    await server.stop()


async def test_two_switches_cannot_share_a_state_folder(server: Path) -> None:
    with pytest.raises(ControlError, match="another switch is running with this state folder"):
        await ControlServer(server, {}).start()
    assert await asked(server, "status") == {"calls": 3}


async def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 200) / "control.sock"
    server = ControlServer(path, dict(HANDLERS))
    await server.start()
    assert await asked(path, "status") == {"calls": 3}
    await server.stop()
    assert not path.exists()


async def test_a_switch_that_hangs_is_told(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen()
        with pytest.raises(ControlError, match=r"did not answer within 0\.1 seconds"):
            await asked(path, "status", timeout=0.1)


async def test_no_file_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        server = ControlServer(tmp_path / "control.sock", dict(HANDLERS))
        await server.start()
        await asked(tmp_path / "control.sock", "status")
        await server.stop()
    await asyncio.sleep(0.01)
    assert len(os.listdir("/proc/self/fd")) <= before
