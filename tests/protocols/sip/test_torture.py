"""The 49 torture messages of RFC 4475, each with its verdict; docs/sip-torture.md explains the choices."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from switchroom.protocols.errors import RemoteProtocolError

ROOT = Path(__file__).parents[3]
VECTORS = ROOT / os.environ.get("SWITCHROOM_VECTORS", "../shared/vectors") / "rfc4475"

pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason=f"no torture messages: {VECTORS} is not there")

# What the message layer says: 200 is a valid message, else the status of its refusal and a word of the reason
VERDICTS = {
    # 3.1.1 valid
    "wsinv": (200, ""),
    "intmeth": (200, ""),
    "esc01": (200, ""),
    "escnull": (200, ""),
    "esc02": (200, ""),
    "lwsdisp": (200, ""),
    "longreq": (200, ""),
    "dblreq": (200, ""),
    "semiuri": (200, ""),
    "transports": (200, ""),
    "mpart01": (200, ""),
    "unreason": (200, ""),
    "noreason": (200, ""),
    # 3.1.2 invalid
    "badinv01": (400, "via: parameter without name"),
    "clerr": (400, "Content-Length: number greater than"),
    "ncl": (400, "Content-Length: not a number"),
    "scalar02": (400, "cseq: number greater than"),
    "scalarlg": (400, "cseq: number greater than"),
    "quotbal": (400, "to: quoted string without end"),
    "ltgtruri": (400, "Request-URI"),
    "lwsruri": (400, "request line"),
    "lwsstart": (400, "request line"),
    "trws": (400, "request line"),
    "escruri": (400, "Request-URI: has headers"),
    "baddate": (200, ""),
    "regbadct": (400, "contact: unexpected '?'"),
    "badaspec": (400, "to: URI without scheme"),
    "baddn": (400, "header section without end"),  # the file lacks its last line, see below
    "badvers": (505, "SIP/7.0"),
    "mismatch01": (400, "cseq: method is not OPTIONS"),
    "mismatch02": (400, "cseq: method is not NEWMETHOD"),
    "bigcode": (400, "status"),
    # 3.2 transaction
    "badbranch": (200, ""),
    # 3.3 application
    "insuf": (400, "from is missing"),
    "unkscm": (200, ""),
    "novelsc": (200, ""),
    "unksm2": (200, ""),
    "bext01": (200, ""),
    "invut": (200, ""),
    "regaut01": (200, ""),
    "multi01": (400, "stands more than once"),
    "mcl01": (400, "Content-Length stands more than once"),
    "bcast": (400, "more than one Via"),
    "zeromf": (200, ""),
    "cparam01": (200, ""),
    "cparam02": (200, ""),
    "regescrt": (200, ""),
    "sdp01": (200, ""),
    # 3.4 backward
    "inv2543": (200, ""),
}
METHODS = ("ACK", "BYE", "CANCEL", "INVITE", "OPTIONS", "REGISTER")
# What an endpoint that knows these methods adds to it
REFUSALS: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {
    "intmeth": (501, (("Allow", ", ".join(METHODS)),)),
    "esc02": (501, (("Allow", ", ".join(METHODS)),)),
    "mpart01": (405, (("Allow", ", ".join(METHODS)),)),
    "unkscm": (416, ()),
    "novelsc": (416, ()),
    "unksm2": (400, ()),
    "bext01": (420, (("Unsupported", "nothingSupportsThis, nothingSupportsThisEither"),)),
    "invut": (415, (("Accept", "application/sdp, multipart/mixed"),)),
    "sdp01": (406, ()),
}
LOST = ("bigcode", "scalarlg", "bcast")  # responses are dropped, not answered


def read(name: str) -> bytes:
    """The message's octets."""
    return (VECTORS / f"{name}.dat").read_bytes()


def load(sip: ModuleType, name: str) -> Any:
    """The message, which is one."""
    return sip.parse(read(name))


