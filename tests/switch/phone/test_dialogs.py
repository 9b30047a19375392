"""What the phone makes of the unusual: early media, no offer, bad answers, other requests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from switchroom.protocols import rtp, sdp, sip
from switchroom.switch.phone import Account, Call, CallFailedError, Phone, PhoneEvent

from .other import AUDIO, Other
from .waiting import until


@pytest.fixture
async def other() -> AsyncIterator[Other]:
    async with Other() as made:
        yield made


@pytest.fixture
def told() -> list[PhoneEvent]:
    return []


@pytest.fixture
async def phone(told: list[PhoneEvent]) -> AsyncIterator[Phone]:
    async with Phone(Account(listen="127.0.0.1:0"), told.append) as made:
        yield made


@pytest.fixture
def media() -> Iterator[socket.socket]:
    """Where the other end's media would be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


@pytest.fixture
def offer(media: socket.socket) -> bytes:
    """A description of that media; an answer looks the same."""
    port: int = media.getsockname()[1]
    return AUDIO % port


def port_of(phone: Phone) -> int:
    return phone.bound[0][2]


async def called(phone: Phone, other: Other, offer: bytes) -> tuple[Call, sip.Session]:
    """A call from the other end that is up."""
    session = other.invite(port_of(phone), offer)
    call = await phone.incoming()
    call.answer()
    await other.event(sip.SessionProgressed)
    await other.event(sip.SessionAnswered)
    session.acknowledge(other.now)
    other.face.flush()
    await until(lambda: call.audio.report().packets_sent > 0)
    return call, session


# -- calls out


async def test_early_media_is_heard_and_its_answer_counts(
    phone: Phone, other: Other, offer: bytes, media: socket.socket
) -> None:
    call = await phone.call(other.uri)
    session = await other.accept()
    session.ring(183, other.now, body=offer)
    other.face.flush()
    packet = rtp.Packet(0, 1, 160, 7, bytes(160))
    await until(lambda: call.audio.report().packets_sent > 0)
    media.sendto(bytes(packet), ("127.0.0.1", call.audio.port))
    await until(lambda: call.audio.report().packets_received == 1)
    assert not call.is_up
    session.answer(other.now)
    other.face.flush()
    await call.answered()
    await other.event(sip.SessionAcknowledged)


async def test_early_media_that_makes_no_sense_is_told_and_forgotten(
    phone: Phone, other: Other, offer: bytes, told: list[PhoneEvent]
) -> None:
    call = await phone.call(other.uri)
    session = await other.accept()
    session.ring(183, other.now, body=b"nonsense")
    session.answer(other.now, body=offer)
    other.face.flush()
    await call.answered()
    assert [event.name for event in told] == ["calling", "ringing", "early_media_failed", "answered"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [(b"", 488), (b"nonsense", 400), (AUDIO.replace(b"RTP/AVP 0", b"RTP/AVP 18") % 4000, 488)],
)
async def test_an_answer_that_is_none_ends_the_call(
    phone: Phone, other: Other, answer: bytes, status: int
) -> None:
    call = await phone.call(other.uri)
    session = await other.accept()
    session.answer(other.now, body=answer)
    other.face.flush()
    with pytest.raises(CallFailedError) as caught:
        await call.answered()
    assert caught.value.status == status
    await other.event(sip.SessionAcknowledged)
    assert (await other.event(sip.SessionEnded)).cause == "bye"
    assert not call.ended_normally


async def test_a_hold_that_is_refused_leaves_the_call_as_it_was(
    phone: Phone, other: Other, offer: bytes
) -> None:
    call, _ = await called(phone, other, offer)
    holding = asyncio.ensure_future(call.hold())
    event = await other.event(sip.ReinviteReceived)
    assert sdp.Description.parse(event.request.body).media[0].direction is sdp.Direction.SENDONLY
    event.session.answer_reinvite(event.transaction, 488, other.now)
    other.face.flush()
    with pytest.raises(CallFailedError, match="488"):
        await holding
    assert call.is_up
    sent = call.audio.report().packets_sent
    await until(lambda: call.audio.report().packets_sent > sent + 2)


async def test_a_hold_that_is_answered_with_nonsense_fails(phone: Phone, other: Other, offer: bytes) -> None:
    call, _ = await called(phone, other, offer)
    holding = asyncio.ensure_future(call.hold())
    event = await other.event(sip.ReinviteReceived)
    event.session.answer_reinvite(event.transaction, 200, other.now, body=b"nonsense")
    other.face.flush()
    with pytest.raises(CallFailedError, match="v=0"):
        await holding
    assert call.is_up


# -- calls in


