"""Attended transfer to a call of another worker: the transferee gets there by a leg that both workers have.

The worker of the REFER calls the one that has the named dialog, over the bus, with Replaces (RFC 3891) and
the account of the transferor, who has proven in his own dialog who he is. There the new leg takes his place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.switch.calls.features.transfer import Transfer
from switchroom.switch.calls.routing import Inquiry, Leap, Plan, Step, ToWorker

if TYPE_CHECKING:
    from switchroom.switch.calls.features.elsewhere import Elsewhere
    from switchroom.switch.calls.features.refer import Asked
    from switchroom.switch.calls.features.transfer import Transfers

ACCOUNT = "Switchroom-Account"  # header of an INVITE between workers: whose dialog it is that is named
_GONE = 481


class Across:
    """Sends transferees to calls of other workers, and takes those that they send."""

    def __init__(self, transfers: Transfers, elsewhere: Elsewhere) -> None:
        self._transfers, self._elsewhere = transfers, elsewhere

    def transfer(self, asked: Asked, replaces: sip.Replaces, now: float) -> bool:
        """Connect the transferee with whoever the transferor has asked before; False: no worker has it."""
        transfers, leg, far, number = self._transfers, asked.leg, asked.far, asked.target.number
        slot = self._elsewhere.slot_of(replaces.to_tag)
        caller = transfers.caller_of(leg)
        if slot is None or caller is None:
            return False
        shown = transfers.identity_of(far).number
        headers = (("Replaces", str(replaces)), (ACCOUNT, leg.account))
        steps = (Step((Leap(ToWorker(slot), number, shown, headers=headers),)),)
        transfer = Elsewhither(transfers, leg, far, transfers.accept(asked, now), number)
        plan = Plan(Inquiry(shown, number, caller.account), steps)
        transfer.call(caller, plan, f"transferred by {leg.account} to a call of worker {slot}", now)
        return True

    def take(self, event: sip.RequestReceived, now: float) -> None:
        """An INVITE of another worker: its leg takes the place of the account's."""
        exchange = self._transfers.exchange
        caller = self._transfers.caller_named(event.request.get(ACCOUNT) or "")
        if caller is None or exchange.on_replaces is None or "replaces" not in event.request:
            exchange.endpoint.reply(event, 403, now=now)
        else:
            exchange.on_replaces(event, caller, now)


class Elsewhither(Transfer):
    """A transfer to another worker's call. One that still rings there, or is over, is called anew."""

    _is_anew = False

    def on_failed(self, status: int, reason: str, now: float) -> None:
        """The other worker has no such call that is answered, or the target does not want it."""
        if status == _GONE and not self._is_anew and not self.far.call.is_over:
            self._is_anew = True
            self._call_again(now)
        else:
            super().on_failed(status, reason, now)
