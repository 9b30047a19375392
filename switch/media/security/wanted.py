"""What an m-line is about to be; RFC 3264."""

from __future__ import annotations

from typing import NamedTuple

from switchroom.protocols.srtp import Crypto, Setup
from switchroom.protocols.stun import Credentials

from .channel import Mode
from .heard import Heard


class Wanted(NamedTuple):
    """What one m-line is about to be: by its own description and our answer, or by our offer."""

    mode: Mode
    proto: str
    local: Crypto | None = None
    remote: Crypto | None = None
    setup: Setup | None = None
    credentials: Credentials | None = None
    heard: Heard | None = None
    lead: int | None = None  # the line that leads the bundle that it is in
    payloads: int = 0  # of its own, as bits
    sources: tuple[int, ...] = ()  # that it named
    mid_id: int = 0  # of the header extension by which it is asked to name itself

    @property
    def is_browser(self) -> bool:
        return self.credentials is not None
