"""What does it cost to convert a call between two codecs, and how many such calls does a core carry?

    python bench/transcode.py [--calls 200] [--seconds 2]
    python bench/transcode.py --kernel ...     # as root: what the kernel takes, too

Each call has 50 packets of 20 ms a second in each direction. Opus is decoded at the other codec's rate, as
calls do it, and encoded at the rate and complexity that is said (in calls: the other's rate, 5). "codecs" is
what decoding and encoding alone cost, "resampling" the way between their rates, "converter" the whole
conversion of a packet without sockets, all through Python, whose share is about 0.3 µs each, the best of some
rounds; "overhead" is what the converter adds to the two. "engine" is the CPU of the media thread for a packet
that comes in at one socket and leaves for another end, the mean of a second of calls in real time over the
loopback, so that the delivery to the phone's socket is in it, the best of three such seconds; "rtpengine" is
that of rtpengine's process, if it is installed, the best of three too.
"kernel" (between the two forms of G.711, which are relayed octet by octet and need no converter) is what all
processes take beyond sending directly, soft interrupts included, by bench/rtp_relay.py --g711 in network
namespaces. All are microseconds for one packet, the mean of both directions; calls a core are 10,000 through
that: "alone" by the converter, "with sockets" by the engine, "kernel".
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import engines
import numpy as np
import report

from switchroom.codecs import Codec, Config, Decoder, Encoder, find
from switchroom.codecs.resampling import Resampler
from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane, transcoding
from switchroom.switch.media._conversion import Converter
from switchroom.switch.media.stream import Conversion, Incoming

HERE, G711 = Path(__file__).parent, "PCMU-PCMA"
HOST, PACKETS, WARMING, TIMES = "127.0.0.1", 50, 3, 3
LABELS = itertools.count()  # the switch knows what it has agreed on for the same descriptions
NARROW, FULL = {"sample_rate": 8000, "channels": 1}, {"sample_rate": 48000, "channels": 1, "complexity": 0}
# what is shown, two codecs, settings of the second, wanted calls a core
SUBJECTS: tuple[tuple[str, str, str, dict[str, int], int | None], ...] = (
    (G711, "PCMU", "PCMA", {}, 5000),
    ("PCMU-G722", "PCMU", "G722", {}, 600),
    ("PCMU-opus (8 kHz, complexity 5)", "PCMU", "opus", NARROW, 180),
    ("PCMU-opus (8 kHz, complexity 0)", "PCMU", "opus", {**NARROW, "complexity": 0}, 180),
    ("PCMU-opus (48 kHz, complexity 0)", "PCMU", "opus", FULL, 180),
    ("PCMU-G729", "PCMU", "G729", {}, 300),
    ("G722-opus (16 kHz, complexity 5)", "G722", "opus", {"sample_rate": 16000, "channels": 1}, None),
)


def voice(rate: int) -> list[Any]:
    """A second of a voice-like sound in frames of 20 ms."""
    at, size = np.arange(rate) / rate, rate // 50
    sound = sum(np.sin(2 * np.pi * 140 * n * at) / n for n in range(1, 12)) * (1 + np.sin(2 * np.pi * 4 * at))
    samples = (sound * 3000 + np.random.default_rng(1).normal(0, 100, rate)).astype(np.int16)
    return [samples[i * size : (i + 1) * size] for i in range(PACKETS)]


def payloads(config: Config) -> list[bytes]:
    encoder = Encoder(config)
    return [encoder.encode(frame) for frame in voice(config.sample_rate)]


def packets(codec: Codec, config: Config, payload_type: int) -> list[bytes]:
    step = codec.format.clock_rate // 50
    return [
        struct.pack("!BBHII", 0x80, payload_type, i, i * step, 7) + payload
        for i, payload in enumerate(payloads(config))
    ]


def best(round_of: Callable[[], object], count: int, seconds: float) -> float:
    """Microseconds of one of ``count``."""
    lowest, until = float("inf"), time.monotonic() + seconds
    while time.monotonic() < until or lowest == float("inf"):
        begin = time.thread_time()
        round_of()
        lowest = min(lowest, time.thread_time() - begin)
    return lowest / count * 1e6


def heard(codec: Codec, config: Config, other: Config) -> Config:
    """How that is decoded in a call: Opus at the other's rate."""
    return codec.config(sample_rate=other.sample_rate, channels=1) if codec is find("opus") else config


def cost_of_codecs(one: Codec, a: Config, b: Config, seconds: float) -> float:
    """Decoding with the one and encoding with the other."""
    decoder, encoder = Decoder(heard(one, a, b)), Encoder(b)
    coded, frames = payloads(a), voice(b.sample_rate)
    decode = best(lambda: [decoder.decode(payload) for payload in coded], PACKETS, seconds / 2)
    return decode + best(lambda: [encoder.encode(frame) for frame in frames], PACKETS, seconds / 2)


