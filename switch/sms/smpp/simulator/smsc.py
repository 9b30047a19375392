"""A message centre that keeps nothing: it takes messages and says they were delivered, or what it is told."""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

from switchroom.protocols import smpp
from switchroom.protocols.smpp import MessageState, Status
from switchroom.switch.net.limits import Bucket

from ..times import to_absolute
from .conduct import ID_FORMS, Conduct, Rule
from .pdus import (
    Message,
    is_asked_for,
    is_broadcast,
    receipt_of,
    reply_to,
    standing_of,
    submit_of,
    submit_of_broadcast,
)

__all__ = ["Bind", "Smsc"]

_MAX_MESSAGES = 100_000  # that can be asked for
_MAX_DUE = 500_000
_ON_ITS_WAY = MessageState.ENROUTE
_DELIVERED = MessageState.DELIVERED


class Bind(Protocol):
    """A connection of somebody who has bound."""

    session: smpp.Session
    system_id: str

    def turn(self, now: float) -> None: ...
    def abort(self, reason: str) -> None: ...


class Smsc:
    """The engine: ``take`` hears requests, ``handle_timer`` does what is due."""

    def __init__(self, conduct: Conduct, posix: Callable[[float], float], *, seed: int | None = None) -> None:
        """``posix`` makes seconds since 1970 of ``now``."""
        self.conduct, self.posix = conduct, posix
        self.counts: Counter[str] = Counter()
        self.binds: dict[str, list[Bind]] = {}  # by account
        self.messages: dict[int, Message] = {}
        self.random = random.Random(seed)
        self._waiting: dict[str, deque[smpp.DeliverSm]] = {}  # by account: what it is to be told
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._number = count()
        self._ids = count(1)
        self._buckets: dict[str, Bucket] = {}
        self._taken: Counter[Bind] = Counter()

    def next_timer(self) -> float | None:
        """When to be called again."""
        return self._due[0][0] if self._due else None

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2](now)
        for account in tuple(self._waiting):
            self._tell(account, now)

    # -- binds

    def add(self, bind: Bind, now: float) -> None:
        """Somebody has bound."""
        self.binds.setdefault(bind.system_id, []).append(bind)
        self._tell(bind.system_id, now)

    def remove(self, bind: Bind) -> None:
        """That one is over."""
        self._taken.pop(bind, None)
        if bind in self.binds.get(bind.system_id, ()):
            self.binds[bind.system_id].remove(bind)

    # -- what they ask

    def take(self, bind: Bind, request: smpp.Request, now: float) -> None:
        """One request."""
        if isinstance(request, smpp.SubmitSm):
            self._submit(bind, request, smpp.SubmitSmResp, request.sequence_number, now)
        elif isinstance(request, smpp.DataSm):
            self._submit(bind, submit_of(request), smpp.DataSmResp, request.sequence_number, now)
        elif isinstance(request, smpp.SubmitMulti):
            self._submit_multi(bind, request, now)
        elif isinstance(request, smpp.BroadcastSm):
            submitted = submit_of_broadcast(request)
            self._submit(bind, submitted, smpp.BroadcastSmResp, request.sequence_number, now)
        elif isinstance(request, smpp.QueryBroadcastSm | smpp.CancelBroadcastSm):
            self._ask_broadcast(bind, request, now)
        elif isinstance(request, smpp.QuerySm | smpp.CancelSm | smpp.ReplaceSm):
            self._ask(bind, request, now)
        elif (kind := smpp.RESPONSE_TO.get(type(request))) is not None:
            response: Any = kind
            answer = response(status=Status.RINVCMDID, sequence_number=request.sequence_number)
            bind.session.answer(answer, now)

    def _submit(self, bind: Bind, request: smpp.SubmitSm, kind: type[Any], number: int, now: float) -> None:
        self.counts["submitted"] += 1
        rule = self.conduct.rule_for(request.destination_addr.lstrip("+")) if self.conduct.rules else None
        status = self._status(bind, rule, now)
        if status != Status.ROK:
            self.counts["throttled" if status == Status.RTHROTTLED else "refused"] += 1
            self._answer(bind, kind(status=status, sequence_number=number), rule, now)
            return
        message = self._accept(bind, request, rule, now)
        id = ID_FORMS[self.conduct.ids](message.id)
        self._taken[bind] += 1
        limit = self.conduct.disconnect_after
        if (rule is not None and rule.action == "disconnect") or (limit and self._taken[bind] >= limit):
            self.counts["disconnected"] += 1
            self._later(now, lambda at: bind.abort("by order"))
        elif rule is None or rule.action != "mute":
            self._answer(bind, kind(id, sequence_number=number), rule, now)

    def _status(self, bind: Bind, rule: Rule | None, now: float) -> int:
        conduct = self.conduct
        if rule is not None and rule.action in ("fail", "throttle"):
            return int(rule.value) if rule.action == "fail" else Status.RTHROTTLED
        if conduct.fail and self.random.random() < conduct.fail:
            return conduct.status
        if len(self._due) >= _MAX_DUE:
            return Status.RMSGQFUL
        if conduct.rate:
            bucket = self._buckets.setdefault(bind.system_id, Bucket(max(1.0, conduct.rate), now))
            if not bucket.take(conduct.rate, max(1.0, conduct.rate), now):
                return Status.RTHROTTLED
        return Status.ROK

    def _accept(self, bind: Bind, request: smpp.SubmitSm, rule: Rule | None, now: float) -> Message:
        conduct = self.conduct
        self.counts["accepted"] += 1
        message = Message(next(self._ids), bind.system_id, request, self.posix(now), rule=rule)
        self.messages[message.id] = message
        if len(self.messages) > _MAX_MESSAGES:
            del self.messages[next(iter(self.messages))]
        delay = conduct.delay + (conduct.spread and self.random.uniform(0, conduct.spread))
        if rule is not None and rule.action == "delay":
            delay += rule.value
        if rule is not None and rule.action == "early":
            self._end(message, now)
            self._tell(message.account, now)
        else:
            self._later(now + delay, lambda at: self._end(message, at))
        return message

    def _answer(self, bind: Bind, answer: Any, rule: Rule | None, now: float) -> None:
        delay = self.conduct.answer_delay
        if rule is not None and rule.action == "slow":
            delay += rule.value
        if not delay:
            bind.session.answer(answer, now)
            return

        def give(at: float) -> None:
            bind.session.answer(answer, at)
            bind.turn(at)

        self._later(now + delay, give)

    def _submit_multi(self, bind: Bind, request: smpp.SubmitMulti, now: float) -> None:
        first = 0
        for to in request.dest_address:
            values: tuple[Any, ...] = (
                *(*request[:4], to.dest_addr_ton, to.dest_addr_npi, to.destination_addr),
                *request[5:-2],
            )
            message = self._accept(bind, smpp.SubmitSm(*values), None, now)
            first = first or message.id
        id = ID_FORMS[self.conduct.ids](first)
        bind.session.answer(smpp.SubmitMultiResp(id, sequence_number=request.sequence_number), now)

    def _ask(self, bind: Bind, request: smpp.QuerySm | smpp.CancelSm | smpp.ReplaceSm, now: float) -> None:
        message = self._find(request.message_id)
        kind: Any = smpp.RESPONSE_TO[type(request)]
        number = request.sequence_number
        if message is None or message.account != bind.system_id:
            answer = kind(status=Status.RINVMSGID, sequence_number=number)
        elif isinstance(request, smpp.QuerySm):
            done = to_absolute(message.done_at) if message.done_at else ""
            answer = kind(request.message_id, done, message.state, 0, sequence_number=number)
        elif message.state is not _ON_ITS_WAY:
            status = Status.RCANCELFAIL if isinstance(request, smpp.CancelSm) else Status.RREPLACEFAIL
            answer = kind(status=status, sequence_number=number)
        else:
            answer = kind(sequence_number=number)
            if isinstance(request, smpp.CancelSm):
                message.state, message.done_at = MessageState.DELETED, self.posix(now)
            else:
                message.submitted = message.submitted._replace(short_message=request.short_message)
        bind.session.answer(answer, now)

    def _ask_broadcast(
        self, bind: Bind, request: smpp.QueryBroadcastSm | smpp.CancelBroadcastSm, now: float
    ) -> None:
        message = self._find(request.message_id)
        is_known = message is not None and message.account == bind.system_id
        if message is None or not is_known or not is_broadcast(message):
            kind: Any = smpp.RESPONSE_TO[type(request)]
            answer = kind(status=Status.RINVMSGID, sequence_number=request.sequence_number)
        elif isinstance(request, smpp.QueryBroadcastSm):
            tlvs = standing_of(message)
            answer = smpp.QueryBroadcastSmResp(request.message_id, tlvs, 0, request.sequence_number)
        else:
            is_late = message.state is not _ON_ITS_WAY
            if not is_late:
                message.state, message.done_at = MessageState.DELETED, self.posix(now)
            status = Status.RBCASTCANCELFAIL if is_late else Status.ROK
            answer = smpp.CancelBroadcastSmResp(status, request.sequence_number)
        bind.session.answer(answer, now)

    def _find(self, text: str) -> Message | None:
        try:
            return self.messages.get(int(text, 16 if self.conduct.ids in ("hex", "upper") else 10))
        except ValueError:
            return None

    # -- what becomes of messages

    def _end(self, message: Message, now: float) -> None:
        if message.state is not _ON_ITS_WAY:
            return
        rule = message.rule
        message.state, message.done_at = _DELIVERED, self.posix(now)
        if rule is not None and rule.action == "state":
            message.state = MessageState(int(rule.value))
        elif self.conduct.undelivered and self.random.random() < self.conduct.undelivered:
            message.state = MessageState.UNDELIVERABLE
        self.counts[message.state.name.lower()] += 1
        is_lost = (rule is not None and rule.action == "lose") or (
            self.conduct.lose and self.random.random() < self.conduct.lose
        )
        if is_lost:
            self.counts["receipts lost"] += 1
        elif self.conduct.receipts != "none" and is_asked_for(message):
            times = 2 if rule is not None and rule.action == "twice" else 1
            for _ in range(times):
                self.deliver(message.account, self._receipt(message), now)
        if rule is not None and rule.action == "reply" and message.state is _DELIVERED:
            self.deliver(message.account, reply_to(message.submitted), now)

    def deliver(self, account: str, pdu: smpp.DeliverSm, now: float) -> None:
        """Something for one who binds to us, when there is room for it; ``handle_timer`` sends it."""
        self._waiting.setdefault(account, deque()).append(pdu)

    def _tell(self, account: str, now: float) -> None:
        waiting = self._waiting.get(account)
        if not waiting:
            self._waiting.pop(account, None)
            return
        for bind in self.binds.get(account, ()):
            session = bind.session
            room = min(len(waiting), session.room) if session.can_send(smpp.DeliverSm) else 0
            for _ in range(room):
                pdu = waiting.popleft()
                session.send(pdu, pdu, now)
            if room:
                bind.turn(now)

    def hear(self, bind: Bind, answers: list[smpp.Answer], now: float) -> None:
        """What was told was acknowledged, or is to be told again."""
        for pdu, response, _ in answers:
            if response.status == Status.ROK:
                self.counts["acknowledged"] += 1
            else:
                self.counts["not acknowledged"] += 1
                if response.status in (Status.RX_T_APPN, Status.RTHROTTLED, Status.RMSGQFUL):
                    self._later(now + 1.0, lambda at, pdu=pdu: self.deliver(bind.system_id, pdu, at))  # type: ignore[misc]
        self._tell(bind.system_id, now)

    def lost(self, bind: Bind, pdus: list[Any], now: float) -> None:
        """The connection has ended before they were acknowledged: they are told again."""
        self._waiting.setdefault(bind.system_id, deque()).extendleft(reversed(pdus))

    def _receipt(self, message: Message) -> smpp.DeliverSm:
        conduct = self.conduct
        self.counts["receipts"] += 1
        return receipt_of(message, ID_FORMS[conduct.receipt_ids or conduct.ids](message.id), conduct.receipts)

    def _later(self, at: float, call: Callable[[float], None]) -> None:
        heapq.heappush(self._due, (at, next(self._number), call))
