"""The switch: builds the rooms from a configuration, starts and stops them in order, answers questions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from switchroom.protocols import sip
from switchroom.switch import settings
from switchroom.switch.api.front.vault import Vault
from switchroom.switch.api.room import ApiRoom
from switchroom.switch.calls.access.auth import Authenticator
from switchroom.switch.calls.attendance import Attendance
from switchroom.switch.calls.exchange import Exchange
from switchroom.switch.calls.features.features import Features
from switchroom.switch.calls.registration.registrar import Registrar
from switchroom.switch.calls.routing import Router
from switchroom.switch.calls.script import Apps, House
from switchroom.switch.calls.script.rooms import Rooms
from switchroom.switch.calls.sharing import Sharing
from switchroom.switch.calls.signing import Signing
from switchroom.switch.calls.stir import Stir
from switchroom.switch.calls.survival import Survival
from switchroom.switch.calls.trunks.means import Means
from switchroom.switch.calls.trunks.trunks import Trunks
from switchroom.switch.config import Config, find_restart_keys
from switchroom.switch.door import Door
from switchroom.switch.hosting import Hosting
from switchroom.switch.media import MediaPlane, check_transcode
from switchroom.switch.media.security.keeping import Keeper
from switchroom.switch.neighbours import Neighbours
from switchroom.switch.net import Addresses, Clock, SipFace, Tls, Watchdog
from switchroom.switch.net.bus import Bus
from switchroom.switch.net.fence import Fence
from switchroom.switch.net.place import Place
from switchroom.switch.net.resolver import Resolver, means_of
from switchroom.switch.ops.control import ControlServer
from switchroom.switch.ops.http import HttpServer
from switchroom.switch.ops.log import get_logger
from switchroom.switch.ops.metrics import Metrics
from switchroom.switch.ops.process import run
from switchroom.switch.ops.records import RecordLines
from switchroom.switch.ops.trace import Show, Trace
from switchroom.switch.questions import Questions
from switchroom.switch.sms.room import MessageRoom
from switchroom.switch.store import Record, SqliteStore

STOP_TIMEOUT = 2.0  # seconds that phones have to answer our BYE
DRAIN_INTERVAL = 0.02
HEARTBEAT_INTERVAL = 10.0  # seconds; how exactly the end of a call is known after a crash


class Switch:
    """One switch in one process: ``async with Switch(config): ...``"""

    def __init__(self, config: Config, place: Place | None = None) -> None:
        """``place``: which of several workers this is; none: it is alone."""
        self.config = self._started = config
        self._place = place
        self.log = get_logger("switch")
        self.clock = Clock()
        state = Path(config.switch.state_dir)
        self.bus = Bus() if place is None else Bus(place.slot, place.line)
        self.store = SqliteStore(
            state / "switchroom.db",
            # One writes the lines of all: two could tear them.
            sink=RecordLines(state / "cdr.jsonl") if self.bus.is_leader else None,
            place=None if place is None else (place.slot, place.generation),
        )
        self.addresses = Addresses(log=self.log)
        self.resolver = Resolver(
            config.dns,
            clock=self.clock,
            log=get_logger("dns"),
            flush=lambda: self.face.flush(),
            means=lambda: means_of(self.face.bound, self.addresses, self.config.dns.prefer),
        )
        self.mint = sip.Mint() if place is None else settings.mint(place)
        self.endpoint = sip.Endpoint(
            timers=settings.timers(config),
            mint=self.mint,
            max_transactions=config.sip.max_transactions,
            udp_request_limit=config.sip.udp_request_limit,
            limits=settings.message_limits(config),
            user_agent=config.switch.name,
        )
        self.door = Door(self.clock, self.log)
        self.guard = self.door.guard
        self.authenticator = Authenticator(
            config.users, config.auth, config.realm, self.guard, trunks=config.trunks
        )
        self.registrar = Registrar(
            self.store.bindings,
            config.registrar,
            self.clock,
            is_local_host=self.is_local,
            secret=b"" if place is None else place.secret,
        )
        self.registrar.max_contacts = settings.max_contacts(config)
        self.media = MediaPlane(
            config.media,
            self.addresses.local_for,
            self._on_media_timeout,
            captures=settings.captures(config),
        )
        self.media.observer.log = self.log
        self.media.guard.keeper = Keeper(state / "media.key", lambda call: self.exchange.keep(call))
        self.addresses.on_reroute.append(self.media.on_network_change)
        self.router = Router.of(config)
        self.trunks = Trunks(
            config.trunks,
            Means(
                self.endpoint,
                self.resolver,
                self._flow_to,
                self.log,
                config.switch.name,
                is_leader=self.bus.is_leader,
                on_change=lambda trunk: self.neighbours.tell_trunk(trunk),
                may_reach=lambda host: Fence(self.config.api.webhook_private).allows(host),
            ),
            country=config.numbers.country,
        )
        self.exchange = Exchange(
            settings.exchange_config(config),
            endpoint=self.endpoint,
            mint=self.mint,
            authenticator=self.authenticator,
            registrar=self.registrar,
            router=self.router,
            trunks=self.trunks,
            resolver=self.resolver,
            media=self.media,
            records=self.store.records,
            clock=self.clock,
            flow_to=self._flow_to,
            is_local=self.addresses.is_local,
            log=self.log,
            peer_names=lambda flow: self.face.peer_names(flow),
        )
        self.survival = Survival(self.exchange)
        self.attendance = Attendance(
            config,
            self.exchange,
            self.store.texts,
            self.store.settings,
            get_logger("texts"),
            lambda: self.face.flush(),
            self.bus,
        )
        self.messages = MessageRoom(
            config,
            self.attendance.texts,
            self.clock,
            get_logger("messages"),
            lambda: self.face.flush(),
            self.bus,
            guard=self.guard,
            tls=Tls(config.tls),
            sink=RecordLines(state / "messages.jsonl"),
        )
        self.on_message = self.messages.on_message
        self.features = Features(
            config.features,
            self.exchange,
            self.store.settings,
            self.bus,
            get_logger("features"),
            find=self.attendance.presence.dialogs.find,
        )
        self.apps = Apps(
            House(self.exchange, lambda: self.face.flush(), config.sound, config.voicemail, state),
            get_logger("apps"),
        )
        if self.features.elsewhere is not None:
            rooms = Rooms(self.apps.house.conferences, self.bus, self.features.elsewhere)
            self.exchange.on_planned = rooms.take
        self.apps.set_menus(config.menus)
        self.apps.supervision.code = config.features.supervise
        self.apps.house.voicemail.tell = self.attendance.tell_voicemail
        self.on_call = self.apps.on_call  # @switch.on_call("9*"): a coroutine for each call
        self.neighbours = Neighbours(
            place, self.bus, self.mint, self.trunks, has_heirs=config.calls.survive_restart
        )
        self.face = SipFace(
            self.endpoint,
            self.exchange.handle_event,
            listen=config.sip.listen,
            limits=settings.limits(config),
            addresses=self.addresses,
            is_trusted=self.exchange.is_trusted,
            timers=[self.exchange, self.registrar, self.trunks, self.attendance, self.features],
            on_flow_failed=self._on_flow_failed,
            log=self.log,
            clock=self.clock,
            tls=Tls(config.tls),
            websocket=settings.websocket(config),
            public=settings.public(config),
            bus=self.bus,
            owners=self.neighbours.owners,
            sockets=() if place is None else place.sockets[place.slot],
            bans=self.guard.ban_list,
            is_exempt=self.door.is_emergency,
        )
        self.neighbours.start(self.face)
        self.door.attach(self.exchange, self.endpoint, config)
        self.sharing = Sharing(
            self.bus,
            exchange=self.exchange,
            registrar=self.registrar,
            guard=self.guard,
            now=self.clock.now,
            committed=lambda: self.store.counters["commits"],
            on_ended=self.store.feed if self.bus.is_leader else lambda: None,
        )
        self.bus.subscribe("trunks", lambda news, slot: self.trunks.learn(news, self.clock.now()))
        self.door.on_banned = self.sharing.banned
        self.registrar.on_change.append(self.survival.on_registered)
        self.messages.follow(self.registrar)
        self._advertise(config)
        self.trace = Trace(config.trace, self.clock)
        self.face.tap = self.trace.tap
        self.exchange.link = self.trace.ring.link
        self.signing = Signing(self.exchange, Stir(config.stir))
        self.watchdog = Watchdog(self.log, clock=self.clock, on_lag=self.exchange.admission.overload.note_lag)
        self.hosting = Hosting(state / "api.db", Vault(state / "api.key"), config, self.bus, self.log)
        self.hosting.admit = self._admit
        self.hosting.lead_to(self.exchange, self.features.elsewhere)
        self._changing = asyncio.Lock()
        self.api = ApiRoom(
            config, lambda: Tls(self.config.tls).server, self.messages, self.apps, self.hosting
        )
        self.api.follow(self.registrar)
        self.api.look_on(self.exchange, self.bus)
        self.media.clips.speak = self.api.speak
        self.questions = Questions(self)
        self.control = ControlServer(state / "control.sock", self.questions.handlers())
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

    def run(self) -> None:
        """Be there until Ctrl-C, for a program that does nothing else."""
        run(self)

    async def start(self) -> None:
        """Bring everything up; what cannot be had (a port, the state folder) raises OSError."""
        self.store.start()
        now = self.clock.now()
        if self._place is None:
            self.mint.renew(*self.store.identity())
        if self.hosting.load():
            whole = self.hosting.join(self.config)
            self._let_in(whole, Router.of(whole, overrides=self.router.overrides))
            self.messages.let_in(whole)
        self.media.start(asyncio.get_running_loop())
        self._recover(now)  # before all else: the sound of calls that go on waits for it
        self.registrar.load(now)
        self.attendance.start(now)
        self.messages.start()
        self.api.load()
        self.features.start()
        loop = asyncio.get_running_loop()
        self.store.texts.on_durable = lambda: loop.call_soon_threadsafe(self._on_texts_durable)
        await self.addresses.start()
        await self.resolver.start()
        await self.face.start()
        self.bus.start()  # what waits there is for calls that are known by now
        self.survival.tell(now)
        self.trunks.start(self.clock.now())
        self.apps.start()
        self.face.flush()
        if self._place is None:  # else the supervisor speaks for all
            await self.control.start()
            await self.http.start()
        if self.bus.is_leader:
            await self.api.start()
        self.sharing.start()
        self.watchdog.start()
        self._tasks = [asyncio.create_task(self._heartbeat())]
        self.log.info("switch.started", listen=[f"{t}:{h}:{p}" for t, h, p in self.face.bound])

    def _recover(self, now: float) -> None:
        """Go on with the calls that a crash left, as far as that can be, and end the others in the books."""
        died_at = self._place and self._place.died_at
        recovered = self.store.records.recover(
            self.clock.posix(now),
            died_at=died_at or None,
            restore=self._restore if self.config.calls.survive_restart else None,
        )
        if self.survival.count:
            self.log.warning("calls.survived", count=self.survival.count)
        if recovered:
            self.log.warning("records.recovered", count=recovered)

    def _restore(self, record: Record, state: list[Any], slot: int, alive_at: float) -> bool:
        now = self.clock.now()
        try:
            return self.survival.restore(record, state, self.clock.monotonic_at(alive_at), now)
        except Exception:  # whatever is wrong with one call, the others are to go on
            self.log.exception("call.not_restored", call=record.id)
            return False

    async def stop(self) -> None:
        """End the calls with BYE, keep the registrations, write everything down."""
        self.registrar.stop()  # the connections that we close now forget nobody
        self.sharing.stop()
        for task in self._tasks:
            task.cancel()
        self.exchange.hang_up_all("Switch stopped", self.clock.now())
        await self.apps.stop()
        self.trunks.stop(self.clock.now())
        self.attendance.stop(self.clock.now())
        self.face.flush()
        await self._drain()
        self.watchdog.stop()
        self.hosting.stop()
        await self.api.stop()
        await self.http.stop()
        await self.control.stop()
        await self.resolver.stop()
        self.trace.close()
        await self.face.stop()
        self.bus.stop()
        self.media.stop()
        await self.addresses.stop()
        await self.messages.stop()
        await self.store.flush()
        self.store.texts.on_durable = lambda: None
        await asyncio.to_thread(self.store.close)
        self.log.info("switch.stopped")

    async def _drain(self) -> None:
        """Give the other ends a moment to answer our BYEs; nothing is owed to those that do not."""
        for _ in range(round(STOP_TIMEOUT / DRAIN_INTERVAL)):
            if not self.endpoint.counters.sessions and self.trunks.is_idle:
                return
            await asyncio.sleep(DRAIN_INTERVAL)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL)
            self.store.records.heartbeat(self.clock.posix(self.clock.now()))
            if self._place is not None and self.bus.is_leader:
                self.store.purge(self.clock.posix(self.clock.now()))
            self._refresh_hosts()

    async def reload(self, config: Config) -> list[str]:
        """Apply a new configuration to what begins from now on; gives the keys that need a restart.

        ValueError: a file that it names cannot be used; then nothing has changed.
        """
        async with self._changing:
            return await self._reload(config)

    async def _reload(self, config: Config) -> list[str]:
        whole = self.hosting.join(config)
        # Read and built in a thread: a rate table may have a hundred thousand lines, and calls go on
        router, tls, stir = await asyncio.to_thread(self._prepare, whole)
        rates = await asyncio.to_thread(self.messages.prepare, whole)
        waiting = find_restart_keys(self._started, config)
        self.config = config
        self.signing.stir = stir
        self._let_in(whole, router)
        self.messages.reconfigure(whole, rates, tls)
        self.features.reconfigure(config.features)
        self.apps.house.reconfigure(config.sound, config.voicemail)
        self.apps.set_menus(config.menus)
        self.apps.supervision.code = config.features.supervise
        self.endpoint.timers = settings.timers(config)
        self.face.apply(settings.limits(config))
        self.face.apply_transports(tls, settings.websocket(config), settings.public(config))
        self._advertise(config)
        self.media.apply(config.media)
        self.resolver.apply(config.dns)
        self.api.reconfigure(config)
        self.trace.apply(config.trace)
        self.face.tap = self.trace.tap
        self._refresh_hosts()
        self.face.flush()
        self.log.info("switch.reloaded", needs_restart=waiting)
        return waiting

    def _let_in(self, config: Config, router: Router) -> None:
        """Who may register and call, and where calls go: of the file and of REST."""
        self.authenticator.update(config.users, config.auth, config.trunks)
        self.registrar.update(config.registrar, settings.registrants(config))
        self.registrar.max_contacts = settings.max_contacts(config)
        self.attendance.reconfigure(config, self.clock.now())
        self.exchange.reconfigure(settings.exchange_config(config), router)
        self.door.reconfigure(config)
        self.router = router
        self.trunks.reconfigure(config.trunks, self.clock.now(), country=config.numbers.country)

    async def _admit(self) -> None:
        """Those whom REST lets in are others now."""
        async with self._changing:
            whole = self.hosting.join(self.config)
            overrides = self.router.overrides
            self._let_in(whole, await asyncio.to_thread(Router.of, whole, overrides=overrides))
            self.messages.let_in(whole)
        self.face.flush()

    def _prepare(self, config: Config) -> tuple[Router, Tls, Stir]:
        """What a configuration has in other files, and codecs that there are; called in a thread."""
        check_transcode(config.media.transcode)
        return Router.of(config, overrides=self.router.overrides), Tls(config.tls), Stir(config.stir)

    # -- where things are

    def is_local(self, host: str) -> bool:
        """Whether a host in a URI means this switch."""
        return self.exchange.is_local(host)

    def _advertise(self, config: Config) -> None:
        """With a public address others are told it; without one nobody has to be asked for each message."""
        self.addresses.public = config.sip.public_address
        is_behind = bool(config.sip.public_address)
        self.endpoint.advertise = self.face.advertise if is_behind else None
        self.media.public_for = self.face.public.for_host if is_behind else None

    def _flow_to(self, host: str, port: int, transport: str, name: str = "") -> sip.Flow:
        return self.face.flow_to(host, port, transport, name)

    def _refresh_hosts(self) -> None:
        """Ask for what the configuration names, so that its addresses are known before somebody calls."""
        for uri in settings.named_targets(self.config):
            self.resolver.known(uri)

    def show_messages(self, show: Show | None) -> None:
        """Show every message to somebody: the log at level debug."""
        self.trace.show(show)
        self.face.tap = self.trace.tap

    # -- what others report

    def _on_media_timeout(self, session: Any) -> None:
        self.exchange.on_media_timeout(session)
        self.face.flush()

    def _on_texts_durable(self) -> None:
        self.attendance.texts.handle_durable(self.clock.now())
        self.face.flush()

    def _on_flow_failed(self, flow: sip.Flow, reason: str, now: float) -> None:
        self.registrar.flow_failed(flow)
        self.trunks.flow_failed(flow, reason, now)

    # -- the operator

    def status(self) -> dict[str, object]:
        """The switch in numbers, as ``switchroom status`` shows them."""
        return self.questions.status()

    def registrations(self) -> list[dict[str, object]]:
        """Every contact of every user."""
        return self.questions.registrations()

    def calls(self) -> list[dict[str, object]]:
        """The calls in progress."""
        return self.questions.calls()

    def hangup(self, call: str) -> dict[str, object]:
        """End a call by its id, or by a beginning of it that only one call has; LookupError if none has."""
        return self.questions.hangup(call)

    def drain(self, *, is_draining: bool) -> dict[str, object]:
        """Send new calls away, or take them again; calls in progress go on."""
        self.exchange.is_draining = is_draining
        self.log.info("switch.draining" if is_draining else "switch.undrained")
        return {"is_draining": is_draining, "calls": len(self.exchange.calls)}
