"""Message ids of next hops, in their answers and in their receipts: one message, several spellings."""

from __future__ import annotations

import re

_HEX = re.compile(r"[0-9a-f]+")
_TELLING = 6  # characters that an id must have to be tried in other spellings


def mark_of(outlet: str, remote_id: str) -> str:
    """What an id is filed under: its letters small, without leading zeros."""
    return f"{outlet}|{plain(remote_id)}"


def marks_in_receipt(outlet: str, remote_id: str, notation: str = "auto") -> list[str]:
    """What the id of a receipt may have been filed under, the likeliest first."""
    id = plain(remote_id)
    if notation == "same":
        ids = [id]
    elif notation == "hex-decimal":
        ids = [_as_hex(id)]
    elif notation == "decimal-hex":
        ids = [_as_decimal(id)]
    elif len(id) < _TELLING:
        ids = [id]  # 15 is as well another message's 21: short ids say nothing of their notation
    else:
        ids = [id, _as_hex(id), _as_decimal(id)]
    return [f"{outlet}|{found}" for found in dict.fromkeys(ids) if found]


def plain(id: str) -> str:
    """An id without what two spellings of it may differ in."""
    return id.strip().lower().removeprefix("0x").lstrip("0") or "0"


def _as_hex(id: str) -> str:
    """A decimal number as it is written in hex."""
    return f"{int(id):x}" if id.isascii() and id.isdigit() and len(id) <= 30 else ""


def _as_decimal(id: str) -> str:
    """A hex number as it is written in decimal."""
    return str(int(id, 16)) if _HEX.fullmatch(id) and len(id) <= 30 else ""
