"""WebSocket as a client speaks it: against the sans-I/O server of ``websockets``, and what is refused."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from switchroom.switch.api.voice.streams.frames import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    FrameError,
    Handshake,
    Reader,
    frame,
)


def opened() -> tuple[ServerProtocol, Handshake, bytes]:
    server = ServerProtocol()
    handshake = Handshake("app:81", "/ear?x=1", {"X-Twilio-Signature": "s"})
    server.receive_data(handshake.request)
    [request] = server.events_received()
    assert isinstance(request, Request)
    assert (request.path, request.headers["X-Twilio-Signature"]) == ("/ear?x=1", "s")
    server.send_response(server.accept(request))
    return server, handshake, b"".join(server.data_to_send())


def test_a_handshake_and_messages_of_all_sizes() -> None:
    server, handshake, answer = opened()
    assert handshake.receive_data(answer[:20]) is None
    server.send_text(b"first")
    assert handshake.receive_data(answer[20:] + b"".join(server.data_to_send())) == b"\x81\x05first"
    reader = Reader(1 << 20)
    for size in (0, 1, 125, 126, 65535, 65536, 300_000):
        server.receive_data(frame(TEXT, b"x" * size))
        [heard] = server.events_received()
        assert isinstance(heard, Frame)
        assert (heard.opcode, len(heard.data)) == (Opcode.TEXT, size)
        server.send_binary(b"y" * size)
        data = b"".join(server.data_to_send())
        found = [
            one for at in range(0, len(data), 70_000) for one in reader.receive_data(data[at : at + 70_000])
        ]
        assert found == [(BINARY, b"y" * size)]


def test_octets_one_by_one_fragments_and_control_between_them() -> None:
    data = b"\x01\x02ab" + b"\x89\x01p" + b"\x80\x01c" + b"\x81\x01d" + b"\x88\x02\x03\xe8"
    reader = Reader(100)
    found = [one for octet in data for one in reader.receive_data(bytes((octet,)))]
    assert found == [(PING, b"p"), (TEXT, b"abc"), (TEXT, b"d"), (CLOSE, b"\x03\xe8")]


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x80",  # masked
        b"\xc1\x01a",  # a bit of an extension
        b"\x83\x01a",  # an opcode that nobody has
        b"\x80\x01a",  # goes on without a beginning
        b"\x01\x01a\x81\x01b",  # a message within another
        b"\x09\x01p",  # control in parts
        b"\x89\x7e\x00\x7e",  # control that is too large: it says so before it comes
        b"\x81\x7e\x40\x00",
        b"\x81\x7f" + b"\xff" * 8,
        b"\x01\x3fa" + b"a" * 62 + b"\x80\x3f" + b"b" * 63,  # parts that are too large together
    ],
)
def test_what_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        list(Reader(100).receive_data(data + b"a" * 200))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 101 OK\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: x\r\n\r\n",
        b"hello\r\n\r\n",
        b"x" * 20_000,
    ],
)
def test_answers_that_are_no_handshake(answer: bytes) -> None:
    with pytest.raises(FrameError):
        Handshake("app", "/", {}).receive_data(answer)
