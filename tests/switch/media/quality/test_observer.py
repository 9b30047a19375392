"""Reports of the switch, round trips, and legs that are not heard, with phones on the loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest

from switchroom.protocols import rtcp
from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane, sounding
from switchroom.switch.media.quality.summary import measured, row_of
from tests.switch.media.conftest import local_for
from tests.switch.media.phones import THIRD, A, B, Call, Phone, rtp, wait_for
from tests.switch.media.secured import SecurePhone, session


class Lines(list[tuple[str, dict[str, object]]]):
    def info(self, event: str, /, **fields: object) -> None:
        self.append((event, fields))

    warning = info


@pytest.fixture
async def plane() -> AsyncIterator[MediaPlane]:
    """One that converts G.711, and of which the tests look when they like."""
    config = MediaConfig(ports="22000-27999", transcode=["PCMU", "G722"], kernel="off")
    plane = MediaPlane(config, local_for, lambda session: None, quarantine=0.0)
    plane.observer.log = Lines()
    plane.start(asyncio.get_running_loop())
    yield plane
    plane.stop()


@pytest.fixture
def phone() -> Iterator[Callable[[str], Phone]]:
    with ExitStack() as stack:
        yield lambda host: stack.enter_context(Phone(host))


def hear_reports(phone: Phone) -> tuple[rtcp.Packet, ...]:
    return rtcp.parse(phone.rtcp.recv(2048))


def look(plane: MediaPlane, call: Call, later: float = 0.0) -> None:
    plane.observer.look_at(call.session, time.monotonic() + later)


def converted(plane: MediaPlane, a: Phone, b: Phone, *lines: str) -> Call:
    call = Call(plane, a, b)
    b.obey(call.session.offer(call.a_leg, call.b_leg, a.describe(*lines, formats="0")))
    a.obey(call.session.answer(call.b_leg, call.a_leg, b.describe(*lines, formats="9")))
    call.session.confirm()
    return call


def talk(a: Phone, b: Phone, *numbers: int) -> bytes:
    heard = b""
    for seq in numbers:
        a.say(rtp(seq))
        heard = b.hear()
    return heard


def test_converted_sound_is_reported_to_both(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    a, b = phone(A), phone(B)
    call = converted(plane, a, b, "a=rtcp-xr:voip-metrics")
    sent = [talk(a, b, *range(50))]
    a.say(rtp(59))  # nine are lost; the converter conceals some
    wait_for(lambda: call.session.report().streams[0].counters.lost == 9)
    look(plane, call)
    report, description = hear_reports(b)
    assert isinstance(report, rtcp.SenderReport)
    assert report.ssrc == int.from_bytes(sent[0][8:12], "big")  # the converter's own
    assert 50 <= report.packet_count <= 60
    assert report.octet_count == 160 * report.packet_count
    assert report.reports == ()  # b has said nothing yet
    assert isinstance(description, rtcp.SourceDescription)
    assert len(description.chunks[0].cname or b"") == 16
    assert abs((report.ntp_time >> 32) - 2_208_988_800 - time.time()) < 2
    report, _, extended = hear_reports(a)
    assert isinstance(report, rtcp.ReceiverReport)
    (block,) = report.reports
    assert (block.ssrc, block.lost, block.fraction_lost) == (0xABCD, 9, 9 * 256 // 60)
    assert block.highest_sequence_number == 59
    assert isinstance(extended, rtcp.Other)
    (metrics,) = rtcp.ExtendedReport.parse(extended).blocks
    assert isinstance(metrics, rtcp.VoipMetrics)
    assert metrics.loss_rate == round(9 / 60 * 256)
    assert metrics.mos_cq < 35
    call.session.close()
    assert hear_reports(a)[-1] == rtcp.Bye((report.ssrc,))


def test_what_the_switch_says_itself_is_reported(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    """A program's call: sender reports with the line's own clock, losses, a goodbye."""
    a = phone(A)
    session = plane.session("call")
    leg = session.leg(toward=A, is_nat=False)
    a.obey(sounding.serve(session, leg, a.describe("a=rtcp-xr:voip-metrics", formats="0")))
    session.confirm()
    for seq in (*range(20), *range(25, 30)):
        a.say(rtp(seq))
    heard = [a.hear() for _ in range(5)]
    wait_for(lambda: session.report().streams[0].counters.lost == 5)
    plane.observer.look_at(session, time.monotonic())
    report, description, extended = hear_reports(a)
    assert isinstance(report, rtcp.SenderReport)
    assert report.ssrc == int.from_bytes(heard[0][8:12], "big")
    assert report.packet_count >= 5
    assert report.octet_count == 160 * report.packet_count
    ahead = report.rtp_timestamp - int.from_bytes(heard[-1][4:8], "big") & 0xFFFFFFFF
    assert ahead < 8000  # the clock of what was heard
    (block,) = report.reports
    assert (block.ssrc, block.lost) == (0xABCD, 5)
    assert isinstance(description, rtcp.SourceDescription)
    assert isinstance(extended, rtcp.Other)
    plane.observer.look_at(session, time.monotonic() + 6)
    assert session.watch is not None
    assert session.watch.texts(time.monotonic() + 6)[0].endswith("no packets come from it")
    hear_reports(a)
    session.close()
    assert hear_reports(a)[-1] == rtcp.Bye((report.ssrc,))


def test_round_trips_come_from_answers_to_ours(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    a, b = phone(A), phone(B)
    call = converted(plane, a, b)
    talk(a, b, *range(10))
    look(plane, call)
    report = hear_reports(b)[0]
    assert isinstance(report, rtcp.SenderReport)
    time.sleep(0.05)
    block = rtcp.ReportBlock(report.ssrc, 64, 3, 9, 0, report.ntp_time >> 16 & 0xFFFFFFFF, 1311)
    description = rtcp.SourceDescription((rtcp.SdesChunk(9, ((1, b"b"),)),))
    sender = rtcp.SenderReport(9, 0x1234_5678_9ABC_DEF0, 0, 1, 1, (block,))
    metrics = rtcp.ExtendedReport(9, (rtcp.VoipMetrics(report.ssrc, r_factor=70, mos_cq=36),))
    b.rtcp.sendto(rtcp.to_bytes((sender, description, metrics.to_packet())), b.control)
    engine = plane.engine
    pair = call.b_leg.pairs[0]
    assert pair is not None
    wait_for(lambda: engine.read_detail(pair.index, pair.generation).heard.block_at is not None)
    heard = engine.read_detail(pair.index, pair.generation).heard
    assert heard.round_trip is not None
    assert 0.03 <= heard.round_trip < 0.2  # 50 ms or more passed, 20 of them at the phone
    assert (heard.fraction_lost, heard.lost, heard.mos, heard.r_factor) == (0.25, 3, 36, 70)
    b.say(rtp(1, payload_type=9))
    a.hear()
    look(plane, call)
    hear_reports(a)
    hear_reports(a)
    answer = hear_reports(b)[0]
    assert isinstance(answer, rtcp.ReceiverReport | rtcp.SenderReport)
    assert answer.reports[0].last_sr == 0x5678_9ABC
    assert answer.reports[0].delay_since_last_sr < 65536
    assert call.session.report().b.round_trip_ms >= 30


def test_phones_that_report_are_left_to_it(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    a, b = phone(A), phone(B)
    call = Call(plane, a, b).set_up()
    talk(a, b, *range(5))
    sender = rtcp.SenderReport(0xABCD, 0x1111_2222_3333_4444, 0, 5, 800)
    description = rtcp.SourceDescription((rtcp.SdesChunk(0xABCD, ((1, b"a"),)),))
    a.rtcp.sendto(rtcp.to_bytes((sender, description)), a.control)
    assert hear_reports(b)[0] == sender
    block = rtcp.ReportBlock(0xABCD, 0, 0, 5, 0, 0x2222_3333, 0)
    b.rtcp.sendto(rtcp.to_bytes((rtcp.ReceiverReport(9, (block,)), description)), b.control)
    hear_reports(a)
    assert call.session.report().b.packets == 0
    pair = call.b_leg.pairs[0]
    assert pair is not None
    trip = plane.engine.read_detail(pair.index, pair.generation).heard.round_trip
    assert trip is not None
    assert trip < 0.5
    for _ in range(3):
        look(plane, call)
    assert plane.observer.counts["reports"] == 0


def test_who_sends_no_rtcp_is_spoken_for(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    a, b = phone(A), phone(B)
    call = Call(plane, a, b).set_up()
    talk(a, b, *range(5))
    look(plane, call)
    assert plane.observer.counts["reports"] == 0  # it may be about to
    talk(a, b, *range(5, 10))
    look(plane, call, later=5)
    wait_for(lambda: plane.observer.counts["reports"] > 0)
    report = hear_reports(b)[0]
    assert isinstance(report, rtcp.SenderReport)
    assert (report.ssrc, report.packet_count, report.octet_count) == (0xABCD, 10, 1600)
    assert 40000 <= report.rtp_timestamp - 9 * 160 < 48000  # the clock goes on


def test_a_leg_that_sends_from_elsewhere_is_named(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    a, b, third = phone(A), phone(B), phone(THIRD)
    call = Call(plane, a, b).set_up()
    for seq in range(20):
        third.rtp.sendto(rtp(seq), a.media)
        b.say(rtp(seq))
        a.hear()
    look(plane, call, later=5)
    cause = f"its packets come from {THIRD}:{third.port} instead of {A}:{a.port}"
    lines = plane.observer.log
    assert isinstance(lines, Lines)
    assert lines == [("media.not_heard", {"call": "call", "leg": "caller", "cause": cause})]
    row = row_of(call.session, time.monotonic())
    assert row["trouble"] == f"caller not heard for 0 s: {cause}"
    assert row["mos"] == [0.0, 4.41]
    assert measured(plane.observer.sessions())["unheard"] == 1
    talk(a, b, *range(20))
    look(plane, call)
    assert lines[-1] == ("media.heard_again", {"call": "call", "leg": "caller"})
    (trouble,) = call.session.close().troubles
    assert cause in trouble


def cause_shown(plane: MediaPlane, call: Call) -> str:
    """Why the caller is not heard, as the log and `switchroom calls` have it while the call is up."""
    look(plane, call, later=5)
    [(event, said)] = plane.observer.log  # type: ignore[attr-defined]
    assert (event, said["leg"]) == ("media.not_heard", "caller")
    assert row_of(call.session, time.monotonic())["trouble"].endswith(f": {said['cause']}")
    return str(said["cause"])


def test_the_cause_is_shown_when_nothing_comes(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    a, b = phone(A), phone(B)
    call = Call(plane, a, b).set_up()
    for seq in range(20):
        b.say(rtp(seq))
        a.hear()
    assert cause_shown(plane, call) == "no packets come from it"


def test_the_cause_is_shown_when_keys_differ(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    a, b = phone(A), phone(B)
    secure = SecurePhone(a, "AES_CM_128_HMAC_SHA1_80")
    call = Call(plane, a, b)
    b.obey(call.session.offer(call.a_leg, call.b_leg, secure.describe()))
    secure.obey(call.session.answer(call.b_leg, call.a_leg, b.describe()))
    call.session.confirm()
    wrong = session("AES_CM_128_HMAC_SHA1_80", bytes(30), is_sender=True)
    for seq in range(20):
        a.say(wrong.protect(rtp(seq)))
        b.say(rtp(seq))
        secure.hear()
    assert cause_shown(plane, call) == "its SRTP is not authentic: keys differ, or there are none yet"


def test_the_cause_is_shown_when_a_codec_was_not_agreed(
    plane: MediaPlane, phone: Callable[[str], Phone]
) -> None:
    a, b = phone(A), phone(B)
    call = Call(plane, a, b).set_up()
    for seq in range(20):
        a.say(rtp(seq, payload_type=18))
        b.hear()
        b.say(rtp(seq))
        a.hear()
    assert cause_shown(plane, call) == "its payload type 18 was not agreed"


def test_a_leg_on_hold_is_not_missed(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    a, b = phone(A), phone(B)
    call = Call(plane, a, b).set_up(a.describe("a=sendonly"), b.describe("a=recvonly"))
    look(plane, call, later=60)
    assert call.session.report().troubles == ()


def test_losses_in_bursts_and_alone_are_told_apart(plane: MediaPlane, phone: Callable[[str], Phone]) -> None:
    a, b = phone(A), phone(B)
    call = Call(plane, a, b).set_up()
    lost = {50, 120, 121, 122, 125, 200}  # alone; a burst of four with two packets in it; alone
    numbers = [seq for seq in range(300) if seq not in lost]
    talk(a, b, *numbers)
    runs = call.session.report().streams[0].detail.runs
    assert (runs.c13, runs.c14, runs.c22, runs.c23, runs.c33) == (1, 2, 1, 1, 2)
    assert runs.c11 == len(numbers) - 2
    quality = call.session.report().streams[0].quality
    assert quality is not None
    assert quality.bursts.burst_ms == pytest.approx(6 * 20, abs=30)
