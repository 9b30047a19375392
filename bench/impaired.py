"""What becomes of sound when the network between a phone and the switch is bad?

    python bench/impaired.py [--seconds 10]

Phones talk in real time: one speaks PCMU over a network of ours that drops, repeats, delays and
overtakes packets by a seed; the switch passes them on ("passed"), or converts them to L16
("converted"); the other phone has a buffer of 120 ms, conceals what is missing, and is compared with
what it hears over a good network. All calls run at the same time. "distance" is that of the spectra, in
dB (0: the same; 1 is hard to hear, above 5 everybody hears it); "heard" is the share of frames that came
in time; MOS is what the switch says of the call, from the packets that reach it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import report

from switchroom.codecs import Concealer, find
from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane, MediaSession

HOST, RATE, FRAME = "127.0.0.1", 8000, 160
BUFFER = 0.12  # seconds, of who listens
NAMES = {"PCMU": 0, "L16": 96}
WAYS = {"passed": "PCMU", "converted": "L16"}
Sound = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Network:
    """What happens to packets: shares of them, and seconds."""

    loss: float = 0.0
    burst: float = 1.0  # packets that get lost in a row, in the mean
    repeated: float = 0.0
    overtaken: float = 0.0  # come 30 ms late
    jitter: float = 0.0  # of a normal distribution
    spike: float = 0.0  # every fourth second the network stands still for this

    def delays(self, count: int, seed: int) -> Iterator[list[float]]:
        """When each packet arrives after it was sent: not at all, once, or twice."""
        dice, is_losing = random.Random(seed), False
        for i in range(count):
            ends = dice.random() < 1 / self.burst
            begins = dice.random() < self.loss / self.burst / max(1e-9, 1 - self.loss)
            is_losing = not ends if is_losing else begins
            delay = 0.02 + abs(dice.gauss(0.0, self.jitter)) + 0.03 * (dice.random() < self.overtaken)
            delay += max(0.0, self.spike - i % 200 * 0.02) if i >= 200 else 0.0
            twice = dice.random() < self.repeated
            yield [] if is_losing else [delay, delay + 0.005] if twice else [delay]


NETWORKS = {
    "good": Network(),
    "1 % lost": Network(loss=0.01),
    "5 % lost": Network(loss=0.05),
    "5 % lost, 3 in a row": Network(loss=0.05, burst=3),
    "20 % lost": Network(loss=0.2),
    "10 % twice": Network(repeated=0.1),
    "5 % overtaken": Network(overtaken=0.05),
    "jitter 5 ms": Network(jitter=0.005),
    "jitter 20 ms": Network(jitter=0.02),
    "stands still for 300 ms": Network(spike=0.3),
    "some of each": Network(loss=0.02, burst=2, repeated=0.02, overtaken=0.02, jitter=0.005),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    calls = asyncio.run(talk(options.seconds))
    clean = {call.way: call.sound for call in calls if call.name == "good"}
    rows = [row_of(call, clean[call.way]) for call in calls]
    report.show("What a bad network makes of sound", rows)
    report.save("impaired", rows, {"seconds": options.seconds, "buffer": BUFFER})
    report.plot("impaired", rows, group="network", bar="way", value="distance", unit="dB")


def row_of(call: Call, clean: Sound) -> dict[str, Any]:
    return {
        "network": call.name,
        "way": call.way,
        "distance": round(distance(call.sound, clean), 2),
        "heard_percent": round(100 * call.ear.share, 1),
        "MOS": call.mos,
    }


# -- sound


def voice(seconds: float) -> npt.NDArray[np.int16]:
    """Harmonics of a pitch that goes up and down, in syllables."""
    at = np.arange(int(RATE * seconds)) / RATE
    pitch = 2 * np.pi * (140 * at - 12 * np.cos(2 * np.pi * 0.7 * at))
    sound = np.sum([np.sin(pitch * harmonic) / harmonic for harmonic in range(1, 15)], axis=0)
    return np.rint(5000 * sound * (0.55 + 0.45 * np.sin(2 * np.pi * 3.1 * at))).astype(np.int16)


def spectra(sound: Sound) -> Sound:
    """In dB, of windows of 32 ms; what is below -60 dB of full scale counts as that."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, 256)[::128] * np.hanning(256)
    power = np.abs(np.fft.rfft(frames, axis=1))[:, 4:110] / (32768 * 64)
    shown: Sound = 20 * np.log10(np.maximum(power, 1e-3))
    return shown


