"""Which of several workers this is, and what the supervisor gave it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from .bus import Line


@dataclass(frozen=True, slots=True)
class Place:
    """One life of one worker."""

    slot: int
    generation: int
    count: int  # of workers
    secret: bytes  # of the switch: identifiers of all its workers are known by it
    line: Line
    sockets: Sequence[Sequence[socket.socket]]  # of each worker, one for each entry of sip.listen
    died_at: float | None = None  # when the last life of this slot ended, in seconds of UTC
