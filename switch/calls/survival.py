"""Calls that outlive their process: what is kept of an answered call, and how the next one goes on with it.

The record that says that a call is up carries what its dialogs and its media need. After a crash the media
ports are bound and linked again before anything else; then both ends are asked whether they still know of
the call, for whoever hung up meanwhile may have found nobody to tell.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from switchroom.protocols import sip
from switchroom.protocols.sip.survivor import SessionState, export_session
from switchroom.switch.calls.call import Call
from switchroom.switch.calls.leg import Leg
from switchroom.switch.calls.protection import codecs_of, policy_of
from switchroom.switch.calls.rules import Caller
from switchroom.switch.media import MediaLeg, MediaSession, NoPortsLeft, export_media, restore_media

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.store import Record

VERSION = 1
FIRST_LOOK = (1.0, 15.0)  # seconds after the start: not all ends are asked at once
DOUBT = 50.0  # seconds; whoever has been asked and has not said no by then is there

CallState = Sequence[Any]  # as JSON has it: lists for tuples, texts for octets


def export_call(call: Call) -> CallState | None:
    """What to keep of an answered call, without a copy of anything; None: nobody could be told of its end.

    Without the state of its media it cannot go on: it is a program's, or encrypted.
    """
    a, b = call.a, call.b
    one = None if a.owes_answer else _export_leg(a, call.account)
    if one is None:
        return None
    if b is None:
        return VERSION, None, one, None
    two = None if b.owes_answer else _export_leg(b, b.account)
    media = None if two is None else export_media(call.media, a.media, b.media)
    return VERSION, media, one, two


def _export_leg(leg: Leg, account: str) -> tuple[str, str, SessionState] | None:
    session = export_session(leg.session)
    return None if session is None else (account, "" if leg.trunk is None else leg.trunk.name, session)


class Survival:
    """Goes on with the calls of an earlier process, and knows which of its phones have no connection yet."""

    def __init__(self, exchange: Exchange, chance: Callable[[float, float], float] = random.uniform) -> None:
        self._exchange = exchange
        self._chance = chance
        self._lonely: dict[str, list[sip.Session]] = {}  # by user: their connection died with the process
        self.count = 0  # calls that were taken up
        self.lost_count = 0  # calls whose ports were gone

    def restore(self, record: Record, state: CallState, died_at: float, now: float) -> bool:
        """Go on with a call; ``died_at``, in the clock of ``now``: when it was last known to be up.

        False: what was kept is not understood. A call whose ports are gone, or that was a program's, is ended
        with BYE to all.
        """
        exchange = self._exchange
        if state[0] != VERSION or record.answer_at is None or exchange.calls.get(record.id) is not None:
            return False
        _, media_state, a_state, b_state = state
        media = exchange.media.session(record.id)
        has_media = media_state is not None and self._take_up(media, media_state, record)
        while len(media.legs) < 2:
            media.leg(toward="", is_nat=False)
        call = Call(exchange, record, self._caller(a_state[0]), media, now)
        call.setup_at = exchange.clock.monotonic_at(record.setup_at)
        call.answered_at = exchange.clock.monotonic_at(record.answer_at)
        call.has_survived = True
        call.doubted_since, call.doubted_until = min(died_at, now), now + DOUBT
        call.a = self._leg(call, a_state, media.legs[0], now, is_a=True)
        if b_state is not None:
            call.b = self._leg(call, b_state, media.legs[1], now, is_a=False)
        media.context = call
        exchange.calls[call.id] = call
        exchange.admission.caps.take(call.account)
        if not has_media:
            call.hang_up("crash", now, cause=500)
            return True
        self.count += 1
        call.probe_at = now + self._chance(*FIRST_LOOK)
        exchange.keep(call)  # with the numbers from which it goes on
        exchange.watch(call, now)
        return True

    def _take_up(self, media: MediaSession, state: Any, record: Record) -> bool:
        """Its ports again; False: somebody else has them now, or its keys were sealed with another key."""
        try:
            restore_media(media, state)
        except (NoPortsLeft, ValueError) as error:
            self.lost_count += 1
            self._exchange.log.warning("call.media_lost", call=record.id, error=str(error))
            return False
        return True

    def tell(self, now: float) -> None:
        """Whoever shows calls learns of those that go on."""
        for call in list(self._exchange.calls.values()):
            self._exchange.tell(call, now)

    def on_registered(self, user: str, now: float) -> None:
        """A user's phone is there again: what its connection was good for goes over the new one."""
        waiting = self._lonely.pop(user, None)
        if waiting is None:
            return
        flows = [binding.flow for binding in self._exchange.registrar.lookup(user, now)]
        left = []
        for session in waiting:
            old = session.flow
            if session.state is not sip.State.CONFIRMED or old.connection:
                continue  # over, or the phone has spoken by itself
            for flow in flows:
                if flow.connection and flow.transport == old.transport and flow.remote[0] == old.remote[0]:
                    session.flow = flow
                    break
            else:
                left.append(session)
        if left:
            self._lonely[user] = left

    def _caller(self, account: str) -> Caller:
        user = self._exchange.config.users.get(account)
        if user is not None:
            return Caller(account, user.number or user.name, user=user)
        return Caller(account, "", trunk=self._exchange.trunks.get(account.removeprefix("trunk:")))

    def _leg(
        self, call: Call, state: tuple[str, str, SessionState], media: MediaLeg, now: float, *, is_a: bool
    ) -> Leg:
        exchange = self._exchange
        account, trunk_name, session = state
        leg = Leg(call, media, is_a=is_a, account=account)
        trunk = exchange.trunks.get(trunk_name) if trunk_name else None
        leg.session = exchange.endpoint.restore(
            session, now, timing=exchange.timing_for(trunk), refresh_in=self._chance(*FIRST_LOOK)
        )
        leg.session.context = leg
        config = exchange.config.users.get(account) if trunk is None else trunk.config
        leg.codecs = codecs_of(config)
        media.security.policy = policy_of(config, leg.session.flow.transport)
        if trunk is not None:
            trunk.take()
            leg.trunk = trunk
            leg.session.authorizer = trunk.authorizer()
        elif leg.session.flow.is_reliable:
            self._lonely.setdefault(account, []).append(leg.session)
        if exchange.link is not None:
            exchange.link(leg.session.call_id, call.id)
        return leg
