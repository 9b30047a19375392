"""Dialling: hunts over a plan and makes the legs, until one of them answers or nobody is left.

Whoever asks for it, a call that is being set up or a transfer, hears of progress, of the answer, and of the
failure of all. Phones of a user, addresses of a trunk and those behind a URI are tried here; which
destination comes after which is the hunt's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.wheel import NEVER
from switchroom.switch.calls import passing, verdict
from switchroom.switch.calls.hunting import invitation
from switchroom.switch.calls.hunting.attempt import Attempt, Failure, Target, phones
from switchroom.switch.calls.hunting.hunt import Hunt
from switchroom.switch.calls.hunting.locating import number_of_contact
from switchroom.switch.calls.identity import Identity
from switchroom.switch.calls.leg import Leg
from switchroom.switch.calls.routing.plan import Diversion, Plan, ToApp, ToTrunk, ToUser, ToWorker
from switchroom.switch.media import NoPortsLeft
from switchroom.switch.net.between import flow_to_worker

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.registration.bindings import Binding

Headers = Sequence[tuple[str, str]]

ANSWERED_ELSEWHERE = (("Reason", 'SIP;cause=200;text="Call completed elsewhere"'),)
MAX_BREADTH = 60  # RFC 5393 §5.3.2: of a request that says none
_RUNG_OUT = (("Reason", 'SIP;cause=408;text="No answer"'),)


class Errand:
    """What all legs of one dialling have in common."""

    __slots__ = (
        "breadth", "caller", "has_boxes", "headers", "hops", "identity", "is_emergency", "is_reliable",
        "offer", "only", "propose", "request",
    )  # fmt: skip

    def __init__(
        self,
        identity: Identity,
        caller: Leg,
        offer: bytes = b"",
        hops: int = 69,
        breadth: int | None = None,
        headers: Headers = (),
        request: sip.Request | None = None,
        is_emergency: bool = False,
        is_reliable: bool = False,
        only: Binding | None = None,
        has_boxes: bool = True,
        propose: Callable[[Leg], bytes] | None = None,
    ) -> None:
        self.identity = identity  # who calls
        self.caller = caller  # whom they are made for
        self.offer = offer  # its SDP; none: the callee makes the offer
        self.hops = hops  # Max-Forwards (RFC 3261 §16.6 step 3)
        self.breadth = breadth  # Max-Breadth (RFC 5393), when the caller's request has one
        self.headers = headers  # that travel
        self.request = request  # the caller's, for the header rules of trunks
        self.is_emergency = is_emergency
        self.is_reliable = is_reliable  # the caller knows 100rel (RFC 3262)
        self.only = only  # the one phone that a GRUU means (RFC 5627)
        self.has_boxes = has_boxes  # mailboxes may take it
        self.propose = propose  # makes an offer of ours for each leg, in place of ``offer``


class Asker(Protocol):
    """Whom the legs are made for."""

    def on_calling(self, now: float) -> None:
        """A trunk is called that wants the caller's phone to ring at once."""

    def on_progress(self, leg: Leg, response: sip.Response, now: float) -> None:
        """A provisional response above 100."""

    def on_answer(self, leg: Leg, response: sip.Response, now: float) -> None:
        """A 2xx: ``dialling.win(leg)``, or ``dialling.lose(leg, failure)`` and a BYE."""

    def on_failed(self, failure: Failure, now: float) -> None:
        """Nobody is left who could answer."""

    def on_dropped(self, leg: Leg, now: float) -> None:
        """A leg is given up, but others may still answer."""

    def on_app(self, to: ToApp, now: float) -> bool:
        """An application's turn: whether it takes the caller. Whatever else rings is given up."""


