"""What phones can ask of the switch: transfers, pickup, parking, and codes that set forwarding.

``Features`` is the door: it takes what the exchange asks it before routing. A code is answered by a call of
no length, 200 and BYE, and what it has set lasts over restarts.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

from switchroom.protocols import sdp, sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls.contact import contact_for
from switchroom.switch.calls.farewell import turn_away
from switchroom.switch.calls.features import pickup
from switchroom.switch.calls.features.across import Across
from switchroom.switch.calls.features.elsewhere import Elsewhere
from switchroom.switch.calls.features.park import Lot
from switchroom.switch.calls.features.replaces import Replacements
from switchroom.switch.calls.features.transfer import Transfers
from switchroom.switch.calls.leg import sdp_headers, sdp_of
from switchroom.switch.calls.routing import Forwarding

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchroom.switch.calls.call import Call
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.rules import Caller
    from switchroom.switch.config import FeaturesConfig
    from switchroom.switch.net.bus import Bus
    from switchroom.switch.store import SettingStore

_PREFIX = "forwarding."  # of the keys in the store
_TOPIC = "forwarding"
_KEYS = {
    "forward_always": "always",
    "forward_busy": "busy",
    "forward_no_answer": "no_answer",
    "forward_unreachable": "unreachable",
}


class Log(Protocol):
    """What is needed of a logger."""

    def info(self, event: str, **values: object) -> object: ...
    def warning(self, event: str, **values: object) -> object: ...


class Features:
    """Takes part in an exchange; ``start`` reads what users have set."""

    def __init__(
        self,
        config: FeaturesConfig,
        exchange: Exchange,
        store: SettingStore,
        bus: Bus,
        log: Log,
        *,
        find: Callable[[str, str, str], tuple[Call, str] | None] = lambda *_: None,
    ) -> None:
        """``find`` knows the call and the user behind what busy lamps are shown."""
        self.exchange = exchange
        self.transfers = Transfers(exchange, config, bus)
        self.elsewhere = None if bus.is_alone else Elsewhere(exchange, bus)
        self.lot = self.transfers.lot = Lot(exchange, self.transfers, config, self.elsewhere)
        if self.elsewhere is not None:
            exchange.reception.elsewhere = self.elsewhere
            self.transfers.across = Across(self.transfers, self.elsewhere)
            exchange.reception.on_other_worker = self.transfers.across.take
            bus.on_found.append(self._meet)
        self.replacements = Replacements(exchange, self.transfers, find)
        self._store, self._bus, self._log = store, bus, log
        exchange.features.append(self.take)
        exchange.on_replaces = self.replacements.on_replaces
        exchange.on_refer = self.transfers.on_refer
        exchange.on_notify = self.transfers.handover.on_notify
        exchange.reception.attend("REFER", self._refuse_refer)
        bus.subscribe(_TOPIC, self._hear)
        self.reconfigure(config)

    def reconfigure(self, config: FeaturesConfig) -> None:
        """Apply new rules; who is parked stays."""
        self.config = self.transfers.config = self.lot.config = config
        self._codes, self._slots = config.codes, config.slots

    def start(self) -> None:
        """Read what users have set by their phones."""
        for user, text in self._store.load(_PREFIX).items():
            try:
                self._override(user, json.loads(text))
            except (ValueError, TypeError) as error:
                self._log.warning("features.bad_setting", user=user, error=str(error))

    # -- the clock

    def next_timer(self) -> float | None:
        """When something must be done."""
        return 0.0 if self.transfers.ready else self.lot.next_timer()

    def handle_timer(self, now: float) -> None:
        """Do what has come due."""
        if self.transfers.ready:
            self.transfers.handle_ready(now)
        self.lot.handle_timer(now)

    # -- what is dialled

    def take(self, event: sip.RequestReceived, caller: Caller, number: str, now: float) -> bool:
        """Whether the number is a feature's; then the INVITE is dealt with."""
        config = self.config
        if number[:1] in ("*", "#"):
            if caller.user is None:
                return False
            if number == config.park and config.slots:
                return self._refuse(event, caller, number, 404, "transfer a call to this number", now)
            for code, name in self._codes:
                if number.startswith(code) and name != "park":
                    return self._code(event, caller, number, name, number[len(code) :], now)
            return False
        if number in self._slots and caller.user is not None and not caller.is_guest:
            if self._is_sent_to_lot(event, caller, number, now):
                return True
            refusal = self.lot.take(event, caller, number, now)
            if refusal is not None:
                self.exchange.refuse(event, caller, refusal, now, number)
            return True
        return False

    def _code(
        self, event: sip.RequestReceived, caller: Caller, number: str, name: str, rest: str, now: float
    ) -> bool:
        if name == "supervise":
            return False  # a program's
        if name == "pickup":
            return self._pick_up(event, caller, number, rest, now)
        if name in _KEYS:
            if rest and not self._may_forward(caller, rest, now):
                return self._refuse(event, caller, number, 403, "calls may not be forwarded there", now)
            self.set(caller.account, **{_KEYS[name]: rest})
            done = f"{name}: {rest or 'off'}"
        elif rest:
            return False  # another number that only begins like a code
        else:
            self.set(caller.account, do_not_disturb=name == "do_not_disturb")
            done = "do_not_disturb: " + ("on" if name == "do_not_disturb" else "off")
        self._serve(event, caller, number, done, now)
        return True

    def _may_forward(self, caller: Caller, number: str, now: float) -> bool:
        """Only to where the user may call."""
        return bool(self.exchange.plan(caller.number, number, caller, now).steps)

    def _pick_up(
        self, event: sip.RequestReceived, caller: Caller, number: str, rest: str, now: float
    ) -> bool:
        leg = pickup.find_ringing(self.exchange, caller, rest)
        if leg is None:
            if self.elsewhere is not None and self.elsewhere.send_on(event, caller, now):
                return True
            return self._refuse(event, caller, number, 404, "nothing rings there that you may pick up", now)
        refusal = pickup.pick_up(leg, event, caller, now)
        if refusal is not None:
            self.exchange.refuse(event, caller, refusal, now, number)
        return True

    def _is_sent_to_lot(self, event: sip.RequestReceived, caller: Caller, number: str, now: float) -> bool:
        """Whether somebody waits in that slot of another worker, which has the INVITE now."""
        if self.elsewhere is None or number in self.lot.parked:
            return False
        worker = self.elsewhere.parked.get(number)
        return worker is not None and self.elsewhere.send_on(event, caller, now, worker)

    def _meet(self, worker: int) -> None:
        if self.elsewhere is not None:
            self.elsewhere.meet(worker, list(self.lot.parked))

    def _refuse(
        self, event: sip.RequestReceived, caller: Caller, number: str, status: int, why: str, now: float
    ) -> bool:
        headers = (("Warning", f'399 switchroom "{why}"'),)
        self.exchange.refuse(event, caller, sip.Refusal(status, headers), now, number)
        return True

    def _serve(self, event: sip.RequestReceived, caller: Caller, number: str, done: str, now: float) -> None:
        """Say yes: a call of no length."""
        exchange, request = self.exchange, event.request
        session = exchange.endpoint.accept(event, now, contact=contact_for(event.flow, exchange.endpoint))
        session.context = _Yes()
        body = _silent(sdp_of(request))
        session.answer(now, body=body, headers=sdp_headers(body))
        record = exchange.ledger.open(request, caller, number, caller.number, None, now)
        exchange.ledger.served(record, f"set by user {caller.account}: {done}")

    def _refuse_refer(self, event: sip.RequestReceived, caller: Caller, now: float) -> None:
        """A REFER that belongs to no call would make us call for anybody (THREATS C12)."""
        self.exchange.endpoint.reply(event, 403, now=now)

    # -- forwarding

    def set(self, user: str, **values: Any) -> None:
        """Change what is in force for a user; it lasts, and all workers know."""
        before = self.exchange.router.overrides.get(user) or Forwarding()
        changed = replace(before, **values)
        self.exchange.router.overrides[user] = changed
        kept = {name: value for name, value in asdict(changed).items() if value is not None}
        self._store.save(_PREFIX + user, json.dumps(kept))
        self._bus.publish(_TOPIC, (user, kept))
        self._log.info("features.set", user=user, **values)

    def _hear(self, told: Any, slot: int) -> None:
        user, kept = told
        self._override(user, kept)

    def _override(self, user: str, kept: dict[str, Any]) -> None:
        known = {one.name for one in fields(Forwarding)}
        found = {name: value for name, value in kept.items() if name in known}
        self.exchange.router.overrides[user] = Forwarding(**found)


class _Yes:
    """The session of a code that was obeyed: ended as soon as the phone knows that it was answered."""

    def handle_event(self, event: sip.Event, now: float) -> None:
        """What the session tells."""
        if isinstance(event, sip.SessionAcknowledged):
            event.session.bye(now)
            event.session.context = None
        else:
            turn_away(event, now, 480)


def _silent(offer: bytes) -> bytes:
    """An answer that takes no stream; nothing when there is no offer that can be read."""
    try:
        description = sdp.Description.parse(offer)
    except RemoteProtocolError:
        return b""
    origin = sdp.Origin("-", 1, 1, "IP4", "0.0.0.0")
    media = tuple(sdp.Media(one.kind, 0, one.proto, one.formats) for one in description.media)
    connection = sdp.Connection("IP4", "0.0.0.0")
    return bytes(sdp.Description(origin, connection=connection, times=description.times, media=media))
