"""URIs (RFC 3261 §19.1)."""

from __future__ import annotations

from types import ModuleType

import pytest

from switchroom.protocols.errors import RemoteProtocolError

GOOD = [
    "sip:alice@atlanta.com",
    "sip:alice:secretword@atlanta.com;transport=tcp",
    "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
    "sip:+1-212-555-1212:1234@gateway.com;user=phone",
    "sips:1212@gateway.com",
    "sip:alice@192.0.2.4",
    "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
    "sip:alice;day=tuesday@atlanta.com",
    "sip:[2001:db8::1]:5062;lr",
    "sip:a@[::ffff:192.0.2.1];maddr=[::1]",
    "sip:*97#@switch_1.local",
    "sip:a:@b",
    "sip:h:0",
    "sip:h.example.:65535",
    "tel:+1-201-555-0123;phone-context=example.com",
    "tel:*31#911",
    "isbn:2983792873",
    "http://www.example.com/a?b=c#d",
    "urn:service:sos",
    "sip:a%00b@c;%6c%72;n%61me=v%61lue",
]

BAD = [
    "",
    "sip",
    "sip:",
    ":a@b",
    "1sip:a@b",
    "sip:@b",
    "sip:a@",
    "sip:a b@c",
    "sip:a@b c",
    "sip:a@b:",
    "sip:a@b:x",
    "sip:a@b:65536",
    "sip:a@b:99999999999999999999999999999999",
    "sip:a@b;",
    "sip:a@b;;lr",
    "sip:a@b;=x",
    "sip:a@b;lr=",
    "sip:a@b;a=b=c",
    "sip:a@b?",
    "sip:a@b?x y",
    "sip:a@b?%4",
    "sip:a%@b",
    "sip:a%4@b",
    "sip:a%4g@b",
    "sip:a:p;w@b",
    "sip:a@b@c",
    "sip:a@[::1",
    "sip:a@[]",
    "sip:a@[x]",
    "sip:a@[" + ":" * 46 + "]",
    "sip:a@b>",
    "sip:\x00@b",
    "sip:a@b\r\nX: y",
    "sip:\u00e9@b",
    "sip:a@\u00e9",
    "sip:a@b;\u00e9",
    "tel:",
    "tel:x",
    "tel:123;",
    "isbn:",
    "http://a b",
    "http:\u00e9",
    "\ud800:x",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_uri_is_written_as_it_was_read(sip: ModuleType, text: str) -> None:
    assert str(sip.Uri.parse(text)) == text
    assert sip.Uri.parse(str(sip.Uri.parse(text))) == sip.Uri.parse(text)


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_uri_is_refused(sip: ModuleType, text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        sip.Uri.parse(text)
    assert caught.value.status == 400


def test_parts(sip: ModuleType) -> None:
    uri = sip.Uri.parse("SIPS:ann%40x:pw@Host.example:5061;Transport=tls;LR;x=y?Subject=hi&a=b")
    assert uri == ("sips", "ann%40x", "pw", "Host.example", 5061, uri.params, "Subject=hi&a=b")
    assert uri.params == (("Transport", "tls"), ("LR", None), ("x", "y"))
    assert (uri.param("transport"), uri.param("lr"), uri.param("no")) == ("tls", "", None)
    assert (uri.user_unescaped, uri.transport, uri.is_sip) == ("ann@x", "TLS", True)


def test_the_semicolon_of_a_user_is_no_parameter(sip: ModuleType) -> None:
    uri = sip.Uri.parse("sip:user;par=u%40example.net@example.com")
    assert (uri.user, uri.user_unescaped, uri.params) == (
        "user;par=u%40example.net",
        "user;par=u@example.net",
        (),
    )


@pytest.mark.parametrize("text", ["ann", "sips:a@b c", "100%", "\u00e9\udcff", "\0\r\n", '<>"[]\\^'])
def test_any_text_can_be_a_user(sip: ModuleType, text: str) -> None:
    uri = sip.Uri("sip", sip.uri.escape_user(text), None, "h")
    assert sip.Uri.parse(str(uri)) == uri
    assert uri.user_unescaped == text


def test_other_schemes_are_opaque(sip: ModuleType) -> None:
    tel = sip.Uri.parse("TEL:+44-20;isub=5")
    assert (tel.scheme, tel.user, tel.host, tel.param("isub"), tel.is_sip) == (
        "tel",
        "+44-20",
        "",
        "5",
        False,
    )
    assert sip.Uri.parse("soap.beep://192.0.2.103:3002").user == "//192.0.2.103:3002"
    assert sip.Uri.parse("sip:host").user_unescaped is None
    assert sip.Uri.parse("sip:host").transport is None


def test_changes_make_a_new_uri(sip: ModuleType) -> None:
    uri = sip.Uri.parse("sip:a@b;lr;x=1")
    assert str(uri.with_params(X="2", transport="tcp")) == "sip:a@b;lr;x=2;transport=tcp"
    assert str(uri.with_params(x="2", lr=None)) == "sip:a@b;lr;x=2"
    assert str(uri.without_params("lr", "x")) == "sip:a@b"
    assert str(uri.replace(host="c", port=5070, params=())) == "sip:a@c:5070"
    assert str(uri) == "sip:a@b;lr;x=1"


@pytest.mark.parametrize(
    ("one", "other"),
    [  # RFC 3261 §19.1.4
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
         "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"),
        ("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
         "sip:alice@atlanta.com?priority=urgent&subject=project%20x"),
        ("tel:+1-2", "TEL:+1-2"),
    ],
)  # fmt: skip
def test_equivalent(sip: ModuleType, one: str, other: str) -> None:
    assert sip.Uri.parse(one).equivalent(sip.Uri.parse(other))
    assert sip.Uri.parse(other).equivalent(sip.Uri.parse(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a:b@c", "sip:a@c"),
        ("sip:a@c", "sips:a@c"),
        ("tel:1", "tel:2"),
        ("sip:%00@host5.example.com", "sip:%00%00@host5.example.com"),
    ],
)
def test_not_equivalent(sip: ModuleType, one: str, other: str) -> None:
    assert not sip.Uri.parse(one).equivalent(sip.Uri.parse(other))
    assert not sip.Uri.parse(other).equivalent(sip.Uri.parse(one))
