"""A program's caller passed on to somebody: from then on a call as any other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from switchroom.switch.calls.features import onward
from switchroom.switch.calls.identity import Identity
from switchroom.switch.store import Record

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call as SipCall
    from switchroom.switch.calls.leg import Leg as SipLeg
    from switchroom.switch.calls.routing import Plan

    from .house import House


class Passing:
    """The Sponsor: hears what becomes of it."""

    def __init__(self) -> None:
        self.failed: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def on_progress(self, status: int, reason: str, now: float) -> None:
        """Somebody rings."""

    def on_joined(self, now: float) -> None:
        """The new call is up; the program's is about to end."""

    def keeps(self, leg: SipLeg, now: float) -> bool:
        """Whoever else was in the program's call hears BYE."""
        return False

    def on_failed(self, status: int, reason: str, now: float) -> None:
        """The caller is the program's still."""
        if not self.failed.done():
            self.failed.set_result((status, reason))


def pass_on(house: House, call: SipCall, leg: SipLeg, plan: Plan, passing: Passing) -> None:
    """Look for somebody who takes the place of the program."""
    exchange, now = house.exchange, house.now
    before = call.record
    record = Record(
        call_id_a=before.call_id_a,
        caller=before.caller,
        callee=plan.inquiry.called,
        from_user=before.from_user,
        setup_at=exchange.clock.posix(now),
    )
    exchange.ledger.started += 1
    following = onward.begin(exchange, record, call.caller, passing, "Passed on by an application", now)
    identity = call.identity or Identity(before.caller, "")
    following.call_for(leg, plan, identity, (), now)
    house.flush()