def cost_of_converter(one: Codec, a: Config, two: Codec, b: Config, seconds: float) -> float:
    sent = packets(one, a, 96)

    def run() -> float:
        incoming = Incoming(96, one.format.clock_rate, heard(one, a, b))
        wanted = Conversion((incoming,), 97, b, 20)
        converter = Converter(wanted)
        begin = time.thread_time()
        for packet in sent:
            converter.convert(packet)
        return time.thread_time() - begin

    until, lowest = time.monotonic() + seconds, run()
    while time.monotonic() < until:
        lowest = min(lowest, run())
    return lowest / PACKETS * 1e6


class Phone:
    """A socket, and the description that it stands in."""

    def __init__(self, payload_type: int, codec: Codec, label: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        form, port = codec.format, self.socket.getsockname()[1]
        self.payload_type = payload_type
        self.description = (
            f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} {form.name}\r\na=ptime:20\r\n"
            f"a=label:{label}\r\n"
        ).encode()
        self.target = (HOST, 0)

    def obey(self, description: bytes) -> None:
        line = next(line for line in description.split(b"\r\n") if line.startswith(b"m=audio"))
        self.target = (HOST, int(line.split()[1]))


def media_thread() -> Path:
    threads = Path("/proc/self/task").iterdir()
    return next(thread for thread in threads if "media" in (thread / "comm").read_text())


@contextlib.contextmanager
def encoding_opus_by(config: Config) -> Iterator[None]:
    """Calls leave no choice of rate and complexity: Opus is encoded like this all the same."""
    usual = transcoding._encoder

    def encoder(voice: Any, *others: Any) -> Config:
        return config if voice.codec is find("opus") else usual(voice, *others)

    transcoding._encoder = encoder
    try:
        yield
    finally:
        transcoding._encoder = usual


async def cost_of_engine(one: Codec, a: Config, two: Codec, b: Config, calls: int) -> float:
    """CPU of the media thread for a packet."""
    names = [one.format.name, two.format.name]
    plane = MediaPlane(MediaConfig(transcode=names), lambda toward: HOST, lambda session: None)
    plane.start(asyncio.get_running_loop())
    sides = pairs_of_phones(one, two, calls)
    for i, (caller, callee) in enumerate(sides):
        session = plane.session(str(i))
        left, right = (session.leg(toward=HOST, is_nat=False) for _ in range(2))
        callee.obey(session.offer(left, right, caller.description, (two.format.name,)))
        with encoding_opus_by(b):
            caller.obey(session.answer(right, left, callee.description))
    schedstat = media_thread() / "schedstat"
    try:
        return exchange(sides, (one, a), (two, b), lambda: int(schedstat.read_text().split()[0]) * 1e-9)
    finally:
        plane.stop()


def cost_of_rtpengine(one: Codec, a: Config, two: Codec, b: Config, calls: int) -> float | None:
    """CPU of rtpengine for a packet; None: it is not here, or does not bring all packets out."""
    if not engines.has_rtpengine():
        return None
    first, second = (codec.format.name.partition("/")[0] for codec in (one, two))
    with engines.rtpengine((HOST, HOST)) as engine:
        sides = pairs_of_phones(one, two, calls)
        try:
            for i, (caller, callee) in enumerate(sides):
                callee.obey(engine.offer(str(i), caller.description, mask=[first], transcode=[second]))
                caller.obey(engine.answer(str(i), callee.description))
            return exchange(sides, (one, a), (two, b), lambda: engines.cpu_of(engine.pid))
        except (RuntimeError, StopIteration) as error:
            print(f"rtpengine, {first} and {second}: {error!r}")  # noqa: T201
            return None


def pairs_of_phones(one: Codec, two: Codec, calls: int) -> list[tuple[Phone, Phone]]:
    numbers = [96 if codec.payload_type is None else codec.payload_type for codec in (one, two)]
    label = next(LABELS)
    return [(Phone(numbers[0], one, label), Phone(numbers[1], two, label)) for _ in range(calls)]


def exchange(
    sides: list[tuple[Phone, Phone]],
    caller: tuple[Codec, Config],
    callee: tuple[Codec, Config],
    spent: Callable[[], float],
) -> float:
    """Microseconds of ``spent`` for a packet; each phone sends one, all hear one, again and again."""
    phones = [phone for side in sides for phone in side]
    sent = [packets(*of, phones[i].payload_type) for i, of in enumerate((caller, callee))]
    poll, before = select.epoll(), 0.0
    by_number = {phone.socket.fileno(): phone for phone in phones}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    try:
        for index in range(PACKETS):
            if index == WARMING:
                forget_late(phones)
                before = spent()
            began = time.monotonic()
            for i, phone in enumerate(phones):
                phone.socket.sendto(sent[i % 2][index], phone.target)
            missing = len(phones)
            while missing:
                ready = poll.poll(0.1 if index < WARMING else 2.0)
                if not ready and index < WARMING:  # rtpengine has codecs that keep the first one
                    break
                if not ready:
                    raise RuntimeError(f"{missing} packets of {len(phones)} did not come out")
                for number, _ in ready:
                    by_number[number].socket.recv(2048)
                    missing -= 1
            time.sleep(max(0.0, 0.02 - (time.monotonic() - began)))
        return (spent() - before) / len(phones) / (PACKETS - WARMING) * 1e6
    finally:
        for phone in phones:
            phone.socket.close()


