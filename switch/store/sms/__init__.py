"""Messages that must last: what was submitted, where it is, what became of it; a file of its own."""

from .interfaces import (
    Expecting,
    MessageStore,
    Orphan,
    Owed,
    Queued,
    Row,
    part_key,
    split_part_key,
)
from .pending import Pending, Ticket
from .reader import Filter
from .sqlite import SqliteMessages
from .sweep import Retention

__all__ = [
    "Expecting",
    "Filter",
    "MessageStore",
    "Orphan",
    "Owed",
    "Pending",
    "Queued",
    "Retention",
    "Row",
    "SqliteMessages",
    "Ticket",
    "part_key",
    "split_part_key",
]
