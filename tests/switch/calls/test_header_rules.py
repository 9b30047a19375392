"""Rules about headers: what they can do, and what they never can (THREATS C7, C8)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from switchroom.protocols import sip
from switchroom.switch.calls.trunks.header_rules import MAX_COPIED, HeaderRules
from switchroom.switch.config import HeaderRuleConfig
from switchroom.switch.config.trunks import STRUCTURAL_HEADERS


def rules(*given: tuple[str, str, str] | tuple[str, str, str, str]) -> HeaderRules:
    names = ("direction", "action", "header", "value")
    return HeaderRules(
        [HeaderRuleConfig.model_validate(dict(zip(names, one, strict=False))) for one in given]
    )


def message(*headers: tuple[str, str]) -> sip.Request:
    return sip.Request("INVITE", "sip:x@y", headers)


def test_without_rules_nothing_travels() -> None:
    one = rules()
    source = message(("X-A", "1"), ("Subject", "s"))
    assert one.copied("out", source) == []
    assert one.added("in") == []
    assert one.kept("out", [("X-A", "1")]) == [("X-A", "1")]


def test_copy_by_pattern_in_one_direction() -> None:
    one = rules(("out", "copy", "X-*"), ("out", "copy", "User-to-User"))
    source = message(("x-account", "7"), ("X-B", "2"), ("Y-C", "3"), ("User-To-User", "00ff;encoding=hex"))
    assert one.copied("out", source) == [
        ("x-account", "7"),
        ("X-B", "2"),
        ("User-To-User", "00ff;encoding=hex"),
    ]
    assert one.copied("in", source) == []
    assert one.copied("out", None) == []


def test_add_and_remove() -> None:
    one = rules(("out", "add", "X-Tenant", "blue"), ("out", "remove", "Privacy"), ("in", "remove", "X-*"))
    assert one.added("out") == [("X-Tenant", "blue")]
    assert one.kept("out", [("Privacy", "id"), ("Route", "<sip:x>")]) == [("Route", "<sip:x>")]
    request = message(("X-A", "1"), ("x-b", "2"), ("Subject", "s"))
    one.strip("in", request)
    assert request.names() == ["subject"]


def test_a_pattern_for_everything_does_not_reach_what_makes_a_message() -> None:
    one = rules(("out", "copy", "*o*"), ("in", "remove", "*o*"), ("out", "remove", "*o*"))
    kinds = [(name, "x") for name in sorted(STRUCTURAL_HEADERS) if len(name) > 1 and "o" in name]
    assert one.kept("out", kinds) == kinds
    request = message(("Route", "<sip:x;lr>"), ("Organization", "o"), ("Proxy-Authorization", "Digest x"))
    assert one.copied("out", request) == [("Organization", "o")]
    one.strip("in", request)
    assert request.names() == ["route", "proxy-authorization"]


def test_who_calls_is_never_copied() -> None:
    one = rules(("out", "copy", "P-*"), ("out", "copy", "*i*"))
    source = message(
        ("P-Asserted-Identity", "<sip:x@y>"), ("Remote-Party-ID", "<sip:x@y>"), ("Diversion", "<sip:x@y>"),
        ("Privacy", "none"), ("History-Info", "<sip:x@y>;index=1"), ("P-Early-Media", "sendrecv"),
    )  # fmt: skip
    assert one.copied("out", source) == [("P-Early-Media", "sendrecv")]


def test_what_is_copied_is_bounded_and_clean() -> None:
    one = rules(("out", "copy", "X-*"))
    many = message(*[(f"X-{n}", "v") for n in range(100)])
    assert len(one.copied("out", many)) == MAX_COPIED
    assert one.copied("out", message(("X-Long", "v" * 1025), ("X-Tab", "a\tb"))) == []


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({"action": "add", "header": "X-*", "value": "1"}, "add needs a whole name"),
        ({"action": "add", "header": "X-A"}, "must be printable"),
        ({"action": "add", "header": "X-A", "value": "a\r\nVia: x"}, "must be printable"),
        ({"action": "copy", "header": "X-A", "value": "1"}, "copy takes none"),
        ({"action": "copy", "header": "*"}, "must be the name"),
        ({"action": "copy", "header": "X A"}, "must be the name"),
        ({"action": "remove", "header": "Via"}, "the switch itself writes"),
        ({"action": "add", "header": "authorization", "value": "x"}, "the switch itself writes"),
        ({"action": "add", "header": "v", "value": "x"}, "the switch itself writes"),
        ({"action": "drop", "header": "X-A"}, "add"),
        ({"action": "copy", "header": "X-A", "direction": "both"}, "in"),
    ],
)
def test_rules_that_are_refused(rule: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        HeaderRuleConfig.model_validate({"direction": "out", **rule})


@given(st.lists(st.tuples(st.sampled_from(["X-A", "Via", "Contact", "Subject"]), st.text()), max_size=5))
def test_what_is_copied_can_be_written(headers: list[tuple[str, str]]) -> None:
    one = rules(("out", "copy", "*-*"), ("out", "copy", "Subject"))
    source = message()
    for name, value in headers:
        try:
            source.add(name, value)
        except Exception:  # noqa: BLE001 - no message has such a header
            continue
    copied = one.copied("out", source)
    assert all(name not in ("Via", "Contact") for name, _ in copied)
    assert sip.parse(bytes(message(("Via", "SIP/2.0/UDP x;branch=z9hG4bK1"), *copied)))
