"""The state of a live call as JSON: octets as text of their own numbers, sets and tuples as lists."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["encode"]


def _as_json(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else list(value)


_encoder = json.JSONEncoder(default=_as_json, check_circular=False, separators=(",", ":"))


def plain(value: Any) -> str:
    """A value as JSON."""
    return _encoder.encode(value)


try:
    from ._state import encode
except ImportError:  # not built: the same text, slower
    encode = plain
