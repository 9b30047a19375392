"""What must last, behind small interfaces; SQLite on one machine."""

from .interfaces import BindingStore, RecordSink, RecordStore, StoredBinding
from .record import Direction, Record, record_id
from .schema import StoreError
from .settings import SettingStore
from .sqlite import SqliteStore, lock_store
from .texts import StoredText, TextStore

__all__ = [
    "BindingStore",
    "Direction",
    "Record",
    "RecordSink",
    "RecordStore",
    "SettingStore",
    "SqliteStore",
    "StoreError",
    "StoredBinding",
    "StoredText",
    "TextStore",
    "lock_store",
    "record_id",
]
