"""G.722 against the vectors of ITU-T G.191, and what its state means for a stream."""

from __future__ import annotations

import numpy as np
import pytest

from switchroom import codecs
from tests.codecs.vectors import vector

G722 = codecs.find("G722/8000")
RATES = {64000: "1", 56000: "2", 48000: "3"}
NOISE = np.random.default_rng(722).integers(-20000, 20000, 16000).astype(np.int16)


def test_encodes_bit_exactly() -> None:
    codes = vector("g722/codspw.cod").astype(np.uint8).tobytes()
    assert G722.encoder().encode(vector("g722/inpsp.bin")) == codes


@pytest.mark.parametrize("bitrate", RATES)
def test_decodes_bit_exactly(bitrate: int) -> None:
    codes = vector("g722/codspw.cod").astype(np.uint8).tobytes()
    decoded = G722.decoder(bitrate=bitrate).decode(codes)
    assert np.array_equal(decoded, vector(f"g722/outsp{RATES[bitrate]}.bin"))


def test_rtp_counts_8000_and_the_ear_16000() -> None:
    assert G722.format == codecs.Format("G722", 8000, 1, 16000)
    assert len(G722.encoder().encode(NOISE[:320])) == 160


@pytest.mark.parametrize("size", [2, 160, 318, 322])
def test_it_does_not_matter_how_a_stream_is_cut(size: int) -> None:
    encoder, decoder = G722.encoder(), G722.decoder()
    parts = [encoder.encode(NOISE[i : i + size]) for i in range(0, len(NOISE), size)]
    assert b"".join(parts) == G722.encoder().encode(NOISE)
    decoded = np.concatenate([decoder.decode(part) for part in parts])
    assert np.array_equal(decoded, G722.decoder().decode(b"".join(parts)))


def test_reset_is_a_new_stream() -> None:
    encoder, decoder = G722.encoder(), G722.decoder()
    first = encoder.encode(NOISE)
    assert encoder.encode(NOISE) != first
    encoder.reset()
    assert encoder.encode(NOISE) == first
    heard = decoder.decode(first)
    decoder.reset()
    assert np.array_equal(decoder.decode(first), heard)


def test_full_scale_is_clipped_not_wrapped() -> None:
    square = np.where(np.arange(16000) % 160 < 80, 32767, -32768).astype(np.int16)
    heard = G722.decoder().decode(G722.encoder().encode(square))
    assert heard.max() > 32000
    assert np.count_nonzero(np.diff(np.sign(heard[320:].astype(int)))) <= 2 * 16000 / 80


def test_half_a_frame_is_refused() -> None:
    with pytest.raises(codecs.CodecError, match="g722: takes whole frames of 2 samples"):
        G722.encoder().encode(NOISE[:321])
