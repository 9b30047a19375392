"""The switch as a library: ``from switchroom.switch import Switch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .app import Switch
    from .calls.script import Call, Credentials, Leg, Manner, NotAnswered, Say, Silence, Tone
    from .config import Config, load
    from .sms.handlers import Incoming as Message

__all__ = [
    "Call",
    "Config",
    "Credentials",
    "Leg",
    "Manner",
    "Message",
    "NotAnswered",
    "Say",
    "Silence",
    "Switch",
    "Tone",
    "load",
]


def __getattr__(name: str) -> Any:
    """Import the house only when it is asked for: a room alone must not bring it along."""
    if name == "Switch":
        from .app import Switch

        return Switch
    if name in ("Config", "load"):
        from . import config

        return getattr(config, name)
    if name == "Message":
        from .sms.handlers import Incoming

        return Incoming
    if name in __all__:
        from .calls import script

        return getattr(script, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
