"""A GSM modem: it is made ready and kept so, sends, and what comes is taken (TS 27.005, TS 27.007).

What is to be done waits in a queue of scripts; one runs at a time. A message that came is offered to the
owner and deleted, or acknowledged to the network, only after he says that he has it.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from ...errors import LocalProtocolError
from ..tpdu import Submit
from . import traffic
from .agenda import Agenda
from .calls import Calls
from .dialogue import Dialogue, Unsolicited
from .doubts import Doubts
from .events import (
    Handle,
    ModemConfig,
    ModemEvent,
    ModemState,
    Noise,
    Registration,
    ResetWanted,
    SimFacts,
    StateChanged,
    StatusReportReceived,
    SubmitDoubtful,
    SubmitFailed,
    Submitted,
    UssdAnswered,
)
from .offers import Offer, Offers
from .parameters import fields, integer
from .results import Result, ResultKind
from .scripts import Pause, Script, Urgency, ask
from .setup import initialise, look, registration, route, start_again

__all__ = ["Modem"]

_DEFAULT = ModemConfig()
_TRY_AGAIN = 30.0  # seconds until a modem without a SIM is looked at again
_USSD_TIMEOUT = 60.0
_MAX_WAITING = 100
_MAX_STARTS = 3
_MAX_SILENT_SENDS = 3  # messages without an answer, one after the other
_LOOKS_PER_SWEEP = 2


class Modem:
    """The engine. Its owner opens the port, moves octets, and keeps what is offered."""

    def __init__(self, config: ModemConfig = _DEFAULT, *, refused_pin: str = "") -> None:
        self.config = config
        self.refused_pin = refused_pin  # that the SIM did not take, in this life or an earlier one
        self.state = ModemState.CLOSED
        self.reason = ""
        self.facts = SimFacts()
        self.dialogue = Dialogue()
        self.life = 0  # of the connection
        self.storages: list[str] = []
        self.storage = ""
        self.has_storages = True  # between which AT+CPMS chooses
        self.needs_acknowledgement = False
        self.has_cmms = True
        self.has_lost_reports = False  # what it stores cannot be found where it says
        self.is_awake = False  # it has answered since the connection began
        self._events: deque[ModemEvent] = deque()
        self._agenda = Agenda(self.dialogue)
        self._doubts = Doubts()
        self._calls = Calls()
        self._look_at: float | None = None
        self._searching_since: float | None = None
        self._try_again_at: float | None = None
        self._looks = 0
        self._starts = 0
        self._silent_sends = 0
        self._sends = 0
        self._offers = Offers()
        self._ussd: tuple[Any, float] | None = None
        self._now = 0.0

    # -- the connection

    def connect(self, now: float) -> None:
        """The port is open."""
        self._now = now
        self.start_over()
        self._advance(now)

    def disconnect(self, now: float, reason: str = "") -> None:
        """The port is gone: what was on its way has an end, if an uncertain one."""
        self._now = now
        self.dialogue.reset()
        self._on_events(now)
        self._agenda.abandon()
        self._on_events(now)
        self._agenda.drop()
        self._try_again_at = None
        self.enter(ModemState.CLOSED, reason)

    def receive_data(self, data: bytes, now: float) -> None:
        """The modem speaks."""
        self._now = now
        self.dialogue.receive_data(data, now)
        self._on_events(now)
        self._advance(now)

    def data_to_send(self) -> bytes:
        """What to write to it."""
        return self.dialogue.data_to_send()

    def next_event(self) -> ModemEvent | None:
        """The next news, or None."""
        return self._events.popleft() if self._events else None

    def next_timer(self) -> float | None:
        """When to be called again."""
        times = (
            self.dialogue.next_timer(),
            self._agenda.pause_until,
            self._look_at,
            self._try_again_at,
            self._doubts.next_timer(),
            self._ussd[1] if self._ussd else None,
        )
        return min((at for at in times if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Time-outs, pauses, and what is done again and again."""
        self._now = now
        self.dialogue.handle_timer(now)
        self._on_events(now)
        self._events += self._doubts.expired(now)
        if self._ussd is not None and self._ussd[1] <= now:
            self.answer_ussd(UssdAnswered(self._ussd[0], "", error="no answer"))
        if self._try_again_at is not None and self._try_again_at <= now:
            self._try_again_at = None
            self.start_over()
        if self._look_at is not None and self._look_at <= now:
            self._look_at = now + self.config.poll_interval
            self._queue(Urgency.LOOK, self._watch())
        self._agenda.handle_timer(now)
        self._advance(now)

    # -- what the owner asks

    @property
    def room(self) -> int:
        """How many messages it takes now: one that is sent, and the next one."""
        return max(2 - self._sends, 0) if self.state is ModemState.READY else 0

    @property
    def is_sending(self) -> bool:
        """Whether a message is on its way whose answer may still come."""
        return self._sends > 0 and self.state is ModemState.READY

    def send_submit(self, submit: Submit, context: Any, now: float, *, has_more: bool = False) -> None:
        """Send a message; ``Submitted``, ``SubmitFailed`` or ``SubmitDoubtful`` will come for it."""
        bytes(submit)  # what cannot be written is refused here
        if len(self._agenda) > _MAX_WAITING:
            raise LocalProtocolError("too much waits for the modem")
        self._now = now
        self._sends += 1
        self._queue(Urgency.SEND, traffic.send(self, submit, context, has_more=has_more))
        self._advance(now)

    def acknowledge(self, handle: Handle, now: float, *, is_taken: bool = True) -> None:
        """The owner has what was offered, or will never have it; not taken: it is to come again."""
        self._now = now
        if handle.life != self.life:
            return  # it will be offered again, from where it is now
        if handle.storage:
            if is_taken:
                self._queue(Urgency.READ, traffic.delete(self, handle))
            else:
                self._offers.keep(handle, now)
        elif self.needs_acknowledgement:
            self._queue(Urgency.ACKNOWLEDGE, traffic.acknowledge(self, is_taken=is_taken))
        self._advance(now)

    def send_ussd(self, code: str, context: Any, now: float) -> None:
        """Ask the network something (*100#); ``UssdAnswered`` will come."""
        if self._ussd is not None:
            raise LocalProtocolError("another code waits for its answer")
        if not 0 < len(code) <= 160 or '"' in code or not code.isprintable() or not code.isascii():
            raise LocalProtocolError(f"{code[:20]!r} is no USSD code")
        self._now = now
        self._ussd = (context, now + _USSD_TIMEOUT)
        self._queue(Urgency.SEND, traffic.ussd(self, code, context))
        self._advance(now)

    # -- what the scripts say

    def tell(self, event: ModemEvent) -> None:
        """News for the owner."""
        if isinstance(event, SubmitFailed):
            self._sends -= 1
            self._silent_sends = 0 if event.result.kind is not ResultKind.TIMEOUT else self._silent_sends + 1
        self._events.append(event)

    def enter(self, state: ModemState, reason: str = "") -> None:
        """Another state, told once."""
        if (state, reason) != (self.state, self.reason):
            self.state, self.reason = state, reason
            self._events.append(StateChanged(state, reason))
        if state in (ModemState.CLOSED, ModemState.STUCK, ModemState.BLOCKED):
            self._look_at = None

    def is_set_up(self) -> None:
        """Everything is in place: look for what came meanwhile, and go on looking."""
        self._starts = 0
        self._look_at = self._now + self.config.poll_interval
        self._sweep()
        self.note_registration(self.facts.registration)

    def note_registration(self, found: Registration) -> None:
        """A network has us, or none."""
        self.facts.registration = found
        if self._look_at is None:
            return  # not set up yet
        if found.is_registered:
            self._searching_since = None
            self.enter(ModemState.READY)
        else:
            self._searching_since = self._searching_since or self._now
            self.enter(ModemState.SEARCHING, f"registration: {found.name.lower()}")

    def block(self, reason: str, *, is_for_good: bool = True) -> None:
        """A person has to do something; or the SIM may come back by itself."""
        self.enter(ModemState.BLOCKED, reason)
        if not is_for_good:
            self._try_again_at = self._now + _TRY_AGAIN

    def give_up(self, reason: str) -> None:
        """Nothing helps but another opening of the port."""
        self._agenda.drop()
        self.enter(ModemState.STUCK, reason)
        self._events.append(ResetWanted(reason))

    def start_over(self) -> None:
        """Begin as after an opening of the port: the modem did."""
        self.life += 1
        self.is_awake = False
        self._searching_since = None
        self._offers.clear()
        self.enter(ModemState.STARTING)
        self._queue(Urgency.START, initialise(self))

    def reroute(self) -> None:
        """Have messages told of once more."""
        self._agenda.add(Urgency.LOOK, route(self), "route")

    def submitted(self, event: Submitted, submit: Submit) -> None:
        """The network took a message."""
        self._sends -= 1
        self._silent_sends = 0
        self._events.append(event)
        if submit.wants_status_report:
            self._doubts.submitted(event.reference, submit, self._now)

    def doubt(self, submit: Submit, context: Any, result: Result) -> None:
        """No answer came for a message: a report about it may still tell that it was sent."""
        self._sends -= 1
        self._silent_sends += 1
        if submit.wants_status_report and self.config.wants_status_reports:
            at = self._now - (self.config.send_timeout if result.kind is ResultKind.TIMEOUT else 0.0)
            self._doubts.add(submit, context, result, at, self._now + self.config.doubt_timeout)
        else:
            self._events.append(SubmitDoubtful(context, result))

    def offer(self, event: Offer) -> None:
        """Give the owner what came, but not what he was given and has not taken yet."""
        if not self._offers.is_new(event, self._now):
            return
        if isinstance(event, StatusReportReceived):
            sent = self._doubts.resolve(event.report)
            self._events += [] if sent is None else [sent]
        self._events.append(event)

    def forget(self, handle: Handle) -> None:
        """A stored message is gone."""
        self._offers.forget(handle)

    def answer_ussd(self, answer: UssdAnswered) -> None:
        """The answer to a code, or something that the network says by itself."""
        self._ussd = None
        self._events.append(answer)

    # -- scripts

    def _sweep(self) -> None:
        self._agenda.add(Urgency.READ, traffic.sweep(self), "sweep")

    def _queue(self, urgency: Urgency, script: Script) -> None:
        self._agenda.add(urgency, script)

    def _advance(self, now: float) -> None:
        while (urgency := self._agenda.next_urgency()) is not None and self._may_run(urgency):
            self._agenda.begin(now)

    def _may_run(self, urgency: int) -> bool:
        """Whatever the state, it may be made ready; the rest waits until it is."""
        if self.state in (ModemState.CLOSED, ModemState.STUCK):
            return False
        return urgency == Urgency.START or self.state in (ModemState.READY, ModemState.SEARCHING)

    # -- news from the dialogue

    def _on_events(self, now: float) -> None:
        while (event := self.dialogue.next_event()) is not None:
            if isinstance(event, Unsolicited):
                self._on_unsolicited(event)
                continue
            self._agenda.step(event.result, now)
            if event.result.kind is ResultKind.TIMEOUT and self.is_awake:
                self._on_silence()

    def _on_silence(self) -> None:
        """A command got no answer: see whether the modem still speaks, and reset it if it does not."""
        self._agenda.abandon()
        if self.state is ModemState.STARTING:
            self._starts += 1
            if self._starts >= _MAX_STARTS:
                self.give_up("it does not get ready")
            else:
                self.start_over()
        elif self._silent_sends >= _MAX_SILENT_SENDS:
            self._silent_sends = 0
            self._queue(Urgency.START, start_again(self))
        else:
            self.is_awake = False
            self._queue(Urgency.START, self._resynchronise())

    def _resynchronise(self) -> Script:
        for _ in range(3):
            self.dialogue.send_escape()
            yield Pause(1.0)
            result = yield ask("AT", timeout=3.0)
            if result.is_ok:
                yield Pause(0.5)  # what comes now answers what was asked before
                result = yield ask("AT+CMEE?", timeout=3.0)
                if result.lines or result.kind is ResultKind.ERROR:
                    self.is_awake = True
                    self._sweep()
                    return
        self.give_up("no answer")

    def _watch(self) -> Script:
        yield from look(self)
        since, limit = self._searching_since, self.config.search_timeout
        if since is not None and 0 < limit <= self._now - since:
            self._queue(Urgency.START, start_again(self))
            return
        self._looks += 1
        if self._looks % _LOOKS_PER_SWEEP == 0:
            yield from traffic.sweep(self)
        if self._looks % 20 == 0:
            yield from route(self)

    def _on_unsolicited(self, event: Unsolicited) -> None:
        line = event.line
        name = line.partition(":")[0]
        if name in ("+CMTI", "+CDSI"):
            self._on_stored(fields(line), is_report=name == "+CDSI")
        elif name in ("+CMT", "+CDS"):
            traffic.offer(self, line, event.body)
        elif name in ("+CREG", "+CEREG"):
            self.note_registration(registration(integer(fields(line), 0)))
        elif name == "+CUSD":
            context = self._ussd[0] if self._ussd else None
            self.answer_ussd(traffic.read_ussd(self.facts, line, context))
        elif name in ("RING", "+CRING", "+CLIP", "NO CARRIER"):
            self._on_call(line)
        elif name == "+CMGS":
            sent = self._doubts.answered(integer(fields(line), 0))
            self._events += [] if sent is None else [sent]
        elif name == "^SMMEMFULL" or "SMSFULL" in line:
            self._sweep()
        elif not line.startswith(("^", "%", "+CSQ", "+QIND", "+WIND")):
            self._events.append(Noise(line[:200]))

    def _on_stored(self, values: list[str], *, is_report: bool) -> None:
        """A message is in a storage. Of more than there can be, all are looked through at once."""
        index = integer(values, 1)
        if index < 0:
            return
        if len(self._agenda) > _MAX_WAITING:
            self._sweep()
            return
        script = traffic.read(self, values[0], index, is_report=is_report)
        self._agenda.add(Urgency.READ, script, f"{values[0]} {index}")

    def _on_call(self, line: str) -> None:
        ringing = self._calls.receive_line(line, self._now)
        self._events += [] if ringing is None else [ringing]
        if self._calls.is_to_be_rejected and self.config.rejects_calls and self._may_run(Urgency.ACKNOWLEDGE):
            self._queue(Urgency.ACKNOWLEDGE, self._calls.reject())
