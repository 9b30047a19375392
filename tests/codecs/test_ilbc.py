"""iLBC against the reference implementation that pjsua2 carries, and what lost and damaged frames become."""

from __future__ import annotations

import ctypes
import importlib.util
from functools import cache

import numpy as np
import pytest

from switchroom import codecs
from switchroom.codecs import Samples
from tests.codecs.sounds import aligned_snr, pitch, snr, tone, voice

ILBC = codecs.find("iLBC/8000")
OCTETS = {20: 38, 30: 50}
LOST = (4, 5, 13)


@cache
def reference() -> ctypes.CDLL:
    if importlib.util.find_spec("pjsua2") is None:
        pytest.skip("no pjsua2, whose iLBC is the reference's")
    found = importlib.util.find_spec("pjsua2._pjsua2")
    assert found is not None
    assert found.origin is not None
    library = ctypes.CDLL(found.origin)
    if not hasattr(library, "iLBC_encode"):
        pytest.skip("this pjsua2 shows no iLBC")
    return library


def reference_encodes(sound: Samples, mode: int) -> bytes:
    coder, count = ctypes.create_string_buffer(1 << 15), 8 * mode
    reference().initEncode(coder, mode)
    frames = []
    for at in range(0, len(sound), count):
        block = (ctypes.c_float * count)(*map(float, sound[at : at + count]))
        frame = ctypes.create_string_buffer(OCTETS[mode])
        reference().iLBC_encode(frame, block, coder)
        frames.append(frame.raw)
    return b"".join(frames)


def reference_decodes(data: bytes, mode: int, lost: tuple[int, ...] = ()) -> np.ndarray:
    coder, count = ctypes.create_string_buffer(1 << 16), 8 * mode
    reference().initDecode(coder, mode, 1)
    parts = []
    for number, frame in enumerate(frames_of(data, mode)):
        block = (ctypes.c_float * count)()
        reference().iLBC_decode(block, frame, coder, int(number not in lost))
        parts.append(np.array(block))
    return np.concatenate(parts)


def frames_of(data: bytes, mode: int) -> list[bytes]:
    return [data[at : at + OCTETS[mode]] for at in range(0, len(data), OCTETS[mode])]


