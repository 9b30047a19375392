"""STUN for keep-alives; RFC 8489, with a sample of RFC 5769."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import stun
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError

# RFC 5769 §2.2, without the key that its MESSAGE-INTEGRITY needs
SAMPLE = bytes.fromhex(
    "0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220 00200008 0001a147e112a643"
    "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96"
)
REQUEST = stun.Message(stun.MessageClass.REQUEST, b"abcdefghijkl")


def test_reads_the_sample_of_rfc_5769() -> None:
    message = stun.Message.parse(SAMPLE)
    assert message.message_class is stun.MessageClass.SUCCESS
    assert message.method == 1
    assert message.transaction_id == SAMPLE[8:20]
    assert message.get(0x8022) == b"test vector"
    assert message.mapped_address == ("192.0.2.1", 32853)


@pytest.mark.parametrize("remote", [("192.0.2.1", 32853), ("2001:db8::7", 1), ("::ffff:1.2.3.4", 65535)])
@pytest.mark.parametrize("has_fingerprint", [True, False])
def test_a_response_tells_the_address(remote: tuple[str, int], has_fingerprint: bool) -> None:
    data = REQUEST.success(remote).to_bytes(has_fingerprint=has_fingerprint)
    response = stun.Message.parse(data)
    assert response.transaction_id == REQUEST.transaction_id
    assert response.message_class is stun.MessageClass.SUCCESS
    assert response.mapped_address is not None
    host, port = response.mapped_address
    assert port == remote[1]
    assert stun.Message.parse(bytes(REQUEST.success((host, port)))) == response


def test_no_address_is_told_without_the_attribute() -> None:
    assert REQUEST.mapped_address is None


def test_what_must_be_understood_and_is_not_is_refused() -> None:
    request = stun.Message(stun.MessageClass.REQUEST, bytes(12), attributes=((0x0024, b""), (0x8023, b"x")))
    assert request.unknown_required == (0x24,)
    error = stun.Message.parse(bytes(request.error(420, "Unknown Attribute")))
    assert error.message_class is stun.MessageClass.ERROR
    assert error.get(0x9) == b"\0\0\4\x14Unknown Attribute"
    assert error.get(0xA) == b"\0\x24"
    assert request.error(400, "Bad Request").get(0xA) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SAMPLE[:19],
        bytes(20),
        b"\xc1" + SAMPLE[1:],
        SAMPLE[:-1],
        SAMPLE + bytes(4),
        SAMPLE[:3] + b"\x3d" + SAMPLE[4:] + b"\0",
        SAMPLE[:-1] + b"\x97",
        bytes(REQUEST)[:3] + b"\x04" + bytes(REQUEST)[4:] + b"\x00\x20\x00\x08",
        bytes(REQUEST)[:3] + b"\x08" + bytes(REQUEST)[4:] + b"\x80\x28\x00\x00\0\0\0\0",
        bytes(REQUEST)[:3] + b"\x0c" + bytes(REQUEST)[4:] + b"\x80\x28\x00\x04\0\0\0\0\0\0\0\0",
        bytes(stun.Message(stun.MessageClass.REQUEST, bytes(12), attributes=((1, b""),) * 65)),
    ],
)
def test_refuses(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        stun.Message.parse(data)


@pytest.mark.parametrize(
    "value", [b"", b"\0\1\0\0\1\2\3", b"\0\2\0\0\1\2\3\4", b"\0\1" + bytes(18), b"\0\3" + bytes(6)]
)
def test_refuses_a_malformed_address(value: bytes) -> None:
    message = stun.Message(stun.MessageClass.SUCCESS, bytes(12), attributes=((0x20, value),))
    with pytest.raises(RemoteProtocolError):
        _ = stun.Message.parse(bytes(message)).mapped_address


@pytest.mark.parametrize(
    "message",
    [
        stun.Message(stun.MessageClass.REQUEST, b"short"),
        stun.Message(stun.MessageClass.REQUEST, bytes(12), method=4096),
        stun.Message(stun.MessageClass.REQUEST, bytes(12), attributes=((1, bytes(65533)),)),
    ],
)
def test_refuses_to_write_what_does_not_fit(message: stun.Message) -> None:
    with pytest.raises(LocalProtocolError):
        bytes(message)


MESSAGES = st.builds(
    stun.Message,
    st.sampled_from(stun.MessageClass),
    st.binary(min_size=12, max_size=12),
    st.integers(0, 0xFFF),
    st.lists(st.tuples(st.integers(0, 0x8027), st.binary(max_size=20)), max_size=8).map(tuple),
)


@given(MESSAGES, st.booleans())
def test_round_trips(message: stun.Message, has_fingerprint: bool) -> None:
    assert stun.Message.parse(message.to_bytes(has_fingerprint=has_fingerprint)) == message


@given(
    st.builds(
        lambda kind, body: kind + len(body).to_bytes(2, "big") + bytes.fromhex("2112a442") + bytes(12) + body,
        st.binary(min_size=2, max_size=2),
        st.lists(
            st.one_of(
                st.binary(min_size=4, max_size=4),
                st.sampled_from([b"\x00\x20\x00\x08", b"\x80\x28\x00\x04", b"\0\1\0\0"]),
            ),
            max_size=8,
        ).map(b"".join),
    )
)
def test_only_the_protocol_error_leaves(data: bytes) -> None:
    try:
        message = stun.Message.parse(data)
        _ = message.mapped_address
    except RemoteProtocolError:
        return
    assert bytes(message.success(("192.0.2.1", 1)))
    assert stun.Message.parse(bytes(message)) == message
