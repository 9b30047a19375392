"""Messages for everybody in an area (SMPP 5.0 §4.4 to §4.6): carriers send them, and are asked about them.

They wait on the disk as all messages do; what is asked about one that a carrier has is passed on to it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from switchroom.protocols import smpp
from switchroom.protocols.smpp import Status, Tag

from ..interfaces import BROADCAST, Address, Centre, Refusal, Standing, State, Submission
from ..texts import is_broadcast
from .addresses import read_address, read_id
from .line import Line
from .lines import Lines
from .receipts import state_of
from .times import to_posix

__all__ = ["Broadcasts", "read_broadcast_sm"]

_LATIN_1 = 3  # data_coding
_UNKNOWN_SUCCESS = b"\xff"  # of an area: there is nothing to tell yet
_FAILED: dict[type[Any], Status] = {
    smpp.QueryBroadcastSm: Status.RBCASTQUERYFAIL,
    smpp.CancelBroadcastSm: Status.RBCASTCANCELFAIL,
}


def read_broadcast_sm(
    pdu: smpp.BroadcastSm, inlet: str, now: float, *, is_latin: bool = False, context: Any = None
) -> Submission:
    """The message of broadcast_sm; ``now`` is in seconds since 1970."""
    return Submission(
        inlet,
        read_address(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr),
        BROADCAST,
        smpp.value_of(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b"",
        _LATIN_1 if is_latin and pdu.data_coding == 0 else pdu.data_coding,
        service_type=pdu.service_type,
        priority=min(pdu.priority_flag, 3),
        schedule_at=to_posix(pdu.schedule_delivery_time, now),
        expires_at=to_posix(pdu.validity_period, now),
        tlvs=tuple((tag, value) for tag, value in pdu.tlvs if tag != Tag.MESSAGE_PAYLOAD),
        context=context,
    )


class Broadcasts:
    """What a customer asks about its broadcasts."""

    def __init__(self, inlet: str, centre: Centre, lines: Lines) -> None:
        self._inlet, self._centre, self._lines = inlet, centre, lines

    def ask(self, line: Line, request: smpp.QueryBroadcastSm | smpp.CancelBroadcastSm, now: float) -> None:
        """query_broadcast_sm and cancel_broadcast_sm."""
        id = read_id(request.message_id)
        self._centre.handed(id, self._inlet, now, self._on_known, (line, request))

    def _on_known(self, context: Any, answer: Any, now: float) -> None:
        _, request = context
        if isinstance(answer, Refusal) or not is_broadcast(answer[0].submission):
            self._say(context, Status.RINVMSGID, now)
            return
        standing, remote_id, source = answer
        asking = read_address(request.source_addr_ton, request.source_addr_npi, request.source_addr)
        if asking.number and asking.number != standing.submission.source.number:
            self._say(context, _FAILED[type(request)], now)
        elif standing.state is State.SENT and remote_id:
            self._relay(context, standing, remote_id, source, now)
        elif isinstance(request, smpp.QueryBroadcastSm):
            self._tell(context, standing, now)
        else:
            self._centre.cancel(standing.id, self._inlet, now, self._on_cancelled, context)

    def _relay(self, context: Any, standing: Standing, remote_id: str, source: Address, now: float) -> None:
        """The carrier has it: it knows."""
        _, request = context
        carrier = self._lines.carrier_of(standing.outlet)
        if carrier is not None:
            ton, npi, number = carrier.numbering.write(source)
            asked = request._replace(
                message_id=remote_id,
                source_addr_ton=ton,
                source_addr_npi=npi,
                source_addr=number,
                tlvs=(),
                sequence_number=0,
            )
            if carrier.ask(asked, partial(self._on_relayed, context, standing), now):
                return
        self._say(context, _FAILED[type(request)], now)

    def _on_relayed(self, context: Any, standing: Standing, response: Any, now: float) -> None:
        line, request = context
        if response is None or response.status:
            self._say(context, _FAILED[type(request)] if response is None else response.status, now)
            return
        answer = response._replace(sequence_number=request.sequence_number)
        state: State | None = State.DELETED
        if isinstance(request, smpp.QueryBroadcastSm):
            answer = answer._replace(message_id=request.message_id)
            state = state_of(smpp.integer(response.tlvs, Tag.MESSAGE_STATE))
        if state is not None:
            self._centre.conclude(standing.id, self._inlet, state, now)
        line.session.answer(answer, now)
        line.turn_soon()

    def _tell(self, context: Any, standing: Standing, now: float) -> None:
        """No carrier has it, or it is done with: what we know ourselves (SMPP 5.0 §4.6.1.3)."""
        line, request = context
        areas = [value for tag, value in standing.submission.tlvs if tag == Tag.BROADCAST_AREA_IDENTIFIER]
        tlvs: list[tuple[int, bytes]] = [(Tag.MESSAGE_STATE, bytes((standing.state.smpp,)))]
        for area in areas:
            tlvs += [(Tag.BROADCAST_AREA_IDENTIFIER, area), (Tag.BROADCAST_AREA_SUCCESS, _UNKNOWN_SUCCESS)]
        number = request.sequence_number
        line.session.answer(smpp.QueryBroadcastSmResp(request.message_id, tuple(tlvs), 0, number), now)
        line.turn_soon()

    def _on_cancelled(self, context: Any, answer: Any, now: float) -> None:
        status = Status.RBCASTCANCELFAIL if isinstance(answer, Refusal) else Status.ROK
        self._say(context, status, now)

    def _say(self, context: Any, status: int, now: float) -> None:
        line, request = context
        response: Any = smpp.RESPONSE_TO[type(request)]
        line.session.answer(response(status=status, sequence_number=request.sequence_number), now)
        line.turn_soon()
