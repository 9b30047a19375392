"""What the API keeps: one table of documents, each with its account, on SQLite with group commit."""

from .document import Document, Query
from .library import Library
from .writer import TakenError

__all__ = ["Document", "Library", "Query", "TakenError"]
