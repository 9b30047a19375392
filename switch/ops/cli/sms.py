"""``switchroom messages`` and ``switchroom sms``: what became of messages, and what to do about them."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from switchroom.switch.config import Config
from switchroom.switch.numbering import RatesError, clean_number
from switchroom.switch.sms.interfaces import Address, Refusal, Submission
from switchroom.switch.sms.routing import rates_of, routes_of
from switchroom.switch.sms.rules import Rules

from .ask import _ask, _show_many, _show_one, _text
from .fault import FaultError
from .place import ConfigOption, JsonOption
from .text_cost import explain

_POLL_INTERVAL = 1.0  # seconds
_TYPE_0 = 0x40  # TP-PID

sms = typer.Typer(help="Send messages; look at what became of them.", rich_markup_mode=None)
IdArgument = Annotated[int, typer.Argument(metavar="ID", help="The message's id.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(messages)
    sms.command()(explain)
    app.add_typer(sms, name="sms")


def messages(
    number: Annotated[str, typer.Argument(metavar="[NUMBER]", help="Sender or receiver.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    state: Annotated[str, typer.Option("--state", help="queued, sent, delivered, undeliverable, …")] = "",
    inlet: Annotated[str, typer.Option("--from", help="Where it came from: account:NAME, …")] = "",
    outlet: Annotated[str, typer.Option("--by", help="The way it went: trunk:NAME, …")] = "",
    since: Annotated[float, typer.Option("--since", help="Of the last so many hours.")] = 0.0,
    limit: LimitOption = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones.")] = False,
) -> None:
    """List messages, the latest last."""
    wanted: dict[str, Any] = {"number": number, "state": state, "inlet": inlet, "outlet": outlet}
    wanted["since"] = time.time() - since * 3600 if since else 0.0
    found = _ask(config, "messages", **wanted, limit=limit)
    if not follow:
        _show_many(found, as_json=as_json, nothing="There is no such message.")
        return
    after = 0
    while True:
        for row in found:
            after = max(after, row["id"])
            typer.echo(json.dumps(row) if as_json else _line(row))
        time.sleep(_POLL_INTERVAL)
        found = _ask(config, "messages", **wanted, after=after or 1, limit=10_000)


@sms.command()
def send(
    to: Annotated[str, typer.Argument(metavar="NUMBER", help="The receiver.")],
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    source: Annotated[str, typer.Option("--from", help="The sender that is shown.")] = "",
    inlet: Annotated[str, typer.Option("--as", help="Whose message it is, as account:NAME.")] = "app",
    delay: Annotated[float, typer.Option("--in", min=0, metavar="SECONDS", help="Later.")] = 0.0,
    validity: Annotated[
        float, typer.Option("--validity", min=0, metavar="SECONDS", help="How long it is tried.")
    ] = 0.0,
    priority: Annotated[int, typer.Option("--priority", min=0, max=3, help="3 goes first.")] = 0,
    is_flash: Annotated[
        bool, typer.Option("--flash", help="Class 0: shown at once, and not stored.")
    ] = False,
    is_silent: Annotated[
        bool, typer.Option("--silent", help="Type 0: the telephone takes it and shows nothing.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a text through the running switch; it is on the disk when this returns."""
    wanted: dict[str, Any] = {"text": text, "to": to, "source": source, "inlet": inlet}
    wanted |= {"delay": delay, "validity": validity, "priority": priority}
    wanted |= {"message_class": 0 if is_flash else -1, "protocol_id": _TYPE_0 if is_silent else 0}
    _show_one(_ask(config, "sms.send", **wanted), as_json=as_json)


