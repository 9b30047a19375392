"""Sound in files: WAV as sox writes it, Opus in Ogg from and to its own tools, and what is damaged."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from switchroom.codecs import CodecError, Samples, find
from switchroom.codecs.files import OggWriter, read_file, read_opus, read_wav, wav_header, write_header

from .sounds import tone, voice


def wav(samples: Samples, rate: int = 8000) -> bytes:
    return write_header(rate, 1, 2 * len(samples)) + samples.tobytes()


def opus(samples: Samples, rate: int = 16000) -> bytes:
    encoder, pages = find("opus").encoder(channels=1, sample_rate=rate), OggWriter(1, 77)
    data, size = pages.begin, rate // 50
    for at in range(0, len(samples) - size + 1, size):
        data += pages.add(encoder.encode(samples[at : at + size]), 960)
    return data + pages.flush(is_last=True)


def pitch(samples: Samples, rate: int) -> float:
    part = samples[rate // 10 : rate // 10 * 6].astype(float)
    return float(np.abs(np.fft.rfft(part * np.hanning(len(part)))).argmax() * rate / len(part))


needs_opus = pytest.mark.skipif(not find("opus").is_offered, reason="libopus is not installed")


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")


@needs("sox")
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    "form",
    [
        *("-b 8 -e unsigned-integer", "-b 16", "-b 24", "-b 32 -e signed-integer"),
        *("-b 32 -e floating-point", "-b 64 -e floating-point", "-e a-law", "-e mu-law"),
    ],
)
def test_what_sox_writes_is_read(tmp_path: Path, form: str, channels: int) -> None:
    path = tmp_path / "made.wav"
    made = ["sox", "-n", "-r", "22050", "-c", str(channels), *form.split(), path]
    subprocess.run([*made, "synth", "1", "sine", "700", "gain", "-6"], check=True, capture_output=True)
    samples, rate = read_wav(path.read_bytes())
    assert rate == 22050
    assert len(samples) == pytest.approx(22050, abs=2)
    assert pitch(samples, rate) == pytest.approx(700, abs=3)
    assert float(np.abs(samples.astype(int)).max()) == pytest.approx(16400, rel=0.05)


def test_a_wav_whose_writer_was_killed_is_read_as_far_as_it_goes() -> None:
    samples = tone(440, 8000, 0.5)
    whole = write_header(8000, 1, 10**9) + samples.tobytes()
    assert np.array_equal(read_wav(whole)[0], samples)
    assert np.array_equal(read_wav(whole[:1045])[0], samples[:500])
    assert wav_header(whole).size == 2 * len(samples)


def test_chunks_of_others_are_passed_over() -> None:
    samples = tone(440, 8000, 0.1)
    data = wav(samples)
    other = data[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + data[12:]
    assert np.array_equal(read_wav(other)[0], samples)


def shaped(form: int, channels: int, rate: int, block: int, bits: int) -> bytes:
    shape = struct.pack("<HHIIHH", form, channels, rate, rate * block, block, bits)
    return b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 16) + shape + b"data" + struct.pack("<I", 4) + bytes(4)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no RIFF"),
        (b"RIFF\0\0\0\0WAVE", "no samples"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "before their format"),
        (b"RIFF\0\0\0\0WAVEfmt \4\0\0\0abcd", "a format of 4 octets"),
        (shaped(2, 1, 8000, 1, 4), "format 2 with 4 bits"),
        (shaped(1, 0, 8000, 0, 16), "0 channels"),
        (shaped(1, 1, 1, 2, 16), "at 1 Hz"),
        (shaped(1, 1, 8000, 3, 16), "blocks of 3 octets"),
        (b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 100 + b"data", "no samples"),
    ],
)
def test_what_is_no_wav_is_named(data: bytes, said: str) -> None:
    with pytest.raises(CodecError, match=said):
        read_wav(data)


@needs_opus
@needs("opusdec")
def test_what_is_written_is_read_by_the_tools_of_opus(tmp_path: Path) -> None:
    samples = tone(900, 16000, 1.0)
    data = opus(samples)
    (tmp_path / "ours.ogg").write_bytes(data)
    decode = ["opusdec", "--quiet", "--rate", "16000", tmp_path / "ours.ogg", tmp_path / "theirs.wav"]
    subprocess.run(decode, check=True, capture_output=True)
    theirs, rate = read_wav((tmp_path / "theirs.wav").read_bytes())
    ours, own = read_opus(data)
    assert (rate, own) == (16000, 48000)
    assert pitch(theirs, rate) == pytest.approx(900, abs=3)
    assert pitch(ours, own) == pytest.approx(900, abs=3)
    assert len(ours) / own == pytest.approx(1.0, abs=0.02)


@needs_opus
@needs("opusenc")
def test_what_the_tools_of_opus_write_is_read(tmp_path: Path) -> None:
    (tmp_path / "in.wav").write_bytes(wav(voice(16000, 2.0), 16000))
    encode = ["opusenc", "--quiet", tmp_path / "in.wav", tmp_path / "out.opus"]
    subprocess.run(encode, check=True, capture_output=True)
    samples, rate = read_file("out.opus", (tmp_path / "out.opus").read_bytes())
    assert len(samples) / rate == pytest.approx(2.0, abs=0.03)


@needs_opus
def test_an_ogg_that_breaks_off_or_is_damaged_is_read_as_far_as_it_can_be() -> None:
    data = opus(tone(900, 16000, 3.0))
    half, rate = read_opus(data[: len(data) * 2 // 3])
    assert 0.9 < len(half) / rate < 2.5
    damaged = bytearray(data)
    at = data.index(b"OggS", len(data) // 2)
    damaged[at] ^= 1  # one page is not found any more
    assert len(read_opus(bytes(damaged))[0]) / rate == pytest.approx(2.0, abs=0.1)


def test_raw_files_are_known_by_their_names() -> None:
    samples = tone(440, 8000, 0.1)
    assert np.array_equal(read_file("a.sln16", samples.tobytes() + b"x")[0], samples)
    assert read_file("a.sln16", b"")[1] == 16000
    decoded, rate = read_file("a.ulaw", find("PCMU").encoder().encode(tone(440, 8000, 1.0)))
    assert pitch(decoded, rate) == pytest.approx(440, abs=3)
    with pytest.raises(CodecError, match="neither"):
        read_file("a.mp3", b"ID3")


@pytest.mark.parametrize("kind", ["wav", "float", "ogg"])
def test_damaged_files_do_no_harm(kind: str) -> None:
    """Some octets changed, some left out, the end cut off: samples that fit, or a CodecError."""
    if kind == "ogg" and not find("opus").is_offered:
        pytest.skip("libopus is not installed")
    chance = random.Random(7)
    made = {
        "wav": lambda: wav(voice(8000, 0.3)),
        "float": lambda: shaped(3, 2, 8000, 16, 64)[:-8] + struct.pack("<I", 1600) + chance.randbytes(1600),
        "ogg": lambda: opus(voice(16000, 0.6)),
    }
    whole = made[kind]()
    read = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(chance.randrange(6)):
            at = chance.randrange(min(len(data), chance.choice((48, 200, 10**6))))
            data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        if chance.random() < 0.3:
            at = chance.randrange(len(data))
            del data[at : at + chance.randrange(1, 60)]
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        try:
            samples, rate = read_file("x", bytes(data))
        except CodecError:
            continue
        read += 1
        assert samples.dtype == np.int16
        assert 4000 <= rate <= 192_000
        assert len(samples) <= (len(data) if kind != "ogg" else 255 * 5760)
    assert read > 50