def forget_late(phones: list[Phone]) -> None:
    """What came of the first packets after all is not the next ones'."""
    time.sleep(0.3)
    for phone in phones:
        with contextlib.suppress(BlockingIOError):
            while True:
                phone.socket.recv(2048)


def cost_of_resampling(rate: int, to_rate: int, seconds: float) -> float:
    """0 where there is nothing to do."""
    if rate == to_rate:
        return 0.0
    resampler, frames = Resampler(rate, to_rate), voice(rate)
    return best(lambda: [resampler.process(frame) for frame in frames], PACKETS, seconds)


def measure(
    name: str,
    first: str,
    second: str,
    settings: dict[str, int],
    target: int | None,
    calls: int,
    seconds: float,
    kernel: float | None,
) -> dict[str, Any]:
    one, two = find(first), find(second)
    wide = {"sample_rate": settings["sample_rate"]} if first == "opus" else {}
    a, b = one.config(**wide), two.config(**settings)
    codecs = (cost_of_codecs(one, a, b, seconds / 2) + cost_of_codecs(two, b, a, seconds / 2)) / 2
    ways = [cost_of_converter(one, a, two, b, seconds / 2), cost_of_converter(two, b, one, a, seconds / 2)]
    converter = sum(ways) / 2
    rates = (heard(one, a, b).sample_rate, b.sample_rate), (heard(two, b, a).sample_rate, a.sample_rate)
    resampling = sum(cost_of_resampling(*way, seconds / 4) for way in rates) / 2
    engine = theirs = None
    if calls:
        engine = min(asyncio.run(cost_of_engine(one, a, two, b, calls)) for _ in range(TIMES))
        times = 0 if "complexity" in settings else TIMES  # it has one for all
        found_theirs = [cost_of_rtpengine(one, a, two, b, calls) for _ in range(times)]
        theirs = min((us for us in found_theirs if us is not None), default=None)
    return {
        "pair": name,
        "codecs_us": codecs,
        "resampling_us": resampling,
        "converter_us": converter,
        "overhead_percent": round(100 * (converter / (codecs + resampling) - 1), 1),
        "engine_us": engine,
        "rtpengine_us": theirs,
        "kernel_us": kernel,
        "calls_alone": round(1e4 / converter),
        "calls_with_sockets": None if engine is None else round(1e4 / engine),
        "calls_kernel": None if kernel is None else round(1e4 / kernel),
        "target": target,
    }


def cost_in_the_kernel(seconds: float) -> float | None:
    """Between the two forms of G.711, of the whole machine beyond sending directly."""
    name = "rtp_relay_wires_frames_g711"
    numbers = ["--rates", "50000", "--repeats", "1", "--seconds", str(seconds)]
    done = subprocess.run([sys.executable, HERE / "rtp_relay.py", "--g711", *numbers], check=False)
    if done.returncode:
        return None
    rows = json.loads((HERE / "results" / f"{name}.json").read_text())["rows"]
    [row] = [row for row in rows if row["relay"] == "kernel-g711"]
    return float(row["beyond_direct_us"]) if row["loss_percent"] == 0 else None


def rows_of(
    subjects: Sequence[Any], calls: int, seconds: float, kernel: float | None
) -> list[dict[str, Any]]:
    rows = []
    for name, one, two, settings, target in subjects:
        if find(one).is_offered and find(two).is_offered:
            found = kernel if name == G711 else None
            rows.append(measure(name, one, two, settings, target, calls, seconds, found))
    return rows


def main() -> None:
    """Measure each pair of codecs, alone and in calls."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=200, help="at once (default 200)")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each figure (default 1)")
    parser.add_argument("--kernel", action="store_true", help="as root: in network namespaces, too")
    options = parser.parse_args()
    kernel = cost_in_the_kernel(5 * options.seconds) if options.kernel else None
    load = os.getloadavg()[0]
    rows = rows_of(SUBJECTS, options.calls, options.seconds, kernel)
    report.show("µs for a packet of 20 ms, and calls of 100 packets/s on a core", rows)
    report.save(
        "transcode", rows, {"calls": options.calls, "seconds": options.seconds, "load": round(load, 2)}
    )
    bars = [
        {"pair": row["pair"], "of": label, "calls": row[key]}
        for row in rows
        for label, key in (
            ("converter alone", "calls_alone"),
            ("with sockets", "calls_with_sockets"),
            ("kernel", "calls_kernel"),
            ("target", "target"),
        )
    ]
    report.plot("transcode", bars, group="pair", bar="of", value="calls", unit="on a core", log=True)


if __name__ == "__main__":
    main()
