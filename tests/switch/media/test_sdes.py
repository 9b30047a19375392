"""SRTP with keys in the descriptions, on either leg and on both; RFC 4568, THREATS A4 and A6."""

from __future__ import annotations

import asyncio
import os

import numpy as np
import pytest

from switchroom.codecs import find
from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.srtp import SUITES, Crypto, read_cryptos
from switchroom.switch.media import MediaPlane, Policy, export_media
from switchroom.switch.media.clips import Tone
from tests.switch.calls.script.handset import pitches

from .phones import Call, Phone, receiver_report, rtp, wait_for
from .secured import PROFILES, SecurePhone

CM = "AES_CM_128_HMAC_SHA1_80"
GCM = "AEAD_AES_256_GCM"


def media_of(description: bytes) -> sdp.Media:
    return sdp.Description.parse(description).media[0]


def set_up(call: Call, a: SecurePhone, b: SecurePhone) -> None:
    """A secured call: who is called takes the first line that it knows."""
    offer = call.session.offer(call.a_leg, call.b_leg, a.describe())
    taken = b.obey(offer)
    b.keys = {taken.suite: b.keys[taken.suite]}
    a.obey(call.session.answer(call.b_leg, call.a_leg, b.describe(tag=taken.tag)))
    call.session.confirm()


@pytest.mark.parametrize("suite", sorted(PROFILES))
def test_a_secured_phone_talks_to_a_plain_one(plane: MediaPlane, a: Phone, b: Phone, suite: str) -> None:
    call, caller = Call(plane, a, b), SecurePhone(a, suite)
    offer = call.session.offer(call.a_leg, call.b_leg, caller.describe())
    assert media_of(offer).proto == "RTP/AVP"
    b.obey(offer)
    answer = call.session.answer(call.b_leg, call.a_leg, b.describe())
    assert media_of(answer).proto == "RTP/SAVP"
    caller.obey(answer)
    for seq in range(65_530, 65_540):  # over the rollover
        caller.say(rtp(seq))
        assert b.hear() == rtp(seq)
        b.say(rtp(seq, ssrc=9))
        assert caller.hear() == rtp(seq, ssrc=9)
    call.session.close()


@pytest.mark.parametrize(("one", "two"), [(CM, GCM), (GCM, CM), (CM, CM)])
def test_each_leg_has_keys_of_its_own(plane: MediaPlane, a: Phone, b: Phone, one: str, two: str) -> None:
    call, caller, callee = Call(plane, a, b), SecurePhone(a, one), SecurePhone(b, two, proto="RTP/AVP")
    set_up(call, caller, callee)
    for seq in range(5):
        caller.say(rtp(seq))
        assert callee.hear() == rtp(seq)
        callee.say(rtp(seq, ssrc=9))
        assert caller.hear() == rtp(seq, ssrc=9)
    report = call.session.close()
    assert [stream.security for stream in report.streams] == [f"SDES {one}", f"SDES {two}"]
    assert (report.a.secured, report.b.secured) == (f"SDES {one}", f"SDES {two}")


