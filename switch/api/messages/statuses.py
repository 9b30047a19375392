"""What the states of the centre are called here, and the codes of what went wrong."""

from __future__ import annotations

from switchroom.protocols import gsm
from switchroom.switch.sms.interfaces import Refusal, State

FINAL = frozenset({"delivered", "undelivered", "failed", "canceled", "received", "read"})
_STATUSES = {
    State.QUEUED: "queued",
    State.DEFERRED: "queued",
    State.SENDING: "sending",
    State.SENT: "sent",
    State.DELIVERED: "delivered",
    State.EXPIRED: "undelivered",
    State.UNDELIVERABLE: "undelivered",
    State.REJECTED: "undelivered",
    State.UNKNOWN: "undelivered",
    State.SKIPPED: "undelivered",
    State.DELETED: "canceled",
    State.SCHEDULED: "scheduled",
}
_RANKS = {"scheduled": 0, "accepted": 1, "queued": 2, "sending": 3, "sent": 4}
_BY_STATE = {
    State.EXPIRED: 30003,
    State.UNDELIVERABLE: 30005,
    State.REJECTED: 30007,
    State.UNKNOWN: 30008,
    State.SKIPPED: 30008,
}
_BY_ERROR = {  # err: of receipts as most carriers write it (SMPP 3.4 appendix B leaves it open)
    "001": 30005,
    "005": 30003,
    "006": 30003,
    "008": 30006,
    "011": 30006,
    "013": 30004,
    "021": 30006,
    "027": 30003,
    "031": 30003,
}
_BY_REFUSAL = {
    "no-route": 30006,
    "bad-destination": 30005,
    "bad-source": 30032,
    "blocked": 30004,
    "intercepted": 30004,
    "opted-out": 21610,
    "no-credit": 30002,
}
_TEXTS = {
    21610: "The receiver does not want messages from this sender",
    30002: "The account may not send",
    30003: "The handset cannot be reached",
    30004: "The message was blocked",
    30005: "The handset is not known",
    30006: "No way leads to this number",
    30007: "The message was rejected on its way",
    30008: "Nobody says why",
    30032: "The sender is not one that may be used",
}
WAITS = frozenset({"queue-full", "throttled"})  # refusals that are none: it is tried again


def status_of(state: State) -> str:
    """The status of a state; nothing: it is not told."""
    return _STATUSES.get(state, "")


def may_follow(old: str, new: str) -> bool:
    """Whether a message can go from one status to another: never back, never on from the last."""
    return old not in FINAL and (new in FINAL or _RANKS.get(new, -1) > _RANKS.get(old, -1))


def error_of(state: State, error: str, old: str) -> int | None:
    """The code of a message that ended badly."""
    if state not in _BY_STATE:
        return None
    return _BY_ERROR.get(error, _BY_STATE[state])


def refusal_code(refusal: Refusal) -> int:
    """The code of a message that the centre did not take."""
    return _BY_REFUSAL.get(refusal.word, 30008)


def error_text(code: int | None) -> str | None:
    """What a code says."""
    return None if code is None else _TEXTS.get(code, "The message was not delivered")


def segments_of(text: str) -> int:
    """How many messages a text is on the air."""
    return len(list(gsm.split(text))) if text else 1
