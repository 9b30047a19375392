"""G.711 against the vectors of ITU-T G.191, and against plain arithmetic for every level and every code."""

from __future__ import annotations

import numpy as np
import pytest

from switchroom import codecs
from tests.codecs import plain_g711
from tests.codecs.vectors import vector

LAWS = {"PCMA/8000": "a", "PCMU/8000": "u"}
ALL_LEVELS = np.arange(-32768, 32768).astype(np.int16)
ALL_CODES = bytes(range(256))

each_law = pytest.mark.parametrize("law", LAWS)


def encode(law: str, samples: codecs.Samples) -> bytes:
    return codecs.find(law).encoder().encode(samples)


def decode(law: str, data: bytes) -> codecs.Samples:
    return codecs.find(law).decoder().decode(data)


@each_law
def test_encodes_bit_exactly(law: str) -> None:
    codes = vector(f"g711/sweep-r.{LAWS[law]}").astype(np.uint8).tobytes()
    assert encode(law, vector("g711/sweep.src")) == codes


@each_law
def test_decodes_bit_exactly(law: str) -> None:
    codes = vector(f"g711/sweep-r.{LAWS[law]}").astype(np.uint8).tobytes()
    assert np.array_equal(decode(law, codes), vector(f"g711/sweep-r.re{LAWS[law]}"))


@each_law
def test_a_round_trip_is_the_libraries(law: str) -> None:
    letter = LAWS[law]
    codes = encode(law, vector("g711/sweep.src"))
    assert np.array_equal(decode(law, codes), vector(f"g711/sweep-r.{letter}-{letter}"))


@each_law
def test_plain_arithmetic_says_the_same(law: str) -> None:
    name = "alaw" if LAWS[law] == "a" else "ulaw"
    assert encode(law, ALL_LEVELS) == getattr(plain_g711, f"encode_{name}")(ALL_LEVELS)
    assert np.array_equal(decode(law, ALL_CODES), getattr(plain_g711, f"decode_{name}")(ALL_CODES))


@each_law
def test_every_code_survives(law: str) -> None:
    again = encode(law, decode(law, ALL_CODES))
    # the two zeros of mu-law are one level
    assert [code for code in ALL_CODES if again[code] != code] == ([0x7F] if law == "PCMU/8000" else [])
