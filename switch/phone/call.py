"""One call of the phone: set-up, hold, digits, and its end."""

from __future__ import annotations

import asyncio

from switchroom.protocols import sdp, sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.net import Clock

from .audio import Audio, AudioReport
from .events import CallFailedError
from .line import Line
from .negotiation import Negotiation

__all__ = ["Call"]

_MAX_CHALLENGES = 3
_NORMAL = frozenset({"local", "remote"})


class Call:
    """A call, from either side; events of its session come by ``on_event``."""

    def __init__(self, line: Line, remote: str, host: str, clock: Clock) -> None:
        self._line = line
        self.remote = remote
        self.audio = Audio(host, clock, self._on_digit)
        self.digits_received = ""
        self.is_remote_hold = False
        self.report: AudioReport | None = None  # once the call is over
        self._session: sip.Session | None = None
        self._flow: sip.Flow | None = None
        self._cseq = 0
        self._tag = line.mint.tag()
        self._call_id = line.mint.call_id()
        self._target: sip.Uri | None = None
        self._challenges = 0
        self._media = Negotiation(host, self.audio.port, line.account.codecs)
        self._offer = b""  # the one in our INVITE
        loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[str] = loop.create_future()
        self._changed: asyncio.Future[None] | None = None  # our re-INVITE that is under way
        self._answered.add_done_callback(_look_at)

    # -- what the owner asks

    async def answered(self) -> None:
        """Wait until the call is answered; CallFailedError when it is not."""
        await asyncio.shield(self._answered)

    async def ended(self) -> str:
        """Wait for the end: "local", "remote", or what went wrong."""
        return await asyncio.shield(self._ended)

    @property
    def is_up(self) -> bool:
        return self._answered.done() and not self._ended.done()

    @property
    def is_over(self) -> bool:
        return self._ended.done()

    @property
    def ended_normally(self) -> bool:
        return self._ended.done() and self._ended.result() in _NORMAL

    def invite(self, target: sip.Uri, flow: sip.Flow) -> None:
        """Call somebody."""
        self._target, self._flow = target, flow
        self._offer = self._media.offer()
        self._line.report("calling", number=str(target))
        self._send_invite(self._line.now())
        self._line.face.flush()

    def take(self, session: sip.Session) -> None:
        """Be the call of a session that came in."""
        self._session = session
        session.context = self

    def ring(self) -> None:
        """Tell the caller that we ring."""
        assert self._session is not None
        self._session.ring(180, self._line.now(), headers=self._line.allowed())
        self._line.face.flush()

    def answer(self) -> None:
        """Take the call; RemoteProtocolError when its offer is nothing for us (and it is refused)."""
        session = self._session
        assert session is not None
        try:
            body = self._respond(_description_in(session.request))
        except RemoteProtocolError as error:
            self._fail(error.status, str(error))
            session.reject(error.status, self._line.now())
            self._line.face.flush()
            raise CallFailedError(error.status, str(error)) from error
        session.answer(self._line.now(), body=body, headers=self._line.allowed())
        self._line.face.flush()
        self._on_answered()

    def reject(self, status: int = 486) -> None:
        """Do not take the call."""
        assert self._session is not None
        self._session.reject(status, self._line.now())
        self._fail(status, _reason(status))
        self._line.face.flush()

    def hang_up(self) -> None:
        """End the call however far it is."""
        session = self._session
        if session is None or self._ended.done():
            return
        if self._answered.done():
            session.bye(self._line.now())
            self._end("local")
        elif session.is_caller:
            session.cancel(self._line.now())
        else:
            self.reject(480)
        self._line.face.flush()

    async def send_digits(self, digits: str) -> None:
        """Dial within the call; returns when the last digit is out."""
        await self.audio.send_digits(digits)
        self._line.report("sent", digits=digits)

    async def hold(self) -> None:
        """Stop hearing and talking; RFC 3264 §8.4."""
        await self._change(sdp.Direction.SENDONLY)
        self.audio.is_held = True
        self._line.report("held", by="local")

    async def resume(self) -> None:
        """Take up a call again that we held."""
        await self._change(sdp.Direction.SENDRECV)
        self.audio.is_held = False
        self._line.report("resumed", by="local")

    async def _change(self, direction: sdp.Direction) -> None:
        session = self._session
        if session is None or not self.is_up:
            raise CallFailedError(0, "the call is not up")
        while True:
            body = self._media.offer(direction)
            self._changed = asyncio.get_running_loop().create_future()
            session.reinvite(self._line.now(), body=body, headers=self._line.allowed())
            self._line.face.flush()
            try:
                await self._changed
                return
            except CallFailedError as error:
                self._media.withdraw()
                if error.status != 491 or not self.is_up:
                    raise
                await asyncio.sleep(session.glare_delay())

    # -- what the session says

    def on_event(self, event: sip.Event, now: float) -> None:
        """React to an event of our session."""
        match event:
            case sip.SessionProgressed():
                self._on_progress(event.response)
            case sip.SessionAnswered():
                self._on_answer(event.response, now)
            case sip.SessionRejected():
                self._on_rejected(event, now)
            case sip.SessionCancelled():
                self._fail(487, "cancelled by the caller")
            case sip.SessionAcknowledged():
                self._on_acknowledged(event.request, now)
            case sip.SessionEnded():
                self._on_session_ended(event.cause)
            case sip.ReinviteReceived():
                self._on_reinvite(event, now)
            case sip.ReinviteAnswered():
                self._on_reinvite_answered(event, now)
            case sip.ReinviteRejected():
                reason = event.response.reason if event.response is not None else _reason(event.status)
                self._settle(CallFailedError(event.status, reason))
            case sip.SessionRequestReceived():
                _answer_request(event, self._line, now)

    def _on_progress(self, response: sip.Response) -> None:
        body = _description_in(response)
        self._line.report("ringing", status=response.status, early_media=bool(body))
        if body:
            try:
                self._take_answer(body)
            except RemoteProtocolError as error:
                self._line.report("early_media_failed", reason=error)

    def _on_answer(self, response: sip.Response, now: float) -> None:
        session = self._session
        assert session is not None
        session.acknowledge(now)
        try:
            body = _description_in(response)
            if body:
                self._take_answer(body)
            elif not self._media.has_answer:
                raise RemoteProtocolError("answered without a session description", status=488)
        except RemoteProtocolError as error:
            self._fail(error.status, str(error))
            session.bye(now)
            return
        self._on_answered()

    def _on_rejected(self, event: sip.SessionRejected, now: float) -> None:
        response = event.response
        if response is not None and self._challenges < _MAX_CHALLENGES:
            self._challenges += 1
            if self._line.digest.receive_challenge(response, event.session.request):
                self._send_invite(now)
                return
        status = event.status
        reason = response.reason if response is not None else f"{_reason(status)} ({event.reason})"
        self._fail(status, reason or _reason(status))

    def _on_acknowledged(self, request: sip.Request, now: float) -> None:
        """The ACK brings the answer when the offer was in our 2xx; RFC 3261 §13.2.1."""
        if not self._media.is_answer_in_ack:
            return
        self._media.is_answer_in_ack = False
        try:
            self._take_answer(_description_in(request))
            self._notice_hold()
        except RemoteProtocolError as error:
            self._line.report("answer_unusable", reason=error)
            if self._session is not None:
                self._session.bye(now)
            self._end("no media in common")

    def _on_session_ended(self, cause: str) -> None:
        if not self._answered.done():
            self._fail(487, cause)
        self._end("remote" if cause == "bye" else cause)

    def _on_reinvite(self, event: sip.ReinviteReceived, now: float) -> None:
        try:
            body = self._respond(_description_in(event.request))
        except RemoteProtocolError as error:
            event.session.answer_reinvite(event.transaction, error.status, now)
            return
        event.session.answer_reinvite(event.transaction, 200, now, body=body, headers=self._line.allowed())
        self._notice_hold()

    def _on_reinvite_answered(self, event: sip.ReinviteAnswered, now: float) -> None:
        event.session.acknowledge(now)
        try:
            self._take_answer(_description_in(event.response))
        except RemoteProtocolError as error:
            self._settle(CallFailedError(error.status, str(error)))
            return
        self._settle(None)

    def _on_digit(self, digit: str) -> None:
        self.digits_received += digit
        self._line.report("digit", digit=digit)

    # -- inside

    def _send_invite(self, now: float) -> None:
        line, flow, target = self._line, self._flow, self._target
        assert flow is not None
        assert target is not None
        self._cseq += 1
        request = sip.Request(
            "INVITE",
            target,
            [
                *line.headers(),
                ("From", line.address(flow).with_tag(self._tag)),
                ("To", f"<{target}>"),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._cseq} INVITE"),
                ("Contact", line.contact(flow)),
                ("Content-Type", "application/sdp"),
                *line.allowed(),
            ],
            self._offer,
        )
        line.digest.authorize(request)
        self._session = line.endpoint.invite(request, flow, now)
        self._session.context = self

    def _respond(self, body: bytes) -> bytes:
        """The answer to their offer; our offer if they made none."""
        answer, agreement = self._media.respond(body)
        if agreement is not None:
            self.audio.direct(agreement)
        return answer

    def _take_answer(self, body: bytes) -> None:
        self.audio.direct(self._media.take_answer(body))

    def _notice_hold(self) -> None:
        if self._media.is_held != self.is_remote_hold:
            self.is_remote_hold = self._media.is_held
            self._line.report("held" if self.is_remote_hold else "resumed", by="remote")

    def _on_answered(self) -> None:
        if not self._answered.done():
            self._answered.set_result(None)
            self._line.report("answered", remote=self.remote, codec=self._media.codec)

    def _settle(self, error: CallFailedError | None) -> None:
        changed, self._changed = self._changed, None
        if changed is not None and not changed.done():
            if error is None:
                changed.set_result(None)
            else:
                changed.set_exception(error)

    def _fail(self, status: int, reason: str) -> None:
        if not self._answered.done():
            self._answered.set_exception(CallFailedError(status, reason))
            self._line.report("failed", status=status, reason=reason)
        self._end(f"{status} {reason}")

    def _end(self, cause: str) -> None:
        if self._ended.done():
            return
        self._ended.set_result(cause)
        self.report = self.audio.close()
        self._settle(CallFailedError(0, "the call has ended"))
        if not self._answered.done():
            self._answered.set_exception(CallFailedError(487, cause))
        elif self._answered.exception() is None:
            self._line.report("ended", by=cause)


def _description_in(message: sip.Request | sip.Response) -> bytes:
    """The session description in a body, alone or as a part; b"" if there is none."""
    for part in sip.body_parts(message):
        if part.content_type == "application/sdp":
            return part.body
    return b""


def _reason(status: int) -> str:
    return sip.REASONS.get(status, "")


def _answer_request(event: sip.SessionRequestReceived, line: Line, now: float) -> None:
    status = 200 if event.request.method == "OPTIONS" else 405
    event.transaction.respond(status, now, headers=line.allowed())


def _look_at(answered: asyncio.Future[None]) -> None:
    """Take note of an exception, so that asyncio does not complain when nobody waits for the answer."""
    if not answered.cancelled():
        answered.exception()
