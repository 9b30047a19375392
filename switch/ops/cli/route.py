"""``switchroom route explain``: where a call would go and why, by the configuration alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from ...calls.routing import Inquiry, Plan, Router, Step, ToUser, clean_number, show_destination
from ...config import Config, ConfigError
from ...config.schedule import zone
from .fault import FaultError
from .place import DEFAULT, ConfigOption, JsonOption, SetOption, read_config
from .sms import explain_message


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(help="Ask where calls would go.", no_args_is_help=True)
    group.callback()(_only_group)
    group.command()(explain)
    app.add_typer(group, name="route")


def _only_group() -> None:
    """Ask where calls would go."""


def explain(
    caller: Annotated[str, typer.Option("--from", metavar="A", help="The number that calls.")],
    called: Annotated[str, typer.Option("--to", metavar="B", help="The number as it is dialled.")],
    source: Annotated[
        str,
        typer.Option(
            metavar="SOURCE",
            help="user:NAME or trunk:NAME [the user with the number of --from]; with --sms the inlet.",
        ),
    ] = "",
    at: Annotated[str, typer.Option(metavar="TIME", help="Local time, as 2026-12-24T18:00 [now].")] = "",
    chance: Annotated[
        float, typer.Option(min=0.0, max=0.999999, help="What decides between weights, from 0 to 1.")
    ] = 0.0,
    sms: Annotated[bool, typer.Option("--sms", help="Where a message would go, not a call.")] = False,
    text: Annotated[str, typer.Option(metavar="TEXT", help="With --sms: what it says.")] = "",
    config: ConfigOption = None,
    override: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where a call or a message would go: each rule tried, and the plan step by step.

    It reads the configuration; no switch needs to run, and what phones changed by codes is not known.
    """
    found = read_config(config or DEFAULT, override)
    if sms:
        lines = explain_message(found, caller, called, source, text, _seconds(found, at))
        typer.echo(
            json.dumps(lines, indent=2, ensure_ascii=False) if as_json else "\n".join(map(_plain, lines))
        )
        return
    router = _router(found)
    inquiry = Inquiry(
        clean_number(caller),
        clean_number(called),
        _account(found, source, clean_number(caller)),
        _seconds(found, at),
        chance,
    )
    answer = _answer(router, router.plan(inquiry))
    if as_json:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    for line in _shown(answer, set()):
        typer.echo(_plain(line))


def _router(config: Config) -> Router:
    try:
        return Router.of(config, told=sys.maxsize)
    except ConfigError as error:
        raise FaultError("\n".join(error.faults)) from None


def _account(config: Config, source: str, caller: str) -> str:
    """The source as the exchange knows it: a user's name, or trunk:NAME."""
    if not source:
        return next((user.name for user in config.users if caller in (user.name, user.dialled)), "")
    kind, _, name = source.partition(":")
    known = {"user": [user.name for user in config.users], "trunk": [trunk.name for trunk in config.trunks]}
    if kind not in known or not name:
        raise FaultError(f"--source {source}: must be user:NAME or trunk:NAME")
    if name not in known[kind]:
        raise FaultError(f"--source {source}: there is no such {kind}")
    return name if kind == "user" else source


def _seconds(config: Config, at: str) -> float:
    """A time in the zone of the configuration, where it names none itself."""
    here = zone(config.routing.time_zone)
    if not at:
        return datetime.now(here).timestamp()
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        raise FaultError(f"--at {at}: must be a time, such as 2026-12-24T18:00") from None
    return (found if found.tzinfo else found.replace(tzinfo=here)).timestamp()


def _answer(router: Router, plan: Plan) -> dict[str, Any]:
    return {
        "caller": plan.inquiry.caller,
        "called": plan.inquiry.called,
        "source": plan.inquiry.source,
        "is_emergency": plan.is_emergency,
        "status": plan.status,
        "reason": plan.reason,
        "lines": list(plan.lines),
        "steps": [_step(router, plan, step) for step in plan.steps],
    }


def _step(router: Router, plan: Plan, step: Step) -> dict[str, Any]:
    return {
        "ring_time": step.ring_time,
        "leaps": [
            {
                "destination": show_destination(leap.destination),
                "called": leap.called,
                "caller": leap.caller,
                "price": leap.price,
                "forwarding": _forwarding(router, plan, leap.destination.name)
                if isinstance(leap.destination, ToUser)
                else [],
            }
            for leap in step.leaps
        ],
    }


def _forwarding(router: Router, plan: Plan, user: str) -> list[dict[str, Any]]:
    """What would become of the call at this user: at once, or when it comes to nothing."""
    found = []
    for why in ("always", "busy", "no-answer", "unreachable"):
        diverted = router.divert(user, why, plan.inquiry)
        if diverted is not None:
            found.append({"why": why, "after": None, **_answer(router, diverted)})
            if why == "no-answer":
                found[-1]["after"] = router.ring_time(user)
            if why == "always":
                break
    return found


def _shown(answer: dict[str, Any], told: set[str], indent: str = "") -> Iterator[str]:
    """The lines for people; where a user forwards is told once."""
    yield from (f"{indent}{line}" for line in answer["lines"])
    if not answer["steps"]:
        yield f"{indent}refused: {answer['status']} {answer['reason']}"
    for number, step in enumerate(answer["steps"], start=1):
        time = f", for {step['ring_time']:g} s" if step["ring_time"] is not None else ""
        yield f"{indent}step {number}{time}:"
        for leap in step["leaps"]:
            price = f", price {leap['price']:g}" if leap["price"] is not None else ""
            yield f"{indent}  {leap['destination']}: called {leap['called']}, caller {leap['caller']}{price}"
            if leap["forwarding"] and leap["destination"] in told:
                yield f"{indent}    forwards as above"
                continue
            told.add(leap["destination"])
            for diverted in leap["forwarding"]:
                after = f" after {diverted['after']:g} s" if diverted["after"] is not None else ""
                yield f"{indent}    {diverted['why']}{after}:"
                yield from _shown(diverted, told, f"{indent}      ")


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "·" for c in text)
