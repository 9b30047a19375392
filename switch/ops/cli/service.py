"""The switch as a process: signals, reload, drain and stop, the same for one worker and for several."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ...config import Config, ConfigError, load
from ..messages import message_lines
from ..process import notify, raise_file_limit, settle
from .fault import FaultError
from .welcome import welcome

if TYPE_CHECKING:
    from ...app import Switch
    from ...workers.supervisor import Supervisor
    from ..log import Handle

_DRAIN_INTERVAL = 0.2


class Service:
    """One worker alone: the switch is in this process."""

    def __init__(self, path: Path, overrides: list[str], config: Config, logs: Handle) -> None:
        self._path, self._overrides, self._config, self._logs = path, overrides, config, logs
        self._stop_asked = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()
        self._draining: asyncio.Task[None] | None = None
        self._house: Switch | Supervisor

    async def run(self, *, is_first: bool) -> None:
        """Serve until SIGINT or SIGTERM, or until a drain is done."""
        from ..log import get_logger  # only here: it brings the log along

        self._log = get_logger("serve")
        await self._start()
        try:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._on_stop_signal)
            loop.add_signal_handler(signal.SIGHUP, self._spawn, self._reload_quietly)
            loop.add_signal_handler(signal.SIGUSR1, self._spawn, self.drain)
            settle()
            shows = is_first or sys.stdout.isatty()
            bound, api = self._bound()
            typer.echo(welcome(self._config, self._path, bound, api, is_first=is_first, show_passwords=shows))
            notify("READY=1")
            await self._stop_asked.wait()
        finally:
            notify("STOPPING=1")
            if self._draining is not None:
                self._draining.cancel()
            await self._house.stop()

    async def drain(self, timeout: float = 0.0) -> dict[str, object]:  # noqa: ASYNC109 - of another's waiting
        """Take no new calls, and stop when the last one has ended, or after ``timeout`` seconds, if not 0."""
        told = await self._tell("drain")
        if self._draining is not None:
            self._draining.cancel()
        self._draining = asyncio.create_task(self._stop_when_empty(timeout))
        return {**told, "timeout": timeout}

    async def undrain(self) -> dict[str, object]:
        """Take calls again."""
        if self._draining is not None:
            self._draining.cancel()
            self._draining = None
        return await self._tell("undrain")

    async def _stop_when_empty(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds or None):
                while await self._count_calls():  # noqa: ASYNC110 - workers are asked
                    await asyncio.sleep(_DRAIN_INTERVAL)
        except TimeoutError:
            self._log.warning("drain.timeout", seconds=seconds, effect="the calls that are left are ended")
        self._stop_asked.set()

    # -- what differs

    async def _start(self) -> None:
        from ...app import Switch  # only here: it brings the whole house along
        from ..twins import missing_twins

        raise_file_limit()
        if missing := missing_twins():
            self._log.warning("twins.missing", modules=" ".join(missing), effect="slower")
        try:
            self._switch = self._house = Switch(self._config)
        except ValueError as error:  # a file that the configuration names cannot be used
            raise FaultError(str(error)) from None
        self._add_handlers(self._switch.control.handlers)
        self._show_messages(self._config)
        await self._start_house()

    def _bound(self) -> tuple[list[tuple[str, str, int]], str]:
        return self._switch.face.bound, self._switch.http.address

    async def _tell(self, name: str) -> dict[str, object]:
        return self._switch.drain(is_draining=name == "drain")

    async def _count_calls(self) -> int:
        return len(self._switch.exchange.calls)

    async def _apply(self, config: Config) -> dict[str, object]:
        needs_restart = await self._switch.reload(config)
        self._show_messages(config)
        return {"needs_restart": needs_restart}

    def _show_messages(self, config: Config) -> None:
        """Write every SIP message to the log at level debug; at others it costs nothing."""
        records = self._switch.trace.ring.records
        tap = message_lines(self._log, records) if config.log.level == "debug" else None
        self._switch.show_messages(tap)

    # -- what is the same

    def _add_handlers(self, handlers: dict[str, Any]) -> None:
        handlers |= {"reload": self._reload, "drain": self.drain, "undrain": self.undrain}

    async def _start_house(self) -> None:
        from ...store import StoreError
        from ..control import ControlError

        try:
            await self._house.start()
        except (OSError, StoreError, ControlError) as error:
            self._logs.apply(self._config.log.model_copy(update={"level": "error"}))
            await self._house.stop()  # what did start; the one line below says enough
            raise FaultError(_one_line(error)) from None

    def _on_stop_signal(self) -> None:
        if self._stop_asked.is_set():
            os._exit(130)  # asked twice: somebody is in a hurry
        self._stop_asked.set()

    def _spawn(self, what: Any) -> None:
        task = asyncio.ensure_future(what())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload_quietly(self) -> None:
        try:
            await self._reload()
        except ValueError:
            return  # it is in the log

    async def _reload(self) -> dict[str, object]:
        try:
            async with self._reloading:  # the last one asked for is the last one applied
                config = await asyncio.to_thread(load, self._path, self._overrides)
                told = await self._apply(config)
        except ConfigError as error:
            self._log.error("reload.refused", reason=" | ".join(error.faults))
            raise
        except ValueError as error:  # a file that the configuration names cannot be used
            self._log.error("reload.refused", reason=str(error))
            raise
        self._logs.apply(config.log)
        return told


class Workers(Service):
    """Several workers: this process is their supervisor."""

    def __init__(self, path: Path, overrides: list[str], config: Config, logs: Handle, count: int) -> None:
        super().__init__(path, overrides, config, logs)
        self._count = count

    async def _start(self) -> None:
        from ...workers.supervisor import Supervisor

        raise_file_limit()
        self._supervisor = self._house = Supervisor(self._config, self._count)
        self._add_handlers(self._supervisor.control.handlers)
        await self._start_house()

    def _bound(self) -> tuple[list[tuple[str, str, int]], str]:
        return self._supervisor.bound, self._supervisor.http.address

    async def _tell(self, name: str) -> dict[str, object]:
        told: dict[str, object] = await self._supervisor.ask(name)
        return told

    async def _count_calls(self) -> int:
        try:
            return int((await self._supervisor.ask("status"))["calls"])
        except LookupError:
            return 1  # none answers at present; they will

    async def _apply(self, config: Config) -> dict[str, object]:
        return await self._supervisor.reload(config)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        text = error.strerror or str(error)
        return f"{error.filename}: {text.lower()}" if error.filename else text
    return str(error)
