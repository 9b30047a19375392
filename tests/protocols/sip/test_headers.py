"""Typed header values (RFC 3261 §20)."""

from __future__ import annotations

from types import ModuleType

import pytest

from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.grammar import find_param, quote, split_list, unquote


@pytest.mark.parametrize(
    ("text", "name", "uri", "tag"),
    [
        ("sip:a@b;tag=7", "", "sip:a@b", "7"),
        ("<sip:a@b;lr>;TAG=7", "", "sip:a@b;lr", "7"),
        ("<sip:a@b;tag=3>", "", "sip:a@b;tag=3", None),
        ('"A. \\"G\\" \\\\ Bell"  <sip:a@b> ; tag = x ', 'A. "G" \\ Bell', "sip:a@b", "x"),
        ("A. G. Bell <sip:a@b>", "A. G. Bell", "sip:a@b", None),
        ("M\u00fcller (home)<sip:a@b>", "M\u00fcller (home)", "sip:a@b", None),
        ('"\u5927\u505c\u96fb"<sip:a@b>;x="a;b,c>";tag="q"', "\u5927\u505c\u96fb", "sip:a@b", "q"),
        ('""<sip:a@b>', "", "sip:a@b", None),
        ("<tel:+123>;tag=a", "", "tel:+123", "a"),
        ("caller<sip:caller@example.com>;tag=323", "caller", "sip:caller@example.com", "323"),
        ("  <sip:a@[::1]:5060>\t", "", "sip:a@[::1]:5060", None),
        ("<name:John_Smith>", "", "name:John_Smith", None),
        ("sip:a@b;x;y=;z".replace("=;", "=1;"), "", "sip:a@b", None),
    ],
)
def test_an_address_is_read(sip: ModuleType, text: str, name: str, uri: str, tag: str | None) -> None:
    address = sip.NameAddr.parse(text)
    assert (address.display_name, str(address.uri), address.tag) == (name, uri, tag)
    assert sip.NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "*",
        "<>",
        "<sip:a@b",
        "sip:a@b>",
        '"A <sip:a@b>',
        '"A" sip:a@b',
        '"A\\"<sip:a@b>',
        "Bell, Alexander <sip:a@b>",
        "< sip:a@b >",
        "<sip:a@b>;",
        "<sip:a@b>;;x",
        "<sip:a@b>;tag=",
        "<sip:a@b>;=x",
        '<sip:a@b>;x="y',
        "<sip:a@b>;x=y z",
        "<sip:a@b>x",
        "<sip:a@b>,",
        "<sip:a@b>,<sip:c@d>",
        "<sip:a@b><sip:c@d>",
        "sip:a@b?Route=x",
        "a:b <sip:a@b>",
        "a\\b <sip:a@b>",
        '<sip:a@b>;"x"=y',
        "<sip:a@b>;\u00e9",
        "<sip:a@b>;x=\u00e9",
        "\ud800<sip:a@b>",
        '<sip:a@b>;x="\\\0"',
    ],
)
def test_what_is_no_address_is_refused(sip: ModuleType, text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        sip.NameAddr.parse(text)


def test_an_address_changes_into_another(sip: ModuleType) -> None:
    address = sip.NameAddr.parse('"X" <sip:a@b>;tag=1;y')
    assert str(address.with_tag("2")) == '"X" <sip:a@b>;tag=2;y'
    assert str(address.with_params(q="0.5", y="z")) == '"X" <sip:a@b>;tag=1;y=z;q=0.5'
    assert str(sip.NameAddr("", address.uri).with_tag("9")) == "<sip:a@b>;tag=9"
    assert (address.param("y"), address.param("n")) == ("", None)


def test_control_octets_of_a_name_are_read_but_not_written(sip: ModuleType) -> None:
    address = sip.NameAddr.parse('"BEL:\\\x07 NUL:\\\x00" <sip:a@b>')
    assert address.display_name == "BEL:\x07 NUL:\x00"
    assert str(address) == '"BEL: NUL:" <sip:a@b>'


@pytest.mark.parametrize(
    ("q", "value"), [("0", 0.0), ("0.", 0.0), ("0.33", 0.33), ("1", 1.0), ("1.000", 1.0)]
)
def test_q(sip: ModuleType, q: str, value: float) -> None:
    assert sip.NameAddr.parse(f"<sip:a@b>;q={q}").q == value


@pytest.mark.parametrize("q", ["1.1", "2", "-1", "0.1234", "nan", '""'])
def test_a_malformed_q_is_refused(sip: ModuleType, q: str) -> None:
    with pytest.raises(RemoteProtocolError):
        _ = sip.NameAddr.parse(f"<sip:a@b>;q={q}").q


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("60", 60),
        ("0", 0),
        ("0060", 60),
        ("x", 3600),
        ("-1", 3600),
        ("9" * 5000, 2**32 - 1),
        ("4294967296", 2**32 - 1),
    ],
)
def test_expires_of_a_contact(sip: ModuleType, text: str, value: int) -> None:
    assert sip.NameAddr.parse(f"<sip:a@b>;expires={text}").expires == value
    assert sip.NameAddr.parse("<sip:a@b>").expires is None
    assert sip.NameAddr.parse("<sip:a@b>").q == 1.0


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx"),
        ("sip / 2.0\t/ udp\t h.example ; branch = z ; rport", "SIP/2.0/UDP h.example;branch=z;rport"),
        ("SIP/2.0/TLS [2001:db8::1]:5061;received=::1", "SIP/2.0/TLS [2001:db8::1]:5061;received=::1"),
        ("SIP/2.0/UNKNOWN t4.example.com", "SIP/2.0/UNKNOWN t4.example.com"),
        ("SIP/2.0/TCP h : 5060", "SIP/2.0/TCP h:5060"),
        ('SIP/2.0/TCP h;x="a,b;c"', 'SIP/2.0/TCP h;x="a,b;c"'),
    ],
)
def test_a_via_is_read(sip: ModuleType, text: str, written: str) -> None:
    via = sip.Via.parse(text)
    assert str(via) == written
    assert sip.Via.parse(written) == via


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0 h",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "HTTP/2.0/UDP h",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h:x",
        "SIP/2.0/UDP h:70000",
        "SIP/2.0/UDP h;;branch=x",
        "SIP/2.0/UDP h x",
        "SIP/2.0/UDP h,",
        "SIP/2.0/UDP h,SIP/2.0/UDP i",
        "SIP/2.0/UDP [::1",
        "SIP/2.0/UDPh",
        "SIP/2.0/U@P h",
        "SIP/2.0/UDP h;branch=\ud800",
    ],
)
def test_what_is_no_via_is_refused(sip: ModuleType, text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        sip.Via.parse(text)


def test_parts_of_a_via(sip: ModuleType) -> None:
    via = sip.Via.parse("SIP/2.0/udp h:5070;branch=z9hG4bKx;received=192.0.2.7;RPORT=6000;y")
    assert (via.transport, via.host, via.port, via.sent_by) == ("UDP", "h", 5070, "h:5070")
    assert (via.branch, via.received, via.rport, via.has_rport) == ("z9hG4bKx", "192.0.2.7", 6000, True)
    assert (via.param("y"), via.param("z")) == ("", None)
    plain = sip.Via.parse("SIP/2.0/UDP h")
    assert (plain.branch, plain.received, plain.rport, plain.has_rport) == (None, None, None, False)
    assert sip.Via.parse("SIP/2.0/UDP h;rport").rport is None
    with pytest.raises(RemoteProtocolError):
        _ = sip.Via.parse("SIP/2.0/UDP h;rport=x").rport


@pytest.mark.parametrize(
    ("params", "written"),
    [
        ("192.0.2.1", ""),
        ("192.0.2.1;rport", ";rport=4000;received=192.0.2.1"),
        ("192.0.2.9", ";received=192.0.2.1"),
        ("h.example;branch=z", ";branch=z;received=192.0.2.1"),
        ("192.0.2.1;received=6.6.6.6", ";received=192.0.2.1"),
        ("192.0.2.1;rport=1;received=6.6.6.6", ";rport=4000;received=192.0.2.1"),
    ],
)
def test_the_source_is_noted_in_the_via(sip: ModuleType, params: str, written: str) -> None:
    via = sip.Via.parse(f"SIP/2.0/UDP {params}").with_source("192.0.2.1", 4000)
    assert str(via).removeprefix(f"SIP/2.0/UDP {via.host}") == written


def test_the_source_of_an_ipv6_via(sip: ModuleType) -> None:
    assert sip.Via.parse("SIP/2.0/UDP [::1]:5060").with_source("::1", 9).received is None


@pytest.mark.parametrize(
    ("text", "number", "method"),
    [("1 INVITE", 1, "INVITE"), ("0009  \tA!", 9, "A!"), ("2147483647 X", 2**31 - 1, "X")],
)
def test_a_cseq_is_read(sip: ModuleType, text: str, number: int, method: str) -> None:
    assert sip.CSeq.parse(text) == (number, method)
    assert str(sip.CSeq.parse(text)) == f"{number} {method}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "INVITE",
        "1INVITE",
        "-1 X",
        "1 X Y",
        "1 \u00e9",
        "\u0661 X",
        "2147483648 X",
        "9" * 5000 + " X",
        "1 ",
    ],
)
def test_what_is_no_cseq_is_refused(sip: ModuleType, text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        sip.CSeq.parse(text)


def test_lists_are_split_at_their_own_commas() -> None:
    assert split_list('a, "b,\\"c" , <sip:d,e>;x,,') == ["a", '"b,\\"c"', "<sip:d,e>;x", "", ""]
    for text in ('"a', "<a"):
        with pytest.raises(RemoteProtocolError):
            split_list(text)


def test_quotes() -> None:
    assert unquote(quote('a"b\\c')) == 'a"b\\c'
    assert unquote("token") == "token"
    assert find_param((("A", '"x y"'),), "a") == "x y"
