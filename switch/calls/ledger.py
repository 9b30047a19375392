"""The books of the exchange: a record for each call, its verdict, and what is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from switchroom.protocols import sip
from switchroom.switch.calls import verdict
from switchroom.switch.calls.routing import ToTrunk, ToUser, show_destination
from switchroom.switch.calls.routing.plan import Plan
from switchroom.switch.store.record import Record

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call
    from switchroom.switch.calls.rules import Caller
    from switchroom.switch.net.clock import Clock
    from switchroom.switch.store import RecordStore


class Log(Protocol):
    """What the exchange needs of a logger."""

    def info(self, event: str, **values: object) -> object: ...
    def warning(self, event: str, **values: object) -> object: ...


class Ledger:
    """Opens and closes records."""

    def __init__(self, records: RecordStore, clock: Clock, log: Log) -> None:
        self.records = records
        self.started = 0
        self.ended: dict[int, int] = {}  # cause -> calls that ended with it
        self._clock = clock
        self._log = log

    def open(
        self, request: sip.Request, caller: Caller, number: str, shown: str, plan: Plan | None, now: float
    ) -> Record:
        """The record of a call that begins."""
        self.started += 1
        to_user, trunk = "", ""
        if plan is not None and plan.steps:
            step = plan.steps[0]
            leap = step.leaps[0]
            to = leap.destination
            if isinstance(to, ToUser):
                to_user = to.name
            elif isinstance(to, ToTrunk):
                to_user = trunk = to.name
            else:
                to_user = show_destination(to)
        record = Record(self._clock.posix(now), request.call_id, "", shown, number, caller.account, to_user)
        record.trunk = trunk
        return record

    def refused(self, record: Record, status: int, reason: str, plan: Plan | None, why: str) -> None:
        """A call that never began still leaves a record."""
        record.end_at = record.setup_at
        more = f": {why}" if why and why != reason else ""
        record.verdict = f"refused by the switch with {status} {reason}{more}"
        if plan is not None:
            record.explanation = plan.tell()
        self._close(record, status, reason, "switch")
        self._log.info(
            "call.refused", call=record.id, caller=record.caller, callee=record.callee, status=status
        )

    def served(self, record: Record, verdict: str) -> None:
        """What was dialled asked the switch itself for something."""
        record.answer_at = record.end_at = record.setup_at
        record.verdict = verdict
        self._close(record, 200, "OK", "switch")
        self._log.info(
            "call.served", call=record.id, caller=record.caller, callee=record.callee, what=verdict
        )

    def over(self, call: Call, cause: int, reason: str, ended_by: str, now: float) -> None:
        """Close the record of a call."""
        record = call.record
        report = call.media.close()
        record.codecs, record.media_a, record.media_b = report.codecs, report.a, report.b
        if reason == "crash" and call.doubted_since is not None and call.answered_at is not None:
            ended_at = max(call.doubted_since, call.answered_at)  # later nobody knows of it
        else:
            ended_at = now
        record.end_at = self._clock.posix(ended_at)
        record.duration = 0.0 if call.answered_at is None else ended_at - call.answered_at
        record.verdict = "; ".join((verdict.of(call, cause, reason, ended_by, now), *report.troubles))
        if call.plan is not None:
            record.explanation = call.plan.tell()
        self._close(record, cause, reason, ended_by)
        self._log.info(
            "call.ended",
            call=call.id,
            caller=record.caller,
            callee=record.callee,
            cause=cause,
            ended_by=ended_by,
            reason=reason,
            seconds=int(1000 * record.duration + 0.5) / 1000,
        )

    def _close(self, record: Record, cause: int, reason: str, ended_by: str) -> None:
        record.cause, record.reason, record.ended_by = cause, reason, ended_by
        self.ended[cause] = self.ended.get(cause, 0) + 1
        self.records.close(record)
