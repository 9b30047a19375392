"""``switchroom serve``: run the switch until it is told to stop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from ...config import Config, write_default
from ..process import loop_factory, prepare
from .fault import FaultError
from .place import DEFAULT, ConfigOption, SetOption, read_config
from .service import Service, Workers

_MAX_WORKERS = 64

WorkersOption = Annotated[
    str | None,
    typer.Option(
        "--workers", "-w", metavar="N", help="Processes that share the work; auto: one for each core."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(serve)


def serve(config: ConfigOption = None, override: SetOption = None, workers: WorkersOption = None) -> None:
    """Run the switch, until Ctrl-C.

    Where there is no switchroom.toml yet, a first one with two phones is written.
    """
    prepare()
    os.umask(0o077)  # what is written here has passwords or who called whom
    path = config or DEFAULT
    is_first = config is None and not path.exists()
    if is_first:
        _write_first(path)
    settings = read_config(path, override)
    count = _count(workers, settings)
    from ..log import configure  # only here: other commands do not log

    logs = configure(settings.log)
    given = path, override or [], settings, logs
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            service = Service(*given) if count == 1 else Workers(*given, count)
            runner.run(service.run(is_first=is_first))
    finally:
        logs.close()


def _count(text: str | None, config: Config) -> int:
    """How many workers: what the command says, else the configuration."""
    if text is None:
        count = config.switch.workers
    elif text == "auto":
        count = 0
    elif text.isdecimal() and 0 < int(text) <= _MAX_WORKERS:
        count = int(text)
    else:
        raise FaultError(f"--workers: {text}: must be auto or a number from 1 to {_MAX_WORKERS}")
    return count or min(len(os.sched_getaffinity(0)), _MAX_WORKERS)


def _write_first(path: Path) -> None:
    try:
        write_default(path)
    except OSError as error:
        raise FaultError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from None
