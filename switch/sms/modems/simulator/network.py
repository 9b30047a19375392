"""A tiny mobile network: it takes messages from simulated SIMs, delivers them, and reports.

It keeps what a telephone does not take and tries again, as a service centre does. Rules say which numbers
fail, which are late, and which nobody ever hears of again.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import Protocol

from switchroom.protocols.gsm.tpdu import (
    Address,
    Command,
    Deliver,
    Fate,
    StatusReport,
    Submit,
    Timestamp,
    TypeOfNumber,
    UserData,
    fate,
)

__all__ = ["Journal", "Network", "Rule", "Telephone"]

CENTRE = Address("49170000000", TypeOfNumber.INTERNATIONAL)
_RETRY = 5.0  # seconds until a telephone that did not take a message gets it again
_RETRIES = 1000
_MAX_PENDING = 100_000


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to messages for numbers of a pattern: ``*`` and ``?`` stand for digits."""

    pattern: str
    action: str  # fail, status, delay, drop, silent
    value: int = 0

    @classmethod
    def parse(cls, text: str) -> Rule:
        """NUMBERS=ACTION[:VALUE], such as 4917*=fail:38; ValueError says what is wrong."""
        pattern, equals, rest = text.partition("=")
        action, _, value = rest.partition(":")
        if not equals or not pattern or action not in _ACTIONS:
            raise ValueError(f"{text!r} is not NUMBERS=ACTION[:VALUE] with one of {', '.join(_ACTIONS)}")
        if value and not (value.isascii() and value.isdigit() and len(value) < 6):
            raise ValueError(f"{value!r} in {text!r} is no number")
        return cls(pattern.lstrip("+"), action, int(value or _ACTIONS[action]))


_ACTIONS = {
    "fail": 38,  # +CMS ERROR of that number; nothing is taken
    "status": 0x46,  # taken, and reported with that TP-Status
    "delay": 10,  # seconds until it is delivered
    "drop": 0,  # taken, and never heard of again
    "silent": 0,  # delivered, and no report comes
}


class Telephone(Protocol):
    """What a modem is for the network."""

    number: str

    def deliver(self, pdu: Deliver | StatusReport, now: float, done: Callable[[bool, float], None]) -> None:
        """Give it a message; ``done`` hears whether it was taken."""


@dataclass(frozen=True, slots=True)
class Journal:
    """Something that happened, for who watches."""

    what: str  # submitted, refused, delivered, not taken, reported
    source: str
    destination: str
    text: str


@dataclass(order=True, slots=True)
class _Errand:
    at: float
    number: int
    pdu: Deliver | StatusReport = field(compare=False)
    to: str = field(compare=False)
    attempts: int = field(compare=False, default=0)
    report: tuple[str, StatusReport] | None = field(compare=False, default=None)  # when it was taken


