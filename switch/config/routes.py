"""Routes in the file: which numbers go where, when, in which order, written how; and the numbering plan."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, PlainValidator, Strict, field_validator, model_validator

from .checks import Count, Dialled, Flag, Name, Number, check_target
from .patterns import Patterns, Rewriting, match_any, read_patterns
from .schedule import DatesText, DayText, HoursText, ZoneText
from .sections import Section, key
from .trunks import Country

_SOURCE = re.compile(r"(?:user|trunk):[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}|users|trunks")
_CAUSE = re.compile(r"[3-6](?:[0-9]{2}|xx)")
_MAX_AT_ONCE = 32


def _source(text: str) -> str:
    if not _SOURCE.fullmatch(text):
        raise ValueError("must be users, trunks, user:NAME or trunk:NAME")
    return text


def _cause(text: str) -> str:
    if not _CAUSE.fullmatch(text):
        raise ValueError("must be a SIP status from 300 to 699 or a class of them, such as 486 or 5xx")
    return text


def _to(value: object) -> str | tuple[str, ...]:
    """A target, or a list of targets that ring at once."""
    if isinstance(value, str):
        return check_target(value)
    if isinstance(value, list | tuple) and value and all(isinstance(part, str) for part in value):
        if len(value) > _MAX_AT_ONCE:
            raise ValueError(f"must hold at most {_MAX_AT_ONCE} targets that ring at once")
        return tuple(check_target(part) for part in value)
    raise ValueError("must be a target or a list of targets that ring at once")


Source = Annotated[str, Strict(), AfterValidator(_source)]
Cause = Annotated[str, Strict(), AfterValidator(_cause)]
To = Annotated[str | tuple[str, ...], PlainValidator(_to)]


class NumbersConfig(Section):
    """The numbering plan of the place where the switch is."""

    country: Country = key(
        "The country whose national numbers are dialled here, as DE or US. Empty: none is known.", ""
    )
    normalise: Flag = key(
        "Whether a number dialled as in that country (030…, 0044…) becomes +… before routes are tried.",
        False,
    )
    emergency: list[Dialled] | None = key(
        "Emergency numbers: no limit stops calls to them. Not given: those of the country, 112 and 911 "
        "where none is known.",
        None,
        max_length=64,
    )

    @model_validator(mode="after")
    def _country_known(self) -> Self:
        if self.normalise and not self.country:
            raise ValueError("normalise: true: needs country")
        return self


class RoutingConfig(Section):
    """What all routes share."""

    time_zone: ZoneText = key("The time zone of days, hours and dates, as Europe/Berlin.", "UTC")
    rates: Path | None = key(
        "The rate table for order = cost: a CSV file with prefix,trunk,price[,valid_from], or TOML. "
        "Relative: to this file.",
        None,
    )
    max_forwards: Count = key("How often one call may be forwarded from user to user.", 5, ge=0, le=20)

    def within(self, folder: Path) -> Self:
        """The same with the path of the rate table whole."""
        if self.rates is None:
            return self
        return self.model_copy(update={"rates": (folder / self.rates.expanduser()).absolute()})


class RouteConfig(Section):
    """Where dialled numbers go, beside the numbers of the users; the first route that matches is taken."""

    match: Patterns = key(
        "The number called: as it is, X for any digit, [2-5] for a choice, * at the end for any rest, "
        "1000-1999 for a range, /…/ for a regular expression; several stand apart by spaces."
    )
    name: Name | None = key("What the route is called in explanations.", None)
    to: list[To] = key(
        "One target or a list: user:NAME, trunk:NAME, sip:USER@HOST, or what the switch does itself: "
        "app:NAME, conference:NAME, voicemail:USER. Where `order` is not parallel, a list in the list rings "
        "at once.",
        min_length=1,
        max_length=32,
    )
    order: Literal["parallel", "sequential", "weight", "cost"] = key(
        "parallel: all ring at once; sequential: one after the other; weight: the first by chance, the "
        "others after it; cost: the cheapest of the rate table first.",
        "parallel",
    )
    weights: list[Count] = key("For order = weight: how often each target comes first.", list, max_length=32)
    ring_time: list[Number] = key(
        "How long the target rings before the next, for all or one for each. Empty: calls.answer_timeout.",
        list,
        unit="s",
        max_length=32,
    )
    continue_on: list[Cause] = key(
        "The answers after which the next target is tried, as 486 or 5xx; any other is final. Empty: all "
        "but 404, 410, 484, 485, 486 and 6xx. No answer in ring_time and no way there always go on.",
        list,
        max_length=64,
    )
    fall_through: Flag = key(
        "Whether the next route that matches is tried when all targets of this one failed.", False
    )
    record: Flag = key("Whether calls that take this route are recorded, each side apart.", False)
    callers: Patterns | None = key("Only for these calling numbers: patterns as in match.", None)
    sources: list[Source] = key(
        "Only for calls from these: users, trunks, user:NAME, trunk:NAME. Empty: all.", list, max_length=1024
    )
    days: list[DayText] = key("Only on these days: mon-fri, sat.", list, max_length=7)
    hours: list[HoursText] = key("Only at these times: 08:00-18:00, 22:00-06:00.", list, max_length=24)
    dates: list[DatesText] = key(
        "Only on these dates: 2026-12-24, 2026-12-24/2027-01-01, 12-25 of each year.", list, max_length=400
    )
    except_dates: list[DatesText] = key("Not on these dates, as holidays.", list, max_length=400)
    strip: Count = key("How many characters to take off the front of the number called.", 0, ge=0, le=32)
    prefix: Dialled = key("What to put before it then.", "")
    replace: Rewriting = key(
        "How to write it then: a pattern and a text with \\1 for what its * or group found.", tuple
    )
    caller_strip: Count = key("The same for the number of the caller.", 0, ge=0, le=32)
    caller_prefix: Dialled = key("The same for the number of the caller.", "")
    caller_replace: Rewriting = key("The same for the number of the caller.", tuple)

    @field_validator("to", "ring_time", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str | int | float) else value

    @field_validator("ring_time")
    @classmethod
    def _times_in_bounds(cls, times: list[float]) -> list[float]:
        for time in times:
            if not 0 < time <= 600:
                raise ValueError(f"{time:g} must be greater than 0 and at most 600")
        return times

    @model_validator(mode="after")
    def _lists_fit(self) -> Self:
        if self.order == "parallel" and any(isinstance(to, tuple) for to in self.to):
            raise ValueError("to: a list in the list needs order = sequential, weight or cost")
        steps = 1 if self.order == "parallel" else len(self.to)
        if len(self.ring_time) not in (0, 1, steps):
            raise ValueError(
                f"ring_time: {self.ring_time}: must be one time, or one for each of {steps} steps"
            )
        if self.order == "weight" and (len(self.weights) != len(self.to) or not sum(self.weights)):
            raise ValueError(
                f"weights: {self.weights}: must be one for each of {len(self.to)} targets, not all 0"
            )
        if self.order != "weight" and self.weights:
            raise ValueError(f"weights: {self.weights}: only with order = weight")
        if any(weight < 0 for weight in self.weights):
            raise ValueError(f"weights: {self.weights}: must not be less than 0")
        if self.order == "cost" and not all(target.startswith("trunk:") for target in self.targets):
            raise ValueError("to: order = cost needs trunks, as trunk:NAME")
        return self

    @property
    def targets(self) -> list[str]:
        """All targets, whatever their order."""
        return [target for to in self.to for target in ((to,) if isinstance(to, str) else to)]

    def matches(self, number: str) -> bool:
        """Whether the pattern of this route takes the number."""
        return match_any(read_patterns(self.match), number)
