"""What modems receive: on the disk first, deleted or acknowledged to the network then."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from switchroom.protocols.gsm.modem import Garbled, Handle, MessageReceived, StatusReportReceived

from ..book import Log
from ..interfaces import NO_ROUTE, Centre, Refusal, Submission
from .incoming import read_message, read_report
from .memory import Memory
from .sends import Sends, tail_of

if TYPE_CHECKING:
    from switchroom.switch.net import Clock

    from .unit import Unit

__all__ = ["Arrivals"]

_KEPT = frozenset({"throttled", "queue-full", "broken", NO_ROUTE.word})  # it may be taken another time
_MAX_LOGGED = 1000
_MAX_HELD = 1000


class Arrivals:
    """From the modems of all pools to the centre."""

    def __init__(self, centre: Centre, memory: Memory, sends: Sends, clock: Clock, log: Log) -> None:
        self._centre, self._memory, self._sends = centre, memory, sends
        self._clock, self._log = clock, log
        self._held: list[tuple[Unit, StatusReportReceived]] = []
        self._logged: OrderedDict[str, None] = OrderedDict()

    def receive(
        self, unit: Unit, event: MessageReceived | StatusReportReceived | Garbled, now: float
    ) -> None:
        """Something came."""
        if isinstance(event, MessageReceived):
            unit.counts["received"] += 1
            submission = read_message(event, f"modem:{unit.name}", unit.number)
            self._centre.submit([submission], now, _Answer(self, unit))
        elif isinstance(event, StatusReportReceived):
            unit.counts["reports"] += 1
            self._on_report(unit, event, now)
        else:
            unit.counts["garbled"] += 1
            values = {"reason": event.reason, "octets": event.line[:400]}
            self._log.warning("modem.garbled", modem=unit.name, **values)
            self._acknowledge(unit, event.handle, now)

    def _acknowledge(self, unit: Unit, handle: Handle, now: float, *, is_taken: bool = True) -> None:
        unit.modem.acknowledge(handle, now, is_taken=is_taken)
        unit.turn(now)

    # -- messages

    def answered(self, unit: Unit, submission: Submission, result: int | Refusal, now: float) -> None:
        """The centre has a message, or does not take it."""
        is_taken = not isinstance(result, Refusal)
        if isinstance(result, Refusal):
            unit.counts["refused"] += 1
            self._log_once(unit, submission, result)
            is_taken = result.word not in _KEPT
        self._acknowledge(unit, submission.context, now, is_taken=is_taken)

    def _log_once(self, unit: Unit, submission: Submission, refusal: Refusal) -> None:
        """What stays in the modem is offered again and again."""
        if submission.key in self._logged:
            return
        self._logged[submission.key] = None
        if len(self._logged) > _MAX_LOGGED:
            self._logged.popitem(last=False)
        self._log.warning(
            "modem.message_kept" if refusal.word in _KEPT else "modem.message_refused",
            modem=unit.name,
            source=submission.source.number,
            destination=submission.destination.number,
            reason=refusal.text or refusal.word,
        )

    # -- reports

    def _on_report(self, unit: Unit, event: StatusReportReceived, now: float) -> None:
        send = self._sends.find(unit.sim, event.report)
        if send is not None and not send.is_wanted:
            self._acknowledge(unit, event.handle, now)
        elif send is not None:
            self._receive(unit, event, send.id, now)
        elif unit.is_sending_to(tail_of(event.report.recipient)) and len(self._held) < _MAX_HELD:
            self._held.append((unit, event))  # it overtook the answer to what it is about
        else:
            self._memory.find(
                unit.owner.name,
                unit.sim,
                event.report,
                lambda id, at: self._receive(unit, event, id or _unknown(unit, event), at),
            )

    def _receive(self, unit: Unit, event: StatusReportReceived, id: str, now: float) -> None:
        receipt = read_report(event.report, id)
        self._centre.receive_receipts(unit.owner, [receipt], now, self._on_received, (unit, event.handle))

    def _on_received(self, context: Any, now: float) -> None:
        unit, handle = context
        self._acknowledge(unit, handle, now)

    def look_again(self, unit: Unit) -> None:
        """A message of a modem was answered for: reports may have waited for that."""
        held, self._held = self._held, []
        for other, event in held:
            if other is unit:
                self._on_report(unit, event, self._clock.now())
            else:
                self._held.append((other, event))


class _Answer:
    """Where the centre's answer to a message of a modem goes."""

    __slots__ = ("_arrivals", "_unit")

    def __init__(self, arrivals: Arrivals, unit: Unit) -> None:
        self._arrivals, self._unit = arrivals, unit

    def __call__(self, batch: Sequence[Submission], results: Sequence[int | Refusal], now: float) -> None:
        for submission, result in zip(batch, results, strict=True):
            self._arrivals.answered(self._unit, submission, result, now)


def _unknown(unit: Unit, event: StatusReportReceived) -> str:
    report = event.report
    return f"{unit.sim}-{report.recipient.digits}-{report.message_reference}"
