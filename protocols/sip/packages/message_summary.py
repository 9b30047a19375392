"""application/simple-message-summary: how many messages wait in somebody's mailbox (RFC 3842)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from ...errors import RemoteProtocolError

CONTENT_TYPE = "application/simple-message-summary"
EVENT = "message-summary"
CLASSES = (  # §5.2, RFC 3458
    *("voice-message", "fax-message", "pager-message", "multimedia-message", "text-message", "none"),
)
MAX_SIZE = 4096
MAX_COUNT = 2**32 - 1  # §5.2

_LINE = re.compile(
    r"([A-Za-z-]+)[ \t]*:[ \t]*([0-9]{1,10})[ \t]*/[ \t]*([0-9]{1,10})"
    r"(?:[ \t]*\([ \t]*([0-9]{1,10})[ \t]*/[ \t]*([0-9]{1,10})[ \t]*\))?[ \t]*"
)


class Counts(NamedTuple):
    """Messages of one class; the urgent ones are among the others."""

    new: int
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0

    def __str__(self) -> str:
        return f"{self.new}/{self.old} ({self.urgent_new}/{self.urgent_old})"


@dataclass(frozen=True, slots=True)
class Summary:
    """Whether messages wait, and how many of each class."""

    is_waiting: bool
    account: str = ""
    counts: tuple[tuple[str, Counts], ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> Summary:
        """Read a summary; RemoteProtocolError when it is none. Headers of single messages are left out."""
        if len(body) > MAX_SIZE:
            raise RemoteProtocolError("summary is too large", status=413)
        head = body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").partition("\n\n")[0]
        first, *lines = head.split("\n")
        name, _, value = first.partition(":")
        word = value.strip(" \t").lower()
        if name.strip(" \t").lower() != "messages-waiting" or word not in ("yes", "no"):
            raise RemoteProtocolError("summary without Messages-Waiting")
        account, counts = "", []
        for line in filter(None, lines):
            found = _LINE.fullmatch(line)
            if found is not None and found[1].lower() in CLASSES:
                numbers = [min(int(text or 0), MAX_COUNT) for text in found.groups()[1:]]
                counts.append((found[1].lower(), Counts(*numbers)))
            elif line.lower().startswith("message-account"):
                account = line.partition(":")[2].strip(" \t")
        return cls(word == "yes", account, tuple(counts))

    def __bytes__(self) -> bytes:
        lines = [f"Messages-Waiting: {'yes' if self.is_waiting else 'no'}"]
        if self.account:
            lines.append(f"Message-Account: {self.account}")
        lines += [f"{name.title()}: {counts}" for name, counts in self.counts]
        return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")
