"""How a simulated message centre behaves: towards all messages, and towards those for certain numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Self

from switchroom.protocols.smpp import MessageState, Status

__all__ = ["ACTIONS", "ID_FORMS", "RECEIPT_FORMS", "Conduct", "Rule"]

RECEIPT_FORMS = ("both", "text", "parameters", "none")
ID_FORMS: dict[str, Callable[[int], str]] = {
    "decimal": str,
    "hex": lambda id: f"{id:08x}",
    "upper": lambda id: f"{id:X}",
    "padded": lambda id: f"{id:012}",
}
ACTIONS: dict[str, float] = {  # and the value where none is given
    "fail": Status.RSUBMITFAIL,  # not taken, with that command_status
    "state": MessageState.UNDELIVERABLE,  # taken, and that message_state in the receipt
    "delay": 10.0,  # taken, delivered that many seconds later
    "slow": 2.0,  # answered that many seconds later
    "mute": 0,  # taken, and never answered
    "lose": 0,  # taken, and no receipt
    "early": 0,  # the receipt comes before the answer
    "twice": 0,  # the receipt comes twice
    "throttle": 0,  # not taken: ESME_RTHROTTLED
    "disconnect": 0,  # taken, and the connection is lost before the answer
    "reply": 0,  # delivered, and its receiver sends it back
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to messages for numbers of a pattern: ``*`` and ``?`` stand for digits."""

    pattern: str
    action: str
    value: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """NUMBERS=ACTION[:VALUE], such as 4917*=fail:0x45; ValueError says what is wrong."""
        pattern, equals, rest = text.partition("=")
        action, _, value = rest.partition(":")
        if not equals or not pattern or action not in ACTIONS:
            raise ValueError(f"{text!r:.80} is not NUMBERS=ACTION[:VALUE] with one of {', '.join(ACTIONS)}")
        try:
            number = (int(value, 16) if value[:2] in ("0x", "0X") else float(value)) if value else None
        except ValueError:
            raise ValueError(f"{value!r:.40} in {text!r:.80} is no number") from None
        number = ACTIONS[action] if number is None else number
        if not 0 <= number <= 0xFFFFFFFF or (action == "state" and number not in range(len(MessageState))):
            raise ValueError(f"{value!r:.40} in {text!r:.80} cannot be")
        return cls(pattern.lstrip("+"), action, number)


@dataclass(slots=True)
class Conduct:
    """Everything that can be said to it, while it runs too; shares are from 0 to 1, times in seconds."""

    receipts: str = "both"
    ids: str = "decimal"  # in answers
    receipt_ids: str = ""  # in receipts; empty: as in answers
    delay: float = 0.1  # until a message is delivered
    spread: float = 0.0  # by how much that varies: receipts overtake each other
    answer_delay: float = 0.0
    fail: float = 0.0  # share that is not taken
    status: int = Status.RSYSERR  # with this command_status
    undelivered: float = 0.0  # share that is taken and not delivered
    lose: float = 0.0  # share of receipts that are lost
    rate: float = 0.0  # messages a second of one account; what is beyond is throttled. 0: all
    disconnect_after: int = 0  # messages of one bind, then the connection is lost. 0: never
    password: str = ""  # of every bind; empty: any will do
    rules: list[Rule] = field(default_factory=list)

    def rule_for(self, number: str) -> Rule | None:
        """What is to be done with messages for this number."""
        return next((rule for rule in self.rules if fnmatchcase(number, rule.pattern)), None)

    def change(self, name: str, text: str) -> None:
        """Set one of them; ValueError says what is wrong."""
        kind = {field.name: field.type for field in fields(self)}.get(name)
        choices = {"receipts": RECEIPT_FORMS, "ids": (*ID_FORMS,), "receipt_ids": ("", *ID_FORMS)}.get(name)
        if kind is None or name == "rules":
            raise ValueError(f"{name!r:.40} is none of {', '.join(f.name for f in fields(self)[:-1])}")
        if choices is not None and text not in choices:
            raise ValueError(f"{name}: {text!r:.40} is none of {', '.join(filter(None, choices))}")
        value: object = text
        try:
            if kind == "int":
                value = int(text, 0)
            elif kind == "float":
                value = float(text)
        except ValueError:
            raise ValueError(f"{name}: {text!r:.40} is no number") from None
        if isinstance(value, int | float) and not 0 <= value < 1e10:
            raise ValueError(f"{name}: {text!r:.40} cannot be")
        setattr(self, name, value)
