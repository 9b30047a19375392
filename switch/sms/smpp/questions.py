"""What customers ask about their messages: query, cancel, replace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from switchroom.protocols import smpp
from switchroom.protocols.smpp import Status

from ..interfaces import (
    NO_SUCH_MESSAGE,
    NOT_REPLACEABLE,
    TOO_LATE,
    Centre,
    Refusal,
    Standing,
    State,
    Submission,
)
from .addresses import read_address, read_id
from .broadcasts import Broadcasts
from .line import Line
from .lines import Lines
from .multi import is_name, standing_of_all
from .times import to_absolute, to_posix

__all__ = ["Questions"]


class Questions:
    """Passes them to the centre, and its answers back."""

    def __init__(self, inlet: str, centre: Centre, lines: Lines) -> None:
        self._inlet, self._centre, self._lines = inlet, centre, lines
        self._broadcasts = Broadcasts(inlet, centre, lines)

    def ask(self, line: Line, request: smpp.Request, now: float) -> None:
        """Any request that submits nothing."""
        context = line, request
        if isinstance(request, smpp.CancelSm) and not request.message_id:
            self._cancel_all(line, request, now)
        elif isinstance(request, smpp.QuerySm | smpp.CancelSm | smpp.ReplaceSm):
            text = request.message_id
            if is_name(text):
                self._centre.members(text, self._inlet, now, self._on_members, context)
                return
            id = read_id(text)
            if isinstance(request, smpp.QuerySm):
                self._centre.query(id, self._inlet, now, self._on_query, context)
            elif isinstance(request, smpp.CancelSm):
                self._centre.cancel(id, self._inlet, now, self._on_done, context)
            else:
                self._centre.query(id, self._inlet, now, self._on_replaced_known, context)
        elif isinstance(request, smpp.QueryBroadcastSm | smpp.CancelBroadcastSm):
            self._broadcasts.ask(line, request, now)
        else:
            self._answer(line, request, Status.RINVCMDID, now)

    def _cancel_all(self, line: Line, request: smpp.CancelSm, now: float) -> None:
        source = read_address(request.source_addr_ton, request.source_addr_npi, request.source_addr)
        to = read_address(request.dest_addr_ton, request.dest_addr_npi, request.destination_addr)
        self._centre.cancel_all(
            source.number,
            to.number,
            request.service_type,
            self._inlet,
            now,
            self._on_cancelled,
            (line, request),
        )

    def _on_query(self, context: Any, answer: Any, now: float) -> None:
        line, request = context
        if isinstance(answer, Refusal):
            status = Status.RINVMSGID if answer.smpp == Status.RINVMSGID else Status.RQUERYFAIL
            self._answer(line, request, status, now)
            return
        standing: Standing = answer
        source = read_address(request.source_addr_ton, request.source_addr_npi, request.source_addr)
        if source.number and source.number != standing.submission.source.number:
            self._answer(line, request, Status.RQUERYFAIL, now)
            return
        error = standing.error[:3]
        response = smpp.QuerySmResp(
            request.message_id,
            to_absolute(standing.changed_at) if standing.state.is_final else "",
            standing.state.smpp,
            int(error) % 256 if error.isascii() and error.isdigit() else 0,
            sequence_number=request.sequence_number,
        )
        line.session.answer(response, now)
        line.turn_soon()

    def _on_replaced_known(self, context: Any, answer: Any, now: float) -> None:
        """What stays of the message is known: replace the rest (SMPP 3.4 §4.10)."""
        line, request = context
        if isinstance(answer, Refusal):
            self._on_done(context, answer, now)
            return
        if answer.state is State.DELETED:
            self._answer(line, request, Status.RREPLACEFAIL, now)
        else:
            new = _replacement(answer.submission, request, self._lines.clock.posix(now))
            self._centre.replace(answer.id, new, now, self._on_done, context)

    def _on_members(self, context: Any, found: Sequence[Standing], now: float) -> None:
        """What was asked by the name of a submit_multi is for all its receivers."""
        _, request = context
        if not found:
            self._on_done(context, NO_SUCH_MESSAGE, now)
        elif isinstance(request, smpp.QuerySm):
            self._on_query(context, standing_of_all(found), now)
        else:
            self._order_all([one for one in found if not one.state.is_final], context, now)

    def _order_all(self, waiting: Sequence[Standing], context: Any, now: float) -> None:
        _, request = context
        if isinstance(request, smpp.CancelSm) and request.destination_addr:  # of one receiver alone
            to = read_address(request.dest_addr_ton, request.dest_addr_npi, request.destination_addr)
            waiting = [one for one in waiting if one.submission.destination.number == to.number]
        if not waiting:
            refusal = TOO_LATE if isinstance(request, smpp.CancelSm) else NOT_REPLACEABLE
            self._on_done(context, refusal, now)
            return
        answers: list[Standing | Refusal] = []
        together = answers, len(waiting), context
        posix = self._lines.clock.posix(now)
        for one in waiting:
            if isinstance(request, smpp.CancelSm):
                self._centre.cancel(one.id, self._inlet, now, self._on_one_done, together)
            else:
                new = _replacement(one.submission, request, posix)
                self._centre.replace(one.id, new, now, self._on_one_done, together)

    def _on_one_done(self, together: Any, answer: Standing | Refusal, now: float) -> None:
        """With the last of several answers there is one for all: done, if one could be."""
        answers, count, context = together
        answers.append(answer)
        if len(answers) == count:
            self._on_done(context, next((a for a in answers if isinstance(a, Standing)), answer), now)

    def _on_done(self, context: Any, answer: Any, now: float) -> None:
        line, request = context
        status = Status.ROK
        if isinstance(answer, Refusal):
            known = {Status.RINVMSGID, Status.RSYSERR, Status.RMSGQFUL}
            usual = Status.RREPLACEFAIL if isinstance(request, smpp.ReplaceSm) else Status.RCANCELFAIL
            status = Status(answer.smpp) if answer.smpp in known else usual
        self._answer(line, request, status, now)

    def _on_cancelled(self, context: Any, answer: Any, now: float) -> None:
        line, request = context
        status = Status.ROK if isinstance(answer, int) and answer > 0 else Status.RCANCELFAIL
        self._answer(line, request, status, now)

    def _answer(self, line: Line, request: smpp.Request, status: Status, now: float) -> None:
        response: Any = smpp.RESPONSE_TO[type(request)]
        line.session.answer(response(status=status, sequence_number=request.sequence_number), now)
        line.turn_soon()


def _replacement(old: Submission, request: smpp.ReplaceSm, posix: float) -> Submission:
    return old._replace(
        body=smpp.value_of(request.tlvs, smpp.Tag.MESSAGE_PAYLOAD) or request.short_message,
        wish=request.registered_delivery & 0x1F,
        schedule_at=to_posix(request.schedule_delivery_time, posix) or old.schedule_at,
        expires_at=to_posix(request.validity_period, posix) or old.expires_at,
        key="",
        context=None,
    )
