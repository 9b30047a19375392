"""RTCP compounds: what is read, refused, written; RFC 3550 §6, THREATS A2 and A3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import rtcp
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError

U32 = st.integers(0, 0xFFFFFFFF)
WORDS = st.binary(max_size=3).map(lambda text: text * 4)
BLOCKS = st.lists(
    st.builds(
        rtcp.ReportBlock, U32, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), U32, U32, U32, U32
    ),
    max_size=31,
).map(tuple)
SENDER_REPORTS = st.builds(
    rtcp.SenderReport, U32, st.integers(0, (1 << 64) - 1), U32, U32, U32, BLOCKS, WORDS
)
RECEIVER_REPORTS = st.builds(rtcp.ReceiverReport, U32, BLOCKS, WORDS)
ITEMS = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=30)), max_size=4).map(tuple)
CHUNKS = st.lists(st.builds(rtcp.SdesChunk, U32, ITEMS), max_size=30).map(tuple)
CNAME = rtcp.SdesChunk(1, ((1, b"us"),))
OTHERS = st.builds(rtcp.Other, st.integers(204, 223), st.integers(0, 31), WORDS)
BYES = st.builds(rtcp.Bye, st.lists(U32, max_size=31).map(tuple), st.binary(max_size=255))
DESCRIPTIONS = CHUNKS.map(lambda chunks: rtcp.SourceDescription((CNAME, *chunks)))
COMPOUNDS = st.tuples(
    st.one_of(SENDER_REPORTS, RECEIVER_REPORTS),
    DESCRIPTIONS,
    st.lists(st.one_of(BYES, OTHERS, DESCRIPTIONS, RECEIVER_REPORTS), max_size=3),
).map(lambda parts: (parts[0], parts[1], *parts[2]))


@given(COMPOUNDS)
def test_round_trips(packets: tuple[rtcp.Packet, ...]) -> None:
    assert rtcp.parse(rtcp.to_bytes(packets)) == packets


def test_reads_a_sender_report_with_its_signed_loss() -> None:
    data = bytes.fromhex(
        "81c8000c 00000001 83aa7e80 80000000 000000a0 00000002 00000140"
        "00000007 40fffffe 00010005 00000010 7e808000 00010000"
    )
    (report,) = rtcp.parse(data)
    block = rtcp.ReportBlock(7, 0x40, -2, 65541, 16, 0x7E808000, 65536)
    assert report == rtcp.SenderReport(1, 0x83AA7E8080000000, 160, 2, 320, (block,))


def test_reads_names_and_goodbyes() -> None:
    data = bytes.fromhex(
        "81ca0003 00000001 01 03 616263 00 0000 81cb0002 00000001 03 627965".replace(" ", "")
    )
    description, bye = rtcp.parse(data)
    assert isinstance(description, rtcp.SourceDescription)
    assert description.chunks[0].cname == b"abc"
    assert bye == rtcp.Bye((1,), b"bye")
    assert rtcp.SdesChunk(1, ((2, b"x"),)).cname is None


def test_padding_is_dropped_from_the_last_packet() -> None:
    assert rtcp.parse(bytes.fromhex("a0c90002 00000001 00000004")) == (rtcp.ReceiverReport(1),)


REFUSED = {
    "empty": "",
    "three bytes": "80c900",
    "no whole word": "80c90001 00000001 00",
    "version": "40c90001 00000001",
    "length beyond": "80c90002 00000001",
    "length 0xffff": "80c9ffff 00000001",
    "RR without SSRC": "80c90000",
    "SR without sender info": "80c80001 00000001",
    "SR without its block": "81c80006" + "00000001" * 6,
    "RR without its block": "81c90001 00000001",
    "31 blocks": "9fc90007" + "00000001" * 7,
    "SDES without its chunk": "81ca0000",
    "SDES chunk without items": "81ca0001 00000001",
    "SDES item beyond": "81ca0002 00000001 01ff6161",
    "SDES item without size": "81ca0002 00000001 0101 61 07",
    "SDES without an end": "81ca0002 00000001 01026161",
    "BYE without its sources": "82cb0001 00000001",
    "BYE reason beyond": "81cb0002 00000001 04616161",
    "padding 0": "a0c90002 00000001 00000000",
    "padding beyond": "a0c90002 00000001 0000000c",
    "padding no multiple of four": "a0c90002 00000001 00000003",
    "padding of nothing": "a0c90000",
    "padding inside": "a0c90002 00000001 00000004 80c90001 00000001",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str) -> None:
    with pytest.raises(RemoteProtocolError):
        rtcp.parse(bytes.fromhex(REFUSED[name]))


REPORT = rtcp.ReceiverReport(1)
NAME = rtcp.SourceDescription((CNAME,))


@pytest.mark.parametrize(
    "packets",
    [
        (),
        (NAME,),
        (REPORT,),
        (REPORT, rtcp.SourceDescription((rtcp.SdesChunk(1, ((2, b"name"),)),))),
        (rtcp.ReceiverReport(-1), NAME),
        (REPORT, NAME, rtcp.Bye(tuple(range(32)))),
        (REPORT, NAME, rtcp.Bye((1,), bytes(256))),
        (REPORT, NAME, rtcp.Other(204, 0, b"abc")),
        (REPORT, rtcp.SourceDescription((rtcp.SdesChunk(1, ((1, bytes(256)),)),))),
    ],
)
def test_refuses_to_write_against_the_rules(packets: tuple[rtcp.Packet, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        rtcp.to_bytes(packets)


def test_loss_beyond_24_bits_is_clamped() -> None:
    block = rtcp.ReportBlock(1, 0, 1 << 30, 0, 0)
    (report, _) = rtcp.parse(rtcp.to_bytes((rtcp.ReceiverReport(1, (block,)), NAME)))
    assert isinstance(report, rtcp.ReceiverReport)
    assert report.reports[0].lost == 0x7FFFFF


_HEADS = st.builds(
    lambda first, kind, words: bytes([first, kind, 0, words]),
    st.integers(0x80, 0xBF),
    st.integers(199, 206),
    st.integers(0, 8),
)


@given(st.lists(st.one_of(_HEADS, st.binary(min_size=4, max_size=4)), max_size=20).map(b"".join))
def test_only_the_protocol_error_leaves(data: bytes) -> None:
    try:
        packets = rtcp.parse(data)
    except RemoteProtocolError:
        return
    assert packets
    again = rtcp.to_bytes((REPORT, NAME, *packets))
    assert rtcp.parse(again)[2:] == packets
