"""An INVITE that takes the place of a dialog (RFC 3891), also of one that a lamp has shown (RFC 4235)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls import bridge
from switchroom.switch.calls.features import onward, pickup
from switchroom.switch.calls.leg import Leg

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchroom.switch.calls.call import Call
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.features.transfer import Transfers
    from switchroom.switch.calls.rules import Caller

    Find = Callable[[str, str, str], tuple[Call, str] | None]

_NOT_FOUND = sip.Refusal(481)


class Replacing:
    """The Sponsor of a call in which somebody has taken another's place: that one gets its BYE."""

    def on_progress(self, status: int, reason: str, now: float) -> None:
        """Nobody rings."""

    def on_joined(self, now: float) -> None:
        """The INVITE is about to be answered."""

    def keeps(self, leg: Leg, now: float) -> bool:
        """Who was replaced is hung up (RFC 3891 §3)."""
        return False

    def on_failed(self, status: int, reason: str, now: float) -> None:
        """The INVITE was refused, and all is as it was."""


class Replacements:
    """Takes the INVITEs with Replaces."""

    def __init__(self, exchange: Exchange, transfers: Transfers, find: Find) -> None:
        """``find`` knows the call and the user behind what lamps are shown."""
        self._exchange, self._transfers, self._find = exchange, transfers, find

    def on_replaces(self, event: sip.RequestReceived, caller: Caller, now: float) -> bool:
        """Always taken: connected, or refused."""
        refusal = self._try(event, caller, now)
        if refusal is not None:
            self._exchange.refuse(event, caller, refusal, now)
        return True

    def _try(self, event: sip.RequestReceived, caller: Caller, now: float) -> sip.Refusal | None:
        exchange, request = self._exchange, event.request
        if len(request.get_all("Replaces")) != 1:
            return sip.Refusal(400)  # §3: one dialog can be replaced
        try:
            wanted = request.replaces
        except RemoteProtocolError as error:
            return sip.Refusal(error.status)
        assert wanted is not None
        session = exchange.endpoint.find_dialog(wanted.call_id, wanted.to_tag, wanted.from_tag)
        leg = session.context if session is not None else None
        if session is not None and not isinstance(leg, Leg):
            return sip.Refusal(603)  # §3: it is over, or as good as
        if not isinstance(leg, Leg):
            leg = self._shown(wanted)
        if leg is None or leg.call.is_over:
            return _NOT_FOUND
        if not self._is_allowed(caller, leg, wanted, now):
            return sip.Refusal(403)
        if leg.call.answered_at is None:
            if leg.is_a or leg.is_failed:
                return _NOT_FOUND  # §3: only an early dialog that we have begun can be replaced
            return pickup.pick_up(leg, event, caller, now)
        if wanted.is_early_only:
            return sip.Refusal(486)
        return self._take(event, caller, leg, now)

    def _shown(self, wanted: sip.Replaces) -> Leg | None:
        found = self._find(wanted.call_id, wanted.to_tag, wanted.from_tag)
        if found is None:
            return None
        call, account = found
        legs = [leg for leg in (*call.forks, call.a) if leg.account == account and not leg.is_failed]
        return legs[0] if legs else None

    def _is_allowed(self, caller: Caller, leg: Leg, wanted: sip.Replaces, now: float) -> bool:
        if self._transfers.handover.take_grant(wanted[:3], caller.account, leg.account, now):
            return True
        return pickup.is_allowed(self._exchange, caller, leg.account)

    def _take(self, event: sip.RequestReceived, caller: Caller, leg: Leg, now: float) -> sip.Refusal | None:
        exchange, far = self._exchange, bridge.other(leg)
        if far is None:
            return _NOT_FOUND
        if far.mover is not None or leg.mover is not None:
            return sip.Refusal(491)
        request = event.request
        number = leg.call.record.callee if leg.is_a else leg.call.record.caller
        record = exchange.ledger.open(request, caller, number, caller.number or number, None, now)
        record.to_user = far.account
        call = onward.begin(exchange, record, caller, Replacing(), f"Replaced by {caller.account}", now)
        call.notes.append(f"in place of {leg.account or 'another'}")
        call.take(event, far, now)
        return None
