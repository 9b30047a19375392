"""What must last, behind small interfaces; SQLite on one machine."""

from .interfaces import BindingStore, Direction, Record, RecordSink, RecordStore, StoredBinding, record_id
from .schema import StoreError
from .sqlite import SqliteStore

__all__ = [
    "BindingStore",
    "Direction",
    "Record",
    "RecordSink",
    "RecordStore",
    "SqliteStore",
    "StoreError",
    "StoredBinding",
    "record_id",
]
