"""Which of several binds each message goes over: as many to each as its window has room for, in turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .line import Line

__all__ = ["spread"]


def spread(lines: Sequence[Line], count: int) -> Iterator[Line | None]:
    """A bind for each of ``count`` messages; None when all windows are full.

    Those with the most room come first, and each gets its share in one piece, so that messages which are
    handed over together mostly stay together.
    """
    rooms = sorted(((line.session.room, i) for i, line in enumerate(lines)), reverse=True)
    total = sum(room for room, _ in rooms)
    for room, i in rooms:
        share = min(room, count, -(-count * room // total)) if total else 0
        total -= room
        for _ in range(share):
            yield lines[i]
        count -= share
    while count > 0:
        yield None
        count -= 1
