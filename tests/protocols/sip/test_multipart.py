"""Bodies of several parts (RFC 2046, THREATS B5)."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.multipart import Part, parse_multipart

from .samples import SDP, request


def body(*pieces: bytes, boundary: bytes = b"b") -> bytes:
    """A multipart body of these pieces."""
    return (
        b"".join(b"--" + boundary + b"\r\n" + piece + b"\r\n" for piece in pieces)
        + b"--"
        + boundary
        + b"--\r\n"
    )


def nested(levels: int) -> bytes:
    """That many multiparts, each the only part of the one around it."""
    opening = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed;boundary=b%d\r\n\r\n" % (level, level + 1)
        for level in range(levels)
    )
    ending = b"".join(b"\r\n--b%d--" % level for level in range(levels, -1, -1))
    return opening + b"--b%d\r\n\r\nx" % levels + ending


def test_parts_of_a_message() -> None:
    content = body(
        b"Content-Type: application/sdp\r\n\r\n" + SDP,
        b'c: x/Y; z\r\nX:\r\n  "f"\r\n\r\n\0\xff--b',
        b"\r\n",
        b"",
    )
    message = sip.parse(
        request('Content-Type: Multipart/Mixed ; a=b;boundary="b"', body=b"preamble\r\n" + content)
    )
    first, second, *empty = sip.body_parts(message)
    assert (first.content_type, first.body) == ("application/sdp", SDP)
    assert (second.content_type, second.get("x"), second.get("no"), second.body) == (
        "x/y",
        '"f"',
        None,
        b"\0\xff--b",
    )
    assert empty == [Part((), b"")] * 2
    assert empty[0].content_type == "text/plain"


def test_a_body_that_is_no_multipart_is_one_part() -> None:
    message = sip.parse(request("Content-Type: application/sdp", body=SDP))
    assert sip.body_parts(message) == (Part((("Content-Type", "application/sdp"),), SDP),)
    assert sip.body_parts(sip.parse(request())) == ()
    (unknown,) = sip.body_parts(sip.parse(request(body=b"x")))
    assert unknown.content_type == "application/octet-stream"


def test_nested_parts_come_in_their_order() -> None:
    inner = b"Content-Type: multipart/alternative;boundary=i\r\n\r\n" + body(
        b"\r\n2", b"\r\n3", boundary=b"i"
    )
    found = parse_multipart("multipart/mixed;boundary=b", body(b"\r\n1", inner, b"\r\n4"))
    assert [part.body for part in found] == [b"1", b"2", b"3", b"4"]


def test_lines_that_only_begin_like_the_boundary() -> None:
    content = b"--bb\r\n--b \t\r\n\r\n1\r\n--bb\r\n2\r\n--b--"
    assert [part.body for part in parse_multipart("multipart/mixed;boundary=b", content)] == [
        b"1\r\n--bb\r\n2"
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"--b",
        b"--b\r\n",
        b"--b\r\n\r\nx",
        b"--b\r\n\r\nx\r\n--b",
        b"--b\r\nno header\r\n\r\nx\r\n--b--",
        b"--b\r\nX: \0\r\n\r\nx\r\n--b--",
        b"--b\r\n(: x\r\n\r\nx\r\n--b--",
        b"--b\r\nX: " + b"x" * 9000 + b"\r\n\r\n\r\n--b--",
    ],
)
def test_malformed_bodies_are_refused(content: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_multipart("multipart/mixed;boundary=b", content)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/mixed",
        "multipart/mixed;boundary",
        'multipart/mixed;boundary=""',
        "multipart/mixed;boundary=" + "x" * 71,
        'multipart/mixed;boundary="a\\\n"',
        'multipart/mixed;boundary="\u00e9"',
        "multipart/mixed;boundary=b x",
        "multipart/mixed;;boundary=b",
    ],
)
def test_a_multipart_has_a_boundary(content_type: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_multipart(content_type, body(b"\r\n1"))


def test_an_empty_multipart_has_no_parts() -> None:
    assert parse_multipart("multipart/mixed;boundary=b", b"--b--") == ()


@pytest.mark.parametrize(
    ("levels", "is_allowed"), [(0, True), (3, True), (4, False), (600, False), (50_000, False)]
)
def test_depth(levels: int, is_allowed: bool) -> None:
    if is_allowed:
        assert [part.body for part in parse_multipart("multipart/mixed;boundary=b0", nested(levels))] == [
            b"x"
        ]
        return
    with pytest.raises(RemoteProtocolError, match="nested deeper than 4"):
        parse_multipart("multipart/mixed;boundary=b0", nested(levels))


def test_600_levels_in_a_stream() -> None:
    body = nested(600)
    framer = sip.StreamFramer()
    framer.receive_data(request("Content-Type: multipart/mixed;boundary=b0", f"l: {len(body)}", body=body))
    message = sip.parse(framer.next_message() or b"")
    with pytest.raises(RemoteProtocolError, match="nested deeper than 4") as caught:
        sip.body_parts(message)
    assert caught.value.status == 400


@pytest.mark.parametrize("count", [33, 34, 10_000])
def test_count(count: int) -> None:
    assert len(parse_multipart("multipart/mixed;boundary=b", body(*[b"\r\n"] * 32))) == 32
    with pytest.raises(RemoteProtocolError, match="more than 32 parts"):
        parse_multipart("multipart/mixed;boundary=b", body(*[b"\r\n"] * count))


def test_count_over_all_levels() -> None:
    inner = b"Content-Type: multipart/mixed;boundary=i\r\n\r\n" + body(*[b"\r\n"] * 20, boundary=b"i")
    with pytest.raises(RemoteProtocolError, match="more than 32 parts"):
        parse_multipart("multipart/mixed;boundary=b", body(inner, inner))
