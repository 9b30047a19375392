"""Carriers that connect to us and ask for our bind (outbind, SMPP 3.4 §2.2.1 and §4.1.7)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable

from switchroom.protocols import smpp
from switchroom.switch.net import Tls
from switchroom.switch.net.tls import TlsError

from .line import Line
from .lines import Lines
from .listener import Listener
from .server import Guard
from .trunk import Trunk

__all__ = ["Outbinds"]

_MAX_WAITING = 50  # connections that have not said which trunk they are


class Outbinds:
    """Listens for them, and gives each connection to the trunk whose password it knows."""

    def __init__(
        self, lines: Lines, trunks: Callable[[], Iterable[Trunk]], *, guard: Guard, tls: Callable[[], Tls]
    ) -> None:
        self._lines, self._trunks, self._guard, self._tls = lines, trunks, guard, tls
        self._listeners: list[Listener] = []
        self._waiting: set[Line] = set()

    @property
    def bound(self) -> list[tuple[str, str, int]]:
        """Where it listens."""
        return [listener.address for listener in self._listeners]

    def start(self) -> None:
        """Listen; OSError: not there."""
        for address in self._lines.config.outbind_listen:
            if address.startswith("smpps:") and self._tls().server is None:
                raise TlsError(f"smpp.outbind_listen: {address}: needs tls.certificate")
            listener = Listener(address, self._enter, lambda: self._tls().server, Line.abort)
            self._listeners.append(listener)
            listener.start()

    def stop(self) -> None:
        """Take no more connections."""
        for listener in self._listeners:
            listener.stop()

    def _enter(self, remote: tuple[str, int], is_secure: bool) -> Line | None:
        if self._guard.is_banned(remote[0], self._lines.clock.now()) or len(self._waiting) >= _MAX_WAITING:
            return None
        config = self._lines.session_config()
        line = self._lines.make(smpp.Role.ESME, config, self, remote, is_secure=is_secure)
        self._waiting.add(line)
        return line

    def opened(self, line: Line, now: float) -> None:
        """It is the carrier that speaks first."""

    def hear(self, line: Line, event: smpp.Event, now: float) -> None:
        """Only one thing can be said here."""
        if not isinstance(event, smpp.OutbindReceived):
            return
        password = event.request.password.encode("latin-1")
        for trunk in self._trunks():
            expected = trunk.config.outbind_password.get_secret_value().encode()
            if expected and hmac.compare_digest(expected, password) and (berth := trunk.find_berth()):
                self._waiting.discard(line)
                line.session.max_window = trunk.config.window
                berth.adopt(line, now)
                return
        self._guard.failed(line.remote[0], event.request.system_id, now, is_known=False)
        self._lines.log.warning("smpp.outbind_refused", source=line.remote[0])
        line.session.close("outbind refused")

    def lost(self, line: Line, reason: str, now: float) -> None:
        """It has gone before it was known."""
        self._waiting.discard(line)
