"""A carrier with all our binds: messages go out in its windows and at its pace, receipts come in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from switchroom.protocols import smpp
from switchroom.protocols.errors import LocalProtocolError
from switchroom.protocols.smpp import Status
from switchroom.switch.config import SmppTrunkConfig
from switchroom.switch.net import Tls

from ..histogram import Histogram
from ..interfaces import Centre, Fault, Form, Outcome, Part, Receipt, Refusal, Submission
from ..texts import is_broadcast
from .addresses import Numbering, read_address
from .berth import Berth
from .faults import fault_of, faults_of, status_for_carrier
from .incoming import read_data_sm, read_submit_sm
from .line import Line
from .lines import Lines
from .outgoing import Style
from .pace import Pace
from .receipts import read_receipt
from .spread import spread

__all__ = ["Trunk"]

_KINDS: dict[str, tuple[type[smpp.Bind], ...]] = {
    "transceiver": (smpp.BindTransceiver,),
    "transmitter": (smpp.BindTransmitter,),
    "receiver": (smpp.BindReceiver,),
    "pair": (smpp.BindTransmitter, smpp.BindReceiver),
}
_WITH_BROADCASTS = 0x50  # interface_version
_CONGESTED = 90  # of 100: then only one message at a time


class Trunk:
    """One carrier; an outlet of the centre while a bind is up that may submit."""

    def __init__(self, config: SmppTrunkConfig, centre: Centre, lines: Lines, tls: Callable[[], Tls]) -> None:
        self.name = f"trunk:{config.name}"
        self.counts: Counter[str] = Counter()
        self.errors: Counter[int] = Counter()  # in its answers, by command_status
        self.answer_times = Histogram()
        self._centre, self._lines, self._tls = centre, lines, tls
        self._pace = Pace(config.rate, lines.clock.now())
        self._wake: asyncio.TimerHandle | None = None
        self._is_starved = False
        self._set(config)
        self.berths = self._make_berths()

    # -- life

    def start(self, now: float) -> None:
        """Begin to bind."""
        for berth in self.berths:
            berth.start(now)
            berth.tend(now)

    def stop(self, now: float) -> None:
        """End all binds in order."""
        if self._wake is not None:
            self._wake.cancel()
        for berth in self.berths:
            berth.stop(now)

    def tend(self, now: float) -> None:
        """Dial what is to be dialled."""
        for berth in self.berths:
            berth.tend(now)

    def reconfigure(self, config: SmppTrunkConfig, now: float) -> None:
        """Other rules; binds are made anew only when they themselves are to be different."""
        before = self.config
        self._set(config)
        self._pace.change(config.rate)
        if any(getattr(before, name) != getattr(config, name) for name in _BIND_KEYS):
            for berth in self.berths:
                berth.stop(now)
            self.berths = self._make_berths()
            self.start(now)
        for line in self._transmitters():
            line.session.max_window = config.window

    def _make_berths(self) -> list[Berth]:
        kinds = [kind for kind in _KINDS[self.config.bind] for _ in range(self.config.binds)]
        return [Berth(self, kind, self._lines, self._tls) for kind in kinds]

    def _set(self, config: SmppTrunkConfig) -> None:
        self.config = config
        self.id_notation = config.receipt_ids
        self._is_latin = config.default_alphabet == "latin-1"
        self._faults = faults_of(config.temporary_errors, config.permanent_errors)
        self._style = Style(
            Numbering(config.number_ton, config.number_npi, config.plus),
            is_latin=self._is_latin,
            long_messages=config.long_messages,
            is_wide=config.long_reference == 16,
            max_parts=config.max_parts,
            is_transliterated=config.transliterate,
            validity=config.validity,
            service_type=config.service_type,
            has_receipts=config.receipts,
            is_new=config.version == "5.0",
        )

    # -- binds

    def bound(self, line: Line, now: float) -> None:
        """A bind is up."""
        if line.session.can_send(smpp.SubmitSm):
            self._centre.attach(outlet=self, now=now)

    def unbound(self, line: Line, now: float) -> None:
        """A bind is over; what it had in hand was reported before."""
        if not self._transmitters():
            self._centre.detach(outlet=self.name, now=now)

    def find_berth(self, kind: type[smpp.Bind] | None = None) -> Berth | None:
        """One that waits to be connected to (outbind)."""
        return next((berth for berth in self.berths if berth.line is None), None)

    def hear(self, line: Line, event: smpp.Event, now: float) -> None:
        """One read of one bind."""
        if isinstance(event, smpp.ResponsesReceived):
            self._on_responses(event.answers, now)
        elif isinstance(event, smpp.RequestsReceived):
            self._on_requests(line, event.requests, now)
        elif isinstance(event, smpp.RequestsFailed):
            self.counts["unanswered"] += len(event.contexts)
            outcomes = [
                Outcome(part, fault=Fault.UNKNOWN, text=event.reason)  # type: ignore[arg-type]
                for part in event.contexts
                if type(part) is not _Asked
            ]
            for asked in event.contexts:
                if type(asked) is _Asked:
                    asked.answered(None, now)
            self._centre.report(self.name, outcomes, now)
            self._feed(now)

    # -- to the carrier

    @property
    def form(self) -> Form:
        """How it wants its messages."""
        return self._style.form

    def room(self, now: float) -> int:
        """How many parts it takes now."""
        lines = self._transmitters()
        room = min(sum(line.session.room for line in lines), self._pace.room(now))
        busy = max((line.session.congestion or 0 for line in lines), default=0)
        if busy >= _CONGESTED:
            room = min(room, 0 if any(line.session.outstanding for line in lines) else 1)
        if room <= 0:
            self._is_starved = True
            if lines:
                self._wake_up(now)
        return max(0, room)

    def send(self, parts: Sequence[Part], now: float) -> None:
        """Submit them."""
        unsent: list[Outcome] = []
        used = set()
        posix = self._lines.clock.posix(now)
        write: Callable[[Part, float], smpp.Request]
        write = self._style.data_sm if self.config.operation == "data_sm" else self._style.submit_sm
        for part, line in zip(parts, spread(self._transmitters(), len(parts)), strict=True):
            try:
                if line is None:
                    raise LocalProtocolError("the window is full")
                if is_broadcast(part.message.submission):
                    line.session.send(self._broadcast(part, line, posix), part, now)
                else:
                    line.session.send(write(part, posix), part, now)
                line.messages_out += 1
                used.add(line)
            except LocalProtocolError as error:
                unsent.append(Outcome(part, fault=Fault.ROUTE, text=str(error)))
        self._pace.take(len(parts) - len(unsent), now)
        for line in used:
            line.turn_soon()
        if unsent:
            asyncio.get_running_loop().call_soon(self._on_unsent, unsent)

    def _broadcast(self, part: Part, line: Line, posix: float) -> smpp.Request:
        if not self.config.broadcasts or line.session.version < _WITH_BROADCASTS:
            raise LocalProtocolError("takes no broadcasts")
        return self._style.broadcast_sm(part, posix)

    @property
    def numbering(self) -> Numbering:
        """How it writes numbers."""
        return self._style.numbering

    def ask(self, request: smpp.Request, answered: Callable[[Any, float], None], now: float) -> bool:
        """``answered`` hears the response, or None; False: it cannot be asked now."""
        line = max(self._transmitters(), key=lambda line: line.session.room, default=None)
        if line is None or line.session.room <= 0 or line.session.version < _WITH_BROADCASTS:
            return False
        line.session.send(request, _Asked(answered), now)
        line.turn_soon()
        return True

    def _on_unsent(self, outcomes: list[Outcome]) -> None:
        self._centre.report(self.name, outcomes, self._lines.clock.now())

    def _on_responses(self, answers: list[smpp.Answer], now: float) -> None:
        outcomes = []
        for part, response, sent_at in answers:
            self.answer_times.add(now - sent_at)
            if type(part) is _Asked:
                part.answered(response, now)
                continue
            status = response.status
            if status == Status.ROK:
                remote_id = getattr(response, "message_id", "")
                outcomes.append(Outcome(part, remote_id))  # type: ignore[arg-type]
                continue
            self.errors[status] += 1
            fault = fault_of(status, self._faults)
            if fault is Fault.THROTTLED:
                self._pace.pause(self.config.throttle_pause, now)
            outcomes.append(Outcome(part, fault=fault, code=status, text=smpp.meaning(status)))  # type: ignore[arg-type]
        self.counts["sent"] += sum(outcome.fault is None for outcome in outcomes)
        self._centre.report(self.name, outcomes, now)
        self._feed(now)

    def _feed(self, now: float) -> None:
        """There is room again after there was none."""
        if self._is_starved and self._transmitters() and self.room(now) > 0:
            self._is_starved = False
            self._centre.attach(outlet=self, now=now)

    def _wake_up(self, now: float) -> None:
        """Come back when the pace, not a window, is what they wait for."""
        if self._wake is None and self._pace.room(now) <= 0:
            delay = max(0.001, self._pace.next_at(now) - now)
            self._wake = asyncio.get_running_loop().call_later(delay, self._on_wake)

    def _on_wake(self) -> None:
        self._wake = None
        self._feed(self._lines.clock.now())

    def _transmitters(self) -> list[Line]:
        lines = [berth.line for berth in self.berths if berth.line is not None]
        return [line for line in lines if line.session.can_send(smpp.SubmitSm)]

    # -- from the carrier

    def _on_requests(self, line: Line, requests: list[smpp.Request], now: float) -> None:
        receipts: list[Receipt] = []
        acknowledged: list[tuple[type[Any], int]] = []
        messages: list[Submission] = []
        posix = self._lines.clock.posix(now)
        line.messages_in += len(requests)
        for request in requests:
            if isinstance(request, smpp.AlertNotification):
                self.counts["alerts"] += 1
                self._lines.log.info("smpp.alert", trunk=self.config.name, number=request.source_addr)
                who = read_address(request.source_addr_ton, request.source_addr_npi, request.source_addr)
                self._lines.on_alert(f"{self.name}/{who.number}")
                continue
            assert isinstance(request, smpp.DeliverSm | smpp.DataSm)
            kind: type[Any] = smpp.RESPONSE_TO[type(request)]
            if smpp.has_receipt(request.esm_class, request.tlvs):
                receipts.append(read_receipt(request))
                acknowledged.append((kind, request.sequence_number))
            else:
                messages.append(self._read(request, posix, (kind, request.sequence_number)))
        if receipts:
            self.counts["receipts"] += len(receipts)
            self._centre.receive_receipts(self, receipts, now, self._on_receipts, (line, acknowledged))
        if messages:
            self._centre.submit(messages, now, _Answers(line))

    def _read(self, request: smpp.DeliverSm | smpp.DataSm, posix: float, context: Any) -> Submission:
        self.counts["received"] += 1
        if isinstance(request, smpp.DataSm):
            found = read_data_sm(request, self.name, posix, is_latin=self._is_latin, context=context)
        else:
            found = read_submit_sm(request, self.name, posix, is_latin=self._is_latin, context=context)
        return found._replace(wish=0, is_replacing=False)

    def _on_receipts(self, context: Any, now: float) -> None:
        """They are on the disk: the carrier may forget them."""
        line, acknowledged = context
        for kind, number in acknowledged:
            line.session.answer(kind(sequence_number=number), now)
        line.turn_soon()


_BIND_KEYS = (
    *("address", "system_id", "password", "system_type", "tls_name", "bind", "binds", "version", "addr_ton"),
    *("addr_npi", "address_range", "response_timeout", "enquire_interval"),
)


class _Asked:
    """Who hears the answer to a question."""

    __slots__ = ("answered",)

    def __init__(self, answered: Callable[[Any, float], None]) -> None:
        self.answered = answered


class _Answers:
    """Where the answers to messages of one read of one bind go."""

    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        self._line = line

    def __call__(self, batch: Sequence[Submission], results: Sequence[int | Refusal], now: float) -> None:
        for submission, result in zip(batch, results, strict=True):
            kind, number = submission.context
            status = 0 if isinstance(result, int) else status_for_carrier(result)
            self._line.session.answer(kind(status=status, sequence_number=number), now)
        self._line.turn_soon()
