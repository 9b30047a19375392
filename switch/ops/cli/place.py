"""Where the configuration and the running switch are, for all commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...config import Config, ConfigError, find_state_dir, load
from .fault import FaultError

DEFAULT = Path("switchroom.toml")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="The configuration [./switchroom.toml].")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="KEY=VALUE", help="Set a key in place of the file, e.g. sip.t1=0.3."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]


def read_config(path: Path, overrides: list[str] | None = None) -> Config:
    """Load the configuration or say what is wrong with it."""
    try:
        return load(path, overrides or ())
    except ConfigError as error:
        raise FaultError("\n".join(error.faults)) from None


def control_path(path: Path | None) -> Path:
    """The control socket of the switch with this configuration: a broken file is no reason not to ask."""
    if path is not None and not path.exists():
        raise FaultError(f"{path}: no such file or directory")
    return find_state_dir(path or DEFAULT) / "control.sock"
