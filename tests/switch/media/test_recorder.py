"""A recording by itself: samples in pieces of any size, and its end at the very sample."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from switchroom.codecs.files import read_wav
from switchroom.switch.media.recorder import Recording

RATE = 8000


@pytest.mark.parametrize("piece", [1, 80, 160, 1607, 1999])
def test_it_ends_at_its_length_however_its_samples_come(tmp_path: Path, piece: int) -> None:
    """Sums of parts of a second come close to the length, and would never reach it."""
    loop = asyncio.new_event_loop()
    path = tmp_path / "a.wav"
    recording = Recording(path, RATE, "heard", loop, max_seconds=1.4, silence=0.0, owner="")
    rounds = 0
    while recording.run():
        recording.heard.write(np.full(piece, 1000, dtype=np.int16))
        rounds += 1
        assert rounds <= 1.4 * RATE / piece + 2
    loop.run_until_complete(asyncio.sleep(0))
    done = recording.ended.result()
    loop.close()
    assert (done.seconds, done.reason) == (1.4, "max-length")
    assert len(read_wav(path.read_bytes())[0]) == 1.4 * RATE
