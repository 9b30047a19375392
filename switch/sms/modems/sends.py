"""What SIMs have sent. Status reports name a message by an octet and its receiver only: TP-MR comes round.

So each message gets an id of its own, and a report is about the one that was sent when the report says.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from switchroom.protocols.gsm.modem import Submitted
from switchroom.protocols.gsm.tpdu import Address, Fate, StatusReport, fate

__all__ = ["Send", "Sends", "nearest", "prefix_of", "tail_of"]

_MAX_SENDS = 20_000  # in memory; older ones are found on the disk
_TAIL = 7  # digits that a number is known by: networks write it with and without the country


class Send(NamedTuple):
    """A message that the network has."""

    id: str
    at: float  # seconds since 1970
    is_wanted: bool = True  # else nobody waits for a report


class Sends:
    """The latest of them."""

    def __init__(self) -> None:
        self._sends: OrderedDict[str, list[Send]] = OrderedDict()

    def add(self, sim: str, event: Submitted, to: str, posix: float, *, is_wanted: bool) -> str:
        """The network took a message; gives its id. Without a reference no report can name it."""
        if event.reference < 0:
            return ""
        prefix = prefix_of(sim, event.reference, Address.of(to))
        send = Send(f"{prefix}{posix:.0f}", posix, is_wanted)
        self._sends.setdefault(prefix, []).append(send)
        self._sends.move_to_end(prefix)
        while len(self._sends) > _MAX_SENDS:
            self._sends.popitem(last=False)
        return send.id

    def find(self, sim: str, report: StatusReport) -> Send | None:
        """What a report is about. After the last one about a message it is forgotten."""
        prefix = prefix_of(sim, report.message_reference, report.recipient)
        sends = self._sends.get(prefix)
        if not sends:
            return None
        send = nearest(sends, report)
        if fate(report.status) is not Fate.TRYING:
            sends.remove(send)
            if not sends:
                del self._sends[prefix]
        return send


def nearest(sends: Iterable[Send], report: StatusReport) -> Send:
    """Of several the one that was sent when the report says; without a time the oldest."""
    posix = report.timestamp.posix
    return min(sends, key=lambda send: send.at if posix is None else abs(send.at - posix))


def prefix_of(sim: str, reference: int, receiver: Address) -> str:
    """What the ids of messages of a SIM begin with."""
    return f"{sim}-{tail_of(receiver)}-{reference}-"


def tail_of(number: Address) -> str:
    """Enough of a number to know it by."""
    return number.digits[-_TAIL:]
