"""Who is not let in: what becomes of guessing, of rubbish and of strangers, and of who is exempt."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.switch.calls.access.guard import AccountAttacked, Guard, SourceBanned
from switchroom.switch.calls.access.strangers import Strangers
from switchroom.switch.config import domains_of
from switchroom.switch.net.bans import Ban

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.config import Config
    from switchroom.switch.net import Clock
    from switchroom.switch.net.watchdog import Log

_INVITED = re.compile(rb"INVITE (?:sips?|tel):([0-9*#+]+)", re.IGNORECASE)


class Door:
    """The guard, and what the rooms make of it."""

    def __init__(self, clock: Clock, log: Log) -> None:
        self.guard = Guard(on_alert=self._on_alert)
        self.on_banned: Callable[[Ban], None] = lambda ban: None
        self._clock, self._log = clock, log
        self._exchange: Exchange | None = None

    def attach(self, exchange: Exchange, endpoint: sip.Endpoint, config: Config) -> None:
        """Stand before this exchange from now on."""
        self._exchange = exchange
        endpoint.on_malformed = self._on_malformed
        self.reconfigure(config)

    def reconfigure(self, config: Config) -> None:
        """Apply a new configuration: whether strangers get an answer."""
        exchange, strangers = self._exchange, None
        assert exchange is not None
        if config.sip.silent_to_strangers:
            domains = domains_of(config) if config.switch.domain else ()
            strangers = Strangers(exchange.is_trusted, exchange.is_local, domains, config.sip.scanners)
        exchange.reception.strangers = strangers

    def log_ban(self, ban: Ban, user: str = "") -> None:
        """Write down that nobody listens to a source any more."""
        told = {"user": user} if user else {}
        self._log.warning(
            "auth.banned", source=ban.source, reason=ban.reason, seconds=round(ban.seconds), **told
        )

    def is_emergency(self, data: bytes) -> bool:
        """Whether a request that nobody has read yet is an emergency call."""
        found = _INVITED.match(data)
        if found is None or self._exchange is None:
            return False
        return self._exchange.router.is_emergency(found[1].decode("ascii", "replace"))

    def _on_alert(self, alert: SourceBanned | AccountAttacked) -> None:
        if isinstance(alert, SourceBanned):
            self.log_ban(alert.ban, alert.user)
            self.on_banned(alert.ban)
        else:
            self._log.warning("auth.attacked", source=alert.source, user=alert.user)

    def _on_malformed(self, flow: sip.Flow) -> bool:
        """Something came that cannot be read; True: nothing is answered."""
        exchange, host = self._exchange, flow.remote[0]
        assert exchange is not None
        if exchange.is_trusted(host):
            return False
        self.guard.malformed(host, self._clock.now(), is_proven=flow.transport != "UDP")
        return exchange.reception.strangers is not None
