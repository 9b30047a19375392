"""Keeps the phone registered; RFC 3261 §10.2."""

from __future__ import annotations

import asyncio

from switchroom.protocols import sip

from .events import RegistrationFailedError, RequestFailedError
from .line import Line

__all__ = ["Registration"]

_MAX_TRIES = 5  # challenges and too short intervals in a row
_RETRY_INTERVAL = 30.0  # after a refresh that failed
_REFRESH_SHARE = 0.8  # of the time that was granted


class Registration:
    """One binding of one address; refreshes itself in a task until it is removed."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._call_id = line.mint.call_id()
        self._tag = line.mint.tag()
        self._cseq = 0
        self._expires = line.account.expires
        self._task: asyncio.Task[None] | None = None

    async def add(self) -> int:
        """Register and keep doing so; returns the seconds that the registrar granted."""
        granted = await self._register(self._expires)
        self._line.report("registered", address=self._address(), expires=granted)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._refresh(granted))
        return granted

    async def remove(self) -> None:
        """Take the binding back; nothing happens when there is none."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None
        await self._register(0)
        self._line.report("unregistered", address=self._address())

    async def _refresh(self, granted: int) -> None:
        while True:
            await asyncio.sleep(granted * _REFRESH_SHARE)
            try:
                granted = await self._register(self._expires)
            except RegistrationFailedError as error:
                self._line.report("registration_failed", status=error.status, reason=error.reason)
                granted = round(_RETRY_INTERVAL / _REFRESH_SHARE)

    async def _register(self, expires: int) -> int:
        response = None
        for _ in range(_MAX_TRIES):
            request = self._request(expires)
            try:
                response = await self._line.send(request, self._flow())
            except RequestFailedError as error:
                raise RegistrationFailedError(error.status, error.reason) from error
            if response.status in (401, 407) and self._line.digest.receive_challenge(response, request):
                continue
            if response.status != 423 or (least := _min_expires(response)) <= expires:
                break
            expires = self._expires = least
        assert response is not None
        if response.status >= 300:
            raise RegistrationFailedError(response.status, response.reason)
        return self._granted(response, expires)

    def _request(self, expires: int) -> sip.Request:
        line, flow = self._line, self._flow()
        self._cseq += 1
        address = line.address(flow)
        request = sip.Request(
            "REGISTER",
            sip.Uri.parse(f"sip:{line.domain}"),
            [
                *line.headers(),
                ("From", address.with_tag(self._tag)),
                ("To", address),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._cseq} REGISTER"),
                ("Contact", line.contact(flow)),
                ("Expires", str(expires)),
                *line.allowed(),
            ],
        )
        line.digest.authorize(request)
        return request

    def _flow(self) -> sip.Flow:
        flow = self._line.server_flow
        if flow is None:
            raise RegistrationFailedError(0, "there is no server to register at")
        return flow

    def _address(self) -> str:
        return str(self._line.address(self._flow()).uri)

    def _granted(self, response: sip.Response, asked: int) -> int:
        """Our contact's own expires=, the header's, or what we asked for; §10.2.4."""
        ours = sip.NameAddr.parse(self._line.contact(self._flow())).uri
        for contact in response.contacts:
            if contact.uri.equivalent(ours) and contact.expires is not None:
                return contact.expires
        return asked if response.expires is None else response.expires


def _min_expires(response: sip.Response) -> int:
    """What a 423 wants, 0 if it does not say; §10.2.8."""
    text = response.get("Min-Expires") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
