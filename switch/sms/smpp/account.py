"""A customer with all its binds: what it submits goes to the centre, and what is for it comes here."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from switchroom.protocols import smpp
from switchroom.protocols.errors import LocalProtocolError
from switchroom.protocols.smpp import Status, Tag
from switchroom.switch.config import SmppAccountConfig
from switchroom.switch.net.limits import Bucket

from ..histogram import Histogram
from ..interfaces import Address, Centre, Fault, Form, Notice, Outcome, Part, Refusal, Submission
from .addresses import NUMBERING
from .broadcasts import read_broadcast_sm
from .faults import fault_of, faults_of
from .incoming import read_data_sm, read_submit_sm
from .line import Line
from .lines import Lines
from .multi import Multi
from .outgoing import NoticeStyle, Style, message_id
from .questions import Questions
from .spread import spread

__all__ = ["Account"]

_CONGESTED = 0x50  # interface_version from which congestion_state is known
_RESPONSES = {smpp.SubmitSm: smpp.SubmitSmResp, smpp.DataSm: smpp.DataSmResp}
_FAULTS = faults_of((), ())
_WITH_ALERTS = 0x34  # interface_version from which alert_notification is known
_AVAILABLE = ((Tag.MS_AVAILABILITY_STATUS, b"\0"),)
_DROPPED = (Status.RX_P_APPN, Status.RX_R_APPN)  # who answers a receipt so does not want it again


class Host(Protocol):
    """Who counts connections."""

    def count_out(self, line: Line) -> None: ...


class Account:
    """One customer; an inlet and an outlet of the centre while somebody is bound that can receive."""

    def __init__(self, config: SmppAccountConfig, centre: Centre, lines: Lines) -> None:
        self.name = f"account:{config.name}"
        self.id_notation = "same"
        self.lines: list[Line] = []
        self.counts: Counter[str] = Counter()  # messages and receipts, by what became of them
        self.refused: Counter[int] = Counter()  # messages of it, by command_status of our answer
        self.errors: Counter[int] = Counter()  # in its answers, by command_status
        self.answer_times = Histogram()  # from reading a message to answering it
        self.delivery_times = Histogram()  # from writing one to its answer
        self._centre, self._lines = centre, lines
        self._hosts: dict[Line, Host] = {}
        self._bucket = Bucket(0.0, 0.0)
        self._is_starved = False
        self._questions = Questions(self.name, centre, lines)
        self._set(config)

    @property
    def form(self) -> Form:
        """How it wants its messages."""
        return self._style.form

    def reconfigure(self, config: SmppAccountConfig, now: float) -> None:
        """Other rules; with another password all binds have to be made anew."""
        before = self.config
        is_same = config.password == before.password and config.tls_only <= before.tls_only
        self._set(config)
        if not is_same:
            self.close(now)

    def close(self, now: float) -> None:
        """The account is gone, or locked."""
        for line in tuple(self.lines):
            line.unbind(now)

    def add(self, line: Line, host: Host, now: float) -> None:
        """Somebody has bound with the right password."""
        line.owner = self
        line.system_id = self.config.system_id or self.config.name
        line.session.max_window = self.config.window
        self.lines.append(line)
        self._hosts[line] = host
        if line.session.can_send(smpp.DeliverSm):
            self._centre.attach(inlet=self, outlet=self, now=now)

    # -- what its connections tell

    def opened(self, line: Line, now: float) -> None:
        """It was open before it came here."""

    def hear(self, line: Line, event: smpp.Event, now: float) -> None:
        """One read of one bind."""
        if isinstance(event, smpp.RequestsReceived):
            self._on_requests(line, event.requests, now)
        elif isinstance(event, smpp.ResponsesReceived):
            self._on_responses(event.answers, now)
        elif isinstance(event, smpp.RequestsFailed):
            self._on_failed(event.contexts, event.reason, now)

    def lost(self, line: Line, reason: str, now: float) -> None:
        """One bind is over; what it had in hand was reported before."""
        self.lines.remove(line)
        self._hosts.pop(line).count_out(line)
        self._lines.log.info("smpp.unbound", account=self.config.name, source=line.remote[0], reason=reason)
        if not self._receivers():
            self._centre.detach(inlet=self.name, outlet=self.name, now=now)

    # -- from the customer

    def _on_requests(self, line: Line, requests: list[smpp.Request], now: float) -> None:
        batch: list[Submission] = []
        posix = self._lines.clock.posix(now)
        line.messages_in += len(requests)
        for request in requests:
            kind = type(request)
            if kind is smpp.SubmitSm:
                if self._may_submit(now):
                    batch.append(
                        read_submit_sm(
                            request,  # type: ignore[arg-type]
                            self.name,
                            posix,
                            is_latin=self._is_latin,
                            context=request.sequence_number,
                        )
                    )
                else:
                    self._throttle(line, kind, request.sequence_number, now)
            else:
                self._on_other(line, request, batch, posix, now)
        if batch:
            self._centre.submit(batch, now, _Answers(self, line, now))

    def _on_other(
        self, line: Line, request: smpp.Request, batch: list[Submission], posix: float, now: float
    ) -> None:
        context: tuple[int, type[Any]]
        if isinstance(request, smpp.DataSm):
            if self._may_submit(now):
                context = (request.sequence_number, smpp.DataSmResp)
                batch.append(
                    read_data_sm(request, self.name, posix, is_latin=self._is_latin, context=context)
                )
            else:
                self._throttle(line, smpp.DataSm, request.sequence_number, now)
        elif isinstance(request, smpp.BroadcastSm):
            if request.message_id or request.replace_if_present_flag:
                status = Status.RREPLACEFAIL  # what is on the air is cancelled, and another one begun
                line.session.answer(smpp.BroadcastSmResp("", (), status, request.sequence_number), now)
            elif self._may_submit(now):
                context = (request.sequence_number, smpp.BroadcastSmResp)
                batch.append(
                    read_broadcast_sm(request, self.name, posix, is_latin=self._is_latin, context=context)
                )
            else:
                self._throttle(line, smpp.BroadcastSm, request.sequence_number, now)
        elif isinstance(request, smpp.SubmitMulti):
            if self._may_submit(now, len(request.dest_address)):
                multi = Multi(line, request)
                batch += multi.submissions(self.name, posix, is_latin=self._is_latin, now=now)
            else:
                self._throttle(line, smpp.SubmitMulti, request.sequence_number, now)
        else:
            self._questions.ask(line, request, now)

    def _may_submit(self, now: float, count: int = 1) -> bool:
        """Whether one message, or all of several, keep to the account's rate."""
        config = self.config
        if not config.rate:
            return True
        burst = config.burst or max(config.rate, 1.0)
        if not self._bucket.take(config.rate, burst, now):
            return False
        if self._bucket.tokens < count - 1:
            self._bucket.tokens += 1
            return False
        self._bucket.tokens -= count - 1
        return True

    def _throttle(self, line: Line, kind: type[Any], number: int, now: float) -> None:
        self.refused[Status.RTHROTTLED] += 1
        response: Any = smpp.RESPONSE_TO[kind]
        line.session.answer(response(status=Status.RTHROTTLED, sequence_number=number), now)

    def answer(
        self, line: Line, batch: Sequence[Submission], results: Sequence[int | Refusal], now: float
    ) -> None:
        """The centre has decided; what it took is on the disk."""
        session = line.session
        answer = session.answer
        last = len(batch) - 1
        accepted = 0
        for i, (submission, result) in enumerate(zip(batch, results, strict=True)):
            context = submission.context
            if type(context) is Multi:
                accepted += type(result) is int
                context.note(submission, result, now)
                continue
            number, response = (context, smpp.SubmitSmResp) if type(context) is int else context
            tlvs = self._congestion(session) if i == last and session.version >= _CONGESTED else ()
            if isinstance(result, int):
                accepted += 1
                answer(response(message_id(result), tlvs, 0, number), now)
            else:
                status = result.smpp
                if response is smpp.BroadcastSmResp and status == Status.RINVDSTADR:
                    status = Status.RBCASTFAIL  # it has no destination: there is no carrier for it
                self.refused[status] += 1
                answer(response("", tlvs, status, number), now)
        self.counts["accepted"] += accepted
        line.turn_soon()

    def _congestion(self, session: smpp.Session) -> smpp.Tlvs:
        """How busy we are, from 0 to 100 (SMPP 5.0 §4.8.4.18): how much of what may wait does wait."""
        share = min(100, 100 * session.unanswered // self._lines.config.max_unanswered)
        return ((smpp.Tag.CONGESTION_STATE, bytes((share,))),)

    # -- to the customer

    def room(self, now: float) -> int:
        """How many messages it takes now."""
        room = sum(line.session.room for line in self._receivers())
        if room <= 0:
            self._is_starved = True
        return room

    def notice_room(self, now: float) -> int:
        """How many receipts it takes now."""
        return self.room(now)

    def send(self, parts: Sequence[Part], now: float) -> None:
        """Deliver messages."""
        self._pass_on(parts, self._style.deliver_sm, now)

    def notify(self, notices: Sequence[Notice], now: float) -> None:
        """Deliver receipts."""
        self._pass_on(notices, self._notice_style.deliver_sm, now)

    @property
    def is_receiving(self) -> bool:
        """Whether it is bound so that something can be told to it."""
        return bool(self._receivers())

    def alert(self, number: Address, source: Address, now: float) -> bool:
        """Say that a number can be reached again; False: there is no room for it now."""
        knowing = [line for line in self._receivers() if line.session.version >= _WITH_ALERTS]
        line = max(knowing, key=lambda line: line.session.room, default=None)
        if line is None or line.session.room <= 0:
            return False
        addresses = *NUMBERING.write(number), *NUMBERING.write(source)
        try:
            line.session.send(smpp.AlertNotification(*addresses, _AVAILABLE), None, now)
        except LocalProtocolError:
            return True  # it cannot be written: it never will
        self.counts["alerts"] += 1
        line.turn_soon()
        return True

    def _pass_on(self, items: Sequence[Any], write: Callable[[Any], smpp.DeliverSm], now: float) -> None:
        unsent: list[object] = []
        used = set()
        for item, line in zip(items, spread(self._receivers(), len(items)), strict=True):
            try:
                if line is None:
                    raise LocalProtocolError("the window is full")
                line.session.send(write(item), item, now)
                line.messages_out += 1
                used.add(line)
            except LocalProtocolError as error:
                unsent.append((item, str(error)))
        for line in used:
            line.turn_soon()
        if unsent:
            asyncio.get_running_loop().call_soon(self._on_unsent, unsent)

    def _on_unsent(self, unsent: list[Any]) -> None:
        """What cannot be written, or came when there was no room."""
        now = self._lines.clock.now()
        parts = [(item, text) for item, text in unsent if type(item) is not Notice]
        outcomes = [Outcome(part, fault=Fault.ROUTE, text=text) for part, text in parts]
        ids = [item.id for item, _ in unsent if type(item) is Notice]
        if outcomes:
            self._centre.report(self.name, outcomes, now)
        if ids:
            self._centre.noticed(self.name, ids, now, is_heard=False)

    def _on_responses(self, answers: list[smpp.Answer], now: float) -> None:
        outcomes: list[Outcome] = []
        heard: list[int] = []
        unheard: list[int] = []
        for context, response, sent_at in answers:
            self.delivery_times.add(now - sent_at)
            status = response.status
            if status:
                self.errors[status] += 1
            if type(context) is Notice:
                is_heard = status == Status.ROK or status in _DROPPED
                (heard if is_heard else unheard).append(context.id)
            elif status == Status.ROK:
                outcomes.append(Outcome(context, is_delivered=True))  # type: ignore[arg-type]
            else:
                fault = fault_of(status, _FAULTS)
                outcomes.append(Outcome(context, fault=fault, code=status, text=smpp.meaning(status)))  # type: ignore[arg-type]
        self.counts["receipts"] += len(heard)
        self.counts["delivered"] += sum(outcome.fault is None for outcome in outcomes)
        if outcomes:
            self._centre.report(self.name, outcomes, now)
        if heard:
            self._centre.noticed(self.name, heard, now)
        if unheard:
            self._centre.noticed(self.name, unheard, now, is_heard=False)
        if self._is_starved:
            self._is_starved = False
            self._centre.attach(inlet=self, outlet=self, now=now)

    def _on_failed(self, contexts: list[object], reason: str, now: float) -> None:
        """No answer came: a message may have arrived, a receipt is told again."""
        ids = [context.id for context in contexts if isinstance(context, Notice)]
        outcomes = [
            Outcome(context, fault=Fault.UNKNOWN, text=reason)  # type: ignore[arg-type]
            for context in contexts
            if type(context) is not Notice
        ]
        if outcomes:
            self._centre.report(self.name, outcomes, now)
        if ids:
            self._centre.noticed(self.name, ids, now, is_heard=False)

    def _receivers(self) -> list[Line]:
        return [line for line in self.lines if line.session.can_send(smpp.DeliverSm)]

    def _set(self, config: SmppAccountConfig) -> None:
        self.config = config
        self._is_latin = config.default_alphabet == "latin-1"
        self._style = Style(
            NUMBERING, is_latin=self._is_latin, long_messages=config.long_messages, is_wide=True
        )
        self._notice_style = NoticeStyle(
            NUMBERING, has_text=config.receipts != "parameters", has_parameters=config.receipts != "text"
        )
        for line in self.lines:
            line.session.max_window = config.window


class _Answers:
    """Where the answers to one read of one bind go."""

    __slots__ = ("_account", "_line", "_read_at")

    def __init__(self, account: Account, line: Line, now: float) -> None:
        self._account, self._line, self._read_at = account, line, now

    def __call__(self, batch: Sequence[Submission], results: Sequence[int | Refusal], now: float) -> None:
        self._account.answer_times.add(now - self._read_at, len(batch))
        self._account.answer(self._line, batch, results, now)
