"""The descriptions of one call as they follow each other."""

from __future__ import annotations

import pytest

from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.phone.negotiation import Negotiation

CODECS = ("PCMU/8000", "PCMA/8000")


@pytest.fixture
def ends() -> tuple[Negotiation, Negotiation]:
    return Negotiation("192.0.2.1", 4000, CODECS), Negotiation("2001:db8::2", 5000, CODECS)


def agreed(a: Negotiation, b: Negotiation, direction: sdp.Direction | None = None) -> None:
    """An offer of a, answered by b."""
    answer, agreement = b.respond(a.offer(direction))
    assert agreement is not None
    a.take_answer(answer)


def test_an_offer_and_its_answer(ends: tuple[Negotiation, Negotiation]) -> None:
    a, b = ends
    assert (a.codec, a.has_answer) == ("-", False)
    answer, agreement = b.respond(a.offer())
    assert agreement is not None
    assert agreement.remote == ("192.0.2.1", 4000)
    assert a.take_answer(answer).remote == ("2001:db8::2", 5000)
    assert a.codec == b.codec == "PCMU/8000"
    assert not a.is_held
    assert not b.is_held


def test_hold_and_resume_count_the_version_up(ends: tuple[Negotiation, Negotiation]) -> None:
    a, b = ends
    agreed(a, b)
    versions = []
    for direction, is_held in ((sdp.Direction.SENDONLY, True), (sdp.Direction.SENDRECV, False)):
        offer = sdp.Description.parse(a.offer(direction))
        versions.append(offer.origin.version)
        answer, _ = b.respond(bytes(offer))
        a.take_answer(answer)
        assert b.is_held is is_held
        assert not a.is_held or is_held
    assert versions == [2, 3]


def test_both_may_hold(ends: tuple[Negotiation, Negotiation]) -> None:
    a, b = ends
    agreed(a, b)
    agreed(a, b, sdp.Direction.SENDONLY)
    agreed(b, a, sdp.Direction.SENDONLY)
    assert a.is_held
    assert b.is_held
    agreed(a, b, sdp.Direction.SENDRECV)
    assert a.is_held  # b goes on holding
    assert not b.is_held


def test_an_offer_that_was_refused_is_forgotten(ends: tuple[Negotiation, Negotiation]) -> None:
    a, b = ends
    agreed(a, b)
    a.offer(sdp.Direction.SENDONLY)
    a.withdraw()
    answer, _ = a.respond(b.offer())
    assert sdp.Description.parse(answer).media[0].direction is sdp.Direction.SENDRECV


def test_no_offer_gets_ours(ends: tuple[Negotiation, Negotiation]) -> None:
    a, b = ends
    offer, agreement = b.respond(b"")
    assert agreement is None
    assert b.is_answer_in_ack
    answer, _ = a.respond(offer)
    assert b.take_answer(answer).remote == ("192.0.2.1", 4000)


@pytest.mark.parametrize("body", [b"nonsense", b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n"])
def test_what_is_no_answer_changes_nothing(ends: tuple[Negotiation, Negotiation], body: bytes) -> None:
    a, b = ends
    agreed(a, b)
    a.offer()
    with pytest.raises(RemoteProtocolError):
        a.take_answer(body)
    with pytest.raises(RemoteProtocolError):
        b.respond(body)
    assert a.codec == b.codec == "PCMU/8000"
