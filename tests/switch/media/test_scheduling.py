"""How the engine's thread is scheduled: in real time where it may be, and as long as it takes little."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane

from .conftest import local_for
from .test_fuzz import build

NOT_NICE = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("scheduling"), Path(__file__).parent / "scheduling_core.c")


def may_be_realtime() -> bool:
    return subprocess.run(["chrt", "-r", "1", "true"], capture_output=True).returncode == 0


needs_right = pytest.mark.skipif(not may_be_realtime(), reason="no CAP_SYS_NICE")


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()


@needs_right
def test_who_takes_most_of_a_core_is_as_all_others_for_a_while(program: Path) -> None:
    assert said(str(program), "may") == "-10 1 0 0 1"
    assert said(str(program)) == "-10 0 0 0 0"


def test_without_the_right_all_goes_on(program: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give up rights")
    assert said(*NOT_NICE, str(program), "may") == f"{os.nice(0)} 0 0 0 0"


@pytest.mark.parametrize("wanted", [pytest.param(True, marks=needs_right), False])
async def test_the_thread_and_no_other(wanted: bool) -> None:
    config = MediaConfig(ports="22000-27999", realtime=wanted, kernel="off")
    plane = MediaPlane(config, local_for, lambda session: None)
    plane.start(asyncio.get_running_loop())
    try:
        policies = {}
        async with asyncio.timeout(5):
            while plane.engine.is_realtime is not wanted:  # noqa: ASYNC110 - another thread's first deed
                await asyncio.sleep(0.001)
        for task in Path("/proc/self/task").iterdir():
            policies.setdefault((task / "comm").read_text().strip(), set()).add(
                os.sched_getscheduler(int(task.name))
            )
        expected = os.SCHED_RR | os.SCHED_RESET_ON_FORK if wanted else os.SCHED_OTHER
        assert policies.pop("media") == {expected}
        assert {policy for found in policies.values() for policy in found} == {os.SCHED_OTHER}
        assert ("real time" in plane.path) is wanted
    finally:
        plane.stop()
