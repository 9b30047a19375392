"""baresip as a telephone: plays a tone, records what it hears, is driven through its ctrl_tcp module."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .ports import TETHER, free_port

RATE = 8000
_MODULES = "/usr/lib/baresip/modules"


def write_tone(path: Path, hertz: float, seconds: float = 30.0, rate: int = RATE, channels: int = 1) -> Path:
    """A WAV of one sine wave at half amplitude, the same in all channels."""
    samples = 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((samples * 32767).astype("<i2").repeat(channels).tobytes())
    return path


def read_wave(path: Path) -> tuple[NDArray[np.float64], int]:
    """Samples of a recording that may still be written to (its header then lies about the length).

    Of several channels the first one.
    """
    data = path.read_bytes()
    at = data.find(b"data")
    if at < 0 or len(data) < at + 8:
        return np.zeros(0), RATE
    channels, rate = int.from_bytes(data[22:24], "little"), int.from_bytes(data[24:28], "little")
    body = data[at + 8 :]
    return np.frombuffer(body[: len(body) // 2 * 2], "<i2")[::channels].astype(float), rate


def share_of_tone(samples: NDArray[np.float64], rate: int, hertz: float, width: float = 15.0) -> float:
    """The part of the whole energy that lies within `width` of a frequency; 0 for silence."""
    if len(samples) < rate // 10:
        return 0.0
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    power[0] = 0.0
    where = np.fft.rfftfreq(len(samples), 1 / rate)
    total = power.sum()
    return float(power[np.abs(where - hertz) <= width].sum() / total) if total > len(samples) * 1e4 else 0.0


class Baresip:
    """One baresip process with an account at the switch."""

    def __init__(
        self,
        folder: Path,
        user: str,
        password: str,
        server: tuple[str, int],
        *,
        tone: float,
        transport: str = "udp",
        is_answering: bool = True,
        register_interval: int = 600,
        codec: str = "PCMU/8000/1",
        packet_ms: int = 20,
        encryption: str = "",
    ):
        """``encryption``: of its sound, srtp-mand or dtls_srtp for example (its module srtp or dtls_srtp)."""
        folder.mkdir(parents=True)
        self.folder, self.user = folder, user
        self.port = self._control = 0
        self._modules = ["g711", "g722", "opus", "sndfile", "aufile"]
        if encryption:
            self._modules.append(encryption.partition("-")[0])
        family = codec.partition("/")[0].partition("-")[0].lower()
        if family in ("gsm", "l16", "amr", "g726"):
            self._modules.append(family)
        rate, channels = (int(part) for part in codec.split("/")[1:])
        write_tone(folder / "tone.wav", tone, rate=rate, channels=channels)
        mode = "auto" if is_answering else "manual"
        (folder / "accounts").write_text(
            f"<sip:{user}@{server[0]}:{server[1]};transport={transport}>;auth_user={user};auth_pass={password}"
            f";answermode={mode};audio_codecs={codec};ptime={packet_ms};regint={register_interval}"
            f"{f';mediaenc={encryption}' if encryption else ''}\n"
        )
        (folder / "contacts").write_text("")
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._buffer = b""
        self.events: list[dict[str, object]] = []

    def _config(self) -> str:
        folder = self.folder
        return "\n".join(
            [
                f"sip_listen\t127.0.0.1:{self.port}",
                "net_interface\t127.0.0.1",
                "poll_method\tepoll",
                f"audio_player\taufile,{folder}/played.wav",
                f"audio_source\taufile,{folder}/tone.wav",
                f"audio_alert\taufile,{folder}/alert.wav",
                "audio_path\t/nonexistent",
                "audio_buffer\t20-160",
                "jitter_buffer_delay\t1-2",
                "rtp_ports\t29100-32700",  # its default would take the ports of other processes
                "rtp_stats\tyes",
                f"module_path\t{_MODULES}",
                *(f"module\t{name}.so" for name in self._modules),
                "module_tmp\taccount.so",
                "module_app\tmenu.so",
                "module_app\tctrl_tcp.so",
                f"ctrl_tcp_listen\t127.0.0.1:{self._control}",
                f"snd_path\t{folder}",
                "",
            ]
        )

    def start(self, timeout: float = 10.0) -> Baresip:
        until = time.monotonic() + timeout
        self._launch()
        while self._socket is None:
            assert self.process is not None
            if self.process.poll() is not None:
                said = self.log.read_text(errors="replace")
                assert "Address already in use" in said, said  # somebody was quicker: other ports then
                self._launch()
            try:
                self._socket = socket.create_connection(("127.0.0.1", self._control), 0.2)
            except OSError:
                assert time.monotonic() < until, self.log.read_text(errors="replace")
                time.sleep(0.02)  # nothing else tells that its control port is open
        return self

    def _launch(self) -> None:
        self.port = free_port(2)  # baresip takes the next one for TLS
        self._control = free_port()
        (self.folder / "config").write_text(self._config())
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*TETHER, "baresip", "-f", str(self.folder), "-s", "-v"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def _take(self, until: float) -> dict[str, object]:
        """The next netstring of the control connection."""
        assert self._socket is not None
        while True:
            size, colon, rest = self._buffer.partition(b":")
            if colon and len(rest) > int(size):
                self._buffer = rest[int(size) + 1 :]
                message: dict[str, object] = json.loads(rest[: int(size)])
                if message.get("event"):
                    self.events.append(message)
                return message
            self._socket.settimeout(max(0.01, until - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise AssertionError(
                    f"baresip {self.user}: nothing more in time; events {self.events}\n"
                    + self.log.read_text(errors="replace")
                ) from None
            assert data, f"baresip {self.user} closed its control connection\n" + self.log.read_text(
                errors="replace"
            )
            self._buffer += data

    def wait_for(self, kind: str, timeout: float = 10.0, *, since: int = 0) -> dict[str, object]:
        """The first event of a kind (REGISTER_OK, CALL_ESTABLISHED, ...) after the first `since` events."""
        until = time.monotonic() + timeout
        while True:
            for event in self.events[since:]:
                if event["type"] == kind:
                    return event
            self._take(until)

    def command(self, name: str, parameters: str = "", timeout: float = 5.0) -> dict[str, object]:
        assert self._socket is not None
        token = f"t{time.monotonic_ns()}"
        data = json.dumps({"command": name, "params": parameters, "token": token}).encode()
        self._socket.sendall(b"%d:%s," % (len(data), data))
        until = time.monotonic() + timeout
        while True:
            message = self._take(until)
            if message.get("response") and message.get("token") == token:
                return message

    def wait_registered(self, timeout: float = 10.0) -> None:
        """Registered by now, or with an event to come (the first one may precede our connection)."""
        until = time.monotonic() + timeout
        while "OK" not in (told := str(self.command("reginfo")["data"])):
            assert "ERR" not in told, self.log.read_text(errors="replace")
            self._take(until)

    def dial(self, number: str) -> None:
        self.command("dial", number)

    def hang_up(self) -> None:
        self.command("hangup")

    def recordings(self, direction: str = "dec") -> list[Path]:
        """What it heard (dec) or said (enc), one file a call, oldest first."""
        return sorted(self.folder.glob(f"dump-*{direction}*.wav"))

    def heard(self) -> tuple[NDArray[np.float64], int]:
        """All samples that it heard, call after call, and their rate."""
        waves = [read_wave(path) for path in self.recordings()]
        return np.concatenate([np.zeros(0), *(samples for samples, _ in waves)]), waves[-1][
            1
        ] if waves else RATE

    def wait_to_hear(self, hertz: float, *, after: int = 0, timeout: float = 10.0) -> None:
        """Wait until the last second of what it heard is that tone, and later than so many samples."""
        until = time.monotonic() + timeout
        while True:
            samples, rate = self.heard()
            share = share_of_tone(samples[-rate:], rate, hertz)
            if len(samples) >= after + rate and share > 0.9:
                return
            assert time.monotonic() < until, (
                f"{self.user} heard {len(samples)} samples, {share:.2f} of {hertz} Hz"
            )
            time.sleep(0.05)  # a file grows: there is no event to wait for

    def hears_event(self, kind: str, seconds: float) -> bool:
        """Whether an event of that kind comes within that time."""
        try:
            self.wait_for(kind, seconds)
        except AssertionError:
            return False
        return True

    def received_packets(self, timeout: float = 5.0) -> int:
        """RTP packets of its last call, as it tells them at its end: a moment after the event."""
        until = time.monotonic() + timeout
        while True:
            text = self.log.read_text(errors="replace")
            if found := re.findall(r"packets:\s+\d+\s+(\d+)", text):
                return int(found[-1])
            assert time.monotonic() < until, f"no count of packets in\n{text}"
            time.sleep(0.02)  # a file grows: there is no event to wait for

    def wait_log(self, what: str, *, after: str = "", timeout: float = 5.0) -> None:
        """Wait until its trace holds a text, behind the last occurrence of another."""
        until = time.monotonic() + timeout
        while True:
            text = self.log.read_text(errors="replace")
            if what in text[text.rfind(after) if after else 0 :]:
                return
            assert time.monotonic() < until, f"no {what} in\n{text}"
            time.sleep(0.02)  # a file grows: there is no event to wait for

    def stop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
