"""The exchange: takes the events of the SIP engine and decides who may do what, and where a call goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import random
from typing import TYPE_CHECKING, Any, Protocol

from switchroom.protocols import sip
from switchroom.protocols.sip.events import RequestReceived
from switchroom.protocols.sip.refresh import inspect_timing
from switchroom.protocols.wheel import Slots
from switchroom.switch.calls import hearing, identity, keys, survival
from switchroom.switch.calls.access.admission import Admission
from switchroom.switch.calls.access.auth import Authenticator
from switchroom.switch.calls.access.reception import Reception
from switchroom.switch.calls.call import Call
from switchroom.switch.calls.contact import contact_for
from switchroom.switch.calls.farewell import turn_away
from switchroom.switch.calls.hunting.locating import Locator, NameService
from switchroom.switch.calls.identity import Identity
from switchroom.switch.calls.ledger import Ledger
from switchroom.switch.calls.leg import ALLOW, Leg
from switchroom.switch.calls.passing import Headers, of_invite
from switchroom.switch.calls.registration.bindings import Binding
from switchroom.switch.calls.registration.registrar import Registrar
from switchroom.switch.calls.routing import Leap, Step, ToApp, ToUser, clean_number
from switchroom.switch.calls.routing.plan import Inquiry, Plan
from switchroom.switch.calls.routing.router import Router
from switchroom.switch.calls.rules import Caller, ExchangeConfig
from switchroom.switch.calls.stir import Verdict
from switchroom.switch.calls.trunks.trunk import Trunk
from switchroom.switch.calls.trunks.trunks import Trunks
from switchroom.switch.media.plane import MediaPlane
from switchroom.switch.media.session import MediaSession
from switchroom.switch.net.clock import Clock
from switchroom.switch.store import RecordStore

if TYPE_CHECKING:
    from switchroom.switch.calls.hunting.attempt import Attempt
    from switchroom.switch.calls.hunting.dialling import Errand
    from switchroom.switch.calls.ledger import Log
    from switchroom.switch.calls.trunks.means import FlowTo
    from switchroom.switch.config.patterns import NumberPattern

Feature = Callable[[sip.RequestReceived, Caller, str, float], bool]
OnRequest = Callable[[Leg, sip.ServerTransaction, sip.Request, float], None]


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
        trunks: Trunks,
        resolver: NameService,
        media: MediaPlane,
        records: RecordStore,
        clock: Clock,
        flow_to: FlowTo,
        is_local: Callable[[str], bool],
        log: Log,
        peer_names: Callable[[sip.Flow], Sequence[str]] = lambda flow: (),
    ) -> None:
        self.endpoint = endpoint
        self.mint = mint
        self.registrar = registrar
        self.trunks = trunks
        self.locator = Locator(resolver, flow_to, log)
        self.media = media
        self.clock = clock
        self.log = log
        self.calls: dict[str, Call] = {}
        self.ledger = Ledger(records, clock, log)
        self.admission = Admission(config, mint, records)
        self.reception = Reception(self, authenticator, peer_names)
        # Asked before routing, in order: True when it took the INVITE (numbers for pickup, park...)
        self.features: list[Feature] = []
        self.on_replaces: Callable[[sip.RequestReceived, Caller, float], bool] | None = None  # RFC 3891
        # Told when a call's legs are not what they were: made, ringing, answered, over
        self.on_call_state: list[Callable[[Call, float], None]] = []
        # Who deals with REFER inside a call, and with NOTIFY of one that was passed on (RFC 3515)
        self.on_refer: OnRequest | None = None
        self.on_notify: OnRequest | None = None
        # Applications: by which numbers and rules they take calls before routing is asked, the plan to one
        # that does, and what to do with a call that is theirs
        self.app_numbers: list[tuple[tuple[NumberPattern, ...], str]] = []
        self.claims: list[Callable[[Inquiry], str | None]] = []
        self.claim: Callable[[Inquiry], Plan | None] = lambda inquiry: None
        self.on_app: Callable[[Call, ToApp, float], bool] = lambda call, to, now: False
        # Whether another worker, which has what the plan leads to, has the INVITE now
        self.on_planned: Callable[[sip.RequestReceived, Caller, Plan, float], bool] | None = None
        self.link: Callable[[str, str], object] | None = None  # told each leg's Call-ID, and the call's id
        # Signs an INVITE before it goes out (RFC 8224)
        self.sign: Callable[[sip.Request, Errand, Attempt, float], object] | None = None
        # What the signature of a trunk's INVITE is worth
        self.verify: Callable[[sip.Request, Trunk, float], Verdict] | None = None
        self._due: Slots = Slots(per_second=4)  # the calls to look at
        self._is_local = is_local
        self.reconfigure(config, router)

    def reconfigure(self, config: ExchangeConfig, router: Router) -> None:
        """Apply new rules; calls in progress keep what they have."""
        self.config = config
        self.router = router
        self.admission.reconfigure(config)
        self.reception.proportion.factor = config.max_amplification
        self.invite_headers = (("Allow", ALLOW), ("User-Agent", config.user_agent))
        timing = config.timing
        self._timings: dict[str, sip.SessionTiming | None] = {"off": None, "offer": timing, "require": timing}
        if timing is not None:
            self._timings["require"] = sip.SessionTiming(
                timing.interval, timing.min_se, timing.refresher, "require"
            )

    @property
    def calls_total(self) -> dict[int, int]:
        """Calls that ended, by cause."""
        return self.ledger.ended

    @property
    def calls_started(self) -> int:
        """Calls that began."""
        return self.ledger.started

    @property
    def caps(self) -> Any:
        """What each account has in use."""
        return self.admission.caps

    @property
    def is_draining(self) -> bool:
        """Whether new calls are sent away."""
        return self.admission.is_draining

    @is_draining.setter
    def is_draining(self, value: bool) -> None:
        self.admission.is_draining = value

    def handle_event(self, event: sip.Event, now: float) -> None:
        """One event of the engine: it goes to the leg whose session tells it, or to who else waits for it."""
        if isinstance(event, RequestReceived):
            self.reception.receive(event, now)
            return
        owner: EventOwner | Leg | None = event.context()
        if owner is None:
            turn_away(event, now)
        elif not isinstance(owner, Leg):
            owner.handle_event(event, now)
        else:
            hearing.hear(owner, event, now)

    def is_trusted(self, host: str) -> bool:
        """Whether requests from there may be a trunk's or a registered phone's."""
        return self.trunks.is_source(host) or self.registrar.has_host(host)

    def is_ours(self, uri: sip.Uri, flow: sip.Flow) -> bool:
        """Whether a request for this URI, over this flow, is for the switch."""
        host = uri.host
        if host == flow.local[0]:
            return True  # as nearly always
        host = host.strip("[]").lower()
        return not host or host == flow.local[0] or self.is_local(host)

    def _within(self, number: str, uri: sip.Uri) -> str:
        """The number, with its domain where that is the one of somebody who is hosted."""
        if not self.config.has_hosted or "@" in number or uri.host.lower() not in self.config.domains:
            return number
        whole = f"{number}@{uri.host.lower()}"
        return whole if whole in self.config.users else number

    def is_local(self, host: str) -> bool:
        """Whether a host in a URI, in lower case and without brackets, means this switch."""
        return host in self.config.domains or self._is_local(host)

    # -- calls

    def invite(
        self, event: sip.RequestReceived, caller: Caller, unsupported: sip.Refusal | None, now: float
    ) -> None:
        """Somebody who is known calls; ``unsupported``: what the INVITE needs and we have not."""
        request, trunk = event.request, caller.trunk
        uri = request.uri
        refusal = unsupported or self.admission.inspect(request)
        if refusal is None:
            refusal = inspect_timing(request, self.timing_for(trunk))
        if refusal is not None:
            self.refuse(event, caller, refusal, now)
            return
        verdict = None
        if trunk is not None:
            if self.verify is not None and trunk.is_verified:
                verdict = self.verify(request, trunk, now)
            if trunk.has_rules:
                trunk.strip_in(request)
        if self.on_replaces is not None and "replaces" in request and self.on_replaces(event, caller, now):
            return
        number = trunk.called(request) if trunk is not None else clean_number(uri.user_unescaped or "")
        number = self._within(number, uri)
        for feature in self.features:
            if feature(event, caller, number, now):
                return
        who = self.identity_of(request, caller)
        if verdict is not None:
            who = who.changed(None, None, None, verdict.verstat)
        only = None
        if not self.is_ours(uri, event.flow):
            plan = None
        elif uri.params and uri.param("gr") is not None:
            only = self.registrar.resolve_gruu(uri, now)
            plan = self._plan_for(only, who.number, caller)
        else:
            plan = self.plan(who.number, number, caller, now)
        refusal = None
        if plan is None or not plan.is_emergency:
            refusal = self.admission.limit(caller, number, len(self.calls), now)
            if verdict is not None and verdict.status and caller.must_be_signed:
                self.refuse(event, caller, sip.Refusal(verdict.status), now, number, plan, verdict)
                return
        if refusal is None and (plan is None or not plan.steps):
            refusal = sip.Refusal(plan.status if plan is not None else 404)
        if refusal is not None or plan is None:
            self.refuse(event, caller, refusal or sip.Refusal(404), now, number, plan)
            return
        if self.on_planned is not None and self.on_planned(event, caller, plan, now):
            return
        self.begin(event, caller, who, number, plan, now, only, verdict)

    def begin(
        self,
        event: sip.RequestReceived,
        caller: Caller,
        who: Identity,
        number: str,
        plan: Plan,
        now: float,
        only: Binding | None = None,
        verdict: Verdict | None = None,
    ) -> Call:
        """Take an INVITE as a call, and call whom the plan names; ``only``: this phone of the user."""
        record = self.ledger.open(event.request, caller, number, who.number, plan, now)
        self.admission.caps.take(caller.account)
        self.admission.setups += 1
        media = self.media.session(record.id)
        call = Call(self, record, caller, media, now)
        media.context = call
        self.calls[call.id] = call
        if verdict is not None:
            call.notes.append(f"{verdict.verstat}: {verdict.note}")
        call.start(event, who, plan, now, only)
        if not call.is_over and not call.look_at:
            self.watch(call, now)  # else that was done when the first phone began to ring
        return call

    def plan(self, shown: str, number: str, caller: Caller, now: float) -> Plan:
        """Where a number leads when this caller dials it."""
        inquiry = Inquiry(shown, number, caller.account, self.clock.posix(now), random())
        plan = self.claim(inquiry) if self.claims or self.app_numbers else None
        return self.router.plan(inquiry) if plan is None else plan

    @staticmethod
    def _plan_for(binding: Binding | None, shown: str, caller: Caller) -> Plan:
        """The plan that a GRUU makes: one phone, or nobody (RFC 5627 §5.3)."""
        if binding is None:
            return Plan(Inquiry(shown, "", caller.account), status=480)
        leap = Leap(ToUser(binding.user), binding.user, shown)
        return Plan(Inquiry(shown, binding.user, caller.account), (Step((leap,)),))

    def identity_of(self, request: sip.Request, caller: Caller) -> Identity:
        """Who calls: a user's number is the account's, not what the phone claims (THREATS C8)."""
        trunk = caller.trunk
        if trunk is not None:
            return trunk.undress(request)
        is_private = caller.is_private
        if not is_private and "privacy" in request:
            is_private = identity.read(request, False).is_private
        name = request.from_.display_name
        return Identity(caller.number, identity.plain(name) if name else "", is_private)

    def refuse(
        self,
        event: sip.RequestReceived,
        caller: Caller,
        refusal: sip.Refusal,
        now: float,
        number: str | None = None,
        plan: Plan | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        """A call that never begins still leaves a record; ``verdict``: its signature is not good."""
        status, headers = refusal
        request = event.request
        reason = sip.REASONS.get(status, "") if verdict is None else verdict.reason
        if number is None:
            number = request.uri.user_unescaped or ""
        shown = caller.number or identity.number_in(request.from_.uri) or "anonymous"
        record = self.ledger.open(request, caller, number, shown, plan, now)
        if self.link is not None:
            self.link(request.call_id, record.id)
        if status == 503:  # an overload keeps no state
            self.endpoint.reply(event, status, now=now, reason=reason, headers=headers)
        else:
            session = self.endpoint.accept(event, now, contact=contact_for(event.flow, self.endpoint))
            session.reject(status, now, reason=reason, headers=headers)
        self.ledger.refused(record, status, reason, plan, self._why(caller, status, plan, verdict))

    def _why(self, caller: Caller, status: int, plan: Plan | None, verdict: Verdict | None) -> str:
        """What a refusal's record adds to the status."""
        if verdict is not None:
            return verdict.note
        if status == 503:
            return self.admission.why(caller, len(self.calls))
        return plan.reason if plan is not None and not plan.steps else ""

    # -- what calls ask

    def domain_for(self, flow: sip.Flow) -> str:
        """The domain in the addresses that we write to the other end of a flow: one that leads back to us."""
        return self.config.domain or sip.bracketed(self.endpoint.advertised(flow)[0])

    def timing_for(self, trunk: Trunk | None) -> sip.SessionTiming | None:
        """Session timers of a leg (RFC 4028)."""
        return self.config.timing if trunk is None else self._timings[trunk.session_timer]

    def travelling(self, request: sip.Request, trunk: Trunk | None) -> Headers:
        """What the legs that are made for a caller get of its INVITE."""
        headers = of_invite(request, trunk is not None and trunk.is_trusted)
        if trunk is not None and trunk.has_rules:
            return [*headers, *trunk.headers_in(request)]
        return headers

    def tell(self, call: Call, now: float) -> None:
        """A call's legs are not what they were."""
        for told in self.on_call_state:
            told(call, now)

    # -- what a call reports

    def call_answered(self, call: Call, now: float) -> None:
        """The call has two legs now; it is kept as soon as the caller has our answer."""
        self.admission.setups -= 1
        self.watch(call, now)
        keys.attend(call)
        self.tell(call, now)

    def keep(self, call: Call) -> None:
        """The call is up, or its dialogs or media have changed: keep what is needed to go on (THREATS G3)."""
        if call.is_over:
            return
        if self.config.survive_restart:
            call.record.state = survival.export_call(call)
        call.kept = call.a.media.agreement
        self.ledger.records.answered(call.record)
        call.record.state = None  # the store has it

    def call_over(self, call: Call, cause: int, reason: str, ended_by: str, now: float) -> None:
        """Close the record, count, and give the ports back."""
        del self.calls[call.id]
        self.admission.caps.give_back(call.account)
        if call.answered_at is None:
            self.admission.setups -= 1
        self.ledger.over(call, cause, reason, ended_by, now)
        self.tell(call, now)
        told, call.on_over = call.on_over, None
        if told is not None:
            told(call)

    def on_media_timeout(self, session: MediaSession) -> None:
        """No RTP for too long: the call is a ghost (THREATS A10)."""
        call = session.context
        if isinstance(call, Call):
            call.hang_up("RTP timeout", self.clock.now(), cause=408)

    # -- the clock

    def watch(self, call: Call, now: float) -> None:
        """Look at the call again when its next limit falls due, or in a minute."""
        at = min(call.next_check(), now + 60.0)
        if not now < call.look_at <= at:  # else an earlier look is planned already
            call.look_at = self._due.add(call.id, at)

    def next_timer(self) -> float | None:
        """When calls must be looked at; only the moments that hold any."""
        return self._due.next_at()

    def handle_timer(self, now: float) -> None:
        """Check the calls whose moment has come."""
        while (due := self._due.take(now)) is not None:
            at, call_ids = due
            for call_id in call_ids:
                call = self.calls.get(call_id)
                if call is not None and call.look_at == at:  # else an earlier look was planned since
                    call.check(now)
                    if not call.is_over:
                        self.watch(call, now)

    def hang_up_all(self, reason: str, now: float) -> None:
        """A clean stop: every call gets its BYE, CANCEL or refusal."""
        for call in list(self.calls.values()):
            call.hang_up(reason, now, status=503)


class EventOwner(Protocol):
    """The context of a session, a subscription or a transaction."""

    def handle_event(self, event: Any, now: float) -> None: ...
