"""Transfers: REFER inside a call (RFC 3515, 3892, 4488, 5589).

The switch does what is asked itself: it calls the target for the transferee, or connects the transferee with
whoever the transferor has asked before, so that neither of them needs to know REFER. Where the configuration
says so, and the transferee's side can, the REFER is passed on instead. Only who is in the call may ask, by
the rules that hold for its own calls (THREATS C12).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.extensions import parse_replaces
from switchroom.switch.calls import bridge, identity
from switchroom.switch.calls.identity import Identity
from switchroom.switch.calls.leg import EXTENSIONS, Leg, contact_for
from switchroom.switch.calls.onward import Onward
from switchroom.switch.calls.referral import Referral
from switchroom.switch.calls.routing import Inquiry, Plan, clean_number
from switchroom.switch.calls.rules import Caller
from switchroom.switch.store import Record

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.onward import Sponsor
    from switchroom.switch.calls.park import Lot
    from switchroom.switch.config import FeaturesConfig

_HARMLESS = frozenset(
    ("subject", "user-to-user", "accept-language", "alert-info", "priority")
)  # not passed on


class Target(NamedTuple):
    """What a Refer-To asks for."""

    number: str
    host: str
    replaces: sip.Replaces | None = None


class Transfers:
    """Takes the REFERs of all calls."""

    def __init__(self, exchange: Exchange, config: FeaturesConfig) -> None:
        self.exchange = exchange
        self.config = config
        self.lot: Lot | None = None
        self.waiting: dict[str, list[Transfer]] = {}  # for an answer, by the id of the call that rings
        self.ready: list[Transfer] = []  # whose target has answered just now
        self.grants: dict[tuple[str, str, str], str] = {}  # dialog that was named to an account by REFER
        self._passed: dict[str, tuple[Leg, str]] = {}  # local tag of the transferee -> who asked, its Event

    # -- REFER

    def on_refer(
        self, leg: Leg, transaction: sip.ServerTransaction, request: sip.Request, now: float
    ) -> None:
        """One of two in a call wants the other to talk to somebody else."""
        try:
            refusal = self._refusal(leg, transaction, request)
            target = self._target(request) if refusal is None else None
        except RemoteProtocolError as error:
            transaction.respond(error.status, now, headers=_warning(str(error)))
            return
        far = bridge.other(leg)
        if refusal is not None or target is None or far is None:
            status, text = refusal or (480, "nobody is at the other end")
            more = [("Unsupported", text)] if status == 420 else _warning(text)
            transaction.respond(status, now, headers=more)
            return
        if self._is_passed_on(far):
            if self._pass(leg, far, transaction, request, target, now):
                return
        if target.replaces is not None:
            self._attended(leg, far, transaction, request, target.replaces, now)
        elif self.lot is not None and self.lot.is_slot(target.number):
            self._park(leg, far, transaction, request, target.number, now)
        else:
            self._blind(leg, far, transaction, request, target, now)

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

    def _target(self, request: sip.Request) -> Target:
        """What is asked for; RemoteProtocolError when it may not be."""
        if len(request.get_all("Refer-To")) != 1:
            raise RemoteProtocolError("one Refer-To is needed")
        refer_to = request.refer_to
        assert refer_to is not None
        uri = refer_to.uri
        if uri.scheme == "tel":
            return Target(clean_number(uri.user or ""), "")
        if not uri.is_sip or (uri.param("method") or "INVITE").upper() != "INVITE":
            raise RemoteProtocolError("only calls to sip and tel addresses can be asked for", status=403)
        replaces = None
        for pair in uri.headers.split("&") if uri.headers else ():
            name, _, value = pair.partition("=")
            name = unquote(name).lower()
            if name == "replaces" and replaces is None:
                replaces = parse_replaces(unquote(value))
            elif name == "require" and unquote(value).strip().lower() == "replaces":
                continue
            elif name not in _HARMLESS:
                raise RemoteProtocolError(f"a header in Refer-To is not allowed: {name[:40]}", status=403)
        return Target(clean_number(uri.user_unescaped or ""), uri.host.strip("[]").lower(), replaces)

    def accept(
        self, leg: Leg, transaction: sip.ServerTransaction, request: sip.Request, now: float
    ) -> Referral:
        """Take a REFER: 202, and the first NOTIFY."""
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

    def _blind(
        self,
        leg: Leg,
        far: Leg,
        transaction: sip.ServerTransaction,
        request: sip.Request,
        target: Target,
        now: float,
    ) -> None:
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
        referral = self.accept(leg, transaction, request, now)
        transfer = Transfer(self, leg, far, referral, target.number)
        call = self.open(far, target.number, caller, plan, transfer, f"Transferred to {target.number}", now)
        call.notes.append(f"transferred by {_who(leg.account)}")
        headers = (("Referred-By", f"<sip:{sip.escape_user(caller.number)}@{exchange.domain_for(leg)}>"),)
        call.call_for(far, plan, self.identity_of(far), headers if caller.number else (), now)

    def caller_of(self, leg: Leg) -> Caller | None:
        """Who the leg is, as somebody who makes calls."""
        if leg.account.startswith("trunk:"):
            trunk = self.exchange.trunks.get(leg.account.removeprefix("trunk:"))
            return None if trunk is None else Caller(leg.account, "", trunk=trunk)
        user = self.exchange.config.users.get(leg.account)
        return None if user is None else Caller(user.name, user.dialled, user=user)

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
            return Identity(user.dialled, "", user.privacy)
        if leg.is_a and call.dialling is not None:
            return call.dialling.errand.identity
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
        return begin(exchange, record, caller, sponsor, reason, now)

    # -- somebody who was called before

    def _attended(
        self,
        leg: Leg,
        far: Leg,
        transaction: sip.ServerTransaction,
        request: sip.Request,
        replaces: sip.Replaces,
        now: float,
    ) -> None:
        session = self.exchange.endpoint.find_dialog(replaces.call_id, replaces.to_tag, replaces.from_tag)
        own = session.context if session is not None else None
        if isinstance(own, Leg) and own.account != leg.account:
            transaction.respond(403, now, headers=_warning("the other call is not yours"))
            return
        referral = self.accept(leg, transaction, request, now)
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
        self.waiting.setdefault(own.call.id, []).append(transfer)
        transfer.referral.tell(180, "Ringing", now)

    def on_call_state(self, call: Call, now: float) -> None:
        """A call that somebody waits for was answered, or is over."""
        if call.id in self.waiting and (call.is_over or call.answered_at is not None):
            self.ready += self.waiting.pop(call.id)

    def handle_ready(self, now: float) -> None:
        """Connect those whose target has answered."""
        ready, self.ready = self.ready, []
        for transfer in ready:
            transfer.target_settled(now)

    # -- into a slot

    def _park(
        self,
        leg: Leg,
        far: Leg,
        transaction: sip.ServerTransaction,
        request: sip.Request,
        number: str,
        now: float,
    ) -> None:
        assert self.lot is not None
        slot = self.lot.free_slot(number) if leg.account in self.exchange.config.users else ""
        if not slot:
            transaction.respond(486, now, headers=_warning("the slot is taken"))
            return
        referral = self.accept(leg, transaction, request, now)
        self.lot.park(leg, far, slot, referral, now)

    # -- passed on to the transferee's side

    def _is_passed_on(self, far: Leg) -> bool:
        policy = self.config.refer
        if far.account.startswith("trunk:"):
            trunk = self.exchange.trunks.get(far.account.removeprefix("trunk:"))
            policy = "local" if trunk is None else trunk.config.refer
        return policy == "pass" and far.session.allows("REFER")

    def _pass(
        self,
        leg: Leg,
        far: Leg,
        transaction: sip.ServerTransaction,
        request: sip.Request,
        target: Target,
        now: float,
    ) -> bool:
        """Ask the transferee's side; False: it could not do what is asked for."""
        refer_to = self._refer_to(leg, far, target, now)
        if not refer_to:
            return False
        headers: list[tuple[str, str]] = [
            ("Refer-To", refer_to),
            ("Contact", contact_for(far.session.flow, self.exchange.endpoint)),
        ]
        caller = self.caller_of(leg)
        if caller is not None and caller.number:
            domain = self.exchange.domain_for(far)
            headers.append(("Referred-By", f"<sip:{sip.escape_user(caller.number)}@{domain}>"))
        sent = far.session.send_request("REFER", now, headers=headers)
        if sent is None:
            return False
        event = f"refer;id={request.cseq.number}" if leg.refer_count else "refer"
        leg.refer_count += 1
        self._passed = {tag: one for tag, one in self._passed.items() if not one[0].call.is_over}
        self._passed[far.session.local_tag] = (leg, event)
        sent.context = Passed(self, leg, transaction)
        leg.call.notes.append(f"{_who(leg.account)} asked the other side to call {target.number}")
        return True

    def _refer_to(self, leg: Leg, far: Leg, target: Target, now: float) -> str:
        """The Refer-To in words of the transferee's side; empty: it has none for that."""
        exchange = self.exchange
        caller = self.caller_of(leg)
        if caller is None:
            return ""
        plan = self.plan(far, target.number, caller, now)
        own: Leg | None = None
        if target.replaces is not None:
            session = exchange.endpoint.find_dialog(
                target.replaces.call_id, target.replaces.to_tag, target.replaces.from_tag
            )
            found = session.context if session is not None else None
            if not isinstance(found, Leg) or found.account != leg.account or found.call is leg.call:
                return ""
            own = found
        elif not plan.steps:
            return ""  # the transferor may not call it
        if far.account.startswith("trunk:"):
            trunk = exchange.trunks.get(far.account.removeprefix("trunk:"))
            if trunk is None:
                return ""
            uri = str(trunk.dress(self.identity_of(leg), target.number, far.session.flow, now).uri)
            if own is None:
                return f"<{uri}>"
            last = bridge.other(own)
            if last is None or last.account != far.account or own.call.answered_at is None:
                return ""
            dialog = last.session  # as its other end sees it
            replaces = sip.Replaces(dialog.call_id, dialog.remote_tag, dialog.local_tag)
            return f"<{uri.partition('?')[0]}?Replaces={quote(str(replaces), safe='')}>"
        uri = f"sip:{sip.escape_user(target.number)}@{exchange.domain_for(far)}"
        if target.replaces is None:
            return f"<{uri}>"
        self.grants[target.replaces[:3]] = far.account
        return f"<{uri}?Replaces={quote(str(target.replaces), safe='')}>"

    def on_notify(
        self, leg: Leg, transaction: sip.ServerTransaction, request: sip.Request, now: float
    ) -> None:
        """The transferee's side tells how it goes: whoever asked is told, too."""
        asked = self._passed.get(leg.session.local_tag)
        try:
            event = request.event
            state = request.subscription_state
        except RemoteProtocolError as error:
            transaction.respond(error.status, now)
            return
        if asked is None or event is None or event.package != "refer" or state is None:
            transaction.respond(481 if event is not None else 489, now)
            return
        asker, event_text = asked
        headers = [
            ("Event", event_text),
            ("Subscription-State", request.get("Subscription-State") or "active"),
            ("Contact", contact_for(asker.session.flow, self.exchange.endpoint)),
        ]
        kind = request.get("Content-Type")
        if kind:
            headers.append(("Content-Type", kind))
        sent = asker.session.send_request("NOTIFY", now, body=request.body, headers=headers)
        transaction.respond(200, now)
        if sent is not None:
            sent.context = None
        if state.state == "terminated":
            del self._passed[leg.session.local_tag]

    def forget(self, leg: Leg) -> None:
        """The other side does not do it."""
        self._passed = {tag: one for tag, one in self._passed.items() if one[0] is not leg}


