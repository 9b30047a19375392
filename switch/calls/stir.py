"""Vouching for callers and believing others who do: STIR/SHAKEN at the border (RFC 8224, RFC 8588)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from switchroom.protocols import sip, stir
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.config import StirConfig, UserConfig

PASSED = "TN-Validation-Passed"
FAILED = "TN-Validation-Failed"
NONE = "No-TN-Validation"

_REASONS = {  # RFC 8224 §6.2.2
    403: "Stale Date",
    428: "Use Identity Header",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
}
_MAX_IDENTITIES = 8  # headers that are looked at
_MAX_FILES = 10_000
_KEY_LIFETIME = 300.0  # seconds that a chain is not looked at again

Headers = tuple[tuple[str, str], ...]
Party = Mapping[str, Any]
Whole = Callable[[str], str]  # a number as a trunk has it written -> E.164 with +; others as they are


class StirError(ValueError):
    """A key or certificate of the configuration cannot be used."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a signature is worth: ``verstat`` travels on, ``note`` is for the record."""

    verstat: str
    status: int = 0  # to refuse with, where good signatures are required
    note: str = ""
    attest: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the caller was vouched for."""
        return self.verstat == PASSED

    @property
    def reason(self) -> str:
        """The phrase for the status."""
        return _REASONS.get(self.status, "")


class Stir:
    """Keys and certificates, read once; nothing here waits for a disk or a network."""

    def __init__(self, config: StirConfig) -> None:
        """Read all files; StirError names the one that cannot be used."""
        self._config = config
        self._key = _read_key(config)
        self._roots = [c for path in config.trusted for c in _read(Path(path))]
        self._chains = {url: _read(Path(path)) for url, path in config.certificates.items()}
        if config.certificate_folder:
            self._chains |= _read_folder(Path(config.certificate_folder))
        self._authorities: dict[str, stir.NumberAuthority] = {}
        self._keys: dict[str, tuple[EllipticCurvePublicKey, float]] = {}

    @property
    def can_sign(self) -> bool:
        """Whether there is a key."""
        return self._key is not None

    def sign(
        self, orig: sip.Uri, dest: sip.Uri, attest: str, account: str, at: float, whole: Whole = str
    ) -> Headers:
        """The Identity and Date headers of a call that goes out; ``at`` in seconds since 1970."""
        if self._key is None or not attest:
            return ()
        url = self._config.certificate_url
        statement = stir.Passport(
            orig=_party(orig, whole),
            dest=_dest(dest, whole),
            iat=int(at),
            x5u=url,
            ppt="shaken",
            attest=attest,
            origid=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{url}#{account}")),  # says nothing to strangers
        )
        header = stir.IdentityHeader(statement.sign(self._key), url, ppt="shaken")
        return ("Date", formatdate(int(at), usegmt=True)), ("Identity", str(header))

    def sign_request(
        self, invite: sip.Request, attest: str, account: str, at: float, whole: Whole = str
    ) -> None:
        """Sign an INVITE that is ready to go, about the number that it shows to the trunk."""
        asserted = invite.get_list("P-Asserted-Identity")
        orig = sip.NameAddr.parse(asserted[0]).uri if asserted else invite.from_.uri
        for name, value in self.sign(orig, invite.to.uri, attest, account, at, whole):
            invite.set(name, value)

    def pass_on(
        self,
        invite: sip.Request,
        source: sip.Request,
        diverted: Sequence[str],
        at: float,
        whole_in: Whole = str,
        whole_out: Whole = str,
    ) -> bool:
        """Hand on the signatures of a call that came in, and state who diverted it here (RFC 8946 §4.1).

        ``diverted``: the numbers, the first one first. False: it cannot be stated, so sign the call anew.
        """
        texts = source.get_all("Identity")[:_MAX_IDENTITIES]
        statements = [
            stir.parse(h.token)[0] for t in texts if not (h := stir.IdentityHeader.parse(t)).is_compact
        ]
        plain = next((s for s in statements if s.ppt != "div"), None)
        stops = [_party(source.to.uri, whole_in)]
        stops += [{"tn": number} for text in diverted[1:] if (number := _full_number(text, whole_in))]
        stops.append(_party(invite.to.uri, whole_out))
        turns = [(was, becomes) for was, becomes in pairwise(stops) if was != becomes]
        if turns and (plain is None or self._key is None):
            return False
        for was, becomes in turns:
            texts.append(self._diversion(plain.orig, was, becomes, int(at)))  # type: ignore[union-attr]
        if (date := source.get("Date")) is not None:
            invite.set("Date", date)
        invite.remove("Identity")
        for text in texts:
            invite.add("Identity", text)
        return True

    def _diversion(self, orig: Party, was: Party, becomes: Party, iat: int) -> str:
        url = self._config.certificate_url
        dest = {kind: [value] for kind, value in becomes.items()}
        statement = stir.Passport(orig, dest, iat, url, "div", div=was)
        assert self._key is not None
        return str(stir.IdentityHeader(statement.sign(self._key), url, ppt="div"))

    def verify(self, request: sip.Request, at: float, whole: Whole = str) -> Verdict:
        """What the signatures of a request say about its caller, at a time since 1970."""
        texts = request.get_all("Identity")[:_MAX_IDENTITIES]
        if not texts:
            return Verdict(NONE, 428, "the call is not signed")
        try:
            self._check_date(request, at)
            found = [self._read_identity(text, request, at, whole) for text in texts]
            return self._judge(found, request, whole)
        except RemoteProtocolError as error:
            status = error.status if error.status in _REASONS else 438
            return Verdict(FAILED, status, f"the signature is not accepted: {error}")

    # -- the parts of verification (RFC 8224 §6.2)

    def _read_identity(self, text: str, request: sip.Request, at: float, whole: Whole) -> stir.Passport:
        """One statement, verified."""
        header = stir.IdentityHeader.parse(text)
        if header.is_compact:
            statement = _from_message(header, request, whole)
            signed, signature = statement.signed_octets(), stir.split(header.token)[1]
        else:
            statement, signature = stir.parse(header.token)
            signed = stir.split(header.token)[0]
        if statement.ppt != header.ppt and header.ppt:
            raise RemoteProtocolError("the token is of another kind than the header says", status=438)
        if statement.x5u != header.info:
            raise RemoteProtocolError("info and x5u differ", status=436)
        if abs(at - statement.iat) > self._config.max_age:
            raise RemoteProtocolError("it was made too long ago, or in the future", status=403)
        stir.verify(signed, signature, self._key_at(statement.x5u, at))
        if self._config.check_numbers:
            self._check_number(statement)
        return statement

    def _check_number(self, statement: stir.Passport) -> None:
        """The certificate lists who calls, or who diverts (RFC 8226 §9, RFC 8946 §4)."""
        party = statement.div if statement.ppt == "div" else statement.orig
        number = str((party or {}).get("tn", ""))
        authority = self._authorities.get(statement.x5u)
        if authority is None:
            authority = stir.number_authority(self._chains[statement.x5u][0])
            self._authorities[statement.x5u] = authority
        if not authority.covers(number):
            raise RemoteProtocolError("the certificate is not for this number", status=437)

    def _key_at(self, url: str, at: float) -> EllipticCurvePublicKey:
        chain = self._chains.get(url)
        if chain is None:
            raise RemoteProtocolError(f"the certificate {url} is not here", status=436)
        known = self._keys.get(url)
        if known is not None and abs(at - known[1]) < _KEY_LIFETIME:
            return known[0]
        key = stir.trusted_key(chain, self._roots, at)
        self._keys[url] = (key, at)
        return key

    def _check_date(self, request: sip.Request, at: float) -> None:
        date = request.get("Date")
        if date is not None and abs(at - _seconds(date)) > self._config.max_age:
            raise RemoteProtocolError("the Date is too long ago, or in the future", status=403)

    @staticmethod
    def _judge(found: list[stir.Passport], request: sip.Request, whole: Whole) -> Verdict:
        """Compare the statements with the message: who calls, and whom, over diversions (RFC 8946)."""
        plain = [statement for statement in found if statement.ppt != "div"]
        if not plain:
            raise RemoteProtocolError("there are only diversions", status=438)
        callers = _callers(request, whole)
        called = _party(request.to.uri, whole)
        statement = next((s for s in plain if dict(s.orig) in callers), None)
        if statement is None:
            raise RemoteProtocolError("it is about another caller", status=438)
        reached = _parties(statement.dest)
        for _ in found:
            reached += [p for s in found if s.div in reached for p in _parties(s.dest) if p not in reached]
        if called not in reached and _party(request.uri, whole) not in reached:
            raise RemoteProtocolError("it is about a call to somebody else", status=438)
        attest = f" with attestation {statement.attest}" if statement.attest else ""
        return Verdict(PASSED, 0, f"the caller is vouched for{attest}", statement.attest)


def attestation(user: UserConfig | None, shown: str, trunk_attestation: str = "") -> str:
    """How far we vouch for a caller: A his own number, B our user, C from a gateway (RFC 8588 §4)."""
    if user is None:
        return trunk_attestation or "C"
    if user.attestation:
        return user.attestation
    own = {stir.canonical_number(text) for text in (user.number, user.caller_id, user.name) if text} - {None}
    return "A" if stir.canonical_number(shown) in own else "B"


def _from_message(header: stir.IdentityHeader, request: sip.Request, whole: Whole) -> stir.Passport:
    """What a compact form says: the message itself (RFC 8224 §4.1)."""
    date = request.get("Date")
    if header.ppt or date is None:
        raise RemoteProtocolError("the compact form needs a Date, and says nothing more", status=438)
    return stir.Passport(
        _party(request.from_.uri, whole), _dest(request.to.uri, whole), int(_seconds(date)), header.info
    )


def _party(uri: sip.Uri, whole: Whole) -> dict[str, str]:
    """Who a URI is: by the number that is meant, however the trunk has it written (RFC 8224 §8.3)."""
    user = uri.user_unescaped or ""
    number = whole(user)
    if number != user and number.startswith("+"):
        return {"tn": number[1:]}
    return stir.party_of(uri)


def _full_number(text: str, whole: Whole) -> str | None:
    """A number that means somebody outside; an extension says nothing to others."""
    number = whole(text)
    return number[1:] if number.startswith("+") else None


def _dest(uri: sip.Uri, whole: Whole) -> dict[str, list[str]]:
    """The same for the dest claim, where there may be several."""
    return {kind: [value] for kind, value in _party(uri, whole).items()}


def _callers(request: sip.Request, whole: Whole) -> list[dict[str, str]]:
    """Who calls, as From and P-Asserted-Identity say."""
    uris = [request.from_.uri]
    for text in request.get_list("P-Asserted-Identity")[:2]:
        uris.append(sip.NameAddr.parse(text).uri)
    return [_party(uri, whole) for uri in uris]


def _parties(party: object) -> list[dict[str, str]]:
    """The single numbers and URIs of a dest claim."""
    found = []
    if isinstance(party, dict):
        for kind in ("tn", "uri"):
            values = party.get(kind, [])
            for value in values if isinstance(values, list) else [values]:
                found.append({kind: value})
    return found


def _seconds(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        raise RemoteProtocolError("the Date cannot be read", status=438) from None


# -- files


def _read_key(config: StirConfig) -> EllipticCurvePrivateKey | None:
    if not config.can_sign:
        return None
    path = Path(config.private_key)
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise StirError(f"stir.private_key: {path}: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise StirError(f"stir.private_key: {path}: must be a PEM key that is not encrypted") from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise StirError(f"stir.private_key: {path}: must be a key on the curve P-256")
    if _read(Path(config.certificate))[0].public_key() != key.public_key():
        raise StirError(f"stir.certificate: {config.certificate}: is not the certificate of the key")
    return key


def _read(path: Path) -> list[x509.Certificate]:
    try:
        return stir.read_certificates(path.read_bytes())
    except OSError as error:
        raise StirError(f"stir: {path}: {(error.strerror or str(error)).lower()}") from None
    except RemoteProtocolError:
        raise StirError(f"stir: {path}: must be a PEM file with certificates") from None


def _read_folder(folder: Path) -> dict[str, list[x509.Certificate]]:
    """All certificates under it, by the URL that their place stands for; never a path made of a URL."""
    if not folder.is_dir():
        raise StirError(f"stir.certificate_folder: {folder}: no such folder")
    found = {}
    for path in sorted(folder.rglob("*"))[:_MAX_FILES]:
        if path.is_file():
            found[f"https://{path.relative_to(folder).as_posix()}"] = _read(path)
    return found
