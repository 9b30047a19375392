"""Answers that need no endpoint and leave nothing behind: to keep-alives, overload, what is too large or malformed."""

from __future__ import annotations

import secrets

from switchroom.protocols import sip, stun
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.protocols.sip.flow import Flow

from .limits import NetLimits
from .udp import Datagram

_BINDING = 1  # RFC 8489 §18.2


def is_keep_alive(data: bytes) -> bool:
    """Tell whether a datagram is none of SIP's; no SIP message begins with an octet below "@" but a strange method."""
    return not data.strip(b"\r\n\0 ") or stun.is_stun(data)


def answer_keep_alive(data: bytes, remote: tuple[str, int]) -> bytes | None:
    """Return the answer to a STUN Binding request; line ends in a datagram get none (§3.5.1: streams only)."""
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
    """Makes stateless responses; over UDP never one that is larger than its request (it may be forged)."""

    def __init__(self, limits: NetLimits) -> None:
        self.limits = limits
        self._tag = secrets.token_hex(8)  # the same for all: a retransmission must get the same one, §8.2.7

    def overload(self, data: bytes, flow: Flow) -> Datagram | None:
        """503: come back later."""
        return self._answer(data, flow, 503, (("Retry-After", self.limits.retry_after),))

    def too_large(self, data: bytes, flow: Flow) -> Datagram | None:
        """513: more octets than we read."""
        return self._answer(data, flow, 513, ())

    def malformed(self, error: RemoteProtocolError, flow: Flow) -> bytes | None:
        """What the error says, if as much of the request could be read as an answer needs."""
        request = error.request if isinstance(error, sip.ParseError) else None
        return None if request is None else self._response(request, flow, error.status, ())

    def _answer(
        self, data: bytes, flow: Flow, status: int, headers: tuple[tuple[str, object], ...]
    ) -> Datagram | None:
        try:
            request = sip.parse(data)
        except RemoteProtocolError:
            return None
        if not isinstance(request, sip.Request):
            return None
        answer = self._response(request, flow, status, headers)
        if answer is None or (flow.transport == "UDP" and len(answer) > len(data)):
            return None
        return answer, flow

    def _response(
        self, request: sip.Request, flow: Flow, status: int, headers: tuple[tuple[str, object], ...]
    ) -> bytes | None:
        if request.method == "ACK":
            return None
        try:
            request.via = request.via.with_source(*flow.remote)
            return bytes(request.response(status, to_tag=self._tag, headers=headers))
        except (
            RemoteProtocolError,
            LocalProtocolError,
        ):  # a Via that nobody can read, or that nobody may repeat
            return None
