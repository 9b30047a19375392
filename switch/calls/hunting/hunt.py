"""A hunt: who rings now, who next, and when it is over. Pure: it knows neither legs nor messages.

The steps of a plan come one after the other, the leaps of a step ring together (RFC 3261 §16.5 to §16.7).
A user who forwards is replaced by a plan of his own, in the place where he rang; the router sees to it that
nobody forwards a call twice, so that A to B to A ends at once (THREATS C9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from switchroom.protocols import sip
from switchroom.protocols.wheel import NEVER
from switchroom.switch.calls.routing import Diversion, ToTrunk, ToUser

if TYPE_CHECKING:
    from switchroom.switch.calls.hunting.attempt import Attempt
    from switchroom.switch.calls.routing import Leap, Plan, Router, Step, Why

MAX_TURNS = 10  # diversions and redirections, one after the other, of one call
_UNINFORMATIVE = (480, 408, 487)  # another's refusal says more
_BUSY = (486, 600)
_NO_ANSWER = (408, 480, 487)


class Failure(NamedTuple):
    """Why a destination came to nothing."""

    status: int
    reason: str
    response: sip.Response | None = None
    was_reached: bool = True  # somebody answered something, or rang
    is_ours: bool = False  # the fault is in the offer, or with us

    @property
    def why(self) -> Why | None:
        """The kind of forwarding that it is a case for."""
        if not self.was_reached:
            return "unreachable"
        if self.status in _BUSY:
            return "busy"
        return "no-answer" if self.status in _NO_ANSWER else None

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """6xx first, then whatever says more than "not there", then the lower class (§16.7 step 6)."""
        return self.status < 600, self.status in _UNINFORMATIVE, self.status // 100


class Run:
    """A plan in progress: the call's own, or that of somebody who forwards."""

    __slots__ = ("diversions", "index", "is_stopped", "open", "outer", "plan", "step")

    def __init__(self, plan: Plan, outer: Run | None, diversions: tuple[Diversion, ...]) -> None:
        self.plan = plan
        self.index = 0
        self.step: Step
        self.open = 0  # destinations of this step that may still answer
        self.is_stopped = False  # a cause came after which the next step is not tried
        self.outer = outer
        self.diversions = diversions  # that led here, the last one first


class Trial:
    """One destination that is being tried."""

    __slots__ = ("attempt", "give_up_at", "is_over", "leap", "run", "since")

    def __init__(self, leap: Leap, run: Run, give_up_at: float, now: float) -> None:
        self.leap = leap
        self.run = run
        self.give_up_at = give_up_at
        self.since = now
        self.is_over = False
        self.attempt: Attempt  # belongs to whoever tries it

    @property
    def user(self) -> str:
        """The user who is tried, or nothing."""
        to = self.leap.destination
        return to.name if isinstance(to, ToUser) else ""

    @property
    def name(self) -> str:
        """The destination in plain words."""
        return name_of(self.leap)


