"""A session of SMPP, either end of it (SMPP 3.4 §2, SMPP 5.0 §2): octets in, events out.

One read becomes one event with all its requests and one with all the answers it brought; what is sent
gathers until ``data_to_send`` takes it. Requests are numbered and wait in a window for their answers,
whose order does not matter. What is wrong with a request the session answers by itself.
"""

from __future__ import annotations

from typing import Any, cast

from ..errors import LocalProtocolError
from .checks import check
from .codec import pack, parse_pdus
from .commands import Status
from .events import Answer, Event, RequestsFailed, RequestsReceived, ResponsesReceived
from .layout import COMMANDS
from .link import WITHOUT_TLVS, Link
from .pdu import Bind, EnquireLink, Malformed, Outbind, Pdu, Request, Response
from .states import BOUND, BOUND_AS, MESSAGES, RESPONSE_TO, Role, State
from .tlv import Tag, Tlvs

__all__ = ["Session"]

_MAX_UNBOUND_SIZE = 1024  # of a PDU from somebody who has not bound yet
_ANSWERS: frozenset[type[Any]] = frozenset(RESPONSE_TO[kind] for kind in MESSAGES if kind in RESPONSE_TO)


class Session(Link):
    """One connection between an ESME and a message centre."""

    # -- the verbs of an engine

    def receive_data(self, data: bytes, now: float) -> None:
        """Octets came."""
        if self.state is State.CLOSED:
            return
        self._pulse.hear(now)
        if self._buffer:
            data = self._buffer + data
        size = self.config.max_pdu_size if self.state in BOUND else _MAX_UNBOUND_SIZE
        pdus, end = parse_pdus(data, 0, size)
        self._buffer = data[end:] if end < len(data) else b""
        self._pulse.note_rest(is_partial=bool(self._buffer), is_new=end > 0, now=now)
        self._hear(pdus, now)

    def receive_eof(self, now: float) -> None:
        """The connection has ended."""
        self._close("closed by the remote end")

    def data_to_send(self) -> bytes:
        """What is to be written now."""
        if not self._output:
            return b""
        output, self._output = self._output, []
        return b"".join(output)

    def next_event(self) -> Event | None:
        """News for the owner."""
        return self._events.popleft() if self._events else None

    def next_timer(self) -> float | None:
        """When to be called again."""
        if self.state is State.CLOSED:
            return None
        end = self._pulse.end_at(is_bound=self.is_bound)
        first = self._window.first_sent_at()
        times = [
            end[0] if end is not None else None,
            first + self.config.response_timeout if first is not None else None,
            self._pulse.enquire_at(is_bound=self.is_bound),
            self._pulse.inactive_at(is_bound=self.is_bound and not self._ending.is_ours),
            self._ending.next_at(),
        ]
        return min((at for at in times if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if self.state is State.CLOSED:
            return
        end = self._pulse.end_at(is_bound=self.is_bound)
        if end is not None and now >= end[0]:
            self._close(end[1])
            return
        if late := self._window.expire(now - self.config.response_timeout):
            self._events.append(RequestsFailed(late, "no answer in time"))
            self._end_if_idle(now)
        if (at := self._pulse.enquire_at(is_bound=self.is_bound)) is not None and now >= at:
            self._output.append(pack(EnquireLink(), self._window.number()))
            self._pulse.enquire(now)
        self._tend_end(now)

    # -- what the owner asks for

    def bind(self, request: Bind, now: float) -> None:
        """Ask the message centre for a session."""
        self._demand(type(request))
        if self._binding is not None:
            raise LocalProtocolError("a bind waits for its answer")
        self.version = min(request.interface_version, self.config.version)
        number = self._window.number()
        self._binding = request._replace(sequence_number=number)
        self._pulse.opened_at = now
        self._output.append(pack(request, number))

    def outbind(self, request: Outbind, now: float) -> None:
        """Ask the ESME to bind."""
        self._demand(Outbind)
        self._output.append(pack(request, self._window.number()))
        self._pulse.opened_at = now
        self._enter(State.OUTBOUND)

    def accept(self, now: float, *, version: int = 0xFF) -> None:
        """Let the ESME in that asked with BindReceived; nothing newer than ``version`` is spoken with it."""
        request = self._take_binding()
        self.version = min(request.interface_version, self.config.version, version)
        tlvs: Tlvs = ()
        if self.version > WITHOUT_TLVS:
            tlvs = ((Tag.SC_INTERFACE_VERSION, bytes((self.version,))),)
        self._enter(BOUND_AS[type(request)])
        self._pulse.busy_at = now
        self._respond(type(request), request.sequence_number, self.config.system_id, tlvs)

    def refuse(self, status: int) -> None:
        """Do not let it in; the session is over."""
        request = self._take_binding()
        self._respond_error(COMMANDS[type(request)], request.sequence_number, status)
        self._close("bind refused")

    @property
    def room(self) -> int:
        """How many more requests may be sent now."""
        is_open = self.is_bound and not self._ending.has_begun
        return max(0, self.max_window - len(self._window)) if is_open else 0

    @property
    def outstanding(self) -> int:
        """How many requests wait for their answers."""
        return len(self._window)

    @property
    def strays(self) -> int:
        """How many answers came that nothing waited for."""
        return self._window.strays

    def send(self, request: Request, context: object, now: float) -> None:
        """Send a message or a question about one; its answer comes with the context."""
        kind = type(request)
        self._demand(kind)
        if len(self._window) >= self.max_window:
            raise LocalProtocolError("the window is full")
        if self.version <= WITHOUT_TLVS and "tlvs" in request._fields:
            request = request._replace(tlvs=())  # type: ignore[call-arg]
        self._pulse.busy_at = now
        response = RESPONSE_TO.get(kind)
        number = self._window.number() if response is None else self._window.open(context, response, now)
        try:
            self._output.append(pack(request, number))
        except LocalProtocolError:
            self._window.forget(number)
            raise

    def answer(self, response: Response, now: float) -> None:
        """Answer a request that came; its sequence_number says which."""
        if self.unanswered:
            self.unanswered -= 1
        if self.state is State.CLOSED:
            return
        if self.version <= WITHOUT_TLVS and getattr(response, "tlvs", None):
            response = response._replace(tlvs=())  # type: ignore[call-arg]
        self._output.append(pack(response))
        if not self.unanswered:
            if self._ending.asked_by_remote is not None:
                self._answer_unbind()
            else:
                self._end_if_idle(now)

    def close(self, reason: str) -> None:
        """End at once."""
        self._close(reason)

    # -- what came

    def _hear(self, pdus: list[Pdu | Malformed], now: float) -> None:
        requests: list[Request] = []
        answers: list[Answer] = []
        messages = self._messages
        for pdu in pdus:
            kind = type(pdu)
            if kind in messages:
                if self._is_fit(cast(Request, pdu)):
                    requests.append(cast(Request, pdu))
            elif kind in _ANSWERS:
                answer = self._window.close(cast(Response, pdu))
                if answer is not None:
                    answers.append(answer)
            else:
                self._flush(requests, answers)
                requests, answers = [], []
                self._control(pdu, now)
                messages = self._messages
                if self.state is State.CLOSED:
                    return
        if requests or answers:
            self._pulse.busy_at = now
            self._flush(requests, answers)
            self._end_if_idle(now)

    def _flush(self, requests: list[Request], answers: list[Answer]) -> None:
        if answers:
            self._note_congestion(answers[-1][1])
            self._events.append(ResponsesReceived(answers))
        if requests:
            self._events.append(RequestsReceived(requests))

    def _is_fit(self, request: Request) -> bool:
        """Whether a message is for the owner; else it is answered here."""
        if self.role is Role.MC and (wrong := check(request, self.version)) is not None:
            self._refuse(COMMANDS[type(request)], request.sequence_number, *wrong)
            return False
        if type(request) not in RESPONSE_TO:  # alert_notification
            return True
        if self.unanswered >= self.config.max_unanswered:
            self._refuse(
                COMMANDS[type(request)], request.sequence_number, Status.RTHROTTLED, "too many unanswered"
            )
            return False
        self.unanswered += 1
        return True
