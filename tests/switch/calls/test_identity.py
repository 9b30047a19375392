"""Who calls: reading it from one leg, writing it for the other (RFC 3323, 3325, 5806, 7044; THREATS C8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import sip
from switchroom.switch.calls import identity
from switchroom.switch.calls.identity import Diversion, Identity


def invite(*headers: tuple[str, str], from_: str = '"Alice" <sip:+49301@a.example>;tag=1') -> sip.Request:
    return sip.Request(
        "INVITE",
        "sip:200@192.0.2.1",
        [
            ("Via", "SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKx"),
            ("From", from_),
            ("To", "<sip:200@192.0.2.1>"),
            ("Call-ID", "x"),
            ("CSeq", "1 INVITE"),
            *headers,
        ],
    )


ASSERTED = [
    ("P-Asserted-Identity", '"Bank" <sip:+49302@b.example>'),
    ("Remote-Party-ID", "<sip:+49303@b.example>;party=calling"),
    ("Diversion", "<sip:+49304@b.example>;reason=user-busy"),
    ("History-Info", "<sip:+49305@b>;index=1, <sip:+49306@b;cause=302>;index=1.1"),
]


def test_from_is_all_that_somebody_untrusted_can_say() -> None:
    found = identity.read(invite(*ASSERTED), is_trusted=False)
    assert found == Identity("+49301", "Alice")


def test_somebody_trusted_asserts() -> None:
    found = identity.read(invite(*ASSERTED), is_trusted=True)
    assert found == Identity(
        "+49302", "Bank", diversions=(Diversion("+49304", "user-busy"),), is_asserted=True
    )


@pytest.mark.parametrize(
    ("headers", "from_", "number", "is_private"),
    [
        ([("P-Asserted-Identity", "<tel:+49-30-2>")], "<sip:x@y>;tag=1", "+49302", False),
        ([("P-Asserted-Identity", "<sip:b.example>, <tel:+49302>")], "<sip:x@y>;tag=1", "+49302", False),
        (
            [("Remote-Party-ID", "<sip:+49303@b>;party=calling;privacy=full")],
            "<sip:x@y>;tag=1",
            "+49303",
            True,
        ),
        ([("Remote-Party-ID", "<sip:+49303@b>;party=called")], "<sip:x@y>;tag=1", "x", False),
        ([("Remote-Party-ID", "<sip:+49303@b>;privacy=off")], "<sip:x@y>;tag=1", "+49303", False),
        ([("Privacy", "id")], "<sip:+49301@y>;tag=1", "+49301", True),
        ([("Privacy", "header; user;critical")], "<sip:+49301@y>;tag=1", "+49301", True),
        ([("Privacy", "none")], "<sip:+49301@y>;tag=1", "+49301", False),
        ([("Privacy", "history")], "<sip:+49301@y>;tag=1", "+49301", False),
        ([], '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', "", True),
        ([], "<sip:ANONYMOUS@a.example>;tag=1", "", True),
        (
            [("P-Asserted-Identity", "<sip:+49302@b>")],
            '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1',
            "+49302",
            True,
        ),
        (
            [("P-Asserted-Identity", "<sip:+49302@b>"), ("Privacy", "none")],
            '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1',
            "+49302",
            False,
        ),
        ([("P-Asserted-Identity", "nonsense <")], "<sip:+49301@y>;tag=1", "+49301", False),
        ([("P-Asserted-Identity", '"unclosed')], "<sip:+49301@y>;tag=1", "+49301", False),
        ([], "<sip:+4930-1;phone-context=x@y>;tag=1", "+49301", False),
    ],
)
def test_what_a_trusted_peer_says(
    headers: list[tuple[str, str]], from_: str, number: str, is_private: bool
) -> None:
    found = identity.read(invite(*headers, from_=from_), is_trusted=True)
    assert (found.number, found.is_private) == (number, is_private)


def test_somebody_untrusted_can_still_wish_to_be_hidden() -> None:
    assert identity.read(invite(("Privacy", "id")), is_trusted=False).is_private


@pytest.mark.parametrize(
    ("number", "name", "text"),
    [
        ("+49301", "", "<sip:+49301@x.example>"),
        ("+49301", "Alice", '"Alice" <sip:+49301@x.example>'),
        ("a b@c", 'say "x"', '"say \\"x\\"" <sip:a%20b%40c@x.example>'),
        ("1", "line\r\nbreak\x00", '"linebreak" <sip:1@x.example>'),
        ("1", "ü" * 200, f'"{"ü" * 80}" <sip:1@x.example>'),
        ("", "", "<sip:x.example>"),
    ],
)
def test_an_address_is_always_one(number: str, name: str, text: str) -> None:
    assert identity.address(number, "x.example", name) == text
    sip.NameAddr.parse(text)


@given(st.text(max_size=100), st.text(max_size=100))
def test_no_name_or_number_breaks_a_message(number: str, name: str) -> None:
    caller = Identity(number.encode("utf-8", "ignore").decode(), name)
    text = identity.from_header(caller, "x.example")
    request = invite(
        *identity.identity_headers(caller, "p-asserted-identity", "x.example"), from_=f"{text};tag=1"
    )
    assert sip.parse(bytes(request)) == request


@pytest.mark.parametrize(
    ("form", "is_private", "headers"),
    [
        ("from", False, []),
        ("from", True, []),
        ("p-asserted-identity", False, [("P-Asserted-Identity", '"A" <sip:+491@x>')]),
        ("p-asserted-identity", True, [("P-Asserted-Identity", '"A" <sip:+491@x>'), ("Privacy", "id")]),
        ("p-preferred-identity", False, [("P-Preferred-Identity", '"A" <sip:+491@x>')]),
        (
            "remote-party-id",
            True,
            [("Remote-Party-ID", '"A" <sip:+491@x>;party=calling;screen=yes;privacy=full')],
        ),
    ],
)
def test_the_forms_of_a_callers_number(form: str, is_private: bool, headers: list[tuple[str, str]]) -> None:
    caller = Identity("+491", "A", is_private)
    assert identity.identity_headers(caller, form, "x") == headers
    shown = identity.from_header(caller, "x")
    assert shown == (identity.ANONYMOUS if is_private else '"A" <sip:+491@x>')


def test_nobody_without_a_number_is_asserted() -> None:
    assert identity.identity_headers(Identity(""), "p-asserted-identity", "x") == []
    assert identity.from_header(Identity(""), "x") == identity.ANONYMOUS


FORWARDED = (Diversion("+493", "no-answer", 2), Diversion("+492", "unconditional", 1, is_private=True))


def test_what_a_signature_is_worth_is_ours_to_say() -> None:
    claimed = identity.read(invite(from_="<sip:+1215;verstat=Lie@a.example>;tag=1"), is_trusted=False)
    told = claimed.changed(verstat="TN-Validation-Failed")
    assert identity.from_header(claimed, "c.example") == "<sip:+1215@c.example>"
    assert identity.from_header(told, "c.example") == "<sip:+1215;verstat=TN-Validation-Failed@c.example>"


def test_forwardings_as_diversion_come_back_as_they_were() -> None:
    headers = identity.diversion_headers(FORWARDED, "x")
    assert headers[0] == ("Diversion", "<sip:+493@x>;reason=no-answer;counter=2;privacy=off")
    assert identity.diversions_of(invite(*headers)) == FORWARDED
    assert identity.read(invite(*headers), False).diversions == ()


def test_forwardings_as_history_info_come_back_as_they_were_but_for_the_counter() -> None:
    (header,) = identity.history_headers(FORWARDED, "+494", "x")
    assert header[1] == (
        "<sip:+492@x?Privacy=history>;index=1, <sip:+493@x;cause=302>;index=1.1, "
        "<sip:+494@x;cause=408>;index=1.1.1"
    )
    found = identity.diversions_of(invite(header))
    assert found == (Diversion("+493", "no-answer"), FORWARDED[1])
    assert identity.history_headers((), "+494", "x") == []


def test_history_info_with_reasons_in_its_addresses() -> None:
    text = "<sip:bob@x?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%22>;index=1, <sip:carol@x>;index=1.1"
    assert identity.diversions_of(invite(("History-Info", text))) == (Diversion("bob", "user-busy"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<sip:1@x>;reason=made-up;counter=100000", Diversion("1", "unknown", 1)),
        ("<sip:1@x>;counter=500", Diversion("1", "unknown", 99)),
        ('<tel:+49-1>;reason="do-not-disturb";privacy=full', Diversion("+491", "do-not-disturb", 1, True)),
    ],
)
def test_odd_diversions(text: str, expected: Diversion) -> None:
    assert identity.diversions_of(invite(("Diversion", text))) == (expected,)


def test_a_hundred_diversions_are_ten() -> None:
    many = [("Diversion", f"<sip:{n}@x>") for n in range(60)]
    assert len(identity.diversions_of(invite(*many))) == 10


@given(
    st.sampled_from(["P-Asserted-Identity", "Remote-Party-ID", "Diversion", "History-Info", "Privacy"]),
    st.text(),
)
def test_whatever_stands_there_it_can_be_read(name: str, text: str) -> None:
    request = invite()
    try:
        request.add(name, text)
    except Exception:  # noqa: BLE001 - what cannot stand in a message cannot come in one
        return
    identity.read(request, is_trusted=True)
