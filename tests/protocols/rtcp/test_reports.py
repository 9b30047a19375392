"""Reports about a stream; RFC 3550 §6.4."""

from __future__ import annotations

import pytest

from switchroom.protocols import rtcp, rtp


def received(numbers: list[int]) -> rtp.Statistics:
    statistics = rtp.Statistics(99, 8000)
    for number in numbers:
        statistics.receive(rtp.Packet(0, number, 160 * number, 99, bytes(160)), number * 0.02)
    return statistics


def test_ntp_time_begins_in_1900() -> None:
    assert rtcp.ntp_time(0.0) == 2_208_988_800 << 32
    assert rtcp.ntp_time(0.5) & 0xFFFFFFFF == 1 << 31


def test_who_sent_writes_a_sender_report_once() -> None:
    reporter = rtcp.Reporter(7, "us@host")
    for _ in range(3):
        reporter.sent(160)
    report, description = rtcp.parse(reporter.report(None, 10.0, 1_000_000.0, 480))
    assert report == rtcp.SenderReport(7, rtcp.ntp_time(1_000_000.0), 480, 3, 480)
    assert description == rtcp.SourceDescription((rtcp.SdesChunk(7, ((1, b"us@host"),)),))
    later, _ = rtcp.parse(reporter.report(None, 15.0, 1_000_005.0, 40480))
    assert later == rtcp.ReceiverReport(7)


def test_a_report_tells_loss_and_the_last_report() -> None:
    reporter = rtcp.Reporter(7, "us")
    source = received([1, 2, 3, 5, 6, 7, 9])
    reporter.receive(rtcp.SenderReport(99, 0x1111_2222_3333_4444, 0, 0, 0), 20.0)
    (report, _) = rtcp.parse(reporter.report(source, 21.5, 0.0, 0))
    assert isinstance(report, rtcp.ReceiverReport)
    assert report.reports == (
        rtcp.ReportBlock(99, 2 * 256 // 8, 2, 9, source.jitter, 0x2222_3333, int(1.5 * 65536)),
    )


def test_nothing_is_reported_about_a_source_on_probation() -> None:
    (report, _) = rtcp.parse(rtcp.Reporter(7, "us").report(received([1]), 1.0, 1.0, 0))
    assert report == rtcp.ReceiverReport(7)


def test_total_loss_and_doubles_stay_in_range() -> None:
    reporter = rtcp.Reporter(7, "us")
    doubled = received([1, 2, 2, 2, 2])
    (report, _) = rtcp.parse(reporter.report(doubled, 1.0, 1.0, 0))
    assert isinstance(report, rtcp.ReceiverReport)
    assert (report.reports[0].fraction_lost, report.reports[0].lost) == (0, -3)
    (report, _) = rtcp.parse(reporter.report(doubled, 2.0, 2.0, 0))
    assert isinstance(report, rtcp.ReceiverReport)
    assert report.reports[0].fraction_lost == 0


def test_round_trip() -> None:
    sent_at = 1_700_000_000.0
    block = rtcp.ReportBlock(7, 0, 0, 0, 0, rtcp.ntp_time(sent_at) >> 16 & 0xFFFFFFFF, 65536)
    assert rtcp.round_trip(block, sent_at + 1.25) == pytest.approx(0.25, abs=0.001)
    assert rtcp.round_trip(block, sent_at + 0.5) is None
    assert rtcp.round_trip(rtcp.ReportBlock(7, 0, 0, 0, 0), sent_at) is None


def test_a_long_name_is_cut() -> None:
    _, description = rtcp.parse(rtcp.Reporter(7, "x" * 300).report(None, 0.0, 0.0, 0))
    assert isinstance(description, rtcp.SourceDescription)
    assert description.chunks[0].cname == b"x" * 255
