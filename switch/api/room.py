"""The room of the API: builds what serves it, starts and stops it in order, answers the operator."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from switchroom.switch.store import StoreError
from switchroom.switch.store.documents import Library, Query

from .front.accounts import Accounts
from .front.audit import AUDIT, Audit
from .front.vault import Vault
from .wire.urls import shown
from .witness import SEEN, Onlooker, Witness

if TYPE_CHECKING:
    from switchroom.switch.calls.registration.registrar import Registrar
    from switchroom.switch.calls.script import Apps
    from switchroom.switch.config import ApiConfig, Config
    from switchroom.switch.net.bus import Bus
    from switchroom.switch.sms.interfaces import Centre

    from .house import House
    from .http.authority import Authority
    from .http.server import ApiServer
    from .sip.room import Hosting
    from .voice.speaking.speech import Speech
    from .witness import Calls

_PURGE_INTERVAL = 3600.0
_DAY = 86400.0

log = structlog.get_logger("switchroom.api")


class _Clock(Protocol):
    def now(self) -> float: ...


class Messages(Protocol):
    """The room of the message centre, as the API sees it."""

    is_of_account: Callable[[str], bool]

    @property
    def clock(self) -> _Clock: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def centre(self) -> Centre: ...


class ApiRoom:
    """REST, webhooks and events of one switch; with no listener in the configuration it is not there."""

    def __init__(
        self,
        config: Config,
        tls: Callable[[], ssl.SSLContext | None],
        messages: Messages | None,
        apps: Apps,
        hosting: Hosting,
    ) -> None:
        """``tls``: of the switch's own certificate; ``messages``: the centre's; ``apps``: who has calls;
        ``hosting``: who may register and call because REST says so.
        """
        self._config, self._tls, self._messages, self._apps = config, tls, messages, apps
        self._hosting = hosting
        self.is_open = bool(config.api.rest)
        self._house: House | None = None
        self._speech: Speech | None = None
        self._server: ApiServer | None = None
        self._witness: Witness | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def house(self) -> House:
        """What is inside, while it is open."""
        if self._house is None:
            raise LookupError("REST is not served: api.rest in the configuration is empty")
        return self._house

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as it really is."""
        return [] if self._server is None else self._server.addresses

    async def speak(self, text: str, voice: str, language: str) -> Path:
        """Say a text for a program: the file in which that is; SpeechError."""
        if self._speech is None:
            found = await asyncio.to_thread(import_module, ".voice.speaking.speech", __package__)
            folder = Path(self._config.switch.state_dir) / "speech"
            self._speech = found.Speech(lambda: self._config.api.say_command, folder)
        return await self._speech.speak(text, voice, language)

    def load(self) -> None:
        """Load what serves REST, while nobody waits for the loop yet."""
        if self.is_open:
            _load()

    async def start(self) -> None:
        """Open the file and listen; OSError or StoreError says what cannot be had."""
        if not self.is_open:
            return
        House, Authority, ApiServer = _load()  # noqa: N806
        state = Path(self._config.switch.state_dir)
        library, vault = Library(state / "api.db"), Vault(state / "api.key")
        try:
            await asyncio.to_thread(library.start)
        except StoreError as error:
            raise StoreError(f"{state / 'api.db'}: {error}") from None
        vault.start()
        accounts = Accounts(library, vault)
        config = self._config.api
        await accounts.ensure_first(config.account_sid, config.auth_token)
        messages = self._messages
        self._house = House(
            self._config,
            library,
            accounts,
            Audit(library),
            centre=messages.centre if messages is not None and messages.is_open else None,
            now=messages.clock.now if messages is not None else time.monotonic,
            apps=self._apps,
            hosting=self._hosting,
        )
        if messages is not None:
            messages.is_of_account = self._house.inbox.has
        self._witness = self._watch(config)
        authority = Authority(state)
        self._server = ApiServer(self._house.app, config, tls=self._tls, proxy_tls=authority.context_for)
        await self._house.start()
        await self._server.start()
        self._task = asyncio.create_task(self._keep_short())
        log.info("api.started", listen=self.addresses)

    async def stop(self) -> None:
        """Stop listening, write everything down."""
        if self._task is not None:
            self._task.cancel()
        if self._house is not None:
            self._house.close_streams()
        if self._server is not None:
            await self._server.stop()
        if self._messages is not None:
            self._messages.is_of_account = lambda number: False
        if self._witness is not None:
            self._witness.stop()
            self._witness = None
        if self._house is not None:
            await self._house.stop()
            await asyncio.to_thread(self._house.library.close)
            self._house = None

    def reconfigure(self, config: Config) -> None:
        """Apply what can be changed while it is open."""
        self._config = config
        if self._house is not None:
            self._house.reconfigure(config)
        if self._witness is not None:
            self._witness.config = config.api

    def follow(self, registrar: Registrar) -> None:
        """Have events of registrations too."""

        def changed(user: str, now: float) -> None:
            if self._witness is not None:
                self._witness.on_registered(user, len(registrar.lookup(user, now)))

        registrar.on_change.append(changed)

    def look_on(self, calls: Calls, bus: Bus) -> None:
        """Have events of the calls of other workers too."""

        def seen(told: Any, slot: int) -> None:
            if self._witness is not None:
                self._witness.hear(told, slot)

        bus.subscribe(SEEN, seen)
        Onlooker(calls, bus, lambda: self.is_open and "calls" in self._config.api.events)

    def _watch(self, config: ApiConfig) -> Witness:
        office = self.house.office
        witness = Witness(config, lambda events: office.begin(events=events), self._main())
        messages = self._messages
        centre = messages.centre if messages is not None and messages.is_open else None
        witness.watch(self._apps.house.exchange, getattr(centre, "fates", None))
        return witness

    async def _keep_short(self) -> None:
        """Forget what is older than the configuration keeps."""
        while True:
            self._purge(time.time())
            await asyncio.sleep(_PURGE_INTERVAL)

    def _purge(self, now: float) -> None:
        from .voice.render import CALL  # only here, as _load says

        config, library = self._config.api, self.house.library
        library.purge_events(now - config.keep_events * _DAY, config.max_events)
        library.purge("delivery", now - config.keep_webhooks * _DAY)
        library.purge(CALL, now - config.keep_calls * _DAY)
        library.purge(AUDIT, now - config.keep_audit * _DAY)
        self.house.retention.sweep(now)

    # -- the operator

    def handlers(self) -> dict[str, Any]:
        """What the control socket may be asked."""
        return {
            "api.account": self._account,
            "api.webhooks": self._webhooks,
            "api.webhook": self._webhook,
            "api.replay": self._replay,
            "api.audit": self._audit,
            "api.status": lambda: self.house.status() | {"listen": self.addresses},
        }

    def _account(self) -> dict[str, Any]:
        """The main account and its token: whoever may ask the control socket may do anything."""
        sid = self._main()
        return {
            "account_sid": sid,
            "auth_token": self.house.accounts.token(sid),
            "listen": self.addresses,
        }

    def _main(self) -> str:
        """The SID of the main account."""
        if self._config.api.account_sid:
            return self._config.api.account_sid
        first = Query("account", None, fields={"owner": ""}, is_ascending=True, limit=1)
        return self.house.library.select(first)[0].sid

    def _webhooks(self, limit: int = 20, state: str = "") -> list[dict[str, Any]]:
        rows = []
        for doc in self.house.courier.recent(min(int(limit), 1000), str(state)):
            last = doc.data["attempts"][-1] if doc.data["attempts"] else {}
            rows.append(
                {
                    "webhook": doc.sid,
                    "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(doc.created_at)),
                    "resource": doc.parent,
                    "purpose": doc.data["purpose"],
                    "state": doc.state,
                    "attempts": len(doc.data["attempts"]),
                    "answer": last.get("status", last.get("error", "")),
                    "url": shown(doc.data["url"]),
                }
            )
        return rows

    def _webhook(self, webhook: str) -> dict[str, Any]:
        doc = self.house.library.get("delivery", webhook, None)
        if doc is None:
            raise LookupError(f"there is no webhook {webhook}")
        hidden = {name: shown(doc.data[name]) for name in ("url", "fallback_url")}
        return {"webhook": doc.sid, "state": doc.state, "resource": doc.parent, **doc.data, **hidden}

    async def _replay(self, webhook: str) -> dict[str, Any]:
        doc = await self.house.courier.replay(webhook)
        return {"webhook": doc.sid, "replay_of": webhook}

    def _audit(self, limit: int = 20) -> list[dict[str, Any]]:
        rows = self.house.library.select(Query(AUDIT, None, limit=min(int(limit), 1000)))
        return [
            {
                "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(doc.at)),
                "account": doc.account,
                "kind": doc.state,
                **{name: value for name, value in doc.data.items() if name != "parameters"},
            }
            for doc in rows
        ]


def _load() -> tuple[type[House], type[Authority], type[ApiServer]]:
    """Only here: whoever serves no REST does not load what serves it."""
    import phonenumbers.geocoder  # noqa: F401 - takes a third of a second, which no request should wait for

    from .house import House
    from .http.authority import Authority
    from .http.server import ApiServer

    return House, Authority, ApiServer
