"""Interactive connectivity establishment for one component; RFC 8445, with consent (RFC 7675).

An agent has one address of its own (its owner's socket) and finds out at which of the other end's addresses
that one is reached. It answers nobody who does not prove the password that the description has (THREATS C10),
and believes in an address only when a check of its own came back from there, or, being lite, when the other
end has nominated it.
"""

from __future__ import annotations

import random
import secrets
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import RemoteProtocolError
from .candidate import PEER_REFLEXIVE, Candidate, priority_of
from .integrity import open_message, seal
from .message import (
    BINDING,
    ERROR_CODE,
    ICE_CONTROLLED,
    ICE_CONTROLLING,
    PRIORITY,
    USE_CANDIDATE,
    USERNAME,
    Message,
    MessageClass,
)

__all__ = ["Address", "Agent", "Credentials", "Lost", "Selected", "make_credentials"]

Address = tuple[str, int]

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # ice-char
_PACE = 0.05  # Ta, seconds; RFC 8445 §14.2
_RETRANSMIT = 0.3  # RTO, which doubles up to the next one; §14.3
_MAX_RETRANSMIT = 1.6
_MAX_SENT = 9
_MAX_PAIRS = 32  # those of the description and those that show themselves; RFC 8445 §6.1.2.5 allows 100
_NOMINATE_AFTER = 0.1  # seconds that a better pair has to prove itself, where we choose
_CONSENT_INTERVAL = (4.0, 6.0)  # RFC 7675 §5.1: 5 s, by chance 0.8 to 1.2 of it
_CONSENT_TIMEOUT = 30.0
_MAX_CONSENT_CHECKS = 8  # that may be answered yet
_ROLE_CONFLICT = 487


class Credentials(NamedTuple):
    """What a description says: ice-ufrag and ice-pwd; RFC 8445 §5.3."""

    ufrag: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.ufrag})"


def make_credentials() -> Credentials:
    """Return new ones: 48 and 144 bits of chance."""
    text = "".join([secrets.choice(_ALPHABET) for _ in range(32)])
    return Credentials(text[:8], text[8:])


class Selected(NamedTuple):
    """The other end is there: sound goes there and comes from there."""

    address: Address


class Lost(NamedTuple):
    """It does not want to be sent anything any more, or is gone; RFC 7675 §5.1."""


@dataclass(slots=True, eq=False)
class _Pair:
    """An address of the other end, and what is known about the way there."""

    address: Address
    priority: int
    is_valid: bool = False  # a check of ours came back
    is_nominated: bool = False
    transaction: bytes = b""  # of the check that is on its way
    is_nominating: bool = False  # that check says so
    sent_count: int = 0
    send_at: float | None = None  # the next transmission; None: nothing is asked at present


