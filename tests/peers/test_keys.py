"""Keys between phones that have them by SIP INFO, as telephone-event and in the sound; fax over T.38."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from switchroom.codecs import find
from switchroom.protocols import rtp

from .harness import PASSWORD, Switch, user, users
from .phone import Dialog, Phone
from .raw import audio, media_address
from .rtp import Sound, packet

ALICE, BOB, INFO = "1001", "1002", "1003"
SHOWN, EVENT = "127.0.0.1", 101
KEY = (("Content-Type", "application/dtmf-relay"),)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    people = [*users([ALICE, BOB]), user(INFO, dtmf="info")]
    with Switch(tmp_path_factory.mktemp("house"), users=people) as running:
        yield running
        assert "Traceback" not in running.log.read_text(errors="replace")


class Talk:
    """A call between two phones that are up, and their sound."""

    def __init__(self, house: Switch, stack: ExitStack, callee: str, payloads: str = "0 101") -> None:
        self.alice = stack.enter_context(Phone(house.address, ALICE, PASSWORD))
        self.bob = stack.enter_context(Phone(house.address, callee, PASSWORD))
        self.a, self.b = stack.enter_context(Sound()), stack.enter_context(Sound())
        assert self.bob.register().status == 200
        self.caller = self.alice.start_call(callee, audio(SHOWN, self.a.port))
        self.callee: Dialog = self.bob.incoming()
        self.bob.accept(self.callee, audio(SHOWN, self.b.port, payloads=payloads))
        self.a.remote = media_address(self.alice.answered(self.caller).body)
        invite = self.callee.invite
        assert invite is not None
        self.b.remote = media_address(invite.body)

    def hang_up(self) -> None:
        self.alice.send(self.caller.request("BYE"))
        self.callee.answer_bye()
        self.alice.final(method="BYE")

    def say(
        self, payload: bytes, payload_type: int = 0, timestamp: int | None = None, *, wait: float = 0.02
    ) -> None:
        """The caller's next packet, in its time: sound is heard by the clock."""
        sound = self.a
        sound.sequence += 1
        at = sound.sequence * 160 if timestamp is None else timestamp
        sound.send_raw(packet(sound.sequence, at, sound.ssrc, payload, payload_type))
        time.sleep(wait)

    def heard(self, count: int) -> str:
        """The digits in what the callee hears while the caller says so many packets."""
        self.b.heard.clear()
        self.a.send(count, interval=0.004)
        assert self.b.receive(count) == count
        receiver, digits = rtp.DigitReceiver(), ""
        for data in self.b.heard:
            one = rtp.Packet.parse(data)
            found = receiver.receive(one) if one.payload_type == EVENT else None
            digits += "" if found is None else found.digit
        return digits


def signals(text: bytes) -> str:
    found = re.search(rb"Signal=(.)", text)
    return found[1].decode() if found else ""


def test_a_key_by_info_comes_as_telephone_event(house: Switch) -> None:
    with ExitStack() as stack:
        talk = Talk(house, stack, BOB)
        talk.heard(5)
        for key in "42":
            talk.alice.send(
                talk.caller.request("INFO", body=b"Signal=%c\r\nDuration=80\r\n" % ord(key), headers=KEY)
            )
            assert talk.alice.final(method="INFO").status == 200
        assert talk.heard(40) == "42"
        talk.hang_up()


def test_keys_in_the_sound_come_by_info(house: Switch) -> None:
    """As telephone-event, and as tones, to a phone whose user has dtmf = "info"."""
    with ExitStack() as stack:
        talk = Talk(house, stack, INFO, payloads="0")
        talk.heard(5)
        sender = rtp.DigitSender()
        sender.send("3")
        for _ in range(10):
            event = sender.next_packet((talk.a.sequence + 1) * 160)
            if event is not None:
                talk.say(event.payload, EVENT, event.timestamp)
        asked = talk.callee.wait_for("INFO")
        assert (signals(asked.body), asked.get("Content-Type")) == ("3", "application/dtmf-relay")
        talk.callee.respond(asked, 200)
        at = np.arange(8000) / 8000
        tones = 6000 * (np.sin(2 * np.pi * 770 * at) + np.sin(2 * np.pi * 1477 * at))
        tones[1600:] = 0
        sound = find("PCMU").encoder().encode(tones.astype(np.int16))
        for i in range(30):
            # at once what the key lasts: no gap of a busy machine makes two of it
            talk.say(sound[160 * i : 160 * i + 160], wait=0.0 if i < 12 else 0.02)
        asked = talk.callee.wait_for("INFO")
        assert signals(asked.body) == "6"
        talk.callee.respond(asked, 200)
        assert talk.bob.hears_nothing(0.3)
        talk.hang_up()


