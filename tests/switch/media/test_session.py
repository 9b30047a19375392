"""Offers and answers over the life of a call: forks, hold, glare, lines that come and go."""

from __future__ import annotations

import pytest

from switchroom.protocols import sdp
from switchroom.protocols.errors import LocalProtocolError
from switchroom.switch.media import MediaPlane

from .phones import Call, Phone, rtp, wait_for

VIDEO = ("m=video {} RTP/AVP 96", "a=rtpmap:96 H264/90000")


def video(port: int) -> tuple[str, str]:
    return VIDEO[0].format(port), VIDEO[1]


def ports(description: bytes) -> list[int]:
    return [media.port for media in sdp.Description.parse(description).media]


def hears(listener: Phone, speaker: Phone, seq: int) -> bool:
    speaker.say(rtp(seq, ssrc=seq))
    return listener.hear() == rtp(seq, ssrc=seq)


def test_an_offer_in_the_200_and_the_answer_in_the_ack(plane: MediaPlane, a: Phone, b: Phone) -> None:
    session = plane.session("offerless")
    a_leg, b_leg = session.leg(toward=a.host, is_nat=False), session.leg(toward=b.host, is_nat=False)
    a.obey(session.offer(b_leg, a_leg, b.describe()))
    session.confirm()
    b.obey(session.answer(a_leg, b_leg, a.describe()))
    assert hears(b, a, 1)
    assert hears(a, b, 2)
    report = session.close()
    assert (report.a.packets, report.b.packets) == (1, 1)


@pytest.mark.parametrize("holder", ["a", "b"])
def test_hold_and_resume_from_either_side(plane: MediaPlane, a: Phone, b: Phone, holder: str) -> None:
    call = Call(plane, a, b).set_up()
    legs = (call.a_leg, call.b_leg, a, b) if holder == "a" else (call.b_leg, call.a_leg, b, a)
    source, target, phone, other = legs
    for hold, held in (
        ("a=sendonly", "a=recvonly"),
        ("a=sendrecv", "a=sendrecv"),
        ("a=inactive", "a=inactive"),
    ):
        offer = call.session.offer(source, target, phone.describe(hold))
        assert sdp.Description.parse(offer).media[0].direction == hold[2:]
        answer = call.session.answer(target, source, other.describe(held))
        assert sdp.Description.parse(answer).media[0].direction == held[2:]
        assert (ports(offer), ports(answer)) == ([other.media[1]], [phone.media[1]])  # the ports stay
        assert hears(other, phone, 5)  # music on hold


