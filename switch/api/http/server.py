"""uvicorn as a guest in the loop of the switch: no signals, no exit codes, no logs of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn

from ...config import join_address
from .guarded import Watch, guarded
from .proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchroom.switch.config import ApiConfig

_MAX_HEAD = 16384
_GRACE = 3.0

log = structlog.get_logger("switchroom.api")


class _Said(logging.Handler):
    """What uvicorn says of connections, as lines of our log, which limits how many of a kind it writes."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        tell = log.error if record.levelno >= logging.ERROR else log.debug
        tell("api.connection", said=record.getMessage()[:200], exc_info=record.exc_info)


class _Guest(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the switch."""
        yield


class ApiServer:
    """Listens where the configuration says: http, https, and the proxy for unchanged clients."""

    def __init__(
        self,
        app: Any,
        config: ApiConfig,
        *,
        tls: Callable[[], ssl.SSLContext | None],
        proxy_tls: Callable[[str], ssl.SSLContext],
    ) -> None:
        """``tls``: for https; ``proxy_tls``: with a certificate for the name that a client wants to reach."""
        self._config, self._tls, self._proxy_tls = config, tls, proxy_tls
        self.watch = Watch(
            max_head=_MAX_HEAD,
            head_timeout=config.head_timeout,
            max_connections=config.max_connections,
            source_share=0.5,
        )
        self._uvicorn = uvicorn.Config(
            app,
            http=guarded(self.watch),
            ws="websockets-sansio",
            ws_max_size=65536,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=int(_GRACE),
        )
        self._guest = _Guest(self._uvicorn)
        self._said = _Said()
        self._servers: list[asyncio.Server] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def addresses(self) -> list[str]:
        """SCHEME:ADDRESS:PORT of each listener, as it really is."""
        return [
            f"{scheme}:{join_address(*server.sockets[0].getsockname()[:2])}"
            for (scheme, _, _), server in zip(self._config.rest_listeners, self._servers, strict=False)
            if server.sockets
        ]

    async def start(self) -> None:
        """Listen; OSError names the address."""
        self._uvicorn.load()
        speaker = logging.getLogger("uvicorn.error")
        speaker.propagate = False
        speaker.addHandler(self._said)
        self._guest.lifespan = self._uvicorn.lifespan_class(self._uvicorn)
        await self._guest.startup(sockets=[])
        loop = asyncio.get_running_loop()
        for scheme, host, port in self._config.rest_listeners:
            make = self._make_proxy if scheme == "proxy" else self._make_protocol
            tls = self._tls() if scheme == "https" else None
            try:
                self._servers.append(await loop.create_server(make, host, port, ssl=tls, backlog=512))
            except OSError as error:
                await self.stop()
                where = f"{scheme}:{join_address(host, port)}"
                raise OSError(error.errno, f"api.rest: {where}: {error.strerror or error}") from None
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Close everything; answers that are being written have a moment."""
        logging.getLogger("uvicorn.error").removeHandler(self._said)
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            for connection in list(self._guest.server_state.connections):
                connection.shutdown()
            tasks = set(self._guest.server_state.tasks)
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=_GRACE)
                for task in late:
                    task.cancel()

    def _make_protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self._uvicorn.http_protocol_class(  # type: ignore[call-arg]
            config=self._uvicorn, server_state=self._guest.server_state, app_state={}
        )
        return protocol

    def _make_proxy(self) -> asyncio.Protocol:
        return Proxy(self._make_protocol, self._proxy_tls, timeout=self._config.head_timeout)

    async def _run(self) -> None:
        """Once a second: the Date header, and connections that say nothing."""
        loop = asyncio.get_running_loop()
        while True:
            await self._guest.on_tick(0)
            self.watch.sweep(loop.time())
            await asyncio.sleep(1.0)