class Hunt:
    """``begin``, then ``fail`` for each trial that came to nothing: both give the trials to make next."""

    __slots__ = ("_left", "_router", "failures", "notes", "trials")

    def __init__(self, router: Router, *, max_trials: int, notes: list[str]) -> None:
        self._router = router
        self._left = max_trials
        self.notes = notes  # what was decided on the way
        self.trials: list[Trial] = []  # that may still answer
        self.failures: list[Failure] = []

    @property
    def is_over(self) -> bool:
        """Nobody is left who could answer."""
        return not self.trials

    @property
    def best(self) -> Failure:
        """What the caller hears when all have failed."""
        return min(self.failures, key=lambda failure: failure.rank, default=Failure(480, "Nobody is there"))

    @property
    def next_at(self) -> float:
        """When somebody has rung long enough."""
        trials = self.trials
        if len(trials) == 1:
            return trials[0].give_up_at
        return min((trial.give_up_at for trial in trials), default=NEVER)

    def begin(self, plan: Plan, now: float) -> list[Trial]:
        """Start with the first step."""
        fresh: list[Trial] = []
        self._advance(Run(plan, None, ()), now, fresh)
        return fresh

    def expired(self, now: float) -> list[Trial]:
        """Those who have rung long enough."""
        return [trial for trial in self.trials if trial.give_up_at <= now]

    def fail(self, trial: Trial, failure: Failure, now: float) -> list[Trial]:
        """A trial came to nothing: what is to be tried now."""
        if trial.is_over:
            return []
        trial.is_over = True
        self.trials.remove(trial)
        fresh: list[Trial] = []
        run, why = trial.run, failure.why
        plan = self._router.divert(trial.user, why, run.plan.inquiry) if why and trial.user else None
        if plan is not None:
            self._turn(trial.leap, plan, run, now, fresh)
            run.open -= 1
        else:
            self._lose(run, failure)
            if failure.status >= 600:
                return []  # the owner ends what still rings
        self._advance(run, now, fresh)
        return fresh

    def redirect(self, trial: Trial, plan: Plan, now: float) -> list[Trial]:
        """Somebody sent the call on by a 3xx: his plan takes his place."""
        trial.is_over = True
        self.trials.remove(trial)
        fresh: list[Trial] = []
        self._turn(trial.leap, plan, trial.run, now, fresh)
        trial.run.open -= 1
        self._advance(trial.run, now, fresh)
        return fresh

    def stop(self) -> list[Trial]:
        """No more: those that were still tried."""
        left, self.trials = self.trials, []
        for trial in left:
            trial.is_over = True
        return left

    def _lose(self, run: Run, failure: Failure) -> None:
        self.failures.append(failure)
        run.open -= 1
        # Nobody there and nobody answering in time are no answers: those always go on
        if failure.response is not None and run.step.is_final(failure.status):
            run.is_stopped = True

    def _advance(self, run: Run, now: float, fresh: list[Trial]) -> None:
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

    def _launch(self, leap: Leap, run: Run, give_up_at: float, now: float, fresh: list[Trial]) -> None:
        if isinstance(leap.destination, ToUser):
            user = leap.destination.name
            plan = self._router.divert(user, "always", run.plan.inquiry)
            if plan is not None:
                self._turn(leap, plan, run, now, fresh)
                run.open -= 1
                return
            ring_time = self._router.ring_time(user)
            if ring_time is not None:
                give_up_at = min(give_up_at, now + ring_time)
        if not self._left:
            self.notes.append(f"{name_of(leap)} was not tried: too many destinations")
            self._lose(run, Failure(480, "too many destinations"))
            return
        self._left -= 1
        trial = Trial(leap, run, give_up_at, now)
        self.trials.append(trial)
        fresh.append(trial)

    def _turn(self, leap: Leap, plan: Plan, run: Run, now: float, fresh: list[Trial]) -> None:
        """The plan of somebody who forwards, or what it says instead of one."""
        run.open += 1
        if not plan.steps:
            self.notes.append(f"{name_of(leap)}: {plan.reason}")
            self._lose(run, Failure(plan.status, plan.reason))
        elif len(run.diversions) >= MAX_TURNS:
            self.notes.append(f"{name_of(leap)}: forwarded too often")
            self._lose(run, Failure(480, "Forwarded too often"))
        else:
            diversions = run.diversions
            if plan.diversion is not None:
                self.notes.append(f"{name_of(leap)} forwarded it ({plan.diversion.reason})")
                diversions = (plan.diversion, *diversions)
            self._advance(Run(plan, run, diversions), now, fresh)


def name_of(leap: Leap) -> str:
    """A destination in plain words."""
    to = leap.destination
    if isinstance(to, ToUser):
        return f"user {to.name}"
    return f"trunk {to.name}" if isinstance(to, ToTrunk) else to.uri
