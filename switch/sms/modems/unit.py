"""A modem at its port: the engine gets octets and a clock, its news go to the message centre."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Protocol

from switchroom.protocols.errors import LocalProtocolError, ProtocolError
from switchroom.protocols.gsm import modem as engine
from switchroom.protocols.gsm.modem import Modem, ModemState
from switchroom.switch.config import ModemConfig
from switchroom.switch.net import Clock
from switchroom.switch.net.faults import Faults
from switchroom.switch.net.serial import SerialPort

from ..book import Log
from ..interfaces import Fault, Outcome, Outlet, Part
from .arrivals import Arrivals
from .memory import Memory
from .outgoing import submit_of
from .sends import Sends
from .settings import engine_config

__all__ = ["Owner", "Unit"]

_RESET_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds between closing a port and opening it again
_MAX_TURNS = 100  # of one call: then the loop has its turn first
_MAX_ERRORS = 100  # kinds that are counted apart
_FAULTS = {
    engine.Fault.TEMPORARY: Fault.TEMPORARY,
    engine.Fault.PERMANENT: Fault.PERMANENT,
    engine.Fault.SUBSCRIPTION: Fault.ROUTE,
    engine.Fault.MODEM: Fault.TEMPORARY,
    engine.Fault.UNKNOWN: Fault.UNKNOWN,
}


class Owner(Outlet, Protocol):
    """The pool of a modem."""

    def changed(self, unit: Unit, now: float) -> None:
        """It has room, or has none any more."""

    def report(self, unit: Unit, outcomes: list[Outcome], now: float) -> None:
        """What became of parts."""

    def why_not(self, part: Part) -> str:
        """Why a part may not go; empty: it may."""


class Unit:
    """One modem. ``arrivals`` brings what comes in to the centre."""

    def __init__(
        self, config: ModemConfig, owner: Owner, memory: Memory, sends: Sends, arrivals: Arrivals, *,
        clock: Clock, log: Log, faults: Faults,
    ) -> None:  # fmt: skip
        self.config, self.owner = config, owner
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.drained = asyncio.Event()
        self.misses = 0  # messages that it could not send, one after the other
        self.why_closed = "not opened yet"
        self._memory, self._sends, self._arrivals = memory, sends, arrivals
        self._clock, self._log, self._faults = clock, log, faults
        pin = config.pin.get_secret_value()
        self.modem = Modem(
            engine_config(config), refused_pin=pin if memory.was_refused(config.name, pin) else ""
        )
        self.waiting: deque[Part] = deque()
        self._in_hand: list[Part] = []
        self._outcomes: list[Outcome] = []
        self._port: SerialPort | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reopen: asyncio.TimerHandle | None = None
        self._vain_resets = 0  # one after the other, and the modem never got ready
        self._is_held = False  # nothing is written until the disk knows that the PIN goes out
        self._is_turning = self._is_soon = self._is_draining = self._is_stopped = False

    @property
    def name(self) -> str:
        """As the configuration calls it."""
        return self.config.name

    @property
    def sim(self) -> str:
        """The SIM, whichever modem it is in; before it is known the modem stands for it."""
        return self.modem.facts.imsi or self.name

    @property
    def number(self) -> str:
        """The number of the SIM, or whatever it is known by."""
        return self.config.number or self.modem.facts.number or self.sim

    @property
    def is_ready(self) -> bool:
        """Whether messages can be sent."""
        return self.modem.state is ModemState.READY

    # -- life

    def start(self) -> None:
        """Open the port, now or when it is there."""
        self._reopen = None
        try:
            self._port = SerialPort(
                self.config.port,
                self.config.speed,
                has_flow_control=self.config.flow_control,
                on_data=self._on_data,
                on_lost=self._on_lost,
            )
        except OSError as error:
            self._note_closed((error.strerror or str(error)).lower())
            self._start_in(self.config.reopen_interval)
            return
        self.why_closed = ""
        now = self._clock.now()
        self._faults.run(self.modem.connect, now)
        self.turn(now)

    def drain(self, now: float) -> None:
        """Begin no more; what was not begun goes back. ``drained`` is set when the rest has its answers."""
        self._is_draining = True
        self._give_back("stopped")
        self.turn(now)

    def stop(self, now: float, reason: str = "stopped") -> None:
        """Let the port go; what is in hand has an end."""
        for timer in (self._timer, self._reopen):
            if timer is not None:
                timer.cancel()
        self._timer = self._reopen = None
        self._is_stopped = True
        self._disconnect(now, reason)
        outcomes = [Outcome(part, fault=Fault.UNKNOWN, text=reason) for part in self._in_hand]
        self._in_hand.clear()
        if outcomes:  # those that a status report could still have told of
            self.owner.report(self, outcomes, now)

    def _start_in(self, seconds: float) -> None:
        self._reopen = asyncio.get_running_loop().call_later(seconds, self.start)

    def _disconnect(self, now: float, reason: str) -> None:
        self.why_closed = reason
        if self._port is not None:
            self._port.close()
            self._port = None
        self._is_held = False
        self.modem.disconnect(now, reason)
        self._give_back(reason)
        self.turn(now)

    def _note_closed(self, reason: str) -> None:
        if reason != self.why_closed:
            self.why_closed = reason
            self._log.warning("modem.port_closed", modem=self.name, port=self.config.port, reason=reason)

    # -- what the port says

    def _on_data(self, data: bytes) -> None:
        now = self._clock.now()
        self._faults.run(self.modem.receive_data, data, now)
        self.turn(now)

    def _on_lost(self, reason: str) -> None:
        self.counts["lost"] += 1
        self._log.warning("modem.port_closed", modem=self.name, port=self.config.port, reason=reason)
        self._disconnect(self._clock.now(), reason)
        self._start_in(self.config.reopen_interval)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._clock.now()
        self._faults.run(self.modem.handle_timer, now)
        self.turn(now)

    def _reset(self, reason: str, now: float) -> None:
        """Close the port and open it again: most modems begin anew then."""
        self.counts["resets"] += 1
        self._log.warning("modem.reset", modem=self.name, reason=reason)
        if self._port is not None:
            self._disconnect(now, reason)
            self._start_in(min(_RESET_PAUSE * 2.0**self._vain_resets, _LONGEST_PAUSE))
            self._vain_resets = min(self._vain_resets + 1, 10)

    # -- messages out

    def room(self, now: float) -> int:
        """How many parts it takes now."""
        free = 0 if self._is_draining else self.modem.room - len(self.waiting)
        return max(0, min(free, self.allowed(now) - len(self.waiting))) if free > 0 else 0

    def allowed(self, now: float) -> int:
        """How many the SIM may still send."""
        config, posix = self.config, self._clock.posix(now)
        return self._memory.allowance(self.sim).room(config.per_minute, config.per_day, posix)

    def sent_today(self, posix: float) -> int:
        """Messages of the SIM."""
        return self._memory.allowance(self.sim).of_day(posix)

    def allowed_at(self, now: float) -> float:
        """When it may send again."""
        config, posix = self.config, self._clock.posix(now)
        at = self._memory.allowance(self.sim).next_at(config.per_minute, config.per_day, posix)
        return now + max(0.0, at - posix)

    def send(self, part: Part) -> None:
        """Send it when its turn comes; the owner hears what became of it."""
        self.waiting.append(part)
        self._turn_soon()

    def _feed(self, now: float) -> bool:
        is_busy = False
        while self.waiting and self.modem.room > 0 and self.allowed(now) > 0:
            self._submit(self.waiting.popleft(), now)
            is_busy = True
        return is_busy

    def _submit(self, part: Part, now: float) -> None:
        if why_not := self.owner.why_not(part):
            self._outcomes.append(Outcome(part, fault=Fault.PERMANENT, text=why_not))
            return
        posix = self._clock.posix(now)
        asked = self.config.status_reports
        wants_report = asked == "always" or (asked == "asked" and bool(part.message.wish))
        try:
            submit = submit_of(part, posix, wants_report=wants_report)
            self.modem.send_submit(submit, part, now, has_more=bool(self.waiting))
        except ProtocolError as error:
            self._outcomes.append(Outcome(part, fault=Fault.ROUTE, text=str(error)))
            return
        self._memory.allowance(self.sim).take(posix)
        self._in_hand.append(part)

    def _give_back(self, reason: str) -> None:
        """What was not begun may go by another modem."""
        self._outcomes += [Outcome(part, fault=Fault.TEMPORARY, text=reason) for part in self.waiting]
        self.waiting.clear()

    # -- USSD

    async def ask_network(self, code: str) -> engine.UssdAnswered:
        """The answer to a code such as *100#; LookupError says why there can be none."""
        if not self.is_ready:
            raise LookupError(f"modem {self.name}: {self.modem.reason or self.modem.state.value}")
        answer: asyncio.Future[engine.UssdAnswered] = asyncio.get_running_loop().create_future()
        now = self._clock.now()
        try:
            self.modem.send_ussd(code, answer, now)
        except LocalProtocolError as error:
            raise LookupError(str(error)) from None
        self.turn(now)
        return await answer

    # -- turns

    def _turn_soon(self) -> None:
        if not self._is_soon:
            self._is_soon = True
            asyncio.get_running_loop().call_soon(self._on_soon)

    def _on_soon(self) -> None:
        self._is_soon = False
        self.turn(self._clock.now())

    def turn(self, now: float) -> None:
        """Hear the engine's news, write what it wants to say, see when to come back."""
        if self._is_turning:
            self._turn_soon()
            return
        self._is_turning = True
        try:
            self._faults.run(self._run, now)
        finally:
            self._is_turning = False
        if self._timer is not None:
            self._timer.cancel()
        at = self.modem.next_timer()
        self._timer = None
        if at is not None and not self._is_stopped:
            delay = max(0.0, at - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _run(self, now: float) -> None:
        had_room = self.is_ready
        for _ in range(_MAX_TURNS):
            is_busy = self._hear(now)
            if not (self._feed(now) or is_busy):
                break
        if not self._is_held and self._port is not None:
            self._port.write(self.modem.data_to_send())
        outcomes, self._outcomes = self._outcomes, []
        if outcomes:
            self.owner.report(self, outcomes, now)
        if self._is_draining and not self.modem.is_sending:
            self.drained.set()
        if had_room or self.is_ready:
            self.owner.changed(self, now)

    def _hear(self, now: float) -> bool:
        is_busy = False
        while (event := self.modem.next_event()) is not None:
            is_busy = True
            self._on_event(event, now)
        return is_busy

    def _on_event(self, event: engine.ModemEvent, now: float) -> None:
        match event:
            case engine.MessageReceived() | engine.StatusReportReceived() | engine.Garbled():
                self._arrivals.receive(self, event, now)
            case engine.Submitted(part, _):
                self._on_submitted(event, part, now)
            case engine.SubmitFailed(part, fault, result):
                text = result.meaning
                if text in self.errors or len(self.errors) < _MAX_ERRORS:
                    self.errors[text] += 1
                self._settle(Outcome(part, fault=_FAULTS[fault], code=result.code or 0, text=text), now)
            case engine.SubmitDoubtful(part, result):
                self.errors["no answer"] += 1
                self._settle(Outcome(part, fault=Fault.UNKNOWN, text=result.meaning), now)
            case engine.StateChanged(state, reason):
                self._on_state(state, reason)
            case engine.PinTried(pin):
                self._is_held = True
                self._memory.note_pin(self.name, pin, self._on_pin_noted)
            case engine.PinRefused():
                self._log.error("modem.pin_refused", modem=self.name)
            case engine.UssdAnswered(context):
                self._on_ussd(event, context)
            case engine.Ringing(number):
                self.counts["calls"] += 1
                self._log.info("modem.call", modem=self.name, caller=number[:40])
            case engine.ResetWanted(reason):
                asyncio.get_running_loop().call_soon(self._reset, reason, now)
            case engine.StorageFull(storage, room):
                self._log.warning("modem.storage_full", modem=self.name, storage=storage, room=room)
            case engine.Noise(line):
                self.counts["noise"] += 1
                self._log.debug("modem.noise", modem=self.name, line=line)

    def _on_submitted(self, event: engine.Submitted, part: Part, now: float) -> None:
        self.counts["sent"] += 1
        number, is_wanted = part.message.destination.number, bool(part.message.wish)
        posix = self._clock.posix(now)
        remote_id = self._sends.add(self.sim, event, number, posix, is_wanted=is_wanted)
        self._settle(Outcome(part, remote_id, text=f"by {self.name}"), now)

    def _settle(self, outcome: Outcome, now: float) -> None:
        self.counts["failed"] += outcome.fault is not None
        self.misses = 0 if outcome.fault in (None, Fault.PERMANENT) else self.misses + 1
        if outcome.part in self._in_hand:
            self._in_hand.remove(outcome.part)
        self._outcomes.append(outcome)
        asyncio.get_running_loop().call_soon(self._arrivals.look_again, self)

    def is_sending_to(self, tail: str) -> bool:
        """Whether a message to a number that ends so has no answer yet."""
        return any(part.message.destination.number.endswith(tail) for part in self._in_hand)

    def _on_state(self, state: ModemState, reason: str) -> None:
        if not self.modem.refused_pin and state in (ModemState.READY, ModemState.SEARCHING):
            self._memory.forget_pin(self.name)
        if state is ModemState.READY:
            self._vain_resets = 0
            self.counts["ready"] += 1
            facts = self.modem.facts
            self._log.info("modem.ready", modem=self.name, operator=facts.operator, signal=facts.signal_dbm)
        elif state is ModemState.BLOCKED:
            self._log.error("modem.blocked", modem=self.name, reason=reason)
        elif reason:
            self._log.info("modem.not_ready", modem=self.name, state=state.value, reason=reason)
        if state in (ModemState.BLOCKED, ModemState.STUCK):
            self._give_back(reason)

    def _on_pin_noted(self, is_written: bool) -> None:
        self._is_held = False
        if is_written:
            self.turn(self._clock.now())
        else:
            self._reset("that the PIN goes to the SIM cannot be written down", self._clock.now())

    def _on_ussd(self, event: engine.UssdAnswered, context: object) -> None:
        if isinstance(context, asyncio.Future):
            if not context.done():
                context.set_result(event)
        else:
            self._log.info("modem.ussd", modem=self.name, text=event.text[:400])
