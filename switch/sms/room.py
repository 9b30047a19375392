"""The message room: builds the centre and what is attached to it, gives it its clock and its disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from switchroom.switch.config import Config
from switchroom.switch.net import Clock, Tls
from switchroom.switch.net.bus import Bus
from switchroom.switch.numbering import RateTable
from switchroom.switch.store.interfaces import RecordSink
from switchroom.switch.store.sms import Retention, SqliteMessages

from .away import Away, serve
from .book import Log
from .centre.centre import Centre
from .handlers import Handler, Handlers, Sender
from .interfaces import BROKEN, Refusal, Submission
from .lines import MessageLines
from .phones import Phones, Texts
from .questions import Questions
from .routing import Routes, rates_of, routes_of
from .rules import Hook

if TYPE_CHECKING:
    from .modems.room import ModemRoom
    from .smpp.alerts import Alerts
    from .smpp.room import SmppRoom
    from .smpp.server import Guard

_MIB = 1 << 20
_DRAIN_TIME = 0.005  # seconds of one pass of the loop: calls go through it too


class Registrations(Protocol):
    """What is needed of the registrar."""

    on_change: list[Callable[[str, float], None]]

    def lookup(self, user: str, now: float) -> Sequence[object]:
        """Where the user can be reached."""


class MessageRoom:
    """All of it; where nothing needs a message centre, nothing is opened."""

    def __init__(
        self,
        config: Config,
        texts: Texts,
        clock: Clock,
        log: Log,
        flush: Callable[[], None],
        bus: Bus,
        *,
        guard: Guard,
        tls: Tls,
        sink: RecordSink,
    ) -> None:
        """``flush`` sends SIP messages; ``sink`` takes records; of several workers the leader has it."""
        self._sink = sink
        self._hooks: list[Hook] = []
        self._lines: MessageLines | None = None
        self._guard, self._tls = guard, tls
        self._config, self._texts, self.clock, self._log, self._flush = config, texts, clock, log, flush
        self._bus = bus
        self._away: Away | None = None
        self.handlers = Handlers()
        self.is_of_account: Callable[[str], bool] = lambda number: False  # of the API: whoever has a number
        self._rates: RateTable | None = None
        self._centre: Centre | None = None
        self._store: SqliteMessages | None = None
        self._phones: Phones | None = None
        self.smpp: SmppRoom | None = None
        self.modems: ModemRoom | None = None
        self._alerts: Alerts | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._is_woken = self._is_flushing = self._has_turned = False

    def on_message(self, pattern: str) -> Callable[[Handler], Handler]:
        """``@switch.on_message("+4930*")``: messages for such numbers go to this handler."""

        def add(handler: Handler) -> Handler:
            self.handlers.add(pattern, handler)
            return handler

        return add

    def intercept(self, hook: Hook) -> Hook:
        """``@switch.messages.intercept``: sees each message before any rule, and may change or refuse it."""

        def guarded(submission: Submission) -> Submission | Refusal | None:
            try:
                return hook(submission)
            except Exception:  # noqa: BLE001 - whatever a program raises: that message is refused
                self._log.exception("messages.hook_failed", inlet=submission.inlet)
                return BROKEN.saying("a hook failed")

        self._hooks.append(guarded)
        return hook

    def follow(self, registrar: Registrations) -> None:
        """Hear of phones that are there again."""

        def changed(user: str, now: float) -> None:
            alerts, name = self._alerts, f"user:{user}"
            if alerts is not None and alerts.is_awaited(name) and registrar.lookup(user, now):
                alerts.came(name)

        registrar.on_change.append(changed)

    @property
    def is_wanted(self) -> bool:
        """Whether there is to be a message centre here."""
        return self._bus.is_leader and (self._config.has_sms or bool(self.handlers))

    @property
    def centre(self) -> Centre:
        """The centre, while it is there; LookupError where there is none."""
        if self._centre is None:
            raise LookupError("there is no message centre: nothing in the configuration needs one")
        return self._centre

    @property
    def is_open(self) -> bool:
        """Whether there is a centre."""
        return self._centre is not None

    @property
    def store(self) -> SqliteMessages:
        """What the messages are kept in."""
        if self._store is None:
            raise LookupError("there is no message centre: nothing in the configuration needs one")
        return self._store

    # -- life

    def start(self) -> None:
        """Open the store and be there; StoreError says why not."""
        if not self._bus.is_leader and self._config.has_sms:
            self._away = Away(self._bus, self._texts, self.clock, self._flush_soon)
            self._loop = asyncio.get_running_loop()
            self._away.start()
        if not self.is_wanted:
            return
        from .modems.room import ModemRoom  # only here: a switch without messages starts faster
        from .smpp.alerts import PREFIX as ALERTS
        from .smpp.room import SmppRoom

        config, now = self._config, self.clock.now()
        self._rates = rates_of(config)
        path = Path(config.switch.state_dir) / "messages.db"
        self._store = SqliteMessages(
            path, reserve_size=config.sms.reserve * _MIB, retention=_retention(config)
        )
        self._store.start()
        self._loop = asyncio.get_running_loop()
        self._centre = Centre(
            config.sms,
            self._routes(config, self._rates),
            self._store,
            self.clock,
            self._log,
            config.sms_rules,
        )
        self._centre.rules.hooks = self._hooks
        self._lines = MessageLines(self._sink, self._centre.book, self._log)
        self._lines.is_wanted = config.sms.record_lines
        self._centre.fates.on_final.append(self._lines.add)
        self._store.on_wake = self._on_wake
        self._centre.on_turn = self._on_turn
        self._centre.start(now)
        self.sender = Sender(self._centre, self.clock.now)
        self._phones = Phones(self._centre, self._texts, self.clock, self._flush_soon)
        self._phones.start(now)
        serve(self._bus, self._centre, self.clock.now)
        self.handlers.start(self._centre, self.sender, self.clock.now)
        self.smpp = SmppRoom(
            config, self._centre, guard=self._guard, tls=self._tls, clock=self.clock, log=self._log
        )
        self.smpp.start()
        book = self._centre.book
        self._alerts = self.smpp.follow(self._keep, self._store.load_values(ALERTS), book)
        self._centre.fates.on_final.append(self._alerts.on_final)
        self.modems = ModemRoom(
            config,
            self._centre,
            self._store,
            self._centre.rules.opt_outs.has_stopped,
            clock=Clock(self.clock.now, lambda: book.posix(self.clock.now())),  # no day is over by a step
            log=self._log,
        )
        self.modems.start()
        self._log.debug("messages.started", waiting=self._centre.waiting)

    async def stop(self) -> None:
        """Take nothing more, write everything down."""
        if self._away is not None:
            self._away.stop()
        if self._store is None or self._phones is None:
            return
        if self.smpp is not None:
            await self.smpp.stop()  # what came is still answered
        if self.modems is not None:
            await self.modems.stop()
        self._phones.stop(self.clock.now())
        await self.handlers.stop()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.to_thread(self._store.close)
        self._store.on_wake = lambda: None
        self._store.drain(self.clock.now())  # who waits for an answer hears it
        if self._lines is not None:
            await asyncio.to_thread(self._lines.stop)
        self._centre = self._store = self.smpp = self.modems = self._alerts = None

    def prepare(self, config: Config) -> RateTable | None:
        """What a configuration has in other files; called in a thread."""
        return rates_of(config) if config.sms_routes else None

    def reconfigure(self, config: Config, rates: RateTable | None, tls: Tls) -> None:
        """Apply a new configuration."""
        self._config, self._tls, self._rates = config, tls, rates
        if self.smpp is not None:
            self.smpp.reconfigure(config, tls)
        if self.modems is not None:
            self.modems.reconfigure(config)
        if self._centre is not None and self._store is not None:
            self._store.retention = _retention(config)
            if self._lines is not None:
                self._lines.is_wanted = config.sms.record_lines
            self._centre.reconfigure(config.sms, self._routes(config, rates), config.sms_rules)
            self._centre.drain(self.clock.now())

    def let_in(self, config: Config) -> None:
        """Users are others now, and nothing else."""
        self._config = config
        if self._centre is not None:
            self._centre.reconfigure(config.sms, self._routes(config, self._rates), config.sms_rules)
            self._centre.drain(self.clock.now())

    def _routes(self, config: Config, rates: RateTable | None) -> Routes:
        routes = routes_of(config, rates)
        routes.handlers = self.handlers.matches
        routes.accounts = lambda number: self.is_of_account(number)
        return routes

    # -- the clock and the disk

    def _on_wake(self) -> None:
        """Called by the store's threads."""
        if not self._is_woken and self._loop is not None:
            self._is_woken = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                self._is_woken = False  # the loop is closed: nobody waits

    def _drain(self) -> None:
        self._is_woken = False
        if self._centre is not None and not self._centre.drain(self.clock.now(), _DRAIN_TIME):
            self._on_wake()

    def _on_turn(self) -> None:
        """Many turns in one pass of the loop go to the disk together."""
        if not self._has_turned and self._loop is not None:
            self._has_turned = True
            self._loop.call_soon(self._end_pass)

    def _end_pass(self) -> None:
        self._has_turned = False
        if self._store is not None:
            self._store.wake()
        self._arm()

    def _arm(self) -> None:
        if self._centre is None or self._loop is None:
            return
        at = self._centre.next_timer()
        if at is None or (self._timer is not None and at >= self._timer_at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_later(max(0.0, at - self.clock.now()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._centre is not None:
            self._centre.handle_timer(self.clock.now())
            self._arm()

    def _keep(self, key: str, value: str) -> None:
        if self._store is not None:
            self._store.pending.put(key, value)
            self._on_turn()

    def _flush_soon(self) -> None:
        """SIP messages go in one batch at the end of this turn of the loop."""
        if not self._is_flushing and self._loop is not None:
            self._is_flushing = True
            self._loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._is_flushing = False
        self._flush()

    # -- the operator

    def questions(self) -> dict[str, Any]:
        """What the control socket may be asked."""
        return Questions(self).handlers()


def _retention(config: Config) -> Retention:
    sms = config.sms
    return Retention(
        records=float(sms.keep_records),
        bodies=float(sms.keep_bodies),
        orphans=float(sms.keep_receipts),
        keys=float(sms.keep_keys),
    )
