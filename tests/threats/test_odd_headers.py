"""THREATS B11: headers that are absent, empty, repeated or strange."""

from __future__ import annotations

import pytest

from ..peers.digest import credentials
from ..peers.harness import PASSWORD, Switch
from ..peers.phone import Phone
from ..peers.raw import Wire, branch
from .conftest import ALICE, BOB
from .messages import message

ODD = (
    "",
    "Digest",
    "Digest ",
    "Digest ,,,,",
    "Digest =",
    'Digest ="',
    "Digest username",
    'Digest username="',
    "Basic eDp5",
    "Bearer x",
    "Digest username=1001",
    'Digest username="1001"',
    'Digest nonce=""',
    'Digest realm="", nonce="", uri=""',
    'Digest username="1001", realm="R", nonce="N", uri="", response=""',
    'Digest username="1001", realm="R", nonce="N", uri="sip:x", response="zz"',
    'Digest username="1001", realm="R", nonce="N", uri="sip:x", response="' + "0" * 32 + '", qop=auth',
    'Digest username="1001", realm="R", nonce="N", uri="sip:x", response="'
    + "0" * 32
    + '", qop=auth, nc=zz, cnonce=""',
    'Digest username="1001", realm="R", nonce="N", uri="sip:x", response="'
    + "0" * 32
    + '", qop=auth-int, nc=00000001',
    'Digest username="1001", username="1002", realm="R", nonce="N", uri="sip:x", response="' + "0" * 32 + '"',
    'Digest username="\\", realm="R", nonce="N", uri="sip:x", response="00"',
    'Digest username="1001", realm="R", nonce="N", uri="sip:x", response="00", algorithm=SHA-512',
    'Digest username="1001", realm="R", nonce="N", uri="sip:x", response="00", algorithm=',
    'Digest username="\xff\xfe", realm="R", nonce="\x01", uri="sip:x", response="00"',
    'Digest username*=UTF-8\'\'1001, realm="R", nonce="N", uri="sip:x", response="00"',
    'Digest userhash=true, username="00", realm="R", nonce="N", uri="sip:x", response="00"',
    "Digest " + ", ".join(f'x{n}="y"' for n in range(300)),
)


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_odd_credentials(target: Switch, method: str) -> None:
    """B11: any header may be absent, empty or repeated: a 4xx, never a 5xx or silence."""
    with Wire(target.address) as wire:
        uri = f"sip:{BOB}@127.0.0.1"
        for value in ODD:
            for headers in (
                [("Authorization", value)],
                [("Proxy-Authorization", value)],
                [("Authorization", value)] * 3,
                [("Authorization", value), ("Authorization", "Digest x=y")],
            ):
                call_id = branch()
                wire.send(wire.request(method, uri, headers=headers, call_id=call_id))
                answer = wire.final(2, call_id=call_id)
                assert 400 <= answer.status < 500, (value, answer.start)
                wire.trace.clear()
        assert wire.options() < 0.5


@pytest.mark.parametrize("field", ["username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce"])
def test_right_credentials_without_one_field(target: Switch, field: str) -> None:
    """B11: each field of a proof that would be right is missing, or empty, once; none of these registers."""
    with Phone(target.address, ALICE, PASSWORD) as phone:
        uri = f"sip:{phone.domain}"
        for change in ("remove", "empty", "double"):
            call_id = branch()
            identity = f"{phone.identity};tag=1"
            phone.send(phone.request("REGISTER", uri, to=phone.identity, from_=identity, call_id=call_id))
            challenge = phone.challenge_in(phone.final(2, call_id=call_id))
            proof = credentials(challenge, "REGISTER", uri, ALICE, PASSWORD)
            kept = [p for p in proof.removeprefix("Digest ").split(", ") if not p.startswith(field + "=")]
            tail = {"remove": [], "empty": [f'{field}=""'], "double": [f'{field}="a"', f'{field}="b"']}[
                change
            ]
            headers = [("Authorization", "Digest " + ", ".join(kept + tail))]
            phone.send(
                phone.request(
                    "REGISTER",
                    uri,
                    to=phone.identity,
                    from_=identity,
                    call_id=call_id,
                    cseq=2,
                    headers=headers,
                )
            )
            answer = phone.final(2, call_id=call_id)
            assert 400 <= answer.status < 500, (field, change)


@pytest.mark.parametrize("missing", ["Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Contact"])
@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "INVITE", "BYE"])
def test_a_mandatory_header_is_missing(target: Switch, method: str, missing: str) -> None:
    """B11: an answer of 4xx or nothing; 2xx only where RFC 3261 leaves the header out by right."""
    with Wire(target.address) as wire:
        text = message(method, {missing: None}).replace("127.0.0.1:9", f"127.0.0.1:{wire.address[1]}")
        wire.send(text)
        answer = wire.receive(0.3)
        assert answer is None or 200 <= answer.status < 500
        if answer is not None and answer.status < 300:
            assert missing in ("Contact", "Max-Forwards")
        assert wire.options() < 0.5
