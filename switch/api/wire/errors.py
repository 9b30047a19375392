"""Errors as the clients know them: a code, a message, where to read more, and the status of HTTP."""

from __future__ import annotations

from typing import Any

_MORE_INFO = "https://www.twilio.com/docs/errors/{}"

# What a code says unless the place that raises it knows better.
_TEXTS = {
    20001: (400, "Unknown parameters"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20005: (403, "The account is not active"),
    20006: (403, "The key has no permission for this"),
    20009: (409, "The resource cannot be deleted before it is complete"),
    20404: (404, "The requested resource was not found"),
    20409: (409, "The resource was changed or is there already"),
    20413: (413, "The request is too large"),
    20422: (400, "Invalid parameter"),
    20429: (429, "Too many requests"),
    20500: (500, "The switch could not do this; its log says why"),
    20503: (503, "The switch cannot take this now; try again later"),
}


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(
        self, code: int, message: str = "", *, status: int = 0, headers: dict[str, str] | None = None
    ) -> None:
        known_status, known_message = _TEXTS.get(code, (400, "Invalid request"))
        self.code, self.message = code, message or known_message
        self.status = status or known_status
        self.headers = headers or {}
        super().__init__(f"{self.code}: {self.message}")

    def body(self) -> dict[str, Any]:
        """What the client reads."""
        return {
            "code": self.code,
            "message": self.message,
            "more_info": _MORE_INFO.format(self.code),
            "status": self.status,
        }


def not_found(what: str) -> ApiError:
    """Nobody learns whether it is there for another account."""
    return ApiError(20404, f"The requested resource {what} was not found")
