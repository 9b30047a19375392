"""Calling somebody for a program: the hunt is the exchange's, the offer is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.switch.calls.hunting.attempt import Failure
from switchroom.switch.calls.hunting.dialling import Dialling, Errand
from switchroom.switch.calls.leg import Leg as SipLeg
from switchroom.switch.calls.leg import sdp_of
from switchroom.switch.media import sounding

from .leg import Leg

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call as SipCall
    from switchroom.switch.calls.identity import Identity
    from switchroom.switch.calls.routing import Leap, Plan, ToApp

    from .house import House


class NotAnswered(Exception):  # noqa: N818 - it happens every day
    """Nobody who was called has answered."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class Hunt:
    """The Asker of a dialling: the first who answers is the result."""

    def __init__(self, house: House, call: SipCall, caller: SipLeg, first: str) -> None:
        """``first``: the codec that is offered before others, so that nothing has to be converted."""
        self._house, self._call, self._caller, self._first = house, call, caller, first
        self.answered: asyncio.Future[Leg] = asyncio.get_running_loop().create_future()
        self.is_ringing = asyncio.Event()
        self.aims: dict[Leap, str] = {}  # which target each leap is for
        self.target = ""  # of the one who answers
        self.on_ringing: Callable[[str], object] | None = None
        self._dialling: Dialling | None = None

    def begin(self, plan: Plan, identity: Identity, headers: tuple[tuple[str, str], ...]) -> None:
        """Call whom the plan names."""
        errand = Errand(
            identity,
            self._caller,
            propose=self._propose,
            has_boxes=False,
            headers=headers,
            is_emergency=plan.is_emergency,
        )
        now, call = self._house.now, self._call
        self._dialling = call.dialling = Dialling(call.exchange, call, self, errand)
        self._dialling.begin(plan, now)
        call.exchange.watch(call, now)
        self._house.flush()

    def give_up(self) -> None:
        """Nobody is wanted any more."""
        dialling, self._dialling = self._dialling, None
        if dialling is None:
            return
        if self._call.dialling is dialling:
            self._call.dialling = None
        if not dialling.is_over:
            left = [leg for leg in dialling.legs if not leg.is_failed]
            dialling.give_up(self._house.now)
            if not self._call.is_over:
                for leg in left:
                    self._call.media.drop(leg.media)
            self._house.flush()

    async def send_away(self) -> None:
        """Whoever has answered is not wanted either."""
        if self.answered.done() and self.answered.exception() is None:
            await self.answered.result().hang_up()

    def _propose(self, leg: SipLeg) -> bytes:
        return sounding.propose(self._call.media, leg.media, leg.codecs, self._first)

    # -- Asker

    def on_calling(self, now: float) -> None:
        """A trunk is called; the program rings by itself."""

    def on_progress(self, leg: SipLeg, response: sip.Response, now: float) -> None:
        """Somebody rings."""
        leg.answer = sdp_of(response) or leg.answer
        self.is_ringing.set()
        if self.on_ringing is not None and response.status >= 180:
            self.on_ringing(self._target_of(leg))

    def _target_of(self, leg: SipLeg) -> str:
        """Whom a leg is for; where a call was forwarded, the first."""
        return self.target if leg.attempt is None else self.aims.get(leg.attempt.leap, self.target)

    def on_dropped(self, leg: SipLeg, now: float) -> None:
        """One of several is gone."""

    def on_app(self, to: ToApp, now: float) -> bool:
        """A program does not call programs."""
        return False

    def on_answer(self, leg: SipLeg, response: sip.Response, now: float) -> None:
        """The first one wins, if its answer is good for something."""
        dialling = self._dialling
        leg.session.acknowledge(now)
        if dialling is None or self.answered.done():
            leg.session.bye(now)
            return
        try:
            sounding.settle(self._call.media, leg.media, sdp_of(response) or leg.answer)
        except (RemoteProtocolError, LocalProtocolError) as error:
            self._call.exchange.log.info("call.bad_answer", call=self._call.id, error=str(error))
            leg.session.bye(now)
            dialling.lose(leg, Failure(502, "Bad Gateway", None), now)
            return
        dialling.win(leg, now)
        self.target = self._target_of(leg)
        leg.dialling = leg.attempt = None
        self._call.dialling = self._dialling = None
        # At once: whatever its phone says next, a BYE perhaps, is the program's business
        party = Leg(self._house, self._call, leg)
        party.target = self.target
        self.answered.set_result(party)

    def on_failed(self, failure: Failure, now: float) -> None:
        """Nobody is left."""
        if self._call.dialling is self._dialling:
            self._call.dialling = None
        self._dialling = None
        for leg in [leg for leg in self._call.media.legs if leg.proposed is not None and leg.served is None]:
            if leg is not self._caller.media:
                self._call.media.drop(leg)
        if not self.answered.done():
            self.answered.set_exception(NotAnswered(failure.status, failure.reason))
            self.answered.exception()  # whoever waits hears of it; nobody else need
