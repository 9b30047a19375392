"""For which numbers a certificate may sign: its TN Authorization List (RFC 8226 §9), read from DER."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509

from .certificates import CertificateError

OID = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")  # id-pe-TNAuthList
_SEQUENCE, _INTEGER, _IA5 = 0x30, 0x02, 0x16
_PROVIDER, _RANGE, _ONE = 0xA0, 0xA1, 0xA2  # TNEntry, explicitly tagged
_MAX_DIGITS = 15  # of a TelephoneNumber
_MAX_LENGTH_OCTETS = 3  # a list is never longer than its certificate's file


@dataclass(frozen=True, slots=True)
class NumberAuthority:
    """The entries of a list: providers' codes, single numbers, and (first, how many) with as many digits."""

    providers: tuple[str, ...] = ()
    numbers: frozenset[str] = frozenset()
    ranges: tuple[tuple[str, int], ...] = ()

    def covers(self, number: str) -> bool:
        """Whether a canonical number (digits) is listed; a provider may sign for all that are its."""
        if self.providers or number in self.numbers:
            return True
        if not (number.isascii() and number.isdigit()):
            return False
        return any(
            len(first) == len(number) and 0 <= int(number) - int(first) < count
            for first, count in self.ranges
        )


def number_authority(certificate: x509.Certificate) -> NumberAuthority:
    """The list of a certificate. CertificateError (437): it has none, or one that cannot be read."""
    try:
        extension = certificate.extensions.get_extension_for_oid(OID)
    except x509.ExtensionNotFound:
        raise CertificateError("certificate without a list of numbers", status=437) from None
    except (ValueError, x509.DuplicateExtension):
        raise CertificateError("certificate that cannot be read", status=437) from None
    assert isinstance(extension.value, x509.UnrecognizedExtension)
    return read_authority(extension.value.value)


def read_authority(der: bytes) -> NumberAuthority:
    """A TNAuthorizationList. CertificateError (437)."""
    providers, numbers, ranges = [], set(), []
    for tag, value in _elements(_only(der, _SEQUENCE)):
        if tag == _PROVIDER:
            providers.append(_text(_only(value, _IA5)))
        elif tag == _ONE:
            numbers.add(_number(_only(value, _IA5)))
        elif tag == _RANGE:
            ranges.append(_range(_only(value, _SEQUENCE)))
        else:
            raise _unreadable()
    if not (providers or numbers or ranges):
        raise _unreadable()
    return NumberAuthority(tuple(providers), frozenset(numbers), tuple(ranges))


def _range(der: bytes) -> tuple[str, int]:
    parts = list(_elements(der))
    if [tag for tag, _ in parts[:2]] != [_IA5, _INTEGER]:
        raise _unreadable()
    first, count = _number(parts[0][1]), int.from_bytes(parts[1][1], "big", signed=True)
    if not first.isdigit() or count < 2:
        raise _unreadable()
    return first, count


def _number(octets: bytes) -> str:
    text = _text(octets)
    if not 0 < len(text) <= _MAX_DIGITS or text.strip("0123456789#*"):
        raise _unreadable()
    return text


def _text(octets: bytes) -> str:
    if not octets.isascii():
        raise _unreadable()
    return octets.decode()


def _only(der: bytes, tag: int) -> bytes:
    """The value of the one element that is here, which has this tag."""
    found = list(_elements(der))
    if [one for one, _ in found] != [tag]:
        raise _unreadable()
    return found[0][1]


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and values, one after the other (X.690 §8.1, §10.1: definite lengths)."""
    at = 0
    while at < len(der):
        if at + 2 > len(der):
            raise _unreadable()
        tag, size = der[at], der[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            if not 0 < count <= _MAX_LENGTH_OCTETS:
                raise _unreadable()
            size = int.from_bytes(der[at : at + count], "big")
            at += count
        if at + size > len(der):
            raise _unreadable()
        yield tag, der[at : at + size]
        at += size


def _unreadable() -> CertificateError:
    return CertificateError("certificate with a list of numbers that cannot be read", status=437)
