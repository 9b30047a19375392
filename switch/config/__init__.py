"""The configuration: one TOML file, checked before anything believes it. Every room may import this one."""

from .checks import join_address, split_address, split_listen, split_ports, split_trunk_address
from .file import ConfigError, find_restart_keys, find_state_dir, load, read
from .first import write_default
from .model import Config, RouteConfig, TrunkConfig, UserConfig
from .sections import (
    ApiConfig,
    AuthConfig,
    CallsConfig,
    LogConfig,
    MediaConfig,
    RegistrarConfig,
    SipConfig,
    SwitchConfig,
)

__all__ = [
    "ApiConfig",
    "AuthConfig",
    "CallsConfig",
    "Config",
    "ConfigError",
    "LogConfig",
    "MediaConfig",
    "RegistrarConfig",
    "RouteConfig",
    "SipConfig",
    "SwitchConfig",
    "TrunkConfig",
    "UserConfig",
    "find_restart_keys",
    "find_state_dir",
    "join_address",
    "load",
    "read",
    "split_address",
    "split_listen",
    "split_ports",
    "split_trunk_address",
    "write_default",
]
