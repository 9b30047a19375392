"""SIP messages as lines of the log, credentials masked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..config import join_address

if TYPE_CHECKING:
    from switchroom.protocols.sip import Flow


def message_lines(log: Any) -> Callable[[str, bytes, Flow], None]:
    """What writes each message to the log at level debug."""
    from .mask import mask  # only where somebody wants to see them

    def show(direction: str, octets: bytes, flow: Flow) -> None:
        where = f"{flow.transport.lower()}:{join_address(*flow.remote)}"
        log.debug("sip.message", direction=direction, remote=where, message=mask(octets))

    return show
