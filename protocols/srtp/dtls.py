"""Keys from a handshake on the media path: DTLS-SRTP; RFC 5763, RFC 5764.

``Handshake`` is one association. The description says beforehand whose certificate it must end with
(a=fingerprint, RFC 8122); a handshake that ends with another one has never been. OpenSSL has its own clock
for retransmissions: ``now`` only says when to ask it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from ..errors import RemoteProtocolError
from .suites import SUITES, Suite

__all__ = ["Certificate", "Established", "Failed", "Fingerprint", "Handshake", "Setup", "read_fingerprints"]

_HASHES: dict[str, hashes.HashAlgorithm] = {  # RFC 8122 §5; MD5 and SHA-1 prove nothing any more
    "sha-256": hashes.SHA256(),
    "sha-384": hashes.SHA384(),
    "sha-512": hashes.SHA512(),
}
_FINGERPRINT = re.compile(r"([A-Za-z0-9-]{3,16}) +([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){15,63}) *")
_LABEL = b"EXTRACTOR-dtls_srtp"  # RFC 5764 §4.2
_RECORD_HEADER = 13
_MTU = 1200
_MAX_SIZE = 65535
_MAX_TIME = 30.0  # seconds that a handshake may take


class Setup(StrEnum):
    """Who begins: the value of a=setup; RFC 4145 §4."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"
    HOLDCONN = "holdconn"


class Fingerprint(NamedTuple):
    """A certificate as a description names it."""

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, value: str) -> Fingerprint | None:
        """Read the value of a=fingerprint; None when it is malformed or of a hash that is not believed."""
        found = _FINGERPRINT.fullmatch(value)
        if found is None or found[1].lower() not in _HASHES:
            return None
        digest = bytes.fromhex(found[2].replace(":", ""))
        algorithm = found[1].lower()
        return cls(algorithm, digest) if len(digest) == _HASHES[algorithm].digest_size else None

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digest.hex(':').upper()}"

    def matches(self, certificate: x509.Certificate) -> bool:
        """Whether the certificate is the one that was named."""
        return certificate.fingerprint(_HASHES[self.algorithm]) == self.digest


def read_fingerprints(values: list[str]) -> tuple[Fingerprint, ...]:
    """Return the usable ones; one of them has to match (RFC 8122 §5.1)."""
    return tuple([found for value in values[:8] if (found := Fingerprint.parse(value)) is not None])


