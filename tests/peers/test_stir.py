"""Signatures of callers (STIR/SHAKEN) through running switches: one signs, the other believes or does not."""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from switchroom.protocols import stir
from tests.switch.net.certificates import Authority

from .answerer import Answerer
from .harness import PASSWORD, Switch, Table, user, wait_until
from .phone import Phone
from .raw import Message, audio

URL = "https://cert.carrier.test/sp.pem"
ANNA, BEN, BRANCH = "+12155551201", "+12125551202", "+12155551999"
HELEN, AWAY = "+12125551205", "+19175559905"  # she forwards all calls to the other number
CARRIER, GATEWAY = "127.0.0.4", "127.0.0.5"  # where calls come from that must be, and that may be signed


class Border:
    """Two switches: what the first signs reaches the second, or a callee that keeps it for us."""

    def __init__(self, folder: Path, callee: Answerer) -> None:
        authority = Authority(folder, "root")
        self.certificate = authority.sign("sp.carrier.test")
        self.stranger = Authority(folder, "stranger").sign("sp.carrier.test")
        self.callee = callee
        self.second = Switch(
            folder / "second",
            users=[user("1002", caller_id=BEN), user("1005", forward_always=AWAY)],
            trunks=[
                {
                    "name": "first",
                    "sources": ["127.0.0.1/32", CARRIER],
                    "verify": "require",
                    "number_in": "e164",
                    "country": "US",
                },
                {"name": "gateway", "sources": [GATEWAY], "verify": "log"},
                {
                    "name": "onward",
                    "address": f"sip:127.0.0.1:{callee.address[1]}",
                    "sign": True,
                    "pass_identity": True,
                    "options_interval": 0.0,
                },
            ],
            routes=[
                {"match": BEN, "to": "user:1002"},
                {"match": "911", "to": "user:1002"},
                {"match": HELEN, "to": "user:1005"},
                {"match": AWAY, "to": "trunk:onward"},
            ],
            numbers={"emergency": ["911"]},
            stir={
                "certificate": self.certificate,
                "private_key": self.certificate,
                "certificate_url": URL,
                "trusted": [authority.file],
                "certificates": {json.dumps(URL): self.certificate, '"https://x.test/y.pem"': self.stranger},
            },
        )
        signing = {"address": f"sip:127.0.0.1:{self.second.port}", "sign": True, "options_interval": 0.0}
        here = f"sip:127.0.0.1:{callee.address[1]}"
        self.first = Switch(
            folder / "first",
            users=[
                user("1001", caller_id=ANNA),
                user("1003", caller_id=ANNA, attestation="B"),
                user("1004"),
            ],
            trunks=[
                {"name": "second", **signing},
                {**signing, "name": "callee", "address": here},
                {"name": "unsigned", **signing, "sign": False},
                {"name": "inland", **signing, "number_out": "national", "country": "US"},
                {"name": "branch", "sources": [CARRIER]},
                {"name": "office", "sources": [GATEWAY], "attestation": "A"},
            ],
            routes=[
                {"match": BEN, "to": "trunk:second"},
                {"match": "9*", "to": "trunk:unsigned", "strip": 1, "prefix": "+"},
                {"match": "8*", "to": "trunk:inland", "strip": 1, "prefix": "+"},
                {"match": "+1*", "to": "trunk:callee"},
            ],
            stir={
                "certificate": self.certificate,
                "private_key": self.certificate,
                "certificate_url": URL,
            },
        )
        self.key = load_pem_private_key(Path(self.certificate).read_bytes(), None)

    def identity(self, **changes: object) -> str:
        """A signature about Anna who calls Ben now, and what is wrong with it."""
        claims = {
            "orig": {"tn": ANNA[1:]}, "dest": {"tn": [BEN[1:]]}, "iat": int(time.time()), "x5u": URL,
            "ppt": "shaken", "attest": "A", "origid": "x", **changes,
        }  # fmt: skip
        key = claims.pop("key", self.key)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        url = str(claims["x5u"])
        return str(stir.IdentityHeader(stir.Passport(**claims).sign(key), url, ppt="shaken"))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def border(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Border]:
    with Answerer() as callee:
        made = Border(tmp_path_factory.mktemp("border"), callee)
        with made.first, made.second:
            yield made


@pytest.fixture
def ben(border: Border) -> Iterator[Phone]:
    with Phone(border.second.address, "1002", PASSWORD, local=("127.0.0.3", 0)) as phone:
        assert phone.register().status == 200
        yield phone


