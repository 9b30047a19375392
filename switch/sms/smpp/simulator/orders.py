"""What a simulated message centre can be told while it runs, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from switchroom.protocols import gsm, smpp
from switchroom.switch.sms import simulation

from .conduct import Rule
from .office import Office

__all__ = ["Orders"]

_UDHI = 0x40


class Orders(simulation.Orders[Rule]):
    """Those to a message centre."""

    def __init__(self, office: Office) -> None:
        super().__init__(lambda: office.smsc.conduct.rules, Rule.parse, office.turn)
        self._office = office
        self._smsc = office.smsc
        self._conduct = office.smsc.conduct

    def _send(self, rest: str) -> Iterator[str]:
        words = rest.split(maxsplit=3)
        if len(words) < 4:
            raise ValueError(f"needs SYSTEM_ID FROM TO TEXT, not {rest!r:.40}")
        account, source, to, text = words
        now = self._office.clock.now()
        parts = gsm.split(text.replace("\\n", "\n"), reference=self._smsc.random.randrange(256))
        for part in parts:
            self._smsc.deliver(account, _deliver_sm(source, to, part), now)
        yield f"{len(parts)} on the way"

    def _set(self, rest: str) -> Iterator[str]:
        for setting in rest.split():
            name, _, value = setting.partition("=")
            self._conduct.change(name, value)
        for field in fields(self._conduct)[:-1]:
            if field.name != "password":
                yield f"{field.name}={getattr(self._conduct, field.name)}"

    def _disconnect(self, rest: str) -> Iterator[str]:
        yield f"{self._office.disconnect(rest)} connections lost"

    def _unbind(self, rest: str) -> Iterator[str]:
        now = self._office.clock.now()
        for line in self._office.lines:
            if rest in ("", line.system_id):
                line.unbind(now)
        yield from ()

    def _binds(self, rest: str) -> Iterator[str]:
        for line in self._office.lines:
            session = line.session
            state = session.state.name.lower()
            yield f"{line.system_id or '-'} {line.remote[0]}:{line.remote[1]} {state} {session.outstanding}"

    def _counts(self, rest: str) -> Iterator[str]:
        for name, number in sorted(self._smsc.counts.items()):
            yield f"{name}: {number}"


def _deliver_sm(source: str, to: str, part: gsm.Part) -> smpp.DeliverSm:
    header = bytes(part.header) if part.header.elements else b""
    return smpp.DeliverSm(
        "",
        *_address(source),
        *_address(to),
        _UDHI if header else 0,
        data_coding=8 if part.encoding.charset is gsm.Charset.UCS2 else 0,
        short_message=header + part.data,
    )


def _address(text: str) -> tuple[int, int, str]:
    if text.lstrip("+").isdecimal():
        return int(text.startswith("+")), 1, text.lstrip("+")
    return 5, 0, text  # alphanumeric


Orders.table = {
    "send": (Orders._send, "SYSTEM_ID FROM TO TEXT", "a message from outside, to who has bound so"),
    "rule": (Orders._rule, "NUMBERS=ACTION[:VALUE]", "what becomes of messages for these numbers"),
    "forget": (Orders._forget, "[NUMBERS]", "a rule holds no more; without numbers: none does"),
    "rules": (Orders._rules, "", "list them"),
    "set": (Orders._set, "[NAME=VALUE …]", "how it behaves, such as fail=0.1 ids=hex"),
    "disconnect": (Orders._disconnect, "[SYSTEM_ID]", "connections break"),
    "unbind": (Orders._unbind, "[SYSTEM_ID]", "connections end in order"),
    "binds": (Orders._binds, "", "who has bound"),
    "counts": (Orders._counts, "", "what has happened"),
    "help": (Orders._help, "", ""),
}
