"""``switchroom trace``: the messages of a call, from the memory of the running switch."""

from __future__ import annotations

import json
import shutil
import sys
import time
from base64 import b64decode
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ..control import ControlError
from ..control import ask as ask_switch
from .fault import FaultError
from .place import ConfigOption, JsonOption, control_path

_POLL_INTERVAL = 0.3
_OVERLAP = 1.0  # seconds that are asked for again: workers do not answer at the same instant
_MAX_CALLS = 1000  # whose packets are asked for
_WIDTH = 120  # where no terminal says how wide it is

Message = dict[str, Any]
_Record = tuple[float, tuple[str, int], tuple[str, int], bytes]


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(trace)


def trace(
    what: Annotated[
        str,
        typer.Argument(
            metavar="CALL|NUMBER", help="A call's id or its beginning, a SIP Call-ID, or a number or user."
        ),
    ],
    config: ConfigOption = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    pcap: Annotated[
        Path | None, typer.Option("--pcap", metavar="FILE", help="Write a capture file for Wireshark.")
    ] = None,
    media: Annotated[
        bool,
        typer.Option(
            "--media", help="Write the packets of its sound too ([trace] media_seconds); with --pcap."
        ),
    ] = False,
    text: Annotated[bool, typer.Option("--text", help="Show the whole messages.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the SIP messages of a call.

    All its legs, as a ladder, from what the switch remembers ([trace]); what proves a password is masked.
    """
    path = control_path(config)
    if media and pcap is None:
        raise FaultError("--media: goes with --pcap FILE")
    messages = _ask(path, what)
    if pcap is not None:
        packets = _ask_media(path, what, messages) if media else []
        _write(pcap, messages, packets)
        typer.echo(f"{pcap}: {len(messages)} messages" + (f", {len(packets)} packets" if media else ""))
        return
    if as_json and not follow:
        typer.echo(json.dumps(messages, indent=2))
        return
    if not messages and not follow:
        typer.echo(f"No message of {_printable(what)} is remembered.")
        return
    show = _json_lines if as_json else _texts if text else _ladder()
    for line in show(messages):
        typer.echo(line)
    if follow:
        _follow(path, what, messages, show)


def _follow(path: Path, what: str, messages: list[Message], show: Any) -> None:
    seen = {_key(message) for message in messages}
    latest = max((message["at"] for message in messages), default=0.0)
    while True:
        sys.stdout.flush()
        time.sleep(_POLL_INTERVAL)
        found = _ask(path, what, since=max(latest - _OVERLAP, 0.0))
        fresh = [message for message in found if _key(message) not in seen]
        seen = {_key(message) for message in found}  # what is older does not come again
        latest = max((message["at"] for message in found), default=latest)
        for line in show(fresh):
            typer.echo(line)


def _ask(path: Path, what: str, since: float = 0.0) -> list[Message]:
    try:
        found: list[Message] = ask_switch(path, "trace", {"what": what, "since": since})
    except ControlError as error:
        raise FaultError(str(error)) from None
    return sorted(found, key=lambda message: message["at"])


def _ask_media(path: Path, what: str, messages: Sequence[Message]) -> list[Message]:
    """The packets of the calls of these messages; without any, ``what`` is taken for a call's id."""
    calls = sorted({message["call"] for message in messages if message["call"]}) or [what]
    try:
        found: list[Message] = ask_switch(path, "media_trace", {"calls": calls[-_MAX_CALLS:]})
    except ControlError as error:
        raise FaultError(str(error)) from None
    return found


def _key(message: Message) -> tuple[float, str, str]:
    return message["at"], message["direction"], message["message"][:200]


def _ladder() -> Any:
    from ..trace.ladder import Ladder  # only here: the other commands start faster without it

    width = shutil.get_terminal_size((_WIDTH, 24)).columns if sys.stdout.isatty() else _WIDTH
    return Ladder(width).draw


def _texts(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        when = datetime.fromtimestamp(message["time"]).isoformat(timespec="milliseconds")
        ends = (message["local"], message["remote"])
        source, destination = ends if message["direction"] == "out" else ends[::-1]
        yield f"{when} {message['transport'].lower()} {source} > {destination} {message['call']}".rstrip()
        for line in message["message"].splitlines():
            yield f"  {_printable(line)}".rstrip()
        yield ""


def _json_lines(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        yield json.dumps(message)


def _write(path: Path, messages: Sequence[Message], packets: Sequence[Message]) -> None:
    from switchroom.protocols import pcap

    records = [_message_record(message) for message in messages] + [_packet_record(one) for one in packets]
    try:
        with path.open("wb") as file:
            file.write(pcap.HEADER)
            file.writelines(pcap.packet(*record) for record in sorted(records, key=lambda record: record[0]))
    except OSError as error:
        raise FaultError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from None


def _message_record(message: Message) -> _Record:
    from switchroom.switch.config import split_address

    ends = (split_address(message["local"]), split_address(message["remote"]))
    source, destination = ends if message["direction"] == "out" else ends[::-1]
    return message["time"], source, destination, message["message"].encode("utf-8", "surrogateescape")


def _packet_record(packet: Message) -> _Record:
    return packet["time"], tuple(packet["source"]), tuple(packet["destination"]), b64decode(packet["data"])


def _printable(text: str) -> str:
    """What came from outside must not reach the terminal as a command."""
    return "".join(c if c.isprintable() or c == "\t" else "·" for c in text)
