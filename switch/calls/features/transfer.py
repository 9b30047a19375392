"""Transfers: REFER inside a call (RFC 3515, 3892, 4488, 5589).

The switch does what is asked itself: it calls the target for the transferee, or connects the transferee with
whoever the transferor has asked before, so that neither of them needs to know REFER. Where the configuration
says so, and the transferee's side can, the REFER is passed on instead. Only who is in the call may ask, by
the rules that hold for its own calls (THREATS C12).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls import bridge
from switchroom.switch.calls.contact import contact_for
from switchroom.switch.calls.features import onward
from switchroom.switch.calls.features.callback import call_back
from switchroom.switch.calls.features.handover import Handover
from switchroom.switch.calls.features.onward import Onward
from switchroom.switch.calls.features.refer import Asked, parse_target, warning, who
from switchroom.switch.calls.features.referral import Referral
from switchroom.switch.calls.identity import Identity
from switchroom.switch.calls.leg import EXTENSIONS, Leg
from switchroom.switch.calls.routing import Inquiry, Plan
from switchroom.switch.calls.rules import Caller

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.features.across import Across
    from switchroom.switch.calls.features.moving import Sponsor
    from switchroom.switch.calls.features.park import Lot
    from switchroom.switch.config import FeaturesConfig
    from switchroom.switch.net.bus import Bus


class Transfers:
    """Takes the REFERs of all calls."""

    def __init__(self, exchange: Exchange, config: FeaturesConfig, bus: Bus) -> None:
        self.exchange = exchange
        self.config = config
        self.handover = Handover(self, bus)
        self.lot: Lot | None = None
        self.across: Across | None = None  # to calls of other workers
        self.waiting: dict[str, list[Transfer]] = {}  # for an answer, by the id of the call that rings
        self.ready: list[Transfer] = []  # whose target has answered just now

    # -- REFER

    def on_refer(
        self, leg: Leg, transaction: sip.ServerTransaction, request: sip.Request, now: float
    ) -> None:
        """One of two in a call wants the other to talk to somebody else."""
        try:
            refusal = self._refusal(leg, transaction, request)
            target = parse_target(request) if refusal is None else None
        except RemoteProtocolError as error:
            transaction.respond(error.status, now, headers=warning(str(error)))
            return
        far = bridge.other(leg)
        if refusal is not None or target is None or far is None:
            status, text = refusal or (480, "nobody is at the other end")
            more = [("Unsupported", text)] if status == 420 else warning(text)
            transaction.respond(status, now, headers=more)
            return
        asked = Asked(leg, far, transaction, request, target)
        if self.handover.is_wanted(far) and self.handover.ask(asked, now):
            return
        if target.replaces is not None:
            self._attended(asked, target.replaces, now)
        elif self.lot is not None and self.lot.is_slot(target.number):
            self._park(asked, self.lot, now)
        else:
            self._blind(asked, now)

    def _refusal(
        self, leg: Leg, transaction: sip.ServerTransaction, request: sip.Request
    ) -> tuple[int, str] | None:
        """Why this REFER is not even looked at."""
        call, far = leg.call, bridge.other(leg)
        if "require" in request:
            unknown = [name for name in request.require if name.lower() not in EXTENSIONS]
            if unknown:
                return 420, ", ".join(unknown)
        if not self.config.transfer:
            return 603, "transfers are switched off"
        if not leg.account or not self._is_own(leg, transaction.flow):
            return 403, "only who is known and in the call may transfer it"
        if call.is_over or call.answered_at is None or far is None:
            return 480, "the call is not answered"
        if (
            far.mover is not None
            or leg.mover is not None
            or leg.offer_txn is not None
            or self._is_waiting(far)
        ):
            return 491, "something else is on its way"
        if isinstance(call, Onward) and call.count >= self.config.max_transfers:
            return 403, "the call was transferred too often"
        return None

    def _is_own(self, leg: Leg, flow: sip.Flow) -> bool:
        """Whether the request came from where the call is: a leaked tag alone transfers nothing."""
        host = flow.remote[0]
        if host == leg.session.flow.remote[0]:
            return True
        return leg.account.startswith("trunk:") and self.exchange.trunks.is_source(host)

    def _is_waiting(self, far: Leg) -> bool:
        return any(one.far is far for some in self.waiting.values() for one in some)

    def accept(self, asked: Asked, now: float) -> Referral:
        """Take a REFER: 202, and the first NOTIFY."""
        leg, _, transaction, request, _ = asked
        is_silent = (request.get("Refer-Sub") or "").strip().lower() == "false"
        referral = Referral(
            self.exchange, leg, request, now, is_first=not leg.refer_count, is_silent=is_silent
        )
        leg.refer_count += 1
        headers = [("Contact", contact_for(leg.session.flow, self.exchange.endpoint))]
        if is_silent:
            headers.append(("Refer-Sub", "false"))
        transaction.respond(202, now, headers=headers)
        referral.tell(100, "Trying", now)
        return referral

    # -- somebody new is called

    def _blind(self, asked: Asked, now: float) -> None:
        leg, far, transaction, _, target = asked
        exchange = self.exchange
        caller = self.caller_of(leg)
        if caller is None or (target.host and not exchange.is_local(target.host)):
            transaction.respond(404, now)
            return
        plan = self.plan(far, target.number, caller, now)
        refusal = None
        if not plan.is_emergency:
            refusal = exchange.admission.limit(caller, target.number, len(exchange.calls), now)
        if refusal is None and not plan.steps:
            refusal = sip.Refusal(plan.status or 404)
        if refusal is not None:
            transaction.respond(refusal.status, now, headers=refusal.headers)
            return
        referral = self.accept(asked, now)
        transfer = Transfer(self, leg, far, referral, target.number)
        call = self.open(far, target.number, caller, plan, transfer, f"Transferred to {target.number}", now)
        call.notes.append(f"transferred by {who(leg.account)}")
        domain = exchange.domain_for(leg.session.flow)
        headers = (("Referred-By", f"<sip:{sip.escape_user(caller.number)}@{domain}>"),)
        call.call_for(far, plan, self.identity_of(far), headers if caller.number else (), now)

    def caller_of(self, leg: Leg) -> Caller | None:
        """Who the leg is, as somebody who makes calls."""
        return self.caller_named(leg.account)

    def caller_named(self, account: str) -> Caller | None:
        """Who an account is, as somebody who makes calls."""
        if account.startswith("trunk:"):
            trunk = self.exchange.trunks.get(account.removeprefix("trunk:"))
            return None if trunk is None else Caller(account, "", trunk=trunk)
        user = self.exchange.config.users.get(account)
        return None if user is None else Caller(user.name, user.own_number, user=user)

    def plan(self, far: Leg, number: str, caller: Caller, now: float) -> Plan:
        """Where a number leads that one dials for another: by his own rights."""
        shown = self.identity_of(far).number
        user = self.exchange.config.users.get(far.account)
        outside = (user.caller_id if user is not None else "") or shown
        at = self.exchange.clock.posix(now)
        return self.exchange.router.plan(
            Inquiry(shown, number, caller.account, at, random.random(), shown=outside)
        )

    def identity_of(self, leg: Leg) -> Identity:
        """Who somebody in a call is, for whoever is called for him."""
        call = leg.call
        user = self.exchange.config.users.get(leg.account)
        if user is not None:
            return Identity(user.own_number, "", user.privacy)
        if leg.is_a and call.identity is not None:
            return call.identity
        return Identity(call.record.caller if leg.is_a else call.record.callee)

    def open(
        self,
        far: Leg,
        number: str,
        caller: Caller,
        plan: Plan | None,
        sponsor: Sponsor,
        reason: str,
        now: float,
    ) -> Onward:
        """A call that is to take the place of the leg's."""
        exchange = self.exchange
        shown = self.identity_of(far).number
        record = exchange.ledger.open(far.session.request, caller, number, shown, plan, now)
        return onward.begin(exchange, record, caller, sponsor, reason, now)

    # -- somebody who was called before

    def _attended(self, asked: Asked, replaces: sip.Replaces, now: float) -> None:
        leg, far, transaction, _, _ = asked
        session = self.exchange.endpoint.find_dialog(replaces.call_id, replaces.to_tag, replaces.from_tag)
        own = session.context if session is not None else None
        if (
            session is None
            and self.handover.has_others
            and self.handover.takes(far)
            # Another worker may have that call: it is asked by the INVITE of the one who is transferred
            and self.handover.ask(asked, now)
        ):
            return
        if session is None and self.across is not None and self.across.transfer(asked, replaces, now):
            return
        if isinstance(own, Leg) and own.account != leg.account:
            transaction.respond(403, now, headers=warning("the other call is not yours"))
            return
        referral = self.accept(asked, now)
        if not isinstance(own, Leg) or own.call is leg.call or own.call.is_over:
            referral.tell(481, "Call Does Not Exist", now)
            return
        transfer = Transfer(self, leg, far, referral, own.call.record.callee)
        if own.call.answered_at is None:
            self._await(transfer, own, now)
        else:
            transfer.connect(own, now)

    def _await(self, transfer: Transfer, own: Leg, now: float) -> None:
        """The target still rings (RFC 5589 §7): connect when it answers."""
        if not own.is_a:
            transfer.referral.tell(481, "It has not been answered by you", now)
            return
        transfer.own = own
        if not self.waiting:
            self.exchange.on_call_state.append(self.on_call_state)
        self.waiting.setdefault(own.call.id, []).append(transfer)
        transfer.referral.tell(180, "Ringing", now)

    def on_call_state(self, call: Call, now: float) -> None:
        """A call that somebody waits for was answered, or is over."""
        if call.id in self.waiting and (call.is_over or call.answered_at is not None):
            self.ready += self.waiting.pop(call.id)

    def handle_ready(self, now: float) -> None:
        """Connect those whose target has answered."""
        ready, self.ready = self.ready, []
        if not self.waiting:
            self.exchange.on_call_state.remove(self.on_call_state)
        for transfer in ready:
            transfer.target_settled(now)

    # -- into a slot

    def _park(self, asked: Asked, lot: Lot, now: float) -> None:
        leg, far, transaction, _, target = asked
        slot = lot.free_slot(target.number) if leg.account in self.exchange.config.users else ""
        if not slot:
            transaction.respond(486, now, headers=warning("the slot is taken"))
            return
        referral = self.accept(asked, now)
        lot.park(leg, far, slot, referral, now)


