"""Whom a program calls: user:NAME, trunk:NAME/NUMBER, sip:URI, or a number as it would be dialled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from switchroom.switch.calls.routing import (
    Credentials,
    Inquiry,
    Leap,
    Plan,
    Step,
    ToTrunk,
    ToUri,
    ToUser,
    parse_destination,
)

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange


class Manner(NamedTuple):
    """How one of several targets is called."""

    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = None  # if it asks; for sip: and sips: alone


Manners = Mapping[str, Manner]
_PLAIN = Manner()


class Aim(NamedTuple):
    """A plan, and which of the targets each of its first leaps is for."""

    plan: Plan
    targets: dict[Leap, str]


def aim(
    exchange: Exchange,
    targets: tuple[str, ...],
    *,
    app: str,
    called: str,
    shown: str,
    timeout: float,
    manners: Manners | None = None,
) -> Aim:
    """Plan a call to all of them at once; ``called``: the number for a trunk that is given none."""
    leaps: dict[Leap, str] = {}
    for target in targets:
        kind, _, rest = target.partition(":")
        manner = _PLAIN if manners is None else manners.get(target, _PLAIN)
        if kind == "trunk" and rest:
            trunk, _, number = rest.partition("/")
            leaps[Leap(ToTrunk(trunk), number or called, shown, headers=manner.headers)] = target
        elif kind in ("user", "sip", "sips") and rest:
            to = parse_destination(target)
            if isinstance(to, ToUri):
                to = replace(to, credentials=manner.credentials)
            leaps[Leap(to, _number_of(exchange, target), shown, headers=manner.headers)] = target
        else:
            found = exchange.router.plan(_inquiry(exchange, target, shown, app))
            first = found.steps[0].leaps if found.steps else ()
            if len(targets) == 1 or not found.steps:
                return Aim(found, dict.fromkeys(first, target))
            leaps |= {leap.with_headers(manner.headers): target for leap in first}
    inquiry = _inquiry(exchange, targets[0], shown, app)
    return Aim(Plan(inquiry, (Step(tuple(leaps), timeout),)), leaps)


def _inquiry(exchange: Exchange, number: str, shown: str, app: str) -> Inquiry:
    return Inquiry(shown, number, f"app:{app}", exchange.clock.posix(exchange.clock.now()))


def _number_of(exchange: Exchange, target: str) -> str:
    to = parse_destination(target)
    if isinstance(to, ToUser):
        user = exchange.config.users.get(to.name)
        return to.name if user is None else user.own_number
    return target.partition(":")[2].partition("@")[0]
