"""The four transaction machines as tables (RFC 3261 §17, with the Accepted states of RFC 6026)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from ..wheel import NEVER
from .core import Core, Filed

if TYPE_CHECKING:
    from .flow import Flow
    from .message import Request


class TransactionState(IntEnum):
    """A state of any of the four machines; what is terminated may leave a tombstone."""

    CALLING = 1
    TRYING = 2
    PROCEEDING = 3
    ACCEPTED = 4  # RFC 6026
    COMPLETED = 5
    CONFIRMED = 6
    TERMINATED = 7

    __hash__ = int.__hash__  # that of enumerations hashes the name, in Python


class Came(IntEnum):
    """What moves a machine: a response, received by a client or sent by a server."""

    PROVISIONAL = 1
    SUCCESS = 2
    FAILURE = 3

    __hash__ = int.__hash__


CAME = (Came.PROVISIONAL, Came.PROVISIONAL, Came.SUCCESS, *[Came.FAILURE] * 4)  # by status // 100

_S = TransactionState
_COMPLETED = _S.COMPLETED

# Figure 5 of RFC 3261 as RFC 6026 §7.2 redraws it. Timer A sends again in CALLING, B ends CALLING, C
# PROCEEDING, M ACCEPTED. COMPLETED for timer D is a tombstone with the ACK, and so is ACCEPTED once the
# owner has acknowledged.
INVITE_CLIENT = {
    (_S.CALLING, Came.PROVISIONAL): _S.PROCEEDING,
    (_S.CALLING, Came.SUCCESS): _S.ACCEPTED,
    (_S.CALLING, Came.FAILURE): _S.COMPLETED,
    (_S.PROCEEDING, Came.PROVISIONAL): _S.PROCEEDING,
    (_S.PROCEEDING, Came.SUCCESS): _S.ACCEPTED,
    (_S.PROCEEDING, Came.FAILURE): _S.COMPLETED,
    (_S.ACCEPTED, Came.SUCCESS): _S.ACCEPTED,
}

# Figure 6. Timer E sends again in TRYING and PROCEEDING, F ends both. COMPLETED for timer K is a tombstone.
REQUEST_CLIENT = {
    (_S.TRYING, Came.PROVISIONAL): _S.PROCEEDING,
    (_S.TRYING, Came.SUCCESS): _S.COMPLETED,
    (_S.TRYING, Came.FAILURE): _S.COMPLETED,
    (_S.PROCEEDING, Came.PROVISIONAL): _S.PROCEEDING,
    (_S.PROCEEDING, Came.SUCCESS): _S.COMPLETED,
    (_S.PROCEEDING, Came.FAILURE): _S.COMPLETED,
}

# Figure 7 as RFC 6026 §7.1 redraws it. Timer G sends again in COMPLETED, H ends it. ACCEPTED sends its 2xx
# again until the ACK (§13.3.1.4: the core's duty, done here); CONFIRMED for timer I, and what is left of
# timer L after the ACK, are tombstones that absorb.
INVITE_SERVER = {
    (_S.PROCEEDING, Came.PROVISIONAL): _S.PROCEEDING,
    (_S.PROCEEDING, Came.SUCCESS): _S.ACCEPTED,
    (_S.PROCEEDING, Came.FAILURE): _S.COMPLETED,
}

# Figure 8. COMPLETED for timer J is a tombstone with the response.
REQUEST_SERVER = {
    (_S.TRYING, Came.PROVISIONAL): _S.PROCEEDING,
    (_S.TRYING, Came.SUCCESS): _S.COMPLETED,
    (_S.TRYING, Came.FAILURE): _S.COMPLETED,
    (_S.PROCEEDING, Came.PROVISIONAL): _S.PROCEEDING,
    (_S.PROCEEDING, Came.SUCCESS): _S.COMPLETED,
    (_S.PROCEEDING, Came.FAILURE): _S.COMPLETED,
}


_NEVER = NEVER  # compiled, a number of C
Rows = tuple[tuple[TransactionState | None, ...], ...]


def rows(table: dict[tuple[TransactionState, Came], TransactionState]) -> Rows:
    """A table by state and then by what came, None where it has nothing: found in half the time."""
    states, kinds = range(_S.TERMINATED + 1), range(Came.FAILURE + 1)
    numbers = {(int(state), int(came)): after for (state, came), after in table.items()}
    return tuple([tuple([numbers.get((state, came)) for came in kinds]) for state in states])


class Transaction(Filed):
    """One request and its responses; at most one time to send again and one to give up."""

    __slots__ = (
        "context",
        "core",
        "data",
        "give_up_at",
        "interval",
        "request",
        "resend_at",
        "state",
    )

    def __init__(self, core: Core, key: str, request: Request, flow: Flow, state: TransactionState) -> None:
        self._prepare(core, key, request, flow, state)

    def _prepare(self, core: Core, key: str, request: Request, flow: Flow, state: TransactionState) -> None:
        self._file(key, flow)
        self.core = core
        self.request = request
        self.state = state
        self.data = b""  # what is sent again
        self.interval = self.core.timers.t1
        self.resend_at = _NEVER
        self.give_up_at = _NEVER
        self.context: object = None  # belongs to the owner

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.request.method

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will come of it."""
        return bool(self.state >= _COMPLETED)

    def handle_timer(self, now: float) -> None:
        """Send again or give up."""
        if now >= self.give_up_at:
            self.give_up_at = self.resend_at = _NEVER
            self._on_give_up(now)
            return
        self._send_again(now)
        self._arm(now)

    def _arm(self, now: float) -> None:
        resend_at, give_up_at = self.resend_at, self.give_up_at
        self.core.wheel.arm(self, resend_at if resend_at < give_up_at else give_up_at, now)

    def _send_again(self, now: float) -> None:
        """What ``resend_at`` asks for; a server of other than INVITE sends again only when asked."""

    def _on_give_up(self, now: float) -> None:
        """What ``give_up_at`` asks for."""
