"""Commands that ask the running switch over its control socket."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..control import ControlError
from ..control import ask as ask_switch
from .fault import FaultError
from .place import ConfigOption, JsonOption, control_path

_WIDTH = 200  # where no terminal says how wide it is


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (status, registrations, trunks, calls, record, objects, hangup, reload, drain, undrain):
        app.command()(command)


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the running switch in numbers."""
    _show_one(_ask(config, "status"), as_json=as_json)


def registrations(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the phones that are registered."""
    _show_many(_ask(config, "registrations"), as_json=as_json, nothing="No phone is registered.")


def trunks(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the trunks, and whether they are alive."""
    _show_many(_ask(config, "trunks"), as_json=as_json, nothing="There is no trunk.")


def calls(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    ended: Annotated[
        bool, typer.Option("--ended", help="Those that ended last, and what became of them.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="With --ended: how many.")] = 20,
) -> None:
    """List the calls in progress."""
    if ended:
        _show_many(_ask(config, "records", limit=limit), as_json=as_json, nothing="No call has ended.")
        return
    _show_many(_ask(config, "calls"), as_json=as_json, nothing="No call is in progress.")


def record(
    record: Annotated[str, typer.Argument(metavar="CALL", help="The call's id, or its first characters.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of a call that ended."""
    fields = _ask(config, "record", record=record)
    explanation = [] if as_json else fields.pop("explanation", [])
    _show_one(fields, as_json=as_json)
    for line in explanation:
        typer.echo(f"  {_text(line)}")


def objects(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Count what is alive in the switch, by kind."""
    _show_one(_ask(config, "objects"), as_json=as_json)


def hangup(
    call: Annotated[str, typer.Argument(metavar="CALL", help="The call's id, or its first characters.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a call."""
    _show_one(_ask(config, "hangup", call=call), as_json=as_json)


def reload(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Apply a changed configuration.

    Calls go on. A broken configuration is refused and the running one stays.
    """
    result = _ask(config, "reload")
    if as_json:
        _echo_json(result)
        return
    typer.echo("The configuration was applied.")
    if result["needs_restart"]:
        typer.echo(f"After a restart: {', '.join(result['needs_restart'])}")


def drain(
    timeout: Annotated[
        float,
        typer.Option("--timeout", "-t", metavar="SECONDS", help="End what is left then [never].", min=0),
    ] = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take no new calls, and stop when the last one has ended."""
    _show_one(_ask(config, "drain", timeout=timeout), as_json=as_json)


def undrain(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Take calls again after a drain that is not done."""
    _show_one(_ask(config, "undrain"), as_json=as_json)


def _ask(config: Path | None, name: str, *, _timeout: float = 10.0, **arguments: object) -> Any:
    try:
        return ask_switch(control_path(config), name, arguments, timeout=_timeout)
    except ControlError as error:
        raise FaultError(str(error)) from None


def _echo_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))


def _show_one(fields: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        _echo_json(fields)
        return
    told = {key: value for key, value in fields.items() if value is not None}
    width = max((len(key) for key in told), default=0)
    for key, value in told.items():
        typer.echo(f"{key.replace('_', ' '):{width}}  {_text(value)}")


def _show_many(rows: Sequence[Mapping[str, object]], *, as_json: bool, nothing: str) -> None:
    if as_json:
        _echo_json(rows)
        return
    if not rows:
        typer.echo(nothing)
        return
    from rich.console import Console  # only here: the commands without a table start faster
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for key in rows[0]:
        table.add_column(key.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_text(value)) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)


def _text(value: object) -> str:
    """Phones choose some of these texts: nothing of them may reach the terminal as a command."""
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return "".join(c if c.isprintable() else "·" for c in shown)
