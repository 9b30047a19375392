"""Seeing a call: the latest SIP messages, from memory, as a ladder, as text, as a capture file, or by HEP."""

from .export import Exporter
from .media import media_trace
from .ring import Entry, Ring
from .search import find
from .trace import Show, Trace

__all__ = ["Entry", "Exporter", "Ring", "Show", "Trace", "find", "media_trace"]
