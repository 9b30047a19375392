"""TLS: certificates and keys from files, whom they name (RFC 5922), and which one a client gets (SNI)."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509

from switchroom.switch.config import TlsConfig

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_CLIENTS = {"off": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_SIP_URI = re.compile(r"sips?:([^@;?:/\[\]]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?", re.IGNORECASE)


class TlsError(ValueError):
    """A certificate or key cannot be used; the text names the file."""


class Tls:
    """What listeners and outgoing connections go by; a reload makes a new one, for new connections."""

    def __init__(self, config: TlsConfig) -> None:
        """Read all files; TlsError says which one cannot be used."""
        self._config = config
        self.expires_at: dict[str, datetime] = {}  # by file: when the certificate ends
        self._by_name: dict[str, ssl.SSLContext] = {}
        self.server = self._make_server() if config.certificate else None
        self.client = self._make_client()

    @property
    def is_verifying(self) -> bool:
        """Whether servers have to prove who they are."""
        return self._config.verify_servers

    def _make_server(self) -> ssl.SSLContext:
        config = self._config
        first = self._server_context(config.certificate, config.private_key)
        for file in config.more_certificates:
            self._server_context(file, "")
        first.sni_callback = self._choose
        return first

    def _server_context(self, certificate: str, private_key: str) -> ssl.SSLContext:
        config = self._config
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.options |= ssl.OP_NO_RENEGOTIATION  # a client could make us compute for ever
        self._tune(context)
        self._load_pair(context, certificate, private_key)
        context.verify_mode = _CLIENTS[config.client_certificates]
        if context.verify_mode is not ssl.CERT_NONE:
            self._load_ca(context)
        for name in self._names_in(certificate):
            self._by_name.setdefault(name, context)
        return context

    def _make_client(self) -> ssl.SSLContext:
        """Names are checked by ``proves``, as SIP wants it: a certificate may say sip:example.com only."""
        config = self._config
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        self._tune(context)
        if config.certificate:  # we are asked for one too, by trunks that want to know who calls
            self._load_pair(context, config.certificate, config.private_key)
        if config.verify_servers:
            self._load_ca(context)
        else:
            context.verify_mode = ssl.CERT_NONE
        return context

    def _tune(self, context: ssl.SSLContext) -> None:
        context.minimum_version = _VERSIONS[self._config.min_version]
        if self._config.ciphers:
            try:
                context.set_ciphers(self._config.ciphers)  # those of TLS 1.2; 1.3 has no weak ones
            except ssl.SSLError:
                raise TlsError(f"tls.ciphers: {self._config.ciphers}: no cipher that OpenSSL knows") from None

    def _load_pair(self, context: ssl.SSLContext, certificate: str, private_key: str) -> None:
        try:
            # An encrypted key must not make OpenSSL ask at the terminal.
            context.load_cert_chain(certificate, private_key or certificate, password=_no_password)
        except FileNotFoundError:
            missing = next((f for f in (certificate, private_key) if f and not Path(f).exists()), certificate)
            raise TlsError(f"{missing}: no such file") from None
        except (OSError, ValueError) as error:  # SSLError is an OSError
            raise TlsError(f"{certificate}: {_said(error)}") from None

    def _load_ca(self, context: ssl.SSLContext) -> None:
        if not self._config.ca_file:
            context.load_default_certs(
                ssl.Purpose.SERVER_AUTH
                if context.protocol == ssl.PROTOCOL_TLS_CLIENT
                else ssl.Purpose.CLIENT_AUTH
            )
            return
        try:
            context.load_verify_locations(self._config.ca_file)
        except (OSError, ValueError) as error:
            raise TlsError(f"{self._config.ca_file}: {_said(error)}") from None

    def _names_in(self, file: str) -> Iterator[str]:
        """The names that a client may ask for to get this certificate."""
        try:
            certificate = x509.load_pem_x509_certificate(Path(file).read_bytes())
        except (OSError, ValueError) as error:
            raise TlsError(f"{file}: {_said(error)}") from None
        self.expires_at[file] = certificate.not_valid_after_utc
        try:
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return
        yield from (name.lower() for name in found.get_values_for_type(x509.DNSName))

    def _choose(self, connection: ssl.SSLObject, name: str | None, first: ssl.SSLContext) -> None:
        """Give a client the certificate of the name it asks for; one that asks for no name gets the first."""
        if not name:
            return
        name = name.lower()
        context = self._by_name.get(name) or self._by_name.get("*." + name.partition(".")[2])
        if context is not None and context is not first:
            connection.context = context


def names_of(certificate: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Whom a verified certificate names: SIP URIs and DNS names, else the common name (RFC 5922 §7.1)."""
    if not certificate:
        return ()
    names: list[str] = []
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "URI":
            match = _SIP_URI.fullmatch(value)
            if match is not None:
                names.append(match[1].strip("[]").lower())
        elif kind == "DNS":
            names.append(value.lower())
        elif kind == "IP Address":
            names.append(_plain(value))
    if not names:
        subject = (pair for part in certificate.get("subject", ()) for pair in part)
        names = [value.lower() for kind, value in subject if kind == "commonName"][:1]
    return tuple(dict.fromkeys(names))


def proves(names: Iterable[str], wanted: str, *, is_web: bool = False) -> bool:
    """Whether a name is the wanted one: SIP knows no wildcards (RFC 5922 §7.2), the web does."""
    wanted = _plain(wanted.rstrip("."))
    names = tuple(names)
    if wanted in names:
        return True
    _, dot, parent = wanted.partition(".")
    return is_web and "." in parent and f"*{dot}{parent}" in names


def is_name(text: str) -> bool:
    """Whether this is a DNS name, so that it may be asked for (RFC 6066 §3)."""
    try:
        ip_address(text.partition("%")[0].strip("[]"))
    except ValueError:
        return bool(text)
    return False


def _plain(text: str) -> str:
    """An address in its one form, a name in lower case."""
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        return text.lower()


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the private key does not belong to the certificate"
        return f"cannot be read as PEM ({(error.reason or 'unknown').lower().replace('_', ' ')})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)
