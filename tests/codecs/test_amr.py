"""AMR and AMR-WB: both packings of RFC 4867, modes and requests, pauses, and sox at the other end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from switchroom import codecs
from tests.codecs.offered import offered
from tests.codecs.sounds import pitch, tone, voice

NARROW, WIDE = offered("AMR"), offered("AMR-WB")
BOTH = {"AMR": NARROW, "AMR-WB": WIDE}
MAGIC = {"AMR": b"#!AMR\n", "AMR-WB": b"#!AMR-WB\n"}
BITS = {
    "AMR": (95, 103, 118, 134, 148, 159, 204, 244),
    "AMR-WB": (132, 177, 253, 285, 317, 365, 397, 461, 477),
}

each_family = pytest.mark.parametrize("family", BOTH)
each_packing = pytest.mark.parametrize("octet_align", [0, 1])


def sound(family: str, seconds: float = 1.0) -> codecs.Samples:
    return voice(BOTH[family].format.sample_rate, seconds)


@each_family
@each_packing
def test_payloads_are_as_large_as_rfc_4867_says(family: str, octet_align: int) -> None:
    codec = BOTH[family]
    frame = codec.config().frame_samples
    for mode, bits in enumerate(BITS[family]):
        for frames in (1, 3):
            data = codec.encoder(octet_align=octet_align, mode=mode).encode(sound(family)[: frames * frame])
            aligned = 1 + frames + frames * ((bits + 7) // 8)
            assert len(data) == (aligned if octet_align else (4 + frames * (6 + bits) + 7) // 8)
            assert data[0] >> 4 == 15  # we request no mode


@each_family
def test_the_packings_hold_the_same_frames(family: str) -> None:
    codec = BOTH[family]
    frame = codec.config().frame_samples
    heard = []
    for octet_align in (0, 1):
        data = codec.encoder(octet_align=octet_align).encode(sound(family)[: 4 * frame])
        heard.append(codec.decoder(octet_align=octet_align).decode(data))
    assert np.array_equal(*heard)
    assert heard[0].any()


@each_family
@each_packing
def test_a_requested_mode_is_found_and_obeyed(family: str, octet_align: int) -> None:
    codec = BOTH[family]
    frame = codec.config().frame_samples
    encoder, decoder = codec.encoder(octet_align=octet_align), codec.decoder(octet_align=octet_align)
    first = encoder.encode(sound(family)[:frame])
    decoder.decode(first)
    assert decoder.request() is None
    decoder.decode(bytes([2 << 4 | first[0] & 15]) + first[1:])
    wanted = decoder.request()
    assert wanted == 2
    assert decoder.request() is None
    encoder.tune("mode", wanted)
    assert mode_of(encoder.encode(sound(family)[:frame]), octet_align) == 2
    with pytest.raises(codecs.CodecError, match="cannot set mode to 9"):
        encoder.tune("mode", 9)


def mode_of(payload: bytes, octet_align: int) -> int:
    window = int.from_bytes(payload[:2], "big")
    return window >> 3 & 15 if octet_align else window >> 7 & 15


@each_family
def test_modes_change_as_the_other_end_can_take_it(family: str) -> None:
    codec = BOTH[family]
    frame = codec.config().frame_samples
    encoder = codec.encoder(
        octet_align=1, mode_set=0b10010101, mode=7, change_period=2, change_neighbor=1
    )  # 0, 2, 4, 7
    modes = []
    for i in range(10):
        if i == 1:
            encoder.tune("mode", 1)
        modes.append(mode_of(encoder.encode(sound(family)[:frame]), 1))
    assert modes == [7, 7, 4, 4, 2, 2, 0, 0, 0, 0]


@each_family
def test_pauses_are_not_sent(family: str) -> None:
    codec = BOTH[family]
    frame = codec.config().frame_samples
    encoder, decoder = codec.encoder(dtx=1), codec.decoder()
    quiet = np.random.default_rng(5).integers(-4, 5, frame * 120).astype(np.int16)
    sent = [encoder.encode(quiet[i : i + frame]) for i in range(0, len(quiet), frame)]
    assert sent.count(b"") > 80
    assert b"" not in sent[:5]
    for payload in sent:
        decoder.decode(payload) if payload else decoder.conceal(frame)
    assert np.abs(decoder.conceal(frame).astype(float)).mean() < 100


@each_family
@each_packing
def test_what_a_payload_promises_must_be_there(family: str, octet_align: int) -> None:
    codec = BOTH[family]
    frame = codec.config().frame_samples
    data = codec.encoder(octet_align=octet_align).encode(sound(family)[: 2 * frame])
    decoder = codec.decoder(octet_align=octet_align)
    assert len(decoder.decode(data)) == 2 * frame
    for size in range(1, len(data) - 1):
        with pytest.raises(codecs.CodecError, match="damaged"):
            decoder.decode(data[:size])
    assert len(decoder.decode(b"")) == 0
    with pytest.raises(codecs.CodecError, match="damaged"):
        decoder.decode(b"\xf0" + b"\xfc" * 1400 if octet_align else b"\xff" * 1400)  # of nothing, endlessly
    with pytest.raises(codecs.CodecError, match="damaged"):
        decoder.decode(b"\xf0\x54" + bytes(60) if octet_align else b"\xf5\x40" + bytes(60))  # type 10


@each_family
def test_a_frame_marked_bad_is_made_up(family: str) -> None:
    codec = BOTH[family]
    frame = codec.config().frame_samples
    encoder, decoder, other = codec.encoder(octet_align=1), *(codec.decoder(octet_align=1) for _ in range(2))
    for i in range(20):
        data = encoder.encode(sound(family)[i * frame : (i + 1) * frame])
        assert np.array_equal(decoder.decode(data), other.decode(data))
    bad = bytes([data[0], data[1] & ~4]) + data[2:]
    assert np.array_equal(decoder.decode(bad), other.conceal(frame))


RAW = ["-t", "raw", "-e", "signed", "-b", "16", "-c", "1"]
SOX = {"AMR": "amr-nb", "AMR-WB": "amr-wb"}


def sox(arguments: list[str | Path], data: bytes = b"") -> bytes:
    return subprocess.run(["sox", "-D", *arguments], input=data, capture_output=True, check=True).stdout


@pytest.mark.peer("sox")
@each_family
def test_sox_hears_what_we_hear(family: str, tmp_path: Path) -> None:
    codec, rate = BOTH[family], BOTH[family].format.sample_rate
    frame, hum = rate // 50, tone(500, rate)
    encoder, decoder = codec.encoder(octet_align=1), codec.decoder(octet_align=1)
    sent = [encoder.encode(hum[i : i + frame]) for i in range(0, len(hum), frame)]
    (tmp_path / "ours").write_bytes(MAGIC[family] + b"".join(payload[1:] for payload in sent))
    there = np.frombuffer(sox(["-t", SOX[family], tmp_path / "ours", *RAW, "-"]), "<i2")
    assert np.array_equal(there, np.concatenate([decoder.decode(payload) for payload in sent]))
    frequency, level = pitch(there[rate // 4 : rate * 3 // 4].astype(np.int16), rate)
    assert abs(frequency - 500) < 3
    assert 7000 < level < 9000


@pytest.mark.peer("sox")  # whose Debian package cannot write AMR-WB
def test_we_hear_what_sox_hears(tmp_path: Path) -> None:
    file = tmp_path / "theirs"
    sox([*RAW, "-r", "8000", "-", "-t", "amr-nb", file], tone(500).astype("<i2").tobytes())
    stored = file.read_bytes()[len(MAGIC["AMR"]) :]
    decoder = NARROW.decoder(octet_align=1)
    size = 1 + (BITS["AMR"][stored[0] >> 3] + 7) // 8
    frames = [stored[i : i + size] for i in range(0, len(stored) - size + 1, size)]
    heard = np.concatenate([decoder.decode(b"\xf0" + one) for one in frames])
    there = np.frombuffer(sox(["-t", "amr-nb", file, *RAW, "-"]), "<i2")
    assert np.array_equal(heard, there)
    assert abs(pitch(heard[2000:6000], 8000)[0] - 500) < 3
