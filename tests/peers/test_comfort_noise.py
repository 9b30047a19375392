"""A telephone that sends comfort noise (RFC 3389) calls one that has another codec, and is heard there."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from switchroom.codecs import describe_noise, find

from .baresip import Baresip, share_of_tone
from .harness import PASSWORD, Switch, user, wait_until
from .phone import Dialog, Phone
from .raw import Message, audio, media_address
from .rtp import Sound, packet
from .test_transcoding import G722, LOW, OPUS, PCMA

pytestmark = pytest.mark.peer("baresip")

ALICE, BOB = "1001", "1002"
HIGH, LEVEL = 1000, -40
SPEAKS, PAUSES = 25, 75  # packets


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    known = [user(ALICE), user(BOB, codecs=["PCMU", "CN"])]
    with Switch(tmp_path_factory.mktemp("noise"), users=known) as made:
        yield made


class Talker(threading.Thread):
    """Again and again half a second of a tone, and a pause of a second and a half that is described once."""

    def __init__(self, remote: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self.sound = Sound()
        self.sound.remote = remote
        self._is_over = threading.Event()
        noise = np.random.default_rng(1).normal(0, 32767 * 10 ** (LEVEL / 20), 160).astype(np.int16)
        self._silence = describe_noise(noise)
        self._encoder = find("PCMU").encoder()

    def run(self) -> None:
        number, at, begun = 0, 0, time.monotonic()
        while not self._is_over.is_set():
            place = at % (SPEAKS + PAUSES)
            if place < SPEAKS:
                times = np.arange(at * 160, at * 160 + 160) / 8000
                tone = (16000 * np.sin(2 * np.pi * HIGH * times)).astype(np.int16)
                self._send(number, at, self._encoder.encode(tone), 0)
            elif place == SPEAKS:
                self._send(number, at, self._silence, 13)
            number += place <= SPEAKS
            at += 1
            time.sleep(max(0.0, begun + at * 0.02 - time.monotonic()))

    def _send(self, number: int, at: int, payload: bytes, payload_type: int) -> None:
        data = packet(number, at * 160, self.sound.ssrc, payload, payload_type)
        self.sound.socket.sendto(data, self.sound.remote)

    def stop(self) -> None:
        self._is_over.set()
        self.join(5)


def is_right(samples: NDArray[np.float64], rate: int) -> bool:
    """Whether two spurts are heard, and between them noise of the level that was said, without a hole."""
    frame = rate // 50
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    levels = 10 * np.log10(np.mean(frames**2, axis=1) / 32767**2 + 1e-12)
    starts = [i for i in range(1, len(levels)) if levels[i] > -15 >= levels[i - 1]]
    for one, two in itertools.pairwise(starts):
        spurt, pause = frames[one + 2 : one + SPEAKS - 4], levels[one + SPEAKS + 6 : two - 4]
        is_whole = abs(two - one - SPEAKS - PAUSES) <= 5 and len(pause) > PAUSES // 2
        if is_whole and share_of_tone(spurt.ravel(), rate, HIGH) > 0.9:
            loudness = 10 * np.log10(np.mean(10 ** (pause / 10)))
            if abs(loudness - LEVEL) < 4 and pause.min() > LEVEL - 10:
                return True
    return False


def accepted(phone: Phone, dialog: Dialog) -> Talker:
    assert isinstance(dialog.invite, Message)
    talker = Talker(media_address(dialog.invite.body))
    phone.accept(dialog, audio("127.0.0.1", talker.sound.port, payloads="0 13 101"))
    talker.start()
    return talker


@pytest.mark.parametrize("codec", [PCMA, G722, OPUS])
def test_a_pause_with_comfort_noise_is_heard_at_its_level(switch: Switch, tmp_path: Path, codec: str) -> None:
    if not find(codec.split("/")[0]).is_offered:
        pytest.skip(f"no library of {codec}")
    alice = Baresip(tmp_path / ALICE, ALICE, PASSWORD, switch.address, tone=LOW, codec=codec)
    with Phone(switch.address, BOB, PASSWORD) as bob:
        try:
            alice.start()
            alice.wait_registered()
            bob.register()
            alice.dial(BOB)
            dialog = bob.incoming()
            assert b" 0 13 " in dialog.invite.body  # type: ignore[union-attr]
            talker = accepted(bob, dialog)
            try:
                wait_until(lambda: is_right(*alice.heard()), 25, "two spurts and noise between them")
            finally:
                talker.stop()
                talker.sound.close()
            assert dialog.bye().status == 200
        finally:
            alice.stop()
