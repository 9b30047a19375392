"""The control socket: the command line asks the running switch. One JSON object a line, over a Unix socket.

A question is ``{"ask": NAME, ...arguments}``. The answer is any number of ``{"items": [...]}``, for a long
list, then ``{"result": ...}`` or ``{"error": TEXT}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import structlog

_MAX_QUESTION = 65536
_MAX_ANSWER_LINE = 16 * 1024 * 1024
_MAX_CONNECTIONS = 16
_QUESTION_TIMEOUT = 10.0
_CHUNK = 200  # items a line: a list of 100,000 phones must not stop the loop

Handler = TypeVar("Handler", bound=Callable[..., Any])

log = structlog.get_logger("control")


class ControlError(Exception):
    """The switch did not answer, or answered that it cannot."""


class ControlServer:
    """Answers on a socket in the state folder that only the owner of the switch can open."""

    def __init__(self, path: Path, handlers: dict[str, Callable[..., Any]]) -> None:
        self._path = path
        self.handlers = handlers
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; ControlError when another switch does already."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _short(self._path) as path:
                _remove_stale(path, self._path)
                listener.bind(path)
                os.chmod(path, 0o600)  # before anybody can connect: nobody listens yet
            listener.setblocking(False)
            self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=_MAX_QUESTION)
        except BaseException:
            listener.close()
            raise

    async def stop(self) -> None:
        """Close the socket and remove it."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        with contextlib.suppress(
            OSError
        ):  # of a disk that cannot be written to any more: the next start does it
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) <= _MAX_CONNECTIONS:
                async with asyncio.timeout(_QUESTION_TIMEOUT):
                    question = await reader.readline()
                await self._answer(question, writer)
        except (OSError, TimeoutError, ValueError):  # gone, too slow, or a line without end
            log.debug("control.connection_failed")
        except asyncio.CancelledError:
            if self._server is not None:
                raise
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, question: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            name, arguments = _read(question)
            result = await answer(self.handlers, name, arguments)
            if isinstance(result, list | Iterator):
                for items in _chunks(result):
                    await _send(writer, {"items": items})
                result = None
        except (LookupError, ValueError, OSError) as error:
            text = str(error.args[0]) if error.args else str(error)
            await _send(writer, {"error": text})
        except Exception:  # a fault of ours in one answer must not hurt the calls
            log.exception("control.handler_failed")
            await _send(writer, {"error": "the switch failed to answer; its log says why"})
        else:
            await _send(writer, {"result": result})


def by_leader(handler: Handler) -> Handler:
    """Mark what one of several workers is to answer alone: all know it, or it may be done only once."""
    handler.is_by_leader = True  # type: ignore[attr-defined]
    return handler


async def answer(
    handlers: Mapping[str, Callable[..., Any]],
    name: str,
    arguments: dict[str, Any],
    *,
    is_leader: bool = True,
) -> Any:
    """Ask a handler; LookupError when there is none, or when another worker is to answer."""
    try:
        handler = handlers[name]
        inspect.signature(handler).bind(**arguments)
    except (TypeError, KeyError, ValueError):
        raise LookupError("the switch does not know this question") from None
    if not is_leader and getattr(handler, "is_by_leader", False):
        raise LookupError("worker 0 answers this, and it is starting")
    result = handler(**arguments)
    return await result if inspect.isawaitable(result) else result


def _read(question: bytes) -> tuple[str, dict[str, Any]]:
    try:
        arguments = json.loads(question)
        return str(arguments.pop("ask")), arguments
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise LookupError("the switch does not know this question") from None


def ask(
    path: Path, name: str, arguments: Mapping[str, object] | None = None, *, timeout: float = 10.0
) -> Any:
    """Ask the running switch; for the command line, it blocks. ControlError says what went wrong."""
    found: list[Any] = []
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            with _short(path) as short:
                connection.connect(short)
            connection.sendall(json.dumps({"ask": name, **(arguments or {})}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                while line := lines.readline(_MAX_ANSWER_LINE):
                    answer = json.loads(line)
                    if "items" in answer:
                        found.extend(answer["items"])
                    elif "error" in answer:
                        raise ControlError(answer["error"])
                    else:
                        return found if answer["result"] is None else answer["result"]
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlError(f"no switch is running: nobody listens at {path}") from None
    except TimeoutError:
        raise ControlError(f"the switch at {path} did not answer within {timeout:g} seconds") from None
    except ConnectionError:
        pass  # as if it had closed it in order
    except (OSError, ValueError) as error:
        raise ControlError(f"{path}: {error}") from None
    raise ControlError(f"the switch at {path} closed the connection; it may be busy or stopping")


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """The same place by a short name: a Unix socket's path may have 107 octets, a folder's many more."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _remove_stale(path: str, shown: Path) -> None:
    """A socket that a crash left behind answers nobody."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except TimeoutError:
            pass
    raise ControlError(f"{shown.parent}: another switch is running with this state folder")


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


async def _send(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(json.dumps(answer, default=str).encode() + b"\n")
    await writer.drain()
    await asyncio.sleep(0)  # calls first
