"""Septets packed into octets (3GPP TS 23.038 §6.1.2), by shifting all of them at once.

Eight septets are one group of seven octets: three steps double the width of what stands together, on one
large integer, instead of a loop over the septets.
"""

from __future__ import annotations

from functools import lru_cache

from ...errors import LocalProtocolError

__all__ = ["pack", "pack_ussd", "unpack", "unpack_ussd"]

_CR = 0x0D
_MAX_SIZE = 1 << 16  # octets; far beyond any message
_STEPS = (  # width of what is joined, and the mask of its lower half
    (8, 0x007F007F007F007F),
    (16, 0x00003FFF00003FFF),
    (32, 0x000000000FFFFFFF),
)


def pack(septets: bytes, fill_bits: int = 0) -> bytes:
    """Pack one septet an octet; ``fill_bits`` zeros come first, which end a header on a septet's edge."""
    if len(septets) > _MAX_SIZE or any_beyond(septets):
        raise LocalProtocolError("a septet has seven bits, and a message an end")
    groups = -(-len(septets) // 8)
    value = int.from_bytes(septets, "little")
    for width, mask in _masks(groups):
        low = value & mask
        value = low | (value ^ low) >> width // 8
    packed = bytearray(value.to_bytes(groups * 8, "little"))
    del packed[7::8]
    size = -(-(len(septets) * 7 + fill_bits) // 8)
    if fill_bits:
        return (int.from_bytes(packed, "little") << fill_bits).to_bytes(len(packed) + 1, "little")[:size]
    return bytes(packed[:size])


def unpack(octets: bytes, count: int | None = None, fill_bits: int = 0) -> bytes:
    """Unpack to one septet an octet: ``count`` of them where somebody said so, as many as there are at most.

    Without a count a last septet of seven padding bits is left out: zeros are no "@" there (§6.1.2.1).
    """
    octets = octets[:_MAX_SIZE]
    there = max(len(octets) * 8 - fill_bits, 0) // 7
    if fill_bits:
        octets = (int.from_bytes(octets, "little") >> fill_bits).to_bytes(len(octets), "little")
    groups = -(-len(octets) // 7)
    spread = bytearray(groups * 8)
    for place in range(7):
        part = octets[place::7]
        spread[place : place + 8 * len(part) : 8] = part
    value = int.from_bytes(spread, "little")
    for width, mask in reversed(_masks(groups)):
        low = value & mask
        value = low | (value ^ low) << width // 8 & mask << width
    septets = value.to_bytes(groups * 8, "little")[:there]
    if count is not None:
        return septets[: max(count, 0)]
    if there and there % 8 == 0 and not fill_bits and septets[-1] in (0, _CR):
        return septets[:-1]
    return septets


def pack_ussd(septets: bytes) -> bytes:
    """Pack where nobody says how many there are: seven padding bits are a CR (§6.1.2.3.1)."""
    if len(septets) % 8 == 7:
        septets += b"\r"
    elif septets and len(septets) % 8 == 0 and septets[-1] == _CR:
        septets += b"\r"  # else the last one would be taken for padding
    return pack(septets)


def unpack_ussd(octets: bytes) -> bytes:
    """Unpack where nobody says how many there are; a CR that fills the last octet is left out."""
    septets = unpack(octets, len(octets) * 8 // 7)
    return septets[:-1] if septets and len(septets) % 8 == 0 and septets[-1] == _CR else septets


def any_beyond(septets: bytes) -> bool:
    """Whether an octet has bit 7 set."""
    return not septets.isascii()


@lru_cache(maxsize=64)
def _masks(groups: int) -> tuple[tuple[int, int], ...]:
    ones = ((1 << 64 * groups) - 1) // ((1 << 64) - 1)  # a one in each group of 64 bits
    return tuple((width, mask * ones) for width, mask in _STEPS)
