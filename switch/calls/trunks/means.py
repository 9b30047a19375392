"""What trunks reach the world with; nothing here knows a socket."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from switchroom.protocols import sip
from switchroom.protocols.sip.locating import Hop
from switchroom.protocols.wheel import Wheel
from switchroom.switch.calls.contact import contact_for

Done = Callable[[list[Hop], float], object]


class Resolver(Protocol):
    """Who knows the DNS."""

    def known(
        self, target: str, port: int | None = None, transport: str | None = None, is_secure: bool = False
    ) -> list[Hop] | None:
        """Where a host is, as far as that is known now; None: not yet."""

    def locate(
        self, target: str, port: int | None, transport: str | None, is_secure: bool, done: Done
    ) -> object:
        """Ask where a host is; ``done(hops, now)`` follows, at once or later."""


class FlowTo(Protocol):
    """Who knows the way to an address; what it raises says that there is none."""

    def __call__(self, host: str, port: int, transport: str, name: str = "") -> sip.Flow: ...


class Log(Protocol):
    """What trunks need of a logger."""

    def info(self, event: str, **values: object) -> object: ...
    def warning(self, event: str, **values: object) -> object: ...


@dataclass(slots=True)
class Means:
    """Engine, DNS, ways, timers and chance, shared by all trunks."""

    endpoint: sip.Endpoint
    resolver: Resolver
    flow_to: FlowTo
    log: Log
    user_agent: str = "Switchroom"
    is_leader: bool = True  # of several workers one registers and probes for all
    on_change: Callable[[str], object] = lambda trunk: None  # what the others should know has changed
    chance: Callable[[], float] = random.random  # 0 up to 1
    may_reach: Callable[[str], bool] = lambda host: True  # for trunks that REST has made (THREATS C11)
    wheel: Wheel = field(default_factory=Wheel)
    hosts: Counter[str] = field(default_factory=Counter)  # where trunks are called and registered at

    def way_to(self, hop: Hop) -> sip.Flow | None:
        """The flow to a hop; None when there is no route or no listener for it."""
        try:
            return self.flow_to(hop.host, hop.port, hop.transport, hop.name)
        except (OSError, LookupError, ValueError):
            return None

    def contact(self, flow: sip.Flow, user: str = "") -> str:
        """Our Contact as the other end of a flow reaches it."""
        contact = contact_for(flow, self.endpoint)
        return contact.replace("<sip:", f"<sip:{user}@", 1) if user else contact

    def wait(self, least: float, most: float) -> float:
        """A time between the two, by chance."""
        return least + (most - least) * self.chance()
