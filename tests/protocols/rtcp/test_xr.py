"""Extended reports; RFC 3611."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import rtcp
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError

METRICS = rtcp.VoipMetrics(
    0x01020304, 12, 3, 200, 4, 480, 9000, 85, 120, -21, -70, 40, 16, 80, 127, 41, 40, 0xA0, 40, 120, 300
)


def test_voip_metrics_have_the_layout_of_the_rfc() -> None:
    data = bytes(METRICS)
    assert len(data) == 36
    assert data[:4] == bytes.fromhex("07000008")
    assert data[4:12] == bytes.fromhex("010203040c03c804")
    assert data[12:20] == bytes.fromhex("01e0232800550078")
    assert data[20:28] == bytes.fromhex("ebba2810507f2928")
    assert data[28:] == bytes.fromhex("a00000280078012c")


def test_a_compound_with_an_extended_report_comes_back() -> None:
    report = rtcp.ExtendedReport(
        7,
        (
            METRICS,
            rtcp.ReferenceTime(0x1122334455667788),
            rtcp.LastReports(((1, 2, 3), (4, 5, 6))),
            rtcp.OtherBlock(1, 0, bytes(8)),
        ),
    )
    description = rtcp.SourceDescription((rtcp.SdesChunk(7, ((1, b"x"),)),))
    packets = rtcp.parse(rtcp.to_bytes((rtcp.ReceiverReport(7), description, report.to_packet())))
    other = packets[-1]
    assert isinstance(other, rtcp.Other)
    assert rtcp.ExtendedReport.parse(other) == report


@pytest.mark.parametrize(
    "body",
    [b"", bytes(3), bytes(4) + b"\x07\x00", bytes(4) + b"\x07\x00\x00\x08" + bytes(28)],
)
def test_lengths_that_do_not_fit_are_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        rtcp.ExtendedReport.parse(rtcp.Other(207, 0, body))


def test_another_packet_is_none() -> None:
    with pytest.raises(RemoteProtocolError):
        rtcp.ExtendedReport.parse(rtcp.Other(204, 0, bytes(8)))


def test_blocks_of_a_false_length_are_kept_as_they_are() -> None:
    body = bytes(4) + b"".join(bytes((kind, 0, 0, 1)) + bytes(4) for kind in (7, 4, 5))
    report = rtcp.ExtendedReport.parse(rtcp.Other(207, 0, body))
    assert [type(block) for block in report.blocks] == [rtcp.OtherBlock] * 3


def test_what_does_not_fit_is_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        bytes(rtcp.VoipMetrics(1, loss_rate=256))
    with pytest.raises(LocalProtocolError):
        bytes(rtcp.OtherBlock(1, 0, b"abc"))


@given(st.binary(max_size=100))
def test_nothing_but_its_own_error_escapes(body: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        rtcp.ExtendedReport.parse(rtcp.Other(207, 0, body))
