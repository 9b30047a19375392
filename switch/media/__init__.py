"""Media of calls: ports, negotiation, and a relay on a native thread."""

from .captures import Captures
from .leg import MediaLeg
from .plane import MediaPlane
from .ports import NoPortsLeft
from .report import MediaReport, StreamReport
from .security import Policy
from .session import MediaSession
from .survivor import export_media, restore_media
from .transcoding import check_transcode

__all__ = [
    "Captures",
    "MediaLeg",
    "MediaPlane",
    "MediaReport",
    "MediaSession",
    "NoPortsLeft",
    "Policy",
    "StreamReport",
    "check_transcode",
    "export_media",
    "restore_media",
]
