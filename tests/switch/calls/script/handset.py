"""A phone in memory whose sound is real: SIP by the world's hand, RTP over sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from switchroom.codecs import Samples, find
from switchroom.protocols import sdp, sip
from switchroom.switch.calls.script import Apps, House
from tests.switch.calls.world import World

Result = TypeVar("Result")
_NUMBERS = {0: "PCMU", 8: "PCMA", 9: "G722", 96: "opus"}


def run(world: World, work: Awaitable[Result], timeout: float = 20.0) -> Result:
    """Do something in the world's loop."""

    async def limited() -> Result:
        return await asyncio.wait_for(work, timeout)

    return world.loop.run_until_complete(limited())


def apps_of(world: World, folder: Path) -> Apps:
    """The programs of a world."""
    return Apps(House(world.exchange, world.settle, state_dir=folder), world.log)


async def until(is_so: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for a state that nobody announces."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not is_so():
        assert loop.time() < end, "it never happened"
        await asyncio.sleep(0.005)


async def until_quiet(*phones: Handset) -> None:
    """Wait until each of them has heard 0.2 s of silence, from now on: nothing of before is on its way."""
    first = [len(phone.parts) for phone in phones]

    def is_quiet() -> bool:
        heard = [phone.parts[start:][-10:] for phone, start in zip(phones, first, strict=True)]
        return all(len(parts) == 10 and np.abs(parts).max() < 300 for parts in heard)

    await until(is_quiet, 10.0)


class Handset:
    """One phone; ``sound`` is what it hears once its call is answered."""

    def __init__(
        self, world: World, host: str, user: str = "", payload_type: int = 0, port: int = 5060
    ) -> None:
        self.world = world
        self.phone = world.phone(host, port, user=user)
        self.payload_type = payload_type
        codec = find(_NUMBERS[payload_type])
        self.rate = codec.format.sample_rate
        self._step = 960 if payload_type == 96 else 160  # of the time stamp in 20 ms
        shape = {"channels": 1} if payload_type == 96 else {}
        self._encoder, self._decoder = codec.encoder(**shape), codec.decoder(**shape)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self.session: Any = None
        self.parts: list[Samples] = []
        self.events: list[tuple[int, bool, int]] = []  # telephone-events: the key, its end, its time stamp
        self._to: tuple[str, int] | None = None
        self._sequence = self._timestamp = 0
        self._next_at = 0.0  # when the next packet is due
        world.loop.add_reader(self._socket.fileno(), self._read)

    # -- SIP

    @property
    def sdp(self) -> bytes:
        return self.describe()

    def describe(self, direction: str = "sendrecv", events: bool = True) -> bytes:
        """Its description."""
        host, port = self._socket.getsockname()
        key = "101" if events else ""
        lines = [f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0"]
        lines.append(f"m=audio {port} RTP/AVP {self.payload_type} {key}".rstrip())
        if self.payload_type == 96:
            lines.append("a=rtpmap:96 opus/48000/2")
        if events:
            lines.append("a=rtpmap:101 telephone-event/8000")
        return ("\r\n".join([*lines, "a=ptime:20", f"a={direction}"]) + "\r\n").encode()

    def call(self, number: str, body: bytes | None = None, account: str = "") -> Any:
        """Call a number; the answer is taken by ``answered``."""
        self.session = self.phone.call(number, self.sdp if body is None else body, account=account)
        return self.session

    async def answered(self) -> Handset:
        """Wait for the 200 and take it."""
        await until(lambda: self.phone.has(sip.SessionAnswered))
        event = self.phone.take(sip.SessionAnswered)
        self.obey(event.response.body)
        self.session.acknowledge(self.world.now)
        self.world.settle()
        return self

    async def rings(self) -> Handset:
        """Wait for an INVITE."""
        await until(lambda: self.phone.has(sip.RequestReceived))
        self.invited = self.phone.take(sip.RequestReceived)
        self.session = self.phone.endpoint.accept(self.invited, self.world.now, contact=self.phone.contact)
        self.session.ring(180, self.world.now)
        self.world.settle()
        return self

    def answer(self, direction: str = "sendrecv", events: bool = True) -> None:
        """Answer what rings."""
        self.obey(self.invited.request.body)
        self.session.answer(self.world.now, body=self.describe(direction, events))
        self.world.settle()

    def hang_up(self) -> None:
        self.session.hang_up(self.world.now)
        self.world.settle()

    @property
    def is_over(self) -> bool:
        return self.phone.has(sip.SessionEnded)

    def obey(self, body: bytes) -> None:
        """Send where that description says."""
        description = sdp.Description.parse(body)
        connection = description.connection_of(description.media[0])
        assert connection is not None
        self._to = connection.host, description.media[0].port

    def info(self, body: bytes, kind: str = "application/dtmf-relay") -> None:
        self.session.send_request("INFO", self.world.now, body=body, headers=(("Content-Type", kind),))
        self.world.settle()

    # -- sound

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = self._socket.recv(2048)
                if packet[1] & 0x7F == self.payload_type:
                    self.parts.append(self._decoder.decode(packet[12:]))
                elif packet[1] & 0x7F == 101:
                    stamp = struct.unpack("!I", packet[4:8])[0]
                    self.events.append((packet[12], bool(packet[13] & 0x80), stamp))

    @property
    def sound(self) -> Samples:
        return np.concatenate(self.parts) if self.parts else np.zeros(0, np.int16)

    def _send(self, payload_type: int, payload: bytes, timestamp: int) -> None:
        assert self._to is not None
        header = struct.pack(
            "!BBHII",
            0x80,
            payload_type,
            self._sequence & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            id(self) & 0xFFFFFFFF,
        )
        self._sequence += 1
        self._socket.sendto(header + payload, self._to)

    async def say(self, samples: Samples) -> None:
        """Speak, in real time; the time stamps go on while nobody does."""
        size, loop = self.rate // 50, self.world.loop
        if (idle := loop.time() - self._next_at) > 0:
            self._timestamp += round(50 * idle) * self._step if self._next_at else 0
            self._next_at = loop.time()
        for at in range(0, len(samples) - size + 1, size):
            self._send(self.payload_type, self._encoder.encode(samples[at : at + size]), self._timestamp)
            self._timestamp += self._step
            self._next_at += 0.02
            await asyncio.sleep(max(self._next_at - loop.time(), 0))

    async def press(self, keys: str, seconds: float = 0.1) -> None:
        """Press keys, as RFC 4733 has it."""
        for key in keys:
            number, stamp, count = "0123456789*#ABCD".index(key), self._timestamp, round(seconds * 50)
            for i in range(count + 3):
                duration = 160 * min(i + 1, count)
                flags = 10 | (0x80 if i >= count else 0)
                self._send(101, struct.pack("!BBH", number, flags, duration), stamp)
                await asyncio.sleep(0.02 if i < count else 0)
            self._timestamp += 160 * (count + 3)
            await asyncio.sleep(0.06)

    def close(self) -> None:
        self.world.loop.remove_reader(self._socket.fileno())
        self._socket.close()


def pitches(samples: Samples, rate: int, seconds: float = 0.1) -> list[int]:
    """The strongest frequency of each stretch that is not silent, rounded to 10 Hz, each change once.

    The last milliseconds of a tone at the edge of a stretch have no frequency: that is silent, too.
    """
    size, found = round(rate * seconds), list[int]()
    for at in range(0, len(samples) - size + 1, size):
        part = samples[at : at + size] * np.hanning(size)
        if np.sqrt(np.mean(part**2)) < 300:
            continue
        spectrum = np.abs(np.fft.rfft(part))
        pitch = round(int(spectrum.argmax()) * rate / size / 10) * 10
        if not found or found[-1] != pitch:
            found.append(pitch)
    return found
