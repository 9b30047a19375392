"""One trunk at run time: what may go over it, where it is, and how calls look to it and from it."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from switchroom.protocols import sip
from switchroom.protocols.sip.locating import Hop
from switchroom.protocols.sip.uri import escape_user
from switchroom.switch.calls import identity
from switchroom.switch.calls.identity import Header, Identity, from_header, identity_headers, number_in
from switchroom.switch.calls.protection import codecs_of, policy_of
from switchroom.switch.calls.rules import Caller
from switchroom.switch.calls.trunks.admission import Admission
from switchroom.switch.calls.trunks.header_rules import HeaderRules
from switchroom.switch.calls.trunks.means import Means
from switchroom.switch.calls.trunks.numbers import Plan, full_number, read_number, write_number
from switchroom.switch.calls.trunks.registration import Registration, RegistrationNews, route_of
from switchroom.switch.calls.trunks.targets import Probing, Targets, Way
from switchroom.switch.config import HostedTrunk, RegisterConfig, TrunkAddress, TrunkConfig


class Dress:
    """How an INVITE to the trunk is written; From and To without tags."""

    __slots__ = ("from_", "headers", "to", "uri")

    def __init__(self, uri: str, from_: str, to: str, headers: list[Header]) -> None:
        self.uri = uri
        self.from_ = from_
        self.to = to
        self.headers = headers


class TrunkNews(NamedTuple):
    """The state of a trunk for other workers; it pickles."""

    name: str
    registrations: tuple[RegistrationNews, ...]
    dead: tuple[tuple[Hop, float], ...]


class Trunk:
    """A trunk; a reload gives it another configuration and leaves the calls that are counted."""

    def __init__(self, config: TrunkConfig, means: Means, country: str = "") -> None:
        self.name = config.name
        self.caller = Caller(f"trunk:{config.name}", "", trunk=self)  # who calls when it does
        self._means = means
        self._admission = Admission()
        self._set_rules(config, country)
        self._set_line(config)

    def _set_rules(self, config: TrunkConfig, country: str) -> None:
        """What calls go by."""
        self.config = config
        self._country = country
        self._plan = Plan(config.country or country, config.national_prefix, config.international_prefix)
        self._admission.configure(config, self._plan)
        self.rules = HeaderRules(config.headers)
        # Read once, not for every call: what the configuration makes of its texts each time it is asked
        self._proxies, self._domain = config.proxies, sip.bracketed(config.shown_domain)
        self._from_user, self._caller_id = config.from_user, config.caller_id
        self._number_in, self._called_in = config.number_in, config.called_in
        self._shows_as_is = (
            config.number_out == "as-is" and not config.caller_number and config.privacy != "always"
        )
        self.policy = policy_of(config, "")  # of its media
        self.codecs = codecs_of(config)  # that its legs may use; empty: all
        self.has_rules = bool(config.headers)
        self.has_password = bool(config.username)
        self.is_trusted = config.trusted
        self.is_verified = config.verify != "off"  # what a signature of its calls is worth is found out
        self.must_be_signed = config.verify == "require"
        self.has_early_media = config.early_media != "none"
        self.session_timer = config.session_timer
        self.is_nat = config.nat
        self.rings_back = config.ring_back
        self.signs = config.sign or config.pass_identity

    def _set_line(self, config: TrunkConfig) -> None:
        """What leads to the trunk."""
        addresses = config.proxies or config.targets
        self._targets = self._make_targets(addresses, config, is_proxy=bool(config.proxies))
        self._registrars: list[Targets] = []
        self.registrations = [self._make_registration(one) for one in config.registrations]
        # Users in our Contacts that are names of ours at the trunk, and whom they stand for
        self._aliases = {one.contact_user: one.user for one in self.registrations}
        self._uri_flow: sip.Flow | None = None  # for which the ends of a Request-URI were made last
        self._uri_ends = ("", "")

    def _make_targets(
        self,
        addresses: tuple[TrunkAddress, ...],
        config: TrunkConfig,
        *,
        is_proxy: bool,
        interval: float = -1.0,
    ) -> Targets:
        host = sip.bracketed(config.shown_domain or (addresses[0].host if addresses else ""))
        probing = Probing(
            config.options_interval if interval < 0 else interval,
            config.timeout,
            f"sip:{host}",
            f"<sip:{sip.escape_user(config.from_user or 'switchroom')}@{host}>",
        )
        is_fenced = isinstance(config, HostedTrunk)
        return Targets(self.name, addresses, probing, self._means, is_proxy=is_proxy, is_fenced=is_fenced)

    def _make_registration(self, config: RegisterConfig) -> Registration:
        targets = self._targets
        if config.registrar:
            targets = self._make_targets(config.registrars, self.config, is_proxy=False, interval=0.0)
            self._registrars.append(targets)
        username = config.username or self.config.username
        secret = config.password if config.username else self.config.password
        client = self._client(username, secret.get_secret_value())
        return Registration(self.name, config, targets, client, self._means)

    def _client(self, username: str, password: str) -> sip.DigestClient | None:
        return sip.DigestClient(username, password, realm=self.config.realm or None) if username else None

    # -- life

    def start(self, now: float) -> None:
        """Look up the addresses; in the one worker that speaks for all: probe them, register."""
        for targets in (self._targets, *self._registrars):
            targets.start(now)
        if self._means.is_leader:
            for registration in self.registrations:
                registration.start(now)

    def stop(self, now: float, heirs: Container[tuple[str, str]] = ()) -> list[Registration]:
        """Take the registrations back and ask nobody any more; gives what still waits for an answer."""
        for one in self.registrations:
            one.stop(now, is_replaced=(one.config.aor, one.contact_user) in heirs)
        for targets in (self._targets, *self._registrars):
            targets.stop()
        return [one for one in self.registrations if one.is_leaving]

    def reconfigure(self, config: TrunkConfig, country: str, now: float) -> list[Registration]:
        """Take a changed configuration: what leads to the trunk begins anew only if that differs."""
        before = self.config
        self._set_rules(config, country)
        if _line(config) == _line(before):
            return []
        heirs = {(one.aor, one.contact_user or _user(one.aor)) for one in config.registrations}
        leaving = self.stop(now, heirs)
        self._set_line(config)
        self.start(now)
        return leaving

    # -- what may go over it

    @property
    def calls(self) -> int:
        """Calls that are up or being set up, in both directions, in all workers."""
        return self._admission.calls_everywhere

    def take_usage(self) -> tuple[int, int]:
        """For the other workers: our calls, and how many began since this was asked last."""
        began, self._admission.began = self._admission.began, 0
        return self._admission.calls, began

    def hear_usage(self, worker: int, calls: int, began: int, now: float) -> None:
        """What another worker has of it."""
        self._admission.elsewhere[worker] = calls
        self._admission.spend(began, now)

    def admit(
        self, number: str, now: float, is_emergency: bool = False, is_outgoing: bool = True
    ) -> sip.Refusal | None:
        """Why a call may not go over the trunk; None: it may, and has taken its share of the rate."""
        return self._admission.admit(number, now, is_emergency, is_outgoing)

    def take(self) -> None:
        """A call over the trunk began."""
        self._admission.calls += 1

    def give_back(self) -> None:
        """A call over the trunk ended."""
        self._admission.calls -= 1

    # -- where it is

    def ways(self, now: float, dead_too: bool = False) -> list[Way]:
        """The flows for a call, in order; the server that we are registered at comes first."""
        ways = self._targets.ways(now, dead_too)
        if len(ways) > 1 and self.registrations:
            ours = self._registered(now)
            if ours is not None and ours.flow is not None:
                return _ordered(ways, ours.flow.remote)
        return ways

    def report(
        self, flow: sip.Flow, outcome: str | int, now: float, retry_after: float | None = None
    ) -> None:
        """What became of a request: a status, or "answered", "timeout", "transport"."""
        target = self._targets.target_of(flow)
        if target is None:
            return
        if outcome == "answered":
            target.heard(now)
        elif outcome == "timeout" and target.heard_at > now - self.config.timeout:
            return  # it answered others meanwhile
        elif outcome in ("timeout", "transport"):
            target.bad(str(outcome), now)
        elif outcome == 503 and retry_after:
            target.bad("503", now, retry_after)
        elif outcome != 503:
            target.heard(now)  # a 503 that names no time is no reason to stay away (RFC 3261 §21.5.4)

    def flow_failed(self, flow: sip.Flow, reason: str) -> None:
        """Why a connection failed, for whoever reads that the address is down."""
        target = self._targets.target_of(flow)
        if target is not None:
            target.trouble = reason

    def authorizer(self) -> sip.Authorizer | None:
        """Who answers the challenges of one leg; None: nobody does (THREATS C2)."""
        if not self.has_password:
            return None
        client = self._client(self.config.username, self.config.password.get_secret_value())
        return None if client is None else sip.DigestAuthorizer(client)

    def routes(self, now: float) -> tuple[str, ...]:
        """The Route headers of a new call: the outbound proxy, then the Service-Route (RFC 3608)."""
        proxies = self._proxies
        if not proxies and not self.registrations:
            return ()
        first = (route_of(proxies[0].host, proxies[0].port, proxies[0].transport),) if proxies else ()
        ours = self._registered(now)
        service = ours.service_route if ours is not None else ()
        if first and service and sip.NameAddr.parse(service[0]).uri.host == proxies[0].host:
            return service
        return first + service

    def _registered(self, now: float) -> Registration | None:
        return next((one for one in self.registrations if one.is_registered(now)), None)

    # -- how calls look to it

    def dress(self, caller: Identity, number: str, flow: sip.Flow, now: float) -> Dress:
        """How an INVITE for the number is written to the trunk."""
        domain = self._domain or sip.bracketed(flow.remote[0])
        called, shown = number, caller
        if not self._shows_as_is:
            called = write_number(number, self.config.number_out, self._plan)
        if not self._shows_as_is or not caller.is_plain():
            shown = self._shown(caller)
        if self._from_user and not shown.is_private:
            from_ = identity.address(self._from_user, domain, shown.name)
        else:
            from_ = from_header(shown, domain)
        headers = identity_headers(shown, self._caller_id, domain)
        if self._proxies or self.registrations:
            headers[:0] = [("Route", route) for route in self.routes(now)]
        if caller.diversions:
            headers += self._forwardings(caller, called, domain)
        if self.has_rules:
            headers = self.rules.kept("out", headers) + self.rules.added("out")
        return Dress(self._uri(called, flow), from_, identity.address(called, domain), headers)

    def _shown(self, caller: Identity) -> Identity:
        config = self.config
        number = caller.number
        if config.caller_number and full_number(number, self._plan) is None:
            number = config.caller_number
        is_private = config.privacy == "always" or (caller.is_private and config.privacy != "off")
        return Identity(write_number(number, config.number_out, self._plan), caller.name, is_private)

    def _forwardings(self, caller: Identity, called: str, domain: str) -> list[Header]:
        form = self.config.diversion
        if form == "none":
            return []
        said = [self._written(one) for one in caller.diversions]
        headers = identity.diversion_headers(said, domain) if form != "history-info" else []
        return headers + (identity.history_headers(said, called, domain) if form != "diversion" else [])

    def _written(self, one: identity.Diversion) -> identity.Diversion:
        number = write_number(one.number, self.config.number_out, self._plan)
        return identity.Diversion(number, one.reason, one.counter, one.is_private)

    def _uri(self, number: str, flow: sip.Flow) -> str:
        """The Request-URI: the number at the address of the configuration that the flow came from."""
        if flow is not self._uri_flow:  # calls that follow each other go by the same one
            self._uri_flow, self._uri_ends = flow, self._ends_for(flow)
        scheme, rest = self._uri_ends
        return f"{scheme}:{escape_user(number)}{rest}"

    def _ends_for(self, flow: sip.Flow) -> tuple[str, str]:
        """The scheme of the Request-URI, and what follows the number."""
        config = self.config
        address = config.targets[0] if config.proxy and config.address else self._targets.address_of(flow)
        if address is None:
            address = TrunkAddress(flow.remote[0], flow.remote[1])
        scheme = "sips" if address.is_sips else "sip"
        host = sip.bracketed(config.domain or address.host)
        port = f":{address.port}" if address.port is not None and not config.domain else ""
        is_said = address.transport not in (None, "UDP", "TLS")
        params = f";transport={str(address.transport).lower()}" if is_said else ""
        return scheme, f"@{host}{port}{params}"

    def headers_out(self, source: sip.Message | None) -> list[Header]:
        """What rules copy from the other leg's request to the trunk."""
        return self.rules.kept("out", self.rules.copied("out", source))

    # -- how calls look from it

    def strip_in(self, request: sip.Request) -> None:
        """Take away what rules remove, before anything of the request is believed."""
        self.rules.strip("in", request)

    def undress(self, request: sip.Request) -> Identity:
        """Who calls, in our own form of numbers."""
        found = identity.read(request, self.is_trusted)
        if self._number_in == "as-is":
            return found
        diversions = [
            identity.Diversion(self.whole_in(one.number), one.reason, one.counter, one.is_private)
            for one in found.diversions
        ]
        return found.changed(self.whole_in(found.number), None, tuple(diversions))

    def whole_in(self, number: str) -> str:
        """A number as the trunk writes it, in E.164."""
        return read_number(number, self._number_in, self._plan)

    def whole_out(self, number: str) -> str:
        """A number as we write it to the trunk, in E.164."""
        return read_number(number, self.config.number_out, self._plan)

    def called(self, request: sip.Request) -> str:
        """The number that a call from the trunk is for."""
        uri = request.uri
        if self._called_in == "to":
            uri = request.to.uri
        elif self._called_in == "p-called-party-id":
            uri = identity.called_party(request) or uri
        number = number_in(uri)
        number = self._aliases.get(number, number)
        return number if self._number_in == "as-is" else self.whole_in(number)

    def headers_in(self, source: sip.Message | None) -> list[Header]:
        """What rules copy from the trunk's request to the other leg, and what they add there."""
        return self.rules.copied("in", source) + self.rules.added("in")

    # -- whether a request is its own

    def owns(self, flow: sip.Flow, now: float) -> bool:
        """Whether we are registered at the other end of this flow: its calls for us come from there."""
        return any(
            one.is_registered(now) and one.flow is not None and one.flow.remote[0] == flow.remote[0]
            for one in self.registrations
        )

    def expects(self, user: str) -> bool:
        """Whether the trunk knows us under this user: it tells two trunks at one address apart."""
        return any(user in (one.contact_user, one.user) for one in self.registrations)

    # -- what workers tell each other

    def export(self) -> TrunkNews:
        """What the worker found out that probes and registers."""
        return TrunkNews(
            self.name,
            tuple([one.export() for one in self.registrations]),
            self._targets.export(),
        )

    def learn(self, news: TrunkNews, now: float) -> None:
        """Take what that worker found out."""
        for one, told in zip(self.registrations, news.registrations, strict=False):
            one.learn(told)
        self._targets.learn(news.dead, now)

    def row(self, now: float) -> dict[str, object]:
        """The trunk for people, in one line."""
        return {
            "trunk": self.name,
            "addresses": "; ".join(self._targets.states(now)),
            "registrations": "; ".join(one.describe(now) for one in self.registrations),
            "calls": self.calls,
        }


_LINE = (
    "address", "proxy", "domain", "username", "password", "realm", "registrations", "from_user", "timeout",
    "options_interval",
)  # fmt: skip


def _line(config: TrunkConfig) -> tuple[object, ...]:
    """What of a configuration decides how the trunk is reached."""
    return tuple(getattr(config, name) for name in _LINE)


def _ordered(ways: list[Way], first: tuple[str, int]) -> list[Way]:
    """The live ones, those dead, and in each half what leads to this address first."""
    return sorted(ways, key=lambda way: (way.is_probe, way.flow.remote != first))


def _user(aor: str) -> str:
    return sip.Uri.parse(aor).user_unescaped or ""
