"""The record of a call, and its id."""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from . import state as state_json

_RANDOM = struct.Struct("800Q")
_pool: list[int] = []  # the kernel is asked for 400 ids at once, which is most of what one costs


def record_id() -> str:
    """A new unique id: a UUID of version 7 (RFC 9562 §5.7), so that ids are in the order of time."""
    if not _pool:
        _pool.extend(_RANDOM.unpack(os.urandom(_RANDOM.size)))
    seconds, one, two = time.time(), _pool.pop(), _pool.pop()
    moment = int(1000 * seconds)
    version, variant = 0x7000 | one & 0xFFF, 0x8000 | one >> 12 & 0x3FFF
    return f"{moment >> 16:08x}-{moment & 0xFFFF:04x}-{version:04x}-{variant:04x}-{two >> 16:012x}"


class Direction(NamedTuple):
    """What came from one side of a call, all its streams together."""

    packets: int = 0
    size: int = 0
    lost: int = 0
    jitter_ms: float = 0.0
    mos: float = 0.0  # of its sound, from 1 to 4.5 (G.107); 0: there was none
    round_trip_ms: float = 0.0  # to that side and back; 0: not known
    secured: str = ""  # how its sound was protected, SDES or DTLS and the suite; "": it was not


_NOTHING = Direction()


class Record:
    """One call; times are seconds of UTC since 1970, the duration is of the monotonic clock."""

    __slots__ = (
        "answer_at", "call_id_a", "call_id_b", "callee", "caller", "cause", "codecs", "duration", "end_at",
        "ended_by", "explanation", "from_user", "id", "media_a", "media_b", "reason", "ring_at", "setup_at",
        "state", "to_user", "trunk", "verdict",
    )  # fmt: skip

    def __init__(
        self,
        setup_at: float,
        call_id_a: str = "",
        call_id_b: str = "",
        caller: str = "",
        callee: str = "",
        from_user: str = "",
        to_user: str = "",
        ring_at: float | None = None,
        answer_at: float | None = None,
        end_at: float | None = None,
        cause: int = 0,
        codecs: tuple[str, ...] = (),
        trunk: str = "",
        state: Sequence[Any] | None = None,
        id: str = "",
    ) -> None:
        self.id = id or record_id()
        self.setup_at, self.ring_at, self.answer_at, self.end_at = setup_at, ring_at, answer_at, end_at
        self.call_id_a, self.call_id_b = call_id_a, call_id_b
        self.caller = caller  # number or address, as it was shown
        self.callee = callee  # what was dialled
        self.from_user = from_user  # the account or "trunk:NAME" that made the call
        self.to_user = to_user  # the account or trunk that answered, or was tried last
        self.trunk = trunk  # the trunk that the call went out by, or that was tried last
        self.duration = 0.0  # seconds from answer to end
        self.cause = cause  # SIP status; 200 after an answered call
        self.reason = ""
        self.ended_by = ""  # caller | callee | switch
        self.codecs = codecs
        self.media_a = _NOTHING  # what the caller sent
        self.media_b = _NOTHING  # what the callee sent
        self.verdict = ""  # what became of the call, in plain words
        self.explanation: tuple[str, ...] = ()  # why it went where it went: a sentence for each decision
        self.state = state  # what another process needs to go on with the call; for JSON

    def live(self, slot: int, generation: int) -> tuple[Any, ...]:
        """A row while the call is up, in the order of ``rows.OPEN_COLUMNS``."""
        # JSON here and now: the store's thread would find all that the state leads to cold
        state = "" if self.state is None else state_json.encode(self.state)
        return (
            self.id, self.call_id_a, self.call_id_b, self.caller, self.callee, self.from_user, self.to_user,
            self.setup_at, self.ring_at, self.answer_at, _codecs_text(self.codecs), self.trunk, state,
            slot, generation,
        )  # fmt: skip

    def ended(self) -> tuple[Any, ...]:
        """A row when the call is over, in the order of ``rows.CALL_COLUMNS``."""
        row = (
            self.id, self.call_id_a, self.call_id_b, self.caller, self.callee, self.from_user, self.to_user,
            self.setup_at, self.ring_at, self.answer_at, _codecs_text(self.codecs), self.trunk, self.end_at,
            self.duration, self.cause, self.reason, self.ended_by, self.verdict, "\n".join(self.explanation),
        )  # fmt: skip
        return row + self.media_a + self.media_b


@lru_cache(maxsize=256)
def _codecs_text(codecs: tuple[str, ...]) -> str:
    return json.dumps(codecs)
