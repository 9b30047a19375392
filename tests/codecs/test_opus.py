"""Opus: through our own hands and those of opusenc and opusdec; FEC, DTX, rates, channels, damage."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from switchroom import codecs
from tests.codecs import ogg
from tests.codecs.offered import offered
from tests.codecs.sounds import pitch, tone, voice

OPUS = offered("opus")


def payloads(samples: codecs.Samples, size: int, **settings: int) -> list[bytes]:
    encoder = OPUS.encoder(**settings)
    return [encoder.encode(samples[i : i + size]) for i in range(0, len(samples) - size + 1, size)]


@pytest.mark.parametrize("rate", [8000, 12000, 16000, 24000, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_rate_and_number_of_channels(rate: int, channels: int) -> None:
    sound = np.repeat(tone(1000, rate), channels)
    decoder = OPUS.decoder(sample_rate=rate, channels=channels)
    sent = payloads(sound, rate // 50 * channels, sample_rate=rate, channels=channels)
    heard = np.concatenate([decoder.decode(payload) for payload in sent])[::channels]
    assert len(heard) == rate
    frequency, level = pitch(heard[rate // 4 : rate * 3 // 4], rate)
    assert abs(frequency - 1000) < 3
    assert 7100 < level < 9000


def test_each_side_has_its_own_rate() -> None:
    decoder = OPUS.decoder(sample_rate=8000, channels=1)
    sent = payloads(tone(1000, 48000), 960, channels=1)
    heard = np.concatenate([decoder.decode(payload) for payload in sent])
    assert len(heard) == 8000
    assert abs(pitch(heard[2000:6000], 8000)[0] - 1000) < 3


def test_a_lost_packet_comes_back_from_the_one_after_it() -> None:
    sound = tone(400, 16000, 0.2)
    shape = {"sample_rate": 16000, "channels": 1}

    def second_last(**settings: int) -> codecs.Samples:
        """What is heard when all was silent up to a packet that is lost, and the tone begins in it."""
        quiet = np.zeros(16000, np.int16)
        sent = payloads(np.concatenate([quiet, sound]), 320, **shape, **settings)
        decoder = OPUS.decoder(**shape)
        for payload in sent[:52]:
            decoder.decode(payload)
        return decoder.conceal(320, sent[53])

    with_fec = second_last(fec=1, loss=30, bitrate=32000)
    without = second_last(fec=0, bitrate=32000)
    wanted = OPUS.decoder(**shape)
    sent = payloads(np.concatenate([np.zeros(16000, np.int16), sound]), 320, **shape, bitrate=32000)
    truth = [wanted.decode(payload) for payload in sent][52].astype(float)
    assert np.mean((with_fec - truth) ** 2) < np.mean((without - truth) ** 2) / 2


def test_without_anything_else_a_loss_is_smoothed_over() -> None:
    decoder = OPUS.decoder(sample_rate=16000, channels=1)
    for payload in payloads(tone(300, 16000), 320, sample_rate=16000, channels=1):
        decoder.decode(payload)
    assert np.abs(decoder.conceal(320).astype(float)).mean() > 1000
    assert len(decoder.conceal(1920)) == 1920
    with pytest.raises(codecs.CodecError):
        decoder.conceal(100)


def test_pauses_are_not_sent() -> None:
    quiet = np.zeros(48000 * 2, np.int16)
    assert payloads(quiet, 960, channels=1, dtx=1).count(b"") > 60
    assert b"" not in payloads(quiet, 960, channels=1)


def test_the_first_of_a_pause_is_sent_so_that_it_is_no_loss() -> None:
    """As browsers do: a packet without a frame, then nothing until what it sounds like is told again."""
    quiet = np.random.default_rng(1).normal(0, 10, 48000 * 2).astype(np.int16)
    sizes = [len(payload) for payload in payloads(quiet, 960, channels=1, dtx=1)]
    silent = [i for i, size in enumerate(sizes) if size == 0]
    assert len(silent) > 60
    assert all(sizes[i - 1] <= 2 for i in silent)
    told = [i for i, size in enumerate(sizes) if 0 < size <= 2]
    assert len(told) > 1
    assert all(sizes[i - 1] > 2 for i in told)


def test_the_bitrate_is_what_was_said() -> None:
    def kbits(**settings: int) -> float:
        sent = payloads(voice(48000), 960, channels=1, **settings)
        return sum(map(len, sent)) * 8 / 2000

    assert kbits(bitrate=12000) < 14
    assert 58 < kbits(bitrate=64000, cbr=1) < 66
    encoder = OPUS.encoder(channels=1, bitrate=64000, cbr=1)
    first = encoder.encode(voice(48000)[:960])
    encoder.tune("bitrate", 16000)
    encoder.tune("loss", 20)
    assert len(encoder.encode(voice(48000)[960:1920])) < len(first) / 2
    with pytest.raises(codecs.CodecError, match="cannot set mode to 3"):
        encoder.tune("mode", 3)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(codecs.CodecError, match="cannot be had"):
        OPUS.config(sample_rate=44100)
    with pytest.raises(codecs.CodecError, match="whole frames"):
        OPUS.encoder(channels=1).encode(np.zeros(1440, np.int16))  # 30 ms
    with pytest.raises(codecs.CodecError, match="damaged"):
        OPUS.decoder().decode(b"\xff\xff\xff")
    assert len(OPUS.decoder().decode(b"")) == 0


@pytest.mark.peer("opusenc")
def test_we_hear_opusenc() -> None:
    raw = tone(1000, 48000).astype("<i2").tobytes()
    command = ["opusenc", "--quiet", "--raw", "--raw-chan", "1", "--raw-rate", "48000", "-", "-"]
    made = subprocess.run(command, input=raw, capture_output=True, check=True).stdout
    decoder = OPUS.decoder(channels=1)
    heard = np.concatenate([decoder.decode(packet) for packet in list(ogg.packets(made))[2:]])
    frequency, level = pitch(heard[12000:36000], 48000)
    assert abs(frequency - 1000) < 1
    assert 7100 < level < 9000


@pytest.mark.peer("opusdec")
def test_opusdec_hears_us(tmp_path: Path) -> None:
    head = struct.pack("<8sBBHIHB", b"OpusHead", 1, 1, 312, 48000, 0, 0)
    tags = struct.pack("<8sI4sI", b"OpusTags", 4, b"test", 0)
    sent = payloads(tone(1000, 48000), 960, channels=1)
    parts = [(head, 0), (tags, 0), *((payload, 960 * (i + 1)) for i, payload in enumerate(sent))]
    (tmp_path / "ours.opus").write_bytes(ogg.file_of(parts))
    out = tmp_path / "heard.raw"
    subprocess.run(["opusdec", "--quiet", "--rate", "48000", tmp_path / "ours.opus", out], check=True)
    heard = np.frombuffer(out.read_bytes(), "<i2").astype(np.int16)
    frequency, level = pitch(heard[12000:36000], 48000)
    assert abs(frequency - 1000) < 1
    assert 7100 < level < 9000
