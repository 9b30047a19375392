"""What the configuration says of media that is asked for in each call, in fields."""

from __future__ import annotations

from switchroom.switch.config import MediaConfig


class Rules:
    """Those of one configuration."""

    __slots__ = (
        "address",
        "converted",
        "dscp",
        "first_rtp_timeout",
        "max_converted",
        "rtp_timeout",
        "traffic_class",
    )

    def __init__(self, config: MediaConfig) -> None:
        self.address = config.address or ""
        self.converted = tuple(config.transcode)  # the codecs that sound is converted between
        self.max_converted = config.max_transcoded
        self.dscp = config.dscp
        self.traffic_class = config.dscp << 2
        self.first_rtp_timeout = config.first_rtp_timeout
        self.rtp_timeout = config.rtp_timeout
