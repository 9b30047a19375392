"""Identifiers: two letters and 32 hexadecimal digits that nobody can guess."""

from __future__ import annotations

import os
import re

_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")


def new_sid(prefix: str) -> str:
    """Make a new one."""
    return prefix + os.urandom(16).hex()


def is_sid(text: str, prefix: str = "") -> bool:
    """Whether a text is one, of that kind."""
    return text.startswith(prefix) and _SID.fullmatch(text) is not None
