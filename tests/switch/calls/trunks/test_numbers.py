"""Numbers as carriers write them (E.164 and inland forms), and what may go over a trunk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import sip
from switchroom.switch.calls.trunks.admission import Admission
from switchroom.switch.calls.trunks.numbers import Plan, full_number, read_number, write_number
from switchroom.switch.config import TrunkConfig

DE = Plan("DE")
US = Plan("US", international_prefix="011")
NOWHERE = Plan()


@pytest.mark.parametrize(
    ("text", "form", "plan", "number"),
    [
        ("03012345678", "national", DE, "+493012345678"),
        ("004930 1234-5678", "national", DE, "+493012345678"),
        ("+49 (30) 12345678", "e164", DE, "+493012345678"),
        ("493012345678", "e164-plain", DE, "+493012345678"),
        ("6502530000", "national", US, "+16502530000"),
        ("16502530000", "national", US, "+16502530000"),
        ("01144 20 7946 0018", "international", US, "+442079460018"),
        ("110", "national", DE, "110"),
        ("201", "e164", DE, "201"),
        ("anna", "e164", DE, "anna"),
        ("", "e164", DE, ""),
        ("*21#", "national", DE, "*21#"),
        ("03012345678", "national", NOWHERE, "03012345678"),
        ("03012345678", "as-is", DE, "03012345678"),
        ("+0123456789", "e164", DE, "+0123456789"),
        ("123", "e164-plain", DE, "123"),
    ],
)
def test_reading(text: str, form: str, plan: Plan, number: str) -> None:
    assert read_number(text, form, plan) == number  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "form", "plan", "text"),
    [
        ("+493012345678", "e164", DE, "+493012345678"),
        ("+493012345678", "e164-plain", DE, "493012345678"),
        ("+493012345678", "international", DE, "00493012345678"),
        ("+493012345678", "national", DE, "03012345678"),
        ("+442079460018", "national", DE, "00442079460018"),
        ("+16502530000", "national", US, "6502530000"),
        ("+493012345678", "national", US, "011493012345678"),
        ("030 12345678", "e164", DE, "+493012345678"),
        ("+493012345678", "national", Plan("DE", "9"), "93012345678"),
        ("201", "e164", DE, "201"),
        ("110", "e164-plain", DE, "110"),
        ("anonymous", "national", DE, "anonymous"),
        ("030 12345678", "as-is", DE, "030 12345678"),
        ("+493012345678", "national", NOWHERE, "00493012345678"),
    ],
)
def test_writing(number: str, form: str, plan: Plan, text: str) -> None:
    assert write_number(number, form, plan) == text  # type: ignore[arg-type]


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_a_full_number_stays_itself(number: str) -> None:
    assert full_number(number, DE) == number
    for form in ("e164", "e164-plain", "international"):
        assert read_number(write_number(number, form, DE), form, DE) == number  # type: ignore[arg-type]


@given(st.text(max_size=40))
def test_whatever_is_dialled_there_is_an_answer(text: str) -> None:
    for plan in (DE, US, NOWHERE):
        full = full_number(text, plan)
        assert full is None or full[1:].isdigit()
        write_number(text, "national", plan)


def admission(**config: object) -> Admission:
    made = Admission()
    given_config = TrunkConfig.model_validate({"name": "acme", **config})
    made.configure(given_config, Plan(given_config.country))
    return made


def asked(one: Admission, number: str = "+4930", now: float = 0.0, **how: bool) -> int:
    how = {"is_emergency": False, "is_outgoing": True} | how
    refusal = one.admit(number, now, **how)
    return 0 if refusal is None else refusal.status


def test_calls_at_once() -> None:
    one = admission(max_calls=2)
    for _ in range(2):
        assert asked(one) == 0
        one.calls += 1
    assert asked(one) == 503
    assert one.admit("1", 0.0, is_emergency=False, is_outgoing=False) == sip.Refusal(
        503, (("Retry-After", "10"),)
    )
    assert asked(one, "110", is_emergency=True) == 0
    one.calls -= 1
    assert asked(one) == 0


def test_calls_a_second() -> None:
    one = admission(calls_per_second=2.0)
    assert [asked(one, now=10.0) for _ in range(3)] == [0, 0, 503]
    assert asked(one, now=10.4) == 503
    assert asked(one, now=10.6) == 0
    assert asked(one, "112", now=10.6, is_emergency=True) == 0
    assert [asked(one, now=100.0) for _ in range(3)] == [0, 0, 503]  # nothing is saved up


@pytest.mark.parametrize(
    ("number", "status"),
    [
        ("+4930123456", 0),
        ("030123456789", 0),
        ("+88213300001", 403),
        ("0088213300001", 403),
        ("00 882 13300001", 403),
        ("+49900123456", 403),
        ("0900123456", 403),
        ("+441632960000", 403),
        ("110", 403),
    ],
)
def test_destinations(number: str, status: int) -> None:
    one = admission(allow=["+49*", "+882*"], block=["+882*", "+49900*"], country="DE")
    assert asked(one, number) == status
    assert asked(one, number, is_emergency=True) == 0
    assert asked(one, number, is_outgoing=False) == 0


def test_block_alone_lets_the_rest_through() -> None:
    one = admission(block="+882*")
    assert asked(one, "anna") == 0
    assert asked(one, "+4930123456") == 0
    assert asked(one, "0088213300001") == 403
