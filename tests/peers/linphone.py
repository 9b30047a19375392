"""linphonec as a telephone, which has G.729 and G.726: a WAV is what it says, another what it heard."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .baresip import read_wave, write_tone
from .ports import TETHER, free_port

# All that it has: what its file does not name it adds, and offers.
_CODECS = [
    *(("speex", rate) for rate in ("8000", "16000", "32000")),
    *((name, "8000") for name in ("PCMU", "PCMA", "GSM", "G722", "G729")),
    *((f"{packing}G726-{kbit}", "8000") for packing in ("", "AAL2-") for kbit in (16, 24, 32, 40)),
    ("opus", "48000"),
]


def is_installed() -> bool:
    """Whether Debian's linphone-cli is there."""
    return shutil.which("linphonec") is not None


class Linphone:
    """One linphonec with an account at the switch, one codec, and a tone to say; it answers at once."""

    def __init__(
        self, folder: Path, user: str, password: str, server: tuple[str, int], *, tone: float, codec: str
    ) -> None:
        folder.mkdir(parents=True)
        self.folder, self.user = folder, user
        self._address = f"{server[0]}:{server[1]}"
        self._log = folder / "log"
        write_tone(folder / "tone.wav", tone)
        chosen = tuple(codec.split("/")[:2])
        codecs = "".join(
            f"[audio_codec_{i}]\nmime={name}\nrate={rate}\nchannels={1 + (name == 'opus')}\n"
            f"enabled={int(chosen == (name, rate))}\n"
            for i, (name, rate) in enumerate(_CODECS)
        )
        (folder / "rc").write_text(
            f"[sip]\nsip_port={free_port()}\nsip_tcp_port=0\nsip_tls_port=0\nguess_hostname=1\n"
            f"[rtp]\naudio_rtp_port={free_port(2)}\n"
            f"{codecs}"
            f"[proxy_0]\nreg_proxy=<sip:{self._address}>\nreg_identity=sip:{user}@{self._address}\n"
            "reg_sendregister=1\nreg_expires=600\n"
            f"[auth_info_0]\nusername={user}\npasswd={password}\n"
        )
        (folder / ".local/share/linphone").mkdir(parents=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Linphone:
        """Start, with every codec but one off, since it adds what its file does not name."""
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                [*TETHER, "linphonec", "-d", "1", "-c", str(self.folder / "rc")],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HOME": str(self.folder)},
            )
        self.command("soundcard use files", f"play {self.folder}/tone.wav", f"record {self.folder}/heard.wav")
        self.command("autoanswer enable", "ipv6 disable")
        return self

    def command(self, *lines: str) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.process.stdin.flush()

    def wait_registered(self) -> None:
        self.wait_said("LinphoneRegistrationOk")

    def wait_said(self, *words: str, timeout: float = 15.0) -> None:
        until = time.monotonic() + timeout
        while not all(word in (text := self._log.read_text(errors="replace")) for word in words):
            assert time.monotonic() < until, f"no {words} in\n{text}"
            time.sleep(0.05)  # a file grows: there is no event to wait for

    def dial(self, number: str) -> None:
        self.command(f"call sip:{number}@{self._address}")

    def hang_up(self) -> None:
        self.command("terminate")

    def heard(self) -> tuple[NDArray[np.float64], int]:
        """All samples that it heard, and their rate."""
        path = self.folder / "heard.wav"
        return read_wave(path) if path.exists() else (np.zeros(0), 8000)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.command("quit")  # it takes its registration back
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
