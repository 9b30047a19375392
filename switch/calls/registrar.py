"""The registrar: what REGISTER asks, and whether it gets it (RFC 3261 §10.3)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from email.utils import format_datetime

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls.bindings import Binding, Bindings
from switchroom.switch.config import RegistrarConfig
from switchroom.switch.net.clock import Clock
from switchroom.switch.store.interfaces import BindingStore

__all__ = ["Binding", "Registrar"]

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
    ) -> None:
        self._config = config
        self._is_stopping = False
        self._clock = clock
        self._is_local_host = is_local_host
        self._max_bindings = max_bindings
        self._bindings = Bindings(store, clock)
        self._date = 0, ""

    def load(self, now: float) -> None:
        """Take up the bindings that were there before the restart."""
        self._bindings.load(now, self._config.max_expires)

    def update(self, config: RegistrarConfig, users: Collection[str]) -> list[Binding]:
        """Take the rules and users of a reloaded configuration; return what users that are gone had."""
        self._config = config
        return self._bindings.keep_only(users)

    def handle(self, request: sip.Request, flow: sip.Flow, account: str, now: float) -> Answer:
        """Answer a REGISTER of this user: status, reason, headers."""
        try:
            uri = request.to.uri
            if not self._is_local_host(uri.host.strip("[]").lower()):
                return 404, None, ()
            contacts = request.contacts
            if contacts:
                return self._update(request, contacts, flow, account, now)
            if request.contact_is_star:
                return self._remove_all(request, account, now)
            return self._ok(self._bindings.of(account, now), now)
        except RemoteProtocolError as error:
            return error.status, None, ()

    def lookup(self, user: str, now: float) -> list[Binding]:
        """Where the user can be reached, the preferred contact first."""
        return list(self._bindings.of(user, now))

    def count(self) -> int:
        return len(self._bindings)

    def has_host(self, host: str) -> bool:
        """Whether anybody is registered from this source address."""
        return self._bindings.has_host(host)

    def all(self, now: float) -> list[Binding]:
        return [b for b in self._bindings if b.expires_at > now]

    def flow_failed(self, flow: sip.Flow) -> list[Binding]:
        """A connection is closed; return the bindings that went with it."""
        return [] if self._is_stopping else self._bindings.flow_failed(flow)

    def stop(self) -> None:
        """From now on it is us who close connections: what is registered over them outlasts the restart."""
        self._is_stopping = True

    def next_timer(self) -> float | None:
        return self._bindings.next_timer()

    def handle_timer(self, now: float) -> list[Binding]:
        """Return the bindings that have expired."""
        return self._bindings.handle_timer(now)

    def _remove_all(self, request: sip.Request, account: str, now: float) -> Answer:
        if request.get("Expires") != "0":
            return 400, "Contact * needs Expires 0", ()
        bindings = self._bindings.of(account, now)
        if any(_is_older(request, b) for b in bindings):
            return _OUT_OF_ORDER
        if bindings:
            self._bindings.put(account, ())
        return self._ok((), now)

    def _update(
        self,
        request: sip.Request,
        contacts: Sequence[sip.NameAddr],
        flow: sip.Flow,
        account: str,
        now: float,
    ) -> Answer:
        config, before = self._config, self._bindings.of(account, now)
        if len(contacts) > config.max_contacts:
            return _TOO_MANY
        kept, saved = list(before), list[Binding]()
        expires_header = request.expires
        user_agent = _printable(request.get("User-Agent") or "")
        for address in contacts:
            contact = _contact_of(address)
            expires = address.expires
            if expires is None:
                expires = config.default_expires if expires_header is None else expires_header
            if 0 < expires < config.min_expires:
                return 423, None, (("Min-Expires", str(config.min_expires)),)
            old = _find(kept, contact)
            if old is not None:
                kept.remove(old)
                if old in saved:
                    saved.remove(old)  # the same contact twice in one request: the last one counts
                elif _is_older(request, old):
                    return _OUT_OF_ORDER
            if expires:
                binding = Binding(
                    account,
                    contact,
                    address.q,
                    now + min(expires, config.max_expires),
                    request.call_id,
                    request.cseq.number,
                    flow,
                    user_agent,
                    _instance_of(address),
                )
                kept.append(binding)
                saved.append(binding)
        growth = len(kept) - len(before)
        if growth > 0 and len(kept) > config.max_contacts:
            return _TOO_MANY
        if growth > 0 and len(self._bindings) + growth > self._max_bindings:
            return 503, "Too Many Registrations", (("Retry-After", "60"),)
        if kept or before:
            self._bindings.put(account, kept, saved=saved)
        return self._ok(self._bindings.of(account, now), now)

    def _ok(self, bindings: Sequence[Binding], now: float) -> Answer:
        contacts = tuple([("Contact", _as_contact(b, now)) for b in bindings])
        return 200, None, (*contacts, ("Date", self._date_of(now)))

    def _date_of(self, now: float) -> str:
        second = int(now)
        if self._date[0] != second:
            self._date = second, format_datetime(self._clock.utc(now), usegmt=True)
        return self._date[1]


_OUT_OF_ORDER: Answer = (500, "CSeq Out of Order", ())
_TOO_MANY: Answer = (403, "Too Many Contacts", ())


def _is_older(request: sip.Request, binding: Binding) -> bool:
    """Whether the request was overtaken by the one that made the binding (RFC 3261 §10.3 step 7)."""
    return request.call_id == binding.call_id and request.cseq.number <= binding.cseq


def _contact_of(address: sip.NameAddr) -> str:
    uri = address.uri
    if not uri.is_sip:
        raise RemoteProtocolError("Contact is neither a sip nor a sips URI")
    contact = str(uri.replace(headers="") if uri.headers else uri)  # nobody writes headers into our requests
    if len(contact) > MAX_CONTACT_SIZE:
        raise RemoteProtocolError("Contact is too long")
    return contact


def _find(bindings: Sequence[Binding], contact: str) -> Binding | None:
    """The binding of the same contact, however it is written (RFC 3261 §19.1.4)."""
    for binding in bindings:
        if binding.contact == contact:
            return binding
    if not bindings:
        return None
    uri = sip.Uri.parse(contact)
    return next((b for b in bindings if uri.equivalent(sip.Uri.parse(b.contact))), None)


def _as_contact(binding: Binding, now: float) -> str:
    text = f"<{binding.contact}>;expires={round(binding.expires_at - now)}"
    if binding.q != 1.0:
        text += f";q={binding.q:g}"
    return f"{text};{binding.instance}" if binding.instance else text


def _instance_of(address: sip.NameAddr) -> str:
    for name, _ in address.params:
        if name.lower() in _INSTANCE:
            break
    else:
        return ""
    pairs = [(name, value) for name, value in address.params if name.lower() in _INSTANCE]
    text = ";".join(name if value is None else f"{name}={value}" for name, value in pairs)
    return text if len(text) <= MAX_TEXT_SIZE and text.isprintable() else ""


def _printable(text: str) -> str:
    """The text as records and tables can show it, one copy for all phones that say the same."""
    text = text[:MAX_TEXT_SIZE]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "?" for c in text)
    return sys.intern(text)
