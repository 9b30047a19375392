"""One call through the switch: a leg that called us, the legs that we call for it, and what became of it.

A back-to-back user agent (RFC 7092 §3): the legs are separate dialogs, each with its own Call-ID, tags, CSeq
and SDP. Event-driven: no task, no clock of its own. ``dialling.py`` finds who answers, ``early.py`` has what
the caller hears until then, ``bridge.py`` what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.wheel import NEVER
from switchroom.switch.calls import bridge, early
from switchroom.switch.calls.contact import contact_for
from switchroom.switch.calls.early import Early
from switchroom.switch.calls.hunting.attempt import Failure
from switchroom.switch.calls.hunting.dialling import Dialling, Errand
from switchroom.switch.calls.leg import (
    RETRY_AFTER,
    Leg,
    leg_of_caller,
    offered,
    sdp_headers,
    sdp_of,
)
from switchroom.switch.calls.passing import of_answer, of_refusal
from switchroom.switch.calls.routing import ToApp, show_destination
from switchroom.switch.media import NoPortsLeft

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.identity import Identity
    from switchroom.switch.calls.registration.bindings import Binding
    from switchroom.switch.calls.routing.plan import Plan
    from switchroom.switch.calls.rules import Caller
    from switchroom.switch.media.session import MediaSession
    from switchroom.switch.store.record import Record

Headers = Sequence[tuple[str, str]]

_ENTER_AFTER = 0.25  # seconds after which a call that is not answered is entered in the books


class Call:
    """The call and its legs; each session's events come by its leg."""

    __slots__ = (
        "a",
        "account",
        "answered_at",
        "b",
        "caller",
        "dialling",
        "doubted_since",
        "doubted_until",
        "earlies",
        "early_offerer",
        "enter_at",
        "exchange",
        "has_offer",
        "has_survived",
        "id",
        "identity",
        "is_heard",
        "is_over",
        "kept",
        "look_at",
        "max_duration",
        "media",
        "no_answer_at",
        "notes",
        "on_over",
        "plan",
        "plays_early",
        "probe_at",
        "record",
        "rung",
        "setup_at",
    )

    def __init__(
        self, exchange: Exchange, record: Record, caller: Caller, media: MediaSession, now: float
    ) -> None:
        self.exchange = exchange
        self.record = record
        self.id = self.record.id
        self.caller = caller
        self.account = self.caller.account  # whose limits the call counts against
        self.media = media
        self.a: Leg
        self.b: Leg | None = None  # the leg that answered
        self.dialling: Dialling | None = None  # until somebody answers
        self.plan: Plan | None = None
        self.identity: Identity | None = None  # of the caller
        self.notes: list[str] = []  # what was decided and what came of it, in plain words
        self.on_over: Callable[[Call], object] | None = None  # told by the exchange once it is over
        self.is_heard = False  # whether it is to be recorded was asked when it was answered
        self.earlies: Sequence[Early] = ()
        self.early_offerer: Leg | None = None  # its offer came before the answer
        self.plays_early = True  # whether the caller may hear something before the answer
        self.rung = 0
        self.has_offer = False
        self.is_over = False
        self.setup_at = now
        self.answered_at: float | None = None
        self.no_answer_at = now + self.exchange.config.answer_timeout
        self.enter_at = now + _ENTER_AFTER  # so that a crash leaves a record of it
        self.max_duration = self.exchange.config.max_duration
        self.probe_at = NEVER
        self.look_at = 0.0  # the one look that the exchange has planned
        self.kept: object = None  # the agreement with which its state was kept last, for the next process
        self.doubted_since: float | None = None  # an earlier process died then: is the call still up?
        self.doubted_until = 0.0
        self.has_survived = False  # a crash of the process that began it

    @property
    def forks(self) -> list[Leg]:
        """The legs that were made for the caller; the one that answered, once there is one."""
        if self.dialling is not None:
            return self.dialling.legs
        return [] if self.b is None else [self.b]

    def early_of(self, leg: Leg, remote_tag: str | None) -> Early | None:
        """The early dialog of a fork that has this tag."""
        for one in self.earlies:
            if one.leg is leg and one.remote_tag == remote_tag:
                return one
        return None

    def keep_changes(self) -> None:
        """Its legs may have agreed to something else: a later process is to go on with that."""
        if self.answered_at is not None and not self.is_over and self.kept is not self.a.media.agreement:
            self.exchange.keep(self)

    # -- set-up

    def start(
        self,
        event: sip.RequestReceived,
        identity: Identity,
        plan: Plan,
        now: float,
        only: Binding | None = None,
    ) -> None:
        """Take the INVITE and call whom the plan names."""
        request, trunk = event.request, self.caller.trunk
        offer = self.take_caller(event, now)
        self.plan = plan
        self.identity = identity
        hops = request.max_forwards
        errand = Errand(
            identity,
            self.a,
            offer,
            69 if hops is None else hops - 1,
            request.max_breadth if "max-breadth" in request else None,
            self.exchange.travelling(request, trunk),
            request,
            plan.is_emergency,
            request.lists("Supported", "100rel") or request.lists("Require", "100rel"),
            only,
        )
        self.dial(plan, errand, now)
        if not self.is_over:
            self.exchange.tell(self, now)

    def take_caller(self, event: sip.RequestReceived, now: float) -> bytes:
        """Take the INVITE that the call begins with; its SDP, or nothing."""
        caller = self.caller
        self.a = leg_of_caller(self, event, caller)
        self.accept(self.a, event, caller, now)
        if caller.trunk is not None:
            self.plays_early = caller.trunk.has_early_media
        offer = sdp_of(event.request)
        self.has_offer = bool(offer)
        return offer

    def accept(self, leg: Leg, event: sip.RequestReceived, caller: Caller, now: float) -> None:
        """Take the INVITE that a leg was made for: from here on it has a session."""
        exchange, trunk = self.exchange, caller.trunk
        endpoint = exchange.endpoint
        contact = contact_for(event.flow, endpoint)
        session = endpoint.accept(event, now, contact, exchange.timing_for(trunk))
        leg.session = session
        session.context = leg
        if trunk is not None:
            trunk.take()
            leg.trunk = trunk
            if trunk.has_password:
                session.authorizer = trunk.authorizer()
        if exchange.link is not None:
            exchange.link(session.call_id, self.id)

    def dial(self, plan: Plan, errand: Errand, now: float) -> None:
        """Look for somebody who answers the caller."""
        dialling = self.dialling = Dialling(self.exchange, self, self, errand)
        dialling.begin(plan, now)  # the call may be over, and let go of it, before this returns

    def rang(self, status: int, now: float) -> None:
        """The caller is about to be told that it rings."""
        self.rung = status
        if self.record.ring_at is None:
            self.record.ring_at = self.exchange.clock.posix(now)
            self.exchange.tell(self, now)

    def on_calling(self, now: float) -> None:
        """A trunk is called that wants the caller's phone to ring at once."""
        if not self.rung:
            self.rang(180, now)
            self.a.session.ring(180, now)

    def on_progress(self, leg: Leg, response: sip.Response, now: float) -> None:
        """A fork rings or plays early media: tell the caller."""
        if not self.is_over and self.b is None:
            early.on_progress(self, leg, response, now)

    def on_dropped(self, leg: Leg, now: float) -> None:
        """A fork is gone: the caller need not wait for more of it (RFC 6228)."""
        self.exchange.tell(self, now)
        for one in [one for one in self.earlies if one.leg is leg]:
            if one.tag is not None and self.a.session.request.lists("Supported", "199"):
                self.a.session.ring(199, now, None, (), b"", one.tag)

    def on_answer(self, leg: Leg, response: sip.Response, now: float) -> None:
        """The first fork that answers wins; the others are cancelled."""
        dialling = self.dialling
        assert dialling is not None
        known = self.early_of(leg, response.to_tag) if self.earlies else None
        body, is_usable = self._body_of(leg, response, known)
        if not is_usable:
            if not self.has_offer:
                leg.session.acknowledge(now)
            leg.session.bye(now)
            dialling.lose(leg, Failure(502, "Bad Gateway", None), now)
            return
        if self.has_offer or not leg.owes_answer:
            leg.session.acknowledge(now)  # else the caller's ACK has to bring the answer first
        dialling.win(leg, now)
        self._connect(leg, now)
        tag = known.tag if known is not None else (self.exchange.mint.tag() if self.earlies else None)
        headers = [*of_answer(response), *sdp_headers(body)]
        self.a.session.answer(now, body=body, headers=headers, tag=tag)
        self.exchange.keep(self)

    def _body_of(self, leg: Leg, response: sip.Response, known: Early | None) -> tuple[bytes, bool]:
        """The SDP of a 2xx for the caller, and whether the call can go on with it."""
        sdp = sdp_of(response)
        if self.has_offer:
            dialog = leg.session.dialog
            if not sdp or (dialog is not None and dialog.is_agreed):  # a reliable 18x has said it
                sdp = known.sdp if known is not None else leg.answer
            body = early.take_answer(self, leg, sdp) if sdp else b""
            return body, bool(body)
        if leg is self.early_offerer:
            return b"", leg.early_offer is None  # all was said in the reliable 18x and its PRACK
        try:
            body = offered(self.media, leg, self.a, sdp) if sdp else b""
        except (RemoteProtocolError, NoPortsLeft) as error:
            self.exchange.log.info("call.bad_offer", call=self.id, error=str(error))
            body = b""
        leg.owes_answer = bool(body)
        return body, bool(body)

    def _connect(self, leg: Leg | None, now: float) -> None:
        """This leg is the other end of the call now; None: the switch itself."""
        self.b = leg
        self.dialling = None  # nothing of the hunt is needed any more
        if self.plan is not None:
            self.plan.settle()
        self.media.confirm()  # from now on silence counts
        self.answered_at = now
        exchange, record = self.exchange, self.record
        self.probe_at = now + (exchange.config.probe_interval or NEVER)
        record.answer_at = exchange.clock.posix(now)
        if leg is not None:
            self.note_callee(leg)
        exchange.call_answered(self, now)

    def note_callee(self, leg: Leg) -> None:
        """Enter who is talked to; nothing of the hunt for him is needed any more."""
        leg.dialling = leg.attempt = None
        record = self.record
        record.call_id_b = leg.session.call_id
        record.to_user = leg.account or record.to_user
        if leg.trunk is not None:
            record.trunk = leg.trunk.name

    def on_app(self, to: ToApp, now: float) -> bool:
        """The plan leads to an application: it has the caller from now on; False: there is none."""
        if self.is_over or not self.a.is_a or not self.exchange.on_app(self, to, now):
            return False
        self.dialling = None
        self.record.to_user = show_destination(to)
        return True

    def connect_app(self, now: float) -> None:
        """The application answers: the switch itself is the other end."""
        self._connect(None, now)

    def on_failed(self, failure: Failure, now: float) -> None:
        """Nobody is left who could answer: the caller hears the best of the answers (RFC 3261 §16.7)."""
        if self.is_over:
            return
        if failure.is_ours:
            headers = RETRY_AFTER if failure.status == 503 else ()
            self.refuse(failure.status, failure.reason, now, headers=headers)
            return
        status, reason = _for_caller(failure)
        self.refuse(status, reason, now, headers=of_refusal(failure.response))

    def refuse(
        self, status: int, reason: str, now: float, *, headers: Headers = (), ended_by: str = "callee"
    ) -> None:
        """Answer the caller with a failure and end what still rings."""
        if self.is_over:
            return
        phrase = sip.REASONS.get(status) or "Refused"
        self.a.session.reject(status, now, reason=phrase, headers=headers)
        self._hang_up_forks(headers, now)
        self.finish(status, reason, ended_by, now)

    def on_cancelled(self, request: sip.Request | None, now: float) -> None:
        """The caller gave up: so do we (the engine has answered the CANCEL and the INVITE)."""
        if self.is_over:
            return
        self._hang_up_forks(of_refusal(request), now)
        self.finish(487, "Request Terminated", "caller", now)

    # -- the end

    def hang_up(self, reason: str, now: float, *, status: int = 480, cause: int | None = None) -> None:
        """The switch itself ends the call, whatever its state: CANCEL, refusal or BYE on each leg."""
        if self.is_over:
            return
        headers = (("Reason", f'SIP;cause={cause or status};text="{reason}"'),)
        self.a.session.hang_up(now, status=status, headers=headers)
        self._hang_up_forks(headers, now)
        self.finish(cause or (200 if self.answered_at is not None else status), reason, "switch", now)

    def _hang_up_forks(self, headers: Headers, now: float) -> None:
        dialling = self.dialling
        if dialling is not None and not dialling.is_over:
            dialling.give_up(now, headers)
        elif self.b is not None:
            self.b.session.hang_up(now, 487, headers)

    def finish(self, cause: int, reason: str, ended_by: str, now: float) -> None:
        """Close the record and give everything back; the engine completes the dialogs by itself."""
        self.is_over = True
        self.exchange.call_over(self, cause, reason, ended_by, now)
        # A call refers to its legs and they to it: let go, so that nothing waits for the collector
        forks, leg = list(self.forks), self.a
        leg.part(now)
        for leg in forks:
            leg.part(now)
        self.media.context = None
        self.a = self.b = None  # type: ignore[assignment]  # nobody asks for the legs of a call that is over
        self.dialling = self.early_offerer = None
        self.earlies = ()

    # -- the clock

    def next_check(self) -> float:
        """When this call must be looked at again."""
        if self.answered_at is None:
            at = min(self.no_answer_at, self.enter_at)
        else:
            answered_at = self.answered_at
            at = min(self.probe_at, answered_at + self.max_duration, bridge.next_retry(self))
        return at if self.dialling is None else min(at, self.dialling.next_check())

    def check(self, now: float) -> None:
        """No answer in time, longer than calls may last, or due to be asked whether it is still there."""
        if self.is_over:
            return
        dialling = self.dialling
        if self.answered_at is None:
            if now >= self.enter_at:
                self.enter_at = NEVER
                self.exchange.ledger.records.open(self.record)
            if now >= self.no_answer_at:
                if dialling is not None:
                    dialling.note_silence(now)
                self.hang_up("No answer", now, status=480)
            elif dialling is not None:
                dialling.check(now)
        elif now >= self.answered_at + self.max_duration:
            self.hang_up("Call duration limit reached", now)
        else:
            bridge.retry(self, now)
            if dialling is not None:  # an application looks for somebody
                dialling.check(now)
            if now >= self.probe_at:
                self._probe(now)

    def _probe(self, now: float) -> None:
        """Ask the ends that no session timer asks: a phone that lost its power says no BYE (RFC 4028 §1)."""
        self.probe_at = now + (self.exchange.config.probe_interval or NEVER)
        is_doubted = self.doubted_since is not None and now < self.doubted_until
        if is_doubted:
            self.probe_at = self.doubted_until
        else:
            self.doubted_since = None
        for leg in (self.a, self.b):
            if leg is not None and leg.session.is_acknowledged and (is_doubted or not _is_timed(leg.session)):
                leg.session.send_request("OPTIONS", now)


def _is_timed(session: sip.Session) -> bool:
    """Whether a session timer finds out when its other end is gone."""
    return session.refresh is not None and bool(session.refresh.interval)


def _for_caller(failure: Failure) -> tuple[int, str]:
    """What the caller hears of a refusal: causes travel; challenges, redirections and overload do not."""
    status, reason = failure.status, failure.reason
    if status in (401, 407):
        return 502, "the callee's side asked for credentials"
    if status < 400 or (status == 503 and failure.response is None):
        # redirections could lead anywhere; 503: our own transport failed
        return 480, f"unreachable ({status} {reason})"
    if status == 503:
        return 500, f"{status} {reason}"  # RFC 3261 §16.7: 503 would make the caller avoid us for everything
    return status, reason
