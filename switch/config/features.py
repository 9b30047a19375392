"""[features] of the file: transfers, pickup, parking, and the codes that phones dial for them."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Strict, model_validator

from .checks import Count, Flag, Number
from .sections import Section, key

_CODE = re.compile(r"[*#][0-9*#]{1,7}")
_SLOTS = re.compile(r"([0-9]{1,8})-([0-9]{1,8})")
_MAX_SLOTS = 1000
CODES = (
    "pickup",
    "park",
    "forward_always",
    "forward_busy",
    "forward_no_answer",
    "forward_unreachable",
    "do_not_disturb",
    "do_not_disturb_off",
    "supervise",
)


def _code(text: str) -> str:
    if text and not _CODE.fullmatch(text):
        raise ValueError("must begin with * or # and have 1 to 7 digits, * or # behind it, or be empty")
    return text


def _range(text: str) -> str:
    if not text:
        return text
    found = _SLOTS.fullmatch(text)
    if found is None or len(found[1]) != len(found[2]) or not found[1] <= found[2]:
        raise ValueError("must be FIRST-LAST with as many digits each, such as 700-709, or empty")
    if int(found[2]) - int(found[1]) >= _MAX_SLOTS:
        raise ValueError(f"must be {_MAX_SLOTS} slots at most")
    return text


Code = Annotated[str, Strict(), AfterValidator(_code)]
SlotRange = Annotated[str, Strict(), AfterValidator(_range)]


class FeaturesConfig(Section):
    """What phones can do with calls, and the codes for it; an empty code is no code."""

    transfer: Flag = key("Whether phones and trunks may transfer their calls (REFER).", True)
    refer: Literal["local", "pass"] = key(
        "How a transfer of a user's phone is done. local: the switch does it, by re-INVITE. pass: the phone "
        "is asked by REFER, if it takes that. For trunks: trunks.refer.",
        "local",
    )
    max_transfers: Count = key("How often one call may be transferred.", 8, ge=1, le=100)
    pickup: Code = key(
        "Picks up: with a number the call that rings there, alone any that rings in the same pickup_group.",
        "*8",
    )
    park: Code = key("The number to transfer a call to that shall be parked in any free slot.", "*70")
    park_slots: SlotRange = key(
        "The numbers of the slots: a call transferred there is parked, who dials it takes it. Empty: none.",
        "",
    )
    park_timeout: Number = key(
        "How long a call is parked before the parker is called back.", 120.0, unit="s", ge=5, le=86_400
    )
    forward_always: Code = key("Forwards all calls to the number behind it; alone: not any more.", "*21")
    forward_busy: Code = key("Forwards calls when busy.", "*67")
    forward_no_answer: Code = key("Forwards calls that nobody answers.", "*61")
    forward_unreachable: Code = key("Forwards calls when no phone can be reached.", "*62")
    do_not_disturb: Code = key("No call rings any more.", "*78")
    do_not_disturb_off: Code = key("Calls ring again.", "*79")
    supervise: Code = key(
        "Attends the call of the user whose number stands behind it, if users.supervises allows that: 4 "
        "listens, 5 whispers to that user, 6 joins both.",
        "*55",
    )

    @cached_property
    def slots(self) -> dict[str, None]:
        """The numbers of the slots, in order."""
        found = _SLOTS.fullmatch(self.park_slots)
        if found is None:
            return {}
        size = len(found[1])
        return dict.fromkeys(f"{n:0{size}d}" for n in range(int(found[1]), int(found[2]) + 1))

    @property
    def codes(self) -> list[tuple[str, str]]:
        """Code and key, the longest code first."""
        found = [(getattr(self, name), name) for name in CODES]
        return sorted([pair for pair in found if pair[0]], key=lambda pair: -len(pair[0]))

    @model_validator(mode="after")
    def _codes_differ(self) -> Self:
        owners: dict[str, str] = {}
        for name in CODES:
            code = getattr(self, name)
            if code and owners.setdefault(code, name) != name:
                raise ValueError(f"{name}: {code}: {owners[code]} has it already")
        return self
