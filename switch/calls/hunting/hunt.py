"""A hunt: who rings now, who next, and when it is over. Pure: it makes no legs and reads no messages.

The steps of a plan come one after the other, the leaps of a step ring together (RFC 3261 §16.5 to §16.7).
A user who forwards is replaced by a plan of his own, in the place where he rang; the router sees to it that
nobody forwards a call twice, so that A to B to A ends at once (THREATS C9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols.wheel import NEVER
from switchroom.switch.calls.hunting.attempt import Attempt, Failure
from switchroom.switch.calls.routing import Diversion, ToUser

if TYPE_CHECKING:
    from switchroom.switch.calls.routing.plan import Leap, Plan, Step
    from switchroom.switch.calls.routing.router import Router

MAX_TURNS = 10  # diversions and redirections, one after the other, of one call


class Run:
    """A plan in progress: the call's own, or that of somebody who forwards."""

    __slots__ = ("diversions", "index", "is_stopped", "open", "outer", "plan", "step")

    def __init__(self, plan: Plan, outer: Run | None, diversions: tuple[Diversion, ...]) -> None:
        self.plan = plan
        self.index = 0
        self.step: Step | None = None
        self.open = 0  # destinations of this step that may still answer
        self.is_stopped = False  # a cause came after which the next step is not tried
        self.outer = outer
        self.diversions = diversions  # that led here, the last one first

    @property
    def is_alone(self) -> bool:
        """Nobody else rings, nor will."""
        is_alone = sum(len(step.leaps) for step in self.plan.steps) == 1
        return is_alone and (self.outer is None or self.outer.is_alone)


class Hunt:
    """``begin``, then ``fail`` for each attempt that came to nothing: both give those to make next."""

    __slots__ = ("_has_boxes", "_left", "_router", "attempts", "failures", "notes")

    def __init__(self, router: Router, max_attempts: int, notes: list[str], has_boxes: bool) -> None:
        """``has_boxes``: the mailbox of whoever is called alone may take it."""
        self._router = router
        self._has_boxes = has_boxes
        self._left = max_attempts
        self.notes = notes  # what was decided on the way
        self.attempts: list[Attempt] = []  # that may still answer; none: it is over
        self.failures: list[Failure] = []

    @property
    def best(self) -> Failure:
        """What the caller hears when all have failed."""
        return min(self.failures, key=lambda failure: failure.rank, default=Failure(480, "Nobody is there"))

    def next_check(self) -> float:
        """When somebody was silent, or rang, for long enough."""
        at = NEVER
        for attempt in self.attempts:
            at = min(at, attempt.next_check())
        return at

    def begin(self, plan: Plan, now: float) -> list[Attempt]:
        """Start with the first step."""
        fresh: list[Attempt] = []
        self._advance(Run(plan, None, ()), now, fresh)
        return fresh

    def fail(self, attempt: Attempt, failure: Failure, now: float) -> list[Attempt]:
        """An attempt came to nothing: what is to be tried now."""
        if attempt.is_over:
            return []
        attempt.is_over = True
        self.attempts.remove(attempt)
        fresh: list[Attempt] = []
        run, why = attempt.run, failure.why
        plan = None
        if why and attempt.user:
            boxes = self._has_boxes and run.is_alone
            plan = self._router.divert(attempt.user, why, run.plan.inquiry, boxes=boxes)
        if plan is not None:
            self._turn(attempt.leap, plan, run, now, fresh)
            run.open -= 1
        else:
            self._lose(run, failure)
            if failure.status >= 600:
                return []  # the owner ends what still rings
        self._advance(run, now, fresh)
        return fresh

    def redirect(self, attempt: Attempt, plan: Plan, now: float) -> list[Attempt]:
        """Somebody sent the call on by a 3xx: his plan takes his place."""
        attempt.is_over = True
        self.attempts.remove(attempt)
        fresh: list[Attempt] = []
        run = attempt.run
        self._turn(attempt.leap, plan, run, now, fresh)
        run.open -= 1
        self._advance(run, now, fresh)
        return fresh

    def stop(self) -> list[Attempt]:
        """No more: those that were still tried."""
        left, self.attempts = self.attempts, []
        for attempt in left:
            attempt.is_over = True
        return left

    def _lose(self, run: Run, failure: Failure) -> None:
        self.failures.append(failure)
        run.open -= 1
        # Nobody there and nobody answering in time are no answers: those always go on
        step = run.step
        if failure.response is not None and step is not None and step.is_final(failure.status):
            run.is_stopped = True

    def _advance(self, run: Run, now: float, fresh: list[Attempt]) -> None:
        """When nobody of a step is left, the next step; when no step is left, that of the plan around it."""
        while not run.open:
            if run.index < len(run.plan.steps) and not run.is_stopped:
                step = run.step = run.plan.steps[run.index]
                run.index += 1
                give_up_at = NEVER if step.ring_time is None else now + step.ring_time
                run.open += len(step.leaps)
                for leap in step.leaps:
                    self._launch(leap, run, give_up_at, now, fresh)
            elif run.outer is None:
                return
            else:
                outer = run.outer
                outer.is_stopped |= run.is_stopped
                outer.open -= 1
                run = outer

    def _launch(self, leap: Leap, run: Run, give_up_at: float, now: float, fresh: list[Attempt]) -> None:
        if isinstance(leap.destination, ToUser):
            user = leap.destination.name
            boxes = self._has_boxes and run.is_alone
            plan = self._router.divert(user, "always", run.plan.inquiry, boxes=boxes)
            if plan is not None:
                self._turn(leap, plan, run, now, fresh)
                run.open -= 1
                return
            ring_time = self._router.ring_time(user, boxes=boxes)
            if ring_time is not None:
                give_up_at = min(give_up_at, now + ring_time)
        if not self._left:
            self.notes.append(f"{leap.name} was not tried: too many destinations")
            self._lose(run, Failure(480, "too many destinations"))
            return
        self._left -= 1
        attempt = Attempt(leap, run, give_up_at, now)
        self.attempts.append(attempt)
        fresh.append(attempt)

    def _turn(self, leap: Leap, plan: Plan, run: Run, now: float, fresh: list[Attempt]) -> None:
        """The plan of somebody who forwards, or what it says instead of one."""
        run.open += 1
        if not plan.steps:
            self.notes.append(f"{leap.name}: {plan.reason}")
            self._lose(run, Failure(plan.status, plan.reason))
        elif len(run.diversions) >= MAX_TURNS:
            self.notes.append(f"{leap.name}: forwarded too often")
            self._lose(run, Failure(480, "Forwarded too often"))
        else:
            diversions = run.diversions
            if plan.diversion is not None:
                self.notes.append(f"{leap.name} forwarded it ({plan.diversion.reason})")
                diversions = (plan.diversion, *diversions)
            self._advance(Run(plan, run, diversions), now, fresh)
