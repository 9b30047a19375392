"""message/sipfrag: a status line tells how a transfer goes (RFC 3420, RFC 3515 §2.4.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import RemoteProtocolError
from ..reasons import REASONS

CONTENT_TYPE = "message/sipfrag"
EVENT = "refer"

_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: ([^\r\n]*))?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Fragment:
    """The status line of a response, all that a NOTIFY of a transfer has to have."""

    status: int
    reason: str = ""

    @classmethod
    def parse(cls, body: bytes) -> Fragment:
        """Read the first line; RemoteProtocolError when it is no status line."""
        line = re.split(rb"\r?\n", body[:1024], maxsplit=1)[0].decode("utf-8", "surrogateescape")
        found = _STATUS_LINE.fullmatch(line.rstrip(" \t"))
        if found is None:
            raise RemoteProtocolError("sipfrag without a status line")
        return cls(int(found[1]), found[2] or "")

    def __bytes__(self) -> bytes:
        reason = _CONTROL.sub(" ", self.reason or REASONS.get(self.status, ""))
        return f"SIP/2.0 {self.status} {reason}\r\n".encode("utf-8", "surrogateescape")
