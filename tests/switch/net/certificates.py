"""Certificates for tests: an authority, and what it signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from switchroom.switch.ops.cli.certificate import _general_name

_PEM = serialization.Encoding.PEM


class Authority:
    """Signs certificates into a folder; each file has key and certificate."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = str(folder / f"{name}.pem")
        made = self._sign(name, self._key, self._key, [], is_authority=True)
        Path(self.file).write_bytes(made.public_bytes(_PEM))

    def sign(self, *names: str, common_name: str = "", days: int = 1) -> str:
        """The file with a key and the certificate of these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._sign(common_name or names[0], key, self._key, list(names), days=days)
        file = self.folder / f"{self._name}-{made.serial_number}.pem"
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file.write_bytes(private + made.public_bytes(_PEM))
        return str(file)

    def _sign(
        self,
        common_name: str,
        key: ec.EllipticCurvePrivateKey,
        by: ec.EllipticCurvePrivateKey,
        names: list[str],
        *,
        days: int = 1,
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        until = now + timedelta(days=days)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(_name(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, until) - timedelta(minutes=5))
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
        return builder.sign(by, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
