"""Where customers bind: who is let in, and with what right (THREATS E1)."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Protocol

from switchroom.protocols import smpp
from switchroom.protocols.smpp import Status
from switchroom.switch.config import SmppAccountConfig
from switchroom.switch.net import Tls
from switchroom.switch.net.limits import source_of
from switchroom.switch.net.tls import TlsError

from ..interfaces import Centre
from .account import Account
from .line import Line
from .lines import Lines
from .listener import Listener

__all__ = ["Guard", "Server"]

_KINDS = {
    smpp.BindTransmitter: "transmitter",
    smpp.BindReceiver: "receiver",
    smpp.BindTransceiver: "transceiver",
}
VERSIONS = {"3.3": 0x33, "3.4": 0x34, "5.0": 0x50}


class Guard(Protocol):
    """Who counts wrong passwords, of SIP and of SMPP together."""

    def is_banned(self, host: str, now: float) -> bool: ...
    def failed(self, host: str, user: str, now: float, *, is_known: bool = True) -> None: ...


class Server:
    """Listeners, connections that have not bound yet, and accounts."""

    def __init__(
        self, lines: Lines, accounts: Iterable[SmppAccountConfig], *, centre: Centre, guard: Guard, tls: Tls
    ) -> None:
        self.tls = tls
        self.refused: Counter[str] = Counter()  # connections that were not let in, by why
        self.failed: Counter[str] = Counter()  # binds, by why
        self._lines, self._centre, self._guard = lines, centre, guard
        self._listeners: list[Listener] = []
        self._accounts: dict[str, Account] = {}  # by system_id
        self._unbound: set[Line] = set()
        self._per_source: Counter[str] = Counter()
        self._delayed: dict[Line, asyncio.TimerHandle] = {}
        self.reconfigure(accounts)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    @property
    def bound(self) -> list[tuple[str, str, int]]:
        """Where it listens."""
        return [listener.address for listener in self._listeners]

    @property
    def connections(self) -> int:
        """Connections of customers."""
        return sum(self._per_source.values())

    # -- life

    def start(self) -> None:
        """Listen; OSError: not there."""
        for address in self._lines.config.listen:
            if address.startswith("smpps:") and self.tls.server is None:
                raise TlsError(f"smpp.listen: {address}: needs tls.certificate")
            listener = Listener(address, self._enter, lambda: self.tls.server, self._on_failed)
            self._listeners.append(listener)
            listener.start()

    def stop(self) -> None:
        """Let nobody in any more."""
        for listener in self._listeners:
            listener.stop()
        for handle in self._delayed.values():
            handle.cancel()

    def reconfigure(self, accounts: Iterable[SmppAccountConfig]) -> None:
        """Other accounts: those that are gone, or have another password, lose their binds."""
        before, self._accounts = self._accounts, {}
        now = self._lines.clock.now()
        for config in accounts:
            system_id = config.system_id or config.name
            account = before.pop(system_id, None)
            if account is not None and account.config.name == config.name:
                account.reconfigure(config, now)
            else:
                if account is not None:
                    account.close(now)
                account = Account(config, self._centre, self._lines)
            self._accounts[system_id] = account
        for account in before.values():
            account.close(now)

    # -- connections

    def _enter(self, remote: tuple[str, int], is_secure: bool) -> Line | None:
        if (why := self._why_not(remote[0])) is not None:
            self.refused[why] += 1
            return None
        lines = self._lines
        config = replace(lines.session_config(), inactivity_timeout=lines.config.inactivity_timeout)
        line = lines.make(smpp.Role.MC, config, self, remote, is_secure=is_secure)
        self._unbound.add(line)
        self._per_source[source_of(remote[0])] += 1
        return line

    def _why_not(self, host: str) -> str | None:
        config = self._lines.config
        if self._guard.is_banned(host, self._lines.clock.now()):
            return "banned"
        if self._per_source[source_of(host)] >= config.max_connections_per_source:
            return "source"
        if self.connections >= config.max_connections:
            return "total"
        if len(self._unbound) >= config.max_unbound and not self._make_room():
            return "unbound"
        return None

    def _make_room(self) -> bool:
        """Of those who have not bound the oldest goes, once it had time enough for it."""
        before = self._lines.clock.now() - self._lines.config.bind_timeout / 4
        oldest = min(self._unbound, key=lambda line: line.opened_at)
        if oldest.opened_at > before:
            return False
        oldest.abort("room")
        return True

    def _on_failed(self, line: Line, reason: str) -> None:
        self.refused[reason] += 1
        line.abort(reason)

    def opened(self, line: Line, now: float) -> None:
        """It is the other end that speaks first."""

    def lost(self, line: Line, reason: str, now: float) -> None:
        """It has gone before it was bound."""
        self._unbound.discard(line)
        if (handle := self._delayed.pop(line, None)) is not None:
            handle.cancel()
        self.count_out(line)

    def count_out(self, line: Line) -> None:
        """A connection is over."""
        source = source_of(line.remote[0])
        self._per_source[source] -= 1
        if self._per_source[source] <= 0:
            del self._per_source[source]

    # -- binds

    def hear(self, line: Line, event: smpp.Event, now: float) -> None:
        """A stranger can only ask to be let in."""
        if isinstance(event, smpp.BindReceived):
            account = self._accounts.get(event.request.system_id)
            status, why = self._judge(account, event.request, line)
            if account is not None and status == Status.ROK:
                self._let_in(account, line, event.request, now)
            else:
                self._turn_away(line, event.request.system_id, status, why, now, is_known=account is not None)

    def _judge(self, account: Account | None, request: smpp.Bind, line: Line) -> tuple[Status, str]:
        """Whoever has not proven who he is hears one and the same error, whatever is wrong."""
        password = b"" if account is None else account.config.password.get_secret_value().encode()
        is_right = hmac.compare_digest(password, request.password.encode("latin-1"))
        if account is None or not is_right:
            return Status.RBINDFAIL, "password"
        config = account.config
        if config.sources and not any(
            ip_address(line.remote[0].partition("%")[0]) in ip_network(network) for network in config.sources
        ):
            return Status.RBINDFAIL, "source"
        if config.tls_only and not line.is_secure:
            return Status.RBINDFAIL, "tls_only"
        if _KINDS[type(request)] not in config.binds:
            return Status.RINVBNDSTS, "kind"
        if len(account.lines) >= config.max_binds:
            return Status.RALYBND, "max_binds"
        return Status.ROK, ""

    def _let_in(self, account: Account, line: Line, request: smpp.Bind, now: float) -> None:
        self._unbound.discard(line)
        line.session.accept(now, version=VERSIONS[account.config.max_version])
        line.flush()  # before anything that the centre has for it
        account.add(line, self, now)
        self._lines.log.info(
            "smpp.bound",
            account=account.config.name,
            source=line.remote[0],
            kind=_KINDS[type(request)],
            version=f"{line.session.version >> 4}.{line.session.version & 15}",
        )

    def _turn_away(
        self, line: Line, system_id: str, status: Status, why: str, now: float, *, is_known: bool
    ) -> None:
        self.failed[why] += 1
        host = line.remote[0]
        if status == Status.RBINDFAIL:
            self._guard.failed(host, system_id, now, is_known=is_known)
        self._lines.log.warning(
            "smpp.bind_failed", source=host, system_id=system_id[:16], reason=why, status=status.name
        )
        loop = asyncio.get_running_loop()
        self._delayed[line] = loop.call_later(self._lines.config.bind_delay, self._refuse, line, status)

    def _refuse(self, line: Line, status: Status) -> None:
        self._delayed.pop(line, None)
        if not line.is_closing:
            line.session.refuse(status)
            line.turn(self._lines.clock.now())
