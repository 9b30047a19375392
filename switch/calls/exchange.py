"""The exchange: takes the events of the SIP engine and decides who may do what, and where a call goes."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.wheel import Slots
from switchroom.switch.calls import bridge
from switchroom.switch.calls.auth import Authenticated, Authenticator, Challenged, Refused
from switchroom.switch.calls.call import Call
from switchroom.switch.calls.leg import ALLOW, RETRY_AFTER, SDP, Leg, Parties, Target, contact_for
from switchroom.switch.calls.limits import Caps
from switchroom.switch.calls.registrar import Registrar
from switchroom.switch.calls.routing import Destination, Router, ToTrunk, ToUser, clean_number
from switchroom.switch.calls.rules import Caller, ExchangeConfig, Trunk
from switchroom.switch.media import MediaPlane, MediaSession
from switchroom.switch.net.clock import Clock
from switchroom.switch.store import Record, RecordStore

_METHODS = (*ALLOW.split(", "), "REGISTER")


class Log(Protocol):
    """What the exchange needs of a logger."""

    def info(self, event: str, **values: object) -> object: ...
    def warning(self, event: str, **values: object) -> object: ...


class Exchange:
    """One user agent core for phones and trunks; owns the calls."""

    def __init__(
        self,
        config: ExchangeConfig,
        *,
        endpoint: sip.Endpoint,
        mint: sip.Mint,
        authenticator: Authenticator,
        registrar: Registrar,
        router: Router,
        media: MediaPlane,
        records: RecordStore,
        clock: Clock,
        flow_to: Callable[[str, int, str], sip.Flow],
        is_local: Callable[[str], bool],
        log: Log,
    ) -> None:
        self.endpoint = endpoint
        self.mint = mint
        self.authenticator = authenticator
        self.registrar = registrar
        self.media = media
        self.records = records
        self.clock = clock
        self.log = log
        self.calls: dict[str, Call] = {}
        self.calls_total: dict[int, int] = {}  # cause -> calls that ended with it
        self.calls_started = 0
        self._caps = Caps()
        self._due: Slots[str] = Slots(per_second=1)  # the calls to look at, by second
        self._flow_to = flow_to
        self._is_local = is_local
        self.reconfigure(config, router)

    def reconfigure(self, config: ExchangeConfig, router: Router) -> None:
        """Apply new rules; calls in progress keep what they have."""
        self.config = config
        self._router = router
        self._caps.limits = config.caps
        self._trunks = {trunk.name: trunk for trunk in config.trunks}
        self._trunk_of: dict[str, Trunk | None] = {}
        self.invite_headers = (("Allow", ALLOW), ("User-Agent", config.user_agent))

    def handle_event(self, event: sip.Event, now: float) -> None:
        """One event of the engine."""
        handler = _ON_SESSION.get(type(event))
        if handler is not None:
            told: Any = event
            leg = told.session.context
            if leg is not None:
                handler(leg, event, now)
            else:
                _on_stray(event, now)
        elif isinstance(event, sip.RequestReceived):
            self._on_request(event, now)

    # -- requests outside of dialogs

    def _on_request(self, event: sip.RequestReceived, now: float) -> None:
        request = event.request
        if request.method == "ACK":
            return  # nothing waits for it
        if request.method == "OPTIONS" and self._is_ours(request.uri, event.flow):
            self._options(event, now)
            return
        caller = self._identify(event, now)
        if caller is None:
            return
        refusal = sip.inspect_request(request, methods=_METHODS)
        if request.method == "INVITE":
            self._invite(event, caller, refusal, now)
        elif refusal is not None:
            self.endpoint.reply(event, refusal.status, now=now, headers=refusal.headers)
        elif request.method == "REGISTER":
            status, reason, headers = self.registrar.handle(request, event.flow, caller.account, now)
            self.endpoint.begin(event, now).respond(status, now, reason=reason, headers=headers)
        else:  # OPTIONS for another host: we are no proxy
            self.endpoint.reply(event, 404, now=now)

    def _identify(self, event: sip.RequestReceived, now: float) -> Caller | None:
        """Who asks: a trunk by its address (not to REGISTER) or a user by digest; None: already answered."""
        if event.request.method != "REGISTER":
            trunk = self.trunk_at(event.flow.remote[0])
            if trunk is not None:
                return Caller(f"trunk:{trunk.name}", "")
        verdict = self.authenticator.authenticate(event.request, event.flow, now)
        if isinstance(verdict, Authenticated):
            return Caller(verdict.user.name, verdict.user.number or verdict.user.name)
        if isinstance(verdict, Challenged):
            self.endpoint.reply(event, verdict.status, now=now, headers=verdict.headers)
        elif isinstance(verdict, Refused):
            self.endpoint.reply(
                event, verdict.status, now=now, reason=verdict.reason, headers=verdict.headers
            )
        return None  # Ignored: a banned source hears nothing

    def trunk_at(self, host: str) -> Trunk | None:
        """The trunk that this address belongs to."""
        try:
            return self._trunk_of[host]
        except KeyError:
            pass
        address = ipaddress.ip_address(host.partition("%")[0])
        found = next((t for t in self._trunks.values() for net in t.sources if address in net), None)
        if len(self._trunk_of) < 10_000:
            self._trunk_of[host] = found
        return found

    def _is_ours(self, uri: sip.Uri, flow: sip.Flow) -> bool:
        host = uri.host.strip("[]").lower()
        return not host or host == flow.local[0] or self.is_local(host)

    def is_local(self, host: str) -> bool:
        """Whether a host in a URI, in lower case and without brackets, means this switch."""
        return host in self.config.domains or self._is_local(host)

    def _options(self, event: sip.RequestReceived, now: float) -> None:
        refusal = sip.inspect_request(event.request, methods=_METHODS)
        if refusal is not None:
            self.endpoint.reply(event, refusal.status, now=now, headers=refusal.headers)
        else:
            self.endpoint.reply(event, 200, now=now, headers=(("Allow", ALLOW), ("Accept", SDP)))

    # -- calls

    def _invite(
        self, event: sip.RequestReceived, caller: Caller, unsupported: sip.Refusal | None, now: float
    ) -> None:
        request = event.request
        refusal = unsupported or self._refusal(request, caller, now)
        if refusal is not None:
            self._refuse(event, caller, refusal, now)
            return
        number = clean_number(request.uri.user_unescaped or "")
        destinations = self._router.destinations(number) if self._is_ours(request.uri, event.flow) else ()
        targets = self._targets(destinations, number, now)
        if not targets:
            self._refuse(event, caller, sip.Refusal(480 if destinations else 404), now)
            return
        record = self._record(event, caller, number, destinations[0], now)
        self.calls_started += 1
        self._caps.take(caller.account)
        media = self.media.session(record.id)
        call = Call(self, record, caller.account, media, now)
        media.context = call
        self.calls[call.id] = call
        call.start(event, targets, self._parties(event, caller, number), now)
        if not call.is_over:
            self._watch(call, now)

    def _refusal(self, request: sip.Request, caller: Caller, now: float) -> sip.Refusal | None:
        """Why this INVITE is not even tried: loops (RFC 3261 §16.3) and limits."""
        if request.max_forwards == 0:
            return sip.Refusal(483)
        for via in request.vias:
            if self.mint.is_own_branch(via.branch or ""):
                return sip.Refusal(482)
        unreadable = _unreadable(request)
        if unreadable is not None:
            return unreadable
        if len(self.calls) >= self.config.max_calls or self.records.is_full:
            return sip.Refusal(503, RETRY_AFTER)
        if not self._caps.admits(caller.account, now):
            return sip.Refusal(503, RETRY_AFTER)
        return None

    def _refuse(self, event: sip.RequestReceived, caller: Caller, refusal: sip.Refusal, now: float) -> None:
        """A call that never began still leaves a record."""
        status, headers = refusal
        reason = sip.REASONS[status]
        record = self._record(event, caller, event.request.uri.user_unescaped or "", None, now)
        if status == 503:  # an overload keeps no state
            self.endpoint.reply(event, status, now=now, reason=reason, headers=headers)
        else:
            session = self.endpoint.accept(event, now, contact=contact_for(event.flow))
            session.reject(status, now, reason=reason, headers=headers)
        record.end_at = record.setup_at
        self.calls_started += 1
        self._close(record, status, reason, "switch")
        self.log.info(
            "call.refused", call=record.id, caller=record.caller, callee=record.callee, status=status
        )

    def _record(
        self, event: sip.RequestReceived, caller: Caller, number: str, to: Destination | None, now: float
    ) -> Record:
        return Record(
            call_id_a=event.request.call_id,
            caller=caller.number or _number_of(event.request),
            callee=number,
            from_user=caller.account,
            to_user=str(to.name if isinstance(to, ToUser | ToTrunk) else to.uri) if to else "",
            setup_at=self.clock.utc(now),
        )

    def _parties(self, event: sip.RequestReceived, caller: Caller, number: str) -> Parties:
        """Who is shown to whom: the number is the account's, not what the caller claims (THREATS C8)."""
        domain = self.config.domain or sip.bracketed(event.flow.local[0])
        shown = sip.escape_user(caller.number or _number_of(event.request))
        name = event.request.from_.display_name
        uri = sip.Uri("sip", shown, None, domain)
        return Parties(
            str(sip.NameAddr(name, uri, ())) if name else f"<{uri}>",
            f"<sip:{sip.escape_user(number)}@{domain}>",
        )

    def _targets(self, destinations: Sequence[Destination], number: str, now: float) -> list[Target]:
        """The addresses behind the destinations; all ring at once."""
        targets: list[Target] = []
        for destination in destinations:
            if isinstance(destination, ToUser):
                targets += [
                    Target(b.contact, b.flow, sip.Uri.parse(b.contact).host.strip("[]") != b.flow.remote[0])
                    for b in self.registrar.lookup(destination.name, now)
                ]
            elif isinstance(destination, ToTrunk):
                trunk = self._trunks.get(destination.name)
                if trunk is not None and trunk.host:
                    to = sip.Uri("sip", sip.escape_user(number), None, sip.bracketed(trunk.host), trunk.port)
                    targets += self._reach(to, trunk.host, trunk.transport, trunk.is_nat)
            else:
                to = sip.Uri.parse(destination.uri)
                targets += self._reach(
                    to, to.host.strip("[]"), (to.param("transport") or "UDP").upper(), False
                )
        return targets[: self.config.max_forks]

    def _reach(self, uri: sip.Uri, host: str, transport: str, is_nat: bool) -> list[Target]:
        """The way to a host; none when there is no route, no listener or no address yet."""
        try:
            return [Target(str(uri), self._flow_to(host, uri.port or 5060, transport), is_nat)]
        except (OSError, LookupError, ValueError) as error:
            self.log.warning("call.unreachable", host=host, transport=transport, error=str(error))
            return []

    # -- what a call reports

    def call_answered(self, call: Call, now: float) -> None:
        """The call has two legs now."""
        self.records.answered(call.record)
        self._watch(call, now)

    def call_over(self, call: Call, cause: int, reason: str, ended_by: str, now: float) -> None:
        """Close the record, count, and give the ports back."""
        del self.calls[call.id]
        self._caps.give_back(call.account)
        record = call.record
        report = call.media.close()
        record.codecs, record.media_a, record.media_b = report.codecs, report.a, report.b
        record.end_at = self.clock.utc(now)
        record.duration = 0.0 if call.answered_at is None else now - call.answered_at
        self._close(record, cause, reason, ended_by)
        self.log.info(
            "call.ended",
            call=call.id,
            caller=record.caller,
            callee=record.callee,
            cause=cause,
            ended_by=ended_by,
            reason=reason,
            seconds=round(record.duration, 3),
        )

    def _close(self, record: Record, cause: int, reason: str, ended_by: str) -> None:
        record.cause, record.reason, record.ended_by = cause, reason, ended_by
        self.calls_total[cause] = self.calls_total.get(cause, 0) + 1
        self.records.close(record)

    def on_media_timeout(self, session: MediaSession) -> None:
        """No RTP for too long: the call is a ghost (THREATS A10)."""
        call = session.context
        if isinstance(call, Call):
            call.hang_up("RTP timeout", self.clock.now(), cause=408)

    # -- the clock

    def _watch(self, call: Call, now: float) -> None:
        """Look at the call again when its next limit falls due, or in a minute."""
        call.look_at = self._due.add(call.id, min(call.next_check(), now + 60.0))

    def next_timer(self) -> float | None:
        """When calls must be looked at; only the seconds that hold any."""
        return self._due.next_at()

    def handle_timer(self, now: float) -> None:
        """Check the calls whose second has come."""
        while (due := self._due.take(now)) is not None:
            at, call_ids = due
            for call_id in call_ids:
                call = self.calls.get(call_id)
                if call is not None and call.look_at == at:  # else an earlier look was planned since
                    call.check(now)
                    if not call.is_over:
                        self._watch(call, now)

    def hang_up_all(self, reason: str, now: float) -> None:
        """A clean stop: every call gets its BYE, CANCEL or refusal."""
        for call in list(self.calls.values()):
            call.hang_up(reason, now, status=503)


