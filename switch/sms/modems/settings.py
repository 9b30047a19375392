"""What [[modems]] says, for the engine."""

from __future__ import annotations

from switchroom.protocols.gsm import modem as engine
from switchroom.switch.config import ModemConfig

__all__ = ["engine_config"]


def engine_config(config: ModemConfig) -> engine.ModemConfig:
    """The same for the engine."""
    return engine.ModemConfig(
        pin=config.pin.get_secret_value(),
        service_centre=config.service_centre,
        storage=config.storage,
        is_direct=config.incoming == "direct",
        wants_status_reports=config.status_reports != "never",
        rejects_calls=config.reject_calls,
        poll_interval=config.poll_interval,
        send_timeout=config.send_timeout,
        doubt_timeout=config.doubt_timeout,
        search_timeout=config.search_timeout,
        init=tuple(config.init),
    )
