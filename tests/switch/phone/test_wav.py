"""What can be played, and what a recording is."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from switchroom.switch.phone.wav import WavError, WavWriter, read_wav


def write(path: Path, samples: np.ndarray, rate: int, *, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def loudest(samples: np.ndarray, rate: int = 8000) -> float:
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[np.abs(np.fft.rfft(samples)).argmax()])


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_reads_what_telephones_do_not_speak(tmp_path: Path, rate: int, channels: int) -> None:
    tone = 8000 * np.sin(2 * np.pi * 800 * np.arange(rate) / rate)
    path = write(tmp_path / "tone.wav", np.repeat(tone.astype("<i2"), channels), rate, channels=channels)
    samples = read_wav(path)
    assert len(samples) == 8000
    assert loudest(samples) == 800
    assert np.sqrt(np.mean(samples.astype(float) ** 2)) == pytest.approx(8000 / np.sqrt(2), rel=0.01)


def test_writes_what_it_is_given(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "out.wav")
    writer.write(np.array([1, -2, 3], np.int16))
    writer.write(np.array([4], np.int16))
    writer.close()
    assert writer.samples_written == 4
    assert read_wav(tmp_path / "out.wav").tolist() == [1, -2, 3, 4]


def test_an_empty_recording_is_a_file(tmp_path: Path) -> None:
    WavWriter(tmp_path / "out.wav").close()
    assert len(read_wav(tmp_path / "out.wav")) == 0


@pytest.mark.parametrize("content", [b"", b"hello, I am a text", b"RIFF\4\0\0\0WAVE"])
def test_says_that_a_file_is_something_else(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.wav").write_bytes(content)
    with pytest.raises(WavError, match="not a PCM WAV"):
        read_wav(tmp_path / "bad.wav")


def test_says_what_is_missing_or_not_supported(tmp_path: Path) -> None:
    with pytest.raises(WavError, match="No such file"):
        read_wav(tmp_path / "missing.wav")
    with pytest.raises(WavError, match="8-bit"):
        read_wav(write(tmp_path / "8.wav", np.zeros(10, np.uint8), 8000, width=1))
    with pytest.raises(WavError, match="longer"):
        read_wav(write(tmp_path / "long.wav", np.zeros(3601, "<i2"), 1))
    with pytest.raises(WavError, match="No such file"):
        WavWriter(tmp_path / "no" / "folder.wav")
