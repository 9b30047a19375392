"""Where a simulated modem and its SIM keep messages: numbered places, of which there are only so many."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Entry", "Status", "Storage", "StorageFullError"]


class Status(IntEnum):
    """<stat> in PDU mode (3GPP TS 27.005 §3.1)."""

    UNREAD = 0
    READ = 1
    UNSENT = 2
    SENT = 3


STATUS_WORDS = {
    Status.UNREAD: "REC UNREAD",
    Status.READ: "REC READ",
    Status.UNSENT: "STO UNSENT",
    Status.SENT: "STO SENT",
}


@dataclass(slots=True)
class Entry:
    """One message: a TPDU, with the service centre before it as in PDU mode."""

    status: Status
    octets: bytes


class StorageFullError(Exception):
    """There is no place left."""


class Storage:
    """SM of a SIM, or ME of a modem."""

    def __init__(self, name: str, capacity: int) -> None:
        self.name = name
        self.capacity = capacity
        self.entries: dict[int, Entry] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, status: Status, octets: bytes) -> int:
        """Take the first free place."""
        place = next((n for n in range(1, self.capacity + 1) if n not in self.entries), None)
        if place is None:
            raise StorageFullError(f"{self.name} has {self.capacity} messages")
        self.entries[place] = Entry(status, octets)
        return place

    def remove(self, place: int) -> bool:
        """Free a place; False: there was nothing."""
        return self.entries.pop(place, None) is not None

    def remove_all(self, flag: int) -> None:
        """<delflag> of AT+CMGD: 1 what was read, 2 and what was sent, 3 and what was not, 4 everything."""
        gone = {
            1: (Status.READ,),
            2: (Status.READ, Status.SENT),
            3: (Status.READ, Status.SENT, Status.UNSENT),
            4: tuple(Status),
        }
        for place in [place for place, entry in self.entries.items() if entry.status in gone.get(flag, ())]:
            del self.entries[place]
