"""What routing answers: a plan of steps, and why it is so; values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from switchroom.switch.calls.routing.search import Search

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


class Inquiry:
    """What is asked: who calls whom, from where, when."""

    __slots__ = ("at", "called", "caller", "chance", "forwarders", "shown", "source")

    def __init__(
        self,
        caller: str,
        called: str,
        source: str = "",
        at: float = 0.0,
        chance: float = 0.0,
        forwarders: tuple[str, ...] = (),
        shown: str = "",
    ) -> None:
        self.caller = caller  # the number that calls, "" where it is not known
        self.called = called  # as dialled, without visual separators
        self.source = source  # the account: a user's name, or trunk:NAME
        self.at = at  # seconds since 1970, UTC
        self.chance = chance  # 0 <= chance < 1 decides between weights
        self.forwarders = forwarders  # the users that have forwarded this call, in order
        self.shown = shown  # the caller's number for trunks and other domains; "": as its settings say

    def forwarded(self, user: str, called: str, shown: str = "") -> Inquiry:
        """What is asked when a user has sent the call on."""
        forwarders = (*self.forwarders, user)
        return Inquiry(self.caller, called, user, self.at, self.chance, forwarders, shown or self.shown)


_FORGOTTEN = Inquiry("", "")


class Leap:
    """One destination to ring, and the numbers as this destination is to see them."""

    __slots__ = ("called", "caller", "destination", "headers", "price")

    def __init__(
        self,
        destination: Destination,
        called: str,
        caller: str,
        price: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.destination = destination
        self.called = called
        self.caller = caller
        self.price = price  # by the rate table
        self.headers = headers  # for this destination alone

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leap) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def _parts(self) -> tuple[object, ...]:
        return self.destination, self.called, self.caller, self.price, self.headers

    def with_headers(self, headers: tuple[tuple[str, str], ...]) -> Leap:
        """The same with these headers."""
        return Leap(self.destination, self.called, self.caller, self.price, headers)

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


class Step:
    """Leaps that ring at once, for how long, and after which answers the next step is tried."""

    __slots__ = ("continue_on", "is_recorded", "leaps", "ring_time")

    def __init__(
        self,
        leaps: tuple[Leap, ...],
        ring_time: float | None = None,
        continue_on: frozenset[int] | None = None,
        is_recorded: bool = False,
    ) -> None:
        self.leaps = leaps
        self.ring_time = ring_time  # seconds; None: calls.answer_timeout
        self.continue_on = continue_on  # None: all but FINAL
        self.is_recorded = is_recorded

    def is_final(self, status: int) -> bool:
        """Whether an answer ends the hunt."""
        return status in FINAL if self.continue_on is None else status not in self.continue_on


class Diversion(NamedTuple):
    """Who forwarded the call and why, as Diversion says it (RFC 5806)."""

    user: str
    number: str
    reason: str


class Plan:
    """Steps to try one after the other; none: the call is refused with status and reason."""

    __slots__ = (
        "diversion", "inquiry", "is_emergency", "is_recorded", "reason", "search", "status", "steps", "told",
    )  # fmt: skip

    def __init__(
        self,
        inquiry: Inquiry,
        steps: tuple[Step, ...] = (),
        status: int = 0,
        reason: str = "",
        is_emergency: bool = False,
        told: tuple[str, ...] = (),
        search: Search | None = None,
    ) -> None:
        self.inquiry = inquiry  # as it was after forwarding: ask router.divert with this one
        self.steps = steps
        self.status = status  # 0 where there are steps
        self.reason = reason
        self.is_emergency = is_emergency
        self.told = told  # the first lines, or all once they were made
        self.search = search  # what tells the others
        self.diversion: Diversion | None = None  # set when router.divert made the plan
        self.is_recorded = False  # once it is settled

    @property
    def lines(self) -> tuple[str, ...]:
        """One plain sentence for each rule tried and why it did or did not match."""
        return self.tell()

    def tell(self) -> tuple[str, ...]:
        """The lines; they are made when they are asked for."""
        if self.search is not None:
            self.told, self.search = self.told + self.search.tell(), None
        return self.told

    def settle(self) -> None:
        """It led to somebody: of a plan that is kept for long only what may be asked then is needed."""
        for step in self.steps:
            if step.is_recorded:
                self.is_recorded = True
        self.steps = ()
        self.tell()
        self.inquiry = _FORGOTTEN
