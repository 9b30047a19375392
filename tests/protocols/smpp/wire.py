"""An ESME and a message centre, octets between them, and a clock that is walked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from switchroom.protocols.smpp import (
    Bind,
    BindReceived,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    Event,
    Role,
    Session,
    SessionConfig,
    State,
)

BINDS: dict[State, type[Bind]] = {
    State.BOUND_TX: BindTransmitter,
    State.BOUND_RX: BindReceiver,
    State.BOUND_TRX: BindTransceiver,
}


class Pair:
    """Both ends of one session."""

    def __init__(self, **keys: Any) -> None:
        config = SessionConfig(system_id="centre", **keys)
        self.now = 100.0
        self.esme = Session(Role.ESME, config, self.now)
        self.mc = Session(Role.MC, config, self.now)

    def pass_on(self) -> None:
        """Carry what both have to say, until neither says anything more."""
        while True:
            up, down = self.esme.data_to_send(), self.mc.data_to_send()
            if not up and not down:
                return
            if up:
                self.mc.receive_data(up, self.now)
            if down:
                self.esme.receive_data(down, self.now)

    def bind(self, state: State = State.BOUND_TRX, version: int = 0x34) -> None:
        """Bind, and forget what was told about it."""
        self.esme.bind(BINDS[state]("customer", "secret", interface_version=version), self.now)
        self.pass_on()
        event = self.mc.next_event()
        assert isinstance(event, BindReceived)
        self.mc.accept(self.now)
        self.pass_on()
        events(self.esme)

    def walk_to(self, end: float) -> None:
        """Let time pass: each end is called when it asked to be."""
        while True:
            times = [at for side in (self.esme, self.mc) if (at := side.next_timer()) is not None]
            if not times or min(times) > end:
                self.now = end
                return
            self.now = max(self.now, min(times))
            for side in (self.esme, self.mc):
                if (at := side.next_timer()) is not None and at <= self.now:
                    side.handle_timer(self.now)
            self.pass_on()


def events(session: Session) -> list[Event]:
    """What it has to tell."""
    return list(iter(session.next_event, None))


def kinds(found: Iterable[Event]) -> list[str]:
    """Their names."""
    return [type(event).__name__ for event in found]
