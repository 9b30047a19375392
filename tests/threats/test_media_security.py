"""THREATS A5 and A6: handshakes of strangers beside the one that is meant, and SRTP that is talked away."""

from __future__ import annotations

import re
import secrets
import time
from base64 import b64encode
from collections.abc import Iterator

import pytest
from pylibsrtp import Error, Session

from switchroom.protocols import srtp
from switchroom.switch.media.security.certificate import make_certificate

from ..peers.harness import PASSWORD, Switch, user, users, wait_until
from ..peers.phone import Dialog, Phone
from ..peers.raw import audio, media_address
from ..peers.rtp import Sound
from ..switch.media.secured import session
from .conftest import size

PLAIN, SECURED, DTLS = "1001", "1002", "1003"
CM = "AES_CM_128_HMAC_SHA1_80"
SHOWN = "127.0.0.1"
NULL_HELLO = bytes.fromhex(  # a ClientHello with TLS_NULL_WITH_NULL_NULL and nothing else
    "16fefd000000000000000000360100002a000000000000002afefd" + "00" * 34 + "000200000100"
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    people = [*users([PLAIN, DTLS]), user(SECURED, srtp="required")]
    folder = tmp_path_factory.mktemp("house")
    rate = {"source_rate": 100000, "source_burst": 100000}
    with Switch(folder, users=people, sip=rate, calls={"user_rate": 1000}) as running:
        yield running
        assert "Traceback" not in running.log.read_text(errors="replace")


class Secured:
    """A phone's sound under SRTP: libsrtp's side of a leg."""

    def __init__(self, sound: Sound) -> None:
        self.sound = sound
        self.key = secrets.token_bytes(30)
        self.sender: Session
        self.receiver: Session

    def describe(self, version: int = 1, proto: str = "RTP/SAVP", tag: int = 1) -> bytes:
        text = audio(SHOWN, self.sound.port, version=version).replace(b"RTP/AVP", proto.encode())
        return text + f"a=crypto:{tag} {CM} inline:{b64encode(self.key).decode()}\r\n".encode()

    def obey(self, description: bytes) -> int:
        """Take the line of our suite; returns its tag."""
        found = re.search(rf"a=crypto:(\d+) {CM} inline:(\S+)", description.decode())
        assert found, description
        self.sound.remote = media_address(description)
        self.sender = session(CM, self.key, is_sender=True)
        self.receiver = session(CM, srtp.parse_crypto(f"1 {CM} inline:{found[2]}").master, is_sender=False)  # type: ignore[union-attr]
        return int(found[1])

    def say(self, count: int) -> None:
        for _ in range(count):
            self.sound.send_raw(self.sender.protect(self.sound.next_packet()))
            time.sleep(0.002)

    def clear_packets(self) -> int:
        """How many of the packets that came were not SRTP."""
        count = 0
        for data in self.sound.drain():
            try:
                self.receiver.unprotect(data)
            except Error:
                count += 1
        return count


def hang_up(caller: Dialog, callee: Dialog) -> None:
    caller.phone.send(caller.request("BYE"))
    callee.answer_bye()
    caller.phone.final(method="BYE")


def test_a_required_leg_is_not_talked_into_the_clear(house: Switch) -> None:
    """A6: an offer of RTP in the middle of the call gets 488, and not one clear packet is sent."""
    with (
        Phone(house.address, SECURED, PASSWORD) as alice,
        Phone(house.address, PLAIN, PASSWORD) as bob,
        Sound() as a,
        Sound() as b,
    ):
        assert bob.register().status == 200
        mine = Secured(a)
        caller = alice.start_call(PLAIN, mine.describe())
        callee = bob.incoming()
        assert b"crypto" not in callee.invite.body or b"RTP/AVP" in callee.invite.body  # type: ignore[union-attr]
        bob.accept(callee, audio(SHOWN, b.port))
        answer = alice.answered(caller)
        b.remote = media_address(callee.invite.body)  # type: ignore[union-attr]
        mine.obey(answer.body)
        b.send(20)
        mine.say(20)
        assert b.receive(20) == 20
        assert b.heard_with(a.mark) == 20
        for version, offer in enumerate(
            (audio(SHOWN, a.port, version=2), audio(SHOWN, a.port, version=3).replace(b"/AVP", b"/AVPF")), 2
        ):
            assert caller.reinvite(offer).status == 488, version
            b.send(20)
        alice.send(caller.request("INVITE", body=mine.describe(version=9)))
        again = callee.wait_for("INVITE")
        callee.respond(again, 200, body=audio(SHOWN, b.port, version=2))
        assert alice.final(method="INVITE", call_id=caller.call_id).status == 200
        caller.ack()
        callee.wait_for("ACK")
        b.send(20)
        a.receive(80)
        assert len(a.drain()) == 80
        assert mine.clear_packets() == 0
        assert a.heard_with(b.mark) == 0
        hang_up(caller, callee)


def test_a_required_leg_is_offered_srtp_and_answers_with_it(house: Switch) -> None:
    """A6: whom SRTP is required of answers with RTP: the call fails, and no packet was sent to it."""
    with (
        Phone(house.address, PLAIN, PASSWORD) as alice,
        Phone(house.address, SECURED, PASSWORD) as bob,
        Sound() as a,
        Sound() as b,
    ):
        assert bob.register().status == 200
        caller = alice.start_call(SECURED, audio(SHOWN, a.port))
        callee = bob.incoming()
        offer = callee.invite.body  # type: ignore[union-attr]
        assert b"RTP/SAVP" in offer
        bob.accept(callee, audio(SHOWN, b.port))
        assert alice.final(method="INVITE", call_id=caller.call_id).status == 502
        callee.answer_bye()
        assert b.drain() == []


# -- A5


class Handshaking:
    """A desk phone that keys its sound by a handshake, without ICE."""

    def __init__(self, sound: Sound) -> None:
        self.sound = sound
        self.certificate = make_certificate()

    def describe(self, setup: str, shown: str = SHOWN) -> bytes:
        text = audio(shown, self.sound.port).replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVP")
        return text + f"a=fingerprint:{self.certificate.fingerprint}\r\na=setup:{setup}\r\n".encode()

    def shake_hands(self, description: bytes, *, is_client: bool, timeout: float = 5.0) -> srtp.Established:
        """Until there are keys, as a phone would: what is lost is sent again."""
        self.sound.remote = media_address(description)
        found = re.findall(r"a=fingerprint:(.+?)\r\n", description.decode())
        prints = srtp.read_fingerprints(found)
        assert prints
        suites = (CM,)
        begun = time.monotonic()
        shake = srtp.Handshake(self.certificate, prints, suites, begun, is_client=is_client)
        while (event := shake.next_event()) is None:
            now = time.monotonic()
            assert now < begun + timeout, "no keys in time"
            for data in shake.datagrams_to_send():
                self.sound.send_raw(data)
            heard = len(self.sound.heard)
            at = shake.next_timer() or now + 0.2
            if self.sound.receive(heard + 1, timeout=max(0.0, min(0.2, at - now))) > heard:
                shake.receive_datagram(self.sound.heard[-1], time.monotonic())
            elif time.monotonic() >= at:
                shake.handle_timer(time.monotonic())
        for data in shake.datagrams_to_send():
            self.sound.send_raw(data)
        assert isinstance(event, srtp.Established), event
        return event


def secured_of(house: Switch) -> list[str]:
    """How the legs of the desk phone's call are protected."""
    [call] = [one for one in house.calls() if one["caller"] == DTLS]
    secured: list[str] = call["secured"]
    return secured


def exchange(mine: Sound, keys: srtp.Established, b: Sound) -> None:
    """Sound in both directions, under these keys on one side."""
    sender, receiver = (
        session(keys.suite, keys.local, is_sender=True),
        session(keys.suite, keys.remote, is_sender=False),
    )
    before = len(b.heard)
    for _ in range(5):
        mine.send_raw(sender.protect(mine.next_packet()))
    assert b.receive(before + 5) == before + 5
    mine.heard.clear()
    b.send(5)
    assert mine.receive(5) == 5
    assert all(receiver.unprotect(data)[12:16] == b.mark[:4] for data in mine.heard)


def set_up(
    alice: Phone, bob: Phone, mine: Handshaking, b: Sound, setup: str, shown: str = SHOWN
) -> tuple[Dialog, Dialog, bytes]:
    caller = alice.start_call(PLAIN, mine.describe(setup, shown))
    callee = bob.incoming()
    bob.accept(callee, audio(SHOWN, b.port))
    answer = alice.answered(caller).body
    b.remote = media_address(callee.invite.body)  # type: ignore[union-attr]
    return caller, callee, answer


@pytest.mark.parametrize(("setup", "answered"), [("active", "passive"), ("actpass", "active")])
def test_a_desk_phone_with_dtls_and_no_ice(house: Switch, setup: str, answered: str) -> None:
    with (
        Phone(house.address, DTLS, PASSWORD) as alice,
        Phone(house.address, PLAIN, PASSWORD) as bob,
        Sound() as a,
        Sound() as b,
    ):
        assert bob.register().status == 200
        mine = Handshaking(a)
        caller, callee, answer = set_up(alice, bob, mine, b, setup)
        assert f"a=setup:{answered}".encode() in answer
        assert b"ice-ufrag" not in answer
        keys = mine.shake_hands(answer, is_client=answered == "passive")
        wait_until(lambda: secured_of(house) == [f"DTLS {CM}", "no"], 3.0, "the keys")
        exchange(a, keys, b)
        hang_up(caller, callee)


@pytest.mark.parametrize("shown", [SHOWN, "192.168.7.7"])
def test_handshakes_of_strangers_change_nothing(house: Switch, shown: str) -> None:
    """A5: before the hello that is meant, and beside it, come those of others; every call has its keys.

    Also of a phone behind NAT, whose address is not known before it speaks.
    """
    with (
        Phone(house.address, DTLS, PASSWORD) as alice,
        Phone(house.address, PLAIN, PASSWORD) as bob,
        Sound("127.0.0.66") as elsewhere,
        Sound() as beside,
        Sound() as b,
    ):
        assert bob.register().status == 200
        alice.contact = f"<sip:{DTLS}@{shown}:{alice.address[1]}>"  # by which a NAT is told
        for _ in range(size(3, 100)):
            with Sound() as a:
                mine = Handshaking(a)
                caller, callee, answer = set_up(alice, bob, mine, b, "active", shown)
                for stranger in (elsewhere, beside):
                    stranger.remote = media_address(answer)
                    for _ in range(30):
                        stranger.send_raw(NULL_HELLO)
                keys = mine.shake_hands(answer, is_client=True)
                beside.send_raw(NULL_HELLO)
                exchange(a, keys, b)
                hang_up(caller, callee)
        for stranger in (elsewhere, beside):
            sent = sum(len(data) for data in stranger.drain())
            assert sent <= len(NULL_HELLO) * 30 * size(3, 100)  # C10: nothing is made larger
