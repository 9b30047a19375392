"""Two baresip telephones without a common codec talk through the switch: each hears the other's tone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from switchroom.codecs import find

from .baresip import Baresip, share_of_tone
from .harness import Switch, users, wait_until

IS_LONG = os.environ.get("SWITCHROOM_LONG") == "1"

pytestmark = pytest.mark.peer("baresip")

LOW, HIGH = 440.0, 1000.0
ALICE, BOB = "1001", "1002"


class Pair:
    """A switch and two telephones that each know one codec."""

    def __init__(self, folder: Path, codecs: tuple[str, str], packet_times: tuple[int, int]) -> None:
        names = [codec.split("/")[0] for codec in codecs]  # as the switch names them: without channels
        rates = [codec.split("/")[1] for codec in codecs]
        spoken = [n + f"/{r}" * (n == "L16") for n, r in zip(names, rates, strict=True)]
        self.switch = Switch(folder / "switch", users=users([ALICE, BOB]), media={"transcode": spoken})
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


PCMU, PCMA, G722, OPUS, GSM = "PCMU/8000/1", "PCMA/8000/1", "G722/16000/1", "opus/48000/2", "GSM/8000/1"
AMR, AMR_WB = "AMR/8000/1", "AMR-WB/16000/1"
L16 = "L16/16000/1"
CODECS = [PCMU, PCMA, G722, OPUS, GSM, L16, AMR, AMR_WB]  # its G.726 is packed as AAL2's, by another name
FEW = [
    ((PCMU, PCMA), (20, 20)),
    ((G722, PCMA), (30, 10)),
    ((OPUS, PCMU), (20, 20)),
    ((G722, OPUS), (20, 20)),
    ((GSM, AMR_WB), (20, 20)),
    ((AMR, L16), (20, 20)),
]
ALL = [(pair, (20, 20)) for pair in combinations(CODECS, 2)]
LEVEL = 32767 * 0.5 / np.sqrt(2)


def missing(codec: str) -> str:
    """Why baresip or the switch cannot speak it here."""
    try:
        ours = find("/".join(codec.split("/")[:2]).replace("G722/16000", "G722/8000"))
    except LookupError:
        return f"no {codec}"
    return "" if ours.is_offered else f"no library of {codec}"


def has_no_gaps(samples: NDArray[np.float64], rate: int) -> bool:
    """Whether every 20 ms are about as loud as the others."""
    frames = samples[: len(samples) // (rate // 50) * (rate // 50)].reshape(-1, rate // 50)
    loudness = np.sqrt(np.mean(frames**2, axis=1))
    return bool(loudness.min() > 0.7 * np.median(loudness))


def is_whole(second: NDArray[np.float64], rate: int, hertz: float, other: float) -> bool:
    """The tone at its frequency and its level, alone, and without a gap."""
    level = 20 * np.log10(np.sqrt(np.mean(second**2)) / LEVEL)
    is_alone = share_of_tone(second, rate, hertz) > 0.9 and share_of_tone(second, rate, other) < 0.01
    return bool(abs(level) < 1.0) and is_alone and has_no_gaps(second, rate)


def has_whole_second(samples: NDArray[np.float64], rate: int, hertz: float, other: float) -> bool:
    """Any will do: what a busy machine does to the phones is not the switch's."""
    starts = range(rate // 2, len(samples) - rate, rate // 5)
    return any(is_whole(samples[at : at + rate], rate, hertz, other) for at in reversed(starts))


@pytest.mark.parametrize(
    ("codecs", "packet_times"),
    ALL if IS_LONG else FEW,
    ids=lambda value: "-".join(str(one).split("/")[0] for one in value),
)
def test_two_telephones_without_a_common_codec_talk(
    make_pair: MakePair, codecs: tuple[str, str], packet_times: tuple[int, int]
) -> None:
    """The tone of each comes out at the other: its frequency, its level within 1 dB, without gaps."""
    if why := "; ".join(filter(None, map(missing, codecs))):
        pytest.skip(why)
    pair = make_pair(*codecs, packet_times)
    pair.alice.dial(BOB)
    for phone in (pair.alice, pair.bob):
        phone.wait_for("CALL_ESTABLISHED")
    for phone, tone, other in ((pair.alice, HIGH, LOW), (pair.bob, LOW, HIGH)):
        wait_until(lambda: has_whole_second(*phone.heard(), tone, other), 15, f"{tone} Hz at {phone.user}")  # noqa: B023
    pair.alice.hang_up()
    pair.bob.wait_for("CALL_CLOSED")

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
