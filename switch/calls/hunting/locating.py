"""Where a URI leads: over the DNS to flows, or back to a number of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls.routing import clean_number

if TYPE_CHECKING:
    from switchroom.protocols.sip.locating import Hop
    from switchroom.switch.calls.trunks.means import FlowTo, Log

Located = Callable[[list[sip.Flow], float], None]


class NameService(Protocol):
    """Who knows the DNS."""

    def locate(
        self, target: Any, port: int | None, transport: str | None, is_secure: bool, done: Any
    ) -> object:
        """Ask where a URI leads; ``done(hops, now)`` follows, at once or later."""


class Locator:
    """Finds the flows to a URI; a call that waits for the DNS holds nobody up."""

    def __init__(self, resolver: NameService, flow_to: FlowTo, log: Log) -> None:
        self._resolver = resolver
        self._flow_to = flow_to
        self._log = log

    def locate(self, uri: str, done: Located) -> None:
        """Find the flows that a URI leads to, the best first."""
        target = sip.Uri.parse(uri)

        def found(hops: list[Hop], now: float) -> None:
            flows = []
            for hop in hops:
                try:
                    flows.append(self._flow_to(hop.host, hop.port, hop.transport, hop.name))
                except (OSError, LookupError, ValueError) as error:
                    self._log.warning("call.unreachable", host=hop.host, error=str(error))
            done(flows, now)

        self._resolver.locate(target, None, None, False, found)


def number_of_contact(response: sip.Response, is_local: Callable[[str], bool]) -> str:
    """The number of ours that a redirection names first; empty: it leads elsewhere."""
    try:
        contacts = response.contacts
    except RemoteProtocolError:
        return ""
    for contact in contacts:
        if contact.uri.is_sip and is_local(contact.uri.host.strip("[]").lower()):
            return clean_number(contact.uri.user_unescaped or "")
    return ""