def test_the_null_address_stops_what_is_sent(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    call.set_up(a.describe(host="0.0.0.0"), b.describe("a=recvonly"))
    b.say(rtp(1))
    wait_for(lambda: call.dropped(1)["unsent"] == 1)
    call.set_up()
    assert hears(a, b, 2)


def test_forks_have_ports_of_their_own_and_the_last_answer_is_heard(
    plane: MediaPlane, a: Phone, b: Phone, third: Phone
) -> None:
    session = plane.session("fork")
    caller, one, two = (session.leg(toward=host, is_nat=False) for host in (a.host, b.host, third.host))
    b.obey(session.offer(caller, one, a.describe()))
    third.obey(session.offer(caller, two, a.describe()))
    assert b.media != third.media
    a.obey(session.answer(one, caller, b.describe()))  # early media of one
    assert hears(a, b, 1)
    a.obey(session.answer(two, caller, third.describe()))  # then of the other
    assert hears(a, third, 2)
    assert hears(third, a, 3)
    b.say(rtp(4))
    wait_for(lambda: plane.counters()["dropped_unlinked"] == 1)
    a.obey(session.answer(one, caller, b.describe()))  # one is the winner
    session.drop(two)
    session.confirm()
    assert hears(a, b, 5)
    assert hears(b, a, 6)
    assert plane.ports_in_use == 4
    report = session.close()
    assert report.b.packets == 2  # what the winner said while it was heard


def test_the_loser_who_spoke_last_gives_way(plane: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    """The winner's 200 has no SDP, because its 183 had it: dropping the other fork is all that happens."""
    session = plane.session("fork")
    caller, one, two = (session.leg(toward=host, is_nat=False) for host in (a.host, b.host, third.host))
    b.obey(session.offer(caller, one, a.describe()))
    third.obey(session.offer(caller, two, a.describe()))
    a.obey(session.answer(one, caller, b.describe()))
    a.obey(session.answer(two, caller, third.describe()))
    session.drop(two)
    assert hears(a, b, 1)
    assert hears(b, a, 2)


def test_dropping_a_silent_fork_disturbs_nobody(plane: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    call = Call(plane, a, b)
    fork = call.session.leg(toward=third.host, is_nat=False)
    call.session.offer(call.a_leg, fork, a.describe())
    call.set_up()
    call.session.drop(fork)
    assert hears(b, a, 1)
    assert plane.ports_in_use == 4


def test_an_answer_that_is_repeated_changes_nothing(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """183 and 200 with the same SDP: what was learnt in between stays pinned."""
    call = Call(plane, a, b, b_is_nat=True)
    call.session.offer(call.a_leg, call.b_leg, a.describe())
    hidden = b.describe(host="10.0.0.1")
    first = call.session.answer(call.b_leg, call.a_leg, hidden)
    b.media = ("127.0.0.1", ports(bytes(call.b_leg.sent))[0])
    b.say(rtp(1))
    a.hear()
    assert call.session.answer(call.b_leg, call.a_leg, hidden) == first
    with Phone(b.host) as neighbour:
        neighbour.rtp.sendto(rtp(2), b.media)
        wait_for(lambda: call.dropped(1)["source"] == 1)


def test_a_rejected_offer_leaves_everything_as_it_was(
    plane: MediaPlane, a: Phone, b: Phone, third: Phone
) -> None:
    call = Call(plane, a, b).set_up()
    before = plane.ports_in_use
    call.session.offer(call.a_leg, call.b_leg, third.describe(*video(9000)))
    assert plane.ports_in_use == before + 4
    call.session.reject(call.a_leg, call.b_leg)
    assert plane.ports_in_use == before
    assert hears(b, a, 1)
    assert hears(a, b, 2)
    with pytest.raises(LocalProtocolError):
        call.session.answer(call.b_leg, call.a_leg, b.describe())


def test_glare_offers_of_both_and_both_rejected(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    call.session.offer(call.a_leg, call.b_leg, a.describe("a=sendonly"))
    call.session.offer(call.b_leg, call.a_leg, b.describe("a=sendonly"))
    call.session.reject(call.b_leg, call.a_leg)
    call.session.reject(call.a_leg, call.b_leg)
    assert hears(b, a, 1)
    call.set_up()
    assert hears(a, b, 2)


def test_lines_are_added_removed_and_added_again(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    session, sound = call.session, plane.ports_in_use
    with Phone(a.host) as a_video, Phone(b.host) as b_video:
        for _ in range(2):
            offer = session.offer(call.b_leg, call.a_leg, b.describe(*video(b_video.port)))
            answer = session.answer(call.a_leg, call.b_leg, a.describe(*video(a_video.port)))
            a_video.obey(offer, 1)
            b_video.obey(answer, 1)
            assert hears(b_video, a_video, 1)
            assert plane.ports_in_use == 2 * sound
            offer = session.offer(call.a_leg, call.b_leg, a.describe(*video(0)))
            assert ports(offer)[1] == 0
            assert ports(session.answer(call.b_leg, call.a_leg, b.describe(*video(0))))[1] == 0
            assert plane.ports_in_use == sound
            assert hears(b, a, 2)
    report = session.close()
    assert (report.a.packets, report.b.packets) == (4, 0)  # removed lines count, too
    assert plane.ports_in_use == 0


def test_a_second_answer_that_takes_back_a_refusal_does_no_harm(
    plane: MediaPlane, a: Phone, b: Phone
) -> None:
    call = Call(plane, a, b)
    call.session.offer(call.a_leg, call.b_leg, a.describe(*video(9000)))
    assert ports(call.session.answer(call.b_leg, call.a_leg, b.describe(*video(0))))[1] == 0
    again = call.session.answer(call.b_leg, call.a_leg, b.describe(*video(9100)))
    assert ports(again)[1] == 0  # its ports were given back: the line stays refused
    assert call.session.report().codecs[0] == "PCMU/8000"
    call.session.close()
    assert plane.ports_in_use == 0


def test_a_re_offer_without_ports_left_keeps_the_call(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b).set_up()
    with pytest.raises(LocalProtocolError):
        call.session.answer(call.a_leg, call.b_leg, a.describe())  # nobody offered to a
    assert hears(b, a, 1)


def test_codecs_of_the_report(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b)
    call.set_up(a.describe(*video(9000)), b.describe(*video(9100), formats="101 8 0"))
    assert call.session.report().codecs == ("PCMA/8000", "H264/90000")
    assert [stream.kind for stream in call.session.report().streams] == ["audio", "video", "audio", "video"]


def test_closing_twice_and_an_empty_session(plane: MediaPlane) -> None:
    session = plane.session("nothing")
    session.leg(toward="127.0.0.2", is_nat=False)
    assert session.close() == session.close()
    assert plane.session_count == 0
