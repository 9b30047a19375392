"""What another worker has, a call that rings or one who is parked: the INVITE that asks for it goes there.

The worker that got the INVITE has proven who sent it, and says so: the other one knows none of its nonces.
News and messages for one worker stay in order, so the word is there before the message is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from switchroom.protocols import sip
from switchroom.switch.calls.rules import Caller

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.net.bus import Bus

_VOUCHED, _PARKED = "vouched", "parked"  # topics of the bus
_KEPT = 32.0  # seconds in which an INVITE may be repeated (RFC 3261 §17.1.1.2, timer B)
_MAX_KEPT = 10_000


class _Word(NamedTuple):
    """Whose an INVITE is, and which workers it was at already."""

    key: str
    account: str
    seen: frozenset[int]


class Elsewhere:
    """Sends INVITEs on to the worker that can serve them, and takes those of others."""

    def __init__(self, exchange: Exchange, bus: Bus) -> None:
        self._exchange, self._bus = exchange, bus
        self.others: set[int] = set()  # workers that are there
        self._words: dict[int, _Word] = {}  # the last one of each other worker
        self._seen: tuple[str, frozenset[int]] = ("", frozenset())  # of the INVITE that is dealt with
        self._sent: dict[str, tuple[int, float]] = {}  # INVITE -> where it went, and until when that counts
        self.parked: dict[str, int] = {}  # slots that are taken in other workers
        bus.subscribe(_VOUCHED, lambda told, slot: self._words.__setitem__(slot, _Word(*told)))
        bus.subscribe(_PARKED, self._hear_parked)
        bus.on_found.append(self.others.add)
        bus.on_lost.append(self._on_lost)

    # -- of others

    def caller_of(self, event: sip.RequestReceived) -> Caller | None:
        """Who sent an INVITE, as another worker has proven; None: nobody has said so."""
        for slot, word in self._words.items():
            if word.key == event.key:
                del self._words[slot]
                self._seen = word.key, word.seen
                if word.account.startswith("trunk:"):
                    trunk = self._exchange.trunks.get(word.account.removeprefix("trunk:"))
                    return None if trunk is None else trunk.caller
                user = self._exchange.config.users.get(word.account)
                return None if user is None else Caller(user.name, user.own_number, user=user)
        return None

    def slot_of(self, tag: str) -> int | None:
        """The other worker, if it is there, that minted a tag."""
        mint = self._exchange.mint
        minted = mint.slot_of(tag)
        if minted is None or not tag.startswith(mint.head_of(*minted)) or minted[0] not in self.others:
            return None
        return minted[0]

    # -- of ours

    def send_on(
        self, event: sip.RequestReceived, caller: Caller, now: float, slot: int | None = None
    ) -> bool:
        """Send an INVITE to a worker, or to the next one that has not seen it; False: there is none."""
        key, seen = self._seen
        seen = (seen if key == event.key else frozenset()) | {self._bus.slot}
        if slot is None:
            slot = min(self.others - seen, default=None)
        if slot is None or slot in seen or slot not in self.others:
            return False
        self._bus.send(slot, _VOUCHED, _Word(event.key, caller.account, seen))
        self._bus.forward(slot, bytes(event.request), event.flow)
        self._remember(event.key, slot, now)
        return True

    def sends_again(self, event: sip.RequestReceived, now: float) -> bool:
        """Whether an INVITE repeats one that was sent on; then it has gone the same way."""
        slot, until = self._sent.get(event.key, (0, 0.0))
        if now >= until:
            return False
        self._bus.forward(slot, bytes(event.request), event.flow)
        return True

    def _remember(self, key: str, slot: int, now: float) -> None:
        if len(self._sent) >= _MAX_KEPT:
            self._sent.clear()  # what is repeated now is challenged again
        for old in [k for k, (_, until) in self._sent.items() if until <= now]:
            del self._sent[old]
        self._sent[key] = slot, now + _KEPT

    # -- slots

    def tell_parked(self, slot: str, *, is_taken: bool) -> None:
        """One of our slots was taken, or is free again."""
        self._bus.publish(_PARKED, (slot, is_taken))

    def _hear_parked(self, told: Any, worker: int) -> None:
        slot, is_taken = told
        if is_taken:
            self.parked[slot] = worker
        elif self.parked.get(slot) == worker:
            del self.parked[slot]

    def _on_lost(self, worker: int) -> None:
        self.others.discard(worker)
        self._words.pop(worker, None)
        self.parked = {slot: other for slot, other in self.parked.items() if other != worker}

    def meet(self, worker: int, slots: list[str]) -> None:
        """A worker is there that does not know yet what is taken here."""
        for slot in slots:
            self._bus.send(worker, _PARKED, (slot, True))
