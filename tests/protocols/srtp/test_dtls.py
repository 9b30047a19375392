"""Keys from a handshake; RFC 5763, RFC 5764, RFC 8122, THREATS A5."""

from __future__ import annotations

import datetime
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.srtp import (
    SUITES,
    Certificate,
    Established,
    Failed,
    Fingerprint,
    Handshake,
    Setup,
    answer_setup,
    read_fingerprints,
)

GCM, CM = "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"
ALL = tuple(name for name, suite in SUITES.items() if suite.profile)
# A ClientHello that offers nothing but TLS_NULL_WITH_NULL_NULL: what crashed others
NULL_HELLO = bytes.fromhex(
    "16fefd00000000000000000036 01 00002a 0000 000000 00002a fefd"
    "0000000000000000000000000000000000000000000000000000000000000000 00 00 0002 0000 01 00".replace(" ", "")
)


def certificate() -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return Certificate(made, key)


ONE, OTHER = certificate(), certificate()


def pair(
    one: tuple[str, ...] = (GCM,),
    other: tuple[str, ...] = (GCM,),
    *,
    believed: tuple[Fingerprint, ...] | None = None,
) -> tuple[Handshake, Handshake]:
    """A client, and a server that was told ``believed`` of it."""
    client = Handshake(ONE, (OTHER.fingerprint,), one, 0.0, is_client=True)
    prints = (ONE.fingerprint,) if believed is None else believed
    return client, Handshake(OTHER, prints, other, 0.0, is_client=False)


def carry(one: Handshake, other: Handshake, now: float = 0.0) -> int:
    """Until nobody has anything to say; returns how many datagrams that took."""
    count = 0
    while True:
        moved = 0
        for source, target in ((one, other), (other, one)):
            for data in source.datagrams_to_send():
                assert len(data) <= 1200
                target.receive_datagram(data, now)
                moved += 1
        count += moved
        if not moved:
            return count


@pytest.mark.parametrize("suite", ALL)
def test_both_get_the_same_keys(suite: str) -> None:
    client, server = pair((suite,), ALL)
    assert client.next_timer() is not None
    assert not server.has_begun
    carry(client, server)
    ours, theirs = client.next_event(), server.next_event()
    assert isinstance(ours, Established)
    assert isinstance(theirs, Established)
    assert ours.suite == theirs.suite == suite
    assert (ours.local, ours.remote) == (theirs.remote, theirs.local)
    assert ours.local != ours.remote
    assert len(ours.local) == SUITES[suite].master_size
    assert client.is_over
    assert server.is_over
    assert client.next_timer() is server.next_timer() is client.next_event() is None
    client.handle_timer(1e6)
    assert client.next_event() is None


def test_the_first_of_our_suites_that_both_know_is_taken() -> None:
    client, server = pair((CM, GCM), (GCM, CM))
    carry(client, server)
    event = server.next_event()
    assert isinstance(event, Established)
    assert event.suite in (GCM, CM)


def test_no_suite_in_common() -> None:
    client, server = pair((CM,), (GCM,))
    carry(client, server)
    events = [client.next_event(), server.next_event()]
    assert all(isinstance(event, Failed) for event in events)


def test_a_certificate_that_nobody_named() -> None:
    for believed in ((certificate().fingerprint,), ()):
        client, server = pair(believed=believed)
        carry(client, server)
        assert server.next_event() == Failed("the certificate is not the one that the description names")


def test_one_of_several_named_certificates_is_enough() -> None:
    client, server = pair(believed=(certificate().fingerprint, ONE.fingerprint))
    carry(client, server)
    assert isinstance(server.next_event(), Established)


def test_a_client_without_a_certificate_fails() -> None:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_128_GCM")
    stranger = SSL.Connection(context, None)
    stranger.set_ciphertext_mtu(1200)
    stranger.set_connect_state()
    _, server = pair()
    for _ in range(6):
        with suppress(SSL.Error):
            stranger.do_handshake()
        try:
            server.receive_datagram(stranger.bio_read(65535), 0.0)
        except SSL.Error:
            break
        for data in server.datagrams_to_send():
            stranger.bio_write(data)
    event = server.next_event()
    assert isinstance(event, Failed)
    assert "certificate" in event.reason


def test_a_timer_before_its_time_sends_nothing() -> None:
    client, _ = pair()
    assert client.datagrams_to_send()
    at = client.next_timer()
    assert at is not None
    assert 0.5 < at < 2.0
    client.handle_timer(0.0)
    assert client.datagrams_to_send() == []
    assert client.next_event() is None