class Passed:
    """A REFER that went on to the transferee's side: its answer goes back."""

    def __init__(self, transfers: Transfers, leg: Leg, transaction: sip.ServerTransaction) -> None:
        self._transfers, self._leg, self._transaction = transfers, leg, transaction

    def on_response(self, status: int, now: float) -> None:
        """Accepted, or not."""
        if status >= 300:
            self._transfers.forget(self._leg)
        headers = [("Contact", contact_for(self._leg.session.flow, self._transfers.exchange.endpoint))]
        self._transaction.respond(status, now, headers=headers if status < 300 else ())


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
        call.notes.append(f"transferred by {_who(self.leg.account)}")
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
        call = transfers.open(self.far, self.number, caller, plan, self, f"Transferred to {self.number}", now)
        call.notes.append(f"transferred by {_who(self.leg.account)} before it was answered")
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
    caller = Caller(user.name, user.dialled, user=user)
    plan = transfers.plan(far, user.dialled, caller, now)
    if not plan.steps:
        far.call.hang_up("Nobody is left to talk to", now)
        return
    call = transfers.open(far, user.dialled, caller, plan, CallBack(far), "Given back", now)
    call.notes.append(why)
    call.call_for(far, plan, transfers.identity_of(far), (), now)


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


def _who(account: str) -> str:
    kind, _, name = account.partition(":")
    return f"trunk {name}" if name else f"user {kind}"


def _warning(text: str) -> list[tuple[str, str]]:
    """Why, for people to read (RFC 3261 §20.43)."""
    return [("Warning", f'399 switchroom "{identity.plain(text)}"')]
