"""The configuration: one TOML file, checked before anything believes it. Every room may import this one."""

from .api import ApiConfig
from .checks import join_address, split_address, split_listen, split_ports
from .dns import DnsConfig
from .features import FeaturesConfig
from .file import ConfigError, find_restart_keys, find_state_dir, load, read
from .first import write_default
from .hosted import Hosted, HostedRoute, HostedTrunk, HostedUser, Residence, domains_of, residences
from .listeners import TlsConfig, WebSocketConfig
from .menus import MenuConfig
from .model import Config
from .modems import ModemConfig
from .presence import MessagesConfig, PresenceConfig
from .routes import NumbersConfig, RouteConfig, RoutingConfig
from .sections import (
    AuthConfig,
    CallsConfig,
    LogConfig,
    MediaConfig,
    OverloadConfig,
    RegistrarConfig,
    SipConfig,
    SwitchConfig,
)
from .smpp import (
    SmppAccountConfig,
    SmppAddress,
    SmppConfig,
    SmppTrunkConfig,
    split_smpp_address,
    split_smpp_listen,
)
from .sms import SmsConfig, SmsRouteConfig, SmsRuleConfig
from .sound import SoundConfig, VoicemailConfig
from .stir import StirConfig
from .trace import TraceConfig
from .trunks import HeaderRuleConfig, RegisterConfig, TrunkAddress, TrunkConfig, split_trunk_address
from .users import UserConfig

__all__ = [
    "ApiConfig",
    "AuthConfig",
    "CallsConfig",
    "Config",
    "ConfigError",
    "DnsConfig",
    "FeaturesConfig",
    "HeaderRuleConfig",
    "Hosted",
    "HostedRoute",
    "HostedTrunk",
    "HostedUser",
    "LogConfig",
    "MediaConfig",
    "MenuConfig",
    "MessagesConfig",
    "ModemConfig",
    "NumbersConfig",
    "OverloadConfig",
    "PresenceConfig",
    "RegisterConfig",
    "RegistrarConfig",
    "Residence",
    "RouteConfig",
    "RoutingConfig",
    "SipConfig",
    "SmppAccountConfig",
    "SmppAddress",
    "SmppConfig",
    "SmppTrunkConfig",
    "SmsConfig",
    "SmsRouteConfig",
    "SmsRuleConfig",
    "SoundConfig",
    "StirConfig",
    "SwitchConfig",
    "TlsConfig",
    "TraceConfig",
    "TrunkAddress",
    "TrunkConfig",
    "UserConfig",
    "VoicemailConfig",
    "WebSocketConfig",
    "domains_of",
    "find_restart_keys",
    "find_state_dir",
    "join_address",
    "load",
    "read",
    "residences",
    "split_address",
    "split_listen",
    "split_ports",
    "split_smpp_address",
    "split_smpp_listen",
    "split_trunk_address",
    "write_default",
]
