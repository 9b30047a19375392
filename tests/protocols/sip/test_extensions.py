"""Headers that extensions brought: typed, written again, and refused when malformed."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from switchroom.protocols.errors import RemoteProtocolError


def message(sip: ModuleType, name: str, value: str) -> Any:
    return sip.parse(f"OPTIONS sip:a@b SIP/2.0\r\n{name}: {value}\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("name", "value", "attribute", "fields"),
    [
        ("RAck", "776656 1 INVITE", "rack", (776656, 1, "INVITE")),
        ("Replaces", "a@b;to-tag=x;from-tag=y;early-only", "replaces", ("a@b", "x", "y", True)),
        ("Replaces", "12;to-tag=x;from-tag=y", "replaces", ("12", "x", "y", False)),
        ("Event", "dialog;id=7", "event", ("dialog", "7", (("id", "7"),))),
        (
            "Subscription-State",
            "terminated;reason=noresource;retry-after=5",
            "subscription_state",
            ("terminated", None, "noresource", 5),
        ),
        ("Subscription-State", "active;expires=60", "subscription_state", ("active", 60, None, None)),
    ],
)
def test_values_are_read_and_written(
    sip: ModuleType, name: str, value: str, attribute: str, fields: tuple[object, ...]
) -> None:
    found = getattr(message(sip, name, value), attribute)
    assert tuple(found) == fields
    assert getattr(message(sip, name, str(found)), attribute) == found


@pytest.mark.parametrize(
    ("name", "value", "interval", "refresher"),
    [
        ("Session-Expires", "4000;refresher=uac", 4000, "uac"),
        ("Session-Expires", "90", 90, None),
        ("x", "90 ; Refresher=UAS", 90, "uas"),
        ("Session-Expires", "90;refresher=both", 90, None),
    ],
)
def test_session_expires_is_read_and_written(
    sip: ModuleType, name: str, value: str, interval: int, refresher: str | None
) -> None:
    found = message(sip, name, value).session_expires
    assert (found.interval, found.refresher) == (interval, refresher)
    assert message(sip, name, str(found)).session_expires == found


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("RSeq", "988789", "rseq", 988789),
        ("Min-SE", "60;lr", "min_se", 60),
        ("Max-Breadth", "60", "max_breadth", 60),
        ("Retry-After", "18000 (I'm in a meeting);duration=60", "retry_after", 18000),
        ("Retry-After", "soon", "retry_after", None),
        ("Reason", 'Q.850 ;cause=16 ;text="Terminated, so"', "reasons", (("Q.850", 16, "Terminated, so"),)),
        ("Reason", "SIP;cause=200, X", "reasons", (("SIP", 200, None), ("X", None, None))),
        ("Reason", ";cause=200", "reasons", ()),
        ("Reason", '"', "reasons", ()),
        ("Reason", "SIP;cause=abc", "reasons", (("SIP", None, None),)),
        ("Subscription-State", "Active;expires=1e9", "subscription_state", ("active", None, None, None)),
    ],
)
def test_other_forms(sip: ModuleType, name: str, value: str, attribute: str, expected: object) -> None:
    assert getattr(message(sip, name, value), attribute) == expected


@pytest.mark.parametrize(
    ("name", "value", "attribute"),
    [
        ("RSeq", "0", "rseq"),
        ("RSeq", "4294967296", "rseq"),
        ("RAck", "1 INVITE", "rack"),
        ("RAck", "1 2147483648 INVITE", "rack"),
        ("Session-Expires", "soon", "session_expires"),
        ("Session-Expires", ";refresher=uac", "session_expires"),
        ("Session-Expires", "90 and more", "session_expires"),
        ("Min-SE", "-1", "min_se"),
        ("Replaces", "a@b;to-tag=x", "replaces"),
        ("Replaces", "a@b;from-tag=x", "replaces"),
        ("Replaces", "a@b;to-tag=x;from-tag=y;to-tag=z", "replaces"),
        ("Event", '"dialog"', "event"),
        ("Subscription-State", "@", "subscription_state"),
        ("Refer-To", "<sip:", "refer_to"),
        ("Max-Breadth", "x", "max_breadth"),
    ],
)
def test_what_is_malformed_is_refused(sip: ModuleType, name: str, value: str, attribute: str) -> None:
    with pytest.raises(sip.ParseError.__mro__[1]) as caught:
        getattr(message(sip, name, value), attribute)
    assert caught.value.status == 400
    assert issubclass(RemoteProtocolError, Exception)


def test_what_is_not_there_is_none(sip: ModuleType) -> None:
    bare = message(sip, "X-Y", "z")
    for name in (
        *("rseq", "rack", "session_expires", "min_se", "replaces", "refer_to", "referred_by", "event"),
        *("subscription_state", "max_breadth", "retry_after"),
    ):
        assert getattr(bare, name) is None
    assert bare.reasons == ()


def test_addresses(sip: ModuleType) -> None:
    uri = "<sip:c@d?Replaces=a%40b%3Bto-tag%3Dx%3Bfrom-tag%3Dy>"
    assert message(sip, "Refer-To", uri).refer_to.uri.headers
    assert message(sip, "r", "sip:c@d;method=BYE").refer_to.params == (("method", "BYE"),)
    assert message(sip, "b", "<sip:c@d>").referred_by.uri.user == "c"


def test_a_reason_is_written(sip: ModuleType) -> None:
    assert (
        str(sip.Reason("SIP", 200, "Call completed elsewhere"))
        == 'SIP;cause=200;text="Call completed elsewhere"'
    )
    assert str(sip.Reason("SIP")) == "SIP"