async def test_an_invite_without_an_offer_gets_one(
    phone: Phone, other: Other, offer: bytes, told: list[PhoneEvent]
) -> None:
    session = other.invite(port_of(phone), b"")
    call = await phone.incoming()
    call.answer()
    await other.event(sip.SessionProgressed)
    answered = await other.event(sip.SessionAnswered)
    theirs = sdp.Description.parse(answered.response.body)
    assert theirs.media[0].port == call.audio.port
    session.acknowledge(other.now, body=offer)
    other.face.flush()
    await until(lambda: call.audio.report().packets_sent > 2)
    session.reinvite(other.now)
    other.face.flush()
    again = sdp.Description.parse((await other.event(sip.ReinviteAnswered)).response.body)
    assert again.origin.version == theirs.origin.version + 1
    session.acknowledge(other.now, body=offer.replace(b"sendrecv", b"sendonly"))
    other.face.flush()
    await until(lambda: call.is_remote_hold)
    assert told[-1].fields == {"by": "remote"}


async def test_an_ack_without_the_answer_ends_the_call(phone: Phone, other: Other) -> None:
    session = other.invite(port_of(phone), b"")
    call = await phone.incoming()
    call.answer()
    await other.event(sip.SessionProgressed)
    await other.event(sip.SessionAnswered)
    session.acknowledge(other.now)
    other.face.flush()
    assert (await other.event(sip.SessionEnded)).cause == "bye"
    assert await call.ended() == "no media in common"


async def test_an_offer_that_is_nonsense_is_refused(phone: Phone, other: Other) -> None:
    other.invite(port_of(phone), b"nonsense")
    call = await phone.incoming()
    with pytest.raises(CallFailedError, match="v=0"):
        call.answer()
    await other.event(sip.SessionProgressed)
    assert (await other.event(sip.SessionRejected)).status == 400


async def test_an_offer_may_be_one_part_of_several(phone: Phone, other: Other, offer: bytes) -> None:
    body = b"--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x\r\nContent-Type: application/sdp\r\n\r\n"
    body += offer + b"\r\n--x--\r\n"
    session = other.invite(port_of(phone), body, ("Content-Type", "multipart/mixed;boundary=x"))
    call = await phone.incoming()
    call.answer()
    await other.event(sip.SessionProgressed)
    await other.event(sip.SessionAnswered)
    session.acknowledge(other.now)
    other.face.flush()
    await until(lambda: call.audio.report().packets_sent > 0)


async def test_a_change_that_cannot_be_taken_leaves_the_call_as_it_was(
    phone: Phone, other: Other, offer: bytes
) -> None:
    call, session = await called(phone, other, offer)
    session.reinvite(other.now, body=offer.replace(b"RTP/AVP 0", b"RTP/AVP 18"))
    other.face.flush()
    assert (await other.event(sip.ReinviteRejected)).status == 488
    assert call.is_up


async def test_the_old_hold_stops_our_media(phone: Phone, other: Other, offer: bytes) -> None:
    call, session = await called(phone, other, offer)
    session.reinvite(other.now, body=offer.replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 0.0.0.0"))
    other.face.flush()
    answer = sdp.Description.parse((await other.event(sip.ReinviteAnswered)).response.body)
    session.acknowledge(other.now)
    other.face.flush()
    assert answer.media[0].direction is sdp.Direction.RECVONLY
    assert call.is_remote_hold


async def test_a_caller_that_does_not_acknowledge_is_left(phone: Phone, other: Other, offer: bytes) -> None:
    """Hanging up before the ACK: the BYE waits for it (RFC 3261 §15)."""
    session = other.invite(port_of(phone), offer)
    call = await phone.incoming()
    call.answer()
    call.hang_up()
    await other.event(sip.SessionProgressed)
    await other.event(sip.SessionAnswered)
    session.acknowledge(other.now)
    other.face.flush()
    assert (await other.event(sip.SessionEnded)).cause == "bye"
    assert await call.ended() == "local"


# -- other requests


async def test_requests_in_a_call(phone: Phone, other: Other, offer: bytes) -> None:
    call, session = await called(phone, other, offer)
    for method, status in (("OPTIONS", 200), ("INFO", 405)):
        session.send_request(method, other.now)
        other.face.flush()
        event = await other.event(sip.SessionResponseReceived)
        assert event.response.status == status
        assert "INVITE" in (event.response.get("Allow") or "")
    assert call.is_up


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("OPTIONS", (), 200),
        ("MESSAGE", (), 200),
        ("MESSAGE", (("Content-Type", "image/png"),), 415),
        ("SUBSCRIBE", (), 405),
        ("DANCE", (), 501),
        ("BYE", (), 481),
        ("OPTIONS", (("Require", "teleport"),), 420),
    ],
)
async def test_requests_outside_a_call(
    phone: Phone, other: Other, method: str, headers: tuple[tuple[str, object], ...], status: int
) -> None:
    response = await other.ask(method, port_of(phone), *headers)
    assert response.status == status


async def test_a_second_call_that_waits_is_busy(phone: Phone, other: Other, offer: bytes) -> None:
    """The first rings and nobody has taken it from the queue yet."""
    other.invite(port_of(phone), offer)
    await other.event(sip.SessionProgressed)
    other.invite(port_of(phone), offer)
    assert (await other.event(sip.SessionRejected)).status == 486
