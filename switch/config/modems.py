"""[[modems]]: GSM modems with their ports, SIMs and limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, SecretStr, Strict, model_validator

from .checks import Count, Flag, Name, Number, Text
from .sections import Section, key

_SPEEDS = (1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600)


def _speed(speed: int) -> int:
    if speed not in _SPEEDS:
        raise ValueError(f"must be one of {', '.join(map(str, _SPEEDS))}")
    return speed


Language = Literal[
    "turkish",
    "spanish",
    "portuguese",
    "bengali",
    "gujarati",
    "hindi",
    "kannada",
    "malayalam",
    "oriya",
    "punjabi",
    "tamil",
    "telugu",
    "urdu",
]
Speed = Annotated[int, Strict(), AfterValidator(_speed)]


class ModemConfig(Section):
    """A GSM modem with a SIM; modem:NAME in routes of messages."""

    name: Name = key("The name of the modem in routes, records and metrics.")
    port: Text = key(
        "Its serial port, best by a name that stays, of those in /dev/serial/by-id.",
        min_length=1,
        max_length=255,
    )
    speed: Speed = key("The speed of the port.", 115_200, unit="bit/s")
    flow_control: Flag = key("Whether the port has the wires RTS and CTS.", False)
    pool: Text = key(
        "Modems with the same pool are one way out, modem:POOL, and share its messages. Empty: none.",
        "",
        pattern=r"^(?:[A-Za-z0-9][A-Za-z0-9_.+-]{0,63})?$",
    )
    pin: SecretStr = key(
        "The PIN of the SIM. Once it was refused it is not tried again until another one stands here.",
        SecretStr(""),
        max_length=8,
    )
    number: Text = key(
        "The number of the SIM, the receiver of what comes in. Empty: what the SIM says.",
        "",
        pattern=r"^(?:\+?[0-9]{1,20})?$",
    )
    service_centre: Text = key(
        "The number of the service centre. Empty: the one that the SIM knows.",
        "",
        pattern=r"^(?:\+?[0-9]{1,20})?$",
    )
    per_minute: Count = key(
        "Messages that the SIM may send in any 60 seconds; others wait. 0: any number.", 0, ge=0, le=600
    )
    per_day: Count = key(
        "Messages that the SIM may send in a day (UTC); others wait for the next day, or go by the next way. "
        "0: any number.",
        0,
        ge=0,
        le=1_000_000,
    )
    status_reports: Literal["always", "asked", "never"] = key(
        "When the network is asked for a report. always: it also tells whether a message went out whose "
        "answer was lost.",
        "always",
    )
    incoming: Literal["stored", "direct"] = key(
        "Messages that come in are stored by the modem and deleted when they are on the disk; or they come "
        "directly and are acknowledged then (AT+CNMA), which some modems cannot.",
        "stored",
    )
    storage: Text = key(
        "Where the modem stores them: SM, ME, MT. Empty: SM where there is one.",
        "",
        pattern=r"^(?:[A-Z]{2})?$",
    )
    reject_calls: Flag = key("Whether calls that come in are rejected.", True)
    max_parts: Count = key("Parts that a message may have; longer ones are refused.", 10, ge=1, le=255)
    long_reference: Literal[8, 16] = key("Bits of the reference of long messages.", 8)
    transliterate: Flag = key(
        "Whether letters that the GSM alphabet lacks become its nearest, so that a text needs no UCS-2.",
        False,
    )
    init: list[Text] = key("Further AT commands at the start of the modem.", list, max_length=32)
    poll_interval: Number = key(
        "How often signal, network and storage are looked at.", 30.0, unit="s", ge=1, le=3600
    )
    send_timeout: Number = key(
        "How long the network may take to accept a message.", 60.0, unit="s", ge=5, le=600
    )
    doubt_timeout: Number = key(
        "How long a status report is waited for when no answer came: it shows that the message went out.",
        120.0,
        unit="s",
        ge=5,
        le=86_400,
    )
    search_timeout: Number = key(
        "A modem that has no network for so long is restarted. 0: never.", 600.0, unit="s", ge=0, le=86_400
    )
    languages: list[Language] = key(
        "National tables that all receivers have: turkish, spanish, portuguese, hindi, … A text may take "
        "fewer parts then; a telephone without the table shows other letters.",
        list,
        max_length=4,
    )
    reopen_interval: Number = key(
        "How often a port is tried that is not there.", 2.0, unit="s", ge=0.1, le=3600
    )

    @property
    def way(self) -> str:
        """What routes call it."""
        return f"modem:{self.pool or self.name}"

    @model_validator(mode="after")
    def _commands_are_commands(self) -> Self:
        for command in self.init:
            if not command.upper().startswith("AT") or not command.isascii() or not command.isprintable():
                raise ValueError(f"init: {command}: must be a command that begins with AT")
        pin = self.pin.get_secret_value()
        if pin and not (pin.isascii() and pin.isdigit() and len(pin) >= 4):
            raise ValueError("pin: must have 4 to 8 digits")
        return self


def check_modems(modems: Sequence[ModemConfig]) -> None:
    """Each a name and a port of its own; ValueError says what is wrong."""
    names: dict[str, int] = {}
    ports: dict[str, int] = {}
    for i, modem in enumerate(modems):
        if names.setdefault(modem.name, i) != i:
            raise ValueError(f"modems.{i}.name: {modem.name}: modems.{names[modem.name]} has it already")
        if ports.setdefault(modem.port, i) != i:
            raise ValueError(f"modems.{i}.port: {modem.port}: modems.{ports[modem.port]} has it already")
    for i, modem in enumerate(modems):
        alone = names.get(modem.pool)
        if alone is not None and not modems[alone].pool:
            raise ValueError(f"modems.{i}.pool: {modem.pool}: is the name of a modem without a pool")
