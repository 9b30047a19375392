"""SMPP as the house builds it: customers, carriers, what listens, and what an operator asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from switchroom.switch.config import Config, SmppTrunkConfig
from switchroom.switch.net import Clock, Tls

from ..book import Book
from ..interfaces import Centre
from .alerts import Alerts
from .berth import Berth
from .line import Line
from .lines import Lines, Log
from .outbind import Outbinds
from .server import Guard, Server
from .trunk import Trunk

__all__ = ["SmppRoom"]


class SmppRoom:
    """Everything of the switch that speaks SMPP."""

    def __init__(
        self, config: Config, centre: Centre, *, guard: Guard, tls: Tls, clock: Clock, log: Log
    ) -> None:
        self._centre, self._clock, self._tls = centre, clock, tls
        self.lines = Lines(config.smpp, clock=clock, log=log)
        self.server = Server(self.lines, config.smpp_accounts, centre=centre, guard=guard, tls=tls)
        self.trunks: dict[str, Trunk] = {}
        self.outbinds = Outbinds(self.lines, self.trunks.values, guard=guard, tls=self._current_tls)
        self.lines.on_sweep.append(self._tend)
        self.lines.carrier_of = lambda way: self.trunks.get(way.removeprefix("trunk:"))
        self._has_started = False
        self._set_trunks(config.smpp_trunks)

    @property
    def bound(self) -> list[str]:
        """Where it listens."""
        return [f"{s}:{h}:{p}" for s, h, p in (*self.server.bound, *self.outbinds.bound)]

    def start(self) -> None:
        """Listen and dial; OSError: one of the listeners cannot be had."""
        self._has_started = True
        self.lines.start()
        self.server.start()
        self.outbinds.start()
        now = self._clock.now()
        for trunk in self.trunks.values():
            trunk.start(now)

    def follow(self, put: Callable[[str, str], None], values: Mapping[str, str], book: Book) -> Alerts:
        """Have alerts, which a store keeps."""
        alerts = Alerts(self.server, put, book.posix, self._alert_limits)
        alerts.load(values, self._clock.now())
        self.lines.on_sweep.append(alerts.tend)
        self.lines.on_alert = alerts.came
        return alerts

    def _alert_limits(self) -> tuple[int, float]:
        return self.lines.config.max_alerts, self.lines.config.keep_alerts

    async def stop(self) -> None:
        """Let nobody in any more, and end all binds in order."""
        now = self._clock.now()
        self.server.stop()
        self.outbinds.stop()
        for trunk in self.trunks.values():
            trunk.stop(now)
        await self.lines.stop()

    def reconfigure(self, config: Config, tls: Tls) -> None:
        """Apply other accounts, trunks and limits; what goes on unchanged is not disturbed."""
        self._tls = self.server.tls = tls
        self.lines.config = config.smpp
        self.server.reconfigure(config.smpp_accounts)
        self._set_trunks(config.smpp_trunks)

    def _set_trunks(self, configs: Iterable[SmppTrunkConfig]) -> None:
        now = self._clock.now()
        left = set(self.trunks)
        for config in configs:
            left.discard(config.name)
            trunk = self.trunks.get(config.name)
            if trunk is not None:
                trunk.reconfigure(config, now)
                continue
            trunk = Trunk(config, self._centre, self.lines, self._current_tls)
            self.trunks[config.name] = trunk
            if self._has_started:
                trunk.start(now)
        for name in left:
            self.trunks.pop(name).stop(now)

    def _current_tls(self) -> Tls:
        return self._tls

    def _tend(self, now: float) -> None:
        for trunk in self.trunks.values():
            trunk.tend(now)

    # -- the operator

    def binds(self) -> list[dict[str, object]]:
        """Every bind, and those of ours that are not up."""
        now = self._clock.now()
        rows = [_row(account.name, line, "", now) for account in self.server for line in account.lines]
        for trunk in self.trunks.values():
            rows += [_row(trunk.name, berth.line, _why(berth), now) for berth in trunk.berths]
        return rows


def _why(berth: Berth) -> str:
    return "" if berth.is_bound else berth.reason or "connecting"


def _row(name: str, line: Line | None, reason: str, now: float) -> dict[str, object]:
    if line is None:
        return {**dict.fromkeys(_COLUMNS, ""), "name": name, "state": "down", "reason": reason}
    session = line.session
    version = f"{session.version >> 4}.{session.version & 15}" if session.is_bound else ""
    values: dict[str, Any] = {
        "name": name,
        "state": session.state.name.lower(),
        "remote": f"{line.remote[0]}:{line.remote[1]}",
        "tls": line.is_secure,
        "version": version,
        "since": round(now - line.opened_at),
        "in": line.messages_in,
        "out": line.messages_out,
        "window": f"{session.outstanding}/{session.max_window}",
        "unanswered": session.unanswered,
        "reason": reason,
    }
    return values


_COLUMNS = (
    *("name", "state", "remote", "tls", "version", "since", "in", "out", "window", "unanswered", "reason"),
)
