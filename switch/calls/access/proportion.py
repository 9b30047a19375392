"""No answer to a stranger over UDP is much larger than its request: it is no lever (THREATS C10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from switchroom.protocols import sip

_ROOMY = 1000  # octets; a longer request has room for any answer that strangers get

Headers = Sequence[tuple[str, str]]


class Proportion:
    """Leaves out of an answer what makes it too large."""

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self.factor = 0.0  # how many times the request an answer may be; 0: any
        self.unanswered = 0
        self._is_known = is_known

    def fit(self, event: sip.RequestReceived, status: int, headers: Headers, least: int) -> Headers | None:
        """The first of the headers, as many as there is room for; None: not even ``least``, so be silent."""
        request, flow = event.request, event.flow
        if not self.factor or flow.is_reliable or self._is_known(flow.remote[0]):
            return headers
        size = len(bytes(request)) - _stamped(request, flow)
        if size >= _ROOMY:
            return headers
        room = self.factor * size - len(bytes(request.response(status, None, _TAG)))
        kept: list[tuple[str, str]] = []
        if room >= 0:
            for name, value in headers:
                room -= len(name) + len(value) + len(": \r\n")
                if room < 0:
                    break
                kept.append((name, value))
            if len(kept) >= least:
                return kept
        self.unanswered += 1
        return None


_TAG = "0" * 28  # as long as ours


def _stamped(request: sip.Request, flow: sip.Flow) -> int:
    """How much longer the topmost Via has become here (RFC 3581 §4)."""
    if request.via.received is None:
        return 0
    return len(f";received={flow.remote[0]}") + len(f"={flow.remote[1]}")