def sound_of(mode: int, seconds: float = 2.4) -> Samples:
    sound = voice(seconds=seconds)
    return sound[: len(sound) // (8 * mode) * 8 * mode]


def decoded(data: bytes, mode: int, lost: tuple[int, ...] = ()) -> Samples:
    decoder = ILBC.decoder(mode=mode)
    frames = enumerate(frames_of(data, mode))
    return np.concatenate(
        [decoder.conceal(8 * mode) if n in lost else decoder.decode(frame) for n, frame in frames]
    )


@pytest.mark.parametrize("mode", [20, 30])
@pytest.mark.parametrize("sound", ["voice", "tone", "whisper", "silence"])
def test_the_reference_encodes_alike(mode: int, sound: str) -> None:
    """In float arithmetic a tie now and then falls to the other side: 19 of 20 frames are the same octets."""
    count = len(sound_of(mode))
    given = {
        "voice": sound_of(mode),
        "tone": tone(700, seconds=2.4)[:count],
        "whisper": (sound_of(mode) // 300).astype(np.int16),
        "silence": np.zeros(count, np.int16),
    }[sound]
    ours, theirs = ILBC.encoder(mode=mode).encode(given), reference_encodes(given, mode)
    pairs = list(zip(frames_of(ours, mode), frames_of(theirs, mode), strict=True))
    assert sum(a == b for a, b in pairs) >= 0.95 * len(pairs)


@pytest.mark.parametrize("mode", [20, 30])
@pytest.mark.parametrize("lost", [(), LOST])
def test_the_reference_decodes_alike(mode: int, lost: tuple[int, ...]) -> None:
    """Enhancer, concealment and its way back included, to within the rounding."""
    data = ILBC.encoder(mode=mode).encode(sound_of(mode))
    ours, theirs = decoded(data, mode, lost), reference_decodes(data, mode, lost)
    assert np.abs(ours - np.clip(theirs, -32768, 32767)).max() <= 2


@pytest.mark.parametrize("mode", [20, 30])
def test_a_tone_stays_one(mode: int) -> None:
    sound = tone(440, seconds=1.2)
    heard = ILBC.decoder(mode=mode).decode(ILBC.encoder(mode=mode).encode(sound))
    frequency, amplitude = pitch(heard[1600:8000], 8000)
    assert frequency == pytest.approx(440, abs=1)
    assert amplitude == pytest.approx(8000, rel=0.12)
    assert aligned_snr(sound[1600:8000], heard[1600:], 160) > 10


@pytest.mark.parametrize("mode", [20, 30])
def test_what_is_lost_is_made_up_and_found_again(mode: int) -> None:
    sound = tone(300, seconds=1.2)
    data = ILBC.encoder(mode=mode).encode(sound)
    heard, whole = decoded(data, mode, LOST), decoded(data, mode)
    count = 8 * mode
    for number in (4, 13):  # the first of a loss still has the pitch
        frequency, amplitude = pitch(heard[number * count + 80 : (number + 1) * count + 80], 8000)
        assert frequency == pytest.approx(300, abs=25)
        assert amplitude > 2000
    assert snr(whole[16 * count :], heard[16 * count :]) > 20


@pytest.mark.parametrize("mode", [20, 30])
def test_an_empty_frame_counts_as_lost(mode: int) -> None:
    """RFC 3951 §3.8: the last bit says so; a start state that cannot be, too."""
    data = ILBC.encoder(mode=mode).encode(sound_of(mode, 0.6))
    frames = frames_of(data, mode)
    for damaged in (
        frames[4][:-1] + bytes([frames[4][-1] | 1]),
        b"\0" * OCTETS[mode],
        b"\xff" * OCTETS[mode],
    ):
        bent = b"".join([*frames[:4], damaged, *frames[5:]])
        assert np.array_equal(ILBC.decoder(mode=mode).decode(bent), decoded(data, mode, (4,)))


def test_shapes() -> None:
    assert (ILBC.config().frame_samples, ILBC.config().frame_octets) == (160, 38)
    assert (ILBC.config(mode=30).frame_samples, ILBC.config(mode=30).frame_octets) == (240, 50)
    assert ILBC.packet_time.of_frames(160, 8000) == (20, (20, 40, 60))
    assert ILBC.packet_time.of_frames(240, 8000) == (30, (30, 60))
    for wrong in (0, 21, 25, 40):
        with pytest.raises(codecs.CodecError, match="ilbc"):
            ILBC.config(mode=wrong)
    with pytest.raises(codecs.CodecError, match="frames of 240 samples"):
        ILBC.encoder(mode=30).encode(voice()[:160])
    assert len(ILBC.decoder(mode=30).decode(b"\0" * 99)) == 240  # half a frame at the end is none
    with pytest.raises(codecs.CodecError, match="240 samples"):
        ILBC.decoder(mode=30).conceal(160)


@pytest.mark.parametrize(
    ("local", "remote", "mode"),
    [("", "", 30), ("mode=20", "mode=20", 20), ("mode=20", "", 30), ("mode=30", "mode=20", 30)],
)
def test_modes_in_descriptions(local: str, remote: str, mode: int) -> None:
    """RFC 3952 §4.2: 20 only where both say so."""
    parameters = ILBC.parameters
    assert parameters.encoder(local, remote) == parameters.decoder(local, remote) == {"mode": mode}
    assert parameters.answer(remote) == ("mode=20" if remote == "mode=20" else "mode=30")
    assert parameters.passes("mode=30", "")
    assert not parameters.passes("mode=20", "mode=30")
