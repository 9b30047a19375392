"""Memory in pages of 2 MiB: what the start has made, and what is taken from then on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

_SMAPS = "/proc/self/smaps"
_HEADING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0(?: +(\[heap\]))?$")
_LARGE = 2 << 20
_DENSE = 0.75  # of a region is in use: a thread's stack is not, and would grow by whole pages


def take_large() -> None:
    """What the interpreter takes from now on lies in such pages, where the kernel has some."""
    with suppress(ImportError):  # not built: pages of 4 KiB, slower
        from ._pages import use

        use()


def make_large() -> None:
    """Turn into such pages what is there already; where that cannot be, it stays as it is."""
    with suppress(ImportError, OSError):
        from ._pages import collapse

        with open(_SMAPS) as lines:
            for begin, end, size in own_regions(lines):
                collapse(begin, end, size)


def own_regions(lines: Iterable[str]) -> Iterator[tuple[int, int, int]]:
    """Where memory of our own lies, and how much of it is in use, as /proc/PID/smaps tells it."""
    begin = end = 0
    is_heap = False
    for line in lines:
        found = _HEADING.match(line.rstrip())
        if found is not None:
            begin, end, is_heap = int(found[1], 16), int(found[2], 16), found[3] is not None
        elif line.startswith("Rss:"):
            size = int(line.split()[1]) * 1024
            if end - begin >= _LARGE and (is_heap or size >= _DENSE * (end - begin)):
                yield begin, end, size
            begin = end = 0
