"""Whose message it is: read from its octets, before anybody parses it.

Every identifier that we mint begins with the worker's slot and generation and the switch's site. A request
in a dialog has our tag in To, a response our branch in the topmost Via. A request that begins something
belongs to whoever got it, but for two cases: one that names a dialog or a publication of ours (Replaces,
SIP-If-Match) goes to its worker; and what comes from a trunk, whose messages all have one source and would
all reach one worker, is dealt out by the Call-ID. So retransmissions, CANCEL, and copies by another way
find the first one.

What belongs to a worker that is dead waits on the bus for its next life, which goes on with its calls. If
calls do not survive, it is nobody's: whoever got it answers, and as it knows no such dialog with 481
(RFC 3261 §12.2.2).

What would begin with a worker that is not there begins with whoever got it. That one remembers the Call-ID
and tells the others when they are all there again: the repetitions of such an INVITE, and its CANCEL, have
no tag that would say where the call is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from zlib import crc32

from switchroom.protocols import sip

_COOKIE = b"branch=z9hG4bK"
_HEAD_SIZE = 12
_TO = re.compile(rb"\r?\n(?:to|t)[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE)
_TAG = re.compile(rb";[ \t\r\n]*tag[ \t]*=[ \t]*([^;,\s]*)", re.IGNORECASE)
_CALL_ID = re.compile(rb"\r?\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_NAMED = re.compile(rb"\r?\n(?:replaces|sip-if-match)[ \t]*:([^\r\n]*)", re.IGNORECASE)
_END = b"\r\n\r\n"
_MOST_BEGUN, _LONGEST_CALL_ID = 4096, 96  # together less than a frame of the bus


class Owners:
    """Who is there, and which messages are whose."""

    def __init__(
        self, mint: sip.Mint, slot: int, count: int, *, is_spread: Callable[[str], bool] = lambda host: False
    ) -> None:
        """``is_spread``: whether what begins at this address is to be spread over all workers."""
        self._mint, self._slot, self._count = mint, slot, count
        self._is_spread = is_spread
        self._site = mint.head[6:].encode()
        self._own = mint.head.encode()
        self._heads: dict[bytes, int] = {}  # of the other workers that are there
        self._is_short = False  # one of them is not
        self._begun: dict[bytes, int] = {}  # by Call-ID: who began a call while one was not there
        self.has_heirs = False  # whether the next life of a worker goes on with the calls of the last one

    def update(self, lives: dict[int, int]) -> None:
        """Take the generation of each worker that is there."""
        self._heads = {
            self._mint.head_of(slot, generation).encode(): slot
            for slot, generation in lives.items()
            if slot != self._slot
        }
        self._is_short = len(self._heads) < self._count - 1

    @property
    def begun(self) -> list[bytes]:
        """Call-IDs of what we began while a worker was not there; the latest."""
        return [call_id for call_id, slot in self._begun.items() if slot == self._slot]

    def learn(self, call_ids: Sequence[bytes], slot: int) -> None:
        """Take what another worker says that it began."""
        for call_id in call_ids:
            if self._begun.get(call_id) != self._slot:
                self._remember(call_id, slot)

    def owner_of(self, data: bytes, host: str) -> int | None:
        """The slot of the other worker whose message it is, or None: it is ours, or nobody's."""
        if data.startswith(b"SIP/2.0 "):
            at = data.find(_COOKIE) + len(_COOKIE)
            return self._slot_of(data[at : at + _HEAD_SIZE])
        tag = to_tag(data)
        if tag is not None:
            return self._slot_of(tag[:_HEAD_SIZE])
        if self._site in data:
            owner = self._named(data)
            if owner is not None:
                return owner
        is_spread = self._is_spread(host)
        if not (is_spread or self._is_short or self._begun) or (match := _CALL_ID.search(data)) is None:
            return None
        call_id = match[1].rstrip()
        slot = self._begun.get(call_id)
        if slot is None and is_spread:
            slot = crc32(call_id) % self._count
        if slot in self._heads.values():
            return slot
        if self._is_short and data.startswith(b"INVITE ") and len(call_id) <= _LONGEST_CALL_ID:
            self._remember(call_id, self._slot)
        return None

    def _remember(self, call_id: bytes, slot: int) -> None:
        self._begun[call_id] = slot
        if len(self._begun) > _MOST_BEGUN:
            del self._begun[next(iter(self._begun))]

    def _slot_of(self, head: bytes) -> int | None:
        """The other worker whose life minted an identifier, or whose earlier life did."""
        slot = self._heads.get(head)
        if slot is not None or head == self._own or not self.has_heirs:
            return slot
        if head[6:] != self._site or head[:6].strip(b"0123456789abcdef"):
            return None
        slot = int(head[:2], 16)
        return slot if slot != self._slot and slot < self._count else None

    def _named(self, data: bytes) -> int | None:
        """The worker of the dialog or the publication that a request names."""
        head = data[: data.find(_END) + 2]
        for match in _NAMED.finditer(head):
            for found in re.finditer(re.escape(self._site), match[1]):
                slot = self._slot_of(match[1][found.start() - 6 : found.end()])
                if slot is not None:
                    return slot
        return None


def to_tag(data: bytes) -> bytes | None:
    """The tag in To of a message that is not parsed; None when there is none."""
    at = data.find(b"\r\nTo: ")  # as nearly everybody writes it
    if at >= 0:
        end = data.find(b"\r\n", at + 6)
        tag = data.find(b";tag=", at, end)
        if tag >= 0:
            return data[tag + 5 : end]
        line = data[at:end] if data[end + 2 : end + 3] not in (b" ", b"\t") else None
        if line is not None and b"=" not in line:
            return None
    match = _TO.search(data)
    found = _TAG.search(match[1]) if match is not None else None
    return None if found is None else found[1]
