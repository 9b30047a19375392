"""Messages that were sent, and those of which nobody knows: what their status reports will name."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from ..tpdu import Address, Fate, StatusReport, Submit, fate
from .events import SubmitDoubtful, Submitted
from .results import Result

__all__ = ["Doubts"]

_MAX_REMEMBERED = 4096
_NEAR = 60.0  # seconds between what we take for the time of a message and what its service centre says


@dataclass(slots=True)
class _Doubt:
    submit: Submit
    context: Any
    result: Result
    at: float
    expires_at: float


class Doubts:
    """A report about a message that nobody has a reference of shows that one without an answer was sent.

    Of several to one receiver it is the one that was sent when the report says; what the clock of the service
    centre shows is learned from the reports about others.
    """

    def __init__(self) -> None:
        self._sent: dict[Hashable, list[float]] = {}  # by reference and recipient: the numbers come round
        self._doubts: list[_Doubt] = []
        self._seen: dict[Hashable, None] = {}
        self._offset: float | None = None  # of that clock to ours

    def submitted(self, reference: int, submit: Submit, now: float) -> None:
        """A message has a reference."""
        key = (reference, _tail(submit.destination))
        times = self._sent.pop(key, [])
        self._sent[key] = [*times[-8:], now]
        if len(self._sent) > _MAX_REMEMBERED:
            del self._sent[next(iter(self._sent))]

    def add(self, submit: Submit, context: Any, result: Result, at: float, expires_at: float) -> None:
        """A message that was written ``at`` some time and got no answer."""
        self._doubts.append(_Doubt(submit, context, result, at, expires_at))

    def next_timer(self) -> float | None:
        """When the next one is given up."""
        return min((doubt.expires_at for doubt in self._doubts), default=None)

    def expired(self, now: float) -> Iterator[SubmitDoubtful]:
        """Those that nothing was heard of."""
        for doubt in [doubt for doubt in self._doubts if doubt.expires_at <= now]:
            self._doubts.remove(doubt)
            yield SubmitDoubtful(doubt.context, doubt.result)

    def resolve(self, report: StatusReport) -> Submitted | None:
        """What a report tells about one of them."""
        if self._is_copy(report) or self._is_expected(report):
            return None
        posix, offset = report.timestamp.posix, self._offset
        doubts = [d for d in self._doubts if _tail(d.submit.destination) == _tail(report.recipient)]
        if posix is not None and offset is not None:
            doubts = [doubt for doubt in doubts if abs(posix - offset - doubt.at) < _NEAR]
            doubts.sort(key=lambda doubt: abs(posix - offset - doubt.at))
        return self._settle(doubts[0], report.message_reference) if doubts else None

    def answered(self, reference: int) -> Submitted | None:
        """An answer came after all, too late."""
        return self._settle(self._doubts[-1], reference) if self._doubts else None

    def _is_copy(self, report: StatusReport) -> bool:
        """Whether this one was seen before: it is stored until it is deleted."""
        key = (report.message_reference, report.recipient, report.timestamp, report.status)
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > _MAX_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return False

    def _is_expected(self, report: StatusReport) -> bool:
        """Whether it is about a message whose reference is known."""
        key = (report.message_reference, _tail(report.recipient))
        times = self._sent.get(key)
        if not times:
            return False
        if (posix := report.timestamp.posix) is not None:
            self._offset = posix - times[0]
        if fate(report.status) is not Fate.TRYING:
            self._sent[key] = times[1:]
        return True

    def _settle(self, doubt: _Doubt, reference: int) -> Submitted:
        self._doubts.remove(doubt)
        self.submitted(reference, doubt.submit, doubt.at)
        return Submitted(doubt.context, reference)


def _tail(address: Address) -> str:
    """Enough of a number to know it by; networks write it with and without the country."""
    return address.digits[-7:]