class Transfer:
    """One transfer that the switch does itself: the Sponsor of the call that comes of it."""

    def __init__(self, transfers: Transfers, leg: Leg, far: Leg, referral: Referral, number: str) -> None:
        self.transfers = transfers
        self.leg = leg  # the transferor
        self.far = far  # who is transferred
        self.referral = referral
        self.number = number
        self.own: Leg | None = None  # the transferor in the call to the target

    def connect(self, own: Leg, now: float) -> None:
        """The target has answered the transferor: it gets the transferee instead."""
        transfers, target = self.transfers, bridge.other(own)
        caller = transfers.caller_of(own)
        is_free = target is not None and target.mover is None and self.far.mover is None
        if target is None or caller is None or not is_free or self.far.call.is_over:
            self.referral.tell(481 if target is None else 491, "Not now", now)
            return
        reason = f"Transferred to {self.number}"
        call = transfers.open(self.far, self.number, caller, own.call.plan, self, reason, now)
        call.notes.append(f"transferred by {who(self.leg.account)}")
        call.record.to_user = target.account or call.record.to_user
        call.join(self.far, target, now)

    def target_settled(self, now: float) -> None:
        """The target that still rang has answered, or the call to it is over."""
        own = self.own
        assert own is not None
        if self.far.call.is_over:
            self.referral.tell(487, "The other side hung up", now)
        elif not own.call.is_over:
            self.connect(own, now)
        elif own.call.record.ended_by == "caller":
            self._call_again(now)  # some hang up as soon as they have asked
        else:
            self.on_failed(own.call.record.cause, own.call.record.reason, now)

    def _call_again(self, now: float) -> None:
        transfers = self.transfers
        caller = transfers.caller_of(self.leg)
        plan = None if caller is None else transfers.plan(self.far, self.number, caller, now)
        if caller is None or plan is None or not plan.steps or self.far.mover is not None:
            self.on_failed(480, "Nobody is there", now)
            return
        self.call(caller, plan, f"transferred by {who(self.leg.account)} before it was answered", now)

    def call(self, caller: Caller, plan: Plan, note: str, now: float) -> None:
        """Look for somebody for the transferee, by the rights of the transferor."""
        transfers = self.transfers
        call = transfers.open(self.far, self.number, caller, plan, self, f"Transferred to {self.number}", now)
        call.notes.append(note)
        call.call_for(self.far, plan, transfers.identity_of(self.far), (), now)

    # -- Sponsor

    def on_progress(self, status: int, reason: str, now: float) -> None:
        """Somebody rings."""
        self.referral.tell(status, reason, now)

    def on_joined(self, now: float) -> None:
        """They talk."""
        self.referral.tell(200, "OK", now)

    def keeps(self, leg: Leg, now: float) -> bool:
        """The transferor is told that it worked before it gets its BYE."""
        if leg.session is not self.referral.session:
            return False
        self.referral.leave(now)
        return True

    def on_failed(self, status: int, reason: str, now: float) -> None:
        """The transferor has the call back; if it has left, it is called."""
        self.referral.tell(status if 300 <= status < 700 else 480, reason, now)
        far = self.far
        if not far.call.is_over and bridge.other(far) is None:
            call_back(self.transfers, far, self.leg.account, f"the transfer to {self.number} failed", now)
