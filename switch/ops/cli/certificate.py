"""``switchroom certificate``: a key and a self-signed certificate, for tests and first steps with TLS."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .fault import FaultError

if TYPE_CHECKING:
    from cryptography import x509

_MARGIN = timedelta(minutes=5)  # clocks differ
_MAX_NAME = 64  # of a common name; RFC 5280 appendix A


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(certificate)


def certificate(
    names: Annotated[
        list[str] | None, typer.Argument(help="Domains and addresses it names. Default: this machine's name.")
    ] = None,
    file: Annotated[
        Path, typer.Option("-o", "--output", help="The PEM file that gets key and certificate.")
    ] = Path("switchroom.pem"),
    days: Annotated[int, typer.Option(help="How long it is valid.", min=1, max=3650)] = 365,
    is_over: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Make a key and a self-signed certificate.

    Good for tests: others believe it only when they are given it, as ca_file or in a browser.
    """
    wanted = names or [socket.getfqdn() or "localhost"]
    data = make_certificate(wanted, days)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if is_over else os.O_EXCL)
    try:
        with os.fdopen(os.open(file, flags, 0o600), "wb") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(data)
    except FileExistsError:
        raise FaultError(f"{file}: is there already; --force writes over it") from None
    except OSError as error:
        raise FaultError(f"{file}: cannot be written: {(error.strerror or str(error)).lower()}") from None
    typer.echo(f'{file}: {", ".join(wanted)}; valid for {days} days\n\n[tls]\ncertificate = "{file}"')


def make_certificate(names: list[str], days: int = 365) -> bytes:
    """PEM of a key and of its certificate for these domains and addresses."""
    from cryptography import x509  # only here: the other commands start faster without it
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_MAX_NAME])])
    now = datetime.now(UTC)
    try:
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    except ValueError as error:
        raise FaultError(f"{', '.join(names)}: not a domain or an address: {error}") from None
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _MARGIN)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
    )
    made = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + made.public_bytes(serialization.Encoding.PEM)


def _general_name(text: str) -> x509.GeneralName:
    from cryptography import x509

    if text.startswith(("sip:", "sips:")):
        return x509.UniformResourceIdentifier(text)  # RFC 5922 §7.1
    try:
        return x509.IPAddress(ip_address(text.strip("[]")))
    except ValueError:
        return x509.DNSName(text)
