"""What two phones hear of each other through the relay."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from switchroom.switch.media import MediaPlane

from .phones import Call, Phone, receiver_report, rtp, wait_for


def test_both_hear_each_other(plane: MediaPlane, a: Phone, b: Phone) -> None:
    Call(plane, a, b).set_up()
    a.say(rtp(1))
    b.say(rtp(2))
    assert b.hear() == rtp(1)
    assert a.hear() == rtp(2)


def test_what_is_sent_comes_from_the_advertised_port(plane: MediaPlane, a: Phone, b: Phone) -> None:
    Call(plane, a, b).set_up()
    a.say(rtp(1))
    assert b.rtp.recvfrom(2048)[1] == b.media


def test_a_burst_larger_than_a_batch_arrives_in_order(plane: MediaPlane, a: Phone, b: Phone) -> None:
    Call(plane, a, b).set_up()
    packets = [rtp(seq) for seq in range(100)]
    a.say(*packets)
    assert b.hear_until(packets[-1]) == packets


def test_rtcp_goes_from_port_to_port(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    a.rtcp.sendto(receiver_report(), a.control)
    assert b.rtcp.recv(2048) == receiver_report()
    assert call.session.report().streams[0].counters.rtcp_packets == 1


def test_rtcp_goes_to_the_signalled_port(plane: MediaPlane, a: Phone, b: Phone) -> None:
    Call(plane, a, b).set_up(answer=b.describe(f"a=rtcp:{b.port} IN IP4 {b.host}"))
    a.rtcp.sendto(receiver_report(), a.control)
    assert b.rtp.recv(2048) == receiver_report()


@pytest.mark.parametrize("who", ["both", "a", "none"])
def test_rtcp_mux_on_each_leg_by_itself(plane: MediaPlane, a: Phone, b: Phone, who: str) -> None:
    call = Call(plane, a, b)
    mux = ("a=rtcp-mux",)
    offer = a.describe(*(mux if who != "none" else ()))
    call.set_up(offer, b.describe(*(mux if who == "both" else ())))
    a_socket = a.rtp if who != "none" else a.rtcp
    b_socket = b.rtp if who == "both" else b.rtcp
    a_socket.sendto(receiver_report(1), a.control)
    assert b_socket.recv(2048) == receiver_report(1)
    b_socket.sendto(receiver_report(2), b.control if who == "both" else (b.media[0], b.media[1] + 1))
    assert a_socket.recv(2048) == receiver_report(2)
    a.say(rtp(1))
    assert b.hear() == rtp(1)


def test_legs_of_different_families(plane: MediaPlane, a: Phone, phone: Callable[[str], Phone]) -> None:
    six = phone("::1")
    Call(plane, a, six).set_up()
    assert six.media[0] == "::1"
    a.say(rtp(1))
    assert six.hear() == rtp(1)
    six.say(rtp(2))
    assert a.hear() == rtp(2)


def test_packets_are_marked_expedited(plane: MediaPlane, a: Phone, b: Phone) -> None:
    b.rtp.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    Call(plane, a, b).set_up()
    a.say(rtp(1))
    ancillary = b.rtp.recvmsg(2048, 64)[1]
    assert [data[0] >> 2 for _, kind, data in ancillary if kind == socket.IP_TOS] == [46]


def test_video_is_relayed_untouched_beside_sound(
    plane: MediaPlane, a: Phone, b: Phone, phone: Callable[[str], Phone]
) -> None:
    call = Call(plane, a, b)
    a_video, b_video = phone(a.host), phone(b.host)
    lines = ("m=video {} RTP/AVP 96", "a=rtpmap:96 H264/90000")
    offer = a.describe(*(line.format(a_video.port) for line in lines))
    answer = b.describe(*(line.format(b_video.port) for line in lines))
    b_video.obey(call.session.offer(call.a_leg, call.b_leg, offer), 1)
    a_video.obey(call.session.answer(call.b_leg, call.a_leg, answer), 1)
    frame = rtp(1, payload_type=96, size=1400)
    a_video.say(frame, rtp(2, payload_type=97, ssrc=99))  # a second source, as for retransmissions
    assert b_video.hear() == frame
    assert b_video.hear() == rtp(2, payload_type=97, ssrc=99)


def test_fax_over_udptl_is_relayed_without_a_look_inside(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b)
    text = "v=0\r\no=- 1 1 IN IP4 {0.host}\r\nc=IN IP4 {0.host}\r\nt=0 0\r\nm=image {0.port} udptl t38\r\n"
    call.set_up(text.format(a).encode(), text.format(b).encode())
    a.say(b"\x00\x01any octets")
    assert b.hear() == b"\x00\x01any octets"


def test_dtls_passes_beside_secured_rtp(plane: MediaPlane, a: Phone, b: Phone) -> None:
    plane.guard.missing = "no libcrypto"  # else it would end here

    def secured(phone: Phone) -> bytes:
        return phone.describe("a=fingerprint:sha-256 AB", "a=setup:actpass").replace(
            b"RTP/AVP", b"UDP/TLS/RTP/SAVP"
        )

    Call(plane, a, b).set_up(secured(a), secured(b))
    hello = b"\x16\xfe\xff" + bytes(60)
    padded = bytes([0xA0]) + rtp(5)[1:]  # padded, by an octet that is encrypted: nobody here can judge it
    a.say(hello, padded)
    assert b.hear() == hello
    assert b.hear() == padded


def test_nothing_passes_after_the_end(plane: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    call = Call(plane, a, b).set_up()
    a.say(rtp(1))
    b.hear()
    call.session.close()
    before = plane.counters()["dropped_unlinked"]
    a.say(rtp(2))
    wait_for(lambda: plane.counters()["dropped_unlinked"] > before)
    other = Call(plane, third, b).set_up()  # the next call has the same ports; b hears only the new one
    third.say(rtp(3, ssrc=3))
    assert b.hear() == rtp(3, ssrc=3)
    assert other.session.report().a.packets == 1


def test_a_phone_that_moves_by_signalling_is_heard_at_once(
    plane: MediaPlane, a: Phone, b: Phone, phone: Callable[[str], Phone]
) -> None:
    call = Call(plane, a, b).set_up()
    moved = phone(a.host)
    b.obey(call.session.offer(call.a_leg, call.b_leg, moved.describe()))
    moved.obey(call.session.answer(call.b_leg, call.a_leg, b.describe()))
    moved.say(rtp(1))
    assert b.hear() == rtp(1)
    b.say(rtp(2))
    assert moved.hear() == rtp(2)


def test_an_idle_engine_sleeps(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    a.say(rtp(1))
    b.hear()
    call.session.close()
    wakes = plane.counters()["wakes"]
    for _ in range(3):  # time passes for another call's socket only
        b.rtp.settimeout(0.05)
        with pytest.raises(TimeoutError):
            b.hear()
    assert plane.counters()["wakes"] - wakes <= 3
