"""The commands of ``switchroom``, and how their faults are told."""

from __future__ import annotations

import sys

import typer
from typer.exceptions import Abort, Exit, TyperException

from . import (
    api,
    ask,
    attendance,
    bans,
    certificate,
    check,
    codecs,
    modems,
    route,
    serve,
    smpp,
    sms,
    smsc,
    sound,
    trace,
)
from .fault import FaultError

__all__ = ["app", "run"]

app = typer.Typer(
    name="switchroom",
    help="A telephone switch: phones register, calls are routed and connected, their media is relayed.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
serve.add_to(app)
check.add_to(app)
certificate.add_to(app)
ask.add_to(app)
attendance.add_to(app)
bans.add_to(app)
trace.add_to(app)
route.add_to(app)
codecs.add_to(app)
api.add_to(app)
sms.add_to(app)
smpp.add_to(app)
smsc.add_to(app)
sound.add_to(app)
modems.add_to(app)


@app.callback(invoke_without_command=True)
def _start(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(
    add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def phone(context: typer.Context) -> None:
    """Be a phone: register, call or answer, play and record."""
    from ...phone.command import main as run_phone  # only here: the other commands start faster without it

    raise Exit(run_phone(context.args) or 0)


def run(arguments: list[str] | None = None) -> None:
    """Run the command line; a fault is one line and exit status 2."""
    try:
        status = app(args=arguments, prog_name="switchroom", standalone_mode=False)
    except (TyperException, FaultError) as error:
        text = error.format_message() if isinstance(error, TyperException) else str(error)
        typer.echo(f"switchroom: {text}", err=True)
        sys.exit(2)
    except (Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output went away
        sys.exit(141)
    sys.exit(status if isinstance(status, int) else 0)
