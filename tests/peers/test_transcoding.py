"""Two baresip telephones without a common codec talk through the switch: each hears the other's tone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from .baresip import Baresip, share_of_tone
from .harness import Switch, users

pytestmark = pytest.mark.peer("baresip")

LOW, HIGH = 440.0, 1000.0
ALICE, BOB = "1001", "1002"


class Pair:
    """A switch and two telephones that each know one codec."""

    def __init__(self, folder: Path, codecs: tuple[str, str], packet_times: tuple[int, int]) -> None:
        self.switch = Switch(folder / "switch", users=users([ALICE, BOB]))
        one, two = (
            Baresip(
                folder / name,
                name,
                next(user["password"] for user in self.switch.config["users"] if user["name"] == name),
                self.switch.address,
                tone=tone,
                codec=codec,
                packet_ms=packet_ms,
            )
            for name, tone, codec, packet_ms in zip(
                (ALICE, BOB), (LOW, HIGH), codecs, packet_times, strict=True
            )
        )
        self.alice, self.bob = one, two

    def start(self) -> Pair:
        self.switch.start()
        for phone in (self.alice, self.bob):
            phone.start()
        for phone in (self.alice, self.bob):
            phone.wait_registered()
        return self

    def stop(self) -> None:
        for phone in (self.alice, self.bob):
            phone.stop()
        self.switch.stop()


MakePair = Callable[..., Pair]


@pytest.fixture
def make_pair(tmp_path: Path) -> Iterator[MakePair]:
    made: list[Pair] = []

    def make(one: str, two: str, packet_times: tuple[int, int] = (20, 20)) -> Pair:
        made.append(Pair(tmp_path, (one, two), packet_times))
        return made[-1].start()

    yield make
    for pair in made:
        pair.stop()


PCMU, PCMA, G722, OPUS = "PCMU/8000/1", "PCMA/8000/1", "G722/16000/1", "opus/48000/2"


@pytest.mark.parametrize(
    ("codecs", "packet_times"),
    [
        ((PCMU, PCMA), (20, 20)),
        ((PCMU, G722), (20, 20)),
        ((G722, PCMA), (30, 10)),
        ((OPUS, PCMU), (20, 20)),
        ((G722, OPUS), (20, 20)),
    ],
)
def test_two_telephones_without_a_common_codec_talk(
    make_pair: MakePair, codecs: tuple[str, str], packet_times: tuple[int, int]
) -> None:
    pair = make_pair(*codecs, packet_times)
    pair.alice.dial(BOB)
    for phone in (pair.alice, pair.bob):
        phone.wait_for("CALL_ESTABLISHED")
    pair.alice.wait_to_hear(HIGH)
    pair.bob.wait_to_hear(LOW)
    pair.alice.hang_up()
    pair.bob.wait_for("CALL_CLOSED")

    for phone, tone, other in ((pair.alice, HIGH, LOW), (pair.bob, LOW, HIGH)):
        samples, rate = phone.heard()
        last = samples[-rate:]
        assert share_of_tone(last, rate, tone) > 0.9
        assert share_of_tone(last, rate, other) < 0.01
        level = 20 * np.log10(np.sqrt(np.mean(last**2)) / (32767 * 0.5 / np.sqrt(2)))
        assert abs(level) < 1.5, f"{phone.user} hears the tone {level:.1f} dB off"

    row = pair.switch.wait_record()
    assert (row["cause"], row["ended_by"]) == (200, "caller")
    for codec in codecs:
        assert codec.partition("/")[0] in row["codecs"]
    for leg in "ab":
        assert row[f"{leg}_packets"] > 25
    pair.switch.wait_idle(40)


def test_a_key_arrives_once_under_the_other_legs_number(make_pair: MakePair) -> None:
    """RFC 4733 from a telephone with PCMU to one with Opus: another payload type, another clock."""
    pair = make_pair(PCMU, OPUS)
    pair.alice.dial(BOB)
    for phone in (pair.alice, pair.bob):
        phone.wait_for("CALL_ESTABLISHED")
    pair.bob.wait_to_hear(LOW)
    for sender, receiver in ((pair.alice, pair.bob), (pair.bob, pair.alice)):
        for digit in "17#":
            since = len(receiver.events)
            sender.command("sndcode", digit)
            told = receiver.wait_for("CALL_DTMF_START", since=since)
            assert told["param"] == digit
            receiver.wait_for("CALL_DTMF_END", since=since)
    for phone in (pair.alice, pair.bob):
        keys = [event["param"] for event in phone.events if event["type"] == "CALL_DTMF_START"]
        assert keys == list("17#")
