"""``switchroom modems`` and ``ussd``: the modems of the switch; ``modem-simulator``: for who has none."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ..process import loop_factory
from .ask import _ask, _show_many, _show_one, _text
from .fault import FaultError
from .place import ConfigOption, JsonOption
from .simulator import obey

if TYPE_CHECKING:
    from switchroom.switch.sms.modems.simulator import Journal

_CAPACITY = 30
_USSD_TIMEOUT = 100.0  # seconds; networks are slow


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (modems, ussd, modem_simulator):
        app.command()(command)


def modems(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the GSM modems and what they have done."""
    _show_many(_ask(config, "modems"), as_json=as_json, nothing="There is no modem.")


def ussd(
    modem: Annotated[str, typer.Argument(metavar="MODEM", help="The modem's name.")],
    code: Annotated[str, typer.Argument(metavar="CODE", help="What to ask, as *100#.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the network of a modem, as for the balance."""
    answer = _ask(config, "modems.ussd", modem=modem, code=code, _timeout=_USSD_TIMEOUT)
    if as_json:
        _show_one(answer, as_json=True)
    else:
        typer.echo(_text(answer["text"]))


def modem_simulator(
    sims: Annotated[
        list[str] | None,
        typer.Option("--sim", metavar="NUMBER", help="A modem with this number; several: several modems."),
    ] = None,
    link: Annotated[
        str, typer.Option("--link", metavar="PATH", help="Links to the ports: PATH1, PATH2, …")
    ] = "",
    pin: Annotated[str, typer.Option("--pin", help="What the SIMs want.")] = "",
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="NUMBERS=ACTION[:VALUE]",
            help="What becomes of messages for these numbers: fail, status, delay, drop or silent.",
        ),
    ] = None,
    capacity: Annotated[
        int, typer.Option("--capacity", min=1, max=255, help="Messages that a SIM holds.")
    ] = _CAPACITY,
    text_only: Annotated[bool, typer.Option("--text-only", help="Modems that have no PDU mode.")] = False,
    delay: Annotated[
        float, typer.Option("--delay", min=0.0, metavar="SECONDS", help="How long a message is on its way.")
    ] = 0.2,
    control: Annotated[
        str, typer.Option("--control", metavar="PATH", help="A socket that takes orders, one each line.")
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show the messages.")] = False,
) -> None:
    """Be GSM modems, for tests: no hardware needed.

    They are on pseudo-terminals, with a network between their SIMs. Orders are taken from the standard
    input while it runs: type help. It ends with Ctrl-C.
    """
    from switchroom.switch.sms.modems.simulator import Orders, Rule, Sim, Stand

    numbers = sims or ["+491700000001", "+491700000002"]
    for number in numbers:
        if not number.lstrip("+").isdecimal() or numbers.count(number) > 1:
            raise FaultError(f"--sim: {number}: must be a number, and each another one")

    async def run() -> None:
        stand = Stand(delay=delay)
        try:
            stand.network.rules = [Rule.parse(rule) for rule in rules or ()]
            for n, number in enumerate(numbers, 1):
                sim = Sim(number, pin=pin, capacity=capacity)
                place = stand.add(sim, f"{link}{n}" if link else "", is_text_only=text_only)
                typer.echo(f"{number} {place.terminal.shown}")
            if not quiet:
                stand.on_news = _show
            await obey(Orders(stand), control)
        except (OSError, ValueError) as error:
            raise FaultError(str(error)) from None
        finally:
            stand.close()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run())


def _show(news: Journal) -> None:
    ends = f"{news.source} to {news.destination}" if news.source else f"to {news.destination}"
    typer.echo(_text(f"{news.what}: {ends} {news.text}").rstrip())
    sys.stdout.flush()