def test_every_message_has_a_verdict() -> None:
    assert sorted(path.stem for path in VECTORS.glob("*.dat")) == sorted(VERDICTS)
    assert len(VERDICTS) == 49


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(sip: ModuleType, name: str) -> None:
    status, reason = VERDICTS[name]
    if status != 200:
        with pytest.raises(RemoteProtocolError, match=re.escape(reason)) as caught:
            load(sip, name).validate()
        assert caught.value.status == status
        return
    message = load(sip, name)
    message.validate()
    assert sip.parse(bytes(message)) == message
    assert bytes(message.copy()) == bytes(message)


@pytest.mark.parametrize("name", [name for name, (status, _) in VERDICTS.items() if status == 200])
def test_what_an_endpoint_says(sip: ModuleType, name: str) -> None:
    message = load(sip, name)
    if isinstance(message, sip.Response):
        return
    assert sip.inspect_request(message, methods=METHODS) == REFUSALS.get(name)
    answer = sip.parse(bytes(message.response(200, to_tag="t")))
    assert (answer.call_id, answer.cseq, len(answer.vias)) == (
        message.call_id,
        message.cseq,
        len(message.vias),
    )
    assert answer.to_tag == (message.to_tag or "t")


@pytest.mark.parametrize(
    "name", [name for name, (status, _) in VERDICTS.items() if status >= 400 and name not in LOST]
)
def test_a_refused_request_can_be_answered(sip: ModuleType, name: str) -> None:
    try:
        broken = load(sip, name)
        with pytest.raises(RemoteProtocolError) as caught:
            broken.validate()
    except sip.ParseError as error:
        broken, status = error.request, error.status
    else:
        status = caught.value.status
    answer = sip.parse(bytes(broken.response(status)))
    assert (answer.status, answer.get("cseq")) == (VERDICTS[name][0], broken.get("cseq"))
    assert answer.get_all("via") == broken.get_all("via")


def test_baddn_is_refused_for_its_display_name(sip: ModuleType) -> None:
    message = sip.parse(read("baddn") + b"\r\n")
    with pytest.raises(RemoteProtocolError, match="from: "):
        message.validate()


def test_wsinv(sip: ModuleType) -> None:
    message = load(sip, "wsinv")
    assert (message.to_tag, message.from_.display_name, message.from_tag) == (
        "1918181833n",
        'J Rosenberg \\"',
        "98asjd8",
    )
    assert (message.max_forwards, message.cseq, message.get("s")) == (68, (9, "INVITE"), "")
    assert [str(via) for via in message.vias] == [
        "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw",
        "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8",
        "SIP/2.0/UDP 192.168.255.111;branch=z9hG4bK30239",
    ]
    assert message.get("newfangledheader") == "newfangled value continued newfangled value"
    assert message.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert message.routes[0].uri.param("unknown-no-value") == ""
    (contact,) = message.contacts
    assert (contact.display_name, contact.q, contact.param("newparam"), contact.param("secondparam")) == (
        'Quoted string ""',
        0.33,
        "newvalue",
        "",
    )
    assert len(message.body) == 150


def test_intmeth(sip: ModuleType) -> None:
    message = load(sip, "intmeth")
    assert message.method == message.cseq.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.to.display_name == "BEL:\x07 NUL:\0 DEL:\x7f"
    assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert (
        message.from_.param("fromparam''~+*_!.-%")
        == "\u0440\u0430\u0431\u043e\u0442\u0430\u044e\u0449\u0438\u0439"
    )
    assert message.get("extensionHeader-!.%*+_`'~") == "\ufeff\u5927\u505c\u96fb"
    assert message.max_forwards == 255


def test_esc01(sip: ModuleType) -> None:
    message = load(sip, "esc01")
    assert (message.uri.user_unescaped, message.uri.host) == ("sips:user@example.com", "example.net")
    assert message.to.uri.equivalent(sip.Uri.parse("sip:user@example.com"))
    assert message.from_.uri.user_unescaped == "I have spaces"
    (contact,) = message.contacts
    assert contact.uri.equivalent(sip.Uri.parse("sip:caller@host5.example.net;lr;name=value%2541"))


