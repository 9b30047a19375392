"""A secured call goes on in the next process: its keys are kept, sealed, and no index is used twice."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from switchroom.protocols import sdp
from switchroom.switch.media import MediaPlane, MediaSession, export_media, restore_media
from switchroom.switch.media.security.keeping import Keeper

from .phones import Call, Phone, receiver_report, rtp
from .secured import PROFILES, SecurePhone
from .test_bundle import BROWSER, WebPhone
from .test_sdes import set_up
from .test_survival import Plane
from .test_survival import another as another

CM, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"


@pytest.fixture
def folder(plane: MediaPlane, tmp_path: Path) -> Path:
    plane.guard.keeper = Keeper(tmp_path / "media.key", lambda call: None)
    return tmp_path


def kept_of(call: Call) -> Any:
    state = export_media(call.session, call.a_leg, call.b_leg)
    return json.loads(json.dumps(state, default=lambda octets: octets.decode("latin-1")))


def taken_up(plane: MediaPlane, folder: Path, kept: Any) -> MediaSession:
    plane.guard.keeper = Keeper(folder / "media.key", lambda call: None)
    session = plane.session("again")
    restore_media(session, kept)
    return session


def talk(one: SecurePhone, two: SecurePhone, numbers: range) -> None:
    """Both ways; libsrtp refuses what it has had before, and what it cannot open."""
    for number in numbers:
        seq = number & 0xFFFF
        one.say(rtp(seq, ssrc=7))
        assert two.hear() == rtp(seq, ssrc=7)
        two.say(rtp(seq, ssrc=9))
        assert one.hear() == rtp(seq, ssrc=9)


@pytest.mark.parametrize("suite", sorted(PROFILES))
async def test_sound_goes_on_behind_the_rollover(
    plane: MediaPlane,
    another: Plane,
    folder: Path,
    a: Phone,
    b: Phone,
    suite: str,
) -> None:
    call, one, two = Call(plane, a, b), SecurePhone(a, suite), SecurePhone(b, CM, proto="RTP/AVP")
    set_up(call, one, two)
    talk(one, two, range(65_530, 65_540))
    kept = kept_of(call)
    session = taken_up(another(), folder, kept)
    talk(one, two, range(65_540, 65_560))
    assert session.secured == [f"SDES {suite}", f"SDES {CM}"]
    session.close()


@pytest.mark.parametrize("suite", [CM, GCM])
async def test_what_was_kept_may_be_older_than_the_rollover(
    plane: MediaPlane,
    another: Plane,
    folder: Path,
    a: Phone,
    b: Phone,
    suite: str,
) -> None:
    call, one, two = Call(plane, a, b), SecurePhone(a, suite), SecurePhone(b, suite, proto="RTP/AVP")
    set_up(call, one, two)
    talk(one, two, range(65_000, 65_010))
    kept = kept_of(call)
    talk(one, two, range(65_010, 65_600))
    taken_up(another(), folder, kept)
    talk(one, two, range(65_700, 65_720))


async def test_a_plain_leg_beside_it_and_rtcp(
    plane: MediaPlane,
    another: Plane,
    folder: Path,
    a: Phone,
    b: Phone,
) -> None:
    call, caller = Call(plane, a, b), SecurePhone(a, CM)
    b.obey(call.session.offer(call.a_leg, call.b_leg, caller.describe()))
    caller.obey(call.session.answer(call.b_leg, call.a_leg, b.describe()))
    call.session.confirm()
    kept = kept_of(call)
    for number in range(5):
        b.rtcp.sendto(receiver_report(number), b.control)
        assert caller.receiver.unprotect_rtcp(a.rtcp.recv(2048)) == receiver_report(number)
    session = taken_up(another(), folder, kept)
    b.rtcp.sendto(receiver_report(7), b.control)
    assert caller.receiver.unprotect_rtcp(a.rtcp.recv(2048)) == receiver_report(7)
    caller.say(rtp(1))
    assert b.hear() == rtp(1)
    b.say(rtp(2, ssrc=9))
    assert caller.hear() == rtp(2, ssrc=9)
    a_leg, b_leg = session.legs
    offer = session.offer(b_leg, a_leg, b.describe("a=sendonly"))
    assert b"a=crypto" in offer
    assert caller.receiver is not None


async def test_nobody_but_the_switch_can_read_it(plane: MediaPlane, folder: Path, a: Phone, b: Phone) -> None:
    call, one, two = Call(plane, a, b), SecurePhone(a, CM), SecurePhone(b, CM, proto="RTP/AVP")
    set_up(call, one, two)
    kept = kept_of(call)
    opened = json.dumps(Keeper(folder / "media.key", lambda call: None).open(kept[0]))
    for key in (one.keys[CM], two.keys[CM]):
        text = base64.b64encode(key).decode()
        assert text in opened
        assert text not in json.dumps(kept)
        assert base64.b64encode(text.encode()).decode()[:20] not in kept[0]
    assert (folder / "media.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match="another key"):
        Keeper(folder / "other.key", lambda call: None).open(kept[0])


async def test_without_a_place_for_the_key_nothing_is_kept(plane: MediaPlane, a: Phone, b: Phone) -> None:
    call, one, two = Call(plane, a, b), SecurePhone(a, CM), SecurePhone(b, CM, proto="RTP/AVP")
    set_up(call, one, two)
    assert export_media(call.session, call.a_leg, call.b_leg) is None


async def called_by_web(call: Call, web: WebPhone, setup: str) -> bytes:
    """A browser calls with sound; what it was answered. It is ``passive``, or begins the handshake."""
    call.a_leg.security.policy = BROWSER
    call.b.obey(call.session.offer(call.a_leg, call.b_leg, sound_of(web, setup)))
    answer = call.session.answer(call.b_leg, call.a_leg, call.b.describe(formats="111"))
    call.session.confirm()
    return answer


def sound_of(web: WebPhone, setup: str) -> bytes:
    offer = web.describe(setup)
    return offer[: offer.index(b"m=video")]


async def test_there_is_nothing_to_keep_before_the_handshake(
    plane: MediaPlane, tmp_path: Path, a: Phone, b: Phone
) -> None:
    """And it is asked for again."""
    told = list[object]()
    keeper = plane.guard.keeper = Keeper(tmp_path / "media.key", told.append)
    web, call = WebPhone(a), Call(plane, a, b)
    call.session.context = "the call"
    answer = await called_by_web(call, web, "actpass")
    assert export_media(call.session, call.a_leg, call.b_leg) is None
    keeper._on_wait_timer()
    assert told == ["the call"]
    await web.connect(answer, is_client=False)
    web.say(rtp(1, payload_type=111))
    assert b.hear() == rtp(1, payload_type=111)
    assert export_media(call.session, call.a_leg, call.b_leg) is not None


@pytest.mark.parametrize("setup", ["passive", "active"])
async def test_a_browser_goes_on_with_the_keys_of_its_handshake(
    plane: MediaPlane, another: Plane, folder: Path, a: Phone, b: Phone, setup: str
) -> None:
    """Its checks are answered with the password that it knows, and it is told the same certificate."""
    web, call = WebPhone(a), Call(plane, a, b)
    answer = await called_by_web(call, web, setup)
    await web.connect(answer, is_client=setup == "active")
    for number in range(65_530, 65_540):
        web.say(rtp(number, payload_type=111, ssrc=7))
        assert b.hear() == rtp(number, payload_type=111, ssrc=7)
        b.say(rtp(number, payload_type=111, ssrc=9))
        assert await web.hear() == rtp(number, payload_type=111, ssrc=9)
    kept = kept_of(call)
    new = another()
    session = taken_up(new, folder, kept)
    for number in range(65_540, 65_550):
        web.say(rtp(number, payload_type=111, ssrc=7))
        assert b.hear() == rtp(number, payload_type=111, ssrc=7)
        b.say(rtp(number, payload_type=111, ssrc=9))
        assert await web.hear() == rtp(number, payload_type=111, ssrc=9)
    assert session.secured == ["DTLS AES_CM_128_HMAC_SHA1_80", "no"]
    await web.is_wanted()
    a_leg, b_leg = session.legs
    again = sdp.Description.parse(answer).media[0]
    b.obey(session.offer(a_leg, b_leg, sound_of(web, setup)))
    [line] = sdp.Description.parse(session.answer(b_leg, a_leg, b.describe(formats="111"))).media
    for name in ("fingerprint", "setup", "mid", "ice-ufrag"):
        assert line.get(name) == again.get(name)
    web.say(rtp(65_550, payload_type=111, ssrc=7))
    assert b.hear() == rtp(65_550, payload_type=111, ssrc=7)
    assert line_offered(session.offer(b_leg, a_leg, b.describe(formats="111"))).get("mid") == "a"


def line_offered(description: bytes) -> sdp.Media:
    return sdp.Description.parse(description).media[0]


async def test_where_sources_are_is_kept_again_while_the_call_is_up(
    plane: MediaPlane, tmp_path: Path, a: Phone, b: Phone
) -> None:
    told = list[object]()
    keeper = plane.guard.keeper = Keeper(tmp_path / "media.key", told.append)
    call, one, two = Call(plane, a, b), SecurePhone(a, CM), SecurePhone(b, CM, proto="RTP/AVP")
    set_up(call, one, two)
    call.session.context = "the call"
    kept_of(call)
    keeper._on_timer()
    assert told == ["the call"]
    keeper._on_timer()
    assert told == ["the call"]  # nobody has kept it since
