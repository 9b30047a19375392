"""The clients of the package ``twilio``, led to a switch: one line for all of its products.

    client = Client(account_sid, auth_token, http_client=HttpClient("http://127.0.0.1:8081"))

The package is not one that the switch needs: whoever uses this has it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient

__all__ = ["AsyncHttpClient", "HttpClient"]


class HttpClient(TwilioHttpClient):  # type: ignore[misc]
    """For ``twilio.rest.Client``; whatever host it wants to reach, it reaches the switch."""

    def __init__(self, switch: str, **more: Any) -> None:
        super().__init__(**more)
        self._switch = switch.rstrip("/")

    def request(self, method: str, url: str, *args: Any, **named: Any) -> Any:
        """Ask the switch; its Host header tells it which product is meant."""
        url, host = _led(self._switch, url)
        named["headers"] = {**(named.get("headers") or {}), "Host": host}
        return super().request(method, url, *args, **named)


class AsyncHttpClient(AsyncTwilioHttpClient):  # type: ignore[misc]
    """The same for the calls that end in ``_async``."""

    def __init__(self, switch: str, **more: Any) -> None:
        super().__init__(**more)
        self._switch = switch.rstrip("/")

    async def request(self, method: str, url: str, *args: Any, **named: Any) -> Any:
        """Ask the switch; its Host header tells it which product is meant."""
        url, host = _led(self._switch, url)
        named["headers"] = {**(named.get("headers") or {}), "Host": host}
        return await super().request(method, url, *args, **named)


def _led(switch: str, url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{switch}{parts.path}{query}", parts.netloc
