"""Which compiled parts are missing: the switch runs without most of them, slower."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_ROOMS = ("codecs", "protocols", "switch")


def missing_twins() -> list[str]:
    """Names of compiled modules that have a stub beside them but were not built."""
    root = Path(__file__).parents[2]
    found = []
    for room in _ROOMS:
        for stub in sorted((root / room).rglob("_*.pyi")):
            name = "switchroom." + ".".join(stub.relative_to(root).with_suffix("").parts)
            if find_spec(name) is None:
                found.append(name)
    return found
