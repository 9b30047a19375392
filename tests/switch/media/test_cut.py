"""Both twins cut what phones say at the same places."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests import twins

HEAD, TAIL = b"v=0\r\no=- 7 8 IN IP4 ", b"10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio "
TYPES = b" RTP/AVP 0\r\na=sendrecv\r\n"


@pytest.fixture(params=twins.VARIANTS)
def one(request: pytest.FixtureRequest) -> ModuleType:
    return twins.load("switchroom.switch.media.cut", "_cut", request.param)


@pytest.mark.parametrize("port", [b"1", b"4000", b"65534"])
def test_what_differs_is_the_beginning_and_the_port(one: ModuleType, port: bytes) -> None:
    assert one.cut(HEAD + TAIL + port + TYPES) == (TAIL + TYPES, int(port))
    assert one.cut(HEAD.replace(b"- 7 8", b"me 123456789012345678 9") + TAIL + port + TYPES) == (
        TAIL + TYPES,
        int(port),
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"v=0\r\n",
        HEAD,
        HEAD + TAIL,
        HEAD + TAIL + b"4000",
        HEAD + b"m=audio 4000" + TYPES,
        HEAD.replace(b"IP4", b"IP6") + TAIL + b"4000" + TYPES,
        HEAD.replace(b"- 7", b"- x") + TAIL + b"4000" + TYPES,
        HEAD.replace(b"- 7", b" 7") + TAIL + b"4000" + TYPES,
        HEAD.replace(b"-", b"\xc3\xa4") + TAIL + b"4000" + TYPES,
        HEAD.replace(b"-", 65 * b"n") + TAIL + b"4000" + TYPES,
        HEAD.replace(b"7", 19 * b"7") + TAIL + b"4000" + TYPES,
        *[HEAD + TAIL + port + TYPES for port in (b"", b"0", b"04000", b"65535", b"400000", b"-4", b"4/2")],
    ],
)
def test_what_is_not_usual_is_not_cut(one: ModuleType, data: bytes) -> None:
    assert one.cut(data) is None


def test_all_beginnings_are_cut_alike() -> None:
    plain, quick = (twins.load("switchroom.switch.media.cut", "_cut", one) for one in twins.VARIANTS)
    whole = HEAD + TAIL + b"4000" + TYPES
    assert all(plain.cut(whole[:size]) == quick.cut(whole[:size]) for size in range(len(whole) + 1))


@pytest.mark.parametrize("numbers", [(0, 0), (7, 7), (10**18, 2**63), (2**64 - 1, 9)])
@pytest.mark.parametrize("port", [0, 9, 65534])
def test_a_description_is_put_together(one: ModuleType, numbers: tuple[int, int], port: int) -> None:
    origin = ("-", *numbers, "IP6", "2001:db8::1")
    assert one.put(origin, "192.0.2.1", b"\r\nt=0 0\r\nm=audio ", port, TYPES) == (
        b"v=0\r\no=- %d %d IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 192.0.2.1\r\nt=0 0\r\nm=audio %d"
        % (*numbers, port)
        + TYPES
    )


@pytest.mark.parametrize("size", [1, 255])
def test_a_long_name_has_room(one: ModuleType, size: int) -> None:
    origin = (size * "n", 2**64 - 1, 2**64 - 1, "IP4", size * "h")
    assert one.put(origin, size * "h", b"", 1, b"").count(b"h") == 2 * size


def test_what_has_no_room_is_refused() -> None:
    quick = twins.load("switchroom.switch.media.cut", "_cut", twins.VARIANTS[-1])
    with pytest.raises(ValueError, match="1,000 octets"):
        quick.put(("-", 1, 1, "IP4", 2000 * "h"), "h", b"", 1, b"")
