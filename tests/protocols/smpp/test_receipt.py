"""The texts of receipts, as the standard writes them and as carriers do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols.smpp import (
    MessageState,
    ReceiptText,
    Tag,
    has_receipt,
    is_intermediate,
    parse_receipt,
)

STANDARD = (
    "id:0123456789 sub:001 dlvrd:001 submit date:2611300815 done date:2611300816 stat:DELIVRD err:000 "
    "text:Hello stat:x"
)


def test_the_standard_text_comes_back() -> None:
    receipt = parse_receipt(STANDARD)
    assert receipt == ReceiptText(
        "0123456789", "001", "001", "2611300815", "2611300816", "DELIVRD", "000", "Hello stat:x"
    )
    assert str(receipt) == STANDARD
    assert receipt.state is MessageState.DELIVERED


@pytest.mark.parametrize(
    ("text", "id", "stat", "err"),
    [
        (
            "ID:ABC Sub:1 DLVRD:1 Submit Date:26 Done Date:26 Stat:Undeliv Err:12 Text:",
            "ABC",
            "Undeliv",
            "12",
        ),
        ("id:17 submit_date:26 done_date:26 stat:EXPIRED err:", "17", "EXPIRED", ""),
        ("stat:FAILED id: 17 ; err:0A1", "17", "FAILED", "0A1"),
        ("id:1 stat:DELIVRD", "1", "DELIVRD", ""),
        ("id:a:b stat:DELIVRD\0", "a:b", "DELIVRD", ""),
        ("valid:7 nothing:8", "", "", ""),
        ("", "", "", ""),
    ],
)
def test_other_ways_to_write_it(text: str, id: str, stat: str, err: str) -> None:
    receipt = parse_receipt(text)
    assert (receipt.id, receipt.stat, receipt.err) == (id, stat, err)


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    parse_receipt(text)
    parse_receipt("id:" + text + " stat:" + text)


def test_every_state_has_its_word() -> None:
    for state in MessageState:
        assert len(state.word) == 7
        assert ReceiptText(stat=state.word.lower()).state is state
    assert ReceiptText(stat="WHATEVR").state is None


@pytest.mark.parametrize(
    ("esm_class", "tlvs", "is_one"),
    [
        (0x04, (), True),
        (0x44, (), True),
        (0x20, (), True),
        (0x00, (), False),
        (0x08, (), False),  # the receiver's own acknowledgement
        (0x00, ((Tag.RECEIPTED_MESSAGE_ID, b"1\0"), (Tag.MESSAGE_STATE, b"\2")), True),
        (0x00, ((Tag.RECEIPTED_MESSAGE_ID, b"1\0"),), False),
    ],
)
def test_what_is_a_receipt(esm_class: int, tlvs: tuple[tuple[int, bytes], ...], is_one: bool) -> None:
    assert has_receipt(esm_class, tlvs) is is_one
    assert is_intermediate(esm_class) is (esm_class == 0x20)
