"""Messages out of a stream (RFC 3261 §18.3, RFC 5626 §3.5.1)."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError

from .samples import INVITE, request

OPTIONS = request("Content-Length: 0")


def frames(framer: sip.StreamFramer) -> list[bytes]:
    """All messages that are whole."""
    found = []
    while (message := framer.next_message()) is not None:
        found.append(message)
    return found


def test_messages_are_cut_apart() -> None:
    framer = sip.StreamFramer()
    framer.receive_data(INVITE + OPTIONS + INVITE[:-1])
    assert frames(framer) == [INVITE, OPTIONS]
    assert framer.is_partial
    assert framer.buffered_size == len(INVITE) - 1
    framer.receive_data(INVITE[-1:])
    assert frames(framer) == [INVITE]
    assert not framer.is_partial


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_any_pieces_make_the_same_messages(size: int) -> None:
    stream = b"\r\n\r\n" + INVITE + b"\r\n" + OPTIONS + b"\r\n\r\n" * 3 + INVITE + b"\r\n"
    framer = sip.StreamFramer()
    found = []
    for start in range(0, len(stream), size):
        framer.receive_data(stream[start : start + size])
        found += frames(framer)
    assert found == [INVITE, OPTIONS, INVITE]
    assert framer.pings == 4
    assert not framer.is_partial


@pytest.mark.parametrize(
    ("data", "pings", "is_partial"),
    [
        (b"", 0, False),
        (b"\r", 0, False),
        (b"\r\n", 0, False),
        (b"\r\n\r", 0, False),
        (b"\r\n\r\n", 1, False),
        (b"\r\n" * 5, 2, False),
        (b"\r\n" * 3 + b"O", 1, True),
        (b"O", 0, True),
        (b"\r\nOPT", 0, True),
    ],
)
def test_keep_alives(data: bytes, pings: int, is_partial: bool) -> None:
    framer = sip.StreamFramer()
    framer.receive_data(data)
    assert frames(framer) == []
    assert (framer.pings, framer.is_partial) == (pings, is_partial)


@pytest.mark.parametrize("line", ["l:0", "L : 0", "CONTENT-LENGTH\t:\r\n 0", "Content-length: 000 "])
def test_spellings_of_the_length(line: str) -> None:
    framer = sip.StreamFramer()
    framer.receive_data(request(line))
    assert framer.next_message() == request(line)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], 400),
        (["Content-Length: 1", "Content-Length: 1"], 400),
        (["Content-Length: 1", "l: 2"], 400),
        (["Content-Length: 1, 1"], 400),
        (["Content-Length: -1"], 400),
        (["Content-Length: +1"], 400),
        (["Content-Length: 1 0"], 400),
        (["Content-Length:"], 400),
        (["Content-Length: \u0661"], 400),
        (["Content-Length\r\n : 5"], 400),
        (["Content-Length: 65536"], 413),
        (["Content-Length: " + "9" * 5000], 413),
        (["Content-Length: 18446744073709551616"], 413),
    ],
)
def test_a_length_that_lies_ends_the_stream(lines: list[str], status: int) -> None:
    framer = sip.StreamFramer()
    framer.receive_data(request(*lines) + OPTIONS)
    with pytest.raises(sip.ParseError) as caught:
        framer.next_message()
    assert caught.value.status == status
    assert caught.value.request is not None
    assert caught.value.request.call_id == "x1@example.com"
    assert framer.next_message() is None
    assert framer.buffered_size == 0
    with pytest.raises(RemoteProtocolError):
        framer.receive_data(OPTIONS)


def test_a_header_section_without_end_is_refused() -> None:
    framer = sip.StreamFramer(max_header_size=1000)
    framer.receive_data(b"OPTIONS sip:a SIP/2.0\r\nX: ")
    for _ in range(97):
        framer.receive_data(b"0123456789")
        assert framer.next_message() is None
    framer.receive_data(b"0123456789")
    with pytest.raises(RemoteProtocolError) as caught:
        framer.next_message()
    assert caught.value.status == 513


def test_a_header_section_that_is_too_large_is_refused_when_it_ends() -> None:
    framer = sip.StreamFramer(max_header_size=1000)
    framer.receive_data(request("X: " + "x" * 1000, "l: 0"))
    with pytest.raises(RemoteProtocolError) as caught:
        framer.next_message()
    assert caught.value.status == 513


def test_the_largest_message() -> None:
    head = request("Content-Length: 65000")
    framer = sip.StreamFramer(max_size=len(head) + 65000)
    framer.receive_data(head + bytes(65000))
    assert len(framer.next_message() or b"") == framer.max_size
    tight = sip.StreamFramer(max_size=len(head) + 64999)
    tight.receive_data(head)
    with pytest.raises(sip.ParseError) as caught:
        tight.next_message()
    assert caught.value.status == 413


def test_long_header_sections_are_searched_once() -> None:
    framer = sip.StreamFramer()
    framer.receive_data(b"OPTIONS sip:a SIP/2.0\r\n")
    for _ in range(30000):
        framer.receive_data(b"a")
        assert framer.next_message() is None
    assert framer._searched == framer.buffered_size - 3
