"""What keeps a session up and ends it: bind, outbind, enquire_link, unbind, and what is wrong with PDUs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, cast

from ..errors import LocalProtocolError
from .codec import pack
from .commands import RESPONSE, CommandId, Status
from .ending import Ending
from .events import (
    BindReceived,
    BindRefused,
    Bound,
    Closed,
    Event,
    OutbindReceived,
    RequestRefused,
    RequestsFailed,
    ResponsesReceived,
    UnbindReceived,
)
from .layout import COMMANDS
from .pdu import (
    Bind,
    BindReceiverResp,
    BindResp,
    BindTransceiverResp,
    BindTransmitterResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Malformed,
    Outbind,
    Pdu,
    Response,
    Unbind,
    UnbindResp,
)
from .pulse import Pulse, SessionConfig
from .states import ALLOWED, BOUND, BOUND_AS, MESSAGES, OTHER, RESPONSE_TO, Role, State
from .tlv import Tag, Tlvs, integer
from .window import Window

__all__ = ["WITHOUT_TLVS", "Link"]

_MAX_UNBOUND_ERRORS = 5
WITHOUT_TLVS = 0x33  # and older: whoever speaks that knows no optional parameters (§3.3)


class Link:
    """A session but for its messages."""

    def __init__(self, role: Role, config: SessionConfig, now: float) -> None:
        self.role, self.config = role, config
        self.state = State.OPEN
        self.version = config.version  # of the interface, once the session is bound: what both speak
        self.unanswered = 0  # requests received that the owner has not answered yet
        self.errors = 0
        self.congestion: int | None = None  # what the message centre says of itself: 0 idle, 100 congested
        self.max_window = config.window
        self._window = Window()
        self._buffer = b""
        self._output: list[bytes] = []
        self._events: deque[Event] = deque()
        self._pulse = Pulse(config, now)
        self._ending = Ending()
        self._binding: Bind | None = None  # sent, or received and not answered
        self._enter(State.OPEN)

    @property
    def is_bound(self) -> bool:
        """Whether messages may pass."""
        return self.state in BOUND

    def can_send(self, kind: type[Pdu]) -> bool:
        """Whether this request is ours to send in this state."""
        return kind in self._allowed and not self._ending.is_ours

    def unbind(self, now: float) -> None:
        """End the session when what we sent is answered, or has had its time; send nothing more."""
        if not self.is_bound:
            self._close("not bound")
        else:
            self._ending.want(now + self.config.response_timeout)
            self._end_if_idle(now)

    def _tend_end(self, now: float) -> None:
        is_staying = self.is_bound and not self._ending.is_ours
        if (at := self._pulse.inactive_at(is_bound=is_staying)) is not None and now >= at:
            self.unbind(now)
        if (at := self._ending.next_at()) is None or now < at:
            return
        if self._ending.is_wanted:
            self._send_unbind(now)
        elif self._ending.asked_by_remote is not None:
            self._answer_unbind()
        else:
            self._close("unbind was not answered")

    # -- what came

    def _control(self, pdu: Pdu | Malformed, now: float) -> None:
        kind: type[Any] = type(pdu)
        if kind is Malformed:
            self._on_malformed(cast(Malformed, pdu))
        elif (react := _REACTIONS.get(kind)) is not None and (
            COMMANDS[kind] & RESPONSE or kind in ALLOWED[OTHER[self.role], self.state]
        ):
            react(self, pdu, now)
        else:
            self._on_unexpected(cast(Pdu, pdu))

    def _on_malformed(self, malformed: Malformed) -> None:
        command_id, number, status, reason, is_fatal = malformed
        if is_fatal:
            self._output.append(pack(GenericNack(status, number)))
            self._close(reason)
        elif command_id & RESPONSE:
            self._count_error()  # whether the message was taken cannot be read: its time will run out
        else:
            self._refuse(command_id, number, status, reason)
            self._count_error()

    def _on_unexpected(self, pdu: Pdu) -> None:
        """A request that is not the other end's to send, or not now (table 2-1)."""
        command_id = COMMANDS[type(pdu)]
        if not command_id & RESPONSE:
            is_bind = type(pdu) in BOUND_AS and self.role is Role.MC
            status = Status.RALYBND if is_bind and self.is_bound else Status.RINVBNDSTS
            name = self.state.name.lower()
            self._refuse(command_id, pdu.sequence_number, status, f"not allowed in state {name}")
        self._count_error()

    def _count_error(self) -> None:
        self.errors += 1
        if self.errors >= self.config.max_errors or (
            not self.is_bound and self.errors >= _MAX_UNBOUND_ERRORS
        ):
            self._close("too many errors")

    def _on_bind(self, request: Bind, now: float) -> None:
        if self._binding is not None:
            self._refuse(COMMANDS[type(request)], request.sequence_number, Status.RALYBND, "a second bind")
            self._count_error()
            return
        self._binding = request
        self._events.append(BindReceived(request))

    def _on_bind_resp(self, response: BindResp, now: float) -> None:
        request = self._binding
        if request is None or self.role is not Role.ESME or RESPONSE_TO[type(request)] is not type(response):
            self._window.strays += 1
            return
        self._binding = None
        if response.status:
            self._events.append(BindRefused(response.status))
            self._close("bind refused")
            return
        remote = integer(response.tlvs, Tag.SC_INTERFACE_VERSION)
        if remote:  # not told: what we asked for is spoken (SMPP 5.0 §2.6)
            self.version = min(self.version, remote)
        self._enter(BOUND_AS[type(request)])
        self._pulse.busy_at = now
        self._note_congestion(response)
        self._events.append(Bound(response))

    def _on_outbind(self, request: Outbind, now: float) -> None:
        self._enter(State.OUTBOUND)
        self._pulse.opened_at = now
        self._events.append(OutbindReceived(request))

    def _on_enquire_link(self, request: EnquireLink, now: float) -> None:
        self._output.append(pack(EnquireLinkResp(), request.sequence_number))

    def _on_enquire_link_resp(self, response: EnquireLinkResp, now: float) -> None:
        pass  # any octet shows that the other end is there

    def _on_unbind(self, request: Unbind, now: float) -> None:
        if self._ending.asked_by_remote is not None:
            return
        self._ending.ask(request.sequence_number, now + self.config.response_timeout)
        self._events.append(UnbindReceived())
        if not self.unanswered:
            self._answer_unbind()

    def _on_unbind_resp(self, response: UnbindResp, now: float) -> None:
        if self._ending.sent is not None:
            self._close("unbound")

    def _on_generic_nack(self, nack: GenericNack, now: float) -> None:
        """Some answer everything they do not know with it, whatever was asked."""
        number = nack.sequence_number
        if self._binding is not None and self.role is Role.ESME and number == self._binding.sequence_number:
            self._events.append(BindRefused(nack.status or Status.RINVCMDID))
            self._close("bind refused")
        elif number == self._ending.sent:
            self._close("unbound")
        elif (answer := self._window.close(nack)) is not None:
            self._events.append(ResponsesReceived([answer]))

    def _note_congestion(self, response: Response) -> None:
        tlvs: Tlvs = getattr(response, "tlvs", ())
        if tlvs and (state := integer(tlvs, Tag.CONGESTION_STATE)) is not None:
            self.congestion = min(state, 100)

    # -- what goes out by itself

    def _refuse(self, command_id: int, number: int, status: Status, reason: str) -> None:
        self._respond_error(command_id, number, status)
        name = CommandId(command_id).name.lower() if command_id in _NAMED else f"0x{command_id:08X}"
        self._events.append(RequestRefused(name, status, reason))

    def _respond_error(self, command_id: int, number: int, status: int) -> None:
        """The response of that request without a body, else generic_nack (§4.3)."""
        response = _RESPONSES.get(command_id, GenericNack)
        self._output.append(pack(response(status=status, sequence_number=number)))

    def _respond(self, request: type[Pdu], number: int, system_id: str, tlvs: Tlvs) -> None:
        response = cast(Callable[..., Pdu], RESPONSE_TO[request])
        self._output.append(pack(response(system_id, tlvs, 0, number)))

    def _answer_unbind(self) -> None:
        assert self._ending.asked_by_remote is not None
        self._output.append(pack(UnbindResp(), self._ending.asked_by_remote))
        self._enter(State.UNBOUND)
        self._close("unbound by the remote end")

    def _end_if_idle(self, now: float) -> None:
        if self._ending.is_wanted and not len(self._window) and not self.unanswered:
            self._send_unbind(now)

    def _send_unbind(self, now: float) -> None:
        number = self._window.number()
        self._ending.send(number, now + self.config.response_timeout)
        self._output.append(pack(Unbind(), number))

    # -- states and times

    def _enter(self, state: State) -> None:
        self.state = state
        self._messages = ALLOWED[OTHER[self.role], state] & MESSAGES
        self._allowed = ALLOWED[self.role, state]

    def _close(self, reason: str) -> None:
        if self.state is State.CLOSED:
            return
        self._enter(State.CLOSED)
        self._buffer = b""
        if contexts := self._window.clear():
            self._events.append(RequestsFailed(contexts, reason))
        self._events.append(Closed(reason))

    def _demand(self, kind: type[Pdu]) -> None:
        if not self.can_send(kind):
            name = COMMANDS[kind].name.lower()
            raise LocalProtocolError(f"{name} is not sent by {self.role.name} in {self.state.name}")

    def _take_binding(self) -> Bind:
        if self._binding is None or self.role is not Role.MC:
            raise LocalProtocolError("no bind waits for an answer")
        request, self._binding = self._binding, None
        return request


_RESPONSES: dict[int, Callable[..., Response]] = {
    int(COMMANDS[request]): cast(Callable[..., Response], response)
    for request, response in RESPONSE_TO.items()
}
_NAMED = frozenset(map(int, CommandId))

_REACTIONS: dict[type[Any], Callable[[Link, Any, float], None]] = {
    **dict.fromkeys(BOUND_AS, Link._on_bind),
    **dict.fromkeys((BindTransmitterResp, BindReceiverResp, BindTransceiverResp), Link._on_bind_resp),
    Outbind: Link._on_outbind,
    EnquireLink: Link._on_enquire_link,
    EnquireLinkResp: Link._on_enquire_link_resp,
    Unbind: Link._on_unbind,
    UnbindResp: Link._on_unbind_resp,
    GenericNack: Link._on_generic_nack,
}
