"""The inside of the API's room: the resources, the desk before them, and the courier behind them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from switchroom.switch.net.fence import Fence

from .events import PATH as EVENTS
from .events import EventStreams
from .front.desk import Desk, Receive, Scope, Send, send_raw
from .front.gate import Gate
from .front.openapi import describe
from .front.operation import Raw, Table
from .front.pages import page
from .front.rates import Rates
from .messages.alphas import AlphaResources
from .messages.inbox import Inbox
from .messages.optouts import OptOuts
from .messages.outbox import Outbox
from .messages.resource import MessageResources
from .messages.retention import Retention
from .messages.senders import Senders
from .messages.services import ServiceResources
from .office import Office
from .resources.accounts import AccountResources, KeyResources
from .resources.alerts import AlertResources
from .resources.applications import ApplicationResources
from .resources.closing import Closing
from .resources.inventory import Inventory
from .resources.lookups import LookupResources
from .resources.numbers import NumberResources
from .resources.usage import UsageResources
from .sip.room import SipRoom
from .verify.attempts import Attempts
from .verify.caller import Caller
from .verify.caller_ids import CallerIdResources
from .verify.services import VerifyServices
from .verify.verifications import Verifications
from .voice.room import VoiceRoom
from .webhooks.courier import Courier
from .webhooks.fetch import Fetcher, Limits

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Apps
    from switchroom.switch.config import ApiConfig, Config
    from switchroom.switch.sms.interfaces import Centre
    from switchroom.switch.store.documents import Library

    from .front.accounts import Accounts
    from .front.audit import Audit
    from .sip.room import Hosting

_DESCRIPTION = "/openapi.json"


class House:
    """Everything that is there while the API is open."""

    def __init__(
        self,
        config: Config,
        library: Library,
        accounts: Accounts,
        audit: Audit,
        *,
        centre: Centre | None,
        now: Callable[[], float],
        apps: Apps,
        hosting: Hosting,
    ) -> None:
        """``centre``: of messages, and ``now`` the clock that it goes by; ``apps``: who has calls;
        ``hosting``: who may register and call because REST says so.
        """
        self.library, self.accounts, self._now = library, accounts, now
        api = config.api
        self.fetcher = Fetcher(Fence(api.webhook_private), _client_context(config), _limits(api))
        self.courier = Courier(library, accounts, self.fetcher, api)
        self.office = Office(api, library, accounts, audit, self.fetcher, self.courier)
        self.office.refresh = hosting.refresh
        self.inventory = Inventory(api.numbers)
        self.numbers = NumberResources(self.office, self.inventory)
        self.applications = ApplicationResources(self.office)
        self.opt_outs = OptOuts(self.office)
        self.senders = Senders(self.office, self.opt_outs)
        self.outbox = Outbox(self.office, centre, now)
        self.retention = Retention(self.office)
        self.messages = MessageResources(self.office, self.outbox, self.senders, self.retention)
        self.inbox = Inbox(self.office, self.numbers, self.senders, self.opt_outs, self.messages, now)
        self.inbox.centre = centre
        self.voice = VoiceRoom(config, self.office, self.numbers, self.messages, apps)
        verify = VerifyServices(self.office)
        caller = Caller(self.office, self.voice.means)
        attempts = Attempts(self.office)
        self.verifications = Verifications(
            self.office, verify, self.messages, accounts.vault, caller, attempts
        )
        self.sip = SipRoom(config, self.office, self.numbers, self.voice, hosting)
        own = AccountResources(self.office)
        own.on_closed = Closing(self.office, self.messages, self.voice).close
        self.table = Table()
        for resources in (
            *(own, KeyResources(self.office)),
            *(self.numbers, self.applications, self.messages),
            *(ServiceResources(self.office, self.senders), AlphaResources(self.office, self.senders)),
            *(AlertResources(self.office), CallerIdResources(self.office, self.voice.means)),
            *(LookupResources(), UsageResources(self.office), *self.voice.resources),
            *self.sip.resources,
            *(verify, self.verifications, attempts),
        ):
            self.table.add(resources.operations())
        document = json.dumps(describe(self.table.operations), separators=(",", ":"))
        self._description = Raw(document.encode(), "application/json")  # once: anybody may ask for it
        self.gate = Gate(accounts)
        self.desk = Desk(api, self.table, self.gate, accounts, Rates(api.rate, api.burst), audit)
        self.events = EventStreams(self.office, self.gate)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application of ASGI."""
        if scope["path"] == EVENTS:
            await self.events(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == _DESCRIPTION:
            await send_raw(send, self._description)
        elif scope["type"] == "http" and (found := self._page(scope)) is not None:
            await send_raw(send, found)
        elif scope["type"] == "http":
            await self.desk(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _page(self, scope: Scope) -> Raw | None:
        is_asked = self.office.config.docs and scope["method"] == "GET"
        return page(scope["path"]) if is_asked else None

    async def start(self) -> None:
        """Go on with what waits."""
        self.courier.start()
        self.outbox.start()
        self.voice.start()
        self.sip.lines.start()
        self.verifications.start()
        if self.inbox.centre is not None:
            self.inbox.centre.attach(outlet=self.inbox, now=self._now())

    def close_streams(self) -> None:
        """Send away who listens."""
        self.events.close()

    async def stop(self) -> None:
        """Let go of what is under way."""
        self.outbox.stop()
        self.sip.lines.stop()
        self.voice.stop()
        if self.inbox.centre is not None:
            self.inbox.centre.detach(outlet=self.inbox.name, now=self._now())
        for task in self.office.tasks:
            task.cancel()
        await asyncio.gather(*self.office.tasks, return_exceptions=True)
        await self.courier.stop()
        await self.fetcher.close()

    def reconfigure(self, config: Config) -> None:
        """Apply a new configuration."""
        api = config.api
        self.desk.config = self.office.config = self.courier.config = api
        self.desk.rates.rate, self.desk.rates.burst = api.rate, api.burst
        self.inventory.update(api.numbers)
        self.sip.reconfigure(config)
        self.fetcher.limits = _limits(api)
        self.fetcher.connections.fence = Fence(api.webhook_private)
        self.verifications.reconfigure()

    def status(self) -> dict[str, Any]:
        """Numbers for the operator and for metrics."""
        return {
            "requests": self.desk.request_count,
            "errors": self.desk.error_count,
            "webhooks_waiting": self.courier.waiting_count,
            "webhooks_delivered": self.courier.delivered_count,
            "webhooks_failed": self.courier.failed_count,
            "webhooks_dead": self.courier.dead_count,
            "commits": self.library.commit_count,
            "last_event": self.library.durable_event_id,
        }


def _limits(config: ApiConfig) -> Limits:
    return Limits(config.webhook_connect_timeout, config.webhook_timeout, config.webhook_timeout)


def _client_context(config: Config) -> ssl.SSLContext:
    """Servers of webhooks prove their names, as browsers want it."""
    return ssl.create_default_context(cafile=config.tls.ca_file or None)
