"""A message in memory, and how it becomes a row of the store and a message again."""

from __future__ import annotations

import json
from typing import Any

from switchroom.switch.sms.interfaces import NO_CONCAT, STATES, Address, Concat, Outcome, State, Submission
from switchroom.switch.store.sms import Row
from switchroom.switch.store.sms.pending import StateRow

_SELDOM: tuple[tuple[str, Any], ...] = (  # with the value that is not worth writing
    ("message_class", -1),
    ("protocol_id", 0),
    ("esm_class", 0),
    ("service_type", ""),
    ("schedule_at", 0.0),
    ("is_replacing", False),
    ("key", ""),
)
_LAST_RANK = 3


class Stored:
    """A message that the centre has in hand; the interface Message for outlets."""

    __slots__ = (
        "accepted_at",
        "attempts",
        "changed_at",
        "destination",
        "error",
        "expires_at",
        "id",
        "joined",
        "lane",
        "network_error",
        "outlet",
        "outstanding",
        "parts",
        "progress",
        "reason",
        "rounds",
        "route",
        "source",
        "state",
        "submission",
        "tried",
        "turn",
        "wish",
        "worst",
    )

    def __init__(self, id: int, submission: Submission, accepted_at: float, expires_at: float) -> None:
        self.id = id
        self.submission = submission
        self.source, self.destination = submission.source, submission.destination
        self.accepted_at = self.changed_at = accepted_at
        self.expires_at = expires_at
        self.state = State.QUEUED
        self.lane = self.outlet = self.route = self.error = self.reason = ""
        self.attempts = 0
        self.network_error = b""  # of the last receipt
        self.parts = 1
        self.wish = submission.wish  # what the next hop is asked for
        self.progress: list[State | None] | None = None  # of each part, where there are several
        self.joined: tuple[Stored, ...] = ()  # the other parts of the long message that went with it
        self.rounds = 0  # how often it was gathered with its other parts
        self.outstanding = 0  # parts that the outlet has and has not answered for
        self.worst: Outcome | None = None  # of the parts that failed
        self.turn = ""  # on routes in order: whose turn it waits for
        self.tried: tuple[str, ...] = ()  # ways that failed since the last wait

    @property
    def rank(self) -> int:
        """Its place among others of its lane: low goes first."""
        return _LAST_RANK - self.submission.priority

    @property
    def place(self) -> str:
        """What the store keeps as its outlet: the lane, while it waits in one."""
        return self.lane if self.state is State.QUEUED else self.outlet

    def row(self) -> Row:
        """The whole message."""
        s = self.submission
        source, destination = s.source, s.destination
        return Row(
            self.id,
            s.inlet,
            source[0],
            source[1] << 8 | source[2],
            destination[0],
            destination[1] << 8 | destination[2],
            s.body,
            s.coding,
            extra_of(s),
            s.wish,
            s.priority,
            self.expires_at,
            self.accepted_at,
            self.state,
            self.place,
            self.route,
            self.attempts,
            self.changed_at,
            self.error,
            self.reason,
            self.parts,
        )

    def state_row(self) -> StateRow:
        """What may have changed."""
        return (
            self.id,
            self.state,
            self.place,
            self.route,
            self.attempts,
            self.changed_at,
            self.error,
            self.reason,
            self.parts,
        )


def restore(row: Row) -> Stored:
    """The message of a row."""
    message = Stored(row.id, submission_of(row), row.accepted_at, row.expires_at)
    message.state = state = STATES[row.state]
    if state is State.QUEUED:
        message.lane = row.outlet
    else:
        message.outlet = row.outlet
    message.route, message.attempts, message.parts = row.route, row.attempts, row.parts
    message.changed_at, message.error, message.reason = row.changed_at, row.error, row.reason
    return message


def submission_of(row: Row) -> Submission:
    """What was submitted."""
    _, inlet, source, source_kind, number, kind, body, coding, more, wish, priority, expires_at, *_ = row
    sender = Address(source, source_kind >> 8, source_kind & 0xFF)
    receiver = Address(number, kind >> 8, kind & 0xFF)
    if not more:  # nearly all; by place, which is quicker
        seldom = (b"", NO_CONCAT, -1, 0, 0, "")
        return Submission(inlet, sender, receiver, body, coding, *seldom, priority, wish, 0.0, expires_at)
    extra = json.loads(more)
    return Submission(
        inlet,
        sender,
        receiver,
        body,
        coding,
        bytes.fromhex(extra.pop("udh", "")),
        Concat(*extra.pop("concat", NO_CONCAT)),
        priority=priority,
        wish=wish,
        expires_at=expires_at,
        tlvs=tuple((tag, bytes.fromhex(value)) for tag, value in extra.pop("tlvs", ())),
        **extra,
    )


def extra_of(s: Submission) -> str | None:
    """JSON of what messages seldom have."""
    # Two comparisons for what nearly all messages are: nothing special
    if (
        s[5:8] == _PLAIN
        and s[8:11] == _PLAIN_TOO
        and not (s.schedule_at or s.is_replacing or s.tlvs or s.key)
    ):
        return None
    found: dict[str, Any] = {name: value for name, plain in _SELDOM if (value := getattr(s, name)) != plain}
    if s.udh:
        found["udh"] = s.udh.hex()
    if s.concat.total:
        found["concat"] = list(s.concat)
    if s.tlvs:
        found["tlvs"] = [(tag, value.hex()) for tag, value in s.tlvs]
    return json.dumps(found) if found else None


_PLAIN = (b"", NO_CONCAT, -1)  # udh, concat, message_class
_PLAIN_TOO = (0, 0, "")  # protocol_id, esm_class, service_type
