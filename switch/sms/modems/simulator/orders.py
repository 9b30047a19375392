"""What simulated modems can be told while they run, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from switchroom.protocols.gsm import Charset, split
from switchroom.protocols.gsm.tpdu import UserData
from switchroom.switch.sms import simulation

from .device import Faults
from .network import Rule
from .stand import Place, Stand

__all__ = ["Orders"]


class Orders(simulation.Orders[Rule]):
    """Those to a stand of modems."""

    def __init__(self, stand: Stand) -> None:
        super().__init__(lambda: stand.network.rules, Rule.parse, stand.turn)
        self._stand = stand
        self._reference = 0

    def _place(self, number: str) -> Place:
        place = self._stand.places.get(number.lstrip("+"))
        if place is None:
            raise ValueError(f"{number!r:.40} is the number of no modem here")
        return place

    def _send(self, rest: str) -> Iterator[str]:
        source, number, text = _words(rest, 3)
        self._place(number)
        self._reference = (self._reference + 1) % 256
        parts = split(text.replace("\\n", "\n"), reference=self._reference)
        for part in parts:
            coding = 8 if part.encoding.charset is Charset.UCS2 else 0
            now = self._stand.now()
            self._stand.network.inject(source, number, UserData.of(part), now, coding)
        yield f"{len(parts)} on the way"

    def _fault(self, rest: str) -> Iterator[str]:
        number, *settings = rest.split()
        device = self._place(number).device
        for name, value in map(_setting, settings):
            setattr(device.faults, name, value)
        for field in fields(Faults):
            yield f"{field.name}={getattr(device.faults, field.name)}"

    def _hang(self, rest: str) -> Iterator[str]:
        self._place(rest).device.hang()
        yield from ()

    def _restart(self, rest: str) -> Iterator[str]:
        self._place(rest).device.restart()
        yield from ()

    def _radio(self, rest: str) -> Iterator[str]:
        number, word = _words(rest, 2)
        if word not in ("on", "off"):
            raise ValueError(f"{word!r:.40} is neither on nor off")
        device = self._place(number).device
        device.commands.is_on = word == "on"
        device.network.has_room(device.number, self._stand.now())
        yield from ()

    def _ring(self, rest: str) -> Iterator[str]:
        number, caller = _words(rest, 2)
        device = self._place(number).device
        device.tell("RING")
        device.tell(f'+CLIP: "{caller}",{145 if caller.startswith("+") else 129}')
        yield from ()

    def _unplug(self, rest: str) -> Iterator[str]:
        self._place(rest).terminal.unplug()
        yield from ()

    def _plug(self, rest: str) -> Iterator[str]:
        place = self._place(rest)
        place.device.restart()
        place.terminal.plug()
        yield place.terminal.shown

    def _list(self, rest: str) -> Iterator[str]:
        for place in self._stand.places.values():
            device = place.device
            state = "hangs" if device.is_hung else "works" if device.commands.is_on else "radio off"
            stored = f"SM {len(device.sim.messages)}, ME {len(device.equipment)}"
            yield f"{device.number} {place.terminal.shown} {state}; {stored}"


def _words(text: str, count: int) -> list[str]:
    words = text.split(maxsplit=count - 1)
    if len(words) < count:
        raise ValueError(f"needs {count} words, not {len(words)}")
    return words


def _setting(text: str) -> tuple[str, float | bool]:
    name, _, value = text.partition("=")
    kinds = {field.name: field.type for field in fields(Faults)}
    if name not in kinds:
        raise ValueError(f"{name!r:.40} is none of {', '.join(kinds)}")
    if kinds[name] == "bool":
        return name, value in ("1", "yes", "true")
    return name, float(value)


Orders.table = {
    "send": (Orders._send, "FROM SIM TEXT", "a message from outside to one of the SIMs; \\n begins a line"),
    "rule": (Orders._rule, "NUMBERS=ACTION[:VALUE]", "what becomes of messages for these numbers: "
             "fail, status, delay, drop, silent; * and ? stand for digits"),
    "forget": (Orders._forget, "[NUMBERS]", "a rule holds no more; without numbers: none does"),
    "rules": (Orders._rules, "", "list them"),
    "fault": (Orders._fault, "SIM NAME=VALUE …", "what goes wrong in a modem, such as error_rate=0.1"),
    "hang": (Orders._hang, "SIM", "it answers nothing until it is opened again"),
    "restart": (Orders._restart, "SIM", "it begins anew"),
    "radio": (Orders._radio, "SIM on|off", "with or without a network"),
    "ring": (Orders._ring, "SIM CALLER", "a call comes in"),
    "unplug": (Orders._unplug, "SIM", "the port is gone"),
    "plug": (Orders._plug, "SIM", "and there again"),
    "list": (Orders._list, "", "the modems, their ports, what they have stored"),
    "help": (Orders._help, "", ""),
}  # fmt: skip
