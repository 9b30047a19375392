"""``switchroom api`` and ``switchroom webhooks``: the REST of the running switch, for its operator."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ...config import find_state_dir
from .ask import _ask, _show_many, _show_one
from .fault import FaultError
from .place import DEFAULT, ConfigOption, JsonOption

LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    api = typer.Typer(help="REST for programs: account, audit log, certificate.")
    for command in (account, audit, status, certificate):
        api.command()(command)
    app.add_typer(api, name="api", no_args_is_help=True)
    hooks = typer.Typer(help="Requests to customers: list, show, send again.")
    hooks.command("list")(list_webhooks)
    hooks.command()(show)
    hooks.command()(replay)
    app.add_typer(hooks, name="webhooks", no_args_is_help=True)


def account(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the main account and its token."""
    _show_one(_ask(config, "api.account"), as_json=as_json)


def audit(config: ConfigOption = None, as_json: JsonOption = False, limit: LimitOption = 20) -> None:
    """List who changed what last, and alerts."""
    _show_many(_ask(config, "api.audit", limit=limit), as_json=as_json, nothing="Nothing was changed.")


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the API in numbers."""
    _show_one(_ask(config, "api.status"), as_json=as_json)


def certificate(
    file: Annotated[Path, typer.Option("-o", "--output", help="The PEM file.")] = Path("switchroom-ca.pem"),
    config: ConfigOption = None,
) -> None:
    """Write the certificate by which clients that cannot be changed believe the proxy.

    The file has the roots of this machine too: REQUESTS_CA_BUNDLE=FILE takes nothing else away.
    """
    import certifi  # only here: the other commands start faster without them

    from ...api.http.authority import Authority

    folder = find_state_dir(config or DEFAULT)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        data = Authority(folder).root() + Path(certifi.where()).read_bytes()
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "wb") as out:
            out.write(data)
    except OSError as error:
        raise FaultError(f"{file}: cannot be written: {(error.strerror or str(error)).lower()}") from None
    typer.echo(
        f'{file}: for the names of twilio.com alone; with api.rest = ["proxy:127.0.0.1:PORT"]:\n\n'
        f"export HTTPS_PROXY=http://127.0.0.1:PORT REQUESTS_CA_BUNDLE={file.resolve()}"
    )


def list_webhooks(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    limit: LimitOption = 20,
    state: Annotated[str, typer.Option("--state", help="Only these: pending, done or dead.")] = "",
) -> None:
    """List the last requests to customers."""
    rows = _ask(config, "api.webhooks", limit=limit, state=state)
    _show_many(rows, as_json=as_json, nothing="No webhook was sent.")


def show(
    webhook: Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, as the list shows it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one request with all attempts and answers."""
    found = _ask(config, "api.webhook", webhook=webhook)
    if as_json:
        _show_one(found, as_json=True)
        return
    params, attempts = found.pop("params"), found.pop("attempts")
    _show_one(found, as_json=False)
    for name, value in params:
        typer.echo(f"  {name}={value}")
    for one in attempts:
        typer.echo(f"\nattempt at {datetime.fromtimestamp(one.pop('at'), UTC):%Y-%m-%dT%H:%M:%S.%fZ}")
        _show_one(one, as_json=False)


def replay(
    webhook: Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, as the list shows it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a request again, with the same parameters and the same idempotency token."""
    _show_one(_ask(config, "api.replay", webhook=webhook), as_json=as_json)