class Agent:
    """Checks and answers checks; ``take_remote`` says who the other end is."""

    def __init__(
        self,
        local: Credentials,
        mark: bytes,
        *,
        is_controlling: bool,
        is_lite: bool = False,
        chance: random.Random | None = None,
    ) -> None:
        """``mark``: the first 4 octets of all our transactions."""
        self.local = local
        self.mark = mark
        self.remote: Credentials | None = None
        self.is_controlling = is_controlling
        self.is_lite = is_lite
        self.selected: Address | None = None
        self._chance = chance or random.SystemRandom()
        self._tie_breaker = self._chance.getrandbits(64)
        self._pairs: dict[Address, _Pair] = {}
        self._checks: dict[bytes, tuple[_Pair, bool]] = {}  # by transaction: whether it nominates
        self._out: list[tuple[bytes, Address]] = []
        self._events: list[Selected | Lost] = []
        self._paced_at = 0.0
        self._nominate_at: float | None = None
        self._consent_at: float | None = None
        self._consent_until = 0.0
        self._consents: list[bytes] = []

    # -- the owner's verbs

    def take_remote(
        self, remote: Credentials, candidates: Iterable[Candidate], now: float, *, is_lite: bool = False
    ) -> None:
        """The description of the other end came: check its addresses, the best one first."""
        self.remote = remote
        if is_lite and not self.is_lite:
            self.is_controlling = True  # RFC 8445 §6.1.1
        for candidate in sorted(candidates, key=lambda one: -one.priority):
            if candidate.component == 1:
                self._pair((candidate.host, candidate.port), candidate.priority)
        for pair in self._pairs.values():
            if pair.send_at is None and not pair.is_valid:
                self._schedule(pair, now)

    def resume(self, remote: Credentials, address: Address, now: float) -> None:
        """Go on where an earlier agent of the same credentials was, which had found the other end there."""
        self.remote = remote
        pair = _Pair(address, priority_of(PEER_REFLEXIVE), is_valid=True, is_nominated=True)
        self._pairs[address] = pair
        self._select(pair, now)
        self._events.clear()  # its owner knows

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take a STUN message; what proves no password changes nothing and gets no answer."""
        try:
            if data[:1] == b"\1":  # the upper class bit: success or error
                self._on_response(data, source, now)
            else:
                self._on_request(data, source, now)
        except RemoteProtocolError:
            return

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Return what to send where."""
        out, self._out = self._out, []
        return out

    def next_event(self) -> Selected | Lost | None:
        """Return what was found out."""
        return self._events.pop(0) if self._events else None

    def next_timer(self) -> float | None:
        """When to call ``handle_timer``."""
        times = [pair.send_at for pair in self._pairs.values() if pair.send_at is not None]
        times += [at for at in (self._nominate_at, self._consent_at) if at is not None]
        return min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """Send what is due."""
        for pair in list(self._pairs.values()):
            if pair.send_at is not None and pair.send_at <= now:
                self._transmit(pair, now)
        if self._nominate_at is not None and self._nominate_at <= now:
            self._nominate(now)
        if self._consent_at is not None and self._consent_at <= now:
            self._ask_consent(now)

    # -- requests of the other end

    def _on_request(self, data: bytes, source: Address, now: float) -> None:
        request = open_message(data, self.local.password.encode())
        username = (request.get(USERNAME) or b"").decode("utf-8", "replace")
        ours, _, theirs = username.partition(":")
        is_theirs = self.remote is None or theirs == self.remote.ufrag
        if request.message_class is not MessageClass.REQUEST or request.method != BINDING:
            return
        if ours != self.local.ufrag or not is_theirs:
            return
        if not self._agrees_on_roles(request, source):
            return
        self._answer(request.success(source), source)
        pair = self._pair(source, int.from_bytes((request.get(PRIORITY) or b"")[:4]))
        if pair is None:
            return
        if request.get(USE_CANDIDATE) is not None and not self.is_controlling:
            pair.is_nominated = True
        if self.is_lite:
            if pair.is_nominated:
                self._select(pair, now)
        elif not pair.is_valid:
            if pair.sent_count == 0 or pair.send_at is None:
                self._schedule(pair, now, is_triggered=True)  # §7.3.1.4
        elif pair.is_nominated:
            self._select(pair, now)

    def _agrees_on_roles(self, request: Message, source: Address) -> bool:
        """Two that both want to choose, or neither; RFC 8445 §7.3.1.1."""
        theirs = request.get(ICE_CONTROLLING if self.is_controlling else ICE_CONTROLLED)
        if theirs is None or len(theirs) != 8:
            return True
        is_larger = self._tie_breaker >= int.from_bytes(theirs)
        if is_larger == self.is_controlling:
            self._answer(request.error(_ROLE_CONFLICT, "Role Conflict"), source)
            return False
        self.is_controlling = not self.is_controlling
        return True

    def _answer(self, response: Message, source: Address) -> None:
        self._out.append((seal(response, self.local.password.encode()), source))

    # -- our checks

    def _pair(self, address: Address, priority: int) -> _Pair | None:
        pair = self._pairs.get(address)
        if pair is None:
            if len(self._pairs) >= _MAX_PAIRS and not self._forget_one():
                return None
            pair = self._pairs[address] = _Pair(address, priority)
        return pair

    def _forget_one(self) -> bool:
        """Make room: a pair of which nothing came."""
        for address, pair in self._pairs.items():
            if not pair.is_valid and not pair.is_nominated and pair.send_at is None and pair.sent_count:
                del self._pairs[address]
                return True
        return False

    def _schedule(self, pair: _Pair, now: float, *, is_triggered: bool = False) -> None:
        if self.is_lite or self.remote is None:
            return
        self._forget_check(pair)
        pair.sent_count = 0
        if is_triggered:
            pair.send_at = now
            self._transmit(pair, now)
            return
        self._paced_at = max(now, self._paced_at)
        pair.send_at = self._paced_at
        self._paced_at += _PACE

    def _transmit(self, pair: _Pair, now: float) -> None:
        if pair.sent_count >= _MAX_SENT:
            pair.send_at = None
            self._forget_check(pair)
            return
        if not pair.transaction:
            pair.transaction = self._new_transaction()
            self._checks[pair.transaction] = (pair, pair.is_nominating)
        self._out.append((self._check(pair.transaction, pair.is_nominating), pair.address))
        pair.send_at = now + min(_MAX_RETRANSMIT, _RETRANSMIT * (1 << pair.sent_count))
        pair.sent_count += 1

    def _forget_check(self, pair: _Pair) -> None:
        self._checks.pop(pair.transaction, None)
        pair.transaction = b""

    def _new_transaction(self) -> bytes:
        return self.mark + self._chance.getrandbits(64).to_bytes(8)

    def _check(self, transaction: bytes, is_nominating: bool) -> bytes:
        assert self.remote is not None
        role = ICE_CONTROLLING if self.is_controlling else ICE_CONTROLLED
        attributes = [
            (USERNAME, f"{self.remote.ufrag}:{self.local.ufrag}".encode()),
            (PRIORITY, struct.pack("!I", priority_of(PEER_REFLEXIVE))),
            (role, self._tie_breaker.to_bytes(8)),
        ]
        if is_nominating:
            attributes.append((USE_CANDIDATE, b""))
        message = Message(MessageClass.REQUEST, transaction, BINDING, tuple(attributes))
        return seal(message, self.remote.password.encode())

    # -- their answers

    def _on_response(self, data: bytes, source: Address, now: float) -> None:
        if self.remote is None:
            return
        response = open_message(data, self.remote.password.encode())
        if response.transaction_id in self._consents:
            if response.message_class is MessageClass.SUCCESS and source == self.selected:
                self._consents.clear()
                self._consent_until = now + _CONSENT_TIMEOUT
            return
        pair, was_nominating = self._checks.get(response.transaction_id, (None, False))
        if pair is None or pair.address != source:  # §7.2.5.2.1: it must come from where the check went
            return
        self._forget_check(pair)
        pair.send_at = None
        if response.message_class is MessageClass.SUCCESS:
            self._on_success(pair, now, was_nominating=was_nominating)
        elif _code_of(response) == _ROLE_CONFLICT:
            self.is_controlling = not self.is_controlling
            pair.is_nominating = False
            self._schedule(pair, now, is_triggered=True)

    def _on_success(self, pair: _Pair, now: float, *, was_nominating: bool) -> None:
        pair.is_valid = True
        if was_nominating and self.is_controlling:
            pair.is_nominated = True
        if pair.is_nominated:
            self._select(pair, now)
        elif self.is_controlling and self.selected is None and self._nominate_at is None:
            self._nominate_at = now + _NOMINATE_AFTER

    def _nominate(self, now: float) -> None:
        """Choose the best way that was found, and say so; RFC 8445 §8.1.1."""
        self._nominate_at = None
        valid = [pair for pair in self._pairs.values() if pair.is_valid]
        if not self.is_controlling or not valid:
            return
        best = max(valid, key=lambda pair: pair.priority)
        best.is_nominating = True
        self._schedule(best, now, is_triggered=True)

    def _select(self, pair: _Pair, now: float) -> None:
        if self.selected == pair.address:
            return
        current = None if self.selected is None else self._pairs.get(self.selected)
        if current is not None and not self.is_lite and current.priority > pair.priority:
            return
        self.selected = pair.address
        self._events.append(Selected(pair.address))
        self._consents.clear()
        if not self.is_lite:
            self._consent_until = now + _CONSENT_TIMEOUT
            self._consent_at = now + self._chance.uniform(*_CONSENT_INTERVAL)

    def _ask_consent(self, now: float) -> None:
        assert self.selected is not None
        if now >= self._consent_until:
            pair = self._pairs.pop(self.selected, None)
            if pair is not None:
                self._forget_check(pair)
            self.selected = self._consent_at = None
            self._events.append(Lost())
            return
        transaction = self._new_transaction()
        self._consents = [*self._consents[-_MAX_CONSENT_CHECKS + 1 :], transaction]
        self._out.append((self._check(transaction, False), self.selected))
        self._consent_at = now + self._chance.uniform(*_CONSENT_INTERVAL)


def _code_of(response: Message) -> int:
    value = response.get(ERROR_CODE) or b""
    return value[2] * 100 + value[3] if len(value) >= 4 else 0
