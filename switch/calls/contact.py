"""Contacts: ours, as each end reaches us, and where those of others lead."""

from __future__ import annotations

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError

_MAX_KNOWN = 256  # there are as many as listeners
_known: dict[str, dict[tuple[str, int], str]] = {}  # by transport and address
_PARAMS = {"WSS": "ws"}  # RFC 7118 §5.2: the scheme of the connection says nothing here


def contact_for(flow: sip.Flow, endpoint: sip.Endpoint) -> str:
    """Our Contact as the other end of this flow reaches it."""
    address = endpoint.advertised(flow)
    known = _known.get(flow.transport)
    if known is None:
        known = _known[flow.transport] = {}
    contact = known.get(address)
    if contact is None:
        if len(known) >= _MAX_KNOWN:
            known.clear()
        contact = known[address] = _contact(flow.transport, address[0], address[1])
    return contact


def _contact(transport: str, host: str, port: int) -> str:
    suffix = "" if transport == "UDP" else f";transport={_PARAMS.get(transport) or transport.lower()}"
    return f"<sip:{sip.bracketed(host)}:{port}{suffix}>"


def host_of(contact: str) -> str:
    """The host of a contact; nearly all are sip:USER@HOST:PORT with nothing behind."""
    rest = contact.rpartition("@")[2]
    host, _, port = rest.partition(":")
    if port.isdigit():
        return host.removeprefix("sip:")
    try:
        return sip.Uri.parse(contact).host.strip("[]")
    except RemoteProtocolError:
        return ""