def test_after_a_transfer_keys_still_come_by_info(house: Switch) -> None:
    with ExitStack() as stack:
        talk = Talk(house, stack, BOB)
        carol, c = stack.enter_context(Phone(house.address, INFO, PASSWORD)), stack.enter_context(Sound())
        assert carol.register().status == 200
        talk.heard(5)
        to = (("Refer-To", f"<sip:{INFO}@{house.address[0]}:{house.address[1]}>"),)
        talk.bob.send(talk.callee.request("REFER", headers=to))
        assert talk.bob.final(method="REFER").status == 202
        dialog = carol.incoming()
        carol.accept(dialog, audio(SHOWN, c.port, payloads="0"))
        offer = talk.caller.wait_for("INVITE")
        talk.caller.respond(offer, 200, body=audio(SHOWN, talk.a.port, version=2))
        talk.caller.wait_for("ACK")
        talk.a.remote = media_address(offer.body)
        sender = rtp.DigitSender()
        sender.send("8")
        for _ in range(10):
            event = sender.next_packet((talk.a.sequence + 1) * 160)
            if event is not None:
                talk.say(event.payload, EVENT, event.timestamp)
        asked = dialog.wait_for("INFO")
        assert signals(asked.body) == "8"
        dialog.respond(asked, 200)
        carol.send(dialog.request("BYE"))
        talk.caller.answer_bye()


def test_an_info_to_whom_asks_for_it_travels(house: Switch) -> None:
    with ExitStack() as stack:
        talk = Talk(house, stack, INFO)
        talk.heard(5)
        talk.alice.send(talk.caller.request("INFO", body=b"Signal=9\r\nDuration=80\r\n", headers=KEY))
        asked = talk.callee.wait_for("INFO")
        assert signals(asked.body) == "9"
        talk.callee.respond(asked, 200)
        assert talk.alice.final(method="INFO").status == 200
        assert talk.heard(30) == ""
        talk.hang_up()


def fax(port: int, version: int) -> bytes:
    """T.38 in place of the sound; ITU-T T.38 annex D."""
    text = audio(SHOWN, port, version=version).decode()
    head = text[: text.index("m=")]
    lines = (f"m=image {port} udptl t38", "a=T38FaxVersion:0", "a=T38MaxBitRate:14400")
    more = ("a=T38FaxRateManagement:transferredTCF", "a=T38FaxUdpEC:t38UDPRedundancy", "")
    return (head + "\r\n".join((*lines, *more))).encode()


def test_a_fax_passes_over_t38(house: Switch) -> None:
    """A call of sound becomes T.38 by a re-INVITE of the called machine; what UDPTL carries is untouched."""
    with ExitStack() as stack:
        talk = Talk(house, stack, BOB)
        talk.heard(5)
        talk.bob.send(talk.callee.request("INVITE", body=fax(talk.b.port, 2)))
        offer = talk.caller.wait_for("INVITE")
        for line in (b"m=image ", b"udptl t38", b"a=T38FaxVersion:0", b"a=T38FaxUdpEC:t38UDPRedundancy"):
            assert line in offer.body
        talk.caller.respond(offer, 200, body=fax(talk.a.port, 2))
        answer = talk.bob.final(method="INVITE", call_id=talk.callee.call_id)
        assert answer.status == 200
        talk.callee.ack()
        talk.caller.wait_for("ACK")
        talk.a.remote, talk.b.remote = media_address(offer.body, "image"), media_address(answer.body, "image")
        talk.a.heard.clear()
        talk.b.heard.clear()
        for seq in range(20):  # indicators and data of one octet upwards, with redundancy behind them
            datagram = seq.to_bytes(2, "big") + bytes([1 + seq % 5]) + bytes(range(seq * 7)) + b"\x00\x01"
            talk.a.send_raw(datagram)
            assert talk.b.receive(seq + 1) == seq + 1
            assert talk.b.heard[-1] == datagram
            talk.b.send_raw(datagram[::-1])
            assert talk.a.receive(seq + 1) == seq + 1
            assert talk.a.heard[-1] == datagram[::-1]
        talk.hang_up()
