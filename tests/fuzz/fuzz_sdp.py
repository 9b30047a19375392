"""Fuzzes the SDP parser and offer/answer: python -m tests.fuzz.fuzz_sdp -max_total_time=60 [CORPUS]."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from switchroom.protocols import sdp
    from switchroom.protocols.errors import RemoteProtocolError

CAPABILITIES = sdp.Capabilities(
    sdp.Origin("-", 1, 1, "IP4", "192.0.2.1"),
    sdp.Connection("IP4", "192.0.2.1"),
    (sdp.Capability(6000, ("PCMU/8000", "PCMA/8000")), sdp.Capability(6002, ("H261/90000",), kind="video")),
)


def check(data: bytes) -> None:
    """Whatever is accepted comes out again, and can be answered or refused."""
    try:
        offer = sdp.Description.parse(data)
    except RemoteProtocolError:
        return
    again = sdp.Description.parse(bytes(offer))
    if again != offer:
        raise AssertionError(f"{offer} came back as {again}")
    try:
        answer = sdp.make_answer(offer, CAPABILITIES)
    except RemoteProtocolError:
        return
    sdp.answers(offer, answer)


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
