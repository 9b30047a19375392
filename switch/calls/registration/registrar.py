"""The registrar: what REGISTER asks, and whether it gets it (RFC 3261 §10.3)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from email.utils import format_datetime

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls.registration.bindings import Binding, Bindings
from switchroom.switch.calls.registration.gruu import Gruus
from switchroom.switch.calls.registration.outbound import (
    FLOW_TIMER,
    Way,
    flow_key,
    instance_id,
    one_flow_each,
)
from switchroom.switch.config import RegistrarConfig
from switchroom.switch.net.clock import Clock
from switchroom.switch.store.interfaces import BindingStore

MAX_CONTACT_SIZE = 512
MAX_TEXT_SIZE = 128  # of User-Agent and of instance
_INSTANCE = ("+sip.instance", "reg-id")

Headers = tuple[tuple[str, str], ...]
Answer = tuple[int, str | None, Headers]


class Registrar:
    """Binds contacts to users; one request changes all that it names or nothing."""

    def __init__(
        self,
        store: BindingStore,
        config: RegistrarConfig,
        clock: Clock,
        *,
        is_local_host: Callable[[str], bool] = lambda host: True,
        max_bindings: int = 100_000,
        secret: bytes = b"",
    ) -> None:
        """``secret`` seals temporary GRUUs: workers share it."""
        self._take(config)
        self._is_stopping = False
        self._clock = clock
        self._is_local_host = is_local_host
        self._max_bindings = max_bindings
        self._bindings = Bindings(store, clock)
        self._date_at, self._date = -1, ""  # the second of the latest Date, and how it is written
        self._gruus = Gruus(secret)
        self.max_contacts: Mapping[str, int] = {}  # of users who have another limit than all
        self.on_change: list[Callable[[str, float], None]] = []  # called with each user whose bindings change

    def load(self, now: float) -> None:
        """Take up the bindings that were there before the restart."""
        self._bindings.load(now, self._max_expires)

    def update(self, config: RegistrarConfig, users: Collection[str]) -> list[Binding]:
        """Take the rules and users of a reloaded configuration; return what users that are gone had."""
        self._take(config)
        gone = self._bindings.keep_only(users)
        self._tell_of(gone, self._clock.now())
        return gone

    def _take(self, config: RegistrarConfig) -> None:
        self._default_expires = config.default_expires
        self._min_expires, self._max_expires = config.min_expires, config.max_expires
        self._most_contacts = config.max_contacts

    def handle(self, request: sip.Request, flow: sip.Flow, account: str, now: float) -> Answer:
        """Answer a REGISTER of this user: status, reason, headers."""
        try:
            _, _, host = request.whose("To")
            if not self._is_ours(host.strip("[]").lower(), flow):
                return 404, None, ()
            contacts = request.contacts
            if contacts:
                return self._update(request, contacts, flow, account, host, now)
            if request.contact_is_star:
                return self._remove_all(request, account, now)
            return self._ok(self._bindings.of(account, now), now, _PLAIN_WAY, host)
        except RemoteProtocolError as error:
            return error.status, None, ()

    def _is_ours(self, host: str, flow: sip.Flow) -> bool:
        """Whether who sent this over the flow means us: our end of it by address, or a name of ours."""
        return host == flow.local[0] or self._is_local_host(host)

    def lookup(self, user: str, now: float) -> list[Binding]:
        """Where the user can be reached, the preferred contact first; each phone once."""
        bindings = self._bindings.of(user, now)
        return one_flow_each(bindings) if len(bindings) > 1 else list(bindings)

    def resolve_gruu(self, uri: sip.Uri, now: float) -> Binding | None:
        """The one phone that a GRUU means, when it is registered (RFC 5627 §5.3)."""
        named = self._gruus.read(uri)
        if named is None:
            return None
        for binding in self.lookup(named.user, now):
            if instance_id(binding.instance) == named.instance:
                return binding
        return None

    def forget(self, binding: Binding, now: float) -> None:
        """The flow has failed behind a proxy, which says so with 430 (RFC 5626 §5.3)."""
        before = self._bindings.of(binding.user, now)
        kept = [b for b in before if b is not binding]
        if len(kept) < len(before):
            self._bindings.put(binding.user, kept)
            self._changed(binding.user, now)

    def flow_failed_behind(self, user: str, contact: str, now: float) -> None:
        """A phone answered 430: behind a proxy (Path) it is no use any more; of others it says nothing."""
        for binding in self._bindings.of(user, now):
            if binding.path and binding.contact == contact:
                self.forget(binding, now)

    def count(self) -> int:
        return len(self._bindings)

    def has_host(self, host: str) -> bool:
        """Whether anybody is registered from this source address."""
        return self._bindings.has_host(host)

    def all(self, now: float) -> list[Binding]:
        return [b for b in self._bindings if b.expires_at > now]

    def share(self, tell: Callable[[Sequence[Binding], Sequence[Binding]], None]) -> None:
        """Tell other workers of each change."""
        self._bindings.share = tell

    def learn(self, saved: Sequence[Binding], gone: Sequence[tuple[str, str]], now: float) -> None:
        """Take over what another worker has changed."""
        for user in self._bindings.learn(saved, gone):
            self._changed(user, now)

    def worker_lost(self, slot: int, now: float) -> None:
        """Another worker died, and its connections with it."""
        for user in {binding.user for binding in self._bindings.worker_lost(slot)}:
            self._changed(user, now)

    def flow_failed(self, flow: sip.Flow) -> list[Binding]:
        """A connection is closed; return the bindings that went with it."""
        gone = [] if self._is_stopping else self._bindings.flow_failed(flow)
        self._tell_of(gone, self._clock.now())
        return gone

    def stop(self) -> None:
        """From now on it is us who close connections: what is registered over them outlasts the restart."""
        self._is_stopping = True

    def next_timer(self) -> float | None:
        return self._bindings.next_timer()

    def handle_timer(self, now: float) -> list[Binding]:
        """Return the bindings that have expired."""
        gone = self._bindings.handle_timer(now)
        self._tell_of(gone, now)
        return gone

    def _tell_of(self, gone: Sequence[Binding], now: float) -> None:
        for user in {binding.user for binding in gone}:
            self._changed(user, now)

    def _changed(self, user: str, now: float) -> None:
        for tell in self.on_change:
            tell(user, now)

    def _remove_all(self, request: sip.Request, account: str, now: float) -> Answer:
        if request.get("Expires") != "0":
            return 400, "Contact * needs Expires 0", ()
        bindings = self._bindings.of(account, now)
        call_id, cseq = request._call_id(), request._number()
        if [b for b in bindings if _is_older(call_id, cseq, b)]:
            return _OUT_OF_ORDER
        if bindings:
            self._bindings.put(account, ())
            self._changed(account, now)
        return self._ok((), now, _PLAIN_WAY, "")

    def _update(
        self,
        request: sip.Request,
        contacts: Sequence[sip.NameAddr],
        flow: sip.Flow,
        account: str,
        host: str,
        now: float,
    ) -> Answer:
        before = self._bindings.of(account, now)
        max_contacts = self.max_contacts.get(account, self._most_contacts)
        if len(contacts) > max_contacts:
            return _TOO_MANY
        way = Way.of(request) if _has_extras(request) else _PLAIN_WAY
        is_outbound = False
        kept = list(before)
        saved: list[Binding] = []
        expires_header, call_id, cseq = request.expires, request._call_id(), request._number()
        user_agent = _printable(request.get("User-Agent") or "")
        for address in contacts:
            contact = _contact_of(address)
            expires = address.expires if address.params else None
            if expires is None:
                expires = self._default_expires if expires_header is None else expires_header
            if 0 < expires < self._min_expires:
                return 423, None, (("Min-Expires", str(self._min_expires)),)
            instance = _instance_of(address)
            flow_of = flow_key(instance) if way.is_outbound else None
            if flow_of is not None:
                if way.lacks_first_hop:
                    return 439, None, ()
                if len(contacts) > 1:
                    return 400, "One contact for each flow", ()  # RFC 5626 §6
                is_outbound = True
            for old in _replaced(kept, contact, flow_of):
                kept.remove(old)
                if old in saved:
                    saved.remove(old)  # the same contact twice in one request: the last one counts
                elif _is_older(call_id, cseq, old):
                    return _OUT_OF_ORDER
            if expires:
                binding = Binding(
                    account,
                    contact,
                    address.q if address.params else 1.0,
                    now + min(expires, self._max_expires),
                    call_id,
                    cseq,
                    flow,
                    user_agent,
                    instance,
                    way.path,
                )
                kept.append(binding)
                saved.append(binding)
        growth = len(kept) - len(before)
        if growth > 0 and len(kept) > max_contacts:
            return _TOO_MANY
        if growth > 0 and len(self._bindings) + growth > self._max_bindings:
            return 503, "Too Many Registrations", (("Retry-After", "60"),)
        if kept or before:
            self._bindings.put(account, kept, saved)
            self._changed(account, now)
        found = self._bindings.of(account, now)
        more = _OUTBOUND if is_outbound else ()
        return self._ok(found, now, way, host, more)

    def _ok(self, bindings: Sequence[Binding], now: float, way: Way, host: str, more: Headers = ()) -> Answer:
        has_gruus = "gruu" in way.extensions
        headers = []
        for binding in bindings:
            text = _as_contact(binding, now)
            headers.append(("Contact", text + self._gruus_of(binding, host) if has_gruus else text))
        headers.append(("Date", self._date_of(now)))
        headers += [("Path", item) for item in way.path]
        return 200, None, (*headers, *more)

    def _gruus_of(self, binding: Binding, host: str) -> str:
        instance = instance_id(binding.instance)
        if not instance:
            return ""
        public = self._gruus.public(binding.user, host, instance)
        return f';pub-gruu="{public}";temp-gruu="{self._gruus.temporary(binding.user, host, instance)}"'

    def _date_of(self, now: float) -> str:
        second = int(now)
        if self._date_at != second:
            self._date_at, self._date = second, format_datetime(self._clock.utc(now), usegmt=True)
        return self._date


_OUT_OF_ORDER: Answer = (500, "CSeq Out of Order", ())
_OUTBOUND: Headers = (("Require", "outbound"), ("Flow-Timer", str(FLOW_TIMER)))
_PLAIN_WAY = Way()
_TOO_MANY: Answer = (403, "Too Many Contacts", ())


def _is_older(call_id: str, cseq: int, binding: Binding) -> bool:
    """Whether the request was overtaken by the one that made the binding (RFC 3261 §10.3 step 7)."""
    return call_id == binding.call_id and cseq <= binding.cseq


def _contact_of(address: sip.NameAddr) -> str:
    uri = address.uri
    if not uri.is_sip:
        raise RemoteProtocolError("Contact is neither a sip nor a sips URI")
    contact = str(uri.replace(headers="") if uri.headers else uri)  # nobody writes headers into our requests
    if len(contact) > MAX_CONTACT_SIZE:
        raise RemoteProtocolError("Contact is too long")
    return contact


def _has_extras(request: sip.Request) -> bool:
    """Whether anything beyond RFC 3261 is asked for; most phones do not, and pay nothing."""
    return request.get("Supported") is not None or request.get("Path") is not None


def _replaced(bindings: Sequence[Binding], contact: str, flow_of: tuple[str, int] | None) -> list[Binding]:
    """What a contact takes the place of: itself, and what came by the same flow of the same phone."""
    same = _find(bindings, contact)
    found = [] if same is None else [same]
    if flow_of is not None:
        found += [b for b in bindings if b is not same and flow_key(b.instance) == flow_of]
    return found


def _find(bindings: Sequence[Binding], contact: str) -> Binding | None:
    """The binding of the same contact, however it is written (RFC 3261 §19.1.4)."""
    for binding in bindings:
        if binding.contact == contact:
            return binding
    if not bindings:
        return None
    uri = sip.Uri.parse(contact)
    for binding in bindings:
        if uri.equivalent(sip.Uri.parse(binding.contact)):
            return binding
    return None


def _as_contact(binding: Binding, now: float) -> str:
    text = f"<{binding.contact}>;expires={round(binding.expires_at - now)}"
    if binding.q != 1.0:
        text += f";q={binding.q:g}"
    return f"{text};{binding.instance}" if binding.instance else text


def _instance_of(address: sip.NameAddr) -> str:
    if not address.params:
        return ""
    pairs = [(name, value) for name, value in address.params if name.lower() in _INSTANCE]
    if not pairs:
        return ""
    text = ";".join(name if value is None else f"{name}={value}" for name, value in pairs)
    return text if len(text) <= MAX_TEXT_SIZE and text.isprintable() else ""


def _printable(text: str) -> str:
    """The text as records and tables can show it, one copy for all phones that say the same."""
    if len(text) > MAX_TEXT_SIZE:
        text = text[:MAX_TEXT_SIZE]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "?" for c in text)
    return sys.intern(text)
