"""All trunks: which of them a request comes from, their timers, and a reload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_network

from switchroom.protocols import sip
from switchroom.switch.calls.trunks.means import Means
from switchroom.switch.calls.trunks.registration import Registration, State
from switchroom.switch.calls.trunks.trunk import Trunk, TrunkNews
from switchroom.switch.config import HostedTrunk, TrunkConfig

_MAX_KNOWN_HOSTS = 10_000

Usage = dict[str, tuple[int, int]]
"""By trunk: calls that a worker has, and how many began there since it told last."""


class Trunks:
    """The trunks of a configuration; an engine like the others: events in, timers, no socket."""

    def __init__(self, configs: Iterable[TrunkConfig], means: Means, *, country: str = "") -> None:
        self._means = means
        self._trunks: dict[str, Trunk] = {}
        self._leaving: list[Registration] = []
        self._is_running = False
        self._take(configs, country, None)

    # -- life

    def start(self, now: float) -> None:
        """Look up, probe and register."""
        self._is_running = True
        for trunk in self:
            trunk.start(now)

    def stop(self, now: float) -> None:
        """Take the registrations back; ``is_idle`` tells when that is done."""
        self._is_running = False
        for trunk in self:
            self._leaving += trunk.stop(now)

    @property
    def is_idle(self) -> bool:
        """Whether no registrar owes us an answer to our good-bye."""
        self._leaving = [one for one in self._leaving if one.state is State.LEAVING]
        return not self._leaving

    def reconfigure(self, configs: Iterable[TrunkConfig], now: float, *, country: str = "") -> None:
        """Take a changed configuration; calls stay, what has not changed goes on."""
        self._take(configs, country, now)

    def _take(self, configs: Iterable[TrunkConfig], country: str, now: float | None) -> None:
        before, self._trunks = self._trunks, {}
        for config in configs:
            trunk = before.pop(config.name, None)
            if trunk is None:
                trunk = Trunk(config, self._means, country)
                if self._is_running and now is not None:
                    trunk.start(now)
            elif now is not None:
                self._leaving += trunk.reconfigure(config, country, now)
            self._trunks[config.name] = trunk
        for gone in before.values():
            if now is not None:
                self._leaving += gone.stop(now)
        self._sources = [
            (network, trunk) for trunk in self for network in map(ip_network, trunk.config.sources)
        ]
        self._names = {name: trunk for trunk in self for name in trunk.config.tls_names}
        self.has_names = bool(self._names)  # of certificates
        self._registering = [trunk for trunk in self if trunk.config.registrations]
        self._has_guests = any(isinstance(trunk.config, HostedTrunk) for trunk in self)
        self._of_host: dict[str, tuple[Trunk, ...]] = {}

    # -- which is which

    def get(self, name: str) -> Trunk | None:
        """The trunk of that name."""
        return self._trunks.get(name)

    def __iter__(self) -> Iterator[Trunk]:
        return iter(self._trunks.values())

    def __len__(self) -> int:
        return len(self._trunks)

    def identify(
        self, flow: sip.Flow, request: sip.Request, now: float, peer_names: Sequence[str] = ()
    ) -> Trunk | None:
        """Whose request this is: by its certificate, by its address, or as we are registered there."""
        for name in peer_names:
            trunk = self._names.get(_plain_name(name))
            if trunk is not None:
                return trunk
        found = self._at(flow.remote[0])
        if self._has_guests and found:
            found = _meant(found, request.uri.host.lower())
        if not found and self._registering:
            found = tuple([trunk for trunk in self._registering if trunk.owns(flow, now)])
        if len(found) > 1:  # several accounts at one carrier
            return _expecting(found, request.uri.user_unescaped or "")
        return found[0] if found else None

    def is_source(self, host: str) -> bool:
        """Whether requests from there may be a trunk's, before anything of them is read."""
        return host in self._means.hosts or bool(self._at(host))

    def _at(self, host: str) -> tuple[Trunk, ...]:
        known = self._of_host.get(host)
        if known is not None:
            return known
        address = ip_address(host.partition("%")[0])
        found: dict[Trunk, None] = {}
        for network, trunk in self._sources:
            if address in network:
                found[trunk] = None
        if len(self._of_host) < _MAX_KNOWN_HOSTS:
            self._of_host[host] = tuple(found)
        return tuple(found)

    # -- the clock and the net

    def next_timer(self) -> float | None:
        """When to be called again."""
        return self._means.wheel.next_at()

    def handle_timer(self, now: float) -> None:
        """Probe, register and look up what is due."""
        self._means.wheel.handle_timer(now)

    def flow_failed(self, flow: sip.Flow, reason: str, now: float) -> None:
        """A connection closed."""
        for trunk in self:
            trunk.flow_failed(flow, reason)
            for registration in trunk.registrations:
                registration.flow_failed(flow, now)

    def export(self, name: str) -> TrunkNews | None:
        """What other workers should know of a trunk that changed."""
        trunk = self._trunks.get(name)
        return None if trunk is None else trunk.export()

    def learn(self, news: TrunkNews, now: float) -> None:
        """Take what the worker that probes and registers tells."""
        trunk = self._trunks.get(news.name)
        if trunk is not None:
            trunk.learn(news, now)

    def take_usage(self) -> Usage:
        """What is used of each trunk here, for the other workers."""
        return {trunk.name: used for trunk in self if (used := trunk.take_usage()) != (0, 0)}

    def hear_usage(self, worker: int, usage: Usage, now: float) -> None:
        """What another worker uses of the trunks: caps and rates are those of all workers together."""
        for trunk in self:
            trunk.hear_usage(worker, *usage.get(trunk.name, (0, 0)), now)

    def rows(self, now: float) -> list[dict[str, object]]:
        """Every trunk, one line each."""
        return [trunk.row(now) for trunk in self]


def _meant(found: Sequence[Trunk], host: str) -> tuple[Trunk, ...]:
    """Those of the file, or who is hosted in the domain that is called: an address may be of many."""
    guests = [trunk for trunk in found if isinstance(trunk.config, HostedTrunk)]
    named = tuple(trunk for trunk in guests if trunk.config.domain == host)
    return named or tuple(trunk for trunk in found if trunk not in guests)


def _expecting(found: Sequence[Trunk], user: str) -> Trunk:
    return next((trunk for trunk in found if trunk.expects(user)), found[0])


def _plain_name(name: str) -> str:
    """A certificate's name as the configuration writes it: a SIP URI is its host (RFC 5922 §7.1)."""
    text = name.lower()
    return (
        text.partition(":")[2].partition(";")[0] if text.startswith(("sip:", "sips:")) else text.rstrip(".")
    )
