"""Candidates and the proof of a password; RFC 8839 §5.1, RFC 5769 §2."""

from __future__ import annotations

import pytest

from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.stun import (
    HOST,
    PEER_REFLEXIVE,
    SERVER_REFLEXIVE,
    Candidate,
    Message,
    MessageClass,
    open_message,
    priority_of,
    seal,
)

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
REQUEST = bytes.fromhex(  # RFC 5769 §2.1
    "00010058 2112a442 b7e7a701bc34d686fa87dfae 80220010 5354554e207465737420636c69656e74"
    "00240004 6e0001ff 80290008 932ff9b151263b36 00060009 6576746a3a683676 59202020"
    "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf"
)
RESPONSE = bytes.fromhex(  # RFC 5769 §2.2
    "0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220 00200008 0001a147e112a643"
    "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96"
)


@pytest.mark.parametrize("data", [REQUEST, RESPONSE])
def test_opens_the_samples_of_rfc_5769(data: bytes) -> None:
    assert open_message(data, PASSWORD).transaction_id == data[8:20]
    with pytest.raises(RemoteProtocolError) as caught:
        open_message(data, PASSWORD + b"x")
    assert caught.value.status == 401


@pytest.mark.parametrize("size", range(5))
def test_what_is_sealed_opens(size: int) -> None:
    message = Message(MessageClass.REQUEST, b"abcdefghijkl", attributes=((6, b"x" * size), (0x25, b"")))
    data = seal(message, b"secret")
    assert open_message(data, b"secret") == message
    for i in range(len(data) - 8):
        changed = data[:i] + bytes([data[i] ^ 0x10]) + data[i + 1 :]
        with pytest.raises(RemoteProtocolError):
            open_message(changed, b"secret")


def test_a_message_without_proof_does_not_open() -> None:
    with pytest.raises(RemoteProtocolError, match="without MESSAGE-INTEGRITY"):
        open_message(bytes(Message(MessageClass.REQUEST, bytes(12))), b"secret")


def test_priorities_order_the_kinds() -> None:
    assert priority_of(HOST) == 2130706431  # as in RFC 8839's examples
    assert priority_of(HOST) > priority_of(PEER_REFLEXIVE) > priority_of(SERVER_REFLEXIVE)


@pytest.mark.parametrize(
    "line",
    [
        "1 1 udp 2130706431 203.0.113.141 8998 typ host",
        "2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
        "aB+/ 2 udp 1 2001:db8::7 1 typ relay generation 0 ufrag x network-cost 10",
    ],
)
def test_reads_a_candidate(line: str) -> None:
    found = Candidate.parse(line)
    assert found is not None
    host, port = line.split()[4:6]
    assert (found.host, found.port, found.kind) == (host, int(port), line.split()[7])
    assert str(found) == " ".join(line.split()[:8])


def test_writes_where_a_reflexive_one_comes_from() -> None:
    candidate = Candidate("192.0.2.3", 45664, 7, "srflx", base=("203.0.113.141", 8998))
    assert str(candidate) == "1 1 udp 7 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "1 1 udp 1 7e1f2b3c-aaaa-4d5e-9f00-123456789abc.local 9 typ host",  # mDNS
        "1 1 udp 1 example.com 9 typ host",
        "1 1 tcp 1 192.0.2.1 9 typ host tcptype active",
        "1 1 udp 1 192.0.2.1 0 typ host",
        "1 1 udp 1 192.0.2.1 65536 typ host",
        "1 1 udp 2147483648 192.0.2.1 9 typ host",
        "1 0 udp 1 192.0.2.1 9 typ host",
        "1 1 udp 1 192.0.2.1 9 host",
        "1 1 udp 1 192.0.2.1 9 typ host " + "x" * 600,
    ],
)
def test_ignores(line: str) -> None:
    assert Candidate.parse(line) is None
