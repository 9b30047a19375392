"""A recorded call whose switch is killed: the file can be played."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from shutil import which
from threading import Thread

import numpy as np
import pytest

from switchroom.codecs import find
from switchroom.codecs.files import read_file
from tests.codecs.sounds import tone

from .harness import PASSWORD, Switch, user
from .phone import Phone
from .rtp import packet
from .test_voice import Talker


def speak(talker: Talker, pitch: int, seconds: float) -> None:
    """Say a tone in real time."""
    encoder, samples = find("PCMU").encoder(), tone(pitch, 8000, seconds)
    due = time.monotonic()
    for i in range(len(samples) // 160):
        payload = encoder.encode(samples[160 * i : 160 * i + 160])
        sound = talker.sound
        sound.socket.sendto(packet(i, 160 * i, sound.ssrc, payload), sound.remote)
        due += 0.02
        time.sleep(max(due - time.monotonic(), 0))


@pytest.mark.parametrize("kind", ["wav", "ogg"])
def test_a_recording_is_whole_though_the_switch_is_killed(tmp_path: Path, kind: str) -> None:
    if kind == "ogg" and not find("opus").is_offered:
        pytest.skip("libopus is not installed")
    people = [user("1001", record=True), user("1002")]
    sound = {"recordings": str(tmp_path / "recordings"), "recording_format": kind}
    with (
        Switch(tmp_path / "switch", users=people, sound=sound) as switch,
        Phone(switch.address, "1001", PASSWORD) as a,
        Phone(switch.address, "1002", PASSWORD) as b,
    ):
        assert a.register().status == b.register().status == 200
        one, two = Talker(a), Talker(b)
        taking = Thread(target=two.take)
        taking.start()
        one.call("1002")
        taking.join()
        threads = [Thread(target=speak, args=(one, 500, 2.6)), Thread(target=speak, args=(two, 900, 2.6))]
        for thread in threads:
            thread.start()
        [row] = switch.ask("recordings")
        assert (row["state"], row["sides"]) == ("recording", "stereo")
        status = switch.status()
        assert (status["recordings"], status["conferences"]) == (1, 0)
        for thread in threads:
            thread.join()
        switch.kill()
        one.close(), two.close()
    [path] = (tmp_path / "recordings").iterdir()
    samples, rate = read_file(path.name, path.read_bytes())
    frames = np.abs(samples[: len(samples) // 160 * 160].astype(float)).reshape(-1, 160).max(axis=1)
    assert 1.2 < (frames > 1000).sum() * 160 / rate < 2.8  # the last second may be missing
    spectrum = np.abs(np.fft.rfft(samples.astype(float)))
    loud = np.fft.rfftfreq(len(samples), 1 / rate)[spectrum > spectrum.max() / 4]
    assert {round(float(pitch) / 20) * 20 for pitch in loud} == {500, 900}
    if which("ffprobe") is not None:
        done = subprocess.run(["ffprobe", "-v", "error", str(path)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
