"""F3, G6: names of recordings and prompts lead nowhere else; files are private; what is loaded is bounded."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest

from switchroom.codecs.files import write_header
from switchroom.switch.calls.script import Apps
from switchroom.switch.media.clips import Clips, Silence
from switchroom.switch.media.recorder import Recorder, Recording
from tests.switch.calls.script.conftest import apps, world  # noqa: F401 - fixtures
from tests.switch.calls.world import World


@pytest.mark.parametrize("name", ["../../etc/x", "a/b", "/etc/x", "..", "a\0b", "x" * 500, "\n", "é"])
def test_a_recording_stays_in_its_folder(apps: Apps, tmp_path: Path, name: str) -> None:  # noqa: F811
    path = apps.house.recording_path(name)
    assert path.parent == tmp_path / "recordings"
    assert len(path.name) < 100
    assert path.name.isascii()
    assert path.name.isprintable()


async def recorded(recorder: Recorder, path: Path) -> Recording:
    recording = recorder.begin(path, 8000, "heard", attach=lambda recording: None)
    recording.heard.write(np.ones(1600, np.int16))
    await asyncio.sleep(0.3)
    recording.stop()
    await asyncio.wait_for(recording.ended, 5)
    return recording


async def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "call-1.wav").symlink_to(tmp_path / "victim")
    recorder = Recorder()
    recording = await recorded(recorder, tmp_path / "call-1.wav")
    assert recording.ended.result().reason == "disk-full"  # whatever the file system refuses
    assert (tmp_path / "victim").read_text() == "precious"
    recording = await recorded(recorder, tmp_path / "call-2.wav")
    assert recording.ended.result().reason == "stopped"
    assert (tmp_path / "call-2.wav").stat().st_mode & 0o777 == 0o600
    recorder.stop()


async def test_prompts_are_of_their_folder(tmp_path: Path) -> None:
    secret = write_header(8000, 1, 320) + bytes(320)
    (tmp_path / "secret.wav").write_bytes(secret)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "own.wav").write_bytes(secret)
    clips = Clips(tmp_path / "prompts")
    assert (await clips.load("own.wav", rate=8000)).seconds == pytest.approx(0.02)
    for name in ("../secret.wav", "own.wav/../../secret.wav", "nothing.wav", "a\0b"):
        with pytest.raises((OSError, ValueError)):
            await clips.load(name, rate=8000)


async def test_what_is_kept_of_files_is_bounded(tmp_path: Path) -> None:
    clips = Clips(tmp_path)
    for seconds in range(1, 40):
        await clips.load(Silence(100.0 + seconds), rate=48000)
    assert clips._size <= 48_000_000
    with (tmp_path / "long.wav").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(OSError, match="too many"):
        await clips.load("long.wav", rate=8000)


async def test_a_file_that_many_ask_for_at_once_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "music.wav").write_bytes(write_header(8000, 1, 16000) + bytes(16000))
    clips, reads = Clips(tmp_path), list[Path]()
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (reads.append(path), read(path))[1])
    loaded = await asyncio.gather(*[clips.load("music.wav", rate=16000) for _ in range(50)])
    assert len(reads) == 1
    assert len({id(clip) for clip in loaded}) == 1


def test_old_recordings_are_removed_and_nothing_else(apps: Apps, world: World, tmp_path: Path) -> None:  # noqa: F811
    folder = tmp_path / "recordings"
    (folder / "deep").mkdir(parents=True)
    for name, age in (
        ("old.wav", 31),
        ("new.wav", 29),
        ("old.ogg", 400),
        ("note.txt", 400),
        ("deep/old.wav", 400),
    ):
        path = folder / name
        path.write_bytes(b"x")
        os.utime(path, (1e9 - age * 86_400,) * 2)
    for days, left in ((0, 5), (30, 3)):
        apps.house.config = apps.house.config.model_copy(update={"keep_recordings": days})
        world.loop.run_until_complete(apps.remove_old_recordings(1e9))
        assert len([path for path in folder.rglob("*") if path.is_file()]) == left
    assert not (folder / "old.wav").exists()
    assert not (folder / "old.ogg").exists()
    assert ("recordings.removed", {"count": 2}) in world.log.lines
