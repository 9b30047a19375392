"""What the parts of a switch are told of its configuration, in their own words."""

from __future__ import annotations

from ipaddress import ip_address

from switchroom.protocols import sip
from switchroom.switch.calls.rules import ExchangeConfig, OverloadRules
from switchroom.switch.config import Config, HostedUser, domains_of
from switchroom.switch.media import Captures
from switchroom.switch.net import NetLimits, PublicAddress, WebSocketRules
from switchroom.switch.net.place import Place


def mint(place: Place) -> sip.Mint:
    """Who makes the identifiers of a worker."""
    return sip.Mint(place.slot, place.generation, secret=place.secret)


def timers(config: Config) -> sip.Timers:
    """The timers of RFC 3261."""
    return sip.Timers(t1=config.sip.t1, t2=config.sip.t2, t4=config.sip.t4)


def message_limits(config: Config) -> sip.Limits:
    """What a message may measure."""
    return sip.Limits(
        message_size=config.sip.max_message_size,
        header_count=config.sip.max_headers,
        header_size=config.sip.max_header_size,
    )


def limits(config: Config) -> NetLimits:
    """What anybody may send before we know who it is."""
    given = config.sip
    return NetLimits(
        max_message_size=given.max_message_size,
        max_head_size=given.max_head_size,
        source_rate=given.source_rate,
        source_burst=given.source_burst,
        total_rate=given.total_rate,
        total_burst=given.total_burst,
        register_rate=given.register_rate,
        call_rate=given.call_rate,
        source_call_rate=given.source_call_rate,
        source_register_rate=given.source_register_rate,
        max_wait=config.overload.max_wait,
        refuse_rate=config.overload.refuse_rate,
        retry_after=config.overload.retry_after,
        max_amplification=given.max_amplification,
        max_connections=given.max_connections,
        max_connections_per_source=given.max_connections_per_source,
        message_timeout=given.message_timeout,
        idle_timeout=given.idle_timeout,
        handshake_timeout=config.tls.handshake_timeout,
        handshake_rate=config.tls.handshake_rate,
        handshake_burst=config.tls.handshake_burst,
    )


def max_contacts(config: Config) -> dict[str, int]:
    """How many phones the users have that say so themselves."""
    return {user.name: user.max_contacts for user in config.users if user.max_contacts is not None}


def registrants(config: Config) -> set[str]:
    """Who may have phones registered."""
    return {u.name for u in config.users if not isinstance(u, HostedUser) or u.may_register}


def websocket(config: Config) -> WebSocketRules:
    """The rules of WebSocket connections."""
    given = config.websocket
    return WebSocketRules(given.path, tuple(given.origins), given.ping_interval)


def captures(config: Config) -> Captures | None:
    """Where media packets are kept; None: they are not."""
    trace = config.trace
    return Captures(trace.media_seconds, trace.media_octets) if trace.media_seconds else None


def public(config: Config) -> PublicAddress:
    """The address behind a one-to-one NAT."""
    return PublicAddress(config.sip.public_address, config.sip.inside)


def exchange_config(config: Config) -> ExchangeConfig:
    """What calls may do."""
    calls = config.calls
    caps = {
        user.name: (calls.max_calls_per_user if user.max_calls is None else user.max_calls, calls.user_rate)
        for user in config.users
    }
    return ExchangeConfig(
        domains=domains_of(config),
        domain=config.switch.domain,
        answer_timeout=calls.answer_timeout,
        max_duration=calls.max_duration,
        probe_interval=calls.probe_interval,
        max_forks=calls.max_forks,
        max_calls=calls.max_calls,
        caps=caps,
        users={user.name: user for user in config.users},
        contact_timeout=calls.contact_timeout,
        follow_redirects=calls.follow_redirects,
        timing=timing(config),
        overload=OverloadRules(
            config.overload.lag,
            config.overload.drop_lag,
            config.overload.max_setups,
            config.overload.retry_after,
        ),
        user_agent=config.switch.name,
        survive_restart=calls.survive_restart,
        max_amplification=config.sip.max_amplification,
    )


def timing(config: Config) -> sip.SessionTiming | None:
    """Session timers (RFC 4028); None: off."""
    calls = config.calls
    if calls.session_timer == "off":
        return None
    return sip.SessionTiming(calls.session_interval, calls.session_min, "auto", calls.session_timer)


def named_targets(config: Config) -> list[sip.Uri]:
    """The fixed URIs of routes whose hosts are names, not addresses; trunks look after theirs."""
    targets = {to for route in config.routes for to in route.targets if to.startswith("sip")}
    uris = [sip.Uri.parse(to) for to in sorted(targets)]
    return [uri for uri in uris if not _is_address(uri.host.strip("[]"))]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
