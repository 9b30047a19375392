"""Texts and presence at the exchange: built from the configuration, and open to the requests of phones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from switchroom.protocols.sip.packages.message_summary import Counts
from switchroom.switch.calls.exchange import Exchange
from switchroom.switch.calls.presence import (
    VOICE,
    Dialogs,
    Mailboxes,
    Presence,
    Registrations,
    Sharing,
    Statuses,
)
from switchroom.switch.calls.texts.texts import Texts
from switchroom.switch.config import Config
from switchroom.switch.net.bus import Bus
from switchroom.switch.store import SettingStore, TextStore


class Log(Protocol):
    """What is needed of a logger."""

    def info(self, event: str, **values: object) -> object: ...
    def warning(self, event: str, **values: object) -> object: ...


class Attendance:
    """Whoever is there and whoever is not: ``texts`` and ``presence``."""

    def __init__(
        self,
        config: Config,
        exchange: Exchange,
        store: TextStore,
        settings: SettingStore,
        log: Log,
        flush: Callable[[], None],
        bus: Bus,
    ) -> None:
        """``flush`` sends what was not caused by a request."""
        self._clock, self._flush = exchange.clock, flush
        registrar, endpoint, mint = exchange.registrar, exchange.endpoint, exchange.mint
        users = _numbers(config)
        self.texts = Texts(
            config.messages,
            users,
            domain=config.switch.domain,
            endpoint=endpoint,
            mint=mint,
            lookup=registrar.lookup,
            is_local=exchange.is_local,
            store=store,
            clock=exchange.clock,
            log=log,
        )
        self._domain = config.switch.domain
        dialogs = Dialogs(mint, lambda: self._domain or "localhost")
        self.presence = Presence(
            config.presence,
            users,
            endpoint=endpoint,
            calls=exchange,
            is_local=exchange.is_local,
            dialogs=dialogs,
            statuses=Statuses(registrar.lookup, dialogs.is_talking, mint),
            mailboxes=Mailboxes(self.texts.count, settings),
            registrations=Registrations(registrar.lookup, mint),
        )
        self._sharing = Sharing(bus, self.presence, exchange.clock.now)
        self.texts.on_waiting.append(self.presence.mailboxes.on_change)
        registrar.on_change += [self.texts.on_registration, self.presence.on_registration]
        exchange.reception.attend("MESSAGE", self.texts.handle)
        exchange.reception.attend("SUBSCRIBE", self.presence.subscribe)
        exchange.reception.attend("PUBLISH", self.presence.publish)

    def start(self, now: float) -> None:
        """Take up the texts that wait, and the mailboxes; the registrations are known by now."""
        self.presence.mailboxes.load()
        self.texts.load(now)

    def reconfigure(self, config: Config, now: float) -> None:
        """Apply new rules."""
        users = _numbers(config)
        self._domain = config.switch.domain
        self.texts.reconfigure(config.messages, users, config.switch.domain)
        self.presence.reconfigure(config.presence, users, now)

    def stop(self, now: float) -> None:
        """The switch ends: subscribers are told; no text was acknowledged that is not durable."""
        self.presence.stop(now)

    # -- the clock

    def next_timer(self) -> float | None:
        """When a text or a publication must be looked at."""
        one, other = self.texts.next_timer(), self.presence.next_timer()
        if one is None or other is None:
            return other if one is None else one
        return min(one, other)

    def handle_timer(self, now: float) -> None:
        """Do what has come due."""
        self.texts.handle_timer(now)
        self.presence.handle_timer(now)

    # -- questions

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """What the control socket can ask."""
        return {
            "texts": lambda: self.texts.waiting(self._clock.now()),
            "subscriptions": lambda: self.presence.subscriptions(self._clock.now()),
            "mailbox": self.set_mailbox,
        }

    def set_mailbox(
        self, user: str, new: int, old: int = 0, urgent_new: int = 0, urgent_old: int = 0
    ) -> dict[str, object]:
        """So many voice messages wait for a user: the lamp of his phones follows."""
        name = self.texts.find_user(user)
        if name is None:
            raise LookupError(f"user: {user}: there is no such user")
        counts = Counts(*(int(number) for number in (new, old, urgent_new, urgent_old)))
        if min(counts) < 0:
            raise ValueError("counts must not be negative")
        self.presence.mailboxes.set(name, counts, self._clock.now())
        self._flush()
        return {"user": name, "new": counts.new, "old": counts.old}

    def tell_voicemail(self, user: str, new: int, old: int) -> None:
        """What is in a user's own box; the lamp follows what has changed."""
        counts = Counts(new, old)
        if self.presence.mailboxes.counts_of(user)[VOICE] != counts:
            self.presence.mailboxes.set(user, counts, self._clock.now())
            self._flush()


def _numbers(config: Config) -> dict[str, str]:
    """The user behind each number and name."""
    return {user.name: user.name for user in config.users} | {
        user.dialled: user.name for user in config.users
    }