def test_rtcp_is_secured_as_well(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call, caller = Call(plane, a, b), SecurePhone(a, CM)
    b.obey(call.session.offer(call.a_leg, call.b_leg, caller.describe()))
    caller.obey(call.session.answer(call.b_leg, call.a_leg, b.describe()))
    a.rtcp.sendto(caller.sender.protect_rtcp(receiver_report()), a.control)
    assert b.rtcp.recv(2048) == receiver_report()
    b.rtcp.sendto(receiver_report(7), b.control)
    assert caller.receiver.unprotect_rtcp(a.rtcp.recv(2048)) == receiver_report(7)


def test_bad_packets_are_counted_and_change_nothing(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """Ten thousand forged packets from the right address: the call goes on without loss (THREATS A4)."""
    call, caller = Call(plane, a, b), SecurePhone(a, CM)
    b.obey(call.session.offer(call.a_leg, call.b_leg, caller.describe()))
    caller.obey(call.session.answer(call.b_leg, call.a_leg, b.describe()))
    forged = [rtp(seq) + os.urandom(10) for seq in range(200)]
    for seq in range(50):
        caller.phone.say(*forged)
        caller.say(rtp(seq))
        assert b.hear() == rtp(seq)
    assert call.dropped()["unauthentic"] == 50 * len(forged)
    repeated = caller.sender.protect(rtp(50))
    caller.phone.say(repeated, repeated)
    assert b.hear() == rtp(50)
    wait_for(lambda: call.dropped()["unauthentic"] == 50 * len(forged) + 1)


def test_clear_packets_do_not_pass_on_a_secured_leg(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call, caller = Call(plane, a, b), SecurePhone(a, CM)
    b.obey(call.session.offer(call.a_leg, call.b_leg, caller.describe()))
    caller.obey(call.session.answer(call.b_leg, call.a_leg, b.describe()))
    a.say(rtp(1))
    wait_for(lambda: call.dropped()["unauthentic"] == 1)
    caller.say(rtp(2))
    assert b.hear() == rtp(2)


def test_hold_and_resume_keep_the_keys(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call, caller, callee = Call(plane, a, b), SecurePhone(a, CM), SecurePhone(b, GCM, proto="RTP/AVP")
    set_up(call, caller, callee)
    before = media_of(call.a_leg.sent).get("crypto")
    for lines, answer in (("a=sendonly", "a=recvonly"), ("a=sendrecv", "a=sendrecv")):
        offer = call.session.offer(call.a_leg, call.b_leg, caller.describe(lines))
        [line] = read_cryptos(media_of(offer).get_all("crypto"))
        assert line.suite == GCM
        call.session.answer(call.b_leg, call.a_leg, callee.describe(answer, tag=line.tag))
        caller.say(rtp(5 if lines == "a=sendonly" else 6))
        assert callee.hear()[2:4] in (b"\0\5", b"\0\6")
    assert media_of(call.a_leg.sent).get("crypto") == before


async def test_music_on_hold_is_secured_as_the_leg_is(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call, caller, callee = Call(plane, a, b), SecurePhone(a, CM), SecurePhone(b, GCM, proto="RTP/AVP")
    plane.music.default = (Tone((700.0,), 1.0),)
    set_up(call, caller, callee)
    taken = callee.obey(call.session.offer(call.a_leg, call.b_leg, caller.describe("a=sendonly")))
    answer = callee.describe("a=recvonly", tag=taken.tag)
    caller.obey(call.session.answer(call.b_leg, call.a_leg, answer))
    await asyncio.sleep(0.2)
    caller.say(rtp(1))  # not heard
    decoder = find("PCMU").decoder()
    heard = [callee.hear() for _ in range(30)]
    assert len({packet[8:12] for packet in heard}) == 1
    assert 700 in pitches(np.concatenate([decoder.decode(packet[12:]) for packet in heard]), 8000)
    call.session.close()


def test_new_keys_in_a_new_offer(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call, caller = Call(plane, a, b), SecurePhone(a, CM)
    b.obey(call.session.offer(call.a_leg, call.b_leg, caller.describe()))
    caller.obey(call.session.answer(call.b_leg, call.a_leg, b.describe()))
    caller.say(rtp(1))
    b.hear()
    other = SecurePhone(a, GCM)
    call.session.offer(call.a_leg, call.b_leg, other.describe())
    other.obey(call.session.answer(call.b_leg, call.a_leg, b.describe()))
    other.say(rtp(2))
    assert b.hear() == rtp(2)
    caller.say(rtp(3))
    wait_for(lambda: call.dropped()["unauthentic"] == 1)


def test_two_lines_for_one_stream(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """SAVP and AVP side by side: the secured one is taken, where it may be."""
    for srtp, taken in (("accepted", 0), ("off", 1)):
        call, caller = Call(plane, a, b), SecurePhone(a, CM)
        call.a_leg.security.policy = Policy(srtp)
        offer = caller.describe() + f"m=audio {a.port} RTP/AVP 0\r\n".encode()
        for_b = sdp.Description.parse(call.session.offer(call.a_leg, call.b_leg, offer))
        assert [bool(line.port) for line in for_b.media] == [taken == 0, taken == 1]
        lines = [f"m=audio {b.port if i == taken else 0} RTP/AVP 0" for i in range(2)]
        head = b.describe().partition(b"m=")[0].decode()
        answer = (head + "\r\n".join(lines) + "\r\n").encode()
        for_a = sdp.Description.parse(call.session.answer(call.b_leg, call.a_leg, answer))
        assert [line.proto for line in for_a.media] == ["RTP/SAVP", "RTP/AVP"]
        assert [bool(line.port) for line in for_a.media] == [taken == 0, taken == 1]
        call.session.close()


# -- policy


def refuses(plane: MediaPlane, policy: Policy, offer: bytes, a: Phone, b: Phone) -> bool:
    session = plane.session("policy")
    one, two = (session.leg(toward=phone.host, is_nat=False) for phone in (a, b))
    one.security.policy = policy
    status = 0
    try:
        session.offer(one, two, offer)
    except RemoteProtocolError as error:
        status = error.status
    session.close()
    assert status in (0, 488)
    return status == 488


def test_what_a_policy_takes(plane: MediaPlane, a: Phone, b: Phone) -> None:
    secured, best_effort = SecurePhone(a, CM).describe(), SecurePhone(a, CM, proto="RTP/AVP").describe()
    verdicts = {
        srtp: [refuses(plane, Policy(srtp), offer, a, b) for offer in (a.describe(), best_effort, secured)]
        for srtp in ("off", "accepted", "offered", "required")
    }
    assert verdicts == {
        "off": [False, False, True],
        "accepted": [False, False, False],
        "offered": [False, False, False],
        "required": [True, False, False],
    }


@pytest.mark.parametrize(
    "line",
    [
        f"a=crypto:1 {CM} inline:short",
        "a=crypto:1 F8_128_HMAC_SHA1_80 inline:" + "A" * 40,
        f"a=crypto:1 {CM} inline:{'A' * 40} UNENCRYPTED_SRTP",
        f"a=crypto:1 {CM} inline:{'A' * 40} UNAUTHENTICATED_SRTP",
        f"a=crypto:1 {CM} inline:{'A' * 40} KDR=4",
    ],
)
def test_keys_that_protect_nothing_are_refused(plane: MediaPlane, a: Phone, b: Phone, line: str) -> None:
    offer = a.describe(line).replace(b"RTP/AVP", b"RTP/SAVP")
    assert refuses(plane, Policy("accepted"), offer, a, b)


def test_what_a_policy_offers(plane: MediaPlane, a: Phone, b: Phone) -> None:
    offers = {}
    for srtp in ("off", "accepted", "offered", "required"):
        for offer in (a.describe(), SecurePhone(a, CM).describe()):
            call = Call(plane, a, b)
            call.b_leg.security.policy = Policy(srtp)
            media = media_of(call.session.offer(call.a_leg, call.b_leg, offer))
            offers[srtp, b"SAVP" in offer] = (media.proto, len(media.get_all("crypto")))
            call.session.close()
    assert offers == {
        ("off", False): ("RTP/AVP", 0),
        ("off", True): ("RTP/AVP", 0),
        ("accepted", False): ("RTP/AVP", 0),
        ("accepted", True): ("RTP/AVP", 4),
        ("offered", False): ("RTP/AVP", 4),
        ("offered", True): ("RTP/AVP", 4),
        ("required", False): ("RTP/SAVP", 4),
        ("required", True): ("RTP/SAVP", 4),
    }


def test_an_offer_of_srtp_that_is_not_taken(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call = Call(plane, a, b)
    call.b_leg.security.policy = Policy("offered")
    call.set_up()
    a.say(rtp(1))
    assert b.hear() == rtp(1)
    assert [stream.security for stream in call.session.report().streams] == ["", ""]


def test_a_required_leg_never_gets_sound_in_the_clear(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """Neither by its answer nor by a later offer (THREATS A6)."""
    call, callee = Call(plane, a, b), SecurePhone(b, CM)
    call.b_leg.security.policy = Policy("required")
    offer = call.session.offer(call.a_leg, call.b_leg, a.describe())
    for answer in (b.describe(), callee.describe(tag=9), callee.describe(tag=1)):  # tag 1 is another suite
        with pytest.raises(RemoteProtocolError) as caught:
            call.session.answer(call.b_leg, call.a_leg, answer)
        assert caught.value.status == 488
    taken = callee.obey(offer)
    a.obey(call.session.answer(call.b_leg, call.a_leg, callee.describe(tag=taken.tag)))
    a.say(rtp(1))
    assert callee.hear() == rtp(1)
    with pytest.raises(RemoteProtocolError) as caught:
        call.session.offer(call.b_leg, call.a_leg, b.describe())
    assert caught.value.status == 488
    a.say(rtp(2))
    assert callee.hear() == rtp(2)


def test_forks_of_a_secured_caller(plane: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    """The caller's stream goes on where it was, whichever fork hears it."""
    session = plane.session("fork")
    caller = SecurePhone(a, CM)
    leg, one, two = (session.leg(toward=host, is_nat=False) for host in (a.host, b.host, third.host))
    b.obey(session.offer(leg, one, caller.describe()))
    third.obey(session.offer(leg, two, caller.describe()))
    first = caller.obey(session.answer(one, leg, b.describe()))
    for seq in range(65_500, 65_540):
        caller.say(rtp(seq))
        assert b.hear() == rtp(seq)
    again = read_cryptos(media_of(session.answer(two, leg, third.describe())).get_all("crypto"))
    assert again == (first,)
    caller.say(rtp(65_540))
    assert third.hear() == rtp(65_540)
    third.say(rtp(1, ssrc=3))
    assert caller.hear() == rtp(1, ssrc=3)
    session.close()


def test_no_key_is_ever_shown() -> None:
    crypto = Crypto(1, CM, os.urandom(SUITES[CM].master_size))
    assert str(crypto).endswith(str(crypto).partition("inline:")[2])
    assert crypto.master.hex() not in repr(crypto)
    assert "inline" not in repr(crypto)


def test_what_is_secured_is_not_kept_over_a_crash(plane: MediaPlane, a: Phone, b: Phone) -> None:
    """Keys are not written down, so such a call could only go on in the clear."""
    call, caller = Call(plane, a, b), SecurePhone(a, CM)
    b.obey(call.session.offer(call.a_leg, call.b_leg, caller.describe()))
    caller.obey(call.session.answer(call.b_leg, call.a_leg, b.describe()))
    assert export_media(call.session, call.a_leg, call.b_leg) is None
    assert export_media(call.session, call.b_leg, call.a_leg) is None
    call.session.close()
