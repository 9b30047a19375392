"""Who asks: digest authentication of requests (RFC 3261 §22, RFC 8760)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.digest import (
    ALGORITHMS,
    Challenge,
    Credentials,
    Nonces,
    compute_a1,
    parse_credentials,
)
from switchroom.switch.calls.access.guard import Guard, GuardLimits
from switchroom.switch.calls.rules import Caller
from switchroom.switch.config import AuthConfig, HostedTrunk, HostedUser, TrunkConfig, UserConfig

MAX_AUTHORIZATIONS = 8
# They give up registering when any challenge names SHA-256, although MD5 stands first; the libraries of
# browsers (SIP.js, JsSIP), whose name their pages may change, when the last one does.
# Nothing is lost by believing the name: a phone may choose MD5 anyway.
_MD5_ONLY = re.compile(r"baresip v(?:[012]\.|3\.(?:[0-9]|1[01])\.)|SIP\.js/|JsSIP ")
_SIMPLE = ("baresip ", "SIP.js/", "JsSIP ")  # what their names begin with
_BROWSERS = frozenset(("WS", "WSS"))

Headers = tuple[tuple[str, str], ...]


class Authenticated:
    """The request is this user's."""

    __slots__ = ("caller", "user")

    def __init__(self, user: UserConfig) -> None:
        self.user = user
        self.caller = Caller(user.name, user.own_number, user=user)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Authenticated) and self.user == other.user


class AuthenticatedTrunk(NamedTuple):
    """The request is this trunk's; whom it calls for is for the trunk to say."""

    name: str


class Challenged:
    """Answer so: the sender is to prove who it is."""

    __slots__ = ("headers", "status")

    def __init__(self, status: int, headers: Headers) -> None:
        self.status = status
        self.headers = headers


class Refused(NamedTuple):
    """Answer so: it will not become better by asking again."""

    status: int
    reason: str | None = None
    headers: Headers = ()


class Ignored(NamedTuple):
    """Give no answer."""


Outcome = Authenticated | AuthenticatedTrunk | Challenged | Refused | Ignored
_IGNORED = Ignored()
_FORBIDDEN = Refused(403)


class _Account:
    """What is to be known of a user or trunk when its credentials are right."""

    __slots__ = ("a1", "domain", "may_call", "may_register", "name", "number", "outcome", "owner", "sources")

    def __init__(
        self,
        owner: UserConfig | AuthenticatedTrunk,
        a1: dict[str, str],
        sources: tuple[IPv4Network | IPv6Network, ...] = (),
    ) -> None:
        """``a1``: algorithm -> H(A1), the password itself is not needed; ``sources``: none are all."""
        self.owner = owner
        self.a1 = a1
        self.sources = sources  # where its calls may come from
        self.name = self.number = self.domain = ""
        self.may_call = self.may_register = True
        self.outcome: Outcome = Authenticated(owner) if isinstance(owner, UserConfig) else owner
        if isinstance(owner, UserConfig):
            self.name, self.number = owner.name, owner.number
        if isinstance(owner, HostedUser):
            self.may_call, self.may_register = owner.may_call, owner.may_register
            if owner.domain:
                self.name = self.number = owner.own_number
                self.domain = owner.domain

    def owns(self, user: str | None, host: str) -> bool:
        """Whether the address is the account's: its name or number (RFC 3261 §10.3)."""
        if not user or (user != self.name and user != self.number):
            return False
        return not self.domain or host.lower() == self.domain

    def admits(self, method: str, host: str) -> bool:
        """Whether it may do this from there."""
        if method == "REGISTER":
            return self.may_register
        if not self.may_call:
            return False
        return not self.sources or _is_in(host, self.sources)


