"""Two agents, or an agent and strangers, on a network with a clock that is walked."""

from __future__ import annotations

import random

from switchroom.protocols.stun import (
    Address,
    Agent,
    Candidate,
    Lost,
    Selected,
    make_credentials,
    priority_of,
)


class End:
    """An agent at an address, and all that it has found out, with the time."""

    def __init__(self, address: Address, agent: Agent) -> None:
        self.address = address
        self.agent = agent
        self.events: list[tuple[float, Selected | Lost]] = []

    @property
    def candidate(self) -> Candidate:
        return Candidate(*self.address, priority_of(126))


def end(host: str, *, is_controlling: bool, is_lite: bool = False, seed: int = 1) -> End:
    chance = random.Random(seed)
    agent = Agent(
        make_credentials(), host.encode()[-4:], is_controlling=is_controlling, is_lite=is_lite, chance=chance
    )
    return End((host, 4000), agent)


class Network:
    """Carries datagrams at once; ``blocked`` loses what goes to these addresses."""

    def __init__(self, *ends: End) -> None:
        self.ends = {one.address: one for one in ends}
        self.now = 100.0
        self.blocked: set[Address] = set()
        self.seen: list[tuple[float, bytes, Address, Address]] = []  # when, what, from, to

    def introduce(self, a: End, b: End, *, candidates: bool = True) -> None:
        """Each gets the description of the other one."""
        for one, other in ((a, b), (b, a)):
            remote = [other.candidate] if candidates else []
            one.agent.take_remote(other.agent.local, remote, self.now, is_lite=other.agent.is_lite)
        self.deliver()

    def deliver(self) -> None:
        """Until nobody has anything to say."""
        is_busy = True
        while is_busy:
            is_busy = False
            for one in list(self.ends.values()):
                for data, target in one.agent.datagrams_to_send():
                    is_busy = True
                    self.carry(data, one.address, target)
                while (event := one.agent.next_event()) is not None:
                    one.events.append((self.now, event))

    def carry(self, data: bytes, source: Address, target: Address) -> None:
        self.seen.append((self.now, data, source, target))
        if target in self.ends and target not in self.blocked:
            self.ends[target].agent.receive_datagram(data, source, self.now)

    def walk(self, seconds: float) -> None:
        """Let the timers of that time go off."""
        until = self.now + seconds
        while True:
            times = [at for one in self.ends.values() if (at := one.agent.next_timer()) is not None]
            at = min(times, default=until)
            if at >= until:
                break
            self.now = max(self.now, at)
            for one in self.ends.values():
                due = one.agent.next_timer()
                if due is not None and due <= self.now:
                    one.agent.handle_timer(self.now)
            self.deliver()
        self.now = until

    def sent_by(self, one: End) -> list[tuple[float, bytes, Address]]:
        return [(at, data, target) for at, data, source, target in self.seen if source == one.address]


STRANGER: Address = ("203.0.113.66", 666)