def claims_of(invite: Message) -> Table:
    token = invite.get("identity").split(".")[1]
    found: Table = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return found


def number() -> str:
    return "+1917555" + f"{secrets.randbelow(10_000):04}"


def signed_call(border: Border, account: str, local: str) -> Table:
    """What the first switch vouches for when this account calls the callee."""
    called = number()
    with Phone(border.first.address, account, PASSWORD, local=(local, 0)) as phone:
        dialog = phone.start_call(called, audio(phone.address[0], 40000))
        phone.answered(dialog)
        assert dialog.bye().status == 200
    (invite,) = (m for m in border.callee.seen["INVITE"] if called in m.uri)
    assert f"info=<{URL}>" in invite.get("identity")
    assert 'ppt="shaken"' in invite.get("identity")
    assert invite.get("date").endswith("GMT")
    claims = claims_of(invite)
    assert claims["dest"] == {"tn": [called[1:]]}
    assert abs(claims["iat"] - time.time()) < 10
    return claims


@pytest.mark.parametrize(
    ("account", "local", "attest"),
    [
        ("1001", "127.0.0.1", "A"),  # the number is the user's own
        ("1003", "127.0.0.1", "B"),  # as it is configured for the user
        (BRANCH, CARRIER, "C"),  # from a trunk of which nothing is known
        (BRANCH, GATEWAY, "A"),  # as it is configured for the trunk
    ],
)
def test_whom_we_vouch_for(border: Border, account: str, local: str, attest: str) -> None:
    claims = signed_call(border, account, local)
    assert claims["attest"] == attest
    assert claims["orig"] == {"tn": (BRANCH if account == BRANCH else ANNA)[1:]}
    assert account not in claims["origid"]


@pytest.mark.parametrize("dialled", [BEN, "8" + BEN[1:]])  # the latter by a trunk that has 2125551202
def test_what_one_switch_signs_the_other_believes_and_tells_the_phone(
    border: Border, ben: Phone, dialled: str
) -> None:
    since = len(border.second.records())
    with Phone(border.first.address, "1001", PASSWORD) as anna:
        dialog = anna.start_call(dialled, audio(anna.address[0], 40000))
        called = ben.incoming()
        assert isinstance(called.invite, Message)
        assert f"sip:{ANNA};verstat=TN-Validation-Passed@" in called.invite.get("from")
        assert not called.invite.get("identity")
        ben.accept(called, audio(ben.address[0], 40002))
        anna.answered(dialog)
        anna.send(dialog.request("BYE"))
        called.answer_bye()
        anna.final(method="BYE", call_id=dialog.call_id)
    wait_until(lambda: len(border.second.records()) > since, 5, "the record")
    record = border.second.wait_record(lambda r: r["caller"] == ANNA and r["cause"] == 200)
    assert record["verdict"].startswith("TN-Validation-Passed: the caller is vouched for with attestation A")


def test_an_unsigned_call_of_the_other_switch_is_refused(border: Border) -> None:
    with Phone(border.first.address, "1001", PASSWORD) as anna:
        dialog = anna.start_call("9" + BEN[1:], audio(anna.address[0], 40000))
        assert anna.final(method="INVITE", call_id=dialog.call_id).status == 428
    record = border.first.wait_record(lambda r: r["callee"] == "9" + BEN[1:])
    assert "rejected by trunk unsigned with 428" in record["verdict"]
    refused = border.second.wait_record(lambda r: r["cause"] == 428)
    assert refused["verdict"] == "refused by the switch with 428 Use Identity Header: the call is not signed"


def cases(border: Border) -> dict[str, tuple[int, str, list[str]]]:
    stranger = load_pem_private_key(Path(border.stranger).read_bytes(), None)
    return {
        "none": (428, "Use Identity Header", []),
        "old": (403, "Stale Date", [border.identity(iat=int(time.time()) - 3600)]),
        "another caller": (438, "Invalid Identity Header", [border.identity(orig={"tn": BRANCH[1:]})]),
        "to somebody else": (438, "Invalid Identity Header", [border.identity(dest={"tn": [BRANCH[1:]]})]),
        "another key": (438, "Invalid Identity Header", [border.identity(key=stranger)]),
        "rubbish": (438, "Invalid Identity Header", ["rubbish"]),
        "a certificate that is not here": (
            436, "Bad Identity Info", [border.identity(x5u="https://x.test/z.pem")],
        ),
        "a certificate of nobody": (
            437, "Unsupported Credential", [border.identity(x5u="https://x.test/y.pem", key=stranger)],
        ),
        "one of two is broken": (438, "Invalid Identity Header", [border.identity(), "rubbish"]),
    }  # fmt: skip


