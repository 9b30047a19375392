"""Speex: three bands, what is in a payload, and speexenc and speexdec at the other end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from switchroom import codecs
from tests.codecs import ogg
from tests.codecs.offered import offered
from tests.codecs.sounds import pitch, tone, voice

BANDS = {8000: "narrowband", 16000: "wideband", 32000: "ultra-wideband"}
SPEEX = {rate: offered(f"speex/{rate}") for rate in BANDS}

each_rate = pytest.mark.parametrize("rate", BANDS)


@each_rate
@pytest.mark.parametrize("settings", [{"quality": 4}, {"quality": 10}, {"vbr": 1}, {"mode": 3}])
def test_frames_are_counted_as_the_library_finds_them(rate: int, settings: dict[str, int]) -> None:
    codec, frame = SPEEX[rate], rate // 50
    encoder, decoder = codec.encoder(**settings), codec.decoder()
    sound = voice(rate)
    for count in (1, 2, 3):
        for i in range(0, len(sound) - frame * count, frame * 7):
            data = encoder.encode(sound[i : i + frame * count])
            assert codec.config().measure(data) == frame * count
            assert len(decoder.decode(data)) == frame * count


@each_rate
def test_a_tone_comes_through(rate: int) -> None:
    codec, frame = SPEEX[rate], rate // 50
    encoder, decoder, hum = codec.encoder(), codec.decoder(), tone(440, rate)
    parts = [decoder.decode(encoder.encode(hum[i : i + frame])) for i in range(0, rate, frame)]
    frequency, level = pitch(np.concatenate(parts)[rate // 4 : rate * 3 // 4], rate)
    assert abs(frequency - 440) < 3
    assert 6500 < level < 9500


def test_pauses_are_not_sent() -> None:
    encoder = SPEEX[8000].encoder(cng=1)
    quiet = np.zeros(160, np.int16)
    assert [encoder.encode(quiet) for _ in range(50)].count(b"") > 20


def test_losses_and_damage() -> None:
    decoder = SPEEX[8000].decoder()
    encoder = SPEEX[8000].encoder()
    hum = tone(300)
    for i in range(0, 1600, 160):
        data = encoder.encode(hum[i : i + 160])
        decoder.decode(data)
    assert np.abs(decoder.conceal(160).astype(float)).mean() > 500
    with pytest.raises(codecs.CodecError, match="damaged"):
        decoder.decode(data[:-10])
    with pytest.raises(codecs.CodecError, match="damaged"):
        decoder.decode(b"\xff" * 20)
    assert len(decoder.decode(b"")) == 0
    with pytest.raises(codecs.CodecError, match="160 samples"):
        encoder.encode(hum[:80])


@pytest.mark.peer("speexenc", "speexdec")
@each_rate
def test_the_tools_hear_us_and_we_them(rate: int, tmp_path: Path) -> None:
    codec, frame, hum = SPEEX[rate], rate // 50, tone(440, rate)
    raw, file, out = tmp_path / "hum.raw", tmp_path / "hum.spx", tmp_path / "heard.raw"
    raw.write_bytes(hum.astype("<i2").tobytes())
    subprocess.run(
        ["speexenc", "--quiet", f"--{BANDS[rate]}", "--rate", str(rate), "--le", "--16bit", raw, file],
        check=True,
        capture_output=True,
    )
    head, comment, *theirs = ogg.packets(file.read_bytes())
    decoder, encoder = codec.decoder(), codec.encoder()
    heard = [np.concatenate([decoder.decode(packet) for packet in theirs])]
    ours = [encoder.encode(hum[i : i + frame]) for i in range(0, rate, frame)]
    parts = [(head, 0), (comment, 0), *((one, frame * (i + 1)) for i, one in enumerate(ours))]
    file.write_bytes(ogg.file_of(parts))
    subprocess.run(["speexdec", "--quiet", file, out], check=True, capture_output=True)
    heard.append(np.frombuffer(out.read_bytes(), "<i2").astype(np.int16))
    for sound in heard:
        frequency, level = pitch(sound[rate // 4 : rate * 3 // 4], rate)
        assert abs(frequency - 440) < 3
        assert 6500 < level < 9500
