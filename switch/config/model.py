"""The whole configuration: the tables, and the lists of users, routes and trunks."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from .api import ApiConfig
from .checks import split_listen
from .dns import DnsConfig
from .features import FeaturesConfig
from .listeners import TlsConfig, WebSocketConfig
from .menus import MenuConfig, check_menus
from .modems import ModemConfig, check_modems
from .presence import MessagesConfig, PresenceConfig
from .routes import NumbersConfig, RouteConfig, RoutingConfig
from .sections import (
    AuthConfig,
    CallsConfig,
    LogConfig,
    MediaConfig,
    OverloadConfig,
    RegistrarConfig,
    Section,
    SipConfig,
    SwitchConfig,
)
from .smpp import SmppAccountConfig, SmppConfig, SmppTrunkConfig, check_smpp
from .sms import SmsConfig, SmsRouteConfig, SmsRuleConfig, check_routes
from .sound import SoundConfig, VoicemailConfig
from .stir import StirConfig
from .trace import TraceConfig
from .trunks import TrunkConfig
from .users import UserConfig


class Config(Section):
    """The whole file."""

    switch: SwitchConfig = Field(default_factory=SwitchConfig)
    sip: SipConfig = Field(default_factory=SipConfig)
    tls: TlsConfig = Field(default_factory=TlsConfig)
    websocket: WebSocketConfig = Field(default_factory=WebSocketConfig)
    registrar: RegistrarConfig = Field(default_factory=RegistrarConfig)
    auth: AuthConfig = Field(default_factory=AuthConfig)
    media: MediaConfig = Field(default_factory=MediaConfig)
    sound: SoundConfig = Field(default_factory=SoundConfig)
    voicemail: VoicemailConfig = Field(default_factory=VoicemailConfig)
    calls: CallsConfig = Field(default_factory=CallsConfig)
    overload: OverloadConfig = Field(default_factory=OverloadConfig)
    api: ApiConfig = Field(default_factory=ApiConfig)
    log: LogConfig = Field(default_factory=LogConfig)
    dns: DnsConfig = Field(default_factory=DnsConfig)
    trace: TraceConfig = Field(default_factory=TraceConfig)
    stir: StirConfig = Field(default_factory=StirConfig)
    presence: PresenceConfig = Field(default_factory=PresenceConfig)
    messages: MessagesConfig = Field(default_factory=MessagesConfig)
    sms: SmsConfig = Field(default_factory=SmsConfig)
    features: FeaturesConfig = Field(default_factory=FeaturesConfig)
    smpp: SmppConfig = Field(default_factory=SmppConfig)
    numbers: NumbersConfig = Field(default_factory=NumbersConfig)
    routing: RoutingConfig = Field(default_factory=RoutingConfig)
    users: list[UserConfig] = Field(default_factory=list)
    routes: list[RouteConfig] = Field(default_factory=list)
    trunks: list[TrunkConfig] = Field(default_factory=list)
    menus: list[MenuConfig] = Field(default_factory=list)
    sms_routes: list[SmsRouteConfig] = Field(default_factory=list)
    sms_rules: list[SmsRuleConfig] = Field(default_factory=list)
    smpp_accounts: list[SmppAccountConfig] = Field(default_factory=list)
    smpp_trunks: list[SmppTrunkConfig] = Field(default_factory=list)
    modems: list[ModemConfig] = Field(default_factory=list)

    @property
    def realm(self) -> str:
        """The realm of digest challenges."""
        return self.auth.realm or self.switch.domain or "switchroom"

    @property
    def has_sms(self) -> bool:
        """Whether there is to be a message centre."""
        if self.sms.enabled is not None:
            return self.sms.enabled
        tables = (self.sms_routes, self.smpp_accounts, self.smpp_trunks, self.modems, self.api.rest)
        return any(tables)

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
            proof = trunk.username_in
            if proof and (proof in owners or any(t.username_in == proof for t in self.trunks[:i])):
                raise ValueError(f"trunks.{i}.username_in: {proof}: a user or another trunk has it already")
        names = {user.name for user in self.users}
        boxes = {user.name for user in self.users if user.voicemail}
        check_menus(self.menus, names, boxes)
        for list_name in ("watchers", "hidden"):
            for name in getattr(self.presence, list_name):
                if name not in names:
                    raise ValueError(f"presence.{list_name}: {name}: there is no such user")
        for i, user in enumerate(self.users):
            for name, target in user.forwards:
                if target.startswith("user:") and target.removeprefix("user:") not in names:
                    raise ValueError(f"users.{i}.{name}: {target}: there is no such user")
        for i, route in enumerate(self.routes):
            for target in route.targets:
                kind, _, name = target.partition(":")
                if kind == "user" and name not in names:
                    raise ValueError(f"routes.{i}.to: {target}: there is no such user")
                if kind == "voicemail" and name not in boxes:
                    raise ValueError(f"routes.{i}.to: {target}: there is no such user with voicemail = true")
                if kind == "trunk" and (name not in trunks or not trunks[name].address):
                    raise ValueError(f"routes.{i}.to: {target}: there is no such trunk with an address")
            for source in route.sources:
                kind, _, name = source.partition(":")
                if name and name not in (names if kind == "user" else trunks):
                    raise ValueError(f"routes.{i}.sources: {source}: there is no such {kind}")
            if route.order == "cost" and self.routing.rates is None:
                raise ValueError(f"routes.{i}.order: cost: needs routing.rates")
        return self

    @model_validator(mode="after")
    def _rest_has_a_certificate(self) -> Self:
        for i, entry in enumerate(self.api.rest):
            if entry.startswith("https:") and not self.tls.certificate:
                raise ValueError(f"api.rest.{i}: {entry}: needs tls.certificate")
        return self

    @model_validator(mode="after")
    def _sms_fits(self) -> Self:
        ways = {f"user:{user.name}" for user in self.users}
        ways |= {f"trunk:{trunk.name}" for trunk in self.smpp_trunks}
        ways |= {f"account:{account.name}" for account in self.smpp_accounts}
        ways |= {modem.way for modem in self.modems}
        check_modems(self.modems)
        kinds = {"user", "trunk", "account", "modem"}
        check_routes(
            self.sms_routes,
            ways,
            kinds=kinds,
            broadcasters={f"trunk:{trunk.name}" for trunk in self.smpp_trunks if trunk.broadcasts},
            has_rates=self.routing.rates is not None,
        )
        return self

    @model_validator(mode="after")
    def _smpp_fits(self) -> Self:
        check_smpp(self.smpp, self.smpp_accounts, self.smpp_trunks, has_tls=bool(self.tls.certificate))
        return self

    @model_validator(mode="after")
    def _kernel_hides_nothing(self) -> Self:
        if self.trace.media_seconds and self.media.kernel == "required":
            raise ValueError(
                f"trace.media_seconds: {self.trace.media_seconds}: with media.kernel = required "
                "there would be nothing to keep"
            )
        return self

    @model_validator(mode="after")
    def _ports_apart(self) -> Self:
        for i, entry in enumerate(self.sip.listen):
            transport, _, port = split_listen(entry)
            if transport in ("tls", "wss") and not self.tls.certificate:
                raise ValueError(f"sip.listen.{i}: {entry}: needs tls.certificate")
            if transport == "udp" and port in self.media.port_range:
                raise ValueError(f"sip.listen.{i}: {entry}: must be outside media.ports, {self.media.ports}")
        return self
