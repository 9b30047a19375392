"""Requests sent again with credentials after 401 or 407 (RFC 3261 §8.1.3.5, §22.2).

Only for whoever was given an authorizer: a phone that challenges our BYE must never see a trunk's digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .client import ClientTransaction, Owner

if TYPE_CHECKING:
    from .digest import DigestClient
    from .endpoint import Endpoint
    from .message import Request, Response

CHALLENGES = (401, 407)
_MAX_ATTEMPTS = 2  # a challenge, and another because the nonce was stale


class Authorizer(Protocol):
    """Knows a password, and whom it is for."""

    def authorize(self, response: Response, request: Request) -> bool:
        """Write the answer to this challenge into a copy of the request; False: it has none."""


class DigestAuthorizer:
    """The authorizer that a digest client makes."""

    __slots__ = ("_client",)

    def __init__(self, client: DigestClient) -> None:
        self._client = client

    def authorize(self, response: Response, request: Request) -> bool:
        """Write the answer to this challenge into a copy of the request; False: it has none."""
        if not self._client.receive_challenge(response, request):
            return False
        self._client.authorize(request)
        return True


def repeat(transaction: ClientTransaction, number: int) -> Request:
    """A copy of a request that was refused, to be sent again in another transaction."""
    request = transaction.request.copy()
    request.remove("Via")
    request.set("CSeq", f"{number} {request.method}")
    return request


def answer_challenge(
    transaction: ClientTransaction, response: Response, authorizer: Authorizer, number: int, now: float
) -> bool:
    """Send the request again, with this CSeq number, if there is an answer; False: the refusal stands."""
    if transaction.attempts >= _MAX_ATTEMPTS:
        return False
    request = repeat(transaction, number)
    if not authorizer.authorize(response, request):
        return False
    transaction.attempts += 1
    transaction.renew(request, now)
    return True


class Applicant(Owner):
    """Owns a request outside any dialog for the endpoint, and answers its challenges."""

    __slots__ = ("_authorizer", "_endpoint")

    def __init__(self, endpoint: Endpoint, authorizer: Authorizer) -> None:
        self._endpoint = endpoint
        self._authorizer = authorizer

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Answer a challenge; what is none, or has no answer, is the endpoint's user's."""
        number = transaction.request.cseq.number + 1
        if response.status not in CHALLENGES or not answer_challenge(
            transaction, response, self._authorizer, number, now
        ):
            self._endpoint.on_response(transaction, response, now)

    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """Pass on that there is no answer."""
        self._endpoint.on_failure(transaction, reason, now)
