"""``switchroom phone``: the phone on the command line."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from switchroom.codecs import Samples
from switchroom.protocols import sip
from switchroom.protocols.errors import ProtocolError
from switchroom.protocols.rtp.dtmf import DIGITS

from .call import Call
from .events import CallFailedError, PhoneEvent, RegistrationFailedError, TextFailedError
from .line import Account
from .user_agent import Phone
from .wav import WavError, read_wav

__all__ = ["main", "phone"]

_PORT = re.compile("[0-9]{1,5}")
_USER = re.compile("[A-Za-z0-9+._-]{1,64}")
_FAILURES = (CallFailedError, RegistrationFailedError, TextFailedError, ProtocolError, WavError, OSError)
_SETTLE_TIME = 0.5  # seconds between the answer and the first digit: the other end gets ready


class Transport(StrEnum):
    """How the phone talks SIP."""

    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Task:
    """What one run of the command is to do."""

    account: Account
    number: str | None
    text: tuple[str, str] | None  # to whom, and what
    is_answering: bool
    must_register: bool
    samples: Samples | None
    record: Path | None
    digits: str
    duration: float | None
    hold: tuple[float, float] | None
    wait: float | None
    is_json: bool


def phone(
    user: Annotated[
        str, typer.Option(help="Account name, with @DOMAIN if that is not the server's name.")
    ] = "phone",
    password: Annotated[
        str,
        typer.Option(
            envvar="SWITCHROOM_PASSWORD", help="Better given by the environment: ps shows arguments."
        ),
    ] = "",
    server: Annotated[str, typer.Option(metavar="HOST[:PORT]", help="Where every request goes.")] = "",
    transport: Annotated[Transport, typer.Option(help="How to reach the server.")] = Transport.UDP,
    call: Annotated[str, typer.Option(metavar="NUMBER", help="Call a number or a SIP address.")] = "",
    text: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="NUMBER TEXT", help="Send a text. Texts that come are shown in any case."),
    ] = None,
    answer: Annotated[bool, typer.Option("--answer", help="Wait for a call and answer it.")] = False,
    play: Annotated[
        Path | None, typer.Option(metavar="FILE.wav", help="Play a 16-bit WAV file; hang up when it is over.")
    ] = None,
    record: Annotated[Path | None, typer.Option(metavar="FILE.wav", help="Record what is heard.")] = None,
    digits: Annotated[str, typer.Option(metavar="1234", help="Send digits after the answer.")] = "",
    duration: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Hang up after that long.")
    ] = None,
    hold: Annotated[
        str,
        typer.Option(
            metavar="AT:FOR", help="Hold the call AT seconds after the answer, resume it FOR seconds later."
        ),
    ] = "",
    register: Annotated[
        bool | None,
        typer.Option("--register/--no-register", help="Register first. [default: if there is a server]"),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS:PORT", help="Where to be reached. [default: any port that faces the server]"
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    wait: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Give up when no call came or nobody answered."),
    ] = None,
) -> None:
    """Be a phone: register, call or answer, play and record, send digits and texts.

    Exit status: 0 when the call was answered and ended normally (or, without a call, when the registration
    worked), 1 when it failed, 2 for wrong usage.
    """
    name, _, domain = user.partition("@")
    if call and answer:
        raise typer.BadParameter("--call and --answer exclude each other")
    must_register = bool(server) if register is None else register
    if must_register and not server:
        raise typer.BadParameter("--register needs --server HOST[:PORT]")
    if not (call or answer or text or must_register):
        raise typer.BadParameter("nothing to do: give --call, --text, --answer, or --server to register at")
    account = Account(
        user=_checked_user(name),
        password=password,
        domain=domain,
        server=_server(server) if server else None,
        transport=transport.value.upper(),
        listen=_listen(listen) if listen else "",
    )
    task = Task(
        account=account,
        number=_checked_number(call) if call else None,
        text=(_checked_number(text[0], "--text"), text[1]) if text is not None else None,
        is_answering=answer,
        must_register=must_register,
        samples=_samples(play) if play is not None else None,
        record=record,
        digits=_checked_digits(digits),
        duration=duration,
        hold=_hold(hold) if hold else None,
        wait=wait,
        is_json=as_json,
    )
    raise typer.Exit(uvloop.run(_run(task)))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status; wrong usage raises typer's exceptions."""
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command()(phone)
    return app(args=arguments, prog_name="switchroom phone", standalone_mode=False) or 0


# -- what the arguments mean


def _server(text: str) -> tuple[str, int]:
    """HOST, HOST:PORT, [::1] or [::1]:PORT; a name or an address."""
    host, colon, port = (text, "", "") if text.endswith("]") else text.rpartition(":")
    if not colon:
        host, port = text, "5060"
    return host.removeprefix("[").removesuffix("]"), _port("--server", text, host, port, least=1)


