"""What all calls of the API share, and who may be called by whom."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.store.documents import Query

from ..resources.numbers import CALLER_ID, NUMBER
from ..wire.errors import ApiError
from ..wire.params import is_e164
from .render import CALL

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Apps

    from ..office import Office
    from .conferences.conferences import Conferences
    from .conversation import Conversation
    from .queues.queues import Queues
    from .recordings.tapes import Tapes
    from .recordings.transcripts import Transcripts
    from .speaking.captions import Captions
    from .speaking.hearing import Hearing
    from .speaking.sounds import Sounds
    from .speaking.speech import Speech
    from .streams.streams import Streams

APP = "twiml"
_NOISE = re.compile(r"[\s().\-]")
_DIALLED = re.compile(r"\+?[0-9*#]{1,32}")
_CLIENT = re.compile(r"[A-Za-z0-9_.\-+]{1,121}")
_MAX_HEADERS = 1024
_DAY = 86400

SendText = Callable[[str, dict[str, Any], str], Awaitable[Any]]


class Target(NamedTuple):
    """Whom to call, as scripts name it, and with which headers."""

    to: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Means:
    """One for all calls."""

    office: Office
    apps: Apps
    speech: Speech
    hearing: Hearing
    sounds: Sounds
    send_text: SendText
    tapes: Tapes
    transcripts: Transcripts
    streams: Streams
    captions: Captions
    conferences: Conferences = field(init=False)
    queues: Queues = field(init=False)
    conversations: dict[str, Conversation] = field(default_factory=dict)  # calls that are up, by SID
    # The user that an address means, where its host is a domain of the account
    within: Callable[[str, str, str], str] = lambda account, name, host: ""
    _today: dict[str, int] = field(default_factory=dict)
    _day: int = 0

    # -- whom

    async def target(self, account: str, kind: str, name: str) -> Target:
        """Whom a noun means; ApiError: nobody who may be called from here."""
        if kind == "client":
            if not _CLIENT.fullmatch(name):
                raise ApiError(21217, "To: is not the name of a client")
            return Target(f"user:{name}")
        if kind == "sip":
            return await self._uri(account, name)
        number = _NOISE.sub("", name)
        if not _DIALLED.fullmatch(number):
            raise ApiError(21211, "To: is not a number")
        self._check_region(account, number)
        return Target(number)

    def _check_region(self, account: str, number: str) -> None:
        config = self.office.config
        if not number.startswith("+"):
            return
        is_premium = any(number.startswith(prefix) for prefix in config.premium)
        is_elsewhere = bool(config.countries) and not any(number.startswith(p) for p in config.countries)
        if is_premium or is_elsewhere:
            self.office.audit.alert(account, "region refused", to=number)
            raise ApiError(21215, f"To: calls to {number[:5]}… are not allowed by the configuration")

    async def _uri(self, account: str, text: str) -> Target:
        bare, _, query = text.partition("?")
        headers = tuple(parse_qsl(query, keep_blank_values=True, max_num_fields=20))
        if len(query) > _MAX_HEADERS:
            raise ApiError(21227, "To: its headers are too long")
        for name, value in headers:
            if not re.fullmatch(r"[Xx]-[A-Za-z0-9\-]{1,60}", name) or not value.isprintable():
                raise ApiError(21229, f"To: {name[:60]}: is not a header that may be sent")
        try:
            uri = sip.Uri.parse(bare)
        except RemoteProtocolError:
            raise ApiError(21211, "To: is not a SIP URI") from None
        if self.apps.house.exchange.is_local(uri.host.strip("[]").lower()):
            name = unquote(uri.user or "")
            if inside := self.within(account, name, uri.host.lower()):
                return Target(f"user:{inside}", headers)
            target = await self.target(account, "number", name)
            return target._replace(headers=headers)
        await self._check_host(uri.host.strip("[]"))
        return Target(bare, headers)

    async def _check_host(self, host: str) -> None:
        """A stranger must not call through us into a private network (THREATS F)."""
        fence = self.office.fetcher.connections.fence
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            raise ApiError(13254, f"To: {host[:100]} is not found") from None
        if not all(fence.allows(str(info[4][0])) for info in found):
            raise ApiError(13254, f"To: {host[:100]} is not an address that may be called")

    # -- from whom

    def has_number(self, account: str, number: str) -> bool:
        """Whether a number is the account's, so that calls may be from it."""
        owner = self.office.library.named(NUMBER, number)
        if owner is None:
            return bool(self.office.config.foreign_senders)
        return owner.account == account

    def check_caller(self, account: str, text: str) -> str:
        """The number that is shown to whom is called; ApiError: it is not the account's."""
        if text.startswith("client:"):
            return text
        number = _NOISE.sub("", text)
        if not is_e164(number) and not number.isdecimal():
            raise ApiError(21212, "From: is not a number")
        is_proven = self.office.library.named(CALLER_ID, f"{account}/{number}") is not None
        if not is_proven and not self.has_number(account, number):
            raise ApiError(21210, f"From: {number} is not a number of the account")
        return number

    # -- how many

    def count(self, account: str) -> None:
        """A stolen key must not call for ever."""
        limit = self.office.config.max_daily_calls
        if not limit:
            return
        day = int(time.time() // _DAY)
        if day != self._day:
            self._today, self._day = {}, day
        if account not in self._today:
            query = Query(CALL, account, since={"created_at": float(day * _DAY)})
            self._today[account] = self.office.library.count(query)
        if self._today[account] >= limit:
            self.office.audit.alert(account, "daily calls", limit=limit)
            raise ApiError(20429, f"The account has made its {limit} calls of today")
        self._today[account] += 1
