"""Memory in large pages."""

from __future__ import annotations

import subprocess
import sys

import pytest

from switchroom.switch.ops import pages

SMAPS = """\
55e0c0a00000-55e0c1a00000 rw-p 00000000 00:00 0                          [heap]
Size:              16384 kB
Rss:                4000 kB
7f0000000000-7f0000100000 rw-p 00000000 00:00 0
Size:               1024 kB
Rss:                1024 kB
7f1000000000-7f1000800000 rw-p 00000000 00:00 0
Size:               8192 kB
Rss:                  64 kB
7f2000000000-7f2000800000 r-xp 00000000 08:01 77                         /usr/lib/libpython3.11.so
Size:               8192 kB
Rss:                8192 kB
7f3000000000-7f3000400000 rw-p 00000000 00:00 0
Size:               4096 kB
Rss:                3500 kB
"""
GROWING = """
from switchroom.switch.ops import _pages, pages
pages.take_large()
pages.make_large()
assert _pages.count() == 0
kept = [{n: str(n)} for n in range(100_000)]  # some 30 MB
most = _pages.count()
assert all(one == {n: str(n)} for n, one in enumerate(kept))
kept = None
print(most, _pages.count())
"""


def test_the_heap_and_what_is_dense_are_found_and_a_stack_is_not() -> None:
    assert list(pages.own_regions(SMAPS.splitlines())) == [
        (0x55E0C0A00000, 0x55E0C1A00000, 4_000 * 1024),
        (0x7F3000000000, 0x7F3000400000, 3_500 * 1024),
    ]


def test_arenas_are_taken_two_by_two_and_given_back() -> None:
    pytest.importorskip("switchroom.switch.ops._pages")
    told = subprocess.run([sys.executable, "-c", GROWING], capture_output=True, text=True, check=True).stdout
    most, left = map(int, told.split())
    assert most > 8
    assert left < most / 2