class Certificate:
    """Our own: nobody has to trust it, for the description has its fingerprint."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key
        self.fingerprint = Fingerprint("sha-256", self._certificate.fingerprint(hashes.SHA256()))
        self._contexts: dict[tuple[str, ...], SSL.Context] = {}

    def export(self) -> tuple[bytes, bytes]:
        """Return it and its key, for ``load``; whoever has them can speak in its name."""
        form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self._certificate.public_bytes(serialization.Encoding.DER), self._key.private_bytes(*form)

    @classmethod
    def load(cls, certificate: bytes, key: bytes) -> Certificate:
        """Make one of what ``export`` returned; ValueError: it is none."""
        secret = serialization.load_der_private_key(key, None)
        if not isinstance(secret, ec.EllipticCurvePrivateKey):
            raise ValueError("the key of a certificate is of another kind")
        return cls(x509.load_der_x509_certificate(certificate), secret)

    def context(self, suites: tuple[str, ...]) -> SSL.Context:
        """What handshakes begin from that may agree on these suites."""
        found = self._contexts.get(suites)
        if found is None:
            found = self._contexts[suites] = self._make(suites)
        return found

    def _make(self, suites: tuple[str, ...]) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_certificate(self._certificate)
        context.use_privatekey(self._key)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
        context.set_cipher_list(b"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL:!MD5")
        profiles = [SUITES[name].profile for name in suites if SUITES[name].profile]
        context.set_tlsext_use_srtp(":".join(profiles).encode())
        return context


class Established(NamedTuple):
    """Both sides have proven who they are: the keys, key and salt of each direction."""

    suite: str
    local: bytes
    remote: bytes


class Failed(NamedTuple):
    """Nothing came of it; no key is to be used."""

    reason: str


class Handshake:
    """One DTLS association, which ends with keys or with nothing; datagrams in and out."""

    def __init__(
        self,
        certificate: Certificate,
        fingerprints: tuple[Fingerprint, ...],
        suites: tuple[str, ...],
        now: float,
        *,
        is_client: bool,
    ) -> None:
        self.is_client = is_client
        self.is_over = False
        self.has_begun = False
        self._fingerprints = fingerprints
        self._connection = SSL.Connection(certificate.context(suites), None)
        self._connection.set_ciphertext_mtu(_MTU)
        self._events: list[Established | Failed] = []
        self._deadline = now + _MAX_TIME
        self._next_at: float | None = None
        if is_client:
            self._connection.set_connect_state()
            self._go_on(now)
        else:
            self._connection.set_accept_state()

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Take what came from the other end."""
        self.has_begun = True
        try:
            self._connection.bio_write(data)
            if self.is_over:
                self._connection.recv(_MAX_SIZE)  # a repeated last flight is answered by OpenSSL itself
                return
        except SSL.Error:
            return
        self._go_on(now)

    def datagrams_to_send(self) -> list[bytes]:
        """Return what to send, each record in a datagram of its own or with others below the MTU."""
        try:
            data = self._connection.bio_read(_MAX_SIZE)
        except SSL.Error:
            return []
        return _datagrams(data)

    def next_event(self) -> Established | Failed | None:
        """Return what came of it."""
        return self._events.pop(0) if self._events else None

    def next_timer(self) -> float | None:
        """When to call ``handle_timer``."""
        return self._next_at

    def handle_timer(self, now: float) -> None:
        """Send the last flight again, or give up."""
        if self.is_over:
            return
        if now >= self._deadline:
            self._end(Failed("no handshake in time"))
            return
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            self._end(Failed(f"handshake: {_reason(error)}"))
            return
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            wait = self._connection.DTLSv1_get_timeout()
            self._next_at = self._deadline if wait is None else min(self._deadline, now + wait + 0.001)
            return
        except SSL.Error as error:
            self._end(Failed(f"handshake: {_reason(error)}"))
            return
        self._end(self._outcome())

    def _end(self, event: Established | Failed) -> None:
        self.is_over = True
        self._next_at = None
        self._events.append(event)

    def _outcome(self) -> Established | Failed:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or not any(one.matches(certificate) for one in self._fingerprints):
            return Failed("the certificate is not the one that the description names")
        profile = self._connection.get_selected_srtp_profile().decode()
        suite = next((suite for suite in SUITES.values() if suite.profile == profile), None)
        if not profile or suite is None:
            return Failed("no SRTP profile in common")
        return self._keys(suite)

    def _keys(self, suite: Suite) -> Established:
        """RFC 5764 §4.2: the client's key, the server's, the client's salt, the server's."""
        key, salt = suite.key_size, suite.salt_size
        material = self._connection.export_keying_material(_LABEL, 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        local, remote = (client, server) if self.is_client else (server, client)
        return Established(suite.name, local, remote)


def answer_setup(offered: str | None) -> Setup:
    """Return our a=setup in answer to an offered one; RFC 5763 §5: active where we may choose."""
    match offered:
        case None | Setup.ACTPASS | Setup.PASSIVE:
            return Setup.ACTIVE
        case Setup.ACTIVE:
            return Setup.PASSIVE
        case _:
            raise RemoteProtocolError(f"a=setup:{offered[:20]} cannot be answered", status=488)


def _reason(error: SSL.Error) -> str:
    """OpenSSL's word for it."""
    try:
        return str(error.args[0][0][2])
    except (IndexError, TypeError):
        return type(error).__name__


def _datagrams(data: bytes) -> list[bytes]:
    """Cut what OpenSSL wrote where records begin: a datagram holds whole ones (RFC 6347 §4.1.1)."""
    datagrams: list[bytes] = []
    at = 0
    while at + _RECORD_HEADER <= len(data):
        end = at + _RECORD_HEADER + int.from_bytes(data[at + 11 : at + 13])
        record = data[at:end]
        if datagrams and len(datagrams[-1]) + len(record) <= _MTU:
            datagrams[-1] += record
        else:
            datagrams.append(record)
        at = end
    return datagrams
