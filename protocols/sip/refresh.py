"""Session timers (RFC 4028): a session that nobody refreshes ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from ..errors import RemoteProtocolError
from ..wheel import NEVER, Timed
from .authorization import repeat
from .extensions import SessionExpires
from .inspection import Refusal

if TYPE_CHECKING:
    from .client import ClientTransaction
    from .core import Core
    from .message import Message, Request, Response

OPTION = "timer"

_MAX_LONGER = 3  # 422s to one session that we obey
_MARGIN = 32.0  # the BYE goes out so many seconds before the end, or a third of the interval (§10)
_BUSY = 2.0  # seconds to wait when the session has something else on its way


class SessionTiming:
    """What one end wants of session timers; it never changes."""

    __slots__ = ("interval", "min_se", "mode", "refresher")

    def __init__(
        self,
        interval: int = 1800,
        min_se: int = 90,
        refresher: Literal["auto", "local", "remote"] = "auto",
        mode: Literal["offer", "require", "off"] = "offer",
    ) -> None:
        self.interval = interval  # seconds; §4 recommends 1800
        self.min_se = min_se  # the shortest interval that we accept
        self.refresher = refresher
        self.mode = mode


class Refreshed(Protocol):
    """The session that is kept alive."""

    core: Core

    def send_refresh(self, body: bytes, now: float, *, by_update: bool) -> ClientTransaction | None:
        """Send a refresh; None: something else is on its way."""

    def can_update(self) -> bool:
        """Whether the other end takes UPDATE."""

    def expire(self, now: float) -> None:
        """End what nobody has refreshed."""

    def glare_delay(self, is_owner_of_call_id: bool | None = None) -> float:
        """How long to wait before offering again what met 491."""


class Refresh(Timed):
    """One session's timer; without an interval it is only an offer."""

    __slots__ = (
        "_asked",
        "_by_update",
        "_expires_at",
        "_longer",
        "_min_se",
        "_own",
        "_refresh_at",
        "_session",
        "heard",
        "interval",
        "is_local",
        "sent",
        "silent_cseq",
        "timing",
    )

    def __init__(self, session: Refreshed, timing: SessionTiming) -> None:
        self._begin(session, timing)

    def _begin(self, session: Refreshed, timing: SessionTiming) -> None:
        self._rest()
        self._session = session
        self.timing = timing
        self.interval = 0  # seconds that were agreed; 0: no timer runs
        self.is_local = False  # whether the refreshes are ours to send
        self.sent = b""  # the SDP that we sent last and that stands
        self.heard = b""  # the other end's
        self.silent_cseq = 0  # of a re-INVITE that was answered here: its ACK is no news
        self._asked = self.timing.interval
        self._min_se = self.timing.min_se
        self._longer = 0
        self._by_update = True
        self._own: ClientTransaction | None = None  # a refresh that nobody asked us for
        self._expires_at = self._refresh_at = NEVER

    # Who sends a request

    def headers(self, is_first: bool = False) -> list[tuple[str, object]]:
        """What an INVITE or UPDATE of ours says about the timer (§7.1, §7.4)."""
        expires = f"{self._asked}"
        if self.interval:
            expires = str(SessionExpires(self.interval, "uac" if self.is_local else "uas"))
        elif self.timing.refresher != "auto":
            expires = str(SessionExpires(self._asked, "uac" if self.timing.refresher == "local" else "uas"))
        requires = is_first and self.timing.mode == "require"
        return [
            ("Require" if requires else "Supported", OPTION),
            ("Session-Expires", expires),
            ("Min-SE", f"{self._min_se}"),
        ]

    def ask_longer(self, transaction: ClientTransaction, response: Response, number: int, now: float) -> bool:
        """Send again with the interval that a 422 wants (§7.3); False: it does not say, or always more."""
        wanted = _delta(response)
        if wanted is None or wanted <= self._min_se or self._longer >= _MAX_LONGER:
            return False
        self._longer += 1
        self._min_se = wanted
        self._asked = max(self._asked, wanted)
        request = repeat(transaction, number)
        asked = _expires(request) or SessionExpires(0)
        request.set("Session-Expires", SessionExpires(max(asked.interval, wanted), asked.refresher))
        request.set("Min-SE", wanted)
        transaction.renew(request, now)
        return True

    def on_answer(self, response: Response, now: float) -> None:
        """A 2xx to an INVITE or UPDATE of ours: what was agreed (§7.2)."""
        expires = _expires(response)
        if expires is not None:
            self._agree(expires.interval, expires.refresher != "uas", now)
        elif self.interval and self.is_local:
            self._agree(self.interval, True, now)  # the other end forgets to say so, and is alive
        else:
            self.stop()

    # Who gets a request

    def refuse(self, request: Request) -> Refusal | None:
        """422 when the interval asked for is too short for us."""
        return inspect_timing(request, self.timing)

    def accept(self, request: Request, now: float) -> list[tuple[str, object]]:
        """What our 2xx says about the timer (§9)."""
        supports = _supports(request)
        was_local = bool(self.interval) and self.is_local
        if not supports and self.timing.mode != "require" and not was_local:
            self.stop()
            return []
        asked = _expires(request)
        interval = self.interval or self.timing.interval
        if asked is not None:
            interval = min(interval, asked.interval)
        interval = max(interval, self.timing.min_se, _delta(request) or 0)
        is_local = self._is_ours(asked, supports=supports)
        self._agree(interval, is_local, now)
        headers: list[tuple[str, object]] = [
            ("Session-Expires", SessionExpires(interval, "uas" if is_local else "uac"))
        ]
        if not is_local:
            headers.append(("Require", OPTION))
        return headers

    def _is_ours(self, asked: SessionExpires | None, *, supports: bool) -> bool:
        """Whether we, who got the request, refresh from now on (table 2)."""
        if not supports:
            return True
        if asked is not None and asked.refresher is not None:
            return asked.refresher == "uas"
        return self.is_local if self.interval else self.timing.refresher == "local"

    # What is agreed

    def note(self, *, sent: bytes = b"", heard: bytes = b"") -> None:
        """Remember the SDP that stands."""
        self.sent = sent or self.sent
        self.heard = heard or self.heard

    def is_unchanged(self, body: bytes) -> bool:
        """Whether a re-INVITE with this SDP is a refresh and nothing else."""
        return bool(self.interval and body and self.sent) and body == self.heard

    def take(self, transaction: ClientTransaction) -> bool:
        """Whether this request was a refresh of ours; it is over."""
        if self._own is not transaction:
            return False
        self._own = None
        return True

    def _agree(self, interval: int, is_local: bool, now: float) -> None:
        self.interval = interval = max(interval, self.timing.min_se)  # whatever the other end answers
        self.is_local = is_local
        self._expires_at = now + interval - min(_MARGIN, interval / 3)
        self._refresh_at = now + interval / 2 if is_local else NEVER
        self._arm(now)

    def _arm(self, now: float) -> None:
        self._session.core.wheel.arm(self, min(self._refresh_at, self._expires_at), now)

    def go_on(self, interval: int, *, is_local: bool, refresh_in: float, now: float) -> None:
        """Take up what an earlier process agreed: it is not known when it was refreshed last."""
        self._agree(interval, is_local, now)
        if is_local:
            self._refresh_at = now + refresh_in
            self._arm(now)

    def stop(self) -> None:
        """No timer runs."""
        if not self.interval and self._filed_at == NEVER:
            return  # none does, as nearly always
        self.interval = 0
        self._expires_at = self._refresh_at = NEVER
        self._session.core.wheel.disarm(self)

    # Time

    def handle_timer(self, now: float) -> None:
        """Refresh, or end the session."""
        if now >= self._expires_at:
            self._session.expire(now)
            return
        self._refresh_at = NEVER
        self._send(now)
        self._arm(now)

    def _send(self, now: float) -> None:
        by_update = self._by_update and self._session.can_update()
        self._own = self._session.send_refresh(self.sent, now, by_update=by_update)
        if self._own is None:
            self._refresh_at = now + _BUSY

    def on_refused(self, method: str, status: int, retry_after: int | None, now: float) -> None:
        """A refresh came to nothing: as long as the session has not expired, again (§10)."""
        if method == "UPDATE" and status in (405, 501):
            self._by_update = False
            self._refresh_at = now
        elif status == 491:
            self._refresh_at = now + self._session.glare_delay()
        else:
            self._refresh_at = now + max(retry_after or 0, self.interval / 8)
        self._arm(now)


def begin_refresh(session: Refreshed, timing: SessionTiming) -> Refresh:
    """The timer of a session that begins."""
    refresh = Refresh.__new__(Refresh)
    refresh._begin(session, timing)
    return refresh


def inspect_timing(request: Request, timing: SessionTiming | None) -> Refusal | None:
    """422 when the interval that a request asks for is shorter than we accept (§9)."""
    if timing is None or timing.mode == "off" or "session-expires" not in request:
        return None
    asked = _expires(request)
    if asked is None or asked.interval >= timing.min_se or not _supports(request):
        return None
    return Refusal(422, (("Min-SE", str(timing.min_se)),))


def _supports(request: Request) -> bool:
    return request.lists("Supported", OPTION) or request.lists("Require", OPTION)


def _expires(message: Message) -> SessionExpires | None:
    """What it says; nothing when that cannot be read: no call is lost for it."""
    if "session-expires" not in message:
        return None
    try:
        return message.session_expires
    except RemoteProtocolError:
        return None


def _delta(message: Message) -> int | None:
    if "min-se" not in message:
        return None
    try:
        return message.min_se
    except RemoteProtocolError:
        return None