class Authenticator:
    """Checks digests; keeps state only for those that were right."""

    def __init__(
        self,
        users: Iterable[UserConfig],
        config: AuthConfig,
        realm: str,
        guard: Guard,
        *,
        trunks: Iterable[TrunkConfig] = (),
        secret: bytes = b"",
    ) -> None:
        """``secret`` seals the nonces: workers that share sources share it."""
        self.guard = guard
        self._realm = realm
        self._nonces = Nonces(secret or secrets.token_bytes(32))
        # What unknown users are measured against: as long to compute, and nobody knows the password.
        self._nobody = self._a1s("", secrets.token_hex(32))
        self._accounts: dict[str, _Account] = {}
        self._hosted: dict[str, dict[str, _Account]] = {}  # in domains of their own
        self._doors: dict[str, dict[str, _Account]] = {}  # trunks, at the domains that they call
        self.update(users, config, trunks)

    def update(
        self, users: Iterable[UserConfig], config: AuthConfig, trunks: Iterable[TrunkConfig] = ()
    ) -> None:
        """Take the users, trunks and rules of a reloaded configuration."""
        before, self._accounts = self._accounts, {}
        self._hosted, self._doors = {}, {}
        for user in users:
            known = before.get(user.name)
            account = known if known is not None and known.owner is user else self._account(user)
            self._accounts[user.name] = account
            if isinstance(user, HostedUser) and user.domain:
                self._hosted.setdefault(user.domain, {})[user.own_number] = account
        for trunk in trunks:
            if isinstance(trunk, HostedTrunk):
                sources, owner = _networks(trunk.callers), AuthenticatedTrunk(trunk.name)
                for name, a1 in trunk.logins.items():
                    self._doors.setdefault(trunk.domain, {})[name] = _Account(owner, a1, sources)
            if trunk.username_in:
                a1 = self._a1s(trunk.username_in, trunk.password_in.get_secret_value())
                self._accounts[trunk.username_in] = _Account(AuthenticatedTrunk(trunk.name), a1)
        self._algorithms = tuple(config.algorithms)
        self._first = self._challenge_texts(is_stale=False)
        self._again = self._challenge_texts(is_stale=True)
        self._nonces.lifetime = config.nonce_lifetime
        self.guard.limits = GuardLimits(
            config.max_failures,
            config.failure_window,
            config.ban_time,
            config.max_unanswered,
            max_malformed=config.max_malformed,
        )

    def authenticate(self, request: sip.Request, flow: sip.Flow, now: float) -> Outcome:
        """Say whose request this is, or what to answer; the answer does not tell whether a user exists."""
        host = flow.remote[0]
        if request.method == "ACK" or self.guard.is_banned(host, now):
            return _IGNORED  # an ACK cannot be answered
        try:
            credentials = self._credentials(request)
            if credentials is None:
                return self._challenge(request, flow, now, self._first)
            return self._check(request, credentials, flow, now)
        except RemoteProtocolError as error:
            if not self.guard.may_challenge(host, now):
                return _IGNORED
            return Refused(error.status)

    def _credentials(self, request: sip.Request) -> Credentials | None:
        """The credentials for our realm; others may stand beside them (RFC 3261 §22.3)."""
        values = request.get_all("Authorization")
        if len(values) > MAX_AUTHORIZATIONS:
            raise RemoteProtocolError("Too many Authorization headers")
        found = None
        for value in values:
            if value[:6].lower() != "digest":
                continue
            credentials = parse_credentials(value)
            if credentials.realm != self._realm:
                continue
            if found is not None:
                raise RemoteProtocolError("Two Authorization headers for one realm")
            found = credentials
        return found

    def _check(self, request: sip.Request, credentials: Credentials, flow: sip.Flow, now: float) -> Outcome:
        host = flow.remote[0]
        method = request.method
        if credentials.qop != "auth" or credentials.algorithm not in self._algorithms:
            return self._challenge(request, flow, now, self._first)
        if not _names(credentials.uri, request):
            raise RemoteProtocolError("Digest uri is not the Request-URI")  # RFC 7616 §3.4.6
        nonces, nonce, count = self._nonces, credentials.nonce, credentials.nonce_count
        if not nonces.is_valid(nonce, host, now) or nonces.is_replay(nonce, count):
            return self._challenge(request, flow, now, self._again)  # the response is not looked at
        account = self._find(request, credentials.username)
        a1 = self._nobody if account is None else account.a1
        if not credentials.is_proof_of(a1[credentials.algorithm], method) or account is None:
            self.guard.failed(host, credentials.username, now, is_known=account is not None)
            return self._challenge(request, flow, now, self._first)
        nonces.use(nonce, count, now)
        self.guard.succeeded(host)
        if not account.admits(method, host):
            return _FORBIDDEN
        if isinstance(account.owner, AuthenticatedTrunk):
            return _FORBIDDEN if method == "REGISTER" else account.outcome
        _, user, domain = request.whose("From")
        if not account.owns(user, domain):
            return _FORBIDDEN
        if method == "REGISTER":
            _, user, domain = request.whose("To")
            if not account.owns(user, domain):
                return _FORBIDDEN
        return account.outcome

    def _find(self, request: sip.Request, name: str) -> _Account | None:
        """Whose name it is: in the domain of who sends, or in the one that is called by a trunk."""
        inside = None
        if self._hosted:
            inside = self._hosted.get(_host_of(request.from_.uri))
        if self._doors and inside is None:
            inside = self._doors.get(_host_of(request.uri))
        return self._accounts.get(name) if inside is None else inside.get(name)

    def _challenge(
        self, request: sip.Request, flow: sip.Flow, now: float, around: list[tuple[str, str]]
    ) -> Outcome:
        """``around``: what stands before and after the nonce, for each algorithm."""
        host = flow.remote[0]
        if not self.guard.may_challenge(host, now):
            return _IGNORED
        nonce = self._nonces.mint(host, now)
        if len(around) > 1 and _is_simple(request, flow):
            around = [around[self._algorithms.index("MD5")]]
        headers = tuple([("WWW-Authenticate", f"{before}{nonce}{after}") for before, after in around])
        return Challenged(401, headers)

    def _challenge_texts(self, *, is_stale: bool) -> list[tuple[str, str]]:
        """What stands before and after the nonce in each challenge: all but the nonce is always the same."""
        mark = "\0"  # in no realm
        texts = [str(Challenge(self._realm, mark, name, is_stale=is_stale)) for name in self._algorithms]
        return [(before, after) for before, _, after in (text.partition(mark) for text in texts)]

    def _account(self, user: UserConfig) -> _Account:
        if isinstance(user, HostedUser):
            return _Account(user, user.a1, _networks(user.sources))
        password = user.password.get_secret_value()
        return _Account(user, self._a1s(user.name, password))

    def _a1s(self, name: str, password: str) -> dict[str, str]:
        return {algorithm: compute_a1(name, self._realm, password, algorithm) for algorithm in ALGORITHMS}


def _host_of(uri: sip.Uri) -> str:
    return uri.host.lower()


def _networks(texts: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(map(ip_network, texts))


def _is_in(host: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    address = ip_address(host.partition("%")[0])
    return any(address in network for network in networks)


def _is_simple(request: sip.Request, flow: sip.Flow) -> bool:
    """Whether it is to be asked for MD5 alone."""
    if flow.transport in _BROWSERS:
        return True
    agent = request.get("User-Agent")
    return agent is not None and agent.startswith(_SIMPLE) and _MD5_ONLY.match(agent) is not None


def _names(text: str, request: sip.Request) -> bool:
    """Whether the digest's uri is the Request-URI; a proxy or a phone may have written it otherwise."""
    return text == request.uri_text or sip.Uri.parse(text).equivalent(request.uri)
