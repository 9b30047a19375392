"""``switchroom smpp``: who is bound to us, and where we are bound."""

from __future__ import annotations

import typer

from .ask import _ask, _show_many
from .place import ConfigOption, JsonOption

smpp = typer.Typer(help="Who is bound to us, where we are bound.", rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(smpp, name="smpp")


@smpp.command()
def binds(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all binds, and those at carriers that are not up and why."""
    _show_many(_ask(config, "smpp.binds"), as_json=as_json, nothing="Nobody is bound.")


@smpp.callback()
def _smpp() -> None:
    """Who is bound to us, where we are bound."""
