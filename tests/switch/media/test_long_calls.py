"""Forty minutes of a call in a second: keys, numbers and times roll over, clocks drift, and sound goes on."""

from __future__ import annotations

import os
from itertools import pairwise

import numpy as np

from switchroom.protocols.srtp import SUITES
from switchroom.switch.media._crypto import Protector
from switchroom.switch.media.stream import Keys

from .converting import Line, Sent, share_of_tone
from .secured import session

PACKETS = 40 * 60 * 50


def test_forty_minutes_between_secured_legs() -> None:
    """libsrtp, our keys, the converter, our other keys, libsrtp: nothing is lost where numbers begin anew."""
    one, two = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"
    keys = [os.urandom(SUITES[name].master_size) for name in (one, two)]
    phones = session(one, keys[0], is_sender=True), session(two, keys[1], is_sender=False)
    opened = Protector(Keys(one, keys[0], b""), is_sender=False)
    closed = Protector(Keys(two, keys[1], b""), is_sender=True)
    line, last, heard = Line("PCMU", "PCMA"), None, []
    line.ssrc, line.now = 0x1234567, 0.0
    spoken = [line.speak()[12:] for _ in range(100)]  # 880 periods of the tone
    line.number, line.timestamp = 65500, 2**32 - 4000
    for i in range(PACKETS):
        packet = line.packet(spoken[i % 100])
        line.timestamp += 160
        clear = opened.unprotect(phones[0].protect(packet))
        assert clear == packet, i
        (made,) = line.take(clear)
        sealed = closed.protect(bytes_of(made))
        assert sealed is not None
        arrived = phones[1].unprotect(sealed)
        if last is not None:
            assert ((made.sequence_number - last.sequence_number) & 0xFFFF) == 1, i
            assert ((made.timestamp - last.timestamp) & 0xFFFFFFFF) == 160, i
        last = made
        if i >= PACKETS - 100:
            heard.append(Sent.parse(arrived))
    assert opened.places[0].roc == 2
    assert closed.places[0].roc in (1, 2)
    assert share_of_tone(line.heard(heard)[-line.out.sample_rate :], line.out.sample_rate) > 0.99
    assert all(two.sequence_number == (one.sequence_number + 1) & 0xFFFF for one, two in pairwise(heard))


def bytes_of(sent: Sent) -> bytes:
    head = [0x80, sent.payload_type | sent.is_marked << 7]
    return (
        bytes(head)
        + sent.sequence_number.to_bytes(2, "big")
        + sent.timestamp.to_bytes(4, "big")
        + sent.ssrc.to_bytes(4, "big")
        + sent.payload
    )


def test_forty_minutes_of_talk_and_pauses() -> None:
    """Talk spurts with pauses of any length between them: each begins at its time, to the last one."""
    line, chance = Line("PCMU", "G722"), np.random.default_rng(40)
    spoken = line.speak()[12:]
    line.number, line.timestamp = 65500, 2**32 - 4000
    began = line.timestamp
    first: Sent | None = None
    total = 0.0
    while total < 40 * 60:
        for i in range(int(chance.integers(1, 60))):
            (made,) = line.take(line.packet(spoken, is_marked=i == 0))
            first = first or made
            assert made.is_marked == (i == 0)
            assert (made.timestamp - first.timestamp) & 0xFFFFFFFF == (line.timestamp - began) & 0xFFFFFFFF
            line.timestamp += 160
        pause = int(chance.integers(1, 3000)) * 8
        line.timestamp += pause
        line.now += pause / 8000
        total = (line.timestamp - began) / 8000
