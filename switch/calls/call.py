"""One call through the switch: a leg that called us, the legs that we call for it, and what became of it.

A back-to-back user agent (RFC 7092 §3): the legs are separate dialogs, each with its own Call-ID, tags, CSeq
and SDP. Event-driven: no task, no clock of its own; ``bridge.py`` has what follows the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.wheel import NEVER
from switchroom.switch.calls.leg import (
    RETRY_AFTER,
    Leg,
    Parties,
    Target,
    contact_for,
    leads_elsewhere,
    reason_of,
    sdp_headers,
    sdp_of,
)
from switchroom.switch.media import NoPortsLeft

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.media import MediaSession
    from switchroom.switch.store import Record

ANSWERED_ELSEWHERE = (("Reason", 'SIP;cause=200;text="Call completed elsewhere"'),)
_UNINFORMATIVE = (480, 408, 487)  # another fork's refusal says more


class Call:
    """The call and its legs; the exchange hands it the events of its sessions."""

    __slots__ = (
        "a",
        "account",
        "answered_at",
        "b",
        "early",
        "exchange",
        "failures",
        "forks",
        "has_offer",
        "id",
        "is_over",
        "look_at",
        "media",
        "no_answer_at",
        "probe_at",
        "record",
        "rung",
        "setup_at",
    )

    def __init__(
        self, exchange: Exchange, record: Record, account: str, media: MediaSession, now: float
    ) -> None:
        self.exchange = exchange
        self.record = record
        self.id = record.id
        self.account = account  # whose limits the call counts against
        self.media = media
        self.a: Leg
        self.b: Leg | None = None  # the fork that answered
        self.forks: list[Leg] = []
        self.failures: list[tuple[int, str, sip.Response | None]] = []
        self.early: Leg | None = None  # the fork whose early media the caller hears under our first tag
        self.rung = 0
        self.has_offer = False
        self.is_over = False
        self.setup_at = now
        self.answered_at: float | None = None
        self.no_answer_at = now + exchange.config.answer_timeout
        self.probe_at = 0.0
        self.look_at = 0.0  # the one look that the exchange has planned

    # -- set-up

    def start(
        self, event: sip.RequestReceived, targets: Sequence[Target], parties: Parties, now: float
    ) -> None:
        """Take the INVITE and call all targets at once."""
        exchange, request, flow = self.exchange, event.request, event.flow
        nat = leads_elsewhere(request, flow.remote)
        self.a = Leg(self, self.media.leg(toward=flow.remote[0], is_nat=nat), is_a=True)
        self.a.session = exchange.endpoint.accept(event, now, contact=contact_for(flow))
        self.a.session.context = self.a
        offer = sdp_of(request)
        self.has_offer = bool(offer)
        try:
            for target in targets:
                self._fork(target, request, offer, parties, now)
        except RemoteProtocolError as error:
            self.refuse(error.status, str(error), now)
        except NoPortsLeft as error:
            self.refuse(503, str(error), now, headers=RETRY_AFTER)

    def _fork(self, target: Target, request: sip.Request, offer: bytes, parties: Parties, now: float) -> None:
        """Send one INVITE of our own."""
        exchange = self.exchange
        leg = Leg(
            self,
            self.media.leg(toward=target.flow.remote[0], is_nat=target.is_nat),
            is_a=False,
        )
        body = self.media.offer(self.a.media, leg.media, offer) if offer else b""
        hops = request.max_forwards
        invite = sip.Request(
            "INVITE",
            target.uri,
            [
                ("Max-Forwards", str(69 if hops is None else hops - 1)),
                ("From", f"{parties.caller};tag={exchange.mint.tag()}"),
                ("To", parties.callee),
                ("Call-ID", exchange.mint.call_id()),
                ("CSeq", "1 INVITE"),
                ("Contact", contact_for(target.flow)),
                *exchange.invite_headers,
                *sdp_headers(body),
            ],
            body,
        )
        leg.session = exchange.endpoint.invite(invite, target.flow, now)
        leg.session.context = leg
        self.forks.append(leg)

    def on_progress(self, leg: Leg, response: sip.Response, now: float) -> None:
        """A fork rings or plays early media: tell the caller."""
        if self.is_over or self.b is not None:
            return
        # an unreliable 18x may not carry an offer (RFC 3261 §13.2.1)
        sdp = sdp_of(response) if self.has_offer else b""
        if sdp:
            sdp = self._answer_from(leg, sdp)
        elif response.status == self.rung:
            return  # the caller knows; another fork, or a repetition
        if sdp and self.early is None:
            self.early = leg
        elif sdp and self.early is not leg and leg.early_tag is None:
            leg.early_tag = self.exchange.mint.tag()  # another answer belongs to another early dialog
        self.rung = response.status
        if self.record.ring_at is None:
            self.record.ring_at = self.exchange.clock.utc(now)
        self.a.session.ring(
            response.status,
            now,
            reason=response.reason,
            headers=sdp_headers(sdp),
            body=sdp,
            tag=leg.early_tag,
        )

    def _answer_from(self, leg: Leg, sdp: bytes) -> bytes:
        """The fork's answer, rewritten for the caller; nothing when it cannot be understood."""
        try:
            leg.answer = self.media.answer(leg.media, self.a.media, sdp)
        except RemoteProtocolError as error:
            self.exchange.log.info("call.bad_answer", call=self.id, error=str(error))
            return b""
        return leg.answer

    def on_answer(self, leg: Leg, response: sip.Response, now: float) -> None:
        """The first fork that answers wins; the others are cancelled."""
        if self.b is not None:
            leg.session.acknowledge(now)
            leg.session.bye(now)
            return
        sdp = sdp_of(response)
        try:
            if not self.has_offer:
                body = self.media.offer(leg.media, self.a.media, sdp) if sdp else b""
                leg.owes_answer = bool(body)
            else:
                body = self._answer_from(leg, sdp) if sdp else leg.answer
                leg.session.acknowledge(now)  # else the caller's ACK has to bring the answer first
        except (RemoteProtocolError, NoPortsLeft) as error:
            body = b""
            self.exchange.log.info("call.bad_offer", call=self.id, error=str(error))
        if not body:
            if not self.has_offer:
                leg.session.acknowledge(now)
            self._fork_failed(leg, 502, "Bad Gateway", None, now, bye=True)
            return
        self._win(leg, now)
        tag = None if self.early is None or self.early is leg else leg.early_tag or self.exchange.mint.tag()
        self.a.session.answer(now, body=body, headers=sdp_headers(body), tag=tag)

    def _win(self, leg: Leg, now: float) -> None:
        for other in self.forks:
            if other is not leg and not other.is_failed:
                other.session.hang_up(now, headers=ANSWERED_ELSEWHERE)
                self.media.drop(other.media)
        self.forks = [leg]
        self.b = leg
        self.media.confirm()  # from now on silence counts
        self.answered_at = now
        self.probe_at = now + (self.exchange.config.probe_interval or NEVER)
        record = self.record
        record.answer_at = self.exchange.clock.utc(now)
        record.call_id_b = leg.session.call_id
        self.exchange.call_answered(self, now)

    def on_rejected(
        self, leg: Leg, response: sip.Response | None, status: int, reason: str, now: float
    ) -> None:
        """A fork refused; when all have, the caller hears the best of the answers (RFC 3261 §16.7)."""
        if not self.is_over and self.b is None:
            self._fork_failed(leg, status, reason, response, now)

    def _fork_failed(
        self,
        leg: Leg,
        status: int,
        reason: str,
        response: sip.Response | None,
        now: float,
        *,
        bye: bool = False,
    ) -> None:
        leg.is_failed = True
        if bye:
            leg.session.bye(now)
        self.failures.append((status, reason, response))
        if status < 600 and not all(fork.is_failed for fork in self.forks):
            self.media.drop(leg.media)
            return
        status, reason, response = min(self.failures, key=_rank)
        self.refuse(*_for_caller(status, reason, response), now, headers=reason_of(response))

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
        self._hang_up_forks(reason_of(request), now)
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
        for leg in self.forks:
            if not leg.is_failed:
                leg.session.hang_up(now, headers=headers)

    def finish(self, cause: int, reason: str, ended_by: str, now: float) -> None:
        """Close the record and give everything back; the engine completes the dialogs by itself."""
        self.is_over = True
        self.exchange.call_over(self, cause, reason, ended_by, now)
        # A call refers to its legs and they to it: let go, so that nothing waits for the collector
        for leg in (self.a, *self.forks):
            leg.session.context = None
        self.media.context = None
        del self.a
        self.b = None
        self.forks = []

    # -- the clock

    def next_check(self) -> float:
        """When this call must be looked at again."""
        if self.answered_at is None:
            return self.no_answer_at
        return min(self.probe_at, self.answered_at + self.exchange.config.max_duration)

    def check(self, now: float) -> None:
        """No answer in time, longer than calls may last, or due to be asked whether it is still there."""
        if self.is_over:
            return
        if self.answered_at is None:
            if now >= self.no_answer_at:
                self.hang_up("No answer", now, status=480)
        elif now >= self.answered_at + self.exchange.config.max_duration:
            self.hang_up("Call duration limit reached", now)
        elif now >= self.probe_at:
            self._probe(now)

    def _probe(self, now: float) -> None:
        """Ask both ends: a phone that lost its power says no BYE (408 and 481 end the dialog)."""
        self.probe_at = now + (self.exchange.config.probe_interval or NEVER)
        for leg in (self.a, self.b):
            if leg is not None and leg.session.is_acknowledged:
                leg.session.send_request("OPTIONS", now)


Headers = Sequence[tuple[str, str]]


def _rank(failure: tuple[int, str, sip.Response | None]) -> tuple[bool, bool, int]:
    """6xx first, then whatever says more than "not there", then the lower class (RFC 3261 §16.7 step 6)."""
    status = failure[0]
    return status < 600, status in _UNINFORMATIVE, status // 100


def _for_caller(status: int, reason: str, response: sip.Response | None) -> tuple[int, str]:
    """What the caller hears of a refusal: causes travel; challenges, redirections and overload do not."""
    if status in (401, 407):
        return 502, "the callee's side asked for credentials"
    if status < 400 or (status == 503 and response is None):
        # redirections could lead anywhere; 503: our own transport failed
        return 480, f"unreachable ({status} {reason})"
    if status == 503:
        return 500, f"{status} {reason}"  # RFC 3261 §16.7: 503 would make the caller avoid us for everything
    return status, reason