def call(border: Border, local: str, identities: list[str], called: str = BEN) -> tuple[Phone, str]:
    phone = Phone(border.second.address, ANNA, local=(local, 0))
    headers = [("Identity", text) for text in identities]
    call_id, from_ = secrets.token_hex(8), f"{phone.identity};tag=1"
    uri, body = f"sip:{called}@{phone.domain}", audio(local, 40000)
    phone.send(phone.request("INVITE", uri, from_=from_, call_id=call_id, headers=headers, body=body))
    return phone, call_id


def test_what_is_wrong_with_a_signature_is_said_in_the_refusal(border: Border) -> None:
    for name, (status, reason, identities) in cases(border).items():
        phone, call_id = call(border, CARRIER, identities)
        with phone:
            answer = phone.final(method="INVITE", call_id=call_id)
        assert answer.start == f"SIP/2.0 {status} {reason}", name
        record = border.second.wait_record(lambda r, call_id=call_id: r["call_id_a"] == call_id)
        assert record["verdict"].startswith(f"refused by the switch with {status} {reason}: "), name


@pytest.mark.parametrize(
    ("local", "called", "is_signed", "verstat"),
    [
        (CARRIER, BEN, True, "TN-Validation-Passed"),
        (GATEWAY, BEN, True, "TN-Validation-Passed"),
        (GATEWAY, BEN, False, "No-TN-Validation"),
        (CARRIER, "911", False, "No-TN-Validation"),  # an emergency is never refused for that
    ],
)
def test_what_the_phone_sees(
    border: Border, ben: Phone, local: str, called: str, is_signed: bool, verstat: str
) -> None:
    phone, call_id = call(border, local, [border.identity(), border.identity()] if is_signed else [], called)
    with phone:
        dialog = ben.incoming()
        assert isinstance(dialog.invite, Message)
        found = re.search(r"sip:(.*?);verstat=(.*?)@", dialog.invite.get("from"))
        assert found
        assert found.groups() == (ANNA, verstat)
        dialog.respond(dialog.invite, 486, "Busy Here")
        dialog.wait_for("ACK")
        assert phone.final(method="INVITE", call_id=call_id).status == 486
    record = border.second.wait_record(lambda r: r["call_id_a"] == call_id)
    assert verstat in record["verdict"]


@pytest.mark.parametrize("is_good", [True, False])
def test_a_signed_call_that_is_forwarded(border: Border, is_good: bool) -> None:
    """A good signature goes along, and a statement about the diversion with it; a bad one is replaced."""
    border.callee.seen.clear()
    text = border.identity(dest={"tn": [(HELEN if is_good else BRANCH)[1:]]})
    phone, call_id = call(border, GATEWAY, [text], HELEN)
    with phone:
        assert phone.final(method="INVITE", call_id=call_id).status == 200
    (invite,) = border.callee.seen["INVITE"]
    assert AWAY in invite.uri
    texts = invite.all("identity")
    claims = [claims_of(Message("", [("Identity", one)])) for one in texts]
    if is_good:
        assert texts[0] == text
        assert claims[1]["div"] == {"tn": HELEN[1:]}
        assert claims[1]["dest"] == {"tn": [AWAY[1:]]}
        assert claims[1]["orig"] == {"tn": ANNA[1:]}
    else:
        assert text not in texts
        assert [(one["attest"], one["dest"]) for one in claims] == [("C", {"tn": [AWAY[1:]]})]


def test_a_forged_call_that_is_let_through_is_marked(border: Border, ben: Phone) -> None:
    phone, call_id = call(border, GATEWAY, [border.identity(orig={"tn": BRANCH[1:]})])
    with phone:
        dialog = ben.incoming()
        assert isinstance(dialog.invite, Message)
        assert ";verstat=TN-Validation-Failed@" in dialog.invite.get("from")
        dialog.respond(dialog.invite, 486, "Busy Here")
        dialog.wait_for("ACK")
        phone.final(method="INVITE", call_id=call_id)
    record = border.second.wait_record(lambda r: r["call_id_a"] == call_id)
    assert "it is about another caller" in record["verdict"]
