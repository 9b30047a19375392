"""What an endpoint refuses (RFC 3261 §8.2)."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip

from .samples import SDP, request

METHODS = ("ACK", "BYE", "CANCEL", "INVITE", "OPTIONS", "REGISTER", "UPDATE")


def inspect(*lines: str, method: str = "INVITE", body: bytes = b"", uri: str = "sip:b@example.com") -> object:
    """The verdict on such a request."""
    data = request(*lines, method=method, body=body).replace(
        b"sip:b@example.com SIP", uri.encode() + b" SIP", 1
    )
    message = sip.parse(data)
    assert isinstance(message, sip.Request)
    return sip.inspect_request(message, methods=METHODS, extensions=("timer",))


@pytest.mark.parametrize("method", METHODS)
def test_what_is_known_is_not_refused(method: str) -> None:
    assert inspect(method=method) is None


@pytest.mark.parametrize(("method", "status"), [("MESSAGE", 405), ("NEWMETHOD", 501), ("invite", 501)])
def test_methods(method: str, status: int) -> None:
    assert inspect(method=method) == (status, (("Allow", ", ".join(METHODS)),))


@pytest.mark.parametrize("uri", ["sips:b@c", "tel:+123"])
def test_schemes(uri: str) -> None:
    assert inspect(uri=uri) is None
    assert inspect(uri="mailto:b@c") == sip.Refusal(416)


def test_extensions() -> None:
    assert inspect("Require: timer") is None
    assert inspect("Require: timer, 100rel", "Require: x") == (420, (("Unsupported", "100rel, x"),))


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_what_cannot_be_answered_is_not_refused(method: str) -> None:
    assert inspect("Require: x", method=method, uri="mailto:b@c") is None


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        (["Content-Type: application/sdp"], None),
        (["Content-Type: Multipart/Mixed;boundary=x"], None),
        (["c: text/plain"], (415, (("Accept", "application/sdp, multipart/mixed"),))),
        ([], (415, (("Accept", "application/sdp, multipart/mixed"),))),
        (["c: text/plain", "Content-Disposition: render; handling = Optional"], None),
        (["c: application/sdp", "e: gzip"], (415, (("Accept-Encoding", "identity"),))),
        (["c: application/sdp", "Content-Encoding: Identity"], None),
        (["c: application/sdp", "Accept: application/*;q=0.1"], None),
        (["c: application/sdp", "Accept: text/plain, */*"], None),
        (["c: application/sdp", "Accept: text/plain"], (406, ())),
    ],
)
def test_bodies(lines: list[str], verdict: object) -> None:
    assert inspect(*lines, body=SDP) == verdict
    assert inspect(*lines, body=SDP, method="OPTIONS") is None