def _listen(text: str) -> str:
    """ADDRESS:PORT; port 0 takes any."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    number = _port("--listen", text, host, port, least=0)
    try:
        ip_address(host)
    except ValueError:
        raise typer.BadParameter(f"--listen {text}: {host} is no IP address") from None
    return f"{sip.bracketed(host)}:{number}"


def _port(option: str, text: str, host: str, port: str, *, least: int) -> int:
    if not host or not _PORT.fullmatch(port) or not least <= int(port) < 65536:
        raise typer.BadParameter(f"{option} {text}: must be HOST:PORT, such as 192.0.2.1:5060")
    return int(port)


def _checked_user(name: str) -> str:
    if not _USER.fullmatch(name):
        raise typer.BadParameter(f"--user {name}: letters, digits and +-_. only")
    return name


def _checked_number(number: str, option: str = "--call") -> str:
    try:
        if number.startswith("sip:") or "@" in number:
            sip.Uri.parse(number if number.startswith("sip:") else f"sip:{number}")
    except ProtocolError as error:
        raise typer.BadParameter(f"{option} {number}: {error}") from error
    return number


def _checked_digits(digits: str) -> str:
    if not set(digits.upper()) <= set(DIGITS):
        raise typer.BadParameter(f"--digits {digits}: only {DIGITS} are digits")
    return digits


def _hold(text: str) -> tuple[float, float]:
    at, colon, length = text.partition(":")
    try:
        found = float(at), float(length)
    except ValueError:
        found = (-1.0, -1.0)
    if not colon or min(found) < 0:
        raise typer.BadParameter(f"--hold {text}: must be AT:FOR in seconds, such as 2:5")
    return found


def _samples(path: Path) -> Samples:
    try:
        return read_wav(path)
    except WavError as error:
        raise typer.BadParameter(f"--play {error}") from error


# -- what is done


async def _run(task: Task) -> int:
    """Do it; SIGINT and SIGTERM hang up and unregister."""
    work = asyncio.ensure_future(_work(task))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    try:
        return await work
    except _FAILURES as error:
        typer.echo(f"switchroom phone: {error}", err=True)
        return 1
    except asyncio.CancelledError:
        typer.echo("switchroom phone: interrupted", err=True)
        return 1


async def _work(task: Task) -> int:
    async with Phone(task.account, lambda event: _show(event, is_json=task.is_json)) as phone:
        _show(PhoneEvent("listening", {"address": _places(phone)}), is_json=task.is_json)
        if task.must_register:
            await phone.register()
        if task.text is not None:
            await phone.text(*task.text)
        if task.number is None and not task.is_answering:
            return 0
        call = await _connect(phone, task)
        try:
            await _talk(call, task)
        except asyncio.CancelledError:
            call.hang_up()  # interrupting a call that is up is a normal end
        cause = await call.ended()
        if call.report is not None:
            _show(PhoneEvent("media", asdict(call.report)), is_json=task.is_json)
        if not call.ended_normally:
            typer.echo(f"switchroom phone: the call ended: {cause}", err=True)
            return 1
        return 0


async def _connect(phone: Phone, task: Task) -> Call:
    """Call, or be called, until somebody answers."""
    if task.number is not None:
        call = await phone.call(task.number)
        if task.record is not None:
            call.audio.record(task.record)
        try:
            async with asyncio.timeout(task.wait):
                await call.answered()
        except TimeoutError:
            call.hang_up()
            await call.ended()
            raise CallFailedError(0, f"not answered within {task.wait:g} s") from None
        return call
    try:
        async with asyncio.timeout(task.wait):
            call = await phone.incoming()
    except TimeoutError:
        raise CallFailedError(0, f"no call within {task.wait:g} s") from None
    if task.record is not None:
        call.audio.record(task.record)
    call.answer()
    return call


async def _talk(call: Call, task: Task) -> None:
    """Play, dial and hold as asked, side by side, until the call is over."""
    jobs: list[Coroutine[Any, Any, None]] = []
    if task.samples is not None:
        jobs.append(call.audio.play(task.samples))
    if task.digits:
        jobs.append(_dial(call, task.digits))
    if task.hold is not None:
        jobs.append(_hold_and_resume(call, *task.hold))
    is_script_the_end = bool(jobs) and task.duration is None
    work = asyncio.gather(*jobs)
    ended = asyncio.ensure_future(call.ended())
    try:
        async with asyncio.timeout(task.duration):
            waiting: list[asyncio.Future[Any]] = [work, ended]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await work  # tells what went wrong
                if not is_script_the_end:
                    await asyncio.shield(ended)
    except TimeoutError:
        pass
    finally:
        ended.cancel()
        work.cancel()
        with suppress(asyncio.CancelledError, CallFailedError, ProtocolError):
            await work
    call.hang_up()


async def _dial(call: Call, digits: str) -> None:
    await asyncio.sleep(_SETTLE_TIME)
    await call.send_digits(digits)


async def _hold_and_resume(call: Call, at: float, length: float) -> None:
    await asyncio.sleep(at)
    await call.hold()
    await asyncio.sleep(length)
    await call.resume()


def _places(phone: Phone) -> str:
    return ", ".join(f"{transport}:{host}:{port}" for transport, host, port in phone.bound)


def _show(event: PhoneEvent, *, is_json: bool) -> None:
    """Print one line, at once: somebody may be waiting for it at the other end of a pipe."""
    now = datetime.now(UTC)
    if is_json:
        fields = {
            key: value if isinstance(value, int | float | bool) or value is None else str(value)
            for key, value in event.fields.items()
        }
        typer.echo(json.dumps({"at": now.isoformat(timespec="milliseconds"), "event": event.name, **fields}))
    else:
        typer.echo(f"{now.astimezone():%H:%M:%S}.{now.microsecond // 1000:03} {event}")


def _as_json(value: object) -> object:
    return value if value is None or isinstance(value, int | float) else str(value)
