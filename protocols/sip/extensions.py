"""Typed values of the headers that extensions brought: RFC 3262, 3326, 3515, 3891, 4028, 5393, 6665."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import RemoteProtocolError
from .grammar import (
    TOKEN,
    Params,
    check_encodable,
    find_param,
    format_params,
    match_params,
    parse_number,
    quote,
    split_list,
)
from .head import parse_call_id, typed
from .headers import MAX_CSEQ, NameAddr, parse_name_addr

MAX_RSEQ = 2**32 - 1  # RFC 3262 §7.1
MAX_DELTA = 2**32 - 1

_RACK = re.compile(rf"([0-9]++)[ \t]++([0-9]++)[ \t]++({TOKEN})")
_WORD = re.compile(TOKEN)
_BEFORE_PARAMS = re.compile(r"[^ \t;]++")
_SECONDS = re.compile(r"[0-9]++")


class RAck(NamedTuple):
    """Which reliable provisional response a PRACK acknowledges (RFC 3262 §7.2)."""

    rseq: int
    cseq: int
    method: str

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


class SessionExpires:
    """How long a session lives without a refresh, and whose duty that is (RFC 4028 §4); it never changes."""

    __slots__ = ("interval", "refresher")
    __hash__ = None  # type: ignore[assignment]  # nobody keeps one

    def __init__(self, interval: int, refresher: str | None = None) -> None:
        self.interval = interval
        self.refresher = refresher  # "uac" or "uas" of the request that this answers, or is

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SessionExpires):
            return NotImplemented
        return self.interval == other.interval and self.refresher == other.refresher

    def __repr__(self) -> str:
        return f"SessionExpires({self.interval}, {self.refresher!r})"

    def __str__(self) -> str:
        return f"{self.interval};refresher={self.refresher}" if self.refresher else str(self.interval)


class Replaces(NamedTuple):
    """The dialog that an INVITE shall take the place of (RFC 3891 §6.1); tags as its receiver sees them."""

    call_id: str
    to_tag: str
    from_tag: str
    is_early_only: bool = False

    def __str__(self) -> str:
        early = ";early-only" if self.is_early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


class EventPackage(NamedTuple):
    """What a subscription is about (RFC 6665 §8.2.1)."""

    package: str
    id: str | None = None
    params: Params = ()

    def __str__(self) -> str:
        return f"{self.package}{format_params(self.params)}"


class SubscriptionState(NamedTuple):
    """How far a subscription is (RFC 6665 §4.1.3)."""

    state: str  # in lower case: "active", "pending", "terminated"
    expires: int | None = None
    reason: str | None = None
    retry_after: int | None = None

    def __str__(self) -> str:
        text = self.state
        for name, value in (
            ("expires", self.expires),
            ("reason", self.reason),
            ("retry-after", self.retry_after),
        ):
            if value is not None:
                text += f";{name}={value}"
        return text


class Reason(NamedTuple):
    """Why a request was sent (RFC 3326)."""

    protocol: str
    cause: int | None = None
    text: str | None = None

    def __str__(self) -> str:
        cause = "" if self.cause is None else f";cause={self.cause}"
        return f"{self.protocol}{cause}" + ("" if self.text is None else f";text={quote(self.text)}")


def parse_rseq(text: str) -> int:
    """An RSeq: not 0."""
    number = parse_number(text, MAX_RSEQ)
    if not number:
        raise RemoteProtocolError("not above 0")
    return number


def parse_rack(text: str) -> RAck:
    """The RAck that the whole text is."""
    found = _RACK.fullmatch(text)
    if found is None:
        raise RemoteProtocolError("not two numbers and a method")
    return RAck(parse_number(found[1], MAX_RSEQ), parse_number(found[2], MAX_CSEQ), found[3])


def parse_session_expires(text: str) -> SessionExpires:
    """The Session-Expires that the whole text is; a refresher of another kind counts as none."""
    first, params = _split(text)
    refresher = (find_param(params, "refresher") or "").lower()
    return SessionExpires(parse_number(first, MAX_DELTA), refresher if refresher in ("uac", "uas") else None)


def parse_delta(text: str) -> int:
    """Seconds, perhaps with parameters that mean nothing to us: Min-SE, Max-Breadth."""
    return parse_number(_split(text)[0], MAX_DELTA)


def parse_replaces(text: str) -> Replaces:
    """The Replaces that the whole text is."""
    first, params = _split(text)
    to_tag, from_tag = find_param(params, "to-tag"), find_param(params, "from-tag")
    if not to_tag or not from_tag:
        raise RemoteProtocolError("not one to-tag and one from-tag")
    names = [name.lower() for name, _ in params]
    if names.count("to-tag") + names.count("from-tag") > 2:
        raise RemoteProtocolError("a tag stands more than once")
    return Replaces(parse_call_id(first), to_tag, from_tag, find_param(params, "early-only") is not None)


def parse_event(text: str) -> EventPackage:
    """The Event that the whole text is; the package is compared byte by byte (§8.2.1)."""
    first, params = _split(text)
    if _WORD.fullmatch(first) is None:
        raise RemoteProtocolError("not a package")
    return EventPackage(first, find_param(params, "id"), params)


def parse_subscription_state(text: str) -> SubscriptionState:
    """The Subscription-State that the whole text is; a number that is none counts as not there."""
    first, params = _split(text)
    if _WORD.fullmatch(first) is None:
        raise RemoteProtocolError("not a state")
    reason = find_param(params, "reason")
    return SubscriptionState(
        first.lower(),
        _number(find_param(params, "expires")),
        None if reason is None else reason.lower(),
        _number(find_param(params, "retry-after")),
    )


def parse_reason(text: str) -> Reason:
    """One Reason."""
    first, params = _split(text)
    if _WORD.fullmatch(first) is None:
        raise RemoteProtocolError("not a protocol")
    return Reason(first, _number(find_param(params, "cause")), find_param(params, "text"))


def parse_retry_after(text: str) -> int:
    """The seconds of a Retry-After, whatever comment stands behind them (RFC 3261 §20.33)."""
    found = _SECONDS.match(text)
    if found is None:
        raise RemoteProtocolError("not a number")
    return parse_number(found[0], MAX_DELTA)


def _split(text: str) -> tuple[str, Params]:
    """What stands before the parameters, and them."""
    found = _BEFORE_PARAMS.match(check_encodable(text))
    if found is None:
        raise RemoteProtocolError("nothing before the parameters")
    params, at = match_params(text, found.end())
    if at < len(text):
        raise RemoteProtocolError(f"unexpected {text[at]!r}")
    return found[0], params


def _number(text: str | None) -> int | None:
    if text is None or _SECONDS.fullmatch(text) is None:
        return None
    return min(int(text[-20:]), MAX_DELTA)


try:
    from ._message import Head
except ImportError:  # not built: the same answers, slower
    from .matching import Matched

    globals()["Head"] = Matched  # compiled, this module knows Head as a class that nobody may assign to


class Extended(Head):
    """A head whose extension headers are typed, too: None when one is not there, an error when malformed."""

    __slots__ = ()

    @property
    def rseq(self) -> int | None:
        """RSeq: the number of a reliable provisional response (RFC 3262 §7.1)."""
        value = self.get("RSeq")
        return None if value is None else typed("rseq", parse_rseq, value)

    @property
    def rack(self) -> RAck | None:
        """RAck: what a PRACK acknowledges."""
        value = self.get("RAck")
        return None if value is None else typed("rack", parse_rack, value)

    @property
    def session_expires(self) -> SessionExpires | None:
        """Session-Expires (RFC 4028 §4)."""
        value = self.get("Session-Expires")
        return None if value is None else typed("session-expires", parse_session_expires, value)

    @property
    def min_se(self) -> int | None:
        """Min-SE (RFC 4028 §5)."""
        value = self.get("Min-SE")
        return None if value is None else typed("min-se", parse_delta, value)

    @property
    def replaces(self) -> Replaces | None:
        """Replaces (RFC 3891 §6.1)."""
        value = self.get("Replaces")
        return None if value is None else typed("replaces", parse_replaces, value)

    @property
    def refer_to(self) -> NameAddr | None:
        """Refer-To (RFC 3515 §2.1)."""
        value = self.get("Refer-To")
        return None if value is None else typed("refer-to", parse_name_addr, value)

    @property
    def referred_by(self) -> NameAddr | None:
        """Referred-By (RFC 3892 §3)."""
        value = self.get("Referred-By")
        return None if value is None else typed("referred-by", parse_name_addr, value)

    @property
    def event(self) -> EventPackage | None:
        """Event (RFC 6665 §8.2.1)."""
        value = self.get("Event")
        return None if value is None else typed("event", parse_event, value)

    @property
    def subscription_state(self) -> SubscriptionState | None:
        """Subscription-State (RFC 6665 §8.2.3)."""
        value = self.get("Subscription-State")
        return None if value is None else typed("subscription-state", parse_subscription_state, value)

    @property
    def max_breadth(self) -> int | None:
        """Max-Breadth: how many branches at once a request may still have (RFC 5393 §5.3.3)."""
        value = self.get("Max-Breadth")
        return None if value is None else typed("max-breadth", parse_delta, value)

    @property
    def retry_after(self) -> int | None:
        """Retry-After in seconds (RFC 3261 §20.33); one that is no number counts as not there."""
        value = self.get("Retry-After")
        try:
            return None if value is None else parse_retry_after(value)
        except RemoteProtocolError:
            return None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Reason values (RFC 3326); what is malformed is left out: they explain, and decide nothing."""
        found = []
        for at in self._places("Reason"):
            try:
                found += [parse_reason(part) for part in split_list(self._text(at)) if part]
            except RemoteProtocolError:
                continue
        return tuple(found)
