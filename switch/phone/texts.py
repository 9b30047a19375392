"""Texts of one phone: MESSAGE out and in; RFC 3428."""

from __future__ import annotations

from switchroom.protocols import sip

from .events import RequestFailedError, TextFailedError
from .line import Line

__all__ = ["Texts"]

_MAX_TRIES = 3  # challenges in a row
_TYPE = "text/plain"


class Texts:
    """What is written to others, and what they write."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def send(self, target: sip.Uri, flow: sip.Flow, text: str) -> int:
        """Send a text; returns the status, 202 where it may take a while. TextFailedError otherwise."""
        line = self._line
        call_id, tag = line.mint.call_id(), line.mint.tag()
        for cseq in range(1, _MAX_TRIES + 1):
            request = sip.Request(
                "MESSAGE",
                target,
                [
                    *line.headers(),
                    ("From", line.address(flow).with_tag(tag)),
                    ("To", f"<{target}>"),
                    ("Call-ID", call_id),
                    ("CSeq", f"{cseq} MESSAGE"),
                    ("Content-Type", f"{_TYPE};charset=utf-8"),
                ],
                text.encode(),
            )
            line.digest.authorize(request)
            try:
                response = await line.send(request, flow)
            except RequestFailedError as error:
                raise TextFailedError(error.status, error.reason) from error
            if response.status not in (401, 407) or not line.digest.receive_challenge(response, request):
                break
        if response.status >= 300:
            raise TextFailedError(response.status, response.reason)
        line.report("text_sent", to=target, status=response.status)
        return response.status

    def receive(self, event: sip.RequestReceived, now: float) -> None:
        """Show what somebody wrote, once; a repetition of the request never comes here."""
        request, endpoint = event.request, self._line.endpoint
        kind = (request.get("Content-Type") or _TYPE).partition(";")[0].strip().lower()
        if kind != _TYPE:
            endpoint.reply(event, 415, now=now, headers=[("Accept", _TYPE)])
            return
        endpoint.begin(event, now).respond(200, now)
        self._line.report("text", remote=request.from_.uri, text=request.body.decode(errors="replace"))
