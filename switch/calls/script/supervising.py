"""Supervision by telephone: a code and a number let whoever may do so attend the call of that user."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from switchroom.switch.config.patterns import match_any, read_patterns

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call as SipCall
    from switchroom.switch.calls.routing import Inquiry

    from .apps import Apps
    from .call import Call
    from .overhearing import Overhearing

_NAME = "supervise"
_LISTEN, _WHISPER, _JOIN = "456"  # the keys


class Supervision:
    """Takes the calls that begin with the code."""

    def __init__(self, apps: Apps) -> None:
        self._code = ""  # none
        self._apps = apps
        apps.add(_NAME, self._attend)

    @property
    def code(self) -> str:
        """What is dialled before the number of whoever is attended; empty: nobody may."""
        return self._code

    @code.setter
    def code(self, code: str) -> None:
        if bool(code) != bool(self._code):
            (self._apps.claims.append if code else self._apps.claims.remove)(self._claim)
        self._code = code

    def _claim(self, inquiry: Inquiry) -> str | None:
        return _NAME if inquiry.called.startswith(self._code) else None

    async def _attend(self, call: Call) -> None:
        exchange = self._apps.house.exchange
        number, user = call.called.removeprefix(self.code), exchange.calls[call.id].caller.user
        if user is None or not user.supervises or not match_any(read_patterns(user.supervises), number):
            await call.reject(403)  # whether anybody talks there is not said (THREATS C12)
            return
        found = self._find(number)
        if found is None:
            await call.reject(480)
            return
        other, account = found
        await call.answer()
        other.notes.append(f"user {user.name} attended it")
        exchange.log.info("call.supervised", call=other.id, by=user.name)
        try:
            await self._apps.overhear(
                call, other.id, on_start=lambda it: call.hear_keys(partial(_obey, it, account))
            )
        except LookupError as error:
            exchange.log.info("call.not_supervised", call=other.id, by=user.name, error=str(error))

    def _find(self, number: str) -> tuple[SipCall, str] | None:
        """The call of a user who has that number, and his account."""
        exchange = self._apps.house.exchange
        for call in exchange.calls.values():
            if call.answered_at is None or call.is_over or call.b is None:
                continue
            for leg in (call.a, call.b):
                user = exchange.config.users.get(leg.account)
                if user is not None and number in (user.name, user.dialled):
                    return call, leg.account
        return None


def _obey(it: Overhearing, account: str, key: str) -> None:
    """Do what a key asks for; where the sound cannot be made here he goes on listening."""
    side = it.side_of(account)
    try:
        if key == _LISTEN:
            it.listen()
        elif key == _WHISPER and side is not None:
            it.whisper(side)
        elif key == _JOIN:
            it.join()
    except LookupError:
        return
