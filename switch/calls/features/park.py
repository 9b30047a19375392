"""Parked calls: somebody waits in a slot until somebody dials it; after a while the parker is called back.

The one who is parked stays in his call, alone, and hears the music on hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.switch.calls.features import onward
from switchroom.switch.calls.features.callback import call_back
from switchroom.switch.calls.leg import Leg

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.features.elsewhere import Elsewhere
    from switchroom.switch.calls.features.referral import Referral
    from switchroom.switch.calls.features.transfer import Transfers
    from switchroom.switch.calls.rules import Caller
    from switchroom.switch.config import FeaturesConfig


class Parked:
    """Whoever waits in a slot: the Mover of the leg, and the Sponsor of the call that takes it."""

    def __init__(self, lot: Lot, leg: Leg, slot: str, parker: str, until: float) -> None:
        self.leg, self.slot, self.parker, self.until = leg, slot, parker, until
        self._lot = lot

    # -- Mover

    def on_reinvite_answered(self, leg: Leg, response: sip.Response, now: float) -> None:
        """Nothing was asked of it."""
        leg.session.acknowledge(now)

    def on_reinvite_rejected(self, leg: Leg, response: sip.Response | None, status: int, now: float) -> None:
        """Nothing was asked of it."""

    def takes(self, leg: Leg) -> bool:
        """It waits alone."""
        return True

    def lost(self, leg: Leg, now: float) -> None:
        """It does not wait any more."""
        self._lot.free(self, now)

    # -- Sponsor

    def on_progress(self, status: int, reason: str, now: float) -> None:
        """Nobody rings."""

    def on_joined(self, now: float) -> None:
        """Somebody has taken it."""
        self._lot.free(self, now)

    def keeps(self, leg: Leg, now: float) -> bool:
        """The parker has gone already, or goes now."""
        return False

    def on_failed(self, status: int, reason: str, now: float) -> None:
        """It waits on."""
        if self.leg.call.is_over:
            self._lot.free(self, now)
        else:
            self.leg.mover = self


class Lot:
    """The slots."""

    def __init__(
        self,
        exchange: Exchange,
        transfers: Transfers,
        config: FeaturesConfig,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """``elsewhere``: the slots of other workers."""
        self.config = config
        self._elsewhere = elsewhere
        self.parked: dict[str, Parked] = {}
        self._exchange, self._transfers = exchange, transfers

    def is_slot(self, number: str) -> bool:
        """Whether the number means a slot, or any that is free."""
        return bool(self.config.slots) and (number == self.config.park or number in self.config.slots)

    def free_slot(self, number: str) -> str:
        """The slot that a call to be parked there gets; empty: it is taken."""
        if number != self.config.park:
            return "" if self._is_taken(number) else number
        return next((slot for slot in self.config.slots if not self._is_taken(slot)), "")

    def _is_taken(self, slot: str) -> bool:
        return slot in self.parked or (self._elsewhere is not None and slot in self._elsewhere.parked)

    def park(self, leg: Leg, far: Leg, slot: str, referral: Referral, now: float) -> None:
        """Put the far leg into a slot; the one who asked leaves."""
        call = far.call
        parked = Parked(self, far, slot, leg.account, now + self.config.park_timeout)
        self._put(slot, parked)
        far.mover = parked
        call.notes.append(f"parked in {slot} by user {leg.account}")
        call.media.drop(leg.media)
        referral.tell(200, "OK", now, words=f"Parked in {slot}")
        referral.leave(now)
        self._exchange.media.music.entertain(call.media, far.media)
        self._exchange.log.info("call.parked", call=call.id, slot=slot, by=leg.account)

    def take(self, event: sip.RequestReceived, caller: Caller, slot: str, now: float) -> sip.Refusal | None:
        """Connect whoever waits in a slot with the one who dialled it; a refusal when nobody waits."""
        parked = self.parked.get(slot)
        if parked is None:
            return sip.Refusal(404, (("Warning", f'399 switchroom "nobody is parked in {slot}"'),))
        if parked.leg.mover is not parked:
            return sip.Refusal(486)  # somebody else is about to take it
        exchange = self._exchange
        shown = caller.number
        record = exchange.ledger.open(event.request, caller, slot, shown, None, now)
        record.to_user = parked.leg.account
        call = onward.begin(exchange, record, caller, parked, f"Taken from {slot}", now)
        call.notes.append(f"taken from {slot} by {caller.account}")
        call.take(event, parked.leg, now)
        return None

    def free(self, parked: Parked, now: float) -> None:
        """The slot is empty again."""
        if self.parked.get(parked.slot) is parked:
            self._put(parked.slot, None)

    def _put(self, slot: str, parked: Parked | None) -> None:
        if parked is None:
            del self.parked[slot]
        else:
            self.parked[slot] = parked
        if self._elsewhere is not None:
            self._elsewhere.tell_parked(slot, is_taken=parked is not None)

    # -- the clock

    def next_timer(self) -> float | None:
        """When somebody has waited for long enough."""
        return min([one.until for one in self.parked.values()]) if self.parked else None

    def handle_timer(self, now: float) -> None:
        """Call those back who have parked somebody and forgotten it."""
        for parked in [one for one in self.parked.values() if one.until <= now]:
            if parked.leg.mover is not parked:
                parked.until = now + 5.0  # somebody is about to take it
                continue
            self.free(parked, now)
            parked.leg.mover = None
            call_back(self._transfers, parked.leg, parked.parker, f"nobody took it from {parked.slot}", now)
