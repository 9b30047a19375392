"""The whole configuration: the tables, and the lists of users, routes and trunks."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from .checks import (
    Count,
    Dialled,
    Flag,
    Name,
    Network,
    Pattern,
    Target,
    TrunkAddress,
    compile_pattern,
    split_listen,
    split_trunk_address,
)
from .sections import (
    ApiConfig,
    AuthConfig,
    CallsConfig,
    LogConfig,
    MediaConfig,
    RegistrarConfig,
    Section,
    SipConfig,
    SwitchConfig,
    key,
)


class UserConfig(Section):
    """Somebody who registers with a phone."""

    name: Name = key("The name that the phone registers and authenticates with.")
    password: SecretStr = key("The password. It is never shown or logged.", min_length=1, max_length=128)
    number: Dialled = key(
        "The number that reaches this user and is shown to those called. Empty: the name.", ""
    )
    max_calls: Count | None = key(
        "Calls at once that this user may have made. Not given: calls.max_calls_per_user.",
        None,
        ge=0,
        le=100_000,
    )

    @property
    def dialled(self) -> str:
        """What others dial to reach this user."""
        return self.number or self.name


class RouteConfig(Section):
    """Where dialled numbers go, beside the numbers of the users; the first route that matches is taken."""

    match: Pattern = key(
        "The number: as it is, X for any digit, [2-5] for a choice, * at the end for any rest: 1XXX, +49*, *."
    )
    to: list[Target] = key(
        "One target or a list that rings at once: user:NAME, trunk:NAME or sip:USER@HOST.",
        min_length=1,
        max_length=32,
    )

    @field_validator("to", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    def matches(self, number: str) -> bool:
        """Whether this route takes the number."""
        return compile_pattern(self.match).fullmatch(number) is not None


class TrunkConfig(Section):
    """Another switch: who may call in without a password, and where calls go out."""

    name: Name = key("The name, for routes and records.")
    sources: list[Network] = key(
        "Addresses and networks that may call in without digest. Empty: nobody.", list, max_length=256
    )
    address: TrunkAddress = key(
        "Where calls go out: sip:HOST[:PORT][;transport=udp|tcp]. Empty: nowhere.", ""
    )
    nat: Flag = key("Whether the trunk is behind NAT, so that its media address is learnt.", False)
    max_calls: Count | None = key(
        "Calls at once over this trunk. Not given: no limit.", None, ge=0, le=1_000_000
    )

    @field_validator("sources")
    @classmethod
    def _not_everybody(cls, sources: list[str]) -> list[str]:
        for source in sources:
            if ip_network(source).prefixlen == 0:
                raise ValueError(f"{source} would let the whole world call in without a password")
        return sources

    @property
    def target(self) -> tuple[str, int, str] | None:
        """Host, port and transport (UDP, TCP) of the calls that go out."""
        return split_trunk_address(self.address) if self.address else None


class Config(Section):
    """The whole file."""

    switch: SwitchConfig = Field(default_factory=SwitchConfig)
    sip: SipConfig = Field(default_factory=SipConfig)
    registrar: RegistrarConfig = Field(default_factory=RegistrarConfig)
    auth: AuthConfig = Field(default_factory=AuthConfig)
    media: MediaConfig = Field(default_factory=MediaConfig)
    calls: CallsConfig = Field(default_factory=CallsConfig)
    api: ApiConfig = Field(default_factory=ApiConfig)
    log: LogConfig = Field(default_factory=LogConfig)
    users: list[UserConfig] = Field(default_factory=list)
    routes: list[RouteConfig] = Field(default_factory=list)
    trunks: list[TrunkConfig] = Field(default_factory=list)

    @property
    def realm(self) -> str:
        """The realm of digest challenges."""
        return self.auth.realm or self.switch.domain or "switchroom"

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        owners: dict[str, int] = {}
        for i, user in enumerate(self.users):
            for name in ("name", "number"):
                text: str = getattr(user, name)
                if text and owners.setdefault(text, i) != i:
                    raise ValueError(f"users.{i}.{name}: {text}: users.{owners[text]} has it already")
        trunks: dict[str, TrunkConfig] = {}
        for i, trunk in enumerate(self.trunks):
            if trunks.setdefault(trunk.name, trunk) is not trunk:
                raise ValueError(f"trunks.{i}.name: {trunk.name}: another trunk has it already")
        names = {user.name for user in self.users}
        for i, route in enumerate(self.routes):
            for target in route.to:
                kind, _, name = target.partition(":")
                if kind == "user" and name not in names:
                    raise ValueError(f"routes.{i}.to: {target}: there is no such user")
                if kind == "trunk" and (name not in trunks or not trunks[name].address):
                    raise ValueError(f"routes.{i}.to: {target}: there is no such trunk with an address")
        return self

    @model_validator(mode="after")
    def _ports_apart(self) -> Self:
        for i, entry in enumerate(self.sip.listen):
            transport, _, port = split_listen(entry)
            if transport == "udp" and port in self.media.port_range:
                raise ValueError(f"sip.listen.{i}: {entry}: must be outside media.ports, {self.media.ports}")
        return self
