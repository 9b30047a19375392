"""What an endpoint counts."""

from __future__ import annotations

from .message import METHODS

_METHODS = (*sorted(METHODS), "other")


class Count:
    """A number that grows in its place."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


class Counters:
    """Numbers that only grow, but for transactions, sessions and subscriptions: how many there are."""

    __slots__ = (
        "_requests_in",
        "_requests_out",
        "_responses_in",
        "_responses_out",
        "forks_refused",
        "keepalives",
        "merged",
        "overloads",
        "parse_errors",
        "retransmissions",
        "retransmissions_in",
        "sessions",
        "strays",
        "subscriptions",
        "timeouts",
        "transactions",
    )

    def __init__(self) -> None:
        self._requests_in = {method: Count() for method in _METHODS}
        self._requests_out = {method: Count() for method in _METHODS}
        self._responses_in = [Count() for _ in range(700)]  # by status
        self._responses_out = [Count() for _ in range(700)]
        self.retransmissions = 0  # that we sent
        self.retransmissions_in = 0  # that we absorbed or answered again
        self.parse_errors = 0
        self.keepalives = 0
        self.strays = 0  # responses and ACKs that belong to nothing
        self.merged = 0
        self.overloads = 0
        self.timeouts = 0
        self.forks_refused = 0
        self.transactions = 0
        self.sessions = 0
        self.subscriptions = 0

    @property
    def requests_in(self) -> dict[str, int]:
        """By method; one that nobody knows counts as "other"."""
        return {method: count.number for method, count in self._requests_in.items()}

    @property
    def requests_out(self) -> dict[str, int]:
        """As ``requests_in``, of those that we sent."""
        return {method: count.number for method, count in self._requests_out.items()}

    @property
    def responses_in(self) -> list[int]:
        """By status."""
        return [count.number for count in self._responses_in]

    @property
    def responses_out(self) -> list[int]:
        """By status, of those that we sent."""
        return [count.number for count in self._responses_out]

    def count_request_in(self, method: str) -> None:
        """Count a request that came."""
        count = self._requests_in.get(method)
        if count is None:
            count = self._requests_in["other"]
        count.number += 1

    def count_request_out(self, method: str) -> None:
        """Count a request of ours."""
        count = self._requests_out.get(method)
        if count is None:
            count = self._requests_out["other"]
        count.number += 1

    def count_response_in(self, status: int) -> None:
        """Count a response that came."""
        count = self._responses_in[status]
        count.number += 1

    def count_response_out(self, status: int) -> None:
        """Count a response of ours."""
        count = self._responses_out[status]
        count.number += 1
