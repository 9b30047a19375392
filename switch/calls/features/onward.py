"""A call that takes the place of others: a transfer, a pickup from a slot, an INVITE with Replaces.

Its legs are, or begin as, shadows: a shadow has the session of a leg that still is in another call. That call
goes on undisturbed until it is sure that the new one comes about; then the shadows take their sessions over,
the old calls end, each with its record, and the new one's record begins. Media is agreed anew by re-INVITE:
whoever is called, or called back, hears the other's description as it stood; then the other gets the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.wheel import NEVER
from switchroom.switch.calls import keys
from switchroom.switch.calls.call import Call
from switchroom.switch.calls.features.moving import Sponsor, fitted, keys_of, settle
from switchroom.switch.calls.features.restoration import Restoration
from switchroom.switch.calls.hunting.attempt import Failure
from switchroom.switch.calls.hunting.dialling import Errand
from switchroom.switch.calls.leg import Leg, offered, sdp_headers, sdp_of
from switchroom.switch.media import NoPortsLeft

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.identity import Identity
    from switchroom.switch.calls.routing import Plan, ToApp
    from switchroom.switch.calls.rules import Caller
    from switchroom.switch.media import MediaSession
    from switchroom.switch.store import Record

Headers = tuple[tuple[str, str], ...]

MAX_RETRIES = 4  # of a re-INVITE that met another
_TERMINATED = sip.State.TERMINATED


class Onward(Call):
    """``take``, ``dial`` or ``join``; until it ``is_joined`` its shadows own nothing."""

    __slots__ = (
        "_again_at",
        "_is_asking",
        "_moving",
        "_renewed",
        "_told",
        "_tries",
        "count",
        "is_joined",
        "reason",
        "sponsor",
    )

    def __init__(
        self,
        exchange: Exchange,
        record: Record,
        caller: Caller,
        media: MediaSession,
        now: float,
        sponsor: Sponsor,
        reason: str,
    ) -> None:
        super().__init__(exchange, record, caller, media, now)
        self.sponsor = sponsor
        self.reason = reason  # why the calls before it end
        self.is_joined = False
        self.count = 0  # calls that this one follows, one after the other
        self._moving: list[tuple[Leg, Leg]] = []  # leg of another call, its shadow here
        self._renewed: Leg | None = None  # is being told the new media
        self._told = b""  # what the other one was told before that
        self._again_at = NEVER
        self._tries = 0
        self._is_asking = False  # a re-INVITE is on its way to a leg elsewhere

    # -- how it begins

    def shadow(self, original: Leg, *, is_a: bool) -> Leg:
        """A leg here with the session of one elsewhere."""
        leg = Leg(self, self.media.adopt(original.media), is_a=is_a, account=original.account)
        leg.session, leg.codecs, leg.refer_count = original.session, original.codecs, original.refer_count
        original.mover = self
        self._moving.append((original, leg))
        before = original.call
        self.count = max(self.count, before.count + 1 if isinstance(before, Onward) else 1)
        return leg

    def call_for(self, original: Leg, plan: Plan, identity: Identity, headers: Headers, now: float) -> None:
        """Look for somebody who takes the place of the leg's other end."""
        self.a = self.shadow(original, is_a=True)
        if not original.media.described:
            self._give_up(488, "Its media is not known", "switch", now)
            return
        self.plan = plan
        self.has_offer = True
        errand = Errand(
            identity,
            self.a,
            original.media.described,
            headers=headers,
            is_emergency=plan.is_emergency,
            has_boxes=False,
        )
        self.dial(plan, errand, now)

    def join(self, one: Leg, two: Leg, now: float) -> None:
        """Connect two legs that are up, each in a call of its own."""
        self.a = self.shadow(one, is_a=True)
        self._ask(two, one.media.described, now)

    def take(self, event: sip.RequestReceived, original: Leg, now: float) -> None:
        """Connect a leg that is up with somebody who calls for it."""
        self._ask(original, self.take_caller(event, now), now)

    def _ask(self, original: Leg, offer: bytes, now: float) -> None:
        """Send a leg that is up the offer of its new other end; none: it shall make one."""
        leg = self.shadow(original, is_a=False)
        try:
            body = offered(self.media, self.a, leg, fitted(leg, offer)) if offer else b""
        except (RemoteProtocolError, NoPortsLeft) as error:
            status = error.status if isinstance(error, RemoteProtocolError) else 503
            self._give_up(status, str(error), "switch", now)
            return
        self._send(original, body, now)

    def _send(self, leg: Leg, body: bytes, now: float) -> None:
        self._again_at = NEVER
        self._is_asking = leg.call is not self
        leg.session.reinvite(now, body=body, headers=sdp_headers(body))

    # -- what the legs elsewhere tell

    def on_reinvite_answered(self, leg: Leg, response: sip.Response, now: float) -> None:
        """A leg that is to be taken agrees; or one of ours has heard of the new media."""
        if leg.call is self:
            self._on_renewed(leg, sdp_of(response), now)
            return
        shadow = next(ours for original, ours in self._moving if original is leg)
        self._is_asking = False
        answer = sdp_of(response)
        is_asked = not self._is_moved(self.a)  # by somebody's INVITE
        try:
            if is_asked and not self.has_offer:
                body = offered(self.media, shadow, self.a, answer) if answer else b""
            else:
                body = self.media.answer(shadow.media, self.a.media, answer) if answer else b""
        except (RemoteProtocolError, NoPortsLeft) as error:
            self.exchange.log.info("call.bad_answer", call=self.id, error=str(error))
            body = b""
        shadow.owes_answer = bool(body) and is_asked and not self.has_offer
        if not shadow.owes_answer:
            leg.session.acknowledge(now)
        if not body:
            self._give_up(488, "No usable SDP", "switch", now, is_changed=True)
            return
        self._join(shadow, now)
        if is_asked:
            self.a.session.answer(now, body=body, headers=sdp_headers(body))
        else:
            self._renew(self.a, answer, now)

    def on_reinvite_rejected(self, leg: Leg, response: sip.Response | None, status: int, now: float) -> None:
        """It met another one: again after a while (RFC 3261 §14.1). Else nothing comes of it."""
        self._is_asking = False
        if status == 491 and self._tries < MAX_RETRIES:
            self._tries += 1
            self._again_at = now + leg.session.glare_delay()
            self.exchange.watch(self, now)
        elif leg.call is self:
            self.hang_up("The other side does not take the new media", now, cause=status)
        else:
            self._give_up(status, sip.REASONS.get(status) or "Refused", "callee", now)

    def takes(self, leg: Leg) -> bool:
        """Whether a leg is still to come from another call."""
        return leg.call is not self

    def lost(self, leg: Leg, now: float) -> None:
        """A leg that was to be taken has hung up."""
        if not self.is_over and not self.is_joined:
            self._give_up(487 if self._is_moved(self.a) else 480, "The other side hung up", "caller", now)

    # -- what the dialling tells

    def on_progress(self, leg: Leg, response: sip.Response, now: float) -> None:
        """Somebody rings: whoever wanted the call is told, the one who waits for it hears nothing yet."""
        if self.is_joined:
            return
        leg.answer = leg.answer or sdp_of(response)
        self.rang(response.status, now)
        self.sponsor.on_progress(response.status, response.reason, now)

    def on_dropped(self, leg: Leg, now: float) -> None:
        """One of several is gone."""
        self.exchange.tell(self, now)

    def on_answer(self, leg: Leg, response: sip.Response, now: float) -> None:
        """The first who answers is connected."""
        dialling = self.dialling
        assert dialling is not None
        answer = sdp_of(response) or leg.answer
        leg.session.acknowledge(now)
        try:
            self.media.answer(leg.media, self.a.media, answer)
        except RemoteProtocolError as error:
            self.exchange.log.info("call.bad_answer", call=self.id, error=str(error))
            leg.session.bye(now)
            dialling.lose(leg, Failure(502, "Bad Gateway", None), now)
            return
        dialling.win(leg, now)
        self._join(leg, now)
        self._renew(self.a, answer, now)

    def on_app(self, to: ToApp, now: float) -> bool:
        """Nobody is passed on to an application: it would have to take two dialogs over."""
        return False

    def on_failed(self, failure: Failure, now: float) -> None:
        """Nobody is left who could answer."""
        if not self.is_over:
            self._give_up(failure.status, failure.reason, "callee", now)

    # -- joined

    def _join(self, b: Leg, now: float) -> None:
        """Take the legs over; the calls that they were in are over."""
        self.is_joined = True
        calls: list[Call] = []
        for original, shadow in self._moving:
            original.mover = None
            shadow.trunk, original.trunk = original.trunk, None
            settle(original, now)
            if original.call not in calls:
                calls.append(original.call)
        left = [leg for call in calls for leg in (call.a, call.b) if leg is not None and self._is_left(leg)]
        self.sponsor.on_joined(now)
        for call in calls:
            call.notes.append(f"its legs go on in call {self.id}")
            call.finish(200, self.reason, "switch", now)
        for _, shadow in self._moving:
            shadow.session.context = shadow
            if self.exchange.link is not None:
                self.exchange.link(shadow.session.call_id, self.id)
        for leg in left:
            if not self.sponsor.keeps(leg, now):
                leg.session.hang_up(now, headers=_REPLACED)
        self._moving = []
        self._charge(b)
        self._connect(b, now)

    def _is_left(self, leg: Leg) -> bool:
        return all(leg is not original for original, _ in self._moving)

    def _is_moved(self, leg: Leg) -> bool:
        return any(leg is shadow for _, shadow in self._moving)

    def _charge(self, b: Leg) -> None:
        """A call inside counts against whoever is in it, not against whoever has left."""
        owner = self.a.account
        if b.trunk is None and b.account and owner and owner != self.account:
            self.exchange.caps.give_back(self.account)
            self.exchange.caps.take(owner)
            self.account = owner

    def _renew(self, leg: Leg, offer: bytes, now: float) -> None:
        """Tell a leg the media of its new other end."""
        far = self.b if leg is self.a else self.a
        if far is None or self.is_over or leg.session.state is _TERMINATED:
            return
        self._told = far.media.sent
        try:
            body = offered(self.media, far, leg, fitted(leg, offer))
        except (RemoteProtocolError, NoPortsLeft) as error:
            self.hang_up(f"No media: {error}", now, cause=488)
            return
        self._renewed = leg
        leg.mover = self
        self._send(leg, body, now)

    def _on_renewed(self, leg: Leg, answer: bytes, now: float) -> None:
        far = self.b if leg is self.a else self.a
        leg.session.acknowledge(now)
        leg.mover = self._renewed = None
        self._tries = 0
        if self.is_over or far is None:
            return
        try:
            body = self.media.answer(leg.media, far.media, answer) if answer else b""
        except RemoteProtocolError as error:
            self.exchange.log.info("call.bad_answer", call=self.id, error=str(error))
            body = b""
        if not body:
            self.hang_up("No usable SDP", now, cause=488)
        elif leg is self.a and keys_of(body) != keys_of(self._told):
            self._renew(far, answer, now)  # its keys are not those that the other one knows
        else:
            keys.attend(self)

    # -- not joined

    def _give_up(
        self, status: int, reason: str, ended_by: str, now: float, *, is_changed: bool = False
    ) -> None:
        """Nothing comes of it: everybody keeps what he had."""
        if self.is_over:
            return
        dialling = self.dialling
        if dialling is not None and not dialling.is_over:
            dialling.give_up(now)
        if not self._is_moved(self.a):
            self.a.session.hang_up(now, status=status if 400 <= status < 700 else 480)
        moving = self._moving
        self.finish(status, reason, ended_by, now)
        for original, shadow in moving:
            if shadow.media.host:
                original.media.opening, original.media.sent = shadow.media.opening, shadow.media.sent
            if not shadow.is_a and (is_changed or self._is_asking) and not original.call.is_over:
                Restoration(original, is_awaited=self._is_asking).begin(now)
        self.sponsor.on_failed(status, reason, now)

    def hang_up(self, reason: str, now: float, *, status: int = 480, cause: int | None = None) -> None:
        """The switch ends the call, or gives up to make it."""
        if self.is_joined or self.is_over:
            super().hang_up(reason, now, status=status, cause=cause)
        else:
            self._give_up(cause or status, reason, "switch", now)

    def on_cancelled(self, request: sip.Request | None, now: float) -> None:
        """Whoever called for the leg gave up."""
        if not self.is_over:
            self._give_up(487, "Request Terminated", "caller", now)

    def finish(self, cause: int, reason: str, ended_by: str, now: float) -> None:
        """Close the record; the sessions of shadows stay with their calls."""
        kept = []
        for original, shadow in self._moving:
            if original.mover is self:
                original.mover = None
            kept.append((shadow.session, shadow.session.context))
        self._moving = []
        super().finish(cause, reason, ended_by, now)
        for session, context in kept:
            session.context = context

    # -- the clock

    def next_check(self) -> float:
        """When this call must be looked at again."""
        return min(super().next_check(), self._again_at)

    def check(self, now: float) -> None:
        """A re-INVITE is to be sent again, or what every call waits for."""
        if not self.is_over and self._again_at <= now:
            leg = self._renewed
            if leg is None:
                leg = next((original for original, shadow in self._moving if not shadow.is_a), None)
            if leg is not None:
                shadow = next((ours for original, ours in self._moving if original is leg), leg)
                self._send(leg, shadow.media.sent if self._renewed or self._has_sdp() else b"", now)
        super().check(now)

    def _has_sdp(self) -> bool:
        return self._is_moved(self.a) or self.has_offer


_REPLACED = (("Reason", 'SIP;cause=200;text="Call completed elsewhere"'),)


def begin(
    exchange: Exchange, record: Record, caller: Caller, sponsor: Sponsor, reason: str, now: float
) -> Onward:
    """Enter a call that follows others into the exchange."""
    exchange.admission.caps.take(caller.account)
    exchange.admission.setups += 1
    media = exchange.media.session(record.id)
    call = Onward(exchange, record, caller, media, now, sponsor, reason)
    media.context = call
    exchange.calls[call.id] = call
    exchange.watch(call, now)
    return call
