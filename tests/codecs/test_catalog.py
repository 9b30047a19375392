"""The catalogue and L16."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom import codecs

TONE = (8000 * np.sin(np.arange(320) / 3)).astype(np.int16)


@pytest.mark.parametrize("name", [codec.format.name for codec in codecs.CODECS.values()])
def test_every_codec_gives_back_what_it_took(name: str) -> None:
    codec = codecs.find(name)
    decoded = codec.decoder().decode(codec.encoder().encode(TONE))
    assert decoded.dtype == np.int16
    assert np.abs(decoded.astype(int) - TONE).max() <= (256 if name.startswith("PCM") else 0)


def test_names_ignore_case() -> None:
    assert codecs.find("pcmu/8000") is codecs.find("PCMU/8000")
    assert codecs.find("L16/44100/2").format == codecs.Format("L16", 44100, 2, 44100)


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(LookupError, match="PCMA/8000"):
        codecs.find("G729/8000")


def test_l16_is_in_network_order() -> None:
    codec = codecs.find("L16/16000")
    assert codec.encoder().encode(np.array([1, -2], np.int16)) == b"\x00\x01\xff\xfe"
    assert codec.decoder().decode(b"\x00\x01\xff\xfe\x07").tolist() == [1, -2]
    with pytest.raises(TypeError):
        codec.encoder().encode(np.zeros(2))  # type: ignore[arg-type]


@given(st.sampled_from([codec.format.name for codec in codecs.CODECS.values()]), st.binary(max_size=200))
def test_decoders_take_any_bytes(name: str, data: bytes) -> None:
    samples = codecs.find(name).decoder().decode(data)
    assert samples.dtype == np.int16
    assert len(samples) <= len(data)
