"""Signing and verifying calls with keys from files."""

from __future__ import annotations

import time
from email.utils import formatdate
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from switchroom.protocols import sip, stir
from switchroom.switch.calls.stir import FAILED, NONE, PASSED, Stir, StirError, attestation
from switchroom.switch.calls.trunks import Plan, read_number
from switchroom.switch.config import StirConfig, UserConfig
from tests.protocols.stir.test_stir import NOW, certificate, new_key

AT = NOW.timestamp()
URL = "https://cert.example.org/a/sp.pem"
ORIG, DEST = sip.Uri.parse("sip:+12155551212@us.example"), sip.Uri.parse("sip:+12125551213@them.example")
ROOT_KEY, KEY = new_key(), new_key()


@pytest.fixture
def config(tmp_path: Path) -> StirConfig:
    root = certificate("root", ROOT_KEY, "root", ROOT_KEY, is_ca=True)
    leaf = certificate("SHAKEN 1234", KEY, "root", ROOT_KEY)
    (tmp_path / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    folder = tmp_path / "certs" / "cert.example.org" / "a"
    folder.mkdir(parents=True)
    (folder / "sp.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    given = StirConfig(
        certificate="certs/cert.example.org/a/sp.pem", private_key="key.pem", certificate_url=URL,
        trusted=["root.pem"], certificate_folder="certs",
    )  # fmt: skip
    return given.within(tmp_path)


def invite(
    headers: tuple[tuple[str, str], ...], caller: str = "+12155551212", called: str = "+12125551213"
) -> sip.Request:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    message = sip.parse(
        f"INVITE sip:{called}@them.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
        f"From: <sip:{caller}@us.example>;tag=1\r\nTo: <sip:{called}@them.example>\r\nCall-ID: a\r\n"
        f"CSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{lines}Content-Length: 0\r\n\r\n".encode()
    )
    assert isinstance(message, sip.Request)
    return message


def test_what_we_sign_we_believe(config: StirConfig) -> None:
    ours = Stir(config)
    headers = ours.sign(ORIG, DEST, "A", "1001", AT)
    assert [name for name, _ in headers] == ["Date", "Identity"]
    verdict = ours.verify(invite(headers), AT + 2)
    assert (verdict.verstat, verdict.status, verdict.attest) == (PASSED, 0, "A")
    assert "attestation A" in verdict.note
    statement = stir.parse(stir.IdentityHeader.parse(headers[1][1]).token)[0]
    assert statement.origid != "1001"
    assert (
        statement.origid == stir.parse(ours.sign(ORIG, DEST, "B", "1001", AT)[1][1].split(";")[0])[0].origid
    )
    asserted = (*headers, ("P-Asserted-Identity", "<sip:+12155551212@us.example>"))
    assert ours.verify(invite(asserted, caller="anonymous"), AT).is_good


def test_numbers_are_meant_not_as_a_trunk_has_them_written(config: StirConfig) -> None:
    """RFC 8224 §8.3: what is dialled inside a country is signed with its country code, and compared so."""
    ours, plan = Stir(config), Plan("US")

    def whole(text: str) -> str:
        return read_number(text, "national", plan)

    request = invite((), caller="2155551212", called="2125551213")
    ours.sign_request(request, "A", "1001", AT, whole)
    header = stir.IdentityHeader.parse(request.get("Identity") or "")
    statement = stir.parse(header.token)[0]
    assert (statement.orig, statement.dest) == ({"tn": "12155551212"}, {"tn": ["12125551213"]})
    assert ours.verify(request, AT, whole).is_good
    assert not ours.verify(request, AT).is_good


@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        ("300fa20d160b3132313535353531323132", 0),  # 12155551212, who calls
        ("300fa20d160b3132313535353531323133", 437),  # another number
        ("3008a00616043730394a", 0),  # a provider
        ("3000", 437),
        ("", 437),  # no list at all
    ],
)
def test_a_certificate_may_have_to_list_its_numbers(
    config: StirConfig, tmp_path: Path, numbers: str, status: int
) -> None:
    leaf = certificate("SHAKEN 1234", KEY, "root", ROOT_KEY, numbers=bytes.fromhex(numbers))
    (tmp_path / "certs/cert.example.org/a/sp.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    for is_checked in (False, True):
        ours = Stir(config.model_copy(update={"check_numbers": is_checked}))
        request = invite(ours.sign(ORIG, DEST, "A", "1001", AT))
        for _ in range(2):  # what was read of it is kept
            assert ours.verify(request, AT).status == (status if is_checked else 0)


def test_nothing_to_sign_with(config: StirConfig) -> None:
    assert Stir(StirConfig()).sign(ORIG, DEST, "A", "1001", AT) == ()
    assert not Stir(StirConfig()).can_sign
    assert Stir(config).sign(ORIG, DEST, "", "1001", AT) == ()


def test_wrong_everything(config: StirConfig) -> None:
    ours = Stir(config)
    date, identity = ours.sign(ORIG, DEST, "A", "1001", AT)
    cases = {
        "no signature": (invite(()), AT, NONE, 428),
        "old": (invite((identity,)), AT + 61, FAILED, 403),
        "of tomorrow": (invite((identity,)), AT - 61, FAILED, 403),
        "old date": (invite((("Date", formatdate(AT - 100, usegmt=True)), identity)), AT, FAILED, 403),
        "no date": (invite((("Date", "yesterday"), identity)), AT, FAILED, 438),
        "another caller": (invite((date, identity), caller="+12155551219"), AT, FAILED, 438),
        "another callee": (invite((date, identity), called="+12125551219"), AT, FAILED, 438),
        "cut": (invite((date, ("Identity", identity[1].replace(";info", "A;info", 1)))), AT, FAILED, 438),
        "another url": (invite((date, ("Identity", identity[1].replace("a/", "b/")))), AT, FAILED, 436),
        "rubbish": (invite((date, ("Identity", "rubbish"))), AT, FAILED, 438),
        "another ppt": (
            invite((date, ("Identity", identity[1].replace('"shaken"', "div")))), AT, FAILED, 438,
        ),
        "unsupported": (invite((date, ("Identity", identity[1].replace('"shaken"', "x")))), AT, FAILED, 437),
        "expired certificate": (
            invite((ours.sign(ORIG, DEST, "A", "1", AT + 86400 * 90)[1],)), AT + 86400 * 90, FAILED, 437,
        ),
    }  # fmt: skip
    for name, (request, at, verstat, status) in cases.items():
        verdict = Stir(config).verify(request, at)
        assert (verdict.verstat, verdict.status) == (verstat, status), name
        assert verdict.reason
        assert verdict.note
        assert not verdict.is_good


def test_a_key_that_is_not_the_certificates(config: StirConfig) -> None:
    forged = stir.Passport({"tn": "12155551212"}, {"tn": ["12125551213"]}, int(AT), URL, "shaken", "A", "x")
    header = stir.IdentityHeader(forged.sign(new_key()), URL, ppt="shaken")
    assert Stir(config).verify(invite((("Identity", str(header)),)), AT).status == 438
    unknown = stir.Passport(
        {"tn": "12155551212"}, {"tn": ["12125551213"]}, int(AT), "https://x/y", "shaken", "A", "x"
    )
    header = stir.IdentityHeader(unknown.sign(KEY), "https://x/y", ppt="shaken")
    assert Stir(config).verify(invite((("Identity", str(header)),)), AT).status == 436
    untrusting = Stir(config.model_copy(update={"trusted": []}))
    headers = Stir(config).sign(ORIG, DEST, "A", "1", AT)
    assert untrusting.verify(invite(headers), AT).status == 437


def test_compact_form(config: StirConfig) -> None:
    statement = stir.Passport({"tn": "12155551212"}, {"tn": ["12125551213"]}, int(AT), URL)
    header = stir.IdentityHeader(stir.compact(statement.sign(KEY)), URL)
    date = ("Date", formatdate(int(AT), usegmt=True))
    ours = Stir(config)
    assert ours.verify(invite((date, ("Identity", str(header)))), AT).is_good
    assert ours.verify(invite((date, ("Identity", str(header))), caller="+12155551299"), AT).status == 438
    assert ours.verify(invite((("Identity", str(header)),)), AT).status == 438


def test_diversion(config: StirConfig) -> None:
    ours = Stir(config)
    shaken = ours.sign(ORIG, sip.Uri.parse("sip:+12125550000@them.example"), "A", "1", AT)
    div = stir.Passport(
        {"tn": "12155551212"}, {"tn": ["12125551213"]}, int(AT), URL, "div", div={"tn": "12125550000"}
    )
    header = ("Identity", str(stir.IdentityHeader(div.sign(KEY), URL, ppt="div")))
    assert ours._judge(
        [stir.parse(h[1].split(";")[0])[0] for h in (shaken[1], header)], invite(()), str
    ).is_good
    assert ours.verify(invite(shaken), AT).status == 438  # not without the diversion
    assert ours.verify(invite((header,)), AT).status == 438  # nor the diversion alone


def passed_on(
    ours: Stir, source: sip.Request, called: str, diverted: tuple[str, ...] = ()
) -> sip.Request | None:
    request = invite((), called=called)
    return request if ours.pass_on(request, source, diverted, AT) else None


def test_a_signature_is_handed_on(config: StirConfig) -> None:
    ours = Stir(config)
    source = invite((*ours.sign(ORIG, DEST, "B", "1", AT), ("Identity", "x")))
    source.remove("Identity")
    source.add("Identity", ours.sign(ORIG, DEST, "B", "1", AT)[1][1])
    same = passed_on(Stir(config), source, "+12125551213")
    assert same is not None
    assert same.get_all("Identity") == source.get_all("Identity")
    assert same.get("Date") == source.get("Date")
    assert ours.verify(same, AT).attest == "B"


@pytest.mark.parametrize(
    ("diverted", "turns"),
    [
        ((), 1),  # a route wrote another number
        (("1002",), 1),
        (("1002", "+12125550000"), 2),
        (("1002", "1003"), 1),  # an extension says nothing to others
        (("1002", "+12125550000", "+12125550001"), 3),
    ],
)
def test_diversions_here_are_stated(config: StirConfig, diverted: tuple[str, ...], turns: int) -> None:
    """RFC 8946: who gets the call can follow it from the one who was called to the one who is."""
    ours = Stir(config)
    source = invite(ours.sign(ORIG, DEST, "A", "1", AT))
    request = passed_on(ours, source, "+19175550199", diverted)
    assert request is not None
    texts = request.get_all("Identity")
    assert [stir.IdentityHeader.parse(text).ppt for text in texts] == ["shaken", *["div"] * turns]
    last = stir.parse(stir.IdentityHeader.parse(texts[-1]).token)[0]
    assert (last.orig, last.dest) == ({"tn": "12155551212"}, {"tn": ["19175550199"]})
    assert ours.verify(request, AT).attest == "A"
    request.remove("Identity")
    for text in texts[:-1]:
        request.add("Identity", text)
    assert ours.verify(request, AT).status == 438  # without the last turn it leads elsewhere


def test_what_cannot_be_stated_is_not_handed_on(config: StirConfig) -> None:
    ours = Stir(config)
    source = invite(ours.sign(ORIG, DEST, "A", "1", AT))
    keyless = Stir(config.model_copy(update={"private_key": "", "certificate": "", "certificate_url": ""}))
    assert passed_on(keyless, source, "+12125551213") is not None
    assert passed_on(keyless, source, "+19175550199") is None
    header = stir.IdentityHeader(stir.compact(ours.sign(ORIG, DEST, "A", "1", AT)[1][1].split(";")[0]), URL)
    assert passed_on(ours, invite((("Identity", str(header)),)), "+19175550199") is None


def test_attestation() -> None:
    user = UserConfig(name="1001", password="x", number="+12155551212")  # type: ignore[arg-type]
    assert attestation(user, "+1 215 555-1212") == "A"
    assert attestation(user, "+1999") == "B"
    assert attestation(user.model_copy(update={"attestation": "C"}), "+12155551212") == "C"
    assert attestation(UserConfig(name="alice", password="x"), "alice") == "B"  # type: ignore[arg-type]
    assert attestation(None, "+1", "B") == "B"
    assert attestation(None, "+1") == "C"


def test_files_that_cannot_be_used(config: StirConfig, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("rubbish")
    for key in ("certificate", "private_key"):
        for path in ("bad.pem", "missing.pem"):
            with pytest.raises(StirError, match=path):
                Stir(config.model_copy(update={key: str(tmp_path / path)}))
    (tmp_path / "other.pem").write_bytes(
        new_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(StirError, match="not the certificate of the key"):
        Stir(config.model_copy(update={"private_key": str(tmp_path / "other.pem")}))
    with pytest.raises(StirError, match="no such folder"):
        Stir(config.model_copy(update={"certificate_folder": str(tmp_path / "none")}))
    with pytest.raises(ValueError, match="together"):
        StirConfig(certificate="x")


def test_the_cost(config: StirConfig) -> None:
    ours = Stir(config)
    request = invite(ours.sign(ORIG, DEST, "A", "1", AT))
    ours.verify(request, AT)
    began = time.perf_counter()
    for _ in range(200):
        ours.sign(ORIG, DEST, "A", "1", AT)
    signing = (time.perf_counter() - began) / 200
    began = time.perf_counter()
    for _ in range(200):
        assert ours.verify(request, AT).is_good
    verifying = (time.perf_counter() - began) / 200
    print(f"sign {signing * 1e6:.0f} us, verify {verifying * 1e6:.0f} us")  # noqa: T201 - the figure
    assert signing < 0.002
    assert verifying < 0.003
