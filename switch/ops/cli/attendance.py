"""Commands about texts that wait, subscriptions and mailboxes."""

from __future__ import annotations

from typing import Annotated

import typer

from .ask import _ask, _show_many, _show_one
from .place import ConfigOption, JsonOption


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (texts, subscriptions, mailbox):
        app.command()(command)


def texts(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the texts that wait for their users."""
    _show_many(_ask(config, "texts"), as_json=as_json, nothing="No text waits.")


def subscriptions(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List who watches whom, by SIP subscriptions."""
    _show_many(_ask(config, "subscriptions"), as_json=as_json, nothing="Nobody watches anybody.")


def mailbox(
    user: Annotated[str, typer.Argument(metavar="USER", help="The user's name or number.")],
    new: Annotated[int, typer.Argument(min=0, help="Voice messages that were not heard.")],
    old: Annotated[int, typer.Argument(min=0, help="Voice messages that were heard.")] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell a user's phones how many voice messages wait (MWI)."""
    _show_one(_ask(config, "mailbox", user=user, new=new, old=old), as_json=as_json)
