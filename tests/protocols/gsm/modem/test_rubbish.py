"""A line that says anything at all: the engine stays whole, its memory bounded, and it comes back."""

from __future__ import annotations

import random

import pytest

from switchroom.protocols.gsm import modem as engine
from switchroom.protocols.gsm.modem import Modem, ModemState
from tests.protocols.gsm.modem.test_kinds import KINDS, Session


class Noisy(Session):
    """What comes from the modem is damaged for a while; its owner opens the port again when asked to."""

    def __init__(self, name: str, seed: int) -> None:
        self.rng = random.Random(seed)
        self.rate = 0.02
        super().__init__(name)

    def pump(self) -> None:
        player = self.player
        intact = player.data_to_send

        def damaged() -> bytes:
            return b"".join(self._damage(octet) for octet in intact())

        player.data_to_send = damaged  # type: ignore[method-assign]
        try:
            super().pump()
        finally:
            player.data_to_send = intact  # type: ignore[method-assign]
        if self.of(engine.ResetWanted):
            self.events = [event for event in self.events if not isinstance(event, engine.ResetWanted)]
            self.modem.disconnect(self.now)
            self.modem.connect(self.now)

    def _damage(self, octet: int) -> bytes:
        if self.rng.random() >= self.rate:
            return bytes((octet,))
        return self.rng.choice((b"", bytes((octet, octet)), self.rng.randbytes(3), b"\r\n", b"OK\r\n", b"> "))


@pytest.mark.parametrize("seed", range(12))
def test_damaged_lines(seed: int) -> None:
    session = Noisy(KINDS[seed % len(KINDS)].name, seed)
    for n in range(10):
        if session.modem.room:
            session.send(f"{n}")
        session.run(20.0)
    session.rate = 0.0
    session.modem.refused_pin = ""  # whose answer was damaged: a person would look
    session.modem.disconnect(session.now)
    session.modem.connect(session.now)
    session.run(60.0)
    assert session.modem.state is ModemState.READY, session.modem.reason
    before = len(session.of(engine.Submitted))
    session.send("after all")
    session.run(120.0)
    assert len(session.of(engine.Submitted)) > before


@pytest.mark.parametrize("seed", range(4))
def test_octets_without_any_sense(seed: int) -> None:
    rng = random.Random(seed)
    modem = Modem()
    modem.connect(0.0)
    for n in range(2000):
        modem.receive_data(rng.randbytes(rng.randint(1, 60)), n / 10)
        if (at := modem.next_timer()) is not None and at <= n / 10:
            modem.handle_timer(n / 10)
        modem.data_to_send()
        while modem.next_event() is not None:
            pass


def test_a_flood_of_what_is_to_be_read_is_read_at_once() -> None:
    session = Session("sim800")
    session.player.say(*[f'+CMTI: "SM",{n}' for n in range(5000)], *['+CMTI: "SM",7'] * 1000)
    heard = len(session.player.heard)
    session.pump()
    assert len(session.modem._agenda) < 300
    session.run(60.0)
    asked = session.player.heard[heard:]
    assert sum(command.startswith("AT+CMGR") for command in asked) < 300
    assert "AT+CMGL=4" in asked
