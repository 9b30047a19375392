"""What is to be known of modems and SIMs after a restart, in the store of the messages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from switchroom.protocols.gsm.tpdu import StatusReport
from switchroom.switch.store.sms import SqliteMessages

from ..receipts.marks import mark_of
from .allowance import Allowance
from .sends import Send, nearest, prefix_of

__all__ = ["Memory"]

_PIN, _SIM = "modem.pin.", "modem.sim."


class Memory:
    """PINs that went to SIMs, what SIMs have sent, and for which messages reports are waited for."""

    def __init__(self, store: SqliteMessages) -> None:
        self._store = store
        self._values = store.load_values("modem.")
        self._allowances: dict[str, Allowance] = {}

    def allowance(self, sim: str) -> Allowance:
        """Of a SIM, in whatever modem it is."""
        found = self._allowances.get(sim)
        if found is None:
            stored = self._values.get(_SIM + sim, "")
            found = self._allowances[sim] = Allowance(stored, lambda value: self._put(_SIM + sim, value))
        return found

    # -- PINs

    def was_refused(self, modem: str, pin: str) -> bool:
        """Whether this PIN went to the SIM and was not taken, as far as anybody knows."""
        return bool(pin) and self._values.get(_PIN + modem) == _print(modem, pin)

    def note_pin(self, modem: str, pin: str, done: Callable[[bool], None]) -> None:
        """The PIN is about to go there; ``done`` hears when that is on the disk."""
        self._put(_PIN + modem, _print(modem, pin))
        self._store.pending.after((lambda is_written, _, now: done(is_written), None))
        self._store.wake()

    def forget_pin(self, modem: str) -> None:
        """It was taken."""
        if self._values.get(_PIN + modem):
            self._put(_PIN + modem, "")
            self._store.wake()

    def _put(self, key: str, value: str) -> None:
        self._values[key] = value
        self._store.pending.put(key, value)

    # -- messages

    def find(self, outlet: str, sim: str, report: StatusReport, done: Callable[[str, float], None]) -> None:
        """Which message a report is about that went out before the restart; ``done`` gets its id, or none."""
        prefix = mark_of(outlet, prefix_of(sim, report.message_reference, report.recipient))

        def found(rows: list[tuple[str, float]], _: Any, now: float) -> None:
            sends = [Send(remote_id, at) for remote_id, at in rows]
            done(nearest(sends, report).id if sends else "", now)

        self._store.ask("marks_from", (prefix,), found)


def _print(modem: str, pin: str) -> str:
    """Not to be read at a glance; whoever may read the store may read the configuration as well."""
    return hashlib.sha256(f"{modem}:{pin}".encode()).hexdigest()[:32]
