"""G.729: heard by ffmpeg, Annex B's pauses, and payloads of odd sizes."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from switchroom import codecs
from tests.codecs.offered import offered
from tests.codecs.sounds import aligned_snr, pitch, tone, voice

G729 = offered("G729")
QUIET = np.random.default_rng(4).integers(-8, 9, 32000).astype(np.int16)


def test_a_voice_comes_through() -> None:
    data = G729.encoder().encode(voice())
    assert len(data) == 2000
    assert aligned_snr(voice(), G729.decoder().decode(data), 80) > 5


@pytest.mark.peer("ffmpeg")
def test_ffmpeg_hears_what_we_hear() -> None:
    data = G729.encoder().encode(tone(440))
    command = ["ffmpeg", "-v", "error", "-f", "g729", "-i", "-", "-f", "s16le", "-"]
    there = subprocess.run(command, input=data, capture_output=True, check=True).stdout
    theirs = np.frombuffer(there, "<i2").astype(np.int16)
    ours = G729.decoder().decode(data)
    for heard in (ours, theirs):
        frequency, level = pitch(heard[2000:7000], 8000)
        assert abs(frequency - 440) < 3
        assert 6300 < level < 10000
    assert aligned_snr(ours, theirs, 10) > 15


def test_pauses_are_described_once_and_then_not_sent() -> None:
    encoder = G729.encoder(annexb=1)
    sound = np.concatenate([voice(), QUIET])
    sent = [encoder.encode(sound[i : i + 160]) for i in range(0, len(sound), 160)]
    sizes = [len(payload) for payload in sent]
    assert set(sizes) <= {0, 2, 12, 20}
    assert sizes.count(20) > 20
    assert sizes[-100:].count(0) > 60
    assert 2 in sizes
    assert all(len(G729.encoder().encode(sound[i : i + 160])) == 20 for i in range(0, 1600, 160))


def test_a_described_pause_goes_on_as_quiet_noise() -> None:
    encoder, decoder = G729.encoder(annexb=1), G729.decoder()
    heard = []
    for i in range(0, 32000, 160):
        payload = encoder.encode(QUIET[i : i + 160])
        heard.append(decoder.decode(payload) if payload else decoder.conceal(160))
    level = np.abs(np.concatenate(heard[50:]).astype(float)).mean()
    assert 0 < level < 60


def test_a_payload_ends_with_its_silence_descriptor() -> None:
    config = G729.config()
    assert [config.measure(bytes(size)) for size in (0, 2, 9, 10, 12, 20, 22, 25)] == [
        *(0, 80, 0, 80, 160, 160, 240, 160)
    ]
    assert len(G729.decoder().decode(bytes(22))) == 240
    with pytest.raises(codecs.CodecError, match="80 samples"):
        G729.encoder().encode(np.zeros(100, np.int16))


def test_a_lost_frame_sounds_like_those_before() -> None:
    decoder = G729.decoder()
    decoder.decode(G729.encoder().encode(tone(300, seconds=0.4)))
    assert np.abs(decoder.conceal(80).astype(float)).mean() > 1000
    decoder.reset()
    assert np.abs(decoder.conceal(80).astype(float)).mean() < 100
