"""What the configuration says about somebody's media: how it is protected, and its codecs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from switchroom.switch.config import UserConfig
from switchroom.switch.media import Policy

if TYPE_CHECKING:
    from switchroom.switch.config import TrunkConfig

_WEBSOCKET = frozenset(("WS", "WSS"))
_DEFAULT = Policy()


def policy_of(config: UserConfig | TrunkConfig | None, transport: str) -> Policy:
    """The policy of a leg whose signalling comes and goes over this transport."""
    if config is None:
        return _DEFAULT
    is_browser = False
    if isinstance(config, UserConfig):
        is_browser = config.webrtc == "always" or (config.webrtc == "auto" and transport in _WEBSOCKET)
    return _policy(config.srtp, config.srtp_keys, is_browser, config.dtmf == "info", config.g726 == "aal2")


def codecs_of(config: UserConfig | TrunkConfig | None) -> tuple[str, ...]:
    """The codecs that somebody's legs may use; empty: all."""
    return tuple(config.codecs) if config is not None and config.codecs else ()


_policy = cache(Policy)  # there are a dozen: all legs share them
