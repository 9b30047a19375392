"""What TP-Status and TP-Failure-Cause say (3GPP TS 23.040 §9.2.3.15, .22)."""

from __future__ import annotations

from enum import Enum

__all__ = ["Fate", "failure_meaning", "fate", "status_meaning"]


class Fate(Enum):
    """What a status means for who waits."""

    DELIVERED = "delivered"
    REPLACED = "replaced"  # by a later message, in the service centre
    FORWARDED = "forwarded"  # to another network that will say no more
    TRYING = "trying"  # the service centre tries again
    FAILED = "failed"
    EXPIRED = "expired"
    DELETED = "deleted"


_STATUSES = {
    0x00: "received by the telephone",
    0x01: "forwarded to a telephone whose receipt the service centre cannot confirm",
    0x02: "replaced by the service centre",
    **dict(enumerate(("congestion", "the telephone is busy", "no response", "service rejected"), 0x20)),
    0x24: "quality of service not available",
    0x25: "error in the telephone",
    **dict(enumerate(("remote procedure error", "incompatible destination", "connection rejected"), 0x40)),
    **dict(enumerate(("not obtainable", "quality of service not available", "no interworking"), 0x43)),
    **dict(enumerate(("validity period expired", "deleted by the sender", "deleted by the centre"), 0x46)),
    0x49: "the message does not exist",
    **dict(enumerate(("congestion", "the telephone is busy", "no response", "service rejected"), 0x60)),
    0x64: "quality of service not available",
    0x65: "error in the telephone",
}
_FATES = {
    0x01: Fate.FORWARDED,
    0x02: Fate.REPLACED,
    0x46: Fate.EXPIRED,
    0x47: Fate.DELETED,
    0x48: Fate.DELETED,
}
_GROUPS = {0: "completed", 1: "still trying", 2: "failed for good", 3: "failed, not tried again"}


def fate(status: int) -> Fate:
    """What became of a message. A reserved value is taken for what its group says."""
    known = _FATES.get(status)
    if known is not None:
        return known
    group = status >> 5 & 0x07
    if group == 1:
        return Fate.TRYING
    return Fate.DELIVERED if group == 0 else Fate.FAILED


def status_meaning(status: int) -> str:
    """In words."""
    return _STATUSES.get(status) or f"{_GROUPS.get(status >> 5 & 0x07, 'reserved')} (0x{status:02X})"


_FAILURES = {
    0x80: "telematic interworking not supported",
    0x81: "short message type 0 not supported",
    0x82: "cannot replace the short message",
    0x8F: "unspecified error of the protocol identifier",
    0x90: "data coding scheme not supported",
    0x91: "message class not supported",
    0x9F: "unspecified error of the data coding scheme",
    0xA0: "command cannot be acted upon",
    0xA1: "command unsupported",
    0xAF: "unspecified error of the command",
    0xB0: "TPDU not supported",
    0xC0: "service centre busy",
    0xC1: "no subscription with the service centre",
    0xC2: "failure of the service centre's system",
    0xC3: "invalid address of a telephone",
    0xC4: "destination barred",
    0xC5: "rejected: duplicate message",
    0xC6: "validity period format not supported",
    0xC7: "validity period not supported",
    0xD0: "storage of the SIM is full",
    0xD1: "the SIM cannot store messages",
    0xD2: "error in the telephone",
    0xD3: "memory capacity exceeded",
    0xD4: "SIM application toolkit busy",
    0xD5: "error of SIM data download",
    0xFF: "unspecified error",
}


def failure_meaning(cause: int) -> str:
    """In words."""
    if 0xE0 <= cause <= 0xFE:
        return f"error of an application (0x{cause:02X})"
    return _FAILURES.get(cause, f"reserved (0x{cause:02X})")
