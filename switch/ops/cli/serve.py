"""``switchroom serve``: run the switch until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ...config import Config, ConfigError, join_address, load, write_default
from .fault import FaultError
from .place import DEFAULT, ConfigOption, SetOption, read_config
from .welcome import welcome

if TYPE_CHECKING:
    from switchroom.protocols.sip import Flow

    from ...app import Switch
    from ..log import Handle

_GC_THRESHOLDS = (10_000, 50, 1_000)  # often a little, hardly ever all: a long pause is heard


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(serve)


def serve(config: ConfigOption = None, override: SetOption = None) -> None:
    """Run the switch, until Ctrl-C.

    Where there is no switchroom.toml yet, a first one with two phones is written.
    """
    os.umask(0o077)  # what is written here has passwords or who called whom
    path = config or DEFAULT
    is_first = config is None and not path.exists()
    if is_first:
        _write_first(path)
    settings = read_config(path, override)
    from ..log import configure  # only here: other commands do not log

    logs = configure(settings.log)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_Service(path, override or [], settings, logs).run(is_first=is_first))
    finally:
        logs.close()


class _Service:
    """The switch as a process: start, signals, reload, stop."""

    def __init__(self, path: Path, overrides: list[str], config: Config, logs: Handle) -> None:
        self._path, self._overrides, self._config, self._logs = path, overrides, config, logs
        self._stop_asked = asyncio.Event()
        self._tasks: set[asyncio.Task[object]] = set()

    async def run(self, *, is_first: bool) -> None:
        """Serve until SIGINT or SIGTERM."""
        switch = await self._start()
        try:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._on_stop_signal)
            loop.add_signal_handler(signal.SIGHUP, self._on_reload_signal)
            _tune_collector()
            show_passwords = is_first or sys.stdout.isatty()
            typer.echo(
                welcome(self._config, self._path, switch, is_first=is_first, show_passwords=show_passwords)
            )
            await self._stop_asked.wait()
        finally:
            await switch.stop()

    async def _start(self) -> Switch:
        from ...app import Switch  # only here: it brings the whole house along
        from ...store import StoreError
        from ..control import ControlError
        from ..log import get_logger
        from ..twins import missing_twins

        self._log = get_logger("serve")
        _raise_file_limit()
        if missing := missing_twins():
            self._log.warning("twins.missing", modules=" ".join(missing), effect="slower")
        switch = Switch(self._config)
        switch.control.handlers["reload"] = self._reload
        self._switch = switch
        self._show_messages(self._config)
        try:
            await switch.start()
        except (OSError, StoreError, ControlError) as error:
            self._logs.apply(self._config.log.model_copy(update={"level": "error"}))
            await switch.stop()  # what did start; the one line below says enough
            raise FaultError(_one_line(error)) from None
        return switch

    def _on_stop_signal(self) -> None:
        if self._stop_asked.is_set():
            os._exit(130)  # asked twice: somebody is in a hurry
        self._stop_asked.set()

    def _on_reload_signal(self) -> None:
        task = asyncio.ensure_future(self._reload_quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _show_messages(self, config: Config) -> None:
        """Write every SIP message to the log at level debug; at others it costs nothing."""
        from ..mask import mask  # only here, as the others

        def show(direction: str, octets: bytes, flow: Flow) -> None:
            where = f"{flow.transport.lower()}:{join_address(*flow.remote)}"
            self._log.debug("sip.message", direction=direction, remote=where, message=mask(octets))

        self._switch.face.trace = show if config.log.level == "debug" else None

    async def _reload_quietly(self) -> None:
        try:
            await self._reload()
        except ValueError:
            return  # it is in the log

    async def _reload(self) -> dict[str, object]:
        try:
            config = await asyncio.to_thread(load, self._path, self._overrides)
        except ConfigError as error:
            self._log.error("reload.refused", reason=" | ".join(error.faults))
            raise
        needs_restart = self._switch.reload(config)
        self._logs.apply(config.log)
        self._show_messages(config)
        return {"needs_restart": needs_restart}


def _write_first(path: Path) -> None:
    try:
        write_default(path)
    except OSError as error:
        raise FaultError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from None


def _loop_factory() -> type[asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # not built for this machine: the same, slower
        return asyncio.SelectorEventLoop
    return uvloop.Loop


def _tune_collector() -> None:
    gc.collect()
    gc.freeze()  # what the start made stays for ever: no need to look at it again
    gc.set_threshold(*_GC_THRESHOLDS)


def _raise_file_limit() -> None:
    """Each call has four sockets of media: take what the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        text = error.strerror or str(error)
        return f"{error.filename}: {text.lower()}" if error.filename else text
    return str(error)
