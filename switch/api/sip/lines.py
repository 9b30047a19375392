"""Calls that come from a domain with a VoiceUrl, and those of trunks whose addresses are all away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from switchroom.switch.calls.script import Call

from ..office import Shelf
from ..resources.numbers import NUMBER
from ..voice.live import Live
from ..voice.render import CALL, sip_headers
from ..voice.wishes import Place
from ..wire.errors import ApiError
from .kinds import DOMAIN, RECOVERY, TRUNK

if TYPE_CHECKING:
    from switchroom.switch.calls.routing import Inquiry
    from switchroom.switch.config import Hosted
    from switchroom.switch.store.documents import Document

    from ..office import Office
    from ..voice.room import VoiceRoom

_APP = "sip.domain"


class Lines:
    """Takes such calls, and has their documents carried out."""

    def __init__(self, office: Office, voice: VoiceRoom, hosted: Callable[[], Hosted]) -> None:
        """``hosted``: whom the switch knows of."""
        self._office, self._voice, self._hosted = office, voice, hosted
        self._apps = voice.means.apps
        self._calls = Shelf(office, CALL, "CA")
        self._apps.add(_APP, self._incoming)
        self._apps.add(RECOVERY, self._recovering)
        voice.means.within = self.within

    def start(self) -> None:
        """Take calls, before anybody asks whose number it is."""
        self._apps.claims.insert(0, self._claim)

    def stop(self) -> None:
        """Take no more."""
        self._apps.claims.remove(self._claim)

    def within(self, account: str, name: str, host: str) -> str:
        """The user that an address in a domain of the account means; empty: the host is no such domain."""
        domain = self._office.library.named(DOMAIN, host)
        if domain is None:
            return ""
        if domain.account != account and not self._office.accounts.belongs(domain.account, account):
            raise ApiError(32002, f"To: {host} is no domain of the account")
        return f"{name}@{host}"

    def _claim(self, inquiry: Inquiry) -> str | None:
        return _APP if inquiry.source in self._hosted().sources else None

    async def _incoming(self, call: Call) -> None:
        sid = self._hosted().sources.get(call.entry.from_user, "")
        domain = self._office.library.get(DOMAIN, sid, None)
        if domain is None or not self._office.accounts.is_active(domain.account):
            await call.reject(404)  # deleted meanwhile
            return
        host, data = domain.name or "", domain.data
        called = call.called.partition("@")[0]
        row: dict[str, Any] = {"direction": "inbound", "sip": self._facts(call, host)}
        if data["voice_status_callback_url"]:
            url, method = data["voice_status_callback_url"], data["voice_status_callback_method"]
            row["callback"] = {"url": url, "method": method or "POST", "events": ["completed"]}
        source, target = f"sip:{call.caller}@{host}", f"sip:{called}@{host}"
        await self._answer(call, domain.account, row, source, target, _place(data, "voice"))

    async def _recovering(self, call: Call) -> None:
        library = self._office.library
        number = library.named(NUMBER, call.called) or library.named(NUMBER, f"+{call.called}")
        trunk = number and library.get(TRUNK, number.data["trunk_sid"] or "", number.account)
        if not number or not trunk or not trunk.data["disaster_recovery_url"]:
            await call.reject(404)
            return
        row = {"direction": "inbound", "number": number.sid}
        place = Place(trunk.data["disaster_recovery_url"], trunk.data["disaster_recovery_method"] or "POST")
        await self._answer(call, number.account, row, call.caller, str(number.name), place)

    async def _answer(
        self, call: Call, account: str, row: dict[str, Any], source: str, target: str, place: Place
    ) -> None:
        doc: Document = self._calls.new(account, row, state="ringing", source=source, target=target)
        live = Live(self._office, doc)
        live.begin()
        await self._voice.board.answer(live, call, place)

    @staticmethod
    def _facts(call: Call, host: str) -> dict[str, str]:
        facts = {"SipDomain": host, "SipCallId": call.request.call_id, "SipSourceIp": call.source}
        return facts | sip_headers(call)


def _place(data: dict[str, Any], name: str) -> Place:
    """Where the first document is, and where else."""
    return Place(
        data[f"{name}_url"],
        data[f"{name}_method"] or "POST",
        data[f"{name}_fallback_url"] or "",
        data[f"{name}_fallback_method"] or "POST",
    )
