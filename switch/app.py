"""The switch: builds the rooms from a configuration, starts and stops them in order, answers questions."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from switchroom.protocols import sip
from switchroom.switch.calls.auth import Authenticator
from switchroom.switch.calls.exchange import Exchange
from switchroom.switch.calls.guard import AccountAttacked, Guard, SourceBanned
from switchroom.switch.calls.registrar import Registrar
from switchroom.switch.calls.routing import Router
from switchroom.switch.calls.rules import ExchangeConfig, Trunk
from switchroom.switch.config import Config, TrunkConfig, find_restart_keys
from switchroom.switch.media import MediaPlane
from switchroom.switch.net import Addresses, Clock, NetLimits, SipFace, Watchdog
from switchroom.switch.ops.control import ControlServer
from switchroom.switch.ops.http import HttpServer
from switchroom.switch.ops.log import get_logger
from switchroom.switch.ops.metrics import Metrics
from switchroom.switch.ops.records import RecordLines
from switchroom.switch.store import SqliteStore

STOP_TIMEOUT = 2.0  # seconds that phones have to answer our BYE
DRAIN_INTERVAL = 0.02
HEARTBEAT_INTERVAL = 10.0  # seconds; how exactly the end of a call is known after a crash


class Switch:
    """One switch in one process: ``async with Switch(config): ...``"""

    def __init__(self, config: Config) -> None:
        self.config = self._started = config
        self.log = get_logger("switch")
        self.clock = Clock()
        self._hosts: dict[str, str] = {}  # names of trunks and fixed targets -> address
        state = Path(config.switch.state_dir)
        self.store = SqliteStore(state / "switchroom.db", sink=RecordLines(state / "cdr.jsonl"))
        self.addresses = Addresses()
        self.mint = sip.Mint()
        self.endpoint = sip.Endpoint(
            timers=_timers(config),
            mint=self.mint,
            max_transactions=config.sip.max_transactions,
            udp_request_limit=config.sip.udp_request_limit,
            user_agent=config.switch.name,
        )
        self.guard = Guard(on_alert=self._on_alert)
        self.authenticator = Authenticator(config.users, config.auth, config.realm, self.guard)
        self.registrar = Registrar(
            self.store.bindings, config.registrar, self.clock, is_local_host=self.is_local
        )
        self.media = MediaPlane(config.media, self.addresses.local_for, self._on_media_timeout)
        self.exchange = Exchange(
            _exchange_config(config),
            endpoint=self.endpoint,
            mint=self.mint,
            authenticator=self.authenticator,
            registrar=self.registrar,
            router=_router(config),
            media=self.media,
            records=self.store.records,
            clock=self.clock,
            flow_to=self._flow_to,
            is_local=self.addresses.is_local,
            log=self.log,
        )
        self.face = SipFace(
            self.endpoint,
            self.exchange.handle_event,
            listen=config.sip.listen,
            limits=_limits(config),
            addresses=self.addresses,
            is_trusted=self._is_trusted,
            timers=[self.exchange, self.registrar],
            on_flow_failed=self._on_flow_failed,
            log=self.log,
            clock=self.clock,
        )
        self.watchdog = Watchdog(self.log, clock=self.clock)
        self.control = ControlServer(state / "control.sock", self._handlers())
        self.metrics = Metrics(self)
        self.http = HttpServer(config.api.listen, self.metrics)
        self.started_at = self.clock.utc(self.clock.now())
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Switch:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- life

    async def start(self) -> None:
        """Bring everything up; what cannot be had (a port, the state folder) raises OSError."""
        self.store.start()
        now = self.clock.now()
        recovered = self.store.records.recover(self.clock.utc(now))
        if recovered:
            self.log.warning("records.recovered", count=recovered)
        self.registrar.load(now)
        await self.addresses.start()
        await self._resolve_hosts()
        self.media.start(asyncio.get_running_loop())
        await self.face.start()
        await self.control.start()
        await self.http.start()
        self.watchdog.start()
        self._tasks = [asyncio.create_task(self._heartbeat())]
        self.log.info("switch.started", listen=[f"{t}:{h}:{p}" for t, h, p in self.face.bound])

    async def stop(self) -> None:
        """End the calls with BYE, keep the registrations, write everything down."""
        self.registrar.stop()  # the connections that we close now forget nobody
        for task in self._tasks:
            task.cancel()
        self.exchange.hang_up_all("Switch stopped", self.clock.now())
        self.face.flush()
        await self._drain()
        self.watchdog.stop()
        await self.http.stop()
        await self.control.stop()
        await self.face.stop()
        self.media.stop()
        await self.addresses.stop()
        await self.store.flush()
        await asyncio.to_thread(self.store.close)
        self.log.info("switch.stopped")

    async def _drain(self) -> None:
        """Give the other ends a moment to answer our BYEs; nothing is owed to those that do not."""
        for _ in range(round(STOP_TIMEOUT / DRAIN_INTERVAL)):
            if not self.endpoint.counters.sessions:
                return
            await asyncio.sleep(DRAIN_INTERVAL)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL)
            self.store.records.heartbeat(self.clock.utc(self.clock.now()))
            await self._resolve_hosts()

    def reload(self, config: Config) -> list[str]:
        """Apply a new configuration to what begins from now on; gives the keys that need a restart."""
        waiting = find_restart_keys(self._started, config)
        self.config = config
        self.authenticator.update(config.users, config.auth)
        self.registrar.update(config.registrar, {user.name for user in config.users})
        self.exchange.reconfigure(_exchange_config(config), _router(config))
        self.endpoint.timers = _timers(config)
        self.face.apply(_limits(config))
        self.media.config = config.media
        self._tasks.append(asyncio.create_task(self._resolve_hosts()))
        self.log.info("switch.reloaded", needs_restart=waiting)
        return waiting

    # -- where things are

    def is_local(self, host: str) -> bool:
        """Whether a host in a URI means this switch."""
        return self.exchange.is_local(host)

    def _is_trusted(self, host: str) -> bool:
        return self.exchange.trunk_at(host) is not None or self.registrar.has_host(host)

    def _flow_to(self, host: str, port: int, transport: str) -> sip.Flow:
        return self.face.flow_to(self._hosts.get(host, host), port, transport)

    async def _resolve_hosts(self) -> None:
        """Look up the names of trunks and fixed targets; a call uses what is known and never waits."""
        loop = asyncio.get_running_loop()
        for host in _named_hosts(self.config):
            try:
                found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
            except OSError as error:
                self.log.warning("dns.failed", host=host, error=str(error))
            else:
                self._hosts[host] = str(found[0][4][0])

    # -- what others report

    def _on_media_timeout(self, session: Any) -> None:
        self.exchange.on_media_timeout(session)
        self.face.flush()

    def _on_flow_failed(self, flow: sip.Flow, reason: str, now: float) -> None:
        self.registrar.flow_failed(flow)

    def _on_alert(self, alert: SourceBanned | AccountAttacked) -> None:
        if isinstance(alert, SourceBanned):
            seconds = round(alert.until - self.clock.now())
            self.log.warning("auth.banned", source=alert.source, user=alert.user, seconds=seconds)
        else:
            self.log.warning("auth.attacked", source=alert.source, user=alert.user)

    # -- questions

    def _handlers(self) -> dict[str, Any]:
        return {
            "status": lambda: self.status(),
            "registrations": lambda: self.registrations(),
            "calls": lambda: self.calls(),
            "hangup": lambda call: self.hangup(call),
        }

    def status(self) -> dict[str, object]:
        """The switch in numbers."""
        now = self.clock.now()
        return {
            "started_at": self.started_at.isoformat(),
            "uptime": round((self.clock.utc(now) - self.started_at).total_seconds(), 1),
            "listen": [f"{t}:{h}:{p}" for t, h, p in self.face.bound],
            "api": self.http.address,
            "registrations": self.registrar.count(),
            "calls": len(self.exchange.calls),
            "calls_total": self.exchange.calls_started,
            "sessions": self.endpoint.counters.sessions,
            "transactions": self.endpoint.counters.transactions,
            "media_ports": self.media.ports_in_use,
            "loop_lag_max": round(self.watchdog.max_lag, 4),
        }

    def registrations(self) -> list[dict[str, object]]:
        """Every contact of every user."""
        now = self.clock.now()
        return [
            {
                "user": b.user,
                "contact": b.contact,
                "source": f"{b.flow.transport.lower()}:{b.flow.remote[0]}:{b.flow.remote[1]}",
                "expires": round(b.expires_at - now),
                "q": b.q,
                "user_agent": b.user_agent,
            }
            for b in self.registrar.all(now)
        ]

    def calls(self) -> list[dict[str, object]]:
        """The calls in progress."""
        now = self.clock.now()
        return [
            {
                "id": call.id,
                "caller": call.record.caller,
                "callee": call.record.callee,
                "state": "ringing" if call.answered_at is None else "up",
                "seconds": round(now - (call.setup_at if call.answered_at is None else call.answered_at), 1),
            }
            for call in self.exchange.calls.values()
        ]

    def hangup(self, call: str) -> dict[str, object]:
        """End a call by its id, or by a beginning of it that only one call has."""
        found = [key for key in self.exchange.calls if key.startswith(call)] if call else []
        if len(found) != 1:
            raise LookupError(
                f"call: {call}: {'several calls begin so' if found else 'there is no such call'}"
            )
        self.exchange.calls[found[0]].hang_up("Hung up by the operator", self.clock.now())
        self.face.flush()
        return {"id": found[0]}


def _timers(config: Config) -> sip.Timers:
    return sip.Timers(t1=config.sip.t1, t2=config.sip.t2, t4=config.sip.t4)


def _limits(config: Config) -> NetLimits:
    given = config.sip
    return NetLimits(
        max_message_size=given.max_message_size,
        source_rate=given.source_rate,
        source_burst=given.source_burst,
        total_rate=given.total_rate,
        total_burst=given.total_burst,
        max_connections=given.max_connections,
        max_connections_per_source=given.max_connections_per_source,
        message_timeout=given.message_timeout,
        idle_timeout=given.idle_timeout,
    )


def _router(config: Config) -> Router:
    numbers = {user.name: user.name for user in config.users}
    numbers |= {user.dialled: user.name for user in config.users}
    return Router(numbers, [(route.match, route.to) for route in config.routes])


def _exchange_config(config: Config) -> ExchangeConfig:
    calls = config.calls
    caps = {
        user.name: (calls.max_calls_per_user if user.max_calls is None else user.max_calls, calls.user_rate)
        for user in config.users
    }
    caps |= {f"trunk:{t.name}": (t.max_calls, 0.0) for t in config.trunks if t.max_calls is not None}
    return ExchangeConfig(
        domains=frozenset({config.switch.domain.lower()} - {""}),
        domain=config.switch.domain,
        answer_timeout=calls.answer_timeout,
        max_duration=calls.max_duration,
        probe_interval=calls.probe_interval,
        max_forks=calls.max_forks,
        max_calls=calls.max_calls,
        caps=caps,
        trunks=tuple(_trunk(trunk) for trunk in config.trunks),
        user_agent=config.switch.name,
    )


def _trunk(given: TrunkConfig) -> Trunk:
    host, port, transport = given.target or ("", 0, "UDP")
    sources = tuple(ip_network(source) for source in given.sources)
    return Trunk(given.name, sources, host, port, transport, given.nat)


def _named_hosts(config: Config) -> Sequence[str]:
    """The hosts of the configuration that are names, not addresses."""
    hosts = {trunk.target[0] for trunk in config.trunks if trunk.target}
    hosts |= {sip.Uri.parse(to).host for route in config.routes for to in route.to if to.startswith("sip")}
    return sorted(host for host in hosts if not _is_address(host.strip("[]")))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
