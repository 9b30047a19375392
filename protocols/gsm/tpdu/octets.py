"""Reading octets one field after the other, and the semi-octets of numbers and times (TS 23.040 §9.1.2)."""

from __future__ import annotations

from ...errors import LocalProtocolError, RemoteProtocolError

__all__ = ["DIGITS", "Reader", "from_semi_octets", "to_semi_octets"]

DIGITS = "0123456789*#abc"  # §9.1.2.3; 15 fills the last octet


class Reader:
    """A place in some octets; what is not there raises RemoteProtocolError with the field's name."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    @property
    def left(self) -> int:
        """Octets that are still to be read."""
        return len(self.data) - self.at

    def take(self, size: int, field: str) -> bytes:
        """The next octets."""
        if size > self.left:
            raise RemoteProtocolError(f"{field} ends after {self.left} of {size} octets")
        self.at += size
        return self.data[self.at - size : self.at]

    def octet(self, field: str) -> int:
        """The next octet."""
        return self.take(1, field)[0]

    def rest(self) -> bytes:
        """Whatever is left."""
        return self.take(self.left, "the rest")


def from_semi_octets(octets: bytes, count: int | None = None) -> str:
    """Digits, the lower half of each octet first; one of 15 ends them, whatever was said of their count."""
    halves = [half for octet in octets for half in (octet & 0x0F, octet >> 4)][:count]
    end = halves.index(15) if 15 in halves else len(halves)
    return "".join(DIGITS[half] for half in halves[:end])


def to_semi_octets(digits: str) -> bytes:
    """Octets of digits, filled up with 15."""
    try:
        halves = [DIGITS.index(digit) for digit in digits]
    except ValueError:
        raise LocalProtocolError(f"{digits!r} has something else than digits, *, #, a, b and c") from None
    if len(halves) % 2:
        halves.append(15)
    return bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))
