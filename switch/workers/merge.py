"""One answer out of those of all workers: rules that need not know the question.

Lists are joined, and what stands in several is there once; tables are merged key by key: numbers are added
up, but for those whose key says max, longest or uptime, of which the largest counts, and those that every
worker knows whole; texts that differ are joined; a claim is true when it is for any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

# What each worker has a copy of: it must not be added up.
_COPIES = {"registrations", "contacts", "switchroom_registrations"}
_LARGEST = re.compile(r"(?:^|_)(?:max|longest|uptime|expires)(?:_|$)")
_FIRST = re.compile(r"(?:_at|_time_seconds)$")
_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)$")


def merge(answers: Sequence[Any], key: str = "") -> Any:
    """The one answer."""
    given = [answer for answer in answers if answer is not None]
    if not given:
        return None
    first = given[0]
    if len(given) == 1:
        return first
    if isinstance(first, list):
        return _joined(item for answer in given for item in answer)
    if isinstance(first, dict):
        keys = dict.fromkeys(name for answer in given for name in answer)
        return {name: merge([a[name] for a in given if name in a], name) for name in keys}
    if isinstance(first, bool):
        return any(given)
    if isinstance(first, int | float):
        return _number(key, given)
    if _FIRST.search(key):
        return min(map(str, given))
    texts = list(dict.fromkeys(map(str, given)))
    return ", ".join(text for text in texts if text)


def merge_metrics(pages: Sequence[bytes]) -> bytes:
    """One page of metrics out of several: samples of one name and labels become one."""
    lines: dict[str, None] = {}
    values: dict[str, list[float]] = {}
    for page in pages:
        for line in page.decode().splitlines():
            match = _SAMPLE.match(line)
            name = line if match is None else match[1] + (match[2] or "")
            lines.setdefault(name)
            if match is not None:
                values.setdefault(name, []).append(float(match[3]))
    return "".join(_line(name, values.get(name)) for name in _in_families(lines)).encode()


def _in_families(lines: Iterable[str]) -> list[str]:
    """The lines with all samples of a family together: a worker may have labels that the first had not."""
    families: dict[str, list[str]] = {}
    family = ""
    for line in lines:
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
        name = line.partition("{")[0]
        owner = (
            family
            if line.startswith("#")
            else next((f for f in (name, *_stems(name)) if f in families), family)
        )
        families.setdefault(owner, []).append(line)
    return [line for group in families.values() for line in group]


def _stems(name: str) -> list[str]:
    return [name.removesuffix(end) for end in ("_total", "_bucket", "_count", "_sum", "_created")]


def _line(name: str, values: list[float] | None) -> str:
    return f"{name}\n" if values is None else f"{name} {_number(name.partition('{')[0], values)}\n"


def _number(key: str, values: Sequence[float]) -> float:
    if key in _COPIES or _LARGEST.search(key):
        return max(values)
    return min(values) if _FIRST.search(key) else sum(values)


def _joined(items: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    known: set[str] = set()
    for item in items:
        mark = repr(item)
        if mark not in known:
            known.add(mark)
            found.append(item)
    return found
