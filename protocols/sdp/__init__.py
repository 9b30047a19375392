"""Session descriptions (RFC 8866) and the offer/answer rules (RFC 3264)."""

from __future__ import annotations

from .addition import AddedCodec, add_codecs
from .attributes import STATIC_PAYLOADS, Connection, Direction, Origin, Rtcp, RtpMap
from .description import Description
from .filter import has_codec, is_of_format, keep_codecs, limit_codecs
from .lines import Attribute
from .media import Media
from .offer import Capabilities, Capability, Stream, answers, make_answer, make_offer, make_reoffer

__all__ = [
    "STATIC_PAYLOADS",
    "AddedCodec",
    "Attribute",
    "Capabilities",
    "Capability",
    "Connection",
    "Description",
    "Direction",
    "Media",
    "Origin",
    "Rtcp",
    "RtpMap",
    "Stream",
    "add_codecs",
    "answers",
    "has_codec",
    "is_of_format",
    "keep_codecs",
    "limit_codecs",
    "make_answer",
    "make_offer",
    "make_reoffer",
]