def test_escnull(sip: ModuleType) -> None:
    one, other = load(sip, "escnull").contacts
    assert (one.uri.user_unescaped, other.uri.user_unescaped) == ("\0", "\0\0")
    assert not one.uri.equivalent(other.uri)


def test_esc02(sip: ModuleType) -> None:
    message = load(sip, "esc02")
    assert message.method == "RE%47IST%45R"  # is not REGISTER
    assert [contact.uri.user for contact in message.contacts] == [
        "alias1",
        "alias3",
    ]  # C%6Fntact is not Contact
    assert message.to.display_name == "%Z%45"


def test_lwsdisp(sip: ModuleType) -> None:
    assert load(sip, "lwsdisp").from_.display_name == "caller"


def test_longreq(sip: ModuleType) -> None:
    message = load(sip, "longreq")
    assert len(message.vias) == 34
    assert message.from_tag.startswith("12982982")
    assert message.from_tag.endswith("2982424")
    assert (len(message.to.uri.params), message.to.uri.port) == (3, 6000)
    assert len(message.contacts) == 1
    assert len(message.body) == 150


def test_dblreq(sip: ModuleType) -> None:
    message = load(sip, "dblreq")
    assert (message.method, message.body) == ("REGISTER", b"")  # what follows is not a second request
    assert b"INVITE" not in bytes(message)


def test_semiuri(sip: ModuleType) -> None:
    message = load(sip, "semiuri")
    assert (message.uri.user_unescaped, message.uri.params) == ("user;par=u@example.net", ())
    assert len(message.get_list("accept")) == 6


def test_transports(sip: ModuleType) -> None:
    assert [via.transport for via in load(sip, "transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_mpart01(sip: ModuleType) -> None:
    text, signature = sip.body_parts(load(sip, "mpart01"))
    assert (text.content_type, text.body) == ("text/plain", b"Hello")
    assert (signature.content_type, len(signature.body)) == ("application/octet-stream", 342)


def test_reasons(sip: ModuleType) -> None:
    assert load(sip, "unreason").reason.startswith("= 2**3 * 5**2 \u043d\u043e ")
    assert load(sip, "noreason").reason == ""


def test_badbranch_is_no_transaction_key(sip: ModuleType) -> None:
    assert load(sip, "badbranch").via.branch == "z9hG4bK"  # the cookie and nothing more


def test_baddate_is_not_read(sip: ModuleType) -> None:
    assert load(sip, "baddate").get("date") == "Fri, 01 Jan 2010 16:00:00 EST"


def test_scalars(sip: ModuleType) -> None:
    message = load(sip, "scalar02")
    assert message.expires == 2**32 - 1
    assert message.contacts[0].expires == 2**32 - 1
    with pytest.raises(RemoteProtocolError, match="max-forwards"):
        _ = message.max_forwards


def test_zeromf(sip: ModuleType) -> None:
    assert load(sip, "zeromf").max_forwards == 0  # 483 when it had to go on; OPTIONS to us is answered


def test_contact_parameters(sip: ModuleType) -> None:
    (bare,), (bracketed,) = load(sip, "cparam01").contacts, load(sip, "cparam02").contacts
    assert (bare.param("unknownparam"), bare.uri.params) == ("", ())
    assert (bracketed.params, bracketed.uri.param("unknownparam")) == ((), "")


def test_regescrt(sip: ModuleType) -> None:
    (contact,) = load(sip, "regescrt").contacts
    assert contact.uri.headers == "Route=%3Csip:sip.example.com%3E"


def test_regaut01(sip: ModuleType) -> None:
    assert load(sip, "regaut01").get("authorization") == "NoOneKnowsThisScheme opaque-data=here"


def test_inv2543(sip: ModuleType) -> None:
    message = load(sip, "inv2543")
    assert (message.via.branch, message.from_tag, message.max_forwards) == (None, None, None)
    assert message.from_.param("user") is None
    assert message.to.param("user") == "phone"  # not bracketed: a parameter of the header
    assert len(message.body) > 0
