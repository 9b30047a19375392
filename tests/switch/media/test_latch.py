"""Nobody but the two phones of a call is heard or sent to; THREATS A1, A2, C10, C11."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane
from switchroom.switch.media._engine import Engine, Stream
from switchroom.switch.media.stream import DROP_REASONS
from switchroom.switch.media.targets import is_hidden, target_host

from .conftest import local_for
from .phones import Call, Phone, bye, receiver_report, rtp, wait_for


@pytest.fixture(params=[True, False], ids=["one socket", "port by port"])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[MediaPlane]:
    """One of either kind; where there is no right to one socket both are the same."""
    config = MediaConfig(ports="22000-27999", transcode=[], one_socket=request.param)
    plane = MediaPlane(config, local_for, lambda session: None, quarantine=0.0)
    plane.start(asyncio.get_running_loop())
    yield plane
    plane.stop()


PRIVATE = "10.1.2.3"  # what a phone behind a NAT believes to be its address


def heard_nothing(phone: Phone) -> bool:
    for each in (phone.rtp, phone.rtcp):
        each.setblocking(False)
        try:
            each.recv(2048)
        except BlockingIOError:
            continue
        return False
    return True


def has_seen(call: Call, count: int) -> bool:
    return sum(call.dropped().values()) + call.session.report().a.packets == count


@pytest.mark.parametrize("is_nat", [False, True])
def test_an_established_call_cannot_be_injected_into_or_bled(
    plane: MediaPlane, a: Phone, b: Phone, third: Phone, is_nat: bool
) -> None:
    """A1: 802 packets of a third address, which rtpengine's default relays: none arrives, none leaves."""
    call = Call(plane, a, b, a_is_nat=is_nat, b_is_nat=is_nat).set_up()
    heard: list[bytes] = []
    for seq in range(802):
        third.rtp.sendto(rtp(seq, ssrc=666), a.media)
        third.rtp.sendto(rtp(seq, ssrc=0xABCD), a.media)  # knows the SSRC too
        if seq % 8 == 0:
            a.say(rtp(seq))
            b.say(rtp(seq))
            heard += b.hear_until(rtp(seq))
            a.hear_until(rtp(seq))
    assert heard == [rtp(seq) for seq in range(0, 802, 8)]  # no loss, nothing else
    assert heard_nothing(third)
    wait_for(lambda: call.dropped()["source"] == 1604)


def test_the_race_at_the_start_cannot_be_won_from_elsewhere(
    plane: MediaPlane, a: Phone, b: Phone, third: Phone
) -> None:
    """A1's harder case: the attacker is first, on a leg that may be learnt; 0 pass (10 are allowed)."""
    call = Call(plane, a, b, a_is_nat=True).set_up(a.describe(host=PRIVATE))
    for seq in range(20):
        third.rtp.sendto(rtp(seq, ssrc=666), a.media)
        third.rtp.sendto(receiver_report(666), a.media)
    wait_for(lambda: call.dropped()["source"] + call.dropped()["malformed"] == 40)
    b.say(rtp(7))  # nobody is known yet on that leg: it is sent nowhere
    wait_for(lambda: call.dropped(1)["unsent"] == 1)
    a.say(rtp(1))
    assert b.hear() == rtp(1)
    b.say(rtp(8))
    assert a.hear() == rtp(8)
    assert heard_nothing(third)


