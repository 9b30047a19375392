"""What routing answers: a plan of steps, and why it is so; values only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

# Another destination would say the same: the number does not exist, is incomplete, or somebody said no.
FINAL = frozenset({404, 410, 484, 485, 486, *range(600, 700)})


@dataclass(frozen=True, slots=True)
class ToUser:
    """A user of this switch: every contact that the user has registered."""

    name: str


@dataclass(frozen=True, slots=True)
class ToTrunk:
    """A trunk of the configuration."""

    name: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one remote is answered that asks for digest."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToUri:
    """A fixed SIP URI."""

    uri: str
    credentials: Credentials | None = None  # for whoever answers there, and for nobody else


@dataclass(frozen=True, slots=True)
class ToApp:
    """An application in this switch, a conference of that name, or the mailbox of a user."""

    name: str
    kind: str = "app"


@dataclass(frozen=True, slots=True)
class ToWorker:
    """Another worker of this switch: it has the call whose place is to be taken."""

    slot: int


Destination = ToUser | ToTrunk | ToUri | ToApp | ToWorker


def parse_destination(text: str) -> Destination:
    """``user:1001``, ``trunk:acme``, ``app:menu`` or ``sip:...``; ValueError says what is allowed."""
    scheme, _, rest = text.partition(":")
    if rest and scheme == "user":
        return ToUser(rest)
    if rest and scheme == "trunk":
        return ToTrunk(rest)
    if rest and scheme in ("sip", "sips"):
        return ToUri(text)
    if rest and scheme in ("app", "conference", "voicemail"):
        return ToApp(rest, scheme)
    allowed = "user:NAME, trunk:NAME, app:NAME, conference:NAME, voicemail:USER or sip:URI"
    raise ValueError(f"{text!r}: must be {allowed}")


def show_destination(destination: Destination) -> str:
    """What parse_destination reads."""
    if isinstance(destination, ToUser):
        return f"user:{destination.name}"
    if isinstance(destination, ToApp):
        return f"{destination.kind}:{destination.name}"
    if isinstance(destination, ToWorker):
        return f"worker:{destination.slot}"
    return f"trunk:{destination.name}" if isinstance(destination, ToTrunk) else destination.uri


class Inquiry(NamedTuple):
    """What is asked: who calls whom, from where, when."""

    caller: str  # the number that calls, "" where it is not known
    called: str  # as dialled, without visual separators
    source: str = ""  # the account: a user's name, or trunk:NAME
    at: float = 0.0  # seconds since 1970, UTC
    chance: float = 0.0  # 0 <= chance < 1 decides between weights
    forwarders: tuple[str, ...] = ()  # the users that have forwarded this call, in order
    shown: str = ""  # the caller's number for trunks and other domains; "": as the source's settings say


_FORGOTTEN = Inquiry("", "")


class Leap(NamedTuple):
    """One destination to ring, and the numbers as this destination is to see them."""

    destination: Destination
    called: str
    caller: str
    price: float | None = None  # by the rate table
    headers: tuple[tuple[str, str], ...] = ()  # for this destination alone

    @property
    def name(self) -> str:
        """The destination in plain words."""
        to = self.destination
        if isinstance(to, ToUser):
            return f"user {to.name}"
        if isinstance(to, ToApp):
            return f"{to.kind} {to.name}"
        if isinstance(to, ToWorker):
            return f"worker {to.slot}"
        return f"trunk {to.name}" if isinstance(to, ToTrunk) else to.uri


class Step(NamedTuple):
    """Leaps that ring at once, for how long, and after which answers the next step is tried."""

    leaps: tuple[Leap, ...]
    ring_time: float | None = None  # seconds; None: calls.answer_timeout
    continue_on: frozenset[int] | None = None  # None: all but FINAL
    is_recorded: bool = False

    def is_final(self, status: int) -> bool:
        """Whether an answer ends the hunt."""
        return status in FINAL if self.continue_on is None else status not in self.continue_on


class Diversion(NamedTuple):
    """Who forwarded the call and why, as Diversion says it (RFC 5806)."""

    user: str
    number: str
    reason: str


@dataclass(slots=True)
class Plan:
    """Steps to try one after the other; none: the call is refused with status and reason."""

    inquiry: Inquiry  # as it was after forwarding: ask router.divert with this one
    steps: tuple[Step, ...] = ()
    status: int = 0  # 0 where there are steps
    reason: str = ""
    is_emergency: bool = False
    diversion: Diversion | None = None  # set when router.divert made the plan
    tell: Callable[[], Iterable[str]] = tuple
    told: tuple[str, ...] | None = None  # the lines, once they were made
    is_recorded: bool = False  # once it is settled

    @property
    def lines(self) -> tuple[str, ...]:
        """One plain sentence for each rule tried and why it did or did not match; made when asked for."""
        return tuple(self.tell()) if self.told is None else self.told

    def settle(self) -> None:
        """It led to somebody: of a plan that is kept for long only what may be asked then is needed."""
        self.is_recorded = any(step.is_recorded for step in self.steps)
        self.steps = ()
        self.told, self.tell, self.inquiry = self.lines, tuple, _FORGOTTEN
