"""What became of a call, in one plain sentence: who was tried, what each said, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call

_MAX_NOTES = 20
_MAX_SIZE = 1000


def of(call: Call, cause: int, reason: str, ended_by: str, now: float) -> str:
    """The sentence: "rejected by trunk acme with 403 after 82 ms; next: trunk beta answered"."""
    if call.answered_at is not None:
        last = f"{_name(call)} answered after {seconds(call.answered_at - call.setup_at)}"
        if call.has_survived:
            last += "; survived a restart"
        if ended_by == "switch":
            last += f"; ended by the switch: {reason}"
    elif ended_by == "caller":
        last = f"the caller gave up after {seconds(now - call.setup_at)}"
    else:
        last = f"the caller heard {cause} after {seconds(now - call.setup_at)}"
        if ended_by == "switch" or not call.notes:
            last += f": {reason}"
    notes = call.notes
    if not notes:
        return last
    if len(notes) > _MAX_NOTES:
        notes = [*notes[:_MAX_NOTES], f"{len(notes) - _MAX_NOTES} more"]
    joint = "; next: " if call.answered_at is not None else "; "
    text = "; next: ".join(notes) + joint + last
    return text if len(text) <= _MAX_SIZE else text[:_MAX_SIZE] + "…"


def _name(call: Call) -> str:
    leg = call.b
    account = leg.account if leg is not None else ""
    if account.startswith("trunk:"):
        return f"trunk {account[6:]}"
    return f"user {account}" if account else call.record.to_user


def seconds(time: float) -> str:
    """A time for people."""
    return f"{int(time * 1000 + 0.5)} ms" if time < 1.0 else f"{time:.1f} s"