def test_a_handshake_that_takes_too_long_is_given_up() -> None:
    client, _ = pair()
    client.datagrams_to_send()
    client.handle_timer(29.0)
    assert client.next_event() is None
    client.handle_timer(30.0)
    assert client.next_event() == Failed("no handshake in time")
    assert client.is_over


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SSL.Error([("SSL routines", "", "read timeout expired")]), "handshake: read timeout expired"),
        (SSL.ZeroReturnError(), "handshake: ZeroReturnError"),
    ],
)
def test_openssl_gives_up_before_us(monkeypatch: pytest.MonkeyPatch, error: SSL.Error, reason: str) -> None:
    def fail(_: SSL.Connection) -> bool:
        raise error

    client, _ = pair()
    monkeypatch.setattr(SSL.Connection, "DTLSv1_handle_timeout", fail)
    client.handle_timer(1.0)
    assert client.next_event() == Failed(reason)


def test_repeated_and_late_datagrams_change_nothing() -> None:
    client, server = pair()
    seen: list[bytes] = []
    for _ in range(8):
        for data in client.datagrams_to_send():
            seen.append(data)
            server.receive_datagram(data, 0.0)
        for data in server.datagrams_to_send():
            client.receive_datagram(data, 0.0)
    assert isinstance(server.next_event(), Established)
    assert isinstance(client.next_event(), Established)
    client._connection.send(b"application data, which nobody wants")
    for data in (*seen, *client.datagrams_to_send(), NULL_HELLO, b"", b"\x16" * 40):
        server.receive_datagram(data, 1.0)
        server.datagrams_to_send()
    assert server.next_event() is None
    assert server.is_over


def test_a_hello_without_a_cipher_fails_and_answers_little() -> None:
    _, server = pair()
    server.receive_datagram(NULL_HELLO, 0.0)
    assert sum(map(len, server.datagrams_to_send())) < len(NULL_HELLO)
    assert isinstance(server.next_event(), Failed)


@given(
    st.lists(st.binary(max_size=80) | st.binary(max_size=60).map(lambda b: NULL_HELLO[:13] + b), max_size=6)
)
@settings(max_examples=60)
def test_whatever_comes_nothing_is_believed(datagrams: list[bytes]) -> None:
    _, server = pair()
    for data in datagrams:
        server.receive_datagram(data, 0.0)
        server.datagrams_to_send()
    assert not isinstance(server.next_event(), Established)


# -- what descriptions say


def test_fingerprints() -> None:
    value = str(ONE.fingerprint)
    assert value.startswith("sha-256 ")
    assert (
        Fingerprint.parse(value) == Fingerprint.parse(value.lower().replace("sha", "SHA")) == ONE.fingerprint
    )
    assert "no-" not in value
    assert read_fingerprints(["sha-1 " + ":".join(["AA"] * 20), value]) == (ONE.fingerprint,)
    assert len(read_fingerprints([value] * 20)) == 8


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sha-256",
        "sha-256 " + ":".join(["AA"] * 31),
        "sha-256 " + ":".join(["AA"] * 48),
        "sha-256 " + "AA" * 32,
        "md5 " + ":".join(["AA"] * 16),
        "sha-1 " + ":".join(["AA"] * 20),
        "sha-999 " + ":".join(["AA"] * 32),
    ],
)
def test_fingerprints_that_prove_nothing(value: str) -> None:
    assert Fingerprint.parse(value) is None


@pytest.mark.parametrize("name", ["sha-256", "sha-384", "sha-512"])
def test_a_certificate_is_compared_by_the_hash_of_the_description(name: str) -> None:
    made = ONE._certificate
    algorithm = {"sha-256": hashes.SHA256(), "sha-384": hashes.SHA384(), "sha-512": hashes.SHA512()}[name]
    named = Fingerprint.parse(f"{name} {made.fingerprint(algorithm).hex(':')}")
    assert named is not None
    assert named.matches(made)
    assert not named.matches(OTHER._certificate)


@pytest.mark.parametrize(
    ("offered", "answer"),
    [(None, "active"), ("actpass", "active"), ("passive", "active"), ("active", "passive")],
)
def test_who_begins(offered: str | None, answer: str) -> None:
    assert answer_setup(offered) == Setup(answer)


@pytest.mark.parametrize("offered", ["holdconn", "", "x" * 500])
def test_a_setup_that_cannot_be_answered(offered: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        answer_setup(offered)
    assert caught.value.status == 488
    assert len(str(caught.value)) < 100
