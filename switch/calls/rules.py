"""What the exchange goes by: who may call in, how many calls there may be, how long they may last."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: an authenticated user, or a trunk known by its address."""

    account: str
    number: str


@dataclass(frozen=True, slots=True)
class Trunk:
    """A peer that may call in from its addresses, and that routes may lead to."""

    name: str
    sources: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    host: str = ""
    port: int = 5060
    transport: str = "UDP"
    is_nat: bool = False


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """The rules that a reload may change; seconds, counts."""

    domains: frozenset[str]
    domain: str
    answer_timeout: float = 60.0
    max_duration: float = 14_400.0
    probe_interval: float = 300.0  # 0: never
    max_forks: int = 10
    max_calls: int = 10_000
    caps: Mapping[str, tuple[int, float]] = field(
        default_factory=dict
    )  # account -> calls at once, calls per second
    trunks: tuple[Trunk, ...] = ()
    user_agent: str = "Switchroom"
