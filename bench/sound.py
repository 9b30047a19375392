"""What does it cost to touch sound? Microseconds of one core for 20 ms at 8 kHz, calls from Python included.

python bench/sound.py
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time

import numpy as np
import report

from switchroom import codecs  # Python has its own ``codecs`` loaded long before this file
from switchroom.switch.ops.codec_cost import voice

ROUNDS = 5
REPEATS = 2000
MEMBERS = 100


def best(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The fastest of some rounds, in µs of CPU a call: other programs can only add to it."""
    times = []
    for _ in range(ROUNDS):
        began = thread_time()
        for _ in range(repeats):
            work()
        times.append(thread_time() - began)
    return 1e6 * min(times) / repeats


def main() -> None:
    frame = voice(8000)[:160]
    random = np.random.default_rng(1)
    room = random.integers(-3000, 3000, (MEMBERS, 160)).astype(np.int16)
    detector, control, concealer = codecs.VoiceDetector(), codecs.GainControl(), codecs.Concealer()
    generator = codecs.NoiseGenerator()
    keys, tones = codecs.DtmfDetector(), codecs.ToneDetector()
    payload = codecs.describe_noise(frame)
    generator.receive(payload)

    def lose_one() -> None:
        concealer.receive(frame)
        concealer.conceal(160)

    subjects: dict[str, Callable[[], object]] = {
        "level": lambda: codecs.level(frame),
        "gain": lambda: codecs.amplify(frame, 3.0),
        "gain control": lambda: control.process(frame),
        "voice detector": lambda: detector.is_speech(frame),
        "comfort noise, described": lambda: codecs.describe_noise(frame),
        "comfort noise, made": lambda: generator.next(160),
        "DTMF detector": lambda: keys.process(frame),
        "tone detector": lambda: tones.process(frame),
        "concealer, nothing lost": lambda: concealer.receive(frame),
        "concealer, every second lost": lose_one,
    }
    rows = [{"what": name, "µs_per_20_ms": round(best(work), 2)} for name, work in subjects.items()]
    member = best(lambda: codecs.mix(room), 200) / MEMBERS
    rows.append({"what": f"mixing, a member of {MEMBERS}", "µs_per_20_ms": round(member, 3)})
    report.show("Touching sound", rows)
    report.save("sound", rows)


if __name__ == "__main__":
    main()
