"""Which of the messages belong to a call, a Call-ID or a number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .ring import Entry

_CALL_ID = re.compile(rb"(?i)\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]+)")
_PARTIES = re.compile(
    rb"(?i)\n(?:from|f|to|t|p-asserted-identity)[ \t]*:[^\r\n]*?(?:sips?|tel):([^@;>\r\n]+)"
)
_REQUEST_URI = re.compile(rb"[A-Z]+ (?:sips?|tel):([^@; \r\n]+)[@; ]")
SHORTEST_ID = 8  # characters of a call's id, so that no short number is taken for one


def call_id_of(data: bytes) -> str:
    """The message's Call-ID, or nothing."""
    found = _CALL_ID.search(data)
    return found[1].strip().decode("utf-8", "surrogateescape") if found else ""


def find(entries: Sequence[Entry], records: Mapping[str, str], what: str) -> list[tuple[Entry, str, str]]:
    """The messages of a call (id or its beginning), a Call-ID or a number; with Call-ID and id of the call.

    It looks at everything that is kept: call it in a thread.
    """
    known = [(entry, call_id_of(entry.data)) for entry in entries]
    wanted = _call_ids(known, records, what)
    calls = {records[call_id] for call_id in wanted if call_id in records}
    wanted |= {call_id for call_id, record in records.items() if record in calls}
    return [(entry, call_id, records.get(call_id, "")) for entry, call_id in known if call_id in wanted]


def _call_ids(known: Sequence[tuple[Entry, str]], records: Mapping[str, str], what: str) -> set[str]:
    """The Call-IDs of the messages that are meant directly."""
    if not what:
        return {call_id for _, call_id in known}
    if len(what) >= SHORTEST_ID:
        found = {call_id for call_id, record in records.items() if record.startswith(what)}
        if found:
            return found
    number = _plain(what.encode("utf-8", "surrogateescape"))
    return {call_id for entry, call_id in known if call_id == what or number in _numbers(entry.data)}


def _numbers(data: bytes) -> set[bytes]:
    """The numbers or users that a message is about."""
    head = data[: data.find(b"\r\n\r\n") + 2]
    found = {_plain(text) for text in _PARTIES.findall(head)}
    asked = _REQUEST_URI.match(head)
    if asked is not None:
        found.add(_plain(asked[1]))
    return found


def _plain(text: bytes) -> bytes:
    return text.replace(b"%2B", b"+").replace(b"%2b", b"+").removeprefix(b"+").lower()
