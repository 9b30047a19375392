"""The ``[trace]`` table: how many SIP messages and media packets are remembered, and who else gets a copy."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, SecretStr, Strict

from .checks import Count, Flag, join_address, split_address
from .sections import Section, key


def _collector(text: str) -> str:
    return join_address(*split_address(text)) if text else ""


Collector = Annotated[str, Strict(), AfterValidator(_collector)]


class TraceConfig(Section):
    """The latest SIP messages and media packets, kept in memory for ``switchroom trace``, and HEP export."""

    enabled: Flag = key("Whether messages are kept at all.", True)
    ring_size: Count = key("Messages that are kept.", 20_000, ge=10, le=10_000_000)
    ring_octets: Count = key(
        "Octets of them that are kept; the oldest go first.",
        32 << 20,
        unit="octets",
        ge=65536,
        le=4 << 30,
    )
    media_seconds: Count = key(
        "For how long the packets of calls are kept, as sound in the clear. 0: none is. More than 0: every "
        "stream goes through user space.",
        0,
        unit="s",
        ge=0,
        le=600,
        is_live=False,
    )
    media_octets: Count = key(
        "Octets of them that each worker keeps; the oldest go first.",
        64 << 20,
        unit="octets",
        ge=1 << 20,
        le=2 << 30,
        is_live=False,
    )
    hep_address: Collector = key(
        "Where a copy of each message goes by HEP version 3 over UDP (Homer, sngrep, heplify): "
        "ADDRESS:PORT. Empty: nowhere.",
        "",
    )
    hep_id: Count = key("By which number the collector knows this switch.", 2001, ge=1, le=4_294_967_295)
    hep_password: SecretStr = key("What the collector asks for. It goes unencrypted.", "", max_length=128)