class Dialling:
    """One hunt and its legs; ``call`` is what the legs belong to."""

    __slots__ = ("asker", "call", "errand", "exchange", "hunt", "is_over", "legs", "notes")

    def __init__(self, exchange: Exchange, call: Call, asker: Asker, errand: Errand) -> None:
        self.exchange = exchange
        self.call = call
        self.asker = asker
        self.errand = errand
        self.legs: list[Leg] = []  # all that were made, the failed ones too
        self.is_over = False
        self.notes = self.call.notes  # what came of each destination, in plain words
        most = self.exchange.config.max_forks
        self.hunt = Hunt(self.exchange.router, most, self.notes, self.errand.has_boxes)

    # -- for the asker

    def begin(self, plan: Plan, now: float) -> None:
        """Try the first destinations. RemoteProtocolError: the offer cannot be used; NoPortsLeft."""
        self._try_all(self.hunt.begin(plan, now), now)

    def win(self, leg: Leg, now: float) -> None:
        """A leg has answered and stays; whatever else rings is cancelled."""
        self.is_over = True
        attempt = leg.attempt
        assert attempt is not None
        if attempt.trunk is not None:
            attempt.trunk.report(leg.session.flow, "answered", now)
            leg.trunk, attempt.trunk = attempt.trunk, None
        if len(self.legs) > 1:
            for other in self.legs:
                if other is not leg and not other.is_failed:
                    other.is_failed = True
                    other.session.hang_up(now, 487, ANSWERED_ELSEWHERE)
                    self.call.media.drop(other.media)
                    other.forget()
        for left in self.hunt.stop():
            left.let_go()
        self.legs = [leg]

    def lose(self, leg: Leg, failure: Failure, now: float) -> None:
        """A leg came to nothing."""
        if not leg.is_failed:
            leg.is_failed = True
            self._leg_failed(leg, failure, now)

    def give_up(self, now: float, headers: Headers = ()) -> None:
        """The asker wants nobody any more."""
        self.is_over = True
        for leg in self.legs:
            if not leg.is_failed:
                leg.is_failed = True
                leg.session.hang_up(now, 487, headers)
                leg.forget()
        for left in self.hunt.stop():
            left.let_go()

    def note_silence(self, now: float) -> None:
        """The call's time is over: say of whom it waited for."""
        for attempt in self.hunt.attempts:
            self.notes.append(f"{attempt.name}: no answer after {verdict.seconds(now - attempt.since)}")

    def next_check(self) -> float:
        """When somebody was silent, or rang, for long enough."""
        return self.hunt.next_check()

    def check(self, now: float) -> None:
        """Go on where somebody was silent, or rang, for long enough."""
        for attempt in list(self.hunt.attempts):
            if attempt.is_over:
                continue
            if attempt.silent_at <= now:
                self._drop_legs(attempt, now, "timeout")
                self._failed(attempt, Failure(408, "silent", None, False), now)
            elif attempt.give_up_at <= now or attempt.group_ends_at <= now:
                is_last = attempt.give_up_at <= now
                if is_last:
                    attempt.groups.clear()
                self._drop_legs(attempt, now, "")
                self._failed(attempt, Failure(408, "no answer"), now)

    # -- what its legs tell

    def on_progress(self, leg: Leg, response: sip.Response, now: float) -> None:
        """Somebody is there."""
        attempt = leg.attempt
        if attempt is None or leg.is_failed:
            return
        if attempt.silent_at != NEVER:
            attempt.silent_at = NEVER
            if attempt.trunk is not None:  # it lives, however this call ends
                attempt.trunk.report(leg.session.flow, "answered", now)
        if response.status != 100 and not self.is_over:
            self.asker.on_progress(leg, response, now)

    def on_answer(self, leg: Leg, response: sip.Response, now: float) -> None:
        """The first leg that answers wins, if its answer is good for something."""
        if self.is_over or leg.is_failed:
            leg.session.acknowledge(now)
            leg.session.bye(now)
            return
        self.asker.on_answer(leg, response, now)

    def on_rejected(
        self, leg: Leg, response: sip.Response | None, status: int, reason: str, now: float
    ) -> None:
        """A leg was refused, or reached nobody."""
        if self.is_over or leg.is_failed:
            return
        leg.is_failed = True
        if response is not None and 300 <= status < 400 and self._redirect(leg, response, now):
            return
        self._leg_failed(leg, Failure(status, reason, response, response is not None), now)

    # -- destinations

    def _try_all(self, attempts: list[Attempt], now: float) -> None:
        # Those that are tried at once share the breadth; those that come later have it all (RFC 5393 §5.3.3)
        breadth = self.errand.breadth
        if breadth is not None or len(attempts) > 1:
            breadth = (MAX_BREADTH if breadth is None else breadth) // max(1, len(attempts))
        for attempt in attempts:
            attempt.breadth = breadth
            self._try(attempt, now)
        if not self.hunt.attempts and not self.is_over:
            self.is_over = True
            self.asker.on_failed(self.hunt.best, now)

    def _try(self, attempt: Attempt, now: float) -> None:
        to = attempt.leap.destination
        if isinstance(to, ToUser):
            user = self.exchange.config.users.get(to.name)
            attempt.codecs = self.exchange.config.codecs_of(to.name)
            only = self.errand.only
            if only is not None and only.user == to.name:
                found = [only]
            else:
                found = self.exchange.registrar.lookup(to.name, now)
            if found:
                attempt.groups = phones(found, user, self.exchange.config.contact_timeout)
            self._first_group(attempt, 480, "not registered", now)
        elif isinstance(to, ToTrunk):
            self._try_trunk(attempt, to.name, now)
        elif isinstance(to, ToApp):
            self._try_app(attempt, to, now)
        elif isinstance(to, ToWorker):
            flow = flow_to_worker(to.slot)
            timeout = self.exchange.config.contact_timeout
            attempt.groups = [[Target(f"sip:{attempt.leap.called}@{flow.remote[0]}", flow, timeout)]]
            self._first_group(attempt, 480, "no such worker", now)
        else:
            self._try_uri(attempt, to.uri, now)

    def _try_trunk(self, attempt: Attempt, name: str, now: float) -> None:
        trunk = self.exchange.trunks.get(name)
        if trunk is None:
            self._first_group(attempt, 480, "no such trunk", now)
            return
        is_emergency = self.errand.is_emergency
        refusal = trunk.admit(attempt.leap.called, now, is_emergency)
        if refusal is not None:
            text = "may not call this number" if refusal.status == 403 else "full"
            self._failed(attempt, Failure(refusal.status, f"trunk {name}: {text}", None, False), now)
            return
        trunk.take()
        attempt.trunk = trunk
        attempt.codecs = trunk.codecs
        groups = attempt.groups
        for way in trunk.ways(now, is_emergency):
            groups.append([Target("", way.flow, way.timeout, trunk.is_nat)])
        if trunk.rings_back and groups:
            self.asker.on_calling(now)
        self._first_group(attempt, 503, "no address of it is alive", now)

    def _try_app(self, attempt: Attempt, to: ToApp, now: float) -> None:
        if self.asker.on_app(to, now):
            rang = [leg for leg in self.legs if not leg.is_failed]
            self.give_up(now, ANSWERED_ELSEWHERE)
            for leg in rang:
                self.call.media.drop(leg.media)
        else:
            self._failed(attempt, Failure(480, "no such application here", None, False), now)

    def _try_uri(self, attempt: Attempt, uri: str, now: float) -> None:

        def located(flows: list[sip.Flow], at: float) -> None:
            if attempt.is_over or self.is_over:
                return
            timeout = self.exchange.config.contact_timeout
            attempt.groups = [[Target(uri, flow, timeout)] for flow in flows]
            self._first_group(attempt, 503, "not found", at)

        self.exchange.locator.locate(uri, located)

    def _first_group(self, attempt: Attempt, status: int, reason: str, now: float) -> None:
        """Ring the first addresses of a destination; the reason why it has none."""
        if attempt.groups:
            self._next_group(attempt, now)
        else:
            self._failed(attempt, Failure(status, reason, None, False), now)

    def _next_group(self, attempt: Attempt, now: float) -> None:
        """Ring the next addresses of a destination."""
        group = attempt.groups[0]
        del attempt.groups[0]
        room = self.exchange.config.max_forks - self._count_open()
        if room <= 0:
            self._failed(attempt, Failure(480, "too many legs", None, False), now)
            return
        attempt.legs = []
        breadth = attempt.breadth
        if breadth is not None or len(group) > 1:
            breadth = MAX_BREADTH if breadth is None else breadth
            room = min(room, breadth)
            breadth //= max(1, min(room, len(group)))
        try:
            for target in group[:room]:
                leg = invitation.send(self, attempt, target, breadth, now)
                attempt.legs.append(leg)
                self.legs.append(leg)
        except RemoteProtocolError as error:
            self._stumbled(attempt, Failure(error.status, str(error), None, True, True), now)
            return
        except NoPortsLeft as error:
            self._stumbled(attempt, Failure(503, str(error), None, True, True), now)
            return
        first = group[0]
        attempt.silent_at = now + first.timeout
        attempt.group_ends_at = now + first.ring_time if attempt.groups else NEVER
        self.exchange.watch(self.call, now)

    def _count_open(self) -> int:
        """The legs that may still answer."""
        count = 0
        for leg in self.legs:
            count += not leg.is_failed
        return count

    def _stumbled(self, attempt: Attempt, failure: Failure, now: float) -> None:
        """A leg could not be made: the others of its group may still answer."""
        attempt.failures.append(failure)
        if not attempt.legs:
            self._failed(attempt, failure, now)

    def _leg_failed(self, leg: Leg, failure: Failure, now: float) -> None:
        attempt = leg.attempt
        assert attempt is not None
        if attempt.trunk is not None:
            invitation.report(attempt.trunk, leg, failure, now)
        elif failure.status == 430 and attempt.user:
            self.exchange.registrar.flow_failed_behind(attempt.user, str(leg.session.request.uri), now)
        attempt.failures.append(failure)
        if not attempt.is_silent and failure.status < 600:
            self.call.media.drop(leg.media)
            self.asker.on_dropped(leg, now)
            return
        self._failed(attempt, failure if len(attempt.failures) == 1 else attempt.outcome(), now)

    def _failed(self, attempt: Attempt, failure: Failure, now: float) -> None:
        """All addresses that rang are done with: the next ones, or the next destination."""
        self._note(attempt, failure, now)
        if attempt.may_go_on(failure):
            self._drop_media(attempt, now)
            self._next_group(attempt, now)
            return
        attempt.let_go()
        fresh = self.hunt.fail(attempt, failure, now)
        if failure.status >= 600 and not fresh:
            self.give_up(now, passing.of_refusal(failure.response))
            self.asker.on_failed(failure, now)
            return
        if fresh or self.hunt.attempts:
            self._drop_media(attempt, now)
        self._try_all(fresh, now)

    def _drop_media(self, attempt: Attempt, now: float) -> None:
        for leg in attempt.legs:
            if leg.is_failed:
                self.call.media.drop(leg.media)
                self.asker.on_dropped(leg, now)
                leg.forget()

    def _drop_legs(self, attempt: Attempt, now: float, outcome: str) -> None:
        for leg in attempt.legs:
            if not leg.is_failed:
                leg.is_failed = True
                leg.session.hang_up(now, 487, _RUNG_OUT)
                if outcome and attempt.trunk is not None:
                    attempt.trunk.report(leg.session.flow, outcome, now)

    # -- forwarding

    def _redirect(self, leg: Leg, response: sip.Response, now: float) -> bool:
        """A phone of ours sends the call to a number of ours: it is routed as if that user had dialled it."""
        attempt = leg.attempt
        assert attempt is not None
        name = attempt.user
        before = attempt.run.plan.inquiry
        if not name or not self.exchange.config.follow_redirects or name in before.forwarders:
            return False
        number = number_of_contact(response, self.exchange.is_local)
        if not number:
            return False
        plan = self.exchange.router.plan(before.forwarded(name, number))
        if not plan.steps:
            return False
        plan.diversion = Diversion(name, attempt.leap.called, "deflection")
        self._drop_legs(attempt, now, "")
        self.notes.append(f"user {name} redirected the call to {number}")
        self._drop_media(attempt, now)
        attempt.let_go()
        self._try_all(self.hunt.redirect(attempt, plan, now), now)
        return True

    # -- the story

    def _note(self, attempt: Attempt, failure: Failure, now: float) -> None:
        after = verdict.seconds(now - attempt.since)
        if failure.response is not None:
            self.notes.append(f"rejected by {attempt.name} with {failure.status} after {after}")
        else:
            self.notes.append(f"{attempt.name}: {failure.reason} after {after}")
