"""Commands that need no running switch: check, version, config-doc."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from importlib.metadata import version as installed_version
from pathlib import Path

import typer

from ...calls.routing import Router
from ...config import Config, ConfigError, load, split_listen
from ..document import describe
from .fault import FaultError
from .place import DEFAULT, ConfigOption, JsonOption, SetOption

_SHORT_PASSWORD = 8


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(check)
    app.command()(version)
    app.command(hidden=True)(config_doc)


def check(config: ConfigOption = None, override: SetOption = None, as_json: JsonOption = False) -> None:
    """Check a configuration.

    A fault is one line: file, key, value and what is allowed.
    """
    path = config or DEFAULT
    try:
        found = load(path, override or ())
        Router.of(found)  # reads the rate table
    except ConfigError as error:
        if not as_json:
            raise FaultError("\n".join(error.faults)) from None
        typer.echo(json.dumps({"file": str(path), "is_good": False, "faults": error.faults}, indent=2))
        raise typer.Exit(2) from None
    _check_files(path, found)
    advice = list(_advice(path, found))
    if as_json:
        typer.echo(json.dumps({"file": str(path), "is_good": True, "advice": advice}, indent=2))
        return
    counts = {"users": len(found.users), "routes": len(found.routes), "trunks": len(found.trunks)}
    seldom = ("smpp_accounts", "smpp_trunks", "modems", "sms_routes")
    counts |= {name: len(entries) for name in seldom if (entries := getattr(found, name))}
    typer.echo(f"{path}: good; {', '.join(f'{name}: {count}' for name, count in counts.items())}")
    for line in advice:
        typer.echo(f"advice: {line}")


def version(as_json: JsonOption = False) -> None:
    """Show the version."""
    found = installed_version("switchroom")
    typer.echo(json.dumps({"version": found}) if as_json else f"switchroom {found}")


def config_doc() -> None:
    """Write docs/configuration.md to standard output."""
    typer.echo(describe(), nl=False)


def _check_files(path: Path, config: Config) -> None:
    """Read the files that the configuration names, as a start would."""
    from ...calls.stir import Stir, StirError  # only here: the other commands start faster without them
    from ...net.tls import Tls, TlsError

    try:
        Tls(config.tls)
    except TlsError as error:
        raise FaultError(f"{path}: tls: {error}") from None
    try:
        Stir(config.stir)
    except StirError as error:
        raise FaultError(f"{path}: {error}") from None


def _advice(path: Path, config: Config) -> Iterator[str]:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & 0o077 and config.users:
        yield f"{path}: others can read the passwords in it; chmod 600 {path}"
    for i, user in enumerate(config.users):
        password = user.password.get_secret_value()
        if len(password) < _SHORT_PASSWORD or password in (user.name, user.number):
            yield f"users.{i}.password: easy to guess; whoever guesses it can call at your cost"
    listening = {split_listen(text)[0] for text in config.sip.listen}
    for i, trunk in enumerate(config.trunks):
        for target in (*trunk.targets, *trunk.proxies):
            wanted = (
                {target.transport.lower()} if target.transport else {"tls"} if target.is_secure else set()
            )
            if missing := wanted - listening:
                kind = missing.pop()
                yield f"trunks.{i}: no call can leave for {target.host} without a {kind}: entry in sip.listen"
