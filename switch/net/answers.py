"""Answers that leave nothing behind: to keep-alives, in overload, to what is too large."""

from __future__ import annotations

import secrets

from switchroom.protocols import sip, stun
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.protocols.sip.flow import Flow

from .limits import NetLimits
from .udp import Datagram

_BINDING = 1  # RFC 8489 §18.2
_AMPLIFICATION = 1.5  # what an answer to an unproven source may be, times its request


def is_keep_alive(data: bytes) -> bool:
    """Tell whether a datagram only keeps a NAT open; line ends in front of a message do not count."""
    return not data.strip(b"\r\n\0 ") or stun.is_stun(data)


def answer_keep_alive(data: bytes, remote: tuple[str, int]) -> bytes | None:
    """Answer a STUN Binding request; line ends get an answer in streams only (RFC 5626 §3.5.1)."""
    if not stun.is_stun(data):
        return None
    try:
        request = stun.Message.parse(data)
    except RemoteProtocolError:
        return None
    if request.message_class is not stun.MessageClass.REQUEST or request.method != _BINDING:
        return None
    if request.unknown_required:
        return bytes(request.error(420, "Unknown Attribute"))
    return bytes(request.success((remote[0].partition("%")[0], remote[1])))


class Refusals:
    """Makes stateless responses; over UDP none much larger than its request, which may be forged."""

    def __init__(self, limits: NetLimits) -> None:
        self.limits = limits
        self._tag = secrets.token_hex(4)  # the same for all: a retransmission must get the same one, §8.2.7

    def overload(self, data: bytes, flow: Flow) -> Datagram | None:
        """503: come back later."""
        return self._answer(data, flow, 503, (("Retry-After", self.limits.retry_after),))

    def too_large(self, data: bytes, flow: Flow) -> Datagram | None:
        """513: more octets than we read."""
        return self._answer(data, flow, 513, ())

    def _answer(
        self, data: bytes, flow: Flow, status: int, headers: tuple[tuple[str, object], ...]
    ) -> Datagram | None:
        try:
            request = sip.parse(data)
            if not isinstance(request, sip.Request) or request.method == "ACK":
                return None
            request.via = request.via.with_source(*flow.remote)
            answer = bytes(request.response(status, to_tag=self._tag, headers=headers))
        except (RemoteProtocolError, LocalProtocolError):  # malformed, or what nobody may repeat
            return None
        is_fair = flow.transport != "UDP" or len(answer) <= len(data) * _AMPLIFICATION
        return (answer, flow) if is_fair else None
