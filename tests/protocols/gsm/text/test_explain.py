"""What a text costs, why, and what would be cheaper."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import gsm
from switchroom.protocols.gsm import Level


def test_a_plain_text() -> None:
    found = gsm.explain("Price: 5 € {today}")
    assert found.encoding.name == "GSM 7-bit"
    assert (found.units, len(found.parts), found.room_left) == (21, 1, 139)
    assert found.forcing == ()
    assert found.escaped == ("€", "{", "}")
    assert [(a.name, a.units, a.parts) for a in found.alternatives] == [("UCS-2", 18, 1)]


def test_what_forces_ucs2_and_what_saves_it() -> None:
    text = "It\u2019s \u201cthe\u201d text\u2026 " * 7
    found = gsm.explain(text)
    assert found.encoding.name == "UCS-2"
    assert len(found.parts) == 2
    assert found.forcing[0].name == "RIGHT SINGLE QUOTATION MARK"
    assert found.forcing[0].positions[:2] == (2, 19)
    (cheaper,) = found.alternatives
    assert (cheaper.name, cheaper.parts) == ("GSM 7-bit, transliterated (punctuation)", 1)
    assert cheaper.transliteration is not None
    assert ("\u2026", "...", 7) in cheaper.transliteration.changes


def test_languages_and_letters_that_would_help() -> None:
    found = gsm.explain("Yarın akşam görüşürüz, ışıkları kapatmayı unutma! " * 3)
    names = [a.name for a in found.alternatives]
    assert names[0] == "GSM 7-bit with Turkish locking shift"
    assert names[-1] == "GSM 7-bit, transliterated (letters)"
    assert gsm.explain("ışık" * 20, [gsm.Language.TURKISH]).encoding.name.endswith("Turkish single shift")
    assert gsm.explain("\x01").forcing[0].name == "U+0001"
    assert gsm.explain("中文").alternatives == ()


def test_transliteration() -> None:
    assert gsm.transliterate("„Naïve“ – café…").text == '"Naïve" - café...'
    assert gsm.transliterate("„Naïve“ – café…", level=Level.LETTERS).text == '"Naive" - café...'
    assert gsm.transliterate("„x“", level=Level.OFF).text == "„x“"
    assert gsm.transliterate("Łódź, ﬁn, Ελλάδα", level=Level.LETTERS).text == "Lodz, fin, EΛΛAΔA"
    assert gsm.transliterate("e\u0301tat").text == "état"
    assert gsm.transliterate("中…").text == "中..."
    assert gsm.transliterate("ışık", gsm.alphabet(1, 0), Level.LETTERS).text == "ışık"


@given(st.text())
def test_any_text(text: str) -> None:
    other = gsm.transliterate(text, level=Level.LETTERS)
    assert {before for before, _, _ in other.changes}.isdisjoint(gsm.DEFAULT.costs)
    found = gsm.explain(text[:400])
    assert "".join(part.text for part in found.parts) == text[:400]
