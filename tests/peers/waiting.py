"""Waiting for sockets and pipes by poll, which minds no number of descriptors as select does."""

from __future__ import annotations

import select
from collections.abc import Iterable
from typing import Protocol, TypeVar


class HasDescriptor(Protocol):
    """A socket, a pipe."""

    def fileno(self) -> int:
        """Its number."""


End = TypeVar("End", bound=HasDescriptor)


def readable(ends: Iterable[End], timeout: float) -> list[End]:
    """Those that have something, or are at their end, as soon as one has; none: the seconds are over."""
    poll, known = select.poll(), {end.fileno(): end for end in ends}
    for number in known:
        poll.register(number, select.POLLIN)
    return [known[number] for number, _ in poll.poll(max(0.0, timeout) * 1000)]
