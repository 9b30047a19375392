"""What the exchange goes by: who asks, how many calls there may be, how long they may last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.switch.config import HostedTrunk, HostedUser, TrunkConfig, UserConfig

if TYPE_CHECKING:
    from switchroom.switch.calls.trunks.trunk import Trunk


class Caller:
    """Who asks: an authenticated user, or a trunk; ``account`` is the user's name or trunk:NAME."""

    __slots__ = ("account", "number", "trunk", "user")

    def __init__(
        self, account: str, number: str, user: UserConfig | None = None, trunk: Trunk | None = None
    ) -> None:
        self.account = account
        self.number = number
        self.user = user
        self.trunk = trunk

    @property
    def config(self) -> UserConfig | TrunkConfig | None:
        """What the configuration says of it."""
        return self.user if self.trunk is None else self.trunk.config

    @property
    def is_guest(self) -> bool:
        """Whether it keeps to a domain of its own: what users share is not for it."""
        config = self.config
        return isinstance(config, HostedTrunk) or (isinstance(config, HostedUser) and config.domain != "")

    @property
    def must_be_signed(self) -> bool:
        """Whether its calls are refused without a good signature (RFC 8224)."""
        return self.trunk is not None and self.trunk.config.verify == "require"


@dataclass(frozen=True, slots=True)
class OverloadRules:
    """When new calls are refused, and when they are not even answered; seconds, counts."""

    lag: float = 0.2
    drop_lag: float = 0.5
    max_setups: int = 2000
    retry_after: int = 10


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """The rules that a reload may change; seconds, counts."""

    domains: frozenset[str]
    domain: str
    users: Mapping[str, UserConfig] = field(default_factory=dict)
    answer_timeout: float = 60.0
    contact_timeout: float = 8.0  # silence after which an address counts as unreachable
    max_duration: float = 14_400.0
    probe_interval: float = 300.0  # 0: never
    max_forks: int = 10
    max_calls: int = 10_000
    caps: Mapping[str, tuple[int, float]] = field(
        default_factory=dict
    )  # account -> calls at once, calls per second
    follow_redirects: bool = True
    timing: sip.SessionTiming | None = None
    overload: OverloadRules = field(default_factory=OverloadRules)
    survive_restart: bool = True
    user_agent: str = "Switchroom"
    max_amplification: float = 0.0  # answers to strangers, against their requests; 0: no limit
