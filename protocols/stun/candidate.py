"""Candidates: where somebody may be reached; RFC 8445 §5.1, RFC 8839 §5.1."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple

__all__ = ["HOST", "PEER_REFLEXIVE", "SERVER_REFLEXIVE", "Candidate", "priority_of"]

HOST, PEER_REFLEXIVE, SERVER_REFLEXIVE = 126, 110, 100  # type preferences; RFC 8445 §5.1.2.2
_LINE = re.compile(
    r"([A-Za-z0-9+/]{1,32}) ([1-9][0-9]{0,2}) ([A-Za-z-]{1,16}) ([0-9]{1,10}) ([!-~]{1,255}) ([0-9]{1,5})"
    r" typ ([a-z]{1,16})(?: .{0,512})?"
)


def priority_of(type_preference: int, local_preference: int = 65535, component: int = 1) -> int:
    """Return a candidate's priority; RFC 8445 §5.1.2.1."""
    return type_preference << 24 | local_preference << 8 | 256 - component


class Candidate(NamedTuple):
    """One address of somebody, over UDP."""

    host: str
    port: int
    priority: int
    kind: str = "host"
    component: int = 1
    foundation: str = "1"
    base: tuple[str, int] | None = None  # where it comes from, when that is another address of the same end

    @classmethod
    def parse(cls, value: str) -> Candidate | None:
        """Read the value of a=candidate; None: over TCP, a name (mDNS, RFC 8828 §3.1), or malformed."""
        found = _LINE.fullmatch(value)
        if found is None or found[3].upper() != "UDP":
            return None
        try:
            host = str(ip_address(found[5]))
        except ValueError:
            return None
        priority, port = int(found[4]), int(found[6])
        if not 0 < port < 65536 or priority >= 1 << 31:
            return None
        return cls(host, port, priority, found[7], int(found[2]), found[1])

    def __str__(self) -> str:
        text = (
            f"{self.foundation} {self.component} udp {self.priority} {self.host} {self.port} typ {self.kind}"
        )
        return text if self.base is None else f"{text} raddr {self.base[0]} rport {self.base[1]}"
