"""Provisional responses that must arrive (RFC 3262): what the callee repeats until PRACK comes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..wheel import NEVER, Timed

if TYPE_CHECKING:
    from .core import Core, Headers
    from .extensions import RAck
    from .message import Message, Request

OPTION = "100rel"

_MAX_WAITING = 8  # responses; of more the oldest are left out: a later one says more
_SPREAD = 2**30  # the first RSeq is random below it: never near the end of its space (§3)


class Ringing(NamedTuple):
    """A provisional response that waits for its turn, or for its PRACK."""

    status: int
    reason: str | None
    headers: Headers
    body: bytes


class Ringer(Protocol):
    """Whoever answers the INVITE."""

    core: Core

    @property
    def request(self) -> Request:
        """The INVITE."""

    def send_progress(self, ringing: Ringing, tag: str, rseq: int, now: float) -> bytes:
        """Send a provisional response with this RSeq."""

    def repeat_progress(self, data: bytes) -> None:
        """Send one again."""

    def on_unacknowledged_progress(self, now: float) -> None:
        """React to there being no PRACK in 64*T1."""


class Progress(Timed):
    """The reliable provisional responses of one early dialog: one at a time, in order (§3)."""

    __slots__ = ("_data", "_give_up_at", "_interval", "_queue", "_ringer", "_rseq", "_tag", "in_flight")

    def __init__(self, ringer: Ringer, tag: str) -> None:
        super().__init__()
        self._ringer = ringer
        self._tag = tag
        self._rseq = 1 + int(ringer.core.mint.tag()[-8:], 16) % _SPREAD
        self._queue: deque[Ringing] = deque(maxlen=_MAX_WAITING)
        self._data = b""
        self._interval = 0.0
        self._give_up_at = NEVER
        self.in_flight: Ringing | None = None

    @property
    def holds_back_answer(self) -> bool:
        """Whether the 2xx has to wait: SDP is on its way, and nobody has said that it came (§3)."""
        return self.in_flight is not None and bool(self.in_flight.body)

    def ring(self, ringing: Ringing, now: float) -> None:
        """Send it as soon as what went before is acknowledged."""
        if self.in_flight is not None:
            self._queue.append(ringing)
        else:
            self._send(ringing, now)

    def _send(self, ringing: Ringing, now: float) -> None:
        self.in_flight = ringing
        self._data = self._ringer.send_progress(ringing, self._tag, self._rseq, now)
        timers = self._ringer.core.timers
        self._interval = timers.t1
        self._give_up_at = now + timers.timeout
        self._ringer.core.wheel.arm(self, now + timers.t1, now)

    def settle(self, rack: RAck, now: float) -> Ringing | None:
        """Take a PRACK: what it acknowledges; None when that is nothing that waits for it."""
        settled = self.in_flight
        if settled is None or rack != (self._rseq, self._ringer.request.cseq.number, "INVITE"):
            return None
        self._rseq += 1
        self.in_flight = None
        self._ringer.core.wheel.disarm(self)
        return settled

    def ring_next(self, now: float) -> None:
        """Send what waits."""
        if self._queue and self.in_flight is None:
            self._send(self._queue.popleft(), now)

    def stop(self) -> None:
        """Send nothing more: there is a final response; a PRACK that is on its way is still good (§3)."""
        self._queue.clear()
        self._ringer.core.wheel.disarm(self)

    def handle_timer(self, now: float) -> None:
        """Send again, on any transport, as there may be datagrams further on; or give up."""
        if now >= self._give_up_at:
            self._ringer.on_unacknowledged_progress(now)
            return
        self._ringer.repeat_progress(self._data)
        self._interval *= 2
        self._ringer.core.wheel.arm(self, min(now + self._interval, self._give_up_at), now)


def has_sdp(message: Message) -> bool:
    """Whether there is an offer or answer in it, as far as types tell."""
    if not message.body:
        return False
    kind = message.content_type or ""
    return kind == "application/sdp" or kind.startswith("multipart/")
