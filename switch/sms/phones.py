"""SIP phones as a way out and as a way in: a MESSAGE for each text, both through the switch's own texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from switchroom.protocols import sip
from switchroom.switch.net import Clock
from switchroom.switch.store import StoredText

from .centre.centre import Centre
from .interfaces import (
    Address,
    Fault,
    Form,
    Message,
    Outcome,
    Part,
    Receipt,
    Refusal,
    State,
    Submission,
)
from .routing import named

_OURS = 0xFF  # the last octet of the ids of our texts: no worker's slot is that
ACCEPTED = 202
_WINDOW = 1000  # texts that phones may have to answer for at once
_REFUSED = frozenset({400, 403, 406, 413, 414, 415, 420, 488, 493, 513, 603, 606})
_TEXT_TYPE = "text/plain;charset=UTF-8"

Done = Callable[[int, float], None]


class Texts(Protocol):
    """What is needed of switch/calls/texts."""

    gateway: Callable[[Any, Any, float, Done], bool] | None
    on_settled: Callable[[StoredText, int, float], None]

    def deliver(self, text: StoredText, now: float, done: Done | None = None) -> None:
        """Bring a text to its user, or keep it; ``done`` hears 200, 202 or a refusal."""


class _Phone(NamedTuple):
    """One user as the source of receipts."""

    name: str
    form: Form = Form()
    id_notation: str = "same"

    def room(self, now: float) -> int:
        return 0

    def send(self, parts: Sequence[Part], now: float) -> None:
        """Parts go by Phones."""


class Phones:
    """The outlet ``user``, for all users; and what they send to numbers that are none of ours."""

    name = "user"
    form = Form(is_whole=True, is_text=True)
    id_notation = "same"

    def __init__(self, centre: Centre, texts: Texts, clock: Clock, flush: Callable[[], None]) -> None:
        """``flush`` sends SIP messages that came of this."""
        self._centre, self._texts, self._clock, self._flush = centre, texts, clock, flush
        self._in_hand = 0

    def start(self, now: float) -> None:
        """Be there."""
        self._texts.gateway = self.take
        self._texts.on_settled = self._on_settled
        self._centre.attach(outlet=self, now=now)

    def stop(self, now: float) -> None:
        """Be gone."""
        self._texts.gateway = None
        self._texts.on_settled = lambda text, status, now: None

    # -- out

    def room(self, now: float) -> int:
        """Texts that phones may get now."""
        return _WINDOW - self._in_hand

    def send(self, parts: Sequence[Part], now: float) -> None:
        """Each is a text for one user."""
        self._in_hand += len(parts)
        for part in parts:
            message = part.message
            self._texts.deliver(
                _text(message, part.body),
                now,
                lambda status, at, part=part: self._on_answer(part, status, at),  # type: ignore[misc]
            )
        self._flush()

    def _on_answer(self, part: Part, status: int, now: float) -> None:
        self._in_hand -= 1
        id = str(part.message.id)
        if status < 300:
            outcome = Outcome(part, id, is_delivered=status != 202)
        else:
            fault = Fault.PERMANENT if status in _REFUSED else Fault.TEMPORARY
            outcome = Outcome(part, "", fault, status, f"SIP {status}")
        self._centre.report(self.name, [outcome], now)

    def _on_settled(self, text: StoredText, status: int, now: float) -> None:
        """A text that was kept for somebody has reached him, or never will."""
        if text.id & 0xFF != _OURS:
            return
        state = State.DELIVERED if status < 300 else State.EXPIRED if status == 480 else State.REJECTED
        error = "" if state is State.DELIVERED else str(status)
        receipt = Receipt(str(text.id >> 8), state, error, done_at=self._clock.posix(now))
        self._centre.receive_receipts(_Phone(f"user:{text.user}"), [receipt], now, lambda context, at: None)

    # -- in

    def take(self, request: sip.Request, caller: Any, now: float, done: Done) -> bool:
        """A MESSAGE for a number that is no user's."""
        submission = read_request(request, caller, self._clock.posix(now))
        if isinstance(submission, int):
            done(submission, now)
            return True

        def submitted(_: Sequence[Submission], results: Sequence[int | Refusal], at: float) -> None:
            [result] = results
            done(result.sip if isinstance(result, Refusal) else ACCEPTED, at)
            self._flush()

        self._centre.submit([submission], now, submitted)
        return True


def read_request(request: sip.Request, caller: Any, posix: float) -> Submission | int:
    """What a MESSAGE submits, or the status that refuses it."""
    if request.content_type != "text/plain":
        return 415
    try:
        text = request.body.decode("utf-8")
    except UnicodeDecodeError:
        text = request.body.decode("latin-1")
    number, expires = request.uri.user_unescaped or "", request.expires
    is_whole = int(number.startswith("+"))
    return Submission(
        inlet_of(caller.account),
        named(_sender(request, caller)),
        Address(number, is_whole, is_whole),
        text.encode(),
        expires_at=posix + expires if expires else 0.0,
    )


def inlet_of(account: str) -> str:
    """A user, or a SIP trunk."""
    kind, colon, name = account.partition(":")
    return f"sip:{name}" if colon and kind == "trunk" else f"user:{account}"


def _sender(request: sip.Request, caller: Any) -> str:
    """Who sends is the account, not what From claims (THREATS C8)."""
    if caller.trunk is not None:
        number: str = caller.trunk.undress(request).number
        return number or "anonymous"
    return caller.number or request.from_.uri.user_unescaped or "anonymous"


def _text(message: Message, body: bytes) -> StoredText:
    s = message.submission
    lane: str = getattr(message, "outlet", "")
    return StoredText(
        message.id << 8 | _OURS,
        message.source.number,
        lane.partition(":")[2],
        body,
        datetime.fromtimestamp(message.accepted_at, UTC),
        datetime.fromtimestamp(message.expires_at, UTC),
        _TEXT_TYPE,
        message.destination.number,
        "",
        s.inlet,
    )
