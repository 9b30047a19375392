"""Commands for recordings and conferences of the running switch."""

from __future__ import annotations

from typing import Annotated

import typer

from .ask import _ask, _show_many
from .place import ConfigOption, JsonOption

_Call = Annotated[str, typer.Argument(metavar="CALL", help="The call's id, or its first characters.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (recordings, recording, conferences, member):
        app.command()(command)


def recordings(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the recordings that go on."""
    _show_many(_ask(config, "recordings"), as_json=as_json, nothing="Nothing is recorded.")


def recording(
    call: _Call,
    step: Annotated[str, typer.Argument(metavar="STEP", help="start, pause, resume or stop.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a call, or pause, resume or stop that."""
    _show_many(_ask(config, "recording", call=call, step=step), as_json=as_json, nothing="")


def conferences(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List who is in which conference."""
    _show_many(_ask(config, "conferences"), as_json=as_json, nothing="There is no conference.")


def member(
    call: _Call,
    deed: Annotated[str, typer.Argument(metavar="DEED", help="mute, unmute, hold, unhold or kick.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mute a member of a conference, hold it, or put it out."""
    _show_many(_ask(config, "member", call=call, deed=deed), as_json=as_json, nothing="")
