"""Answers that leave nothing behind: to keep-alives, in overload, to what is too large."""

from __future__ import annotations

import re
import secrets

from switchroom.protocols import sip, stun
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.protocols.sip.flow import Flow

from .limits import NetLimits
from .udp import Datagram

_BINDING = 1  # RFC 8489 §18.2
# The headers that a response repeats, when nothing is unusual about them; §8.2.6.2
_REPEATED = re.compile(rb"\r\n((?:Via|From|To|Call-ID|CSeq): [^\r\n]*)")
_UNUSUAL = re.compile(rb"\r\n(?:[ \t]|[vfti][ \t]*:|[^:\r\n]*[ \t]:|[a-z])|[\0-\x08\x0b\x0c\x0e-\x1f]")
_PORT = re.compile(rb";rport(?=[;\s]|$)")
_VIA = b"Via:"
_ALL = {_VIA, b"From", b"To: ", b"Call", b"CSeq"}


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
        self._tag = "r" + secrets.token_hex(8)  # for all: a retransmission must get the same one, §8.2.7
        self.ack_mark = f";tag={self._tag}".encode()  # what the ACK to a refusal of ours has

    def overload(self, data: bytes, flow: Flow) -> Datagram | None:
        """503: come back later."""
        if flow.transport == "UDP" and (answer := self._refuse_unread(data, flow)) is not None:
            return answer, flow
        return self._answer(data, flow, 503, (("Retry-After", self.limits.retry_after),))

    def too_large(self, data: bytes, flow: Flow) -> Datagram | None:
        """513: more octets than we read."""
        return self._answer(data, flow, 513, ())

    def _refuse_unread(self, data: bytes, flow: Flow) -> bytes | None:
        """The 503 to a request as most write them, made of its octets: there is no time for parsing."""
        end = data.find(b"\r\n\r\n")
        head = data[:end]
        if end < 0 or _UNUSUAL.search(head) is not None:
            return None
        lines = _REPEATED.findall(head)
        names = [line[:4] for line in lines]
        if not lines or names[0] != _VIA or {*names} != _ALL or len(names) != names.count(_VIA) + 4:
            return None
        found = _PORT.search(lines[0])
        if found is None or b"," in lines[0]:
            return None  # who wants no answer where it came from (RFC 3581) is read in full
        host = flow.remote[0].partition("%")[0]
        where = f";rport={flow.remote[1]};received={host}".encode()
        lines[0] = lines[0][: found.start()] + where + lines[0][found.end() :]
        for at, line in enumerate(lines):
            if line.startswith(b"To:"):
                if b";tag=" in line:
                    return None
                lines[at] = line + self.ack_mark
        last = f"Retry-After: {self.limits.retry_after}\r\nContent-Length: 0\r\n\r\n".encode()
        answer = b"\r\n".join([b"SIP/2.0 503 Service Unavailable", *lines, last])
        return answer if self._is_fair(answer, data) else None

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
        return (answer, flow) if flow.transport != "UDP" or self._is_fair(answer, data) else None

    def _is_fair(self, answer: bytes, data: bytes) -> bool:
        factor = self.limits.max_amplification
        return not factor or len(answer) <= len(data) * factor
