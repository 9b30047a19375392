"""PASSporT and Identity: the examples of the RFCs, round trips, and everything wrong that can be."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, load_pem_public_key
from cryptography.x509.oid import NameOID

from switchroom.protocols import stir
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.protocols.sip import Uri
from switchroom.protocols.stir.authority import OID

# RFC 8225 appendix A: header, claims and keys (an ECDSA signature is another one each time)
HEADER = (
    "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9"
)
CLAIMS = (
    "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6Ij"
    "EyMTU1NTUxMjEyIn19"
)
PUBLIC = load_pem_public_key(
    b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH\n"
    b"78YTU8qLS8I5HLHSSmlATLcslQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g==\n-----END PUBLIC KEY-----\n"
)
PRIVATE = load_pem_private_key(
    b"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIFeZ1R208QCvcu5GuYyMfG4W7sH4m99/7eHSDLpdYllFoAoGCCqGSM49\n"
    b"AwEHoUQDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH78YTU8qLS8I5HLHSSmlATLcs\n"
    b"lQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g==\n-----END EC PRIVATE KEY-----\n",
    None,
)
assert isinstance(PRIVATE, ec.EllipticCurvePrivateKey)
assert isinstance(PUBLIC, ec.EllipticCurvePublicKey)
EXAMPLE = stir.Passport(
    {"tn": "12155551212"},
    {"uri": ["sip:alice@example.com"]},
    1471375418,
    "https://cert.example.org/passport.cer",
)


def encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_the_example_of_rfc_8225_is_written_octet_by_octet() -> None:
    assert EXAMPLE.signed_octets().decode() == f"{HEADER}.{CLAIMS}"


def test_what_is_signed_with_its_key_is_verified_with_it() -> None:
    token = EXAMPLE.sign(PRIVATE)
    signed, signature = stir.split(token)
    stir.verify(signed, signature, PUBLIC)
    parsed, again = stir.parse(token)
    assert parsed == EXAMPLE
    assert again == signature
    with pytest.raises(stir.PassportError, match="wrong"):
        stir.verify(signed + b"x", signature, PUBLIC)
    with pytest.raises(stir.PassportError, match="wrong"):
        stir.verify(signed, signature[:-1] + bytes((signature[-1] ^ 1,)), PUBLIC)
    with pytest.raises(stir.PassportError, match="wrong"):
        stir.verify(signed, signature, ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(stir.PassportError, match="algorithm"):
        stir.verify(signed, signature, ec.generate_private_key(ec.SECP384R1()).public_key())
    with pytest.raises(stir.PassportError, match="algorithm"):
        stir.verify(signed, signature[:-1], PUBLIC)
    with pytest.raises(LocalProtocolError):
        EXAMPLE.sign(ec.generate_private_key(ec.SECP384R1()))


def test_canonical_json_of_rfc_8225() -> None:
    claims = {
        "orig": {"tn": "12155551212"},
        "iat": 1443208345,
        "dest": {"uri": ["sip:bob@biloxi.example.com"]},
    }
    assert stir.canonical(claims) == (  # §9.1
        b'{"dest":{"uri":["sip:bob@biloxi.example.com"]},"iat":1443208345,"orig":{"tn":"12155551212"}}'
    )


def test_shaken_claims_of_rfc_8588() -> None:
    statement = stir.Passport(
        {"tn": "12155551212"}, {"tn": ["12125551213"]}, 1443208345, "https://cert.example.org/passport.cer",
        "shaken", "A", "123e4567-e89b-12d3-a456-426655440000",
    )  # fmt: skip
    assert stir.canonical(statement.header) == (
        b'{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://cert.example.org/passport.cer"}'
    )
    assert stir.canonical(statement.claims) == (
        b'{"attest":"A","dest":{"tn":["12125551213"]},"iat":1443208345,"orig":{"tn":"12155551212"},'
        b'"origid":"123e4567-e89b-12d3-a456-426655440000"}'
    )
    assert stir.parse(statement.sign(PRIVATE))[0] == statement


def test_div_claims_of_rfc_8946() -> None:
    statement = stir.Passport(
        {"tn": "12155551212"}, {"tn": ["12155551214"]}, 1443208345, "https://www.example.com/cert.cer", "div",
        div={"tn": "121555551213"},
    )  # fmt: skip
    assert stir.parse(statement.sign(PRIVATE))[0] == statement


def test_other_claims_are_kept() -> None:
    statement = stir.Passport(
        {"tn": "1"}, {"tn": ["2"]}, 1, "u", more={"mky": [{"alg": "sha-256", "dig": "00"}]}
    )
    assert stir.parse(statement.sign(PRIVATE))[0] == statement


GOOD = {"dest": {"tn": ["1"]}, "iat": 1, "orig": {"tn": "2"}}
HEAD = {"alg": "ES256", "typ": "passport", "x5u": "u"}


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("", 438),
        ("a.b", 438),
        ("a.b.c.d", 438),
        (f"{encode(HEAD)}.{encode(GOOD)}.!!", 438),
        (f"{encode(HEAD)}.{'x' * 9000}.AA", 438),
        (f"{encode([])}.{encode(GOOD)}.AA", 438),
        (f"{encode(HEAD)}.e30x.AA", 438),
        (f"{encode(HEAD | {'alg': 'none'})}.{encode(GOOD)}.AA", 437),
        (f"{encode(HEAD | {'alg': 'RS256'})}.{encode(GOOD)}.AA", 437),
        (f"{encode(HEAD | {'typ': 'JWT'})}.{encode(GOOD)}.AA", 437),
        (f"{encode(HEAD | {'ppt': 'rph'})}.{encode(GOOD)}.AA", 437),
        (f"{encode(HEAD | {'ppt': ['shaken']})}.{encode(GOOD)}.AA", 437),
        (f"{encode(HEAD | {'x5u': 1})}.{encode(GOOD)}.AA", 438),
        (f"{encode(HEAD)}.{encode(GOOD | {'iat': '1'})}.AA", 438),
        (f"{encode(HEAD)}.{encode(GOOD | {'iat': True})}.AA", 438),
        (f"{encode(HEAD)}.{encode(GOOD | {'orig': '2'})}.AA", 438),
        (f"{encode(HEAD)}.{encode(GOOD | {'dest': {}})}.AA", 438),
        (f"{encode(HEAD | {'ppt': 'shaken'})}.{encode(GOOD)}.AA", 438),
        (f"{encode(HEAD | {'ppt': 'shaken'})}.{encode(GOOD | {'attest': 'D', 'origid': 'x'})}.AA", 438),
        (f"{encode(HEAD | {'ppt': 'div'})}.{encode(GOOD)}.AA", 438),
        (f"{base64.urlsafe_b64encode(b'[' * 3000).decode()}.{encode(GOOD)}.AA", 438),
    ],
)
def test_tokens_that_are_none(token: str, status: int) -> None:
    with pytest.raises(stir.PassportError) as raised:
        stir.parse(token)
    assert raised.value.status == status


def test_identity_header() -> None:
    token = EXAMPLE.sign(PRIVATE)
    text = f'{token};info=<https://biloxi.example.org/biloxi.cer>;alg=ES256;ppt="shaken"'
    header = stir.IdentityHeader.parse(text)
    assert header == stir.IdentityHeader(token, "https://biloxi.example.org/biloxi.cer", "ES256", "shaken")
    assert str(header) == text
    assert stir.IdentityHeader.parse(f"{token} ; alg=ES256 ; info = <u>;ppt=shaken").ppt == "shaken"
    assert stir.IdentityHeader.parse(f"{stir.compact(token)};info=<u>").is_compact


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 438),
        ("rubbish", 438),
        ("a.b.c", 436),
        ("a.b.c;info=<>", 436),
        ("a.b.c;info=u", 436),
        ("a.b.c;info=<u>;alg=RS256", 437),
        ("a.b.c;info=<u>;ppt=rph", 437),
        ("a.b.c;info=<u> x", 438),
    ],
)
def test_identity_headers_that_are_none(text: str, status: int) -> None:
    with pytest.raises(RemoteProtocolError) as raised:
        stir.IdentityHeader.parse(text)
    assert raised.value.status == status


@pytest.mark.parametrize(
    ("uri", "party"),
    [
        ("sip:+1-215-555-1212@example.com;user=phone", {"tn": "12155551212"}),
        ("sip:+12155551212@example.com", {"tn": "12155551212"}),
        ("sip:12155551212@example.com", {"tn": "12155551212"}),
        ("tel:+1-215-555-1212", {"tn": "12155551212"}),
        ("sip:911@example.com;user=phone", {"tn": "911"}),
        ("sip:1001@Example.com", {"uri": "sip:1001@example.com"}),
        ("sip:+12155551212;verstat=X@example.com", {"tn": "12155551212"}),
        ("sip:alice@Example.COM;transport=tcp", {"uri": "sip:alice@example.com"}),
        ("sips:example.com", {"uri": "sips:example.com"}),
    ],
)
def test_parties(uri: str, party: dict[str, str]) -> None:
    assert stir.party_of(Uri.parse(uri)) == party


# -- certificates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def certificate(
    name: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey, *,
    is_ca: bool = False, days: int = 30, path_length: int | None = None, numbers: bytes = b"",
) -> x509.Certificate:  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=path_length), critical=True)
    )
    if numbers:  # the list of those that it may sign for
        builder = builder.add_extension(x509.UnrecognizedExtension(OID, numbers), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def test_chains() -> None:
    root_key, middle_key, leaf_key, other_key = (new_key() for _ in range(4))
    root = certificate("root", root_key, "root", root_key, is_ca=True)
    middle = certificate("middle", middle_key, "root", root_key, is_ca=True)
    leaf = certificate("leaf", leaf_key, "middle", middle_key)
    at = NOW.timestamp()
    assert stir.trusted_key([leaf, middle], [root], at) == leaf_key.public_key()
    assert stir.trusted_key([leaf], [leaf], at) == leaf_key.public_key()  # trusted itself
    false_root = certificate("root", other_key, "root", other_key, is_ca=True)
    no_ca = certificate("middle", middle_key, "root", root_key)
    short_root = certificate("root", root_key, "root", root_key, is_ca=True, path_length=0)
    wrong = [
        ([leaf], [root], at),  # one between is missing
        ([leaf, middle], [], at),
        ([leaf, middle], [false_root], at),
        ([leaf, no_ca], [root], at),
        ([leaf, middle], [short_root], at),
        ([leaf, middle], [root], at + 86400 * 40),
        ([leaf, middle], [root], at - 86400 * 2),
        ([], [root], at),
        ([certificate("r", rsa.generate_private_key(65537, 2048), "root", root_key)], [root], at),
        ([certificate("a", new_key(), "a", new_key(), is_ca=True)], [root], at),
    ]
    for chain, roots, when in wrong:
        with pytest.raises(stir.CertificateError) as raised:
            stir.trusted_key(chain, roots, when)
        assert raised.value.status == 437
    pem = leaf.public_bytes(Encoding.PEM) + middle.public_bytes(Encoding.PEM)
    assert stir.read_certificates(pem) == [leaf, middle]
    for rubbish in (b"", b"rubbish", b"x" * 100_000):
        with pytest.raises(stir.CertificateError):
            stir.read_certificates(rubbish)
