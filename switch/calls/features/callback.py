"""Whoever has left somebody behind, by a transfer or in a slot, is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.switch.calls.rules import Caller

if TYPE_CHECKING:
    from switchroom.switch.calls.features.transfer import Transfers
    from switchroom.switch.calls.leg import Leg


class CallBack:
    """The Sponsor of a call to whoever left somebody behind."""

    def __init__(self, far: Leg) -> None:
        self._far = far

    def on_progress(self, status: int, reason: str, now: float) -> None:
        """It rings; nobody has to be told."""

    def on_joined(self, now: float) -> None:
        """They talk again."""

    def keeps(self, leg: Leg, now: float) -> bool:
        """Nobody is left."""
        return False

    def on_failed(self, status: int, reason: str, now: float) -> None:
        """Nobody wants the one who waits."""
        if not self._far.call.is_over:
            self._far.call.hang_up("Nobody is left to talk to", now)


def call_back(transfers: Transfers, far: Leg, account: str, why: str, now: float) -> None:
    """Call the user who has left somebody behind; when nobody answers, that is the end."""
    user = transfers.exchange.config.users.get(account)
    if user is None:
        far.call.hang_up("Nobody is left to talk to", now)
        return
    caller = Caller(user.name, user.own_number, user=user)
    plan = transfers.plan(far, user.dialled, caller, now)
    if not plan.steps:
        far.call.hang_up("Nobody is left to talk to", now)
        return
    call = transfers.open(far, user.dialled, caller, plan, CallBack(far), "Given back", now)
    call.notes.append(why)
    call.call_for(far, plan, transfers.identity_of(far), (), now)
