"""RTCP on legs with SRTP: of the switch and passed on it is SRTCP there, and clear on the other leg."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest
from pylibsrtp import Error

from switchroom.protocols import rtcp
from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane
from switchroom.switch.media.recoding import TABLES
from tests.switch.media.conftest import local_for
from tests.switch.media.phones import A, B, Call, Phone, rtp, wait_for
from tests.switch.media.secured import PROFILES, SecurePhone

DESCRIPTION = rtcp.SourceDescription((rtcp.SdesChunk(9, ((1, b"a"),)),))


@pytest.fixture
async def plane() -> AsyncIterator[MediaPlane]:
    """One that converts."""
    config = MediaConfig(ports="22000-27999", transcode=["PCMU", "PCMA", "G722"], kernel="off")
    plane = MediaPlane(config, local_for, lambda session: None, quarantine=0.0)
    plane.start(asyncio.get_running_loop())
    yield plane
    plane.stop()


@pytest.fixture
def phone() -> Iterator[Callable[[str], Phone]]:
    with ExitStack() as stack:
        yield lambda host: stack.enter_context(Phone(host))


def secured(plane: MediaPlane, a: Phone, b: Phone, suite: str, formats: str) -> tuple[Call, SecurePhone]:
    """A call with keys on the first leg; formats of the second."""
    call, caller = Call(plane, a, b), SecurePhone(a, suite)
    b.obey(call.session.offer(call.a_leg, call.b_leg, caller.describe(formats="0")))
    caller.obey(call.session.answer(call.b_leg, call.a_leg, b.describe(formats=formats)))
    call.session.confirm()
    return call, caller


def heard(caller: SecurePhone) -> tuple[rtcp.Packet, ...]:
    """The next report, which libsrtp must find authentic, and nobody can read as it came."""
    data = caller.phone.rtcp.recv(2048)
    with pytest.raises(Error):
        caller.receiver.unprotect_rtcp(data[:-1] + bytes([data[-1] ^ 1]))
    return rtcp.parse(caller.receiver.unprotect_rtcp(data))


@pytest.mark.parametrize("suite", sorted(PROFILES))
def test_reports_of_the_switch(plane: MediaPlane, phone: Callable[[str], Phone], suite: str) -> None:
    a, b = phone(A), phone(B)
    call, caller = secured(plane, a, b, suite, "9")
    for seq in range(10):
        caller.say(rtp(seq))
        b.hear()
        b.say(rtp(seq, ssrc=9, payload_type=9))
        caller.hear()
    plane.observer.look_at(call.session, time.monotonic())
    report, description = heard(caller)
    assert isinstance(report, rtcp.SenderReport)
    assert report.packet_count == 10
    assert report.reports[0].ssrc == 0xABCD
    assert isinstance(description, rtcp.SourceDescription)
    assert isinstance(rtcp.parse(b.rtcp.recv(2048))[0], rtcp.SenderReport)
    time.sleep(0.02)
    block = rtcp.ReportBlock(report.ssrc, 0, 0, 9, 0, report.ntp_time >> 16 & 0xFFFFFFFF, 0)
    answer = rtcp.to_bytes((rtcp.ReceiverReport(0xABCD, (block,)), DESCRIPTION))
    a.rtcp.sendto(answer, a.control)  # in the clear: nobody reads it
    wait_for(lambda: call.dropped()["unauthentic"] == 1)
    assert call.session.report().a.round_trip_ms == 0
    a.rtcp.sendto(caller.sender.protect_rtcp(answer), a.control)
    wait_for(lambda: call.session.report().a.round_trip_ms > 0)
    call.session.close()
    assert any(isinstance(one, rtcp.Bye) for one in heard(caller))


def test_reports_that_pass(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    """Feedback of a phone is opened for the other, and closed for this one; RFC 3711 §3.4."""
    a, b = phone(A), phone(B)
    call, caller = secured(plane, a, b, "AES_CM_128_HMAC_SHA1_80", "0")
    report = rtcp.to_bytes((rtcp.ReceiverReport(0xABCD, ()), DESCRIPTION))
    for _ in range(3):
        a.rtcp.sendto(caller.sender.protect_rtcp(report), a.control)
        assert b.rtcp.recv(2048) == report
        b.rtcp.sendto(report, b.control)
        assert rtcp.to_bytes(heard(caller)) == report
    assert [stream.counters.rtcp_packets for stream in call.session.report().streams] == [3, 3]


def test_the_other_form_of_g711(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    """Opened, said in the other form, and closed; RTCP passes as where nothing is converted."""
    a, b = phone(A), phone(B)
    _, caller = secured(plane, a, b, "AEAD_AES_128_GCM", "8")
    for seq in range(3):
        caller.say(rtp(seq)[:12] + bytes(range(256)))
        assert b.hear() == rtp(seq, payload_type=8)[:12] + TABLES[0]
        b.say(rtp(seq, ssrc=9, payload_type=8)[:12] + bytes(range(256)))
        assert caller.hear() == rtp(seq, ssrc=9)[:12] + TABLES[1]
    report = rtcp.to_bytes((rtcp.ReceiverReport(9, ()), DESCRIPTION))
    b.rtcp.sendto(report, b.control)
    assert rtcp.to_bytes(heard(caller)) == report
