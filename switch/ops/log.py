"""Logs: one event a line, as key=value or JSON, written by a thread of its own; input cannot forge a line."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from time import monotonic, time
from typing import Any, ClassVar, TextIO

import structlog

from ..config import LogConfig
from .lines import LineWriter

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_MAX_VALUE = 8192  # characters of one value
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}

Event = MutableMapping[str, Any]


def get_logger(name: str) -> Any:
    """A logger whose lines carry ``room=name``."""
    logger = structlog.get_logger(name)
    return logger.bind() if structlog.is_configured() else logger  # else each line looks for its logger


class Limiter:
    """Lets so many lines a second of one kind of event through, and counts the rest (THREATS B12)."""

    def __init__(self, max_rate: int, clock: Callable[[], float] = monotonic) -> None:
        self.max_rate, self._clock = max_rate, clock
        self._kinds: dict[str, list[float]] = {}  # event: begin of its second, lines in it, kept back

    def keeps_back(self, event: str) -> bool:
        """Whether a line of this kind is not written now; asked before anything is made of it."""
        kind = self._kinds.get(event)
        if kind is None or kind[1] < self.max_rate or self._clock() - kind[0] >= 1.0:
            return False
        kind[2] += 1
        return True

    def __call__(self, logger: Any, method: str, event: Event) -> Event:
        """As a processor of structlog; debug lines are for somebody who wants them all."""
        if method == "debug":
            return event
        now = self._clock()
        kind = self._kinds.setdefault(event["event"], [now, 0, 0])
        if now - kind[0] >= 1.0:
            kind[0], kind[1] = now, 0
        if kind[1] >= self.max_rate:
            kind[2] += 1
            raise structlog.DropEvent
        kind[1] += 1
        if kind[2]:
            event["kept_back"], kind[2] = int(kind[2]), 0
        return event


class Logger(structlog.BoundLoggerBase):
    """structlog's logger with a threshold that a reload can change."""

    threshold: ClassVar[int] = 20
    limiter: ClassVar[Limiter] = Limiter(sys.maxsize)

    def debug(self, event: str, /, **fields: object) -> None:
        """Something for whoever looks for a fault."""
        if self.threshold <= 10:
            self._proxy_to_logger("debug", event, **fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Something that happens in the ordinary course."""
        if self.threshold <= 20 and not self.limiter.keeps_back(event):
            self._proxy_to_logger("info", event, **fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Something that somebody should look at one day."""
        if self.threshold <= 30 and not self.limiter.keeps_back(event):
            self._proxy_to_logger("warning", event, **fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Something that does not work."""
        self._proxy_to_logger("error", event, **fields)

    def exception(self, event: str, /, **fields: object) -> None:
        """An error with the exception that is being handled."""
        self._proxy_to_logger("error", event, exc_info=True, **fields)

    def _proxy_to_logger(self, method_name: str, event: str | None = None, **event_kw: Any) -> None:
        """Through the processors to the writer; structlog does more than we need."""
        made: Any = {**self._context, **event_kw, "event": event}
        logger = self._logger
        try:
            for process in self._processors:
                made = process(logger, method_name, made)
        except structlog.DropEvent:
            return
        getattr(logger, method_name)(made)

    @property
    def is_debug(self) -> bool:
        """Whether debug lines are written: ask before making an expensive one."""
        return self.threshold <= 10


class Handle:
    """The logging that is in force; for a reload, and for the end."""

    def __init__(self, writer: LineWriter, limiter: Limiter, renderer: Renderer) -> None:
        self._writer, self._limiter, self._renderer = writer, limiter, renderer

    def apply(self, config: LogConfig) -> None:
        """Take over changed levels, rates and formats."""
        Logger.threshold = _LEVELS[config.level]
        self._limiter.max_rate = config.max_rate
        self._renderer.is_json = config.format == "json"

    def close(self) -> None:
        """Write what waits."""
        self._writer.close()


class Renderer:
    """The last processor: makes the line."""

    def __init__(self, is_json: bool, worker: int | None = None) -> None:
        self.is_json = is_json
        self._worker = worker
        self._second, self._prefix = 0, ""

    def __call__(self, logger: Any, method: str, event: Event) -> str:
        name = event.pop("event")
        if self._worker is not None:
            event.setdefault("worker", self._worker)
        if event.pop("exc_info", None):
            event["exception"] = traceback.format_exc()
        room = getattr(logger, "room", "")
        if self.is_json:
            head = {"at": self._now(), "level": method, "event": name, **({"room": room} if room else {})}
            return json.dumps({**head, **event}, default=str, separators=(",", ":"))
        fields = [f" {key}={text(value)}" for key, value in event.items()]
        if room:
            fields.append(f" room={room}")
        return f"{self._now()} {method:7} {text(name)}{''.join(fields)}"

    def _now(self) -> str:
        now = time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._prefix}{int((now - second) * 1000):03}Z"


class _Out:
    """What structlog hands the finished line to."""

    def __init__(self, writer: LineWriter, room: str = "") -> None:
        self.room = room
        self.debug = self.info = self.warning = self.error = writer.write


def configure(config: LogConfig, stream: TextIO | None = None, *, worker: int | None = None) -> Handle:
    """Set up the logs of this process; of one of several workers each line says which."""
    writer = LineWriter(stream or sys.stderr)
    limiter, renderer = Limiter(config.max_rate), Renderer(config.format == "json", worker)
    Logger.threshold, Logger.limiter = _LEVELS[config.level], limiter
    structlog.configure(
        processors=[limiter, renderer],
        wrapper_class=Logger,
        logger_factory=lambda room="": _Out(writer, room),
        cache_logger_on_first_use=True,
    )
    return Handle(writer, limiter, renderer)


def text(value: object) -> str:
    """A value as it stands in a line: quoted where needed, every control octet escaped."""
    given = value if type(value) is str else _exact(value)
    if len(given) <= _MAX_VALUE and _is_plain(given):
        return given
    if len(given) > _MAX_VALUE:
        given = given[:_MAX_VALUE] + "…"
    if given.isprintable() and '"' not in given and "\\" not in given:
        return f'"{given}"'  # most of what needs quotes has no more than a space
    return _quoted(given)


def _exact(value: object) -> str:
    """A value's text as a string of no other class."""
    return str.__str__(value if isinstance(value, str) else str(value))


def _quoted(given: str) -> str:
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else _escape(c) for c in given) + '"'


def _is_plain(given: str) -> bool:
    """Whether it needs no quotes: printable ASCII without space, ", = and backslash."""
    for c in given:
        if not "!" <= c <= "~" or c == '"' or c == "=" or c == "\\":
            return False
    return given != ""


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