def _unreadable(request: sip.Request) -> sip.Refusal | None:
    """A body of several parts must be whole and hold SDP: it is no offerless call (THREATS B5)."""
    if not request.body or not (request.content_type or "").startswith("multipart/"):
        return None
    try:
        parts = sip.body_parts(request)
    except RemoteProtocolError as error:
        return sip.Refusal(error.status)
    return None if any(part.content_type == SDP for part in parts) else sip.Refusal(415, (("Accept", SDP),))


def _number_of(request: sip.Request) -> str:
    return clean_number(request.from_.uri.user_unescaped or "anonymous")


def _on_stray(event: sip.Event, now: float) -> None:
    """What comes for a call that is over, while its legs still say good-bye."""
    if isinstance(event, sip.SessionAnswered):
        event.session.acknowledge(now)
        event.session.bye(now)
    elif isinstance(event, sip.ReinviteReceived):
        event.session.answer_reinvite(event.transaction, 481, now)
    elif isinstance(event, sip.ReinviteAnswered):
        event.session.acknowledge(now)
    elif isinstance(event, sip.SessionRequestReceived):
        event.transaction.respond(481, now)


# What a leg's session tells, and who deals with it: the call until it is answered, then the bridge.
_ON_SESSION: dict[type, Callable[[Leg, Any, float], None]] = {
    sip.SessionProgressed: lambda leg, e, now: leg.call.on_progress(leg, e.response, now),
    sip.SessionAnswered: lambda leg, e, now: leg.call.on_answer(leg, e.response, now),
    sip.SessionRejected: lambda leg, e, now: leg.call.on_rejected(leg, e.response, e.status, e.reason, now),
    sip.SessionCancelled: lambda leg, e, now: leg.call.on_cancelled(e.request, now),
    sip.SessionAcknowledged: lambda leg, e, now: bridge.on_acknowledged(leg, e.request, now),
    sip.SessionEnded: lambda leg, e, now: bridge.on_ended(leg, e.cause, e.request, now),
    sip.ReinviteReceived: lambda leg, e, now: bridge.on_reinvite(leg, e.transaction, e.request, now),
    sip.ReinviteAnswered: lambda leg, e, now: bridge.on_reinvite_answered(leg, e.response, now),
    sip.ReinviteRejected: lambda leg, e, now: bridge.on_reinvite_rejected(leg, e.response, e.status, now),
    sip.SessionRequestReceived: lambda leg, e, now: bridge.on_request(leg, e.transaction, e.request, now),
    sip.SessionResponseReceived: lambda leg, e, now: bridge.on_response(
        e.transaction, e.response.status, now
    ),
    sip.SessionRequestFailed: lambda leg, e, now: bridge.on_response(e.transaction, 408, now),
}
