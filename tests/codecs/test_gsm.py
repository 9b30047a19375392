"""GSM full rate against libgsm's toast, bit by bit in both directions, and its concealment."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from switchroom import codecs
from tests.codecs.sounds import loud_noise, tone, voice

GSM = codecs.find("GSM/8000")
SQUARE = np.where(np.arange(16000) % 80 < 40, 32767, -32768).astype(np.int16)
SOUNDS = {
    "voice": voice(),
    "noise": loud_noise(),
    "square": SQUARE,
    "tone": tone(1000, seconds=2),
    "whisper": (voice() // 300).astype(np.int16),
    "silence": np.zeros(16000, np.int16),
}
VOICE_FRAMES = GSM.encoder().encode(voice())


def run(program: str, data: bytes) -> bytes:
    return subprocess.run([program, "-l", "-p", "-c"], input=data, capture_output=True, check=True).stdout


@pytest.mark.peer("toast", "untoast")
@pytest.mark.parametrize("name", SOUNDS)
def test_toast_says_the_same(name: str) -> None:
    sound = SOUNDS[name]
    frames = run("toast", sound.astype("<i2").tobytes())
    assert GSM.encoder().encode(sound) == frames
    assert GSM.decoder().decode(frames).astype("<i2").tobytes() == run("untoast", frames)


@pytest.mark.peer("untoast")
def test_any_frame_is_decoded_as_untoast_does() -> None:
    frames = np.random.default_rng(6).integers(0, 256, (500, 33)).astype(np.uint8)
    frames[:, 0] = frames[:, 0] & 0x0F | 0xD0
    data = frames.tobytes()
    assert GSM.decoder().decode(data).astype("<i2").tobytes() == run("untoast", data)


def test_a_frame_is_33_octets_with_a_signature() -> None:
    assert len(VOICE_FRAMES) == 100 * 33
    assert {octet >> 4 for octet in VOICE_FRAMES[::33]} == {0xD}
    assert len(GSM.decoder().decode(VOICE_FRAMES[:70])) == 320  # four octets of a third are dropped
    with pytest.raises(codecs.CodecError, match="gsm: the payload is damaged"):
        GSM.decoder().decode(b"\x00" * 33)
    with pytest.raises(codecs.CodecError, match="frames of 160 samples"):
        GSM.encoder().encode(voice()[:100])


def test_lost_frames_fade_out() -> None:
    decoder = GSM.decoder()
    assert not decoder.conceal(160).any()  # nothing was ever heard
    decoder.decode(GSM.encoder().encode(tone(700, seconds=0.4)))
    levels = [float(np.abs(decoder.conceal(160).astype(float)).mean()) for _ in range(20)]
    assert levels[0] > 1000
    assert levels[3] < levels[0] / 2
    assert levels[-1] == 0
    assert decoder.decode(VOICE_FRAMES[33:66]).any()


def test_only_whole_frames_are_concealed() -> None:
    with pytest.raises(codecs.CodecError, match="160 samples"):
        GSM.decoder().conceal(80)
    with pytest.raises(codecs.CodecError, match="cannot conceal"):
        GSM.decoder().conceal(1 << 20)
