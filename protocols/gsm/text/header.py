"""The user data header: concatenation, ports, languages (3GPP TS 23.040 §9.2.3.24)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ...errors import LocalProtocolError, RemoteProtocolError
from .alphabet import Alphabet, alphabet

__all__ = ["Concatenation", "Element", "Ports", "UserDataHeader"]

MAX_SIZE = 140  # octets of user data, the header's length among them


class Element(IntEnum):
    """Identifiers of the information elements that are understood here; others are kept."""

    CONCATENATION_8 = 0x00
    SPECIAL_MESSAGE = 0x01
    PORTS_8 = 0x04
    PORTS_16 = 0x05
    CONCATENATION_16 = 0x08
    SINGLE_SHIFT = 0x24
    LOCKING_SHIFT = 0x25


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Which part of which message this is; §9.2.3.24.1 and .8."""

    reference: int
    total: int
    number: int
    is_wide: bool = False  # the reference has 16 bits

    def __post_init__(self) -> None:
        if not (
            0 < self.number <= self.total < 256 and 0 <= self.reference < (65536 if self.is_wide else 256)
        ):
            raise LocalProtocolError(f"part {self.number} of {self.total}, reference {self.reference}")

    def element(self) -> tuple[int, bytes]:
        """Itself as an information element."""
        kind = Element.CONCATENATION_16 if self.is_wide else Element.CONCATENATION_8
        return kind, self.reference.to_bytes(1 + self.is_wide) + bytes((self.total, self.number))


@dataclass(frozen=True, slots=True)
class Ports:
    """The applications on both ends; §9.2.3.24.3 and .4."""

    destination: int
    source: int
    is_wide: bool = True  # 16 bits each

    def __post_init__(self) -> None:
        if not 0 <= min(self.destination, self.source) <= max(self.destination, self.source) < self._limit:
            raise LocalProtocolError(f"ports {self.destination} and {self.source}")

    @property
    def _limit(self) -> int:
        return 65536 if self.is_wide else 256

    def element(self) -> tuple[int, bytes]:
        """Itself as an information element."""
        kind, size = (Element.PORTS_16, 2) if self.is_wide else (Element.PORTS_8, 1)
        return kind, self.destination.to_bytes(size) + self.source.to_bytes(size)


@dataclass(frozen=True, slots=True)
class UserDataHeader:
    """Information elements in their order; of one that comes twice the last counts (§9.2.3.24)."""

    elements: tuple[tuple[int, bytes], ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> tuple[UserDataHeader, bytes]:
        """Read the header that user data begins with; gives it and what stands behind it."""
        if not data or data[0] >= len(data):
            raise RemoteProtocolError(f"a header of {data[0] if data else 'no'} octets in {len(data)}")
        end = 1 + data[0]
        elements, at = [], 1
        while at < end:
            size = data[at + 1] if at + 1 < end else 0
            if at + 2 + size > end:
                raise RemoteProtocolError(f"element 0x{data[at]:02X} of the header runs out of it")
            elements.append((data[at], data[at + 2 : at + 2 + size]))
            at += 2 + size
        return cls(tuple(elements)), data[end:]

    @classmethod
    def of(
        cls,
        *,
        concatenation: Concatenation | None = None,
        ports: Ports | None = None,
        alphabet: Alphabet | None = None,
    ) -> UserDataHeader:
        """A header of the elements that are needed."""
        elements = [thing.element() for thing in (concatenation, ports) if thing is not None]
        if alphabet is not None and alphabet.single:
            elements.append((Element.SINGLE_SHIFT, bytes((alphabet.single,))))
        if alphabet is not None and alphabet.locking:
            elements.append((Element.LOCKING_SHIFT, bytes((alphabet.locking,))))
        return cls(tuple(elements))

    def __bytes__(self) -> bytes:
        body = b"".join(bytes((kind, len(value))) + value for kind, value in self.elements)
        if len(body) >= MAX_SIZE:
            raise LocalProtocolError(f"a header of {len(body)} octets")
        return bytes((len(body),)) + body

    def __len__(self) -> int:
        """Its octets, with the length before them; an empty one is not sent."""
        return 1 + sum(2 + len(value) for _, value in self.elements) if self.elements else 0

    def get(self, kind: int) -> bytes | None:
        """The last element of a kind."""
        return next((value for number, value in reversed(self.elements) if number == kind), None)

    @property
    def concatenation(self) -> Concatenation | None:
        """The last one that makes sense; others are passed over, as §9.2.3.24.1 wants."""
        for kind, value in reversed(self.elements):
            is_wide = kind == Element.CONCATENATION_16
            if (is_wide and len(value) == 4) or (kind == Element.CONCATENATION_8 and len(value) == 3):
                reference, total, number = int.from_bytes(value[:-2]), value[-2], value[-1]
                if 0 < number <= total:
                    return Concatenation(reference, total, number, is_wide)
        return None

    @property
    def ports(self) -> Ports | None:
        """The last pair of ports."""
        for kind, value in reversed(self.elements):
            size = {Element.PORTS_8: 1, Element.PORTS_16: 2}.get(Element(kind) if kind in (4, 5) else None)  # type: ignore[arg-type]
            if size is not None and len(value) == 2 * size:
                return Ports(int.from_bytes(value[:size]), int.from_bytes(value[size:]), size == 2)
        return None

    @property
    def alphabet(self) -> Alphabet:
        """The alphabet that the language elements choose."""
        locking, single = self.get(Element.LOCKING_SHIFT), self.get(Element.SINGLE_SHIFT)
        return alphabet(locking[0] if locking else 0, single[0] if single else 0)

    def without(self, *kinds: int) -> UserDataHeader:
        """The same without elements of some kinds: what is passed on when the others are made anew."""
        return UserDataHeader(tuple((kind, value) for kind, value in self.elements if kind not in kinds))
