"""Where each user can be reached at present: the table behind the registrar, in memory and in the store."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from ipaddress import ip_address
from typing import Any

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.net.clock import Clock
from switchroom.switch.store.interfaces import BindingStore, StoredBinding

_stored_of = StoredBinding._make  # a fifth of what its constructor takes
MAX_LOOKED_AT = 1000  # users that one timer looks at, so that the loop goes on when all expire at once


class Binding:
    """One contact of a user, and the way that its REGISTER came (RFC 3261 §10.3); it never changes."""

    __slots__ = (
        *("user", "contact", "q", "expires_at", "call_id", "cseq"),
        *("flow", "user_agent", "instance", "path"),
    )

    def __init__(
        self,
        user: str,
        contact: str,
        q: float,
        expires_at: float,
        call_id: str,
        cseq: int,
        flow: sip.Flow,
        user_agent: str = "",
        instance: str = "",
        path: tuple[str, ...] = (),
    ) -> None:
        """``instance``: the Contact's +sip.instance and reg-id (RFC 5626 §4), as they were written;
        ``path``: the proxies between us and the phone, ours first (RFC 3327).
        """
        self.user = user
        self.contact = contact
        self.q = q
        self.expires_at = expires_at
        self.call_id = call_id
        self.cseq = cseq
        self.flow = flow
        self.user_agent = user_agent
        self.instance = instance
        self.path = path

    def told(self) -> tuple[Any, ...]:
        """What other workers are told of it: no class by its name, which costs more than all else."""
        place = self.user, self.contact, self.q, self.expires_at, self.call_id, self.cseq
        return (*place, self.flow.fields(), self.user_agent, self.instance, self.path)

    @staticmethod
    def heard(told: tuple[Any, ...]) -> Binding:
        """The same binding in another worker."""
        user, contact, q, expires_at, call_id, cseq, flow, user_agent, instance, path = told
        flow, user_agent = sip.Flow(*flow), sys.intern(user_agent)
        return Binding(user, contact, q, expires_at, call_id, cseq, flow, user_agent, instance, path)


class _Place:
    """The bindings of one user, best first, and the second in which they are looked at for expiry."""

    __slots__ = ("bindings", "due")

    def __init__(self) -> None:
        self.bindings: tuple[Binding, ...] = ()
        self.due = 0


class Bindings:
    """Reads never touch the store; nothing here depends on how many are registered."""

    def __init__(self, store: BindingStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._places: dict[str, _Place] = {}
        self._due: dict[int, set[str]] = {}  # second -> users; each user is in one second only
        self._seconds: list[int] = []  # a heap of those seconds
        self._connections: dict[int, set[str]] = {}
        self._hosts: dict[str, int] = {}  # source address -> bindings that came from it
        self._count = 0
        # Tells the other workers what was saved and what is gone; none: we are alone and forget what expires.
        self.share: Callable[[Sequence[Binding], Sequence[Binding]], None] | None = None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Binding]:
        for place in self._places.values():
            yield from place.bindings

    def of(self, user: str, now: float) -> tuple[Binding, ...]:
        """The user's bindings that have not expired, best first."""
        place = self._places.get(user)
        if place is None:
            return ()
        for binding in place.bindings:
            if binding.expires_at <= now:
                return tuple([b for b in place.bindings if b.expires_at > now])
        return place.bindings

    def has_host(self, host: str) -> bool:
        """Whether anybody is registered from this source address."""
        return host in self._hosts

    def put(self, user: str, bindings: Sequence[Binding], saved: Sequence[Binding] = ()) -> list[Binding]:
        """Make these the user's bindings, of which ``saved`` are new; return those that are gone."""
        replaced = self._set(user, bindings)
        for binding in saved:
            if _is_refresh(binding, replaced):
                self._store.renew(self._stored(binding))
            else:
                self._store.save(self._stored(binding))
        contacts = [b.contact for b in bindings]
        gone = [b for b in replaced if b.contact not in contacts]
        for binding in gone:
            self._store.remove(user, binding.contact)
        if self.share is not None and (saved or gone):
            self.share(saved, gone)
        return gone

    def learn(self, saved: Iterable[Binding], gone: Iterable[tuple[str, str]]) -> set[str]:
        """Take over what another worker has changed and written; return whose bindings these are."""
        changed: dict[str, dict[str, Binding]] = {}
        for user, contact in gone:
            self._by_contact(changed, user).pop(contact, None)
        for binding in saved:
            self._by_contact(changed, binding.user)[binding.contact] = binding
        for user, bindings in changed.items():
            if bindings or user in self._places:
                self._set(user, tuple(bindings.values()))
        return set(changed)

    def _by_contact(self, changed: dict[str, dict[str, Binding]], user: str) -> dict[str, Binding]:
        if user not in changed:
            place = self._places.get(user)
            changed[user] = {b.contact: b for b in place.bindings} if place is not None else {}
        return changed[user]

    def worker_lost(self, slot: int) -> list[Binding]:
        """Another worker died, and its connections with it: what was registered over them is out of reach."""
        lost = [number for number in self._connections if number >> 40 == slot]
        users = {user for number in lost for user in self._connections[number]}
        gone: list[Binding] = []
        for user in users:
            bindings = self._places[user].bindings
            gone += self._set(
                user, [b for b in bindings if not (b.flow.connection and b.flow.connection >> 40 == slot)]
            )
        return gone

    def load(self, now: float, max_expires: float) -> None:
        """Take what the store has kept over a restart."""
        known: dict[str, list[Binding]] = {}
        for stored in self._store.load(self._clock.posix(now)):
            known.setdefault(stored.user, []).append(self._restored(stored, now + max_expires))
        for user, bindings in known.items():
            self._set(user, bindings)

    def flow_failed(self, flow: sip.Flow) -> list[Binding]:
        """A connection is closed: what was registered over it cannot be reached any more."""
        gone: list[Binding] = []
        if not flow.connection:
            return gone
        for user in self._connections.pop(flow.connection, ()):
            bindings = self._places[user].bindings
            gone += self.put(user, [b for b in bindings if b.flow.connection != flow.connection])
        return gone

    def keep_only(self, users: Collection[str]) -> list[Binding]:
        """Drop the bindings of everybody else, and return them."""
        strangers = [user for user in self._places if user not in users]
        return [binding for user in strangers for binding in self.put(user, ())]

    def next_timer(self) -> float | None:
        return float(self._seconds[0]) if self._seconds else None

    def handle_timer(self, now: float) -> list[Binding]:
        """Drop what has expired and return it."""
        gone: list[Binding] = []
        left = MAX_LOOKED_AT
        while self._seconds and self._seconds[0] <= now and left:
            users = self._due[self._seconds[0]]
            while users and left:
                left -= 1
                user = users.pop()
                self._places[user].due = 0
                left_over = self.of(user, now)
                # What one worker sees expire another may have seen refreshed: the leader purges the store.
                gone += self.put(user, left_over) if self.share is None else self._set(user, left_over)
            if not users:
                del self._due[heappop(self._seconds)]
        return gone

    def _set(self, user: str, bindings: Sequence[Binding]) -> list[Binding]:
        place = self._places.get(user)
        if place is None:
            place = self._places[user] = _Place()
        before = place.bindings
        gone = [b for b in before if b not in bindings]
        self._count += len(bindings) - len(before)
        self._count_hosts(before, bindings)
        place.bindings = tuple(sorted(bindings, key=_rank) if len(bindings) > 1 else bindings)
        for binding in gone:
            if binding.flow.connection:
                self._disconnect(user, binding.flow.connection)
        for binding in place.bindings:
            if binding.flow.connection:
                self._connections.setdefault(binding.flow.connection, set()).add(user)
        if bindings:
            self._arm(user, place)
        else:
            self._disarm(user, place)
            del self._places[user]
        return gone

    def _count_hosts(self, before: Sequence[Binding], after: Sequence[Binding]) -> None:
        hosts = self._hosts
        for binding in after:
            host = binding.flow.remote[0]
            hosts[host] = hosts.get(host, 0) + 1
        for binding in before:
            host = binding.flow.remote[0]
            hosts[host] -= 1
            if not hosts[host]:
                del hosts[host]

    def _arm(self, user: str, place: _Place) -> None:
        first = place.bindings[0].expires_at
        for binding in place.bindings:
            first = min(first, binding.expires_at)
        second = int(first) + 1
        if place.due and place.due <= second:
            return  # a refresh: it is looked at too early, and then armed again
        self._disarm(user, place)
        place.due = second
        users = self._due.get(second)
        if users is None:
            self._due[second] = {user}
            heappush(self._seconds, second)
        else:
            users.add(user)

    def _disarm(self, user: str, place: _Place) -> None:
        if place.due:
            self._due[place.due].discard(user)
            place.due = 0

    def _disconnect(self, user: str, connection: int) -> None:
        users = self._connections.get(connection)
        if users is not None:
            users.discard(user)
            if not users:
                del self._connections[connection]

    def _stored(self, binding: Binding) -> StoredBinding:
        flow = binding.flow
        local, remote = flow.local, flow.remote
        return _stored_of(
            (
                binding.user,
                binding.contact,
                self._clock.posix(binding.expires_at),
                binding.q,
                binding.call_id,
                binding.cseq,
                flow.transport,
                local[0],
                local[1],
                remote[0],
                remote[1],
                binding.user_agent,
                binding.instance,
                "\n".join(binding.path) if binding.path else "",
            )
        )

    def _restored(self, stored: StoredBinding, latest: float) -> Binding:
        # Never longer than a phone can ask for, whatever the wall clock did meanwhile.
        expires_at = min(self._clock.monotonic_at(stored.expires_at), latest)
        return Binding(
            stored.user,
            stored.contact,
            stored.q,
            expires_at,
            stored.call_id,
            stored.cseq,
            _flow_of(stored),
            sys.intern(stored.user_agent),
            stored.instance,
            tuple(stored.path.split("\n")) if stored.path else (),
        )


def _flow_of(stored: StoredBinding) -> sip.Flow:
    """The way to the phone after a restart: its connection is gone, it may listen where its contact says."""
    remote = stored.remote_host, stored.remote_port
    if stored.transport != "UDP":
        try:
            uri = sip.Uri.parse(stored.contact)
            remote = str(ip_address(uri.host.strip("[]"))), uri.port or 5060
        except (RemoteProtocolError, ValueError):
            pass  # a name: the address that it came from is all we know
    return sip.Flow(stored.transport, (stored.local_host, stored.local_port), remote)


def _is_refresh(binding: Binding, replaced: Sequence[Binding]) -> bool:
    """Whether it says nothing new but for how long."""
    for old in replaced:
        if old.contact == binding.contact:
            is_same_way = old.flow == binding.flow and old.path == binding.path
            return is_same_way and old.instance == binding.instance and old.q == binding.q
    return False


def _rank(binding: Binding) -> float:
    return -binding.q
