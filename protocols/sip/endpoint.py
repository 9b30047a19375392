"""The engine: messages in, messages and events out (RFC 3261 §8, §12 to §18; RFC 3581, RFC 6026)."""

from __future__ import annotations

from ..errors import LocalProtocolError, RemoteProtocolError
from ..stun import Message as StunMessage
from ..stun import MessageClass as StunClass
from ..stun import is_stun
from ..stun.message import BINDING
from . import forks
from .authorization import Applicant, Authorizer
from .callee import Callee
from .caller import Caller
from .client import ClientTransaction, open_request
from .core import Core, Headers, Usage, reply_flow
from .events import Event, RequestFailed, RequestReceived, ResponseReceived
from .flow import Flow
from .message import ParseError, Request, Response, parse
from .notifier import Notifier, Source
from .refresh import SessionTiming
from .server import InviteServer, ServerTransaction, respond_at_once
from .session import Session
from .subscriber import Subscriber
from .subscription import Terms
from .survivor import SessionState, Survivor

_REPEATED = ("Via", "From", "To", "Call-ID", "CSeq")  # §8.2.6.2
_RETRY_AFTER = "5"  # seconds that we ask for when there are too many transactions


class Endpoint(Core):
    """A user agent's transactions and dialogs: no socket, no clock."""

    __slots__ = ()

    # The wire

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a datagram, whatever is in it."""
        if not data or data[0] < 32:  # no message begins with a control octet, but keep-alives do
            data = self._receive_keepalive(data, flow)
            if not data:
                return
        try:
            message = parse(data, self.limits)
        except RemoteProtocolError as error:
            self.receive_malformed(error, flow)
        else:
            self.receive_message(message, flow, now)

    def receive_message(self, message: Request | Response, flow: Flow, now: float) -> None:
        """Take a message that a stream delivered: framed and parsed."""
        try:
            if isinstance(message, Request):
                self._receive_request(message, flow, now)
            else:
                self._receive_response(message, flow, now)
        except RemoteProtocolError as error:
            request = message if isinstance(message, Request) else None
            self.receive_malformed(ParseError(str(error), status=error.status, request=request), flow)

    def receive_malformed(self, error: RemoteProtocolError, flow: Flow) -> None:
        """Answer what could not be parsed, without state, if it tells enough for an answer."""
        self.counters.parse_errors += 1
        if self.on_malformed(flow):
            return
        request = getattr(error, "request", None)
        if request is None or request.method == "ACK" or any(request.get(name) is None for name in _REPEATED):
            return
        try:
            request.stamp(flow.remote)
            to = reply_flow(request, flow)
        except RemoteProtocolError:
            to = flow  # it is the Via that is malformed: at least the source is known
        self.answer(request, to, error.status)

    def _receive_keepalive(self, data: bytes, flow: Flow) -> bytes:
        """Take line ends and STUN; what is behind line ends is a message (§7.5)."""
        if is_stun(data):
            self._receive_stun(data, flow)
            data = b""
        rest = data.lstrip(b"\r\n\0")  # over UDP line ends are no ping that wants a pong (RFC 5626 §4.4.1)
        self.counters.keepalives += not rest
        return rest

    def _receive_stun(self, data: bytes, flow: Flow) -> None:
        """Answer a binding request (RFC 5626 §4.4.2, §8)."""
        try:
            message = StunMessage.parse(data)
        except RemoteProtocolError:
            self.counters.parse_errors += 1
            return
        if message.message_class is not StunClass.REQUEST or message.method != BINDING:
            return
        if not message.unknown_required:  # an error would be twice the size of what provoked it
            self.send(bytes(message.success(flow.remote)), flow)

    # Requests

    def _receive_request(self, request: Request, flow: Flow, now: float) -> None:
        request.validate()
        method = request.method
        self.counters.count_request_in(method)
        key = request.transaction_key()
        known = self.servers.get(key)
        if method == "ACK":
            self._receive_ack(request, known, now)
            return
        request.stamp(flow.remote)
        if known is None:
            self._receive_new(request, flow, key, now)
        elif isinstance(known, ServerTransaction):
            known.receive_again()
        else:
            self.counters.retransmissions_in += 1
            if known:
                self.send_again(known, reply_flow(request, flow))

    def _receive_ack(self, request: Request, known: ServerTransaction | bytes | None, now: float) -> None:
        if isinstance(known, InviteServer) and not known.is_accepted:
            known.receive_ack(request, now)
            return
        # the ACK to a 2xx is a request of its own (§17.1.1.3), whatever branch some give it
        session = self._find_session(request)
        if session is not None:
            session.receive_ack(request, now)
        elif known is None:
            self.counters.strays += 1

    def _receive_new(self, request: Request, flow: Flow, key: str, now: float) -> None:
        if request.method == "CANCEL":
            self._receive_cancel(request, flow, key, now)
            return
        if request._to_tag() is not None:
            self._receive_inside(request, flow, key, now)
        elif request.method == "INVITE" and not request.has_contact():
            raise RemoteProtocolError("contact is missing")  # §8.1.1.8
        elif len(self.servers) >= self.max_transactions:
            self._refuse_overload(request, flow)
        else:
            self.emit(RequestReceived(request, flow, key))

    def _receive_inside(self, request: Request, flow: Flow, key: str, now: float) -> None:
        session = self._find_session(request)
        if session is None:
            self.answer(request, reply_flow(request, flow), 481)
        elif len(self.servers) >= 2 * self.max_transactions and request.method != "BYE":
            self._refuse_overload(request, flow)  # calls that are up go first, but not for ever
        else:
            session.receive_request(request, flow, key, now)

    def find_dialog(self, call_id: str, to_tag: str, from_tag: str) -> Session | None:
        """The session, answered or not, that Replaces, Join or Target-Dialog names: our tag is its To tag."""
        session = self.sessions.get(to_tag)
        if not isinstance(session, Session) or session.call_id != call_id:
            return None
        # RFC 3891 §3: "0" also means that the other end, of RFC 2543, has none
        has_remote = session.has_remote(from_tag) or (from_tag == "0" and session.has_remote(None))
        return session if has_remote else None

    def _refuse_overload(self, request: Request, flow: Flow) -> None:
        self.counters.overloads += 1
        self.answer(request, reply_flow(request, flow), 503, None, [("Retry-After", _RETRY_AFTER)])

    def _find_session(self, request: Request) -> Usage | None:
        """The session that a request names: found by our tag, which nobody can guess."""
        session = self.sessions.get(request._to_tag() or "")
        if session is None or session.call_id != request._call_id():
            return None
        if not session.has_remote(request._from_tag()):
            return None
        return session

    def _receive_cancel(self, request: Request, flow: Flow, key: str, now: float) -> None:
        invite = self.servers.get(key.removesuffix("CANCEL") + "INVITE")
        if invite is None:
            self.answer(request, reply_flow(request, flow), 481)
            return
        # §9.2: 200 whether it has an effect or not, with the INVITE's tag
        tag = invite.to_tag if isinstance(invite, ServerTransaction) else self.mint.tag_for(key)
        respond_at_once(self, key, request, reply_flow(request, flow), now, 200, tag)
        if isinstance(invite, InviteServer):
            invite.receive_cancel(request, now)

    # Responses

    def _receive_response(self, response: Response, flow: Flow, now: float) -> None:
        response.validate()
        self.counters.count_response_in(response.status)
        branch, method = response._top_branch() or "", response._method_of_number()
        known = self.clients.get(branch if method != "CANCEL" else f"{branch} CANCEL")
        if isinstance(known, ClientTransaction):
            self._receive_awaited(known, response, method, now)
        elif known is None:
            self.counters.strays += 1
        else:
            self._receive_late(known, branch, response, flow, now)

    def _receive_awaited(self, known: ClientTransaction, response: Response, method: str, now: float) -> None:
        if known.request.method == method and response.is_sent_by(known.sent_by):  # §17.1.3, §18.1.2
            known.receive(response, now)
        else:
            self.counters.strays += 1

    def _receive_late(
        self, grave: tuple[bool, str, bytes], branch: str, response: Response, flow: Flow, now: float
    ) -> None:
        """Take a response to what is finished: a final one to an INVITE gets its ACK again."""
        self.counters.retransmissions_in += 1
        is_accepted, tag, ack = grave
        if not ack or response.status < 200 or is_accepted != (response.status < 300):
            return
        if is_accepted and tag != (response._to_tag() or ""):
            forks.refuse(self, branch, response, flow, now)
        else:
            self.send_again(ack, flow)

    # What the owner hears and asks

    def next_event(self) -> Event | None:
        """The oldest news, or None."""
        while self._told < len(self._events):
            event = self._events[self._told]
            self._told += 1
            if not isinstance(event, RequestReceived) or self._is_new(event):
                return event
        if self._told:
            self._events, self._told = [], 0
        if self._over:
            self._over = []
        return None

    def _is_new(self, event: RequestReceived) -> bool:
        """Whether a request is no copy of one that the owner took since it came."""
        request, flow, key = event.request, event.flow, event.key
        if key in self.servers:
            self.counters.retransmissions_in += 1
            return False
        if self.merges.get(event.merge, key) == key:
            return True
        self.counters.merged += 1
        self.answer(request, reply_flow(request, flow), 482)  # §8.2.2.2: it came by another way, too
        return False

    def reply(
        self,
        event: RequestReceived,
        status: int,
        now: float,
        reason: str | None = None,
        headers: Headers = (),
        body: bytes = b"",
    ) -> None:
        """Answer without keeping anything: for challenges and refusals, which floods make us send."""
        self.answer(event.request, reply_flow(event.request, event.flow), status, reason, headers, body)

    def respond(
        self,
        event: RequestReceived,
        status: int,
        now: float,
        reason: str | None = None,
        headers: Headers = (),
    ) -> None:
        """Answer a request other than INVITE; its repetitions get the same."""
        request, flow, key = event.request, event.flow, event.key
        if request.method == "INVITE":
            raise LocalProtocolError("an INVITE is accepted")
        self._claim(event, now)
        to = reply_flow(request, flow)
        respond_at_once(self, key, request, to, now, status, self.mint.tag(), headers, reason)

    def begin(self, event: RequestReceived, now: float) -> ServerTransaction:
        """Make the transaction of a request other than INVITE, to be answered later."""
        request, flow, key = event.request, event.flow, event.key
        if request.method == "INVITE":
            raise LocalProtocolError("an INVITE is accepted")
        self._claim(event, now)
        return ServerTransaction(self, key, request, reply_flow(request, flow), now, self.mint.tag())

    def accept(
        self, event: RequestReceived, now: float, contact: str, timing: SessionTiming | None = None
    ) -> Session:
        """Make the session of an INVITE; 100 is sent at once."""
        if event.request.method != "INVITE":
            raise LocalProtocolError(f"a {event.request.method} is begun")
        self._claim(event, now)
        session = Callee.__new__(Callee)
        session._take(self, event, now, contact, timing)
        return session

    def _claim(self, event: RequestReceived, now: float) -> None:
        if event.key in self.servers:
            raise LocalProtocolError("the request has a transaction already")
        self.remember_merge(event.merge, event.key, now)

    def send_request(
        self, request: Request, flow: Flow, now: float, authorizer: Authorizer | None = None
    ) -> ClientTransaction:
        """Send a request outside any dialog; ResponseReceived or RequestFailed follow.

        The authorizer's answer to a challenge is sent by the same transaction: its CSeq is then one higher.
        """
        if request.method in ("INVITE", "ACK", "CANCEL"):
            raise LocalProtocolError(f"{request.method} is not sent by send_request")
        owner = self if authorizer is None else Applicant(self, authorizer)
        return open_request(self, request, flow, now, owner)

    def subscribe(
        self, request: Request, flow: Flow, now: float, authorizer: Authorizer | None = None
    ) -> Subscriber:
        """Send a SUBSCRIBE that has all but its Via; it is refreshed until ``unsubscribe``."""
        return Subscriber(self, request, flow, now, authorizer)

    def accept_subscription(
        self, event: RequestReceived, now: float, *, contact: str, source: Source, terms: Terms
    ) -> Notifier:
        """Answer a SUBSCRIBE with 200, and with a first NOTIFY; its event is looked at before."""
        self._claim(event, now)
        return Notifier(self, event, now, contact, source, terms)

    def invite(
        self, request: Request, flow: Flow, now: float, timing: SessionTiming | None = None
    ) -> Session:
        """Send an INVITE that has all but its Via, and the headers of the session timer."""
        session = Caller.__new__(Caller)
        session._call(self, request, flow, now, timing)
        return session

    def restore(
        self,
        state: SessionState,
        now: float,
        *,
        timing: SessionTiming | None = None,
        refresh_in: float = 5.0,
    ) -> Session:
        """Go on with an answered session of an earlier process, from what ``export_session`` gave."""
        return Survivor(self, state, now, timing=timing, refresh_in=refresh_in)

    # The owner of transactions outside dialogs is the user of the endpoint

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Pass a response on."""
        self.emit(ResponseReceived(transaction, response))

    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """Pass on that none will come."""
        self.emit(RequestFailed(transaction, reason))


def hops_left(request: Request) -> int | None:
    """The Max-Forwards to send a request on with; None: it may not go on, 483 is due (§16.3, §16.6)."""
    hops = request.max_forwards
    if hops is None:
        return 70
    return hops - 1 if hops else None
