"""Texts: from phone to phone at once, kept on the disk for those who are not there (RFC 3428, RFC 3261 §8.2).

One line of texts for each user, and one attempt at a time at its head, so that they arrive in order. Who
sends hears 200 when a phone has taken the text, 202 when it is durable here, or why neither can be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Protocol

from switchroom.protocols import sip
from switchroom.protocols.wheel import NEVER, Slots
from switchroom.switch.calls.registration.bindings import Binding
from switchroom.switch.calls.rules import Caller
from switchroom.switch.calls.texts.requests import COMPOSING, OVERLOADED, read_text, refusal_of, write_text
from switchroom.switch.config import MessagesConfig
from switchroom.switch.net.clock import Clock
from switchroom.switch.net.limits import Bucket
from switchroom.switch.store import StoredText, TextStore

_LOOKS = 8  # a second: how exactly times are kept
_LONGEST_PAUSE = 3600.0  # seconds between two attempts
# It is the text that the phone refuses; whatever else it says, another attempt may go better.
_REFUSED = frozenset({400, 403, 406, 413, 414, 415, 420, 488, 493, 513, 603, 606})

Done = Callable[[int, float], None]  # what became of a text: a status, and when


class Log(Protocol):
    """What is needed of a logger."""

    def info(self, event: str, **values: object) -> object: ...
    def warning(self, event: str, **values: object) -> object: ...


@dataclass(slots=True)
class _Waiting:
    """A text in the line, and who still wants to know what becomes of it."""

    text: StoredText
    done: Done | None
    answer_by: float
    expires_at: float
    is_kept: bool = False  # the store has it, or will have it soon


class _Attempt:
    """One text on its way to all phones of its user."""

    __slots__ = ("left", "line", "statuses", "texts", "waiting")

    def __init__(self, texts: Texts, line: _Line, waiting: _Waiting) -> None:
        self.texts, self.line, self.waiting = texts, line, waiting
        self.left = 0
        self.statuses: list[int] = []

    def handle_event(self, event: Any, now: float) -> None:
        """A phone answered, or did not."""
        if isinstance(event, sip.ResponseReceived):
            status = event.response.status
        else:
            status = 408 if event.reason == "timeout" else 503
        if status < 200:
            return
        self.left -= 1
        if self.line.attempt is not self:
            return  # another phone was quicker
        if status < 300:
            self.texts.taken(self.line, now)
        else:
            self.statuses.append(status)
            if not self.left:
                self.texts.failed(self.line, self.statuses, now)


@dataclass(slots=True)
class _Line:
    user: str
    texts: deque[_Waiting] = field(default_factory=deque)
    attempt: _Attempt | None = None
    failures: int = 0
    next_at: float = 0.0  # no attempt before this, unless the user registers
    has_news: bool = False  # the user registered while an attempt was on its way
    look_at: float = NEVER


class Texts:
    """Takes texts, delivers or keeps them; ``deliver`` is the door for texts that come by other ways."""

    def __init__(
        self,
        config: MessagesConfig,
        users: Mapping[str, str],
        *,
        domain: str,
        endpoint: sip.Endpoint,
        mint: sip.Mint,
        lookup: Callable[[str, float], Iterable[Binding]],
        is_local: Callable[[str], bool],
        store: TextStore,
        clock: Clock,
        log: Log,
    ) -> None:
        """``users``: the names of the users by each number and name that reaches them."""
        self._endpoint, self._mint, self._store = endpoint, mint, store
        self._lookup, self._is_local = lookup, is_local
        self._clock, self._log = clock, log
        self._lines: dict[str, _Line] = {}
        self._count = 0
        self._undurable: dict[int, _Waiting] = {}  # their senders wait for the disk
        self._rates: dict[str, Bucket] = {}
        self._due: Slots = Slots(_LOOKS)
        self.counters = dict.fromkeys(("taken", "delivered", "kept", "refused", "expired"), 0)
        self.on_waiting: list[Callable[[str, float], None]] = []  # told when another number waits for a user
        # Asked about a number that is none of ours; True: it has the text now and calls ``done``.
        self.gateway: Callable[[sip.Request, Caller, float, Done], bool] | None = None
        # What became of a text that was kept, after its sender heard 202
        self.on_settled: Callable[[StoredText, int, float], None] = lambda text, status, now: None
        self.reconfigure(config, users, domain)

    def reconfigure(self, config: MessagesConfig, users: Mapping[str, str], domain: str) -> None:
        """Apply new rules; what waits for users that are gone waits until it expires."""
        self._config, self._users, self._domain = config, dict(users), domain

    def load(self, now: float) -> None:
        """Take up what waited before the restart; attempts are spread over a while."""
        for number, text in enumerate(self._store.load(self._clock.utc(now))):
            line = self._line(text.user)
            line.next_at = now + number % self._config.retry_interval
            expires_at = self._clock.monotonic_of(text.expires_at)
            line.texts.append(_Waiting(text, None, NEVER, expires_at, is_kept=True))
            self._count += 1
        for line in self._lines.values():
            self._plan(line)

    # -- in

    def handle(self, event: sip.RequestReceived, caller: Caller, now: float) -> None:
        """A MESSAGE outside of dialogs, its sender authenticated."""
        request, endpoint = event.request, self._endpoint
        refusal = refusal_of(request, self._config, self._mint)
        if refusal is None and not self._admits(caller.account, now):
            refusal = OVERLOADED
        if refusal is not None:
            self._refuse(event, refusal, now)
            return
        user = self._find_user(request, event.flow)
        if user is None:
            self._pass_on(event, caller, now)
        elif request.content_type == COMPOSING:
            self._pass_sign(event, caller, user, now)
        else:
            self.counters["taken"] += 1
            sent_at = self._clock.utc(now)
            text = read_text(request, caller, user, self._store.next_id(), sent_at, self._config.keep)
            transaction = endpoint.begin(event, now)
            self.deliver(text, now, lambda status, at: transaction.respond(status, at))

    def deliver(self, text: StoredText, now: float, done: Done | None = None) -> None:
        """Bring a text to its user, or keep it; ``done`` hears 200, 202 or a refusal."""
        line = self._line(text.user)
        if not self._has_room(line):
            self._drop_line(line)
            if done is not None:
                done(503, now)
            return
        expires_at = self._clock.monotonic_of(text.expires_at)
        waiting = _Waiting(text, done, now + self._config.answer_timeout, expires_at)
        line.texts.append(waiting)
        self._count += 1
        if len(line.texts) > 1 or now < line.next_at:
            self._keep(waiting, now)  # behind others, or nobody took anything lately
        else:
            self._try(line, now)
        self._plan(line)

    def _find_user(self, request: sip.Request, flow: sip.Flow) -> str | None:
        host = request.uri.host.strip("[]").lower()
        if host and host != flow.local[0] and not self._is_local(host):
            return None
        return self._users.get(request.uri.user_unescaped or "")

    def _pass_on(self, event: sip.RequestReceived, caller: Caller, now: float) -> None:
        """A number that is none of ours: perhaps another way knows it."""
        if self.gateway is not None:
            transaction = self._endpoint.begin(event, now)
            if not self.gateway(
                event.request, caller, now, lambda status, at: transaction.respond(status, at)
            ):
                transaction.respond(404, now)
        else:
            self._endpoint.reply(event, 404, now=now)

    def _pass_sign(self, event: sip.RequestReceived, caller: Caller, user: str, now: float) -> None:
        """Somebody types: of use now or never."""
        text = read_text(event.request, caller, user, 0, self._clock.utc(now), 60)
        bindings = list(self._lookup(user, now))
        self._endpoint.begin(event, now).respond(200 if bindings else 480, now)
        for binding in bindings:
            self._send(text, binding, now)

    def _refuse(self, event: sip.RequestReceived, refusal: sip.Refusal, now: float) -> None:
        self.counters["refused"] += 1
        self._endpoint.reply(event, refusal.status, now=now, headers=refusal.headers)

    def _admits(self, account: str, now: float) -> bool:
        rate = self._config.user_rate
        bucket = self._rates.get(account)
        if bucket is None:
            bucket = self._rates[account] = Bucket(max(1.0, rate), now)
        return bucket.take(rate, max(1.0, rate), now)

    def _has_room(self, line: _Line) -> bool:
        config = self._config
        return (
            self._count < config.max_waiting
            and len(line.texts) < config.max_waiting_per_user
            and not self._store.is_full
        )

    # -- out

    def _try(self, line: _Line, now: float) -> None:
        """Send the text at the head of the line to all phones of its user; keep it when there are none."""
        waiting = line.texts[0]
        bindings = list(self._lookup(line.user, now))
        line.has_news = False
        if not bindings:
            line.next_at = NEVER  # until a phone registers
            self._keep_all(line, now)
            return
        line.attempt = attempt = _Attempt(self, line, waiting)
        attempt.left = len(bindings)
        for binding in bindings:
            self._send(waiting.text, binding, now).context = attempt

    def _send(self, text: StoredText, binding: Binding, now: float) -> sip.ClientTransaction:
        domain = self._domain or sip.bracketed(self._endpoint.advertised(binding.flow)[0])
        request = write_text(text, binding, self._mint, domain, self._endpoint.user_agent)
        return self._endpoint.send_request(request, binding.flow, now)

    def taken(self, line: _Line, now: float) -> None:
        """A phone has the text at the head."""
        self.counters["delivered"] += 1
        self._settle(line, 200, now)
        line.failures, line.next_at = 0, now
        self._go_on(line, now)

    def failed(self, line: _Line, statuses: list[int], now: float) -> None:
        """No phone took the text at the head: they refuse it, or it is not the time."""
        if _REFUSED.issuperset(statuses):
            waiting = line.texts[0]
            self.counters["refused"] += 1
            status, sender = statuses[0], waiting.text.sender
            self._log.warning("text.refused", sender=sender, user=line.user, status=status)
            self._settle(line, status, now)
            self._go_on(line, now)
            return
        line.attempt = None
        line.failures += 1
        pause = self._config.retry_interval * 2.0 ** min(line.failures - 1, 12)
        line.next_at = now if line.has_news else now + min(pause, _LONGEST_PAUSE)
        self._keep_all(line, now)
        self._go_on(line, now)

    def _settle(self, line: _Line, status: int, now: float) -> None:
        """The text at the head is done with."""
        line.attempt = None
        waiting = line.texts.popleft()
        self._count -= 1
        if waiting.is_kept:
            self._store.remove(waiting.text.id)
            self._undurable.pop(waiting.text.id, None)
        if waiting.done is not None:
            waiting.done(status, now)
        else:
            self.on_settled(waiting.text, status, now)
        if waiting.is_kept:
            self._tell_waiting(line.user, now)

    def _go_on(self, line: _Line, now: float) -> None:
        if line.texts and line.attempt is None and now >= line.next_at:
            self._try(line, now)
        self._plan(line)

    # -- keeping

    def _keep_all(self, line: _Line, now: float) -> None:
        self._expire(line, now)
        for waiting in line.texts:
            self._keep(waiting, now)

    def _keep(self, waiting: _Waiting, now: float) -> None:
        """Write the text down; who waits for its fate hears 202 as soon as it is durable."""
        if waiting.is_kept:
            return
        waiting.is_kept = True
        self.counters["kept"] += 1
        if waiting.done is not None:
            self._undurable[waiting.text.id] = waiting
        self._store.save(waiting.text)
        self._tell_waiting(waiting.text.user, now)

    def handle_durable(self, now: float) -> None:
        """The store has written texts: their senders may forget them."""
        for id in self._store.take_durable():
            waiting = self._undurable.pop(id, None)
            if waiting is not None and waiting.done is not None:
                done, waiting.done = waiting.done, None
                done(202, now)

    def _tell_waiting(self, user: str, now: float) -> None:
        for told in self.on_waiting:
            told(user, now)

    # -- who comes, and the clock

    def on_registration(self, user: str, now: float) -> None:
        """The user's registrations changed: perhaps somebody is there now."""
        line = self._lines.get(user)
        if line is None:
            return
        if line.attempt is not None:
            line.has_news = True
        else:
            line.failures, line.next_at = 0, now
            self._plan(line)  # in a moment: the phone first hears that it is registered

    def next_timer(self) -> float | None:
        """When lines must be looked at."""
        return self._due.next_at()

    def handle_timer(self, now: float) -> None:
        """Look at the lines whose second has come."""
        while (due := self._due.take(now)) is not None:
            at, users = due
            for user in users:
                line = self._lines.get(user)
                if line is not None and line.look_at == at:
                    line.look_at = NEVER
                    self._look(line, now)

    def _look(self, line: _Line, now: float) -> None:
        self._expire(line, now)
        for waiting in line.texts:
            if now >= waiting.answer_by:
                self._keep(waiting, now)
        self._go_on(line, now)

    def _expire(self, line: _Line, now: float) -> None:
        """Forget what nobody fetched in time; what is on its way may still arrive."""
        kept: deque[_Waiting] = deque()
        for waiting in line.texts:
            is_on_its_way = line.attempt is not None and line.attempt.waiting is waiting
            if waiting.expires_at > now or is_on_its_way:
                kept.append(waiting)
                continue
            self.counters["expired"] += 1
            self._count -= 1
            self._log.info("text.expired", sender=waiting.text.sender, user=line.user)
            if waiting.is_kept:
                self._store.remove(waiting.text.id)
            self._undurable.pop(waiting.text.id, None)
            if waiting.done is not None:
                waiting.done(480, now)
            else:
                self.on_settled(waiting.text, 480, now)
        if len(kept) < len(line.texts):
            line.texts = kept
            self._tell_waiting(line.user, now)

    def _plan(self, line: _Line) -> None:
        """Plan the one look that comes next."""
        if not line.texts:
            self._drop_line(line)
            return
        at = NEVER if line.attempt is not None else line.next_at
        for waiting in line.texts:
            at = min(at, waiting.expires_at, NEVER if waiting.is_kept else waiting.answer_by)
        if ceil(at * _LOOKS) / _LOOKS < line.look_at:
            line.look_at = self._due.add(line.user, at)

    def _line(self, user: str) -> _Line:
        line = self._lines.get(user)
        if line is None:
            line = self._lines[user] = _Line(user)
        return line

    def _drop_line(self, line: _Line) -> None:
        if not line.texts:
            self._lines.pop(line.user, None)

    # -- questions

    def find_user(self, number: str) -> str | None:
        """The user whom a number or name reaches."""
        return self._users.get(number)

    def __len__(self) -> int:
        return self._count

    def count(self, user: str) -> int:
        """How many texts wait for a user."""
        line = self._lines.get(user)
        return 0 if line is None else sum(waiting.is_kept for waiting in line.texts)

    def waiting(self, now: float) -> list[dict[str, object]]:
        """What waits, without what it says."""
        return [
            {
                "id": f"{waiting.text.id:x}",
                "from": waiting.text.sender,
                "to": line.user,
                "sent": waiting.text.sent_at.isoformat(timespec="seconds"),
                "expires": round(waiting.expires_at - now),
                "size": len(waiting.text.body),
                "attempts": line.failures,
                "next_attempt": None if line.next_at == NEVER else max(0, round(line.next_at - now)),
            }
            for line in self._lines.values()
            for waiting in line.texts
            if waiting.is_kept
        ]