@sms.command()
def show(id: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show all that is known of a message, with its history."""
    fields = _ask(config, "message", id=id)
    history = [] if as_json else fields.pop("history")
    _show_one(fields, as_json=as_json)
    for entry in history:
        told = " ".join(str(entry[name]) for name in ("outlet", "note") if entry[name])
        typer.echo(f"  {entry['at']}  {entry['state']:<13} {_text(told)}".rstrip())


@sms.command()
def receipts(
    unmatched: Annotated[
        bool, typer.Option("--unmatched", help="Those that matched no message, with the reason.")
    ] = True,
    limit: LimitOption = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List receipts that matched no message."""
    found = _ask(config, "sms.receipts", limit=limit)
    _show_many(found, as_json=as_json, nothing="Every receipt matched a message.")


@sms.command()
def dead(limit: LimitOption = 20, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List messages that were given up, with the reason."""
    found = _ask(config, "sms.dead", limit=limit)
    _show_many(found, as_json=as_json, nothing="No message was given up.")


@sms.command()
def requeue(
    id: Annotated[int, typer.Argument(metavar="[ID]", help="The message's id; none: see --by.")] = 0,
    outlet: Annotated[str, typer.Option("--by", help="All that this way gave up, as trunk:NAME.")] = "",
    limit: LimitOption = 1000,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try again what was given up."""
    if not id and not outlet:
        raise typer.BadParameter("needs the ID of a message, or --by WAY")
    _show_one(_ask(config, "sms.requeue", id=id, outlet=outlet, limit=limit), as_json=as_json)


@sms.command()
def cancel(id: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Take back a message that waits."""
    _show_one(_ask(config, "sms.cancel", id=id), as_json=as_json)


@sms.command()
def redact(id: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Remove the text of a message from the disk; its record stays."""
    _show_one(_ask(config, "sms.redact", id=id), as_json=as_json)


@sms.command()
def credit(
    inlet: Annotated[str, typer.Argument(metavar="INLET", help="As account:NAME.")],
    add: Annotated[float, typer.Option("--add", help="What it may spend more; less than 0: less.")] = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show or change what an inlet may spend."""
    _show_one(_ask(config, "sms.credit", inlet=inlet, add=add), as_json=as_json)


@sms.command()
def optouts(
    sender: Annotated[str, typer.Argument(metavar="[SENDER]", help="Of this sender only.")] = "",
    add: Annotated[
        str, typer.Option("--add", metavar="NUMBER", help="Who wants nothing of the sender.")
    ] = "",
    remove: Annotated[str, typer.Option("--remove", metavar="NUMBER", help="Who wants it again.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who said STOP to whom; change a sender's list."""
    if (add or remove) and not sender:
        raise typer.BadParameter("--add and --remove need the SENDER")
    found = _ask(config, "sms.optouts", sender=sender, add=add, remove=remove)
    _show_many(found, as_json=as_json, nothing="Nobody said STOP.")


@sms.command()
def ways(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the ways out, whether they have room, and what waits for them."""
    _show_many(_ask(config, "sms.ways"), as_json=as_json, nothing="There is no way out.")


def explain_message(config: Config, source: str, to: str, inlet: str, text: str, at: float) -> list[str]:
    """Where a message would go, in sentences; no switch needs to run."""
    try:
        routes = routes_of(config, rates_of(config))
    except RatesError as error:
        raise FaultError(str(error)) from None
    destination = routes.normal(Address(clean_number(to)))
    submission = Submission(inlet or "app", Address(source), destination, text.encode("utf-8", "replace"))
    rules = Rules(config.sms, config.sms_rules, lambda key, value: None)
    checked = rules.check(submission)
    if isinstance(checked, Refusal):
        return [f"refused before any route: {checked.text or checked.word}"]
    return list(routes.explain(checked, at))


def _line(row: dict[str, Any]) -> str:
    way = f" by {row['outlet']}" if row["outlet"] else ""
    reason = f" ({_text(row['reason'])})" if row["reason"] else ""
    ends = f"{_text(row['from'])} to {_text(row['to'])}"
    return f"{row['at']}  {row['id']}  {ends}  {row['state']}{way}{reason}"
