"""The addresses of a trunk: where they are (RFC 3263), which of them live, and how a dead one comes back.

A call marks an address dead that says nothing, cannot be reached or asks to be left alone (503 with
Retry-After, RFC 3261 §21.5.4). OPTIONS probes find out the same without a call, and bring it back: two good
ones in a row (THREATS G13). What calls find counts for more than probes do: who answers calls lives, whatever
he makes of OPTIONS, and who never answered one is tried by a call again. Names are looked up in the
background; a call uses what is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from switchroom.protocols import sip
from switchroom.protocols.sip.locating import Hop
from switchroom.protocols.wheel import Timed
from switchroom.switch.calls.trunks.means import Means
from switchroom.switch.config import TrunkAddress

GOOD_PROBES = 2  # in a row, until an address is back
BAD_PROBES = 2  # in a row, until an address that no call has complained of is dead
DEAD_INTERVAL = 5.0  # seconds between probes of what is dead
REST = 30.0  # seconds until what died is tried again by a call when no probe can tell; doubles each time
MAX_REST = 300.0
LOCATE_INTERVAL = 60.0
MAX_RETRY_AFTER = 3600.0
_START_SPREAD = 2.0  # seconds over which the first probes are spread
_MAX_HOPS = 10
_FRESH = 1.0  # seconds for which a call takes the only address as the last one found it


class Way:
    """A flow for a call: silent for ``timeout`` seconds, and the next way is tried."""

    __slots__ = ("flow", "is_probe", "timeout")

    def __init__(self, flow: sip.Flow, timeout: float, is_probe: bool = False) -> None:
        self.flow = flow
        self.timeout = timeout
        self.is_probe = is_probe  # dead, as far as is known


class Probing(NamedTuple):
    """How a trunk is asked whether it lives."""

    interval: float  # 0: not at all
    timeout: float
    uri: str = ""
    from_: str = ""


class Target(Timed):
    """One address and its health."""

    __slots__ = (
        "_bad",
        "_blocked_until",
        "_good",
        "_group",
        "_is_told",
        "_quiet_until",
        "_rests",
        "_transaction",
        "answers_probes",
        "heard_at",
        "hop",
        "is_dead",
        "is_doubted",
        "trouble",
    )

    def __init__(self, group: Targets, hop: Hop) -> None:
        Timed.__init__(self)
        self._group = group
        self.hop = hop
        self.is_dead = False
        self.trouble = ""  # why a connection to it failed last: "certificate", "connect: refused"
        self._blocked_until = 0.0
        self._good = self._bad = 0
        # Dead only in that it never said a word, to OPTIONS; it may still answer calls
        self.is_doubted = False
        self._quiet_until = 0.0  # it asked not to be asked before
        self._rests = 0  # in a row, that ended with another silence
        self.heard_at = -math.inf  # when it last answered a call
        self.answers_probes = False  # it has, at least once
        self._transaction: sip.ClientTransaction | None = None
        self._is_told = False  # by the worker that probes
        group.means.hosts[hop.host] += 1

    @property
    def _is_watched(self) -> bool:
        """Whether probes will tell when it is back; if not, the next call finds out."""
        if self._is_told:
            return self._group.probing.interval > 0
        return self.answers_probes and self._group.probing.interval > 0 and self._group.means.is_leader

    def is_live(self, now: float) -> bool:
        """Whether calls may go there."""
        if now < self._blocked_until:
            return False
        return not self.is_dead or not self._is_watched

    # -- what calls and probes find

    def heard(self, now: float) -> None:
        """It answered a call, somehow."""
        self.heard_at = now
        if self._bad or self.is_dead:
            self.good(now)

    def good(self, now: float) -> None:
        """Somebody answered."""
        self._bad = 0
        if not self.is_dead:
            return
        self._good += 1
        if self._good >= GOOD_PROBES or not self._is_watched:
            self.is_dead = False
            self._blocked_until = 0.0
            self._rests = 0
            self._group.means.on_change(self._group.name)
            self._group.means.log.info("trunk.up", trunk=self._group.name, address=str(self))

    def bad(self, why: str, now: float, rest: float | None = None, *, is_silent_probe: bool = False) -> None:
        """Nobody did, or wants to be left alone for a while."""
        self._good = self._bad = 0
        self.is_doubted = is_silent_probe and not self.answers_probes
        self._quiet_until = 0.0
        if rest is not None:
            self._blocked_until = self._quiet_until = now + min(rest, MAX_RETRY_AFTER)
        elif not self._is_watched:
            self._blocked_until = now + min(REST * 2**self._rests, MAX_REST)
            self._rests = min(self._rests + 1, 8)
        if not self.is_dead:
            self.is_dead = True
            self._group.means.on_change(self._group.name)
            if why == "transport" and self.trouble:
                why = f"{why}: {self.trouble}"
            self._group.means.log.warning("trunk.down", trunk=self._group.name, address=str(self), reason=why)
        self.plan(now)

    # -- probes

    def plan(self, now: float, *, is_first: bool = False) -> None:
        """Set the time of the next probe."""
        interval = self._group.probing.interval
        if not interval or self._transaction is not None or not self._group.means.is_leader:
            return
        if is_first:
            wait = min(interval, _START_SPREAD) * self._group.means.chance()
        elif self.is_dead:
            wait = max(min(interval, DEAD_INTERVAL), self._quiet_until - now)
        else:
            wait = interval if not self._bad else min(interval, 1.0)
            wait *= self._group.means.wait(0.9, 1.0)
        self._group.means.wheel.arm(self, now + wait, now)

    def handle_timer(self, now: float) -> None:
        """A probe is due, or has waited long enough for its answer."""
        if self._transaction is not None:
            self._transaction.abandon()
            self._close(now, "no answer")
        elif self._group.has(self.hop):
            self._probe(now)

    def _probe(self, now: float) -> None:
        flow = self._group.means.way_to(self.hop)
        if flow is None:
            self._close(now, "no way")
            return
        request = self._group.options(flow)
        self._transaction = self._group.means.endpoint.send_request(request, flow, now)
        self._transaction.context = self
        self._group.means.wheel.arm(self, now + self._group.probing.timeout, now)

    def handle_event(self, event: Any, now: float) -> None:
        """The answer to a probe, or that there will be none."""
        if event.transaction is not self._transaction:
            return
        if isinstance(event, sip.RequestFailed):
            self._close(now, event.reason)
        elif event.response.status >= 200:
            is_up = event.response.status not in (408, 503)
            self._close(now, "" if is_up else f"OPTIONS: {event.response.status}")

    def _close(self, now: float, fault: str) -> None:
        self._transaction = None
        self._group.means.wheel.disarm(self)
        if not fault:
            self.answers_probes = True
            self.good(now)
        elif self.is_dead:
            self._good = 0
        elif self._is_heard(now):
            self._bad = 0  # calls say that it lives
        else:
            self._bad += 1
            if self._bad >= BAD_PROBES:
                self.bad(fault, now, is_silent_probe=fault == "no answer")
                return
        self.plan(now)

    def _is_heard(self, now: float) -> bool:
        """Whether calls say that it lives: for a while, or until they say no if it never answers OPTIONS."""
        if not self.answers_probes:
            return self.heard_at > -math.inf
        return now - self.heard_at <= self._group.probing.interval

    def learn(self, blocked_until: float | None, now: float) -> None:
        """Another worker knows better: None for alive."""
        if blocked_until is not None and now - self.heard_at <= self._group.probing.interval:
            return  # than who has just heard it himself
        if blocked_until is None and self.is_dead:
            self.is_dead, self._blocked_until = False, 0.0
        elif blocked_until is not None:
            self.is_dead, self._blocked_until = True, blocked_until
        self._is_told = self.is_dead
        self._good = self._bad = 0

    @property
    def blocked_until(self) -> float:
        """Until when not even a probe goes there."""
        return self._blocked_until

    def forget(self) -> None:
        """Nobody wants this address any more."""
        if self._transaction is not None:
            self._transaction.abandon()
            self._transaction = None
        means = self._group.means
        means.wheel.disarm(self)
        means.hosts[self.hop.host] -= 1
        if not means.hosts[self.hop.host]:
            del means.hosts[self.hop.host]

    def __str__(self) -> str:
        hop = self.hop
        return f"{hop.transport.lower()}:{sip.bracketed(hop.host)}:{hop.port}"


class Targets(Timed):
    """All addresses behind what a trunk's configuration names, in order."""

    __slots__ = (
        "_found",
        "_known",
        "_known_until",
        "_known_way",
        "_targets",
        "addresses",
        "is_fenced",
        "is_proxy",
        "means",
        "name",
        "probing",
    )

    def __init__(
        self,
        name: str,
        addresses: Sequence[TrunkAddress],
        probing: Probing,
        means: Means,
        *,
        is_proxy: bool = False,
        is_fenced: bool = False,
    ) -> None:
        Timed.__init__(self)
        self.is_proxy = is_proxy
        self.is_fenced = is_fenced  # a stranger names them: a name may lead inside by now
        self.name = name
        self.means = means
        self.addresses = tuple(addresses)
        self.probing = probing
        self._found: dict[TrunkAddress, list[Hop]] = {}
        self._targets: dict[Hop, Target] = {}
        self._known_until = 0.0  # how long the one address and its way need not be looked for again
        self._known: Target
        self._known_way: Way

    def start(self, now: float) -> None:
        """Look up the names, and begin to probe what they lead to."""
        self.handle_timer(now)

    def stop(self) -> None:
        """Ask nobody any more."""
        self.means.wheel.disarm(self)
        self._known_until = 0.0
        for target in self._targets.values():
            target.forget()
        self._targets.clear()

    def handle_timer(self, now: float) -> None:
        """Look the names up again; the resolver knows which of them are due."""
        self.means.wheel.arm(self, now + LOCATE_INTERVAL * self.means.wait(0.9, 1.0), now)
        for one in self.addresses:
            done = partial(self._learn, one)
            self.means.resolver.locate(one.host, one.port, one.transport, one.is_secure, done)

    def _learn(self, address: TrunkAddress, hops: list[Hop], now: float) -> None:
        fitting = self._fitting(hops)
        if hops and not fitting:
            self.means.log.warning("trunk.fenced_off", trunk=self.name, name=address.host)
        if hops or address not in self._found:
            self._found[address] = fitting
            self._known_until = 0.0
        for hop in fitting:
            self._target(hop, now)
        for gone in [hop for hop in self._targets if not self.has(hop)]:
            self._targets.pop(gone).forget()

    def _fitting(self, hops: Sequence[Hop]) -> list[Hop]:
        return [hop for hop in hops if not self.is_fenced or self.means.may_reach(hop.host)][:_MAX_HOPS]

    def has(self, hop: Hop) -> bool:
        """Whether the address is still one of the trunk's."""
        return any(hop in hops for hops in self._found.values())

    def _target(self, hop: Hop, now: float) -> Target:
        target = self._targets.get(hop)
        if target is None:
            target = self._targets[hop] = Target(self, hop)
            target.plan(now, is_first=True)
        return target

    def hops(self) -> list[Hop]:
        """Every address in the order in which a call tries them; chance orders what DNS makes equal."""
        found: dict[Hop, None] = {}
        for one in self.addresses:
            known = self.means.resolver.known(one.host, one.port, one.transport, one.is_secure)
            if known:
                self._found[one] = self._fitting(known)
            found |= dict.fromkeys(self._found.get(one, ()))
        return list(found)

    def ways(self, now: float, dead_too: bool = False) -> list[Way]:
        """The live ones, or else those that only OPTIONS say to be dead; ``dead_too``: all, these last."""
        if now < self._known_until and not dead_too and self._known.is_live(now):
            return [self._known_way]
        live, dead, doubted = [], [], []
        for hop in self.hops():
            flow = self.means.way_to(hop)
            if flow is None:
                continue
            target = self._target(hop, now)
            if target.is_live(now):
                found = target
                live.append(Way(flow, self.probing.timeout))
            else:
                dead.append(Way(flow, self.probing.timeout, True))
                if target.is_doubted:
                    doubted.append(dead[-1])
        if len(live) == 1 and not dead:  # of several, chance may order them anew each time
            self._known, self._known_way = found, live[0]
            self._known_until = now + _FRESH
        return live + dead if dead_too else live or doubted

    def target_of(self, flow: sip.Flow) -> Target | None:
        """The address at the other end of a flow; a long request may have gone by TCP instead of UDP."""
        if self._known_until and flow is self._known_way.flow:
            return self._known
        host, port = flow.remote
        found = None
        for target in self._targets.values():
            hop = target.hop
            if hop.port == port and hop.host == host:
                if hop.transport == flow.transport:
                    return target
                found = found or target
        return found

    def address_of(self, flow: sip.Flow) -> TrunkAddress | None:
        """The entry of the configuration that led to this flow."""
        target = self.target_of(flow)
        if target is not None:
            for address, hops in self._found.items():
                if target.hop in hops:
                    return address
        return next(iter(self.addresses), None)

    def options(self, flow: sip.Flow) -> sip.Request:
        """The request that asks whether somebody is there."""
        mint = self.means.endpoint.mint
        return sip.Request(
            "OPTIONS",
            self.probing.uri or f"sip:{sip.bracketed(flow.remote[0])}:{flow.remote[1]}",
            [
                ("Max-Forwards", "70"),
                ("From", f"{self.probing.from_};tag={mint.tag()}"),
                ("To", f"<{self.probing.uri}>"),
                ("Call-ID", mint.call_id()),
                ("CSeq", "1 OPTIONS"),
                ("Contact", self.means.contact(flow)),
                ("Accept", "application/sdp"),
                ("User-Agent", self.means.user_agent),
            ],
        )

    def export(self) -> tuple[tuple[Hop, float], ...]:
        """The dead addresses that probes will bring back, for other workers, whose calls find the others."""
        return tuple(
            [
                (hop, target.blocked_until)
                for hop, target in self._targets.items()
                if target.is_dead and target.answers_probes
            ]
        )

    def learn(self, dead: Sequence[tuple[Hop, float]], now: float) -> None:
        """Take the dead addresses from the worker that probes; all others live."""
        known = dict(dead)
        for hop in {*self._targets, *known}:
            if hop in self._targets or self.has(hop):
                self._target(hop, now).learn(known.get(hop), now)

    def states(self, now: float) -> list[str]:
        """Every address and whether it lives."""
        return [f"{one} {'up' if one.is_live(now) else 'down'}" for one in self._targets.values()]
