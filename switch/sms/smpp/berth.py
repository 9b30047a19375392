"""One bind of ours at a carrier that is to be up always: dialled, lost, dialled again, later each time."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from switchroom.protocols import smpp
from switchroom.protocols.smpp import meaning
from switchroom.switch.config import SmppAddress, SmppTrunkConfig
from switchroom.switch.net import Tls
from switchroom.switch.net.sockets import reason_of, tune
from switchroom.switch.net.tls import is_name, names_of, proves

from .line import Line
from .lines import Lines

__all__ = ["Berth"]

_USER_TIMEOUT = 30.0
_STEADY = 60.0  # seconds bound, after which a loss begins the back-off anew
VERSIONS = {"3.3": 0x33, "3.4": 0x34, "5.0": 0x50}


class Host(Protocol):
    """The trunk."""

    config: SmppTrunkConfig

    def hear(self, line: Line, event: smpp.Event, now: float) -> None: ...
    def bound(self, line: Line, now: float) -> None: ...
    def unbound(self, line: Line, now: float) -> None: ...


class Berth:
    """A place for one bind."""

    def __init__(self, host: Host, kind: type[smpp.Bind], lines: Lines, tls: Callable[[], Tls]) -> None:
        self.kind = kind
        self.line: Line | None = None
        self.reason = ""  # why it is not bound
        self.failures = 0
        self.bound_at = 0.0
        self._host, self._lines, self._tls = host, lines, tls
        self._address = 0  # which of the trunk's comes next
        self._dial_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    @property
    def is_bound(self) -> bool:
        """Whether messages may pass."""
        return self.line is not None and self.line.session.is_bound

    def start(self, now: float) -> None:
        """Begin to dial."""
        self._dial_at = now

    def stop(self, now: float) -> None:
        """Give it up."""
        self._is_over, self._dial_at = True, None
        if self._task is not None:
            self._task.cancel()
        if self.line is not None:
            self.line.unbind(now)

    def tend(self, now: float) -> None:
        """Dial if it is time."""
        if self._dial_at is not None and now >= self._dial_at and self._host.config.address:
            self._dial_at = None
            addresses = self._host.config.addresses
            address = addresses[self._address % len(addresses)]
            self.line = self.make_line(address)
            self._task = asyncio.get_running_loop().create_task(self._dial(self.line, address))

    def make_line(self, address: SmppAddress) -> Line:
        """The connection, before there is one."""
        config, defaults = self._host.config, self._lines.config
        timeout, interval = config.response_timeout, config.enquire_interval
        session = replace(
            self._lines.session_config(window=config.window),
            response_timeout=defaults.response_timeout if timeout is None else timeout,
            enquire_interval=defaults.enquire_interval if interval is None else interval,
        )
        remote = address.host, address.port
        return self._lines.make(smpp.Role.ESME, session, self, remote, is_secure=address.is_secure)

    async def _dial(self, line: Line, address: SmppAddress) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._lines.config.bind_timeout):
                if address.is_secure:
                    name = self._host.config.tls_name or address.host
                    await loop.create_connection(
                        lambda: line,
                        address.host,
                        address.port,
                        ssl=self._tls().client,
                        server_hostname=name if is_name(name) else "",
                    )
                else:
                    await loop.create_connection(lambda: line, address.host, address.port)
        except (OSError, ssl.SSLError) as error:  # TimeoutError is one
            line.abort(reason_of(error))

    # -- the connection

    def opened(self, line: Line, now: float) -> None:
        """Bind, once the other end has proven its name."""
        config = self._host.config
        if (sock := line.socket) is not None:
            tune(sock, _USER_TIMEOUT)
        if line.is_secure and self._tls().is_verifying:
            names = names_of(line.certificate)
            if not proves(names, config.tls_name or line.remote[0]):
                line.abort("certificate")
                return
        self.bind(line, now)

    def bind(self, line: Line, now: float) -> None:
        """Ask for the session."""
        config = self._host.config
        request = self.kind(
            config.system_id,
            config.password.get_secret_value(),
            config.system_type,
            VERSIONS[config.version],
            config.addr_ton,
            config.addr_npi,
            config.address_range,
        )
        line.session.bind(request, now)
        line.turn(now)

    def hear(self, line: Line, event: smpp.Event, now: float) -> None:
        """News of the session: binding is ours, the rest the trunk's."""
        if isinstance(event, smpp.Bound):
            line.system_id = event.response.system_id
            self.bound_at, self.reason = now, ""
            self._lines.log.info(
                "smpp.trunk_bound", trunk=self._host.config.name, remote=f"{line.remote[0]}:{line.remote[1]}"
            )
            self._host.bound(line, now)
        elif isinstance(event, smpp.BindRefused):
            self.reason = f"refused: {meaning(event.status)}"
        else:
            self._host.hear(line, event, now)

    def lost(self, line: Line, reason: str, now: float) -> None:
        """Dial again, later each time (with jitter: a carrier that comes back is not to be run over)."""
        config = self._host.config
        self.line, self._task = None, None
        was_bound = self.bound_at > 0.0
        if was_bound and now - self.bound_at >= _STEADY:
            self.failures = 0
        self.bound_at = 0.0
        self.reason = self.reason or reason
        self._host.unbound(line, now)
        if self._is_over:
            return
        delay = min(config.reconnect_max, config.reconnect_min * 2 ** min(self.failures, 20))
        delay *= random.uniform(0.5, 1.0)
        self.failures += 1
        self._address += 1
        self._dial_at = now + delay
        self._lines.log.warning(
            "smpp.trunk_lost", trunk=config.name, reason=self.reason, again_in=round(delay, 1)
        )

    def adopt(self, line: Line, now: float) -> None:
        """A carrier has connected and asks for this bind (outbind)."""
        self._dial_at, self.line, self.reason = None, line, ""
        line.owner = self
        self.bind(line, now)
