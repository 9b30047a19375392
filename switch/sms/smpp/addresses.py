"""Numbers as routes see them, and as SMPP writes them (SMPP 3.4 §5.2.5 to §5.2.9)."""

from __future__ import annotations

from typing import NamedTuple

from ..interfaces import Address

__all__ = ["NUMBERING", "Numbering", "read_address", "read_id"]

_INTERNATIONAL, _ALPHANUMERIC = 1, 5
_ISDN = 1
_DIGITS = 18  # of an id of ours, at most


def read_address(ton: int, npi: int, number: str) -> Address:
    """An address from the wire: an international number begins with + whether it was written or not."""
    if ton == _INTERNATIONAL and number.isdecimal():
        return Address("+" + number, ton, npi)
    return Address(number, ton, npi)


class Numbering(NamedTuple):
    """How numbers are written to one remote end."""

    ton: int = 0  # of numbers that begin with no +
    npi: int = _ISDN
    has_plus: bool = False  # whether the + of an international number is written

    def write(self, address: Address) -> tuple[int, int, str]:
        """Type of number, numbering plan, number."""
        number = address.number
        if number.startswith("+"):
            return _INTERNATIONAL, self.npi, number if self.has_plus else number[1:]
        if address.ton == _ALPHANUMERIC or not number.isdecimal():
            is_name = any(c.isalpha() or c == " " for c in number) or address.ton == _ALPHANUMERIC
            return (_ALPHANUMERIC, 0, number) if is_name else (self.ton, self.npi, number)
        if address.ton > _INTERNATIONAL:
            return address.ton, address.npi, number
        return self.ton, self.npi, number


NUMBERING = Numbering()


def read_id(text: str) -> int:
    """An id of ours; 0: it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0
