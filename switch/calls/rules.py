"""What the exchange goes by: who asks, how many calls there may be, how long they may last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.switch.calls.protection import codecs_of, policy_of
from switchroom.switch.config import HostedTrunk, HostedUser, TrunkConfig, UserConfig

if TYPE_CHECKING:
    from switchroom.switch.calls.trunks.trunk import Trunk
    from switchroom.switch.media import Policy


class Caller:
    """Who asks: an authenticated user, or a trunk; ``account`` is the user's name or trunk:NAME."""

    __slots__ = ("account", "is_private", "number", "trunk", "user")

    def __init__(
        self, account: str, number: str, user: UserConfig | None = None, trunk: Trunk | None = None
    ) -> None:
        self.account = account
        self.number = number
        self.user = user
        self.trunk = trunk
        self.is_private = user is not None and user.privacy  # its number is nobody's business

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
        return self.trunk is not None and self.trunk.must_be_signed


class OverloadRules:
    """When new calls are refused, and when they are not even answered; seconds, counts."""

    __slots__ = ("drop_lag", "lag", "max_setups", "retry_after")

    def __init__(
        self, lag: float = 0.2, drop_lag: float = 0.5, max_setups: int = 2000, retry_after: int = 10
    ) -> None:
        self.lag = lag
        self.drop_lag = drop_lag
        self.max_setups = max_setups
        self.retry_after = retry_after


class ExchangeConfig:
    """The rules that a reload may change; seconds, counts."""

    __slots__ = (
        "_codecs", "_policies", "answer_timeout", "caps", "contact_timeout", "domain", "domains",
        "follow_redirects", "has_hosted", "max_amplification", "max_calls", "max_duration", "max_forks",
        "overload", "probe_interval", "recorded", "survive_restart", "timing", "user_agent", "users",
    )  # fmt: skip

    def __init__(
        self,
        domains: frozenset[str],
        domain: str,
        users: dict[str, UserConfig],
        answer_timeout: float = 60.0,
        contact_timeout: float = 8.0,
        max_duration: float = 14_400.0,
        probe_interval: float = 300.0,
        max_forks: int = 10,
        max_calls: int = 10_000,
        caps: Mapping[str, tuple[int, float]] | None = None,
        follow_redirects: bool = True,
        timing: sip.SessionTiming | None = None,
        overload: OverloadRules | None = None,
        survive_restart: bool = True,
        user_agent: str = "Switchroom",
        max_amplification: float = 0.0,
    ) -> None:
        self.domains = domains
        self.domain = domain
        self.users = users
        self.answer_timeout = answer_timeout
        self.contact_timeout = contact_timeout  # silence after which an address counts as unreachable
        self.max_duration = max_duration
        self.probe_interval = probe_interval  # 0: never
        self.max_forks = max_forks
        self.max_calls = max_calls
        self.caps = {} if caps is None else caps  # account -> calls at once, calls per second
        self.follow_redirects = follow_redirects
        self.timing = timing
        self.overload = OverloadRules() if overload is None else overload
        self.survive_restart = survive_restart
        self.user_agent = user_agent
        self.max_amplification = max_amplification  # answers to strangers, against their requests; 0: any
        # Read once, not for every call
        self._codecs = {name: codecs for name, user in users.items() if (codecs := codecs_of(user))}
        self.has_hosted = any("@" in name for name in users)  # in domains of their own
        self.recorded = {name for name, user in users.items() if user.record}
        self._policies: dict[str, dict[str, Policy]] = {}  # by transport and user

    def codecs_of(self, account: str) -> tuple[str, ...]:
        """The codecs that the legs of a user may use; empty: all."""
        return self._codecs.get(account, ())

    def policy_of(self, account: str, transport: str) -> Policy:
        """The policy of a user's media whose signalling goes over this transport; nobody's: the usual one."""
        user = self.users.get(account)
        if user is None:
            return policy_of(None, transport)
        known = self._policies.setdefault(transport, {})
        policy = known.get(account)
        if policy is None:
            policy = known[account] = policy_of(user, transport)
        return policy
