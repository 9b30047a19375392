"""Imports only flow down: the arrows between the rooms, held by reading the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("protocols", "codecs", "switch")

# Which rooms a room may import, beside itself.
_MAY_IMPORT = {
    "protocols": set(),
    "codecs": set(),
    "switch/config": set(),
    "switch/numbering": {"switch/config"},
    "switch/store": {"switch/config"},
    "switch/net": {"protocols", "switch/config"},
    "switch/media": {"protocols", "codecs", "switch/config", "switch/net", "switch/store"},
    "switch/phone": {"protocols", "codecs", "switch/config", "switch/net"},
}
for room in ("switch/calls", "switch/sms"):
    _MAY_IMPORT[room] = {"switch/numbering", "switch/media", *_MAY_IMPORT["switch/media"]}
_BELOW = {*_MAY_IMPORT} - {"switch/phone"}
_MAY_IMPORT |= {
    "switch/api": set(_BELOW),
    "switch/ops": _BELOW | {"switch/api"},
    "switch/workers": _BELOW | {"switch/api", "switch/ops"},
    "switch": _BELOW | {"switch/api", "switch/ops"},  # app.py: the house itself
}
# The command line builds what it runs, and shows the way to the phone.
_DOORS = {
    *(("switch/ops/cli", room) for room in ("switch", "switch/phone", "switch/workers")),
    ("switch/workers", "switch"),  # each worker builds a house
}

_ENGINES = ("protocols", "codecs")
_NOT_IN_ENGINES = {
    *("asyncio", "socket", "ssl", "select", "selectors", "threading", "multiprocessing", "subprocess"),
    *(
        "time",
        "datetime",
        "sched",
        "signal",
        "logging",
        "sqlite3",
        "uvloop",
        "pyroute2",
        "structlog",
        "pydantic",
    ),
}
# Inside protocols a family stands alone, but for these.
_BETWEEN_FAMILIES = {
    "rtcp": {"rtp"},
    "sip": {"stun"},  # keep-alives on the port of SIP, RFC 5626 §4.4.2
    "smpp": {"gsm"},
    "srtp": {"rtp"},
    "stir": {"sip"},  # its tokens stand in SIP's headers
}


def sources(*rooms: str) -> list[Path]:
    return [
        path
        for room in rooms
        for path in sorted((ROOT / room).rglob("*.py*"))
        if path.suffix in (".py", ".pyi")
    ]


def room_of(module: tuple[str, ...]) -> str:
    """protocols, codecs, switch/calls, ...; modules directly in switch/ are the house."""
    if module[0] == "switch" and len(module) > 1 and (ROOT / "switch" / module[1]).is_dir():
        return f"switch/{module[1]}"
    return module[0]


def imports_of(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and absolute name, from the root of the project, of whatever a file imports."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = (*base, *(node.module.split(".") if node.module else ()))
            names = [(*stem, alias.name) for alias in node.names]
        else:
            continue
        for name in names:
            yield node.lineno, name[1:] if name[0] == "switchroom" else name


def is_ours(name: tuple[str, ...], path: Path) -> bool:
    """``codecs`` alone is Python's own; ours is written switchroom.codecs or relative."""
    return name[0] in ROOMS and not (name[0] == "codecs" and len(name) == 1)


@pytest.mark.parametrize("path", sources(*ROOMS), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_arrows(path: Path) -> None:
    relative = path.relative_to(ROOT)
    own = room_of(relative.with_suffix("").parts)
    wrong = []
    for line, name in imports_of(path):
        if not is_ours(name, path):
            continue
        other = room_of(name)
        is_door = any(str(relative).startswith(door) and other == room for door, room in _DOORS)
        if other != own and other not in _MAY_IMPORT[own] and not is_door:
            wrong.append(f"{relative}:{line}: {own} must not import {other}")
    assert wrong == []


@pytest.mark.parametrize("path", sources(*_ENGINES), ids=lambda p: str(p.relative_to(ROOT)))
def test_engines_have_no_clock_and_no_socket(path: Path) -> None:
    found = [(line, name[0]) for line, name in imports_of(path) if name[0] in _NOT_IN_ENGINES]
    assert found == []


@pytest.mark.parametrize("path", sources("protocols"), ids=lambda p: str(p.relative_to(ROOT)))
def test_families_of_protocols_stand_alone(path: Path) -> None:
    own = path.relative_to(ROOT).parts[1]
    for line, name in imports_of(path):
        if name[0] == "protocols" and len(name) > 1 and (ROOT / "protocols" / name[1]).is_dir():
            assert name[1] in {own, *_BETWEEN_FAMILIES.get(own, ())}, f"{path}:{line}"


@pytest.mark.parametrize("path", sources(*ROOMS), ids=lambda p: str(p.relative_to(ROOT)))
def test_nobody_below_imports_tests_or_benchmarks(path: Path) -> None:
    assert [name for _, name in imports_of(path) if name[0] in ("tests", "bench")] == []


def test_compiled_modules_keep_the_arrows_too() -> None:
    """cimport and import lines of Cython name rooms by their full names."""
    for path in sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.p[yx][xd]")):
        own = room_of(path.relative_to(ROOT).with_suffix("").parts)
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["from"], ["import"], ["cimport"]) and words[1].startswith("switchroom."):
                other = room_of(tuple(words[1].split(".")[1:]))
                assert other == own or other in _MAY_IMPORT[own], f"{path}: {line}"


def test_every_room_is_typed() -> None:
    for room in ROOMS:
        assert (ROOT / room / "py.typed").exists()
        for pyx in (ROOT / room).rglob("*.pyx"):
            assert pyx.with_suffix(".pyi").exists(), f"{pyx} has no stub"


def test_the_arrows_are_seen() -> None:
    """The reading itself: what it takes for an import."""
    here = ROOT / "switch" / "calls" / "call.py"
    assert room_of(("switch", "calls", "call")) == "switch/calls"
    assert room_of(("switch", "app")) == "switch"
    assert not is_ours(("codecs",), here)
    assert is_ours(("codecs", "catalog"), here)
    found = {name for _, name in imports_of(ROOT / "switch" / "store" / "sqlite.py")}
    assert ("switch", "store", "writer", "Writer") in found
    assert ("sqlite3",) in found