def distance(heard: Sound, clean: Sound) -> float:
    """Of two sounds' spectra, after they were laid on each other: root of the mean square, in dB."""
    size = min(len(heard), len(clean))
    product = np.fft.irfft(np.fft.rfft(heard, 2 * size) * np.conj(np.fft.rfft(clean, 2 * size)))
    lag = int(np.argmax(product))
    lag -= 2 * size if lag > size else 0
    heard, clean = heard[max(lag, 0) :], clean[max(-lag, 0) :]
    size = min(len(heard), len(clean))
    return float(np.sqrt(np.mean((spectra(heard[:size]) - spectra(clean[:size])) ** 2)))


# -- calls


@dataclass(slots=True)
class Ear:
    """A phone that listens: plays each packet at its time, and conceals what did not come by then."""

    codec: str
    frames: dict[int, bytes] = field(default_factory=dict)  # by their place
    started: tuple[float, int] = (0.0, 0)

    def take(self, packet: bytes, now: float) -> None:
        timestamp = int.from_bytes(packet[4:8], "big")
        if not self.frames:
            self.started = now, timestamp
        place = ((timestamp - self.started[1] + 2**31) % 2**32 - 2**31) // FRAME
        if place >= 0 and now <= self.started[0] + BUFFER + place * FRAME / RATE:
            self.frames.setdefault(place, packet[12:])

    @property
    def share(self) -> float:
        return len(self.frames) / (max(self.frames) + 1)

    def sound(self) -> Sound:
        decoder, concealer = find(f"{self.codec}/{RATE}").decoder(), Concealer()
        heard = []
        for place in range(max(self.frames) + 1):
            frame = self.frames.get(place)
            is_there = frame is not None
            heard.append(concealer.receive(decoder.decode(frame)) if is_there else concealer.conceal(FRAME))
        return np.concatenate(heard).astype(float)


@dataclass(slots=True)
class Call:
    """One network and one way through the switch."""

    name: str
    way: str
    session: MediaSession
    ear: Ear
    mouth: socket.socket
    listener: socket.socket
    target: tuple[str, int]
    sound: Sound = field(default_factory=lambda: np.zeros(0))
    mos: float = 0.0


def phone() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    sock.setblocking(False)
    return sock


def describe(sock: socket.socket, codec: str) -> bytes:
    number = NAMES[codec]
    lines = (
        "v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0",
        f"m=audio {sock.getsockname()[1]} RTP/AVP {number}", f"a=rtpmap:{number} {codec}/8000",
    )  # fmt: skip
    return ("\r\n".join(lines) + "\r\n").encode()


def set_up(plane: MediaPlane, name: str, way: str) -> Call:
    mouth, listener, codec = phone(), phone(), WAYS[way]
    session = plane.session(f"{name} {way}")
    a, b = (session.leg(toward=HOST, is_nat=False) for _ in range(2))
    session.offer(a, b, describe(mouth, "PCMU"))
    told = session.answer(b, a, describe(listener, codec)).decode()
    session.confirm()
    port = int(told.split("m=audio ")[1].split()[0])
    return Call(name, way, session, Ear(codec), mouth, listener, (HOST, port))


def hear(call: Call, now: float) -> None:
    while True:
        try:
            call.ear.take(call.listener.recv(2048), now)
        except BlockingIOError:
            return


async def speak(call: Call, packets: list[bytes], began: float) -> None:
    """Send each packet when the network delivers it."""
    loop = asyncio.get_running_loop()
    network = NETWORKS[call.name]
    arrivals = [
        (began + i * 0.02 + delay, i)
        for i, delays in enumerate(network.delays(len(packets), seed=1))
        for delay in delays
    ]
    for at, i in sorted(arrivals):
        await asyncio.sleep(at - loop.time())
        call.mouth.sendto(packets[i], call.target)


async def talk(seconds: float) -> list[Call]:
    """All calls at once; returns them with what was heard."""
    loop = asyncio.get_running_loop()
    config = MediaConfig.model_validate({"transcode": ["PCMU", "L16/8000"], "kernel": "off"})
    plane = MediaPlane(config, lambda toward: HOST, lambda session: None)
    plane.start(loop)
    encoder, sound = find("PCMU").encoder(), voice(seconds)
    packets = [
        struct.pack("!BBHII", 0x80, 0, i, i * FRAME, 7) + encoder.encode(sound[i * FRAME : (i + 1) * FRAME])
        for i in range(len(sound) // FRAME)
    ]
    calls = [set_up(plane, name, way) for name in NETWORKS for way in WAYS]
    for call in calls:
        loop.add_reader(call.listener, lambda call=call: hear(call, loop.time()))
    began = loop.time() + 0.2
    await asyncio.gather(*(speak(call, packets, began) for call in calls))
    await asyncio.sleep(0.5)
    for call in calls:
        loop.remove_reader(call.listener)
        call.mos, call.sound = call.session.close().a.mos, call.ear.sound()
        call.mouth.close()
        call.listener.close()
    plane.stop()
    return calls


if __name__ == "__main__":
    main()
