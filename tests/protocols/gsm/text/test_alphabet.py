"""The alphabets: every character, every table, any octets."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import gsm
from switchroom.protocols.errors import LocalProtocolError
from switchroom.protocols.gsm.text.tables import LOCKING, RESERVED, SINGLE

PAIRS = [(locking, single) for locking in LOCKING for single in SINGLE]


def test_the_default_alphabet_is_that_of_23_038() -> None:
    rows = ["@£$¥èéùìòÇ\nØø\rÅå", "Δ_ΦΓΛΩΠΨΣΘΞ", "ÆæßÉ", " !\"#¤%&'()*+,-./"]
    assert gsm.DEFAULT.encode("".join(rows)) == bytes([*range(0x1B), *range(0x1C, 0x30)])
    assert gsm.DEFAULT.encode("^{}\\[~]|€\f") == b"".join(
        bytes((0x1B, c)) for c in (0x14, 0x28, 0x29, 0x2F, 0x3C, 0x3D, 0x3E, 0x40, 0x65, 0x0A)
    )


def test_every_code_point_comes_back_or_is_refused() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        try:
            septets = gsm.DEFAULT.encode(character)
        except LocalProtocolError:
            assert character not in gsm.DEFAULT.costs
        else:
            assert gsm.DEFAULT.decode(septets) == character
            assert len(septets) == gsm.DEFAULT.costs[character]


def test_every_character_of_every_pair_of_tables_comes_back() -> None:
    for alphabet in (gsm.alphabet(*pair) for pair in PAIRS):
        there = {*LOCKING[alphabet.locking], *SINGLE[alphabet.single]} - {RESERVED}
        assert alphabet.costs.keys() == there
        text = "".join(there)
        assert alphabet.decode(alphabet.encode(text)) == text
        assert alphabet.count(text) == len(alphabet.encode(text))
        for character in "\u4e00\U0001f600\ufffe":
            assert alphabet.missing(f"a{character}") == [character]
            with pytest.raises(LocalProtocolError, match="is not in the"):
                alphabet.encode(character)
            assert alphabet.encode_lossy(f"a{character}") == alphabet.encode("a?")


@pytest.mark.parametrize(
    ("language", "text", "single", "locking"),
    [
        (gsm.Language.TURKISH, "Şişğıİ", 12 - 1, 6),  # i is in every table
        (gsm.Language.SPANISH, "áíóú", 8, None),
        (gsm.Language.PORTUGUESE, "ãõêÇ", 7, 4),
        (gsm.Language.HINDI, "नमस्ते", None, 6),
        (gsm.Language.URDU, "سلام", None, 4),
        (gsm.Language.TAMIL, "வணக்கம்", None, 7),
    ],
)
def test_languages(language: gsm.Language, text: str, single: int | None, locking: int | None) -> None:
    for alphabet, count in ((gsm.alphabet(0, language), single), (gsm.alphabet(language, 0), locking)):
        assert alphabet.covers(text) == (count is not None)
        if count is not None:
            assert len(alphabet.encode(text)) == count


def test_digits_of_india_stand_in_the_single_shift_tables() -> None:
    for language, zero in zip(range(4, 13), "০૦०೦൦୦੦௦౦", strict=True):
        digits = "".join(chr(ord(zero) + n) for n in range(10))
        assert len(gsm.alphabet(0, language).encode(digits)) == 20


@given(st.binary(max_size=300), st.sampled_from(PAIRS))
def test_any_octets_are_some_text(octets: bytes, pair: tuple[int, int]) -> None:
    text = gsm.alphabet(*pair).decode(octets)
    assert len(text) <= len(octets)
    assert RESERVED not in text


def test_escapes_that_lead_nowhere() -> None:
    assert gsm.DEFAULT.decode(b"a\x1b") == "a "
    assert gsm.DEFAULT.decode(b"\x1b\x1bb") == " b"
    assert gsm.DEFAULT.decode(b"\x1bA\x1be") == "A€"  # the main table's where the extension has nothing
    assert gsm.DEFAULT.decode(b"\x1b\x9b\x80") == "\ufffd\ufffd"
    assert gsm.alphabet(99, 99) is gsm.alphabet(gsm.Language.SPANISH, 99)  # unknown, or no such table


@given(st.lists(st.integers(0, 127), max_size=200).map(bytes), st.integers(0, 6))
def test_septets_packed_and_back(septets: bytes, fill_bits: int) -> None:
    packed = gsm.pack(septets, fill_bits)
    bits = sum(septet << 7 * n for n, septet in enumerate(septets)) << fill_bits
    assert packed == bits.to_bytes(-(-(7 * len(septets) + fill_bits) // 8), "little")
    assert gsm.unpack(packed, len(septets), fill_bits) == septets
    assert gsm.unpack_ussd(gsm.pack_ussd(septets)) in (septets, septets + b"\r")


@given(st.binary(max_size=200), st.integers(-5, 300) | st.none(), st.integers(0, 6))
def test_any_octets_are_some_septets(octets: bytes, count: int | None, fill_bits: int) -> None:
    septets = gsm.unpack(octets, count, fill_bits)
    assert septets.isascii()
    assert len(septets) <= len(octets) * 8 // 7


def test_padding_is_no_character() -> None:
    assert gsm.pack(b"hellohello").hex() == "e8329bfd4697d9ec37"
    assert gsm.unpack(gsm.pack(b"Testing")) == b"Testing"  # and not "Testing@"
    assert gsm.unpack(gsm.pack(b"Testing\x00"), 8) == b"Testing\x00"
    assert gsm.pack_ussd(b"Testing") == gsm.pack(b"Testing\r")
    assert gsm.pack_ussd(b"Tested.\r") == gsm.pack(b"Tested.\r\r")
    assert gsm.unpack_ussd(gsm.pack_ussd(b"Tested.\r")) == b"Tested.\r\r"  # harmless, says §6.1.2.3.1
    for septets in (b"\x80", bytes(70_000)):
        with pytest.raises(LocalProtocolError):
            gsm.pack(septets)
