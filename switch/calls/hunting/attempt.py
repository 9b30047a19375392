"""One destination on its way: the addresses behind it, those that ring now, and those that come next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.wheel import NEVER
from switchroom.switch.calls.contact import host_of
from switchroom.switch.calls.routing import ToUser

if TYPE_CHECKING:
    from switchroom.switch.calls.hunting.hunt import Run
    from switchroom.switch.calls.leg import Leg
    from switchroom.switch.calls.registration.bindings import Binding
    from switchroom.switch.calls.routing import Why
    from switchroom.switch.calls.routing.plan import Leap
    from switchroom.switch.calls.trunks.trunk import Trunk
    from switchroom.switch.config import UserConfig

# After these the next address of the same destination is tried (RFC 3263 §4.3); other answers are its own
_ELSEWHERE = (503, 408)
_UNINFORMATIVE = (480, 408, 487)  # another's refusal says more
_BUSY = (486, 600)
_NO_ANSWER = (408, 480, 487)


class Failure:
    """Why a destination came to nothing."""

    __slots__ = ("is_ours", "reason", "response", "status", "was_reached")

    def __init__(
        self,
        status: int,
        reason: str,
        response: sip.Response | None = None,
        was_reached: bool = True,
        is_ours: bool = False,
    ) -> None:
        self.status = status
        self.reason = reason
        self.response = response
        self.was_reached = was_reached  # somebody answered something, or rang
        self.is_ours = is_ours  # the fault is in the offer, or with us

    @property
    def why(self) -> Why | None:
        """The kind of forwarding that it is a case for."""
        if not self.was_reached:
            return "unreachable"
        if self.status in _BUSY:
            return "busy"
        return "no-answer" if self.status in _NO_ANSWER else None

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """6xx first, then whatever says more than "not there", then the lower class (§16.7 step 6)."""
        return self.status < 600, self.status in _UNINFORMATIVE, self.status // 100


class Target:
    """Where an INVITE goes: its Request-URI, the flow that reaches it and the route set before it."""

    __slots__ = ("flow", "is_nat", "ring_time", "routes", "timeout", "uri")

    def __init__(
        self,
        uri: str,
        flow: sip.Flow,
        timeout: float,
        is_nat: bool = False,
        routes: tuple[str, ...] = (),
        ring_time: float = NEVER,
    ) -> None:
        self.uri = uri  # empty: the trunk writes it
        self.flow = flow
        self.timeout = timeout  # seconds of silence after which the next one is tried
        self.is_nat = is_nat
        self.routes = routes
        self.ring_time = ring_time


class Attempt:
    """One destination that is tried: its addresses in groups; one group rings after the other."""

    __slots__ = (
        "breadth",
        "codecs",
        "failures",
        "give_up_at",
        "group_ends_at",
        "groups",
        "is_over",
        "leap",
        "legs",
        "run",
        "silent_at",
        "since",
        "trunk",
        "user",
    )

    def __init__(self, leap: Leap, run: Run, give_up_at: float, now: float) -> None:
        self.leap = leap
        to = self.leap.destination
        self.run = run  # the plan that it is a part of
        self.user = to.name if isinstance(to, ToUser) else ""
        self.since = now
        self.give_up_at = give_up_at
        self.is_over = False
        self.breadth: int | None = None  # legs that may be made of it at once, here and further on (RFC 5393)
        self.trunk: Trunk | None = None
        self.codecs: tuple[str, ...] = ()  # that its legs may use; empty: all
        self.groups: list[list[Target]] = []  # that are still to be tried
        self.legs: list[Leg] = []  # of the group that rings
        self.failures: list[Failure] = []
        self.silent_at = NEVER
        self.group_ends_at = NEVER

    @property
    def account(self) -> str:
        """The user's name or trunk:NAME."""
        return self.trunk.caller.account if self.trunk is not None else self.user

    @property
    def name(self) -> str:
        """The destination in plain words."""
        return self.leap.name

    def next_check(self) -> float:
        """When something must be done about it."""
        return min(self.give_up_at, self.silent_at, self.group_ends_at)

    @property
    def is_silent(self) -> bool:
        """No leg is left that could answer."""
        return all(leg.is_failed for leg in self.legs)

    def let_go(self) -> None:
        """Its trunk has one call less, and it keeps nothing alive that refers to it."""
        trunk, self.trunk = self.trunk, None
        if trunk is not None:
            trunk.give_back()

    def may_go_on(self, failure: Failure) -> bool:
        """Whether the next group is for a failure like this one."""
        if not self.groups or failure.status >= 600:
            return False
        if self.trunk is None and self.user:
            return True  # another phone of the same user
        return not failure.was_reached or failure.status in _ELSEWHERE

    def outcome(self) -> Failure:
        """What all its legs together came to."""
        return min(self.failures, key=lambda failure: failure.rank)


def phones(bindings: list[Binding], user: UserConfig | None, silence: float) -> list[list[Target]]:
    """The phones of a user: all at once, or in turn as their q values say (RFC 3261 §16.6)."""
    if len(bindings) < 2 or user is None or user.devices == "all":
        return [[_phone(binding, silence, NEVER) for binding in bindings]]
    groups: dict[float, list[Target]] = {}
    for binding in bindings:
        groups.setdefault(binding.q, []).append(_phone(binding, silence, user.device_ring_time))
    return list(groups.values())


def _phone(binding: Binding, silence: float, ring_time: float) -> Target:
    return Target(
        binding.contact,
        binding.flow,
        silence,
        host_of(binding.contact) != binding.flow.remote[0],
        getattr(binding, "path", ()),
        ring_time,
    )
