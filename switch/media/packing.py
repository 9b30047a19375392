"""G.726 has two orders of bits in RTP, RFC 3551's and AAL2's; many telephones give one the other's name."""

from __future__ import annotations

import re

_NAMED = re.compile(rb"(?im)^(a=rtpmap:\d{1,3} +)(AAL2-)?(G726-(?:16|24|32|40)/8000)")


def swapped(description: bytes) -> bytes:
    """The same with each order under the other's name."""
    return _NAMED.sub(lambda found: found[1] + (b"" if found[2] else b"AAL2-") + found[3], description)
