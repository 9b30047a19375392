"""A transfer that the transferee's side is asked to do: REFER goes on, NOTIFY comes back (RFC 3515, 5589)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls import bridge
from switchroom.switch.calls.contact import contact_for
from switchroom.switch.calls.features.refer import Asked, Target, who
from switchroom.switch.calls.leg import Leg
from switchroom.switch.net.between import is_between_workers

if TYPE_CHECKING:
    from switchroom.switch.calls.features.transfer import Transfers
    from switchroom.switch.net.bus import Bus

_TOPIC = "refer"  # of the bus
_GRANTED = 60.0  # seconds in which whoever was sent to a dialog must come


class Handover:
    """Passes REFERs on, and remembers who was sent where."""

    def __init__(self, transfers: Transfers, bus: Bus) -> None:
        self.transfers = transfers
        self.has_others = not bus.is_alone  # workers
        # Dialog that was named by a REFER which was passed on -> to whom, by whom, and until when that counts
        self.grants: dict[tuple[str, str, str], tuple[str, str, float]] = {}
        self._passed: dict[str, tuple[Leg, str]] = {}  # local tag of the transferee -> who asked, its Event
        self._bus = bus
        bus.subscribe(_TOPIC, self._hear)

    def is_wanted(self, far: Leg) -> bool:
        """Whether the configuration says so, and the transferee's side takes it."""
        policy = self.transfers.config.refer
        if far.account.startswith("trunk:"):
            trunk = self.transfers.exchange.trunks.get(far.account.removeprefix("trunk:"))
            policy = "local" if trunk is None else trunk.config.refer
        return policy == "pass" and self.takes(far)

    @staticmethod
    def takes(far: Leg) -> bool:
        """Whether that side takes REFER; another worker does not, for whoever is behind it."""
        return far.session.allows("REFER") and not is_between_workers(far.session.flow)

    def ask(self, asked: Asked, now: float) -> bool:
        """Ask the transferee's side; False: it could not do what is asked for."""
        leg, far, transaction, request, target = asked
        refer_to = self._refer_to(leg, far, target, now)
        if not refer_to:
            return False
        headers: list[tuple[str, str]] = [
            ("Refer-To", refer_to),
            ("Contact", contact_for(far.session.flow, self.transfers.exchange.endpoint)),
        ]
        caller = self.transfers.caller_of(leg)
        if caller is not None and caller.number:
            domain = self.transfers.exchange.domain_for(far.session.flow)
            headers.append(("Referred-By", f"<sip:{sip.escape_user(caller.number)}@{domain}>"))
        sent = far.session.send_request("REFER", now, headers=headers)
        if sent is None:
            return False
        event = f"refer;id={request.cseq.number}" if leg.refer_count else "refer"
        leg.refer_count += 1
        self._passed = {tag: one for tag, one in self._passed.items() if not one[0].call.is_over}
        self._passed[far.session.local_tag] = (leg, event)
        sent.context = Passed(self, leg, transaction)
        leg.call.notes.append(f"{who(leg.account)} asked the other side to call {target.number}")
        return True

    def _refer_to(self, leg: Leg, far: Leg, target: Target, now: float) -> str:
        """The Refer-To in words of the transferee's side; empty: it has none for that."""
        exchange = self.transfers.exchange
        caller = self.transfers.caller_of(leg)
        if caller is None:
            return ""
        plan = self.transfers.plan(far, target.number, caller, now)
        own: Leg | None = None
        if target.replaces is not None:
            session = exchange.endpoint.find_dialog(
                target.replaces.call_id, target.replaces.to_tag, target.replaces.from_tag
            )
            found = session.context if session is not None else None
            if session is None and self.has_others and not far.account.startswith("trunk:"):
                pass  # whoever has that call asks who named it
            elif not isinstance(found, Leg) or found.account != leg.account or found.call is leg.call:
                return ""
            else:
                own = found
        elif not plan.steps:
            return ""  # the transferor may not call it
        if far.account.startswith("trunk:"):
            trunk = exchange.trunks.get(far.account.removeprefix("trunk:"))
            if trunk is None:
                return ""
            uri = str(trunk.dress(self.transfers.identity_of(leg), target.number, far.session.flow, now).uri)
            if own is None:
                return f"<{uri}>"
            last = bridge.other(own)
            if last is None or last.account != far.account or own.call.answered_at is None:
                return ""
            dialog = last.session  # as its other end sees it
            replaces = sip.Replaces(dialog.call_id, dialog.remote_tag, dialog.local_tag)
            return f"<{uri.partition('?')[0]}?Replaces={quote(str(replaces), safe='')}>"
        here = contact_for(far.session.flow, exchange.endpoint).strip("<>").removeprefix("sip:")
        uri = f"sip:{sip.escape_user(target.number)}@{here}"  # the domain may lead elsewhere, or nowhere
        if target.replaces is None:
            return f"<{uri}>"
        self._grant(target.replaces[:3], far.account, leg.account, now)
        return f"<{uri}?Replaces={quote(str(target.replaces), safe='')}>"

    def _grant(self, dialog: tuple[str, str, str], account: str, granter: str, now: float) -> None:
        """Somebody may take the place of a dialog of the granter; all workers know, one of them has it."""
        self.grants = {key: one for key, one in self.grants.items() if one[2] > now}
        self.grants[dialog] = (account, granter, now + _GRANTED)
        self._bus.publish(_TOPIC, (dialog, self.grants[dialog]))

    def _hear(self, told: Any, slot: int) -> None:
        dialog, grant = told
        self.grants[dialog] = grant

    def take_grant(self, dialog: tuple[str, str, str], account: str, owner: str, now: float) -> bool:
        """Whether the owner of a dialog has had this account sent to it."""
        to, granter, until = self.grants.get(dialog, ("", "", 0.0))
        if until <= now or to != account or granter != owner:
            return False
        del self.grants[dialog]
        return True

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
            ("Contact", contact_for(asker.session.flow, self.transfers.exchange.endpoint)),
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

    def __init__(self, handover: Handover, leg: Leg, transaction: sip.ServerTransaction) -> None:
        self._handover, self._leg, self._transaction = handover, leg, transaction

    def on_response(self, status: int, now: float) -> None:
        """Accepted, or not."""
        if status >= 300:
            self._handover.forget(self._leg)
        headers = [
            ("Contact", contact_for(self._leg.session.flow, self._handover.transfers.exchange.endpoint))
        ]
        self._transaction.respond(status, now, headers=headers if status < 300 else ())
