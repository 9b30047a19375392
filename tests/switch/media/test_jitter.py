"""The engine's jitter buffer, in C, decides as the one in Python does, whatever comes."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from switchroom.protocols.rtp.jitter import Action, Arrival, JitterBuffer, JitterConfig

from .test_fuzz import ROOT, build

TICKS = 1500  # of 20 ms in each story


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    core = Path(__file__).parent / "jitter_core.c"
    return build(tmp_path_factory.mktemp("jitter"), core, ROOT / "switch" / "media" / "sound" / "jitter.c")


class Story:
    """One stream with its faults, told to the Python buffer and written down for the other."""

    def __init__(self, seed: int, rate: int, is_fixed: bool) -> None:
        self.chance = random.Random(seed)
        self.rate, self.frame = rate, rate // 50
        initial = 0.1 if is_fixed else 0.02
        self.buffer = JitterBuffer(JitterConfig(rate, self.frame, initial_delay=initial, is_fixed=is_fixed))
        self.orders = [f"C {rate} {int(is_fixed)}"]
        self.decided: list[str] = []
        self.number, self.timestamp, self.ssrc = self.chance.randrange(65536), self.chance.randrange(2**32), 7
        self.underway: list[tuple[int, str]] = []  # when each packet comes

    def send(self, at: int) -> None:
        """The sender's next packet, as the network treats it."""
        chance = self.chance
        self.number = (self.number + 1) & 0xFFFF
        self.timestamp = (self.timestamp + self.frame) % 2**32
        if chance.random() < 0.01:  # a pause, a jump, another source, a restart
            self.timestamp = (self.timestamp + self.frame * chance.choice((20, 500, 40_000, -3))) % 2**32
            self.number = (self.number + chance.choice((0, 0, 1, 300, 20_000))) & 0xFFFF
            self.ssrc += chance.random() < 0.3
        if chance.random() < 0.03:
            return
        noise = int(chance.random() < 0.02)
        delay = int(abs(chance.gauss(0, 0.03 if at // self.rate % 10 < 5 else 0.005)) * self.rate)
        packet = f"{self.number} {self.timestamp} {self.ssrc} {self.frame} %d {noise}"
        for _ in range(1 + (chance.random() < 0.01)):
            self.underway.append((at + delay, packet))

    def receive(self, at: int) -> None:
        """What has come until now."""
        for when, packet in sorted(one for one in self.underway if one[0] <= at):
            self.orders.append("P " + packet % when)
            number, timestamp, ssrc, duration, _, noise = (int(word) for word in (packet % when).split())
            now = when / self.rate
            arrival, slot = self.buffer.put(number, timestamp, ssrc, duration, now, is_noise=bool(noise))
            self.decided.append(f"{int(arrival)} {slot if arrival is Arrival.STORED else -1}")
        self.underway = [one for one in self.underway if one[0] > at]

    def play(self, at: int) -> None:
        """One tick of the play-out."""
        buffered = 0
        while buffered < self.frame:
            self.orders.append(f"G {at} {buffered}")
            found = self.buffer.get(at / self.rate, buffered)
            self.decided.append(
                f"{int(found.action)} {found.slot} {found.duration} {found.stretch} {int(found.is_held)}"
                f" {self.buffer.offset}"
            )
            buffered += found.duration
            if found.stretch and found.action is not Action.WAIT:
                made = found.stretch // 2
                self.orders.append(f"S {made}")
                self.buffer.stretched(made)

    def run(self) -> None:
        for tick in range(TICKS):
            at = 100_000 + tick * self.frame
            if tick == TICKS // 2:
                self.buffer.is_followed = True
                self.orders.append("F 1")
            self.send(at)
            self.receive(at)
            self.play(at + self.frame // 2)
        statistics = self.buffer.statistics
        names = (
            "received played late lost duplicate suspect discarded resyncs concealed paused stretched shrunk"
        )
        self.orders.append("E")
        self.decided.append(
            " ".join(
                str(getattr(statistics, name)) for name in [*names.split(), "current_delay", "target_delay"]
            )
        )


@pytest.mark.parametrize("is_fixed", [False, True])
@pytest.mark.parametrize("rate", [8000, 48000])
@pytest.mark.parametrize("seed", range(2))
def test_both_decide_alike(program: Path, seed: int, rate: int, is_fixed: bool) -> None:
    story = Story(seed, rate, is_fixed)
    story.run()
    orders = "\n".join(story.orders) + "\n"
    ran = subprocess.run([str(program)], input=orders, capture_output=True, text=True, timeout=30, check=True)
    decided = ran.stdout.splitlines()
    differing = [
        (i, *two) for i, two in enumerate(zip(story.decided, decided, strict=True)) if two[0] != two[1]
    ]
    assert not differing, differing[:3]
    assert story.buffer.statistics.resyncs
    assert story.buffer.statistics.late or is_fixed