def test_a_leg_that_is_not_behind_a_nat_is_never_learnt(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up(a.describe(port=a.port + 200))
    a.say(rtp(1))
    wait_for(lambda: call.dropped()["source"] == 1)
    assert heard_nothing(b)


def test_a_leg_is_learnt_once_and_then_pinned(
    plane: MediaPlane, a: Phone, b: Phone, phone: Callable[[str], Phone]
) -> None:
    call = Call(plane, a, b, a_is_nat=True).set_up(a.describe(host=PRIVATE))
    neighbour = phone(a.host)  # behind the same NAT
    a.say(rtp(1))
    assert b.hear() == rtp(1)
    neighbour.rtp.sendto(rtp(2, ssrc=2), a.media)
    wait_for(lambda: call.dropped()["source"] == 1)
    b.say(rtp(3))
    assert a.hear() == rtp(3)
    assert heard_nothing(neighbour)


def test_signalling_allows_learning_anew(
    plane: MediaPlane, a: Phone, b: Phone, phone: Callable[[str], Phone]
) -> None:
    call = Call(plane, a, b, a_is_nat=True).set_up(a.describe(host=PRIVATE))
    a.say(rtp(1))
    assert b.hear() == rtp(1)
    call.set_up(a.describe(host=PRIVATE))  # the NAT gave it another port meanwhile
    again = phone(a.host)
    again.rtp.sendto(rtp(2), a.media)
    assert b.hear() == rtp(2)
    b.say(rtp(3))
    assert again.hear() == rtp(3)


def test_a_renegotiation_keeps_what_was_learnt_until_something_new_is_heard(
    plane: MediaPlane, a: Phone, b: Phone
) -> None:
    call = Call(plane, a, b, a_is_nat=True).set_up(a.describe(host=PRIVATE))
    a.say(rtp(1))
    b.hear()
    call.set_up(a.describe("a=sendonly", host=PRIVATE), b.describe("a=recvonly"))
    b.say(rtp(2))
    assert a.hear() == rtp(2)


def test_the_signalled_address_outranks_a_learnt_one(
    plane: MediaPlane, a: Phone, b: Phone, phone: Callable[[str], Phone]
) -> None:
    call = Call(plane, a, b, a_is_nat=True).set_up()
    neighbour = phone(a.host)
    neighbour.rtp.sendto(rtp(1, ssrc=2), a.media)
    assert b.hear() == rtp(1, ssrc=2)
    a.say(rtp(2))
    assert b.hear() == rtp(2)
    neighbour.rtp.sendto(rtp(3, ssrc=2), a.media)
    wait_for(lambda: call.dropped()["source"] == 1)


def test_the_ssrc_of_a_learnt_leg_is_pinned(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b, a_is_nat=True).set_up(a.describe(host=PRIVATE))
    a.say(rtp(1), rtp(2, ssrc=2), rtp(3))
    assert b.hear_until(rtp(3)) == [rtp(1), rtp(3)]
    assert call.dropped()["ssrc"] == 1


def test_rtcp_of_a_third_address_is_not_relayed(plane: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    """A2, with the address that counts for RTP."""
    call = Call(plane, a, b).set_up()
    third.rtcp.sendto(bye(), a.control)
    third.rtcp.sendto(receiver_report(), a.control)
    a.rtcp.sendto(receiver_report(5), a.control)
    assert b.rtcp.recv(2048) == receiver_report(5)
    assert call.dropped()["source"] == 2
    assert heard_nothing(third)


def test_rtcp_of_a_nat_leg_is_learnt_from_its_host_only(
    plane: MediaPlane, a: Phone, b: Phone, third: Phone
) -> None:
    Call(plane, a, b, a_is_nat=True).set_up(a.describe(host=PRIVATE))
    third.rtcp.sendto(receiver_report(666), a.control)
    a.rtcp.sendto(receiver_report(1), a.control)
    assert b.rtcp.recv(2048) == receiver_report(1)
    b.rtcp.sendto(receiver_report(2), b.control)
    assert a.rtcp.recv(2048) == receiver_report(2)


@pytest.mark.parametrize(
    "forged", [bye(), b"\x80\xcb\x00\x00", b"\x81\xc8\x00\x06"], ids=["bye", "4 octets", "short sr"]
)
def test_a_forged_bye_ends_nothing(
    plane: MediaPlane, a: Phone, b: Phone, third: Phone, forged: bytes
) -> None:
    """A2: also from the right address a BYE is only passed on."""
    Call(plane, a, b).set_up()
    for target in (a.media, a.control):
        third.rtcp.sendto(forged, target)
        a.rtcp.sendto(forged, target)
    a.say(rtp(1))
    assert b.hear() == rtp(1)
    b.say(rtp(2))
    assert a.hear() == rtp(2)


def test_nothing_on_a_media_port_is_answered(plane: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    """C10: 68 datagrams with and without STUN; rtpengine's default sent as many back."""
    call = Call(plane, a, b, a_is_nat=True, b_is_nat=True).set_up(a.describe(host=PRIVATE))
    stun = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
    for _ in range(34):
        third.rtp.sendto(stun, a.media)
        third.rtcp.sendto(rtp(1), a.control)
    wait_for(lambda: sum(call.dropped().values()) == 68)
    assert heard_nothing(third)


@pytest.mark.parametrize(
    "host",
    [
        *("0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.169.254", "224.0.1.1", "239.1.1.1"),
        *("255.255.255.255", "240.0.0.1", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:224.0.0.1"),
        *("phone.example", "", "1.2.3"),
    ],
)
def test_no_media_for_addresses_that_mean_ourselves(host: str) -> None:
    """C11: as they may come in an SDP from outside."""
    assert target_host(host, "192.0.2.7", "192.0.2.1") is None


@pytest.mark.parametrize(
    "host",
    ["::", "::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::7f00:1", "::ffff:192.0.2.9", "192.0.2.9"],
)
def test_no_media_for_such_addresses_of_ipv6(host: str) -> None:
    assert target_host(host, "2001:db8::7", "2001:db8::1") is None


@pytest.mark.parametrize(
    ("host", "toward", "local", "expected"),
    [
        ("192.0.2.9", "192.0.2.7", "192.0.2.1", "192.0.2.9"),
        ("::ffff:192.0.2.9", "192.0.2.7", "192.0.2.1", "192.0.2.9"),
        ("127.0.0.5", "127.0.0.1", "127.0.0.1", "127.0.0.5"),
        ("169.254.3.4", "169.254.3.4", "169.254.0.1", "169.254.3.4"),
        ("2001:DB8::9", "2001:db8::7", "2001:db8::1", "2001:db8::9"),
        ("fe80::9", "fe80::7%lo", "fe80::1", "fe80::9%lo"),
    ],
)
def test_media_for_addresses_that_may_be_a_phone(host: str, toward: str, local: str, expected: str) -> None:
    assert target_host(host, toward, local) == expected


@pytest.mark.parametrize(
    ("host", "toward", "expected"),
    [
        ("10.0.0.5", "198.51.100.7", True),
        ("100.64.1.1", "198.51.100.7", True),
        ("fd00::5", "2001:db8::7", True),
        ("phone.example", "198.51.100.7", True),
        ("10.0.0.5", "10.9.9.9", False),
        ("10.0.0.5", "127.0.0.1", False),
        ("203.0.113.5", "198.51.100.7", False),
        ("203.0.113.5", "10.0.0.7", False),
        ("0.0.0.0", "198.51.100.7", False),
    ],
)
def test_a_leg_whose_own_address_cannot_be_seen_may_be_learnt(host: str, toward: str, expected: bool) -> None:
    """A phone that rewrote its Contact but not its SDP looks as if there were no NAT."""
    assert is_hidden(host, toward) is expected


@pytest.mark.parametrize("host", ["0.0.0.0", "255.255.255.255", "224.0.1.1", "169.254.1.1"])
def test_a_call_with_such_an_address_sends_nothing(plane: MediaPlane, a: Phone, b: Phone, host: str) -> None:
    """C11 on the wire: the engine has nobody to send to."""
    call = Call(plane, a, b).set_up(a.describe(host=host))
    b.say(rtp(1))
    wait_for(lambda: call.dropped(1)["unsent"] == 1)
    assert plane.counters()["packets"] == 0


def test_calls_never_meet_when_a_pair_moves_on(plane: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    """A leg whose partner was given back must not reach the call that has those ports now."""
    one = Call(plane, a, b).set_up()
    stream = one.session.report().streams[0]
    assert stream.counters.packets == 0
    one.session.drop(one.b_leg)
    two = Call(plane, third, b).set_up()
    a.say(rtp(1))
    third.say(rtp(2, ssrc=2))
    assert b.hear() == rtp(2, ssrc=2)
    assert two.session.report().a.packets == 1


def test_a_flood_from_the_right_address_is_cut(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """A thousand packets a second is far more than sound needs; a loop through the switch ends there, too."""
    call = Call(plane, a, b).set_up()
    for seq in range(0, 1300, 50):
        a.say(*[rtp(n) for n in range(seq, seq + 50)])
        wait_for(partial(has_seen, call, seq + 50))
    assert call.dropped()["rate"] >= 299


def test_after_five_packets_nothing_is_learnt(
    plane: MediaPlane, a: Phone, b: Phone, phone: Callable[[str], Phone]
) -> None:
    call = Call(plane, a, b, a_is_nat=True).set_up()
    neighbour = phone(a.host)
    for seq in range(5):
        neighbour.rtp.sendto(rtp(seq, ssrc=2), a.media)
        b.hear()
    a.say(rtp(9))  # even the signalled address comes too late
    wait_for(lambda: call.dropped()["source"] == 1)


def test_ends_of_different_calls_never_meet(phone: Callable[[str], Phone]) -> None:
    """In the engine itself: a stale link to a pair that serves another call by now leads nowhere."""
    one, two = phone("127.0.0.2"), phone("127.0.0.3")
    engine = Engine(4)
    engine.start()
    port = 29900
    for index, (call, there) in enumerate(((1, one), (2, two))):
        engine.open(index, "127.0.0.1", port + 2 * index, 46)
        address = (there.host, there.port)
        engine.program(
            index, Stream(peer=1 - index, call=call, generation=call, home=there.host, rtp=address)
        )
    one.rtp.sendto(rtp(1), ("127.0.0.1", port))
    wait_for(lambda: engine.read(0, 1).packets == 1)
    wait_for(lambda: dict(zip(DROP_REASONS, engine.read(0, 1).dropped, strict=True))["unlinked"] == 1)
    assert heard_nothing(two)
    engine.stop()
