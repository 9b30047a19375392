"""The silence at both ends of a recording."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from switchroom.codecs.files import write_header
from switchroom.switch.api.voice.recordings.tapes import trim


def recorded(path: Path, parts: list[tuple[float, int]], channels: int) -> Path:
    """Seconds at a level, one after the other; of two channels the second is silent."""
    mono = np.concatenate([np.full(round(8000 * seconds), level, "<i2") for seconds, level in parts])
    samples = np.stack([mono, np.zeros_like(mono)], axis=1).reshape(-1) if channels == 2 else mono
    path.write_bytes(write_header(8000, channels, samples.nbytes) + samples.tobytes())
    return path


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_silent_at_the_ends_goes(tmp_path: Path, channels: int) -> None:
    parts = [(1.0, 20), (0.5, 4000), (2.0, 0), (0.5, -4000), (3.0, -30)]
    path = recorded(tmp_path / "a.wav", parts, channels)
    assert trim(path) == pytest.approx(3.2)  # a tenth of a second stays at each end
    with wave.open(str(path)) as reader:
        assert (reader.getnchannels(), reader.getnframes()) == (channels, 3.2 * 8000)


def test_what_is_only_silent_is_nothing(tmp_path: Path) -> None:
    assert trim(recorded(tmp_path / "a.wav", [(2.0, 100)], 1)) == 0
    assert trim(recorded(tmp_path / "b.wav", [(0.001, 9000)], 1)) == 0
