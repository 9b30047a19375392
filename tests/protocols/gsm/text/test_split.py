"""Texts cut into parts: sizes, and nothing torn apart."""

from __future__ import annotations

import os
import random
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import gsm
from switchroom.protocols.errors import LocalProtocolError

TEXTS = int(os.environ.get("SWITCHROOM_LONG") or 0) * 99_500 + 500
TAMIL = "\N{TAMIL LETTER KA}\N{TAMIL VOWEL SIGN I}"
FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
PIECES = [
    *(list("abc xyz"), list("éüñ£"), list("{}[]€^"), list("ışğ"), ["é"], ["😀", "👍🏽", FAMILY, "🇩🇪"]),
    *([TAMIL, "क्षि", "각"], ["中", "文"], ["\r\n", "\n"]),
]


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("a" * 160, [160]),
        ("a" * 161, [153, 8]),
        ("a" * 306, [153, 153]),
        ("{" * 80, [160]),
        ("a" * 152 + "{" + "b" * 10, [152, 12]),  # the escape and what it escapes stay together
        ("я" * 70, [70]),
        ("я" * 71, [67, 4]),
        ("я" * 66 + "😀" * 3, [66, 6]),  # so do the two units of a surrogate pair
        ("я" * 66 + "e\u0301" + "я" * 10, [66, 12]),
        ("😀" * 35, [70]),
        ("", [0]),
    ],
)
def test_sizes(text: str, units: list[int]) -> None:
    parts = gsm.split(text)
    assert [part.units for part in parts] == units
    assert "".join(part.text for part in parts) == text


@pytest.mark.parametrize(
    ("options", "units"),
    [
        ({"is_wide": True}, [152, 148]),
        ({"ports": gsm.Ports(5514, 0)}, [146, 146, 8]),
        ({"languages": [gsm.Language.TURKISH]}, [153, 147]),
    ],
)
def test_sizes_with_more_in_the_header(options: dict[str, object], units: list[int]) -> None:
    assert [part.units for part in gsm.split("a" * 300, **options)] == units  # type: ignore[arg-type]


def test_the_cheapest_encoding() -> None:
    turkish = [gsm.Language.TURKISH]
    text = "ışığı açık bırakma, ışık kalmasın " * 4
    assert gsm.choose("plain {text}") is gsm.choose("plain {text}", turkish) is gsm.GSM7
    assert gsm.choose(text).name == "UCS-2"
    assert gsm.choose(text, turkish).name == "GSM 7-bit with Turkish locking shift"
    assert gsm.choose("ş" + "a" * 100, turkish).name == "GSM 7-bit with Turkish single shift"
    (part,) = gsm.split(text[:150], languages=turkish)
    assert part.header.alphabet.locking == gsm.Language.TURKISH
    assert part.text == text[:150]
    assert len(gsm.split("नमस्ते " * 20)) == 3
    assert len(gsm.split("नमस्ते " * 20, languages=[gsm.Language.HINDI])) == 1
    both = gsm.alphabet(3, 1)
    assert (
        gsm.Encoding(alphabet=both).name == "GSM 7-bit with Portuguese locking shift and Turkish single shift"
    )


def test_parts_are_numbered() -> None:
    parts = gsm.split("b" * 400, reference=0x1A7)
    assert [part.header.concatenation for part in parts] == [
        gsm.Concatenation(0xA7, 3, number) for number in (1, 2, 3)
    ]
    wide = gsm.split("b" * 400, reference=0x1A7, is_wide=True)
    assert wide[0].header.concatenation == gsm.Concatenation(0x1A7, 3, 1, True)
    binary = gsm.split_binary(bytes(300), reference=7)
    assert [len(part.data) for part in binary] == [134, 134, 32]
    assert len(gsm.split_binary(bytes(140))) == 1
    for make in (lambda: gsm.split("a" * 400, max_parts=2), lambda: gsm.split_binary(bytes(134 * 256))):
        with pytest.raises(LocalProtocolError, match="a message of more than"):
            make()
    assert len(gsm.split("a" * 153 * 255)) == 255


def test_a_cluster_that_no_part_has_room_for_is_cut_between_characters() -> None:
    zalgo = "o" + "\u0301" * 200
    parts = gsm.split(zalgo)
    assert "".join(part.text for part in parts) == zalgo
    assert max(part.units for part in parts) <= 67


def test_random_texts() -> None:
    """100,000 of them in the long form."""
    rng = random.Random(23040)
    for _ in range(TEXTS):
        kinds = rng.sample(PIECES, rng.randint(1, 3))
        text = "".join(rng.choice(rng.choice(kinds)) for _ in range(rng.randint(0, 250)))
        languages = rng.choice([(), (gsm.Language.TURKISH,), (gsm.Language.TAMIL, gsm.Language.TURKISH)])
        is_wide = rng.random() < 0.5
        check(text, gsm.split(text, languages=languages, is_wide=is_wide))


def check(text: str, parts: list[gsm.Part]) -> None:
    assert "".join(part.text for part in parts) == text
    cuts = set()
    for cluster in gsm.clusters(text):
        cuts.add(max(cuts, default=0) + len(cluster))
    at = 0
    for part in parts:
        room = 140 - len(part.header)
        is_septets = part.encoding.charset is gsm.Charset.GSM7
        assert len(gsm.pack(part.data) if is_septets else part.data) <= room
        assert len(part.data) <= part.encoding.room(len(part.header)) <= (160 if is_septets else 140)
        at += len(part.text)
        assert at in cuts or at == len(text)


@given(st.text())
def test_any_text_is_cut_into_clusters(text: str) -> None:
    assert "".join(gsm.clusters(text)) == text


def test_clusters_are_never_smaller_than_the_standard_says() -> None:
    """``regex`` has the rules of UAX #29; ours may keep more together."""
    regex = pytest.importorskip("regex")
    rng = random.Random(29)
    special = [
        *"ab\r\n\u0301\u200d\u200c\u0600\u06dd\u0308\u093fक्षिक🇩🇪🇫👍🏽👩🏽\u1100\u1161\u11a8각가\ua960\ud7b0"
    ]
    special += ["\u0e33", "\ufe0f", "\U000e0067", "\u0d4e", "\u094d", "\u200b", "\u1f466", "中", "\uff9e"]
    assigned = [chr(c) for c in range(0x30000) if category(chr(c)) not in ("Cn", "Cs", "Co")]
    for _ in range(4000):
        source = special if rng.random() < 0.8 else assigned
        text = "".join(rng.choice(source) for _ in range(rng.randint(1, 12)))
        standard = {match.end() for match in regex.finditer(r"\X", text)}
        at = 0
        for cluster in gsm.clusters(text):
            at += len(cluster)
            assert at in standard, (text.encode("unicode_escape"), at)
    assert [*gsm.clusters("한국어")] == [*"한국어"]
    assert [*gsm.clusters("🇩🇪🇫🇷")] == ["🇩🇪", "🇫🇷"]