class Network:
    """Service centre, cells and everything between them."""

    def __init__(
        self, posix: Callable[[float], float], *, delay: float = 0.2, seed: int | None = None
    ) -> None:
        """``posix`` makes seconds since 1970 of ``now``; ``delay`` is how long a message is on its way."""
        self.posix = posix
        self.delay = delay
        self.rules: list[Rule] = []
        self.error_rate = 0.0  # of submissions that fail with +CMS ERROR: 500
        self.operator = "Switchroom Sim"
        self.has_unknown = True  # numbers that nobody has take messages too
        self.telephones: dict[str, Telephone] = {}
        self.journal: deque[Journal] = deque(maxlen=1000)
        self.random = random.Random(seed)
        self._errands: list[_Errand] = []
        self._number = count()
        self._last_at: dict[str, int] = {}

    def add(self, telephone: Telephone) -> None:
        """A telephone switches on."""
        self.telephones[_digits(telephone.number)] = telephone

    def submit(self, source: str, submit: Submit, now: float) -> int:
        """A SIM sends: 0, or the number of a +CMS ERROR."""
        number = _digits(submit.destination.number)
        rule = next((rule for rule in self.rules if fnmatchcase(number, rule.pattern)), Rule("*", "deliver"))
        if rule.action == "fail" or self.random.random() < self.error_rate:
            code = rule.value if rule.action == "fail" else 500
            self._note("refused", source, number, submit.text)
            return code
        if len(self._errands) >= _MAX_PENDING:
            return 42  # congestion
        self._note("submitted", source, number, submit.text)
        at = self._timestamp(f"{source}>{number}", now)
        late = now + self.delay + (rule.value if rule.action == "delay" else 0)
        report = None
        if submit.wants_status_report and rule.action not in ("drop", "silent"):
            status = rule.value if rule.action == "status" else 0
            report = (source, StatusReport(submit.message_reference, submit.destination, at, at, status))
        self._route(rule, number, self._delivery(source, submit, at), report, late)
        return 0

    def _route(
        self, rule: Rule, number: str, deliver: Deliver, report: tuple[str, StatusReport] | None, at: float
    ) -> None:
        is_delivered = rule.action in ("deliver", "delay", "silent")
        if is_delivered and number in self.telephones:
            self._push(at, deliver, number, report)
        elif report is not None:
            if is_delivered and not self.has_unknown:
                report = (report[0], _with_status(report[1], 0x41))  # incompatible destination
            self._push(at, report[1], _digits(report[0]))

    def command(self, source: str, command: Command, now: float) -> int:
        """SMS-COMMAND: what waits can be deleted; the rest is refused."""
        number = _digits(command.destination.number)
        if command.command_type != 2:
            return 0xA1
        before = len(self._errands)
        self._errands = [
            errand
            for errand in self._errands
            if errand.to != number
            or errand.report is None
            or errand.report[1].message_reference != command.message_number
        ]
        heapq.heapify(self._errands)
        return 0 if len(self._errands) < before else 0xA0

    def inject(self, source: str, number: str, data: UserData, now: float, data_coding: int = 0) -> bool:
        """A message from somewhere else to one of our SIMs; False: there is none with that number."""
        digits = _digits(number)
        if digits not in self.telephones:
            return False
        deliver = Deliver(Address.of(source), self._timestamp(f"{source}>{digits}", now), data, data_coding)
        self._push(now + self.delay, deliver, digits)
        return True

    def has_room(self, number: str, now: float) -> None:
        """A telephone takes messages again (RP-SMMA): what waits for it comes at once."""
        digits = _digits(number)
        for errand in self._errands:
            if errand.to == digits and errand.attempts:
                errand.at = min(errand.at, now + self.delay)
        heapq.heapify(self._errands)

    # -- time

    def next_timer(self) -> float | None:
        """When the next one is to arrive."""
        return self._errands[0].at if self._errands else None

    def handle_timer(self, now: float) -> None:
        """Deliver what is due."""
        while self._errands and self._errands[0].at <= now:
            errand = heapq.heappop(self._errands)
            telephone = self.telephones.get(errand.to)
            if telephone is not None:
                telephone.deliver(errand.pdu, now, lambda is_taken, at, e=errand: self._done(e, is_taken, at))  # type: ignore[misc]

    def _done(self, errand: _Errand, is_taken: bool, now: float) -> None:
        source = errand.pdu.source.number if isinstance(errand.pdu, Deliver) else ""
        text = errand.pdu.text if isinstance(errand.pdu, Deliver) else ""
        what = ("delivered" if source else "reported") if is_taken else "not taken"
        self._note(what, source, errand.to, text)
        if is_taken:
            if errand.report is not None:
                to, report = errand.report
                self._push(now + self.delay, _with_time(report, self._now(now)), _digits(to))
        elif errand.attempts < _RETRIES:
            errand.attempts += 1
            errand.at = now + _RETRY
            heapq.heappush(self._errands, errand)

    def _push(
        self,
        at: float,
        pdu: Deliver | StatusReport,
        to: str,
        report: tuple[str, StatusReport] | None = None,
    ) -> None:
        heapq.heappush(self._errands, _Errand(at, next(self._number), pdu, to, report=report))

    def _delivery(self, source: str, submit: Submit, at: Timestamp) -> Deliver:
        return Deliver(
            Address.of(source),
            at,
            submit.user_data,
            submit.data_coding,
            submit.protocol_id,
            has_status_report=submit.wants_status_report,
            has_reply_path=submit.has_reply_path,
        )

    def _timestamp(self, pair: str, now: float) -> Timestamp:
        """Between two numbers no time stamp comes twice: they tell messages apart (TS 23.040 §9.2.3.11)."""
        at = max(int(self.posix(now)), self._last_at.get(pair, 0) + 1)
        self._last_at[pair] = at
        return Timestamp.at(at)

    def _now(self, now: float) -> Timestamp:
        return Timestamp.at(self.posix(now))

    def _note(self, what: str, source: str, destination: str, text: str) -> None:
        self.journal.append(Journal(what, source, destination, text))


def _digits(number: str) -> str:
    return number.lstrip("+").removeprefix("00")


def _with_status(report: StatusReport, status: int) -> StatusReport:
    return StatusReport(
        report.message_reference, report.recipient, report.timestamp, report.discharged, status
    )


def _with_time(report: StatusReport, at: Timestamp) -> StatusReport:
    delivered = fate(report.status) is Fate.DELIVERED
    return StatusReport(
        report.message_reference,
        report.recipient,
        report.timestamp,
        at if delivered else report.discharged,
        report.status,
    )
