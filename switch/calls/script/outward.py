"""A call that nobody made but the switch: whoever answers is then its caller, and hears a program."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.switch.calls.call import Call as SipCall
from switchroom.switch.calls.hunting.attempt import Failure
from switchroom.switch.calls.hunting.dialling import Errand
from switchroom.switch.calls.leg import Leg as SipLeg
from switchroom.switch.calls.leg import sdp_of
from switchroom.switch.calls.routing import Plan, ToApp
from switchroom.switch.calls.rules import Caller
from switchroom.switch.media import sounding

from .dialling import NotAnswered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.identity import Identity
    from switchroom.switch.media import MediaSession
    from switchroom.switch.store import Record

    from .call import Call
    from .house import House


class Outward:
    """What a program knows of a call that it makes, until somebody answers."""

    def __init__(self, account: str, on_ringing: Callable[[], object] | None = None) -> None:
        """``account``: whose limits it counts against."""
        self.account = account
        self.on_ringing = on_ringing
        self.answered: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
        self.seat: Callable[[SipCall], Call]  # gives the program's side to a call that is answered
        self.id = ""
        self.is_given_up = False
        self._call: _OutwardCall | None = None
        self._house: House | None = None

    def begin(
        self,
        house: House,
        number: str,
        plan: Plan,
        who: Identity,
        headers: Sequence[tuple[str, str]],
        timeout: float,
    ) -> None:
        """Call whom the plan names. NotAnswered: there are too many calls."""
        exchange, now = house.exchange, house.now
        caller = Caller(self.account, who.number)
        refusal = exchange.admission.limit(caller, number, len(exchange.calls), now)
        if refusal is not None:
            raise NotAnswered(refusal.status, sip.REASONS.get(refusal.status, ""))
        request = sip.Request("INVITE", "sip:switch", [("Call-ID", exchange.mint.call_id())])
        record = exchange.ledger.open(request, caller, number, who.number, plan, now)
        exchange.admission.caps.take(caller.account)
        exchange.admission.setups += 1
        media = exchange.media.session(record.id)
        call = self._call = _OutwardCall(exchange, record, caller, media, now)
        media.context = call
        self.id, self._house = call.id, house
        call.outward = self
        call.plan, call.identity = plan, who
        call.no_answer_at = min(call.no_answer_at, now + timeout + 1.0)  # the plan first
        exchange.calls[call.id] = call
        errand = Errand(
            who,
            call.a,
            propose=call.propose,
            headers=headers,
            is_emergency=plan.is_emergency,
            has_boxes=False,
        )
        call.dial(plan, errand, now)
        if not call.is_over:
            exchange.watch(call, now)
            exchange.tell(call, now)
        house.flush()

    def give_up(self) -> None:
        """Nobody is wanted any more."""
        self.is_given_up = True
        call, house = self._call, self._house
        if call is not None and house is not None and not call.is_over:
            call.hang_up("Given up", house.now, status=487)
            house.flush()

    def ended(self, cause: int, reason: str) -> None:
        """The call is over; before an answer that is the news."""
        self._call = None
        if not self.answered.done():
            self.answered.set_exception(NotAnswered(cause, reason))
            self.answered.exception()  # whoever waits hears of it; nobody else need


class _Nobody(sip.Session):
    """The session of a caller who is not there: what it is told is for nobody."""

    def __init__(self) -> None:
        self.call_id, self.context = "", None

    def ring(self, *_: object, **__: object) -> None: ...
    def reject(self, *_: object, **__: object) -> None: ...
    def hang_up(self, *_: object, **__: object) -> None: ...


class _OutwardCall(SipCall):
    """Its ``a`` is nobody until somebody answers."""

    __slots__ = ("outward",)

    def __init__(
        self, exchange: Exchange, record: Record, caller: Caller, media: MediaSession, now: float
    ) -> None:
        super().__init__(exchange, record, caller, media, now)
        self.outward: Outward
        self.a = SipLeg(self, media.leg(toward="", is_nat=False), is_a=True)
        self.a.session = _Nobody()

    def propose(self, leg: SipLeg) -> bytes:
        """Our offer for a phone."""
        return sounding.propose(self.media, leg.media, leg.codecs)

    def on_progress(self, leg: SipLeg, response: sip.Response, now: float) -> None:
        """Somebody rings."""
        leg.answer = sdp_of(response) or leg.answer
        if response.status >= 180 and not self.rung:
            self.rang(180, now)
            if self.outward.on_ringing is not None:
                self.outward.on_ringing()

    def on_answer(self, leg: SipLeg, response: sip.Response, now: float) -> None:
        """The first who answers is the caller from now on."""
        dialling = self.dialling
        assert dialling is not None
        leg.session.acknowledge(now)
        try:
            sounding.settle(self.media, leg.media, sdp_of(response) or leg.answer)
        except (RemoteProtocolError, LocalProtocolError) as error:
            self.exchange.log.info("call.bad_answer", call=self.id, error=str(error))
            leg.session.bye(now)
            dialling.lose(leg, Failure(502, "Bad Gateway", None), now)
            return
        dialling.win(leg, now)
        self.media.drop(self.a.media)
        leg.is_a = True
        self.a = leg
        self.note_callee(leg)
        self.connect_app(now)
        self.exchange.keep(self)
        # At once: whatever its phone says next, a BYE perhaps, is the program's business
        self.outward.answered.set_result(self.outward.seat(self))

    def on_app(self, to: ToApp, now: float) -> bool:
        """A program does not call programs."""
        return False

    def finish(self, cause: int, reason: str, ended_by: str, now: float) -> None:
        """Whoever waits for an answer hears why there is none."""
        super().finish(cause, reason, ended_by, now)
        self.outward.ended(cause, reason)


__all__ = ["Outward"]
