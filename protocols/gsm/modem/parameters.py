"""Parameters of information responses (ITU-T V.250 §5.4.4): numbers, strings, lists of values."""

from __future__ import annotations

import re

__all__ = ["fields", "integer", "supported"]

_FIELD = re.compile(r'\s*(?:"([^"]*)"|([^,"]*))\s*(?:,|$)')
_MAX_FIELDS = 64


def fields(line: str) -> list[str]:
    """What stands behind the colon, one by one, without quotes."""
    text = line.partition(":")[2].strip()
    found: list[str] = []
    at = 0
    while at < len(text) and len(found) < _MAX_FIELDS:
        match = _FIELD.match(text, at)
        if match is None or match.end() == at:
            break
        found.append(match[2].strip() if match[1] is None else match[1])
        at = match.end()
    return found


def integer(values: list[str], place: int, default: int = -1) -> int:
    """The number in one place; the default where there is none."""
    try:
        return int(values[place])
    except (IndexError, ValueError):
        return default


def supported(line: str) -> list[frozenset[str]]:
    """The groups of an answer to AT+…=?: (0,1),(0-3) or ("SM","ME")."""
    groups = re.findall(r"\(([^()]*)\)", line.partition(":")[2])
    return [frozenset(_expand(group)) for group in groups[:_MAX_FIELDS]]


def _expand(group: str) -> list[str]:
    values: list[str] = []
    for part in group.split(","):
        first, dash, last = part.strip().strip('"').partition("-")
        if dash and first.isdigit() and last.isdigit() and int(last) - int(first) < 256:
            values += map(str, range(int(first), int(last) + 1))
        else:
            values.append(first + dash + last)
    return values
