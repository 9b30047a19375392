"""SIP messages as lines of the log, credentials masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..config import join_address

if TYPE_CHECKING:
    from switchroom.protocols.sip import Flow


def message_lines(log: Any, records: Mapping[str, str]) -> Callable[[str, bytes, Flow], None]:
    """What writes each message to the log at level debug; ``records``: which call has a Call-ID."""
    from .mask import mask  # only where somebody wants to see them
    from .trace.search import call_id_of

    def show(direction: str, octets: bytes, flow: Flow) -> None:
        where = f"{flow.transport.lower()}:{join_address(*flow.remote)}"
        record = records.get(call_id_of(octets))
        call = {"call": record} if record is not None else {}
        log.debug("sip.message", direction=direction, remote=where, **call, message=mask(octets))

    return show
