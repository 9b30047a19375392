"""Commands about sources that nobody listens to."""

from __future__ import annotations

from typing import Annotated

import typer

from .ask import _ask, _show_many, _show_one
from .fault import FaultError
from .place import ConfigOption, JsonOption

_SOURCE = "An address; of IPv6 its /64 network is meant."


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (bans, ban, unban):
        app.command()(command)


def bans(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the sources that are banned, and why."""
    _show_many(_ask(config, "bans"), as_json=as_json, nothing="Nobody is banned.")


def ban(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=_SOURCE)],
    seconds: Annotated[
        float, typer.Option("--seconds", help="For how long.", min=1, max=31_536_000)
    ] = 3600.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Listen to a source no more; its calls go on."""
    _show_one(_ask(config, "ban", source=source, seconds=seconds), as_json=as_json)


def unban(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=_SOURCE)] = "",
    is_all: Annotated[bool, typer.Option("--all", help="Lift all bans.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Listen to a source again."""
    if bool(source) == is_all:
        raise FaultError("unban: needs either SOURCE or --all")
    _show_one(_ask(config, "unban", source=source), as_json=as_json)
