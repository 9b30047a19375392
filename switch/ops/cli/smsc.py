"""``switchroom smsc-simulator``: a carrier for who has none."""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..process import loop_factory, pause_collector
from .ask import _text
from .fault import FaultError
from .simulator import obey

if TYPE_CHECKING:
    from switchroom.switch.sms.smpp.simulator import Conduct


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(smsc_simulator)


def smsc_simulator(
    listen: Annotated[
        list[str] | None,
        typer.Option("--listen", metavar="ADDRESS", help="smpp:HOST:PORT, or smpps: with --certificate."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="How it behaves: receipts, ids, receipt_ids, delay, spread, answer_delay, fail, status, "
            "undelivered, lose, rate, disconnect_after, password.",
        ),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="NUMBERS=ACTION[:VALUE]",
            help="What becomes of messages for these numbers: fail, state, delay, slow, mute, lose, early, "
            "twice, throttle, disconnect or reply.",
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="FILE", help="Certificate and key, for smpps:.")
    ] = None,
    outbind: Annotated[
        str, typer.Option("--outbind", metavar="ADDRESS", help="Connect there, and ask to be bound to.")
    ] = "",
    outbind_password: Annotated[str, typer.Option("--outbind-password", metavar="TEXT")] = "",
    window: Annotated[int, typer.Option("--window", min=1, help="Receipts that wait for answers.")] = 100,
    seed: Annotated[int | None, typer.Option("--seed", help="The same chances each time.")] = None,
    control: Annotated[
        str, typer.Option("--control", metavar="PATH", help="A socket that takes orders, one each line.")
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show binds.")] = False,
) -> None:
    """Be an SMPP message centre, for tests: no carrier needed.

    It takes messages and says they were delivered, or what it is told to.
    Orders are taken from the standard input while it runs: type help. It ends with Ctrl-C.
    """
    from switchroom.switch.config import split_smpp_address, split_smpp_listen
    from switchroom.switch.sms.smpp.simulator import Conduct, Office, Orders

    pause_collector()
    addresses = listen or ["smpp:127.0.0.1:2775"]

    async def run() -> None:
        conduct = _conduct(Conduct(), settings or (), rules or ())
        for address in addresses:
            if split_smpp_listen(address)[0] == "smpps" and certificate is None:
                raise ValueError(f"--listen: {address}: needs --certificate")
        log = _Log(is_quiet=quiet)
        office = Office(conduct, addresses, log=log, tls=_context(certificate), seed=seed, window=window)
        office.start()
        try:
            for place in office.bound:
                typer.echo(place)
            if outbind:
                await office.outbind(split_smpp_address(outbind), "simulator", outbind_password)
            await obey(Orders(office), control)
        finally:
            await office.stop()

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(run())
    except (OSError, ValueError) as error:
        raise FaultError(str(error)) from None


def _conduct(
    conduct: Conduct, settings: list[str] | tuple[str, ...], rules: list[str] | tuple[str, ...]
) -> Conduct:
    from switchroom.switch.sms.smpp.simulator import Rule

    for setting in settings:
        name, _, value = setting.partition("=")
        conduct.change(name, value)
    conduct.rules = [Rule.parse(rule) for rule in rules]
    return conduct


def _context(file: Path | None) -> ssl.SSLContext | None:
    if file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


class _Log:
    """What happens, for who watches."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet

    def info(self, event: str, /, **values: object) -> None:
        if not self._is_quiet:
            typer.echo(_text(f"{event}: " + " ".join(f"{name}={value}" for name, value in values.items())))
            sys.stdout.flush()

    warning = info

    def exception(self, event: str, /, **values: object) -> None:
        import traceback

        typer.echo(traceback.format_exc(), err=True)
