"""Where a user's calls go instead: the configured settings and those that replace them while we run."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from switchroom.switch.config import UserConfig

Why = Literal["always", "busy", "no-answer", "unreachable"]
# RFC 5806 §4's names of them
REASONS: Mapping[Why, str] = {
    "always": "unconditional",
    "busy": "user-busy",
    "no-answer": "no-answer",
    "unreachable": "unavailable",
}
WORDS: Mapping[Why, str] = {
    "always": "all calls",
    "busy": "calls when busy",
    "no-answer": "calls that nobody answers",
    "unreachable": "calls when no phone can be reached",
}


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What replaces a user's configuration; None: as configured, "": nowhere."""

    always: str | None = None
    busy: str | None = None
    no_answer: str | None = None
    unreachable: str | None = None
    no_answer_after: float | None = None
    do_not_disturb: bool | None = None


Overrides = MutableMapping[str, Forwarding]


class Settings(NamedTuple):
    """What is in force for a user."""

    always: str = ""
    busy: str = ""
    no_answer: str = ""
    unreachable: str = ""
    no_answer_after: float = 20.0
    do_not_disturb: bool = False

    def target(self, why: Why, *, boxes: bool = True) -> str:
        """Where such calls go; empty: nowhere. ``boxes``: mailboxes count."""
        if why == "always":
            found = self.always or (self.busy if self.do_not_disturb else "")
        elif why == "busy":
            found = self.busy
        else:
            found = self.no_answer if why == "no-answer" else self.unreachable
        return "" if found.startswith("voicemail:") and not boxes else found


def configured(user: UserConfig) -> Settings:
    """The settings of the file; a mailbox takes what goes nowhere else."""
    box = f"voicemail:{user.name}" if user.voicemail else ""
    return Settings(
        user.forward_always,
        user.forward_busy or box,
        user.forward_no_answer or box,
        user.forward_unreachable or box,
        user.no_answer_after,
        user.do_not_disturb,
    )


def merge(settings: Settings, override: Forwarding) -> Settings:
    """The settings with what was changed while we run."""
    changed = {name: getattr(override, name) for name in Settings._fields}
    return settings._replace(**{name: value for name, value in changed.items() if value is not None})
