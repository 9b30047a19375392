"""A certificate authority of this switch alone: for the names that unchanged clients believe to reach."""

from __future__ import annotations

import os
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_MARGIN = timedelta(minutes=5)  # clocks differ
_ROOT_DAYS, _LEAF_DAYS = 3650, 365
_PEM = serialization.Encoding.PEM


class Authority:
    """Makes its key the first time, for its owner alone; it never leaves the state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "api-ca.pem"
        self._pair: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None = None
        self.context_for = lru_cache(maxsize=64)(self._context_for)

    def root(self) -> bytes:
        """PEM of the certificate that clients are to believe."""
        return self._load()[1].public_bytes(_PEM)

    def _load(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        if self._pair is None:
            if not self._path.exists():
                self._make()
            data = self._path.read_bytes()
            key = serialization.load_pem_private_key(data, None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            self._pair = key, x509.load_pem_x509_certificate(data)
        return self._pair

    def _make(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Switchroom, this machine only")])
        usage = x509.KeyUsage(
            **dict.fromkeys(
                (
                    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
                    *("key_agreement", "encipher_only", "decipher_only"),
                ),
                False,
            ),
            key_cert_sign=True,
            crl_sign=True,
        )
        builder = _builder(name, name, key.public_key(), _ROOT_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(usage, critical=True)
        # Whoever steals the key can stand in for these names and no others
        allowed = x509.NameConstraints([x509.DNSName("twilio.com")], None)
        builder = builder.add_extension(allowed, critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        made = builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())
        data = _private(key) + made.public_bytes(_PEM)
        with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)

    def _context_for(self, name: str) -> ssl.SSLContext:
        """A context of a server with a certificate for one name."""
        root_key, root = self._load()
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
        builder = _builder(subject, root.subject, key.public_key(), _LEAF_DAYS)
        for extension in (
            x509.SubjectAlternativeName([x509.DNSName(name)]),
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
        ):
            builder = builder.add_extension(extension, critical=False)
        made = builder.sign(root_key, hashes.SHA256())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:  # mode 0600; the module takes files only
            file.write(_private(key) + made.public_bytes(_PEM))
            file.flush()
            context.load_cert_chain(file.name)
        return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(now - _MARGIN)
        .not_valid_after(now + timedelta(days=days))
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
