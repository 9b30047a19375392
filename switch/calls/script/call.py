"""A call that a program has: ``async def handler(call): await call.answer(); ...``"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls.identity import Identity
from switchroom.switch.calls.leg import RETRY_AFTER, sdp_headers, sdp_of
from switchroom.switch.media import NoPortsLeft, sounding

from .dialling import Hunt, NotAnswered
from .leg import Leg
from .party import Party
from .passing import Passing, pass_on
from .seat import CallEnded
from .targets import Aim, Manners, aim

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call as SipCall
    from switchroom.switch.calls.routing import Plan
    from switchroom.switch.store import Record

    from .house import House
    from .voicemail import Voicemail

Headers = Sequence[tuple[str, str]]


class Call(Party):
    """The caller, and what a program can do with the call."""

    def __init__(self, house: House, call: SipCall, app: str) -> None:
        super().__init__(house, call, call.a)
        self.id = call.id
        self.app = app
        self.caller = call.record.caller
        self.called = call.record.callee
        self.caller_name = call.identity.name if call.identity is not None else ""
        self.request: sip.Request = call.a.session.request
        self._legs: list[Leg] = []
        self._hunt: Hunt | None = None

    @property
    def country(self) -> str:
        """Whose tones are played, as "de"."""
        return self._house.country

    @property
    def source(self) -> str:
        """The address that the call came from."""
        return self._leg.session.flow.remote[0]

    @property
    def prompts(self) -> Path | None:
        """Where files are that are named without a path."""
        return self._house.config.prompts

    @property
    def voicemail(self) -> Voicemail:
        """The boxes of all users."""
        return self._house.voicemail

    @property
    def is_answered(self) -> bool:
        """Whether the caller hears us."""
        return self._call.answered_at is not None

    @property
    def entry(self) -> Record:
        """What the books have of it."""
        return self._call.record

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Those whom the program has called, as long as they are there."""
        return tuple([leg for leg in self._legs if not leg.is_over])

    # -- before the answer

    async def ring(self) -> None:
        """Tell the caller that it rings."""
        self._check()
        if not self.is_answered:
            now = self._house.now
            self._call.rang(180, now)
            self._leg.session.ring(180, now)
            self._house.flush()

    async def answer(self) -> None:
        """Take the call. CallEnded: that cannot be, because nothing that it offers can be spoken here."""
        self._check()
        if self.is_answered:
            return
        call, leg, now = self._call, self._leg, self._house.now
        offer = sdp_of(self.request)
        try:
            if offer:
                body = sounding.serve(call.media, leg.media, offer, leg.codecs)
            else:
                body = sounding.propose(call.media, leg.media, leg.codecs)
        except (RemoteProtocolError, NoPortsLeft) as error:
            status = error.status if isinstance(error, RemoteProtocolError) else 503
            call.refuse(
                status, str(error), now, headers=RETRY_AFTER if status == 503 else (), ended_by="switch"
            )
            self._house.flush()
            self._check()
            return
        tag = call.exchange.mint.tag() if call.earlies else None
        call.connect_app(now)
        leg.session.answer(now, body=body, headers=sdp_headers(body), tag=tag)
        call.exchange.keep(call)
        self._listen()
        self._house.flush()

    async def reject(self, status: int = 603, reason: str = "") -> None:
        """Refuse a call that is not answered."""
        self._check()
        self._call.refuse(
            status, reason or sip.REASONS.get(status, "Refused"), self._house.now, ended_by="switch"
        )
        self._house.flush()

    # -- the end

    async def hang_up(self, reason: str = "Normal call clearing") -> None:
        """End the call, and whoever is in it."""
        if not self.is_over:
            self._call.hang_up(reason, self._house.now)
            self._house.flush()

    # -- others

    async def dial(
        self,
        *targets: str,
        timeout: float = 30.0,  # noqa: ASYNC109 - how long it rings
        caller: str | None = None,
        name: str | None = None,
        headers: Headers = (),
        on_ringing: Callable[[str], object] | None = None,
        manners: Manners | None = None,
    ) -> Leg:
        """Call somebody: user:NAME, trunk:NAME/NUMBER, sip:URI, or a number as it would be dialled.

        Several ring at once; the first one that answers is returned. NotAnswered: nobody did.
        ``on_ringing`` is told the target of each phone that rings. ``manners``: headers and credentials for
        one target alone.
        """
        self._check()
        identity = self._identity(caller, name)
        plan, aims = self._aim(targets, identity.number, timeout, manners)
        if not plan.steps:
            raise NotAnswered(plan.status or 404, plan.reason or "Not Found")
        hunt = self._hunt = Hunt(self._house, self._call, self._leg, self.codec)
        hunt.aims, hunt.target, hunt.on_ringing = aims, targets[0], on_ringing
        try:
            hunt.begin(plan, identity, tuple(headers))
            both: set[asyncio.Future[Any]] = {hunt.answered, self.ended}
            await asyncio.wait(both, timeout=timeout, return_when="FIRST_COMPLETED")
        except asyncio.CancelledError:
            await hunt.send_away()
            raise
        finally:
            hunt.give_up()
            self._hunt = None
        return await self._welcome(hunt)

    async def _welcome(self, hunt: Hunt) -> Leg:
        """Whoever has answered. NotAnswered: nobody has; CallEnded: the caller is gone."""
        if self.is_over:  # perhaps while the other answered
            await hunt.send_away()
            self._check()
        if not hunt.answered.done():
            raise NotAnswered(408, "No answer")
        leg = hunt.answered.result()
        if not leg.is_over:  # else he left before anybody looked
            self._legs.append(leg)
            leg._listen()
        return leg

    def _identity(self, caller: str | None, name: str | None) -> Identity:
        known = self._call.identity
        if known is None or caller is not None:
            return Identity(caller if caller is not None else self.caller, name or "")
        return known.changed(name=name) if name is not None else known

    def _plan(self, targets: tuple[str, ...], shown: str, timeout: float) -> Plan:
        return self._aim(targets, shown, timeout).plan

    def _aim(
        self, targets: tuple[str, ...], shown: str, timeout: float, manners: Manners | None = None
    ) -> Aim:
        exchange, app, called = self._call.exchange, self.app, self.called
        return aim(exchange, targets, app=app, called=called, shown=shown, timeout=timeout, manners=manners)

    async def bridge(self, leg: Leg) -> str:
        """Let the caller and a leg talk, until one of them leaves; "caller" or "leg" tells who did."""
        self._check()
        if leg.is_over:
            return "leg"
        await self.answer()
        call = self._call
        call.b = leg._leg
        call.note_callee(leg._leg)
        self._partner, leg._partner = leg, self
        self.station.patch(leg.station)
        call.exchange.tell(call, self._house.now)
        call.exchange.keep(call)
        try:
            await asyncio.wait({leg.ended, self.ended}, return_when="FIRST_COMPLETED")
        finally:
            if not self.is_over:
                self.station.patch(None)
                self._partner = None
            leg._partner = None
            if not call.is_over and call.b is leg._leg:
                call.b = None
        self._check()
        return "leg"

    async def connect(self, *targets: str, timeout: float = 30.0) -> str:  # noqa: ASYNC109
        """Call somebody and let the two talk; "caller" or "leg". NotAnswered: nobody did."""
        return await self.bridge(await self.dial(*targets, timeout=timeout))

    async def transfer(self, target: str) -> None:
        """Pass the caller on: the two talk as in any call, and the program has no part in it any more.

        NotAnswered: nobody took it, and the caller is here still. Else the program's part ends (CallEnded).
        """
        self._check()
        if not self.is_answered:
            await self.answer()
        passing = Passing()
        plan = self._plan((target,), self.caller, 60.0)
        if not plan.steps:
            raise NotAnswered(plan.status or 404, plan.reason or "Not Found")
        pass_on(self._house, self._call, self._leg, plan, passing)
        both: set[asyncio.Future[Any]] = {passing.failed, self.ended}
        await asyncio.wait(both, return_when="FIRST_COMPLETED")
        if not self.is_over:
            raise NotAnswered(*passing.failed.result())
        self._check()

    # -- from the switch

    def _over(self, reason: str) -> None:
        """The call is over, whoever ended it: nothing of it is left."""
        now = self._house.now
        if self._hunt is not None:
            self._hunt.give_up()
        for leg in self.legs:
            leg._leg.session.hang_up(now)
            leg._forget(reason)
        self._end(reason)


__all__ = ["Call", "CallEnded"]
