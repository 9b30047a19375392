"""Media engines of others that stand beside ours, driven as their switches drive them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

CONTROL = ("127.0.0.1", 2223)
PORTS = (10000, 19999)


def has_rtpengine() -> bool:
    return shutil.which("rtpengine") is not None


@contextmanager
def rtpengine(hosts: tuple[str, str]) -> Iterator[Rtpengine]:
    """rtpengine in user space, with an address towards either phone."""
    if not has_rtpengine():
        sys.exit("rtpengine is not installed (Debian package rtpengine-daemon)")
    command = ["rtpengine", "-f", "-E", "-L", "3", "--table=-1", "-n", f"{CONTROL[0]}:{CONTROL[1]}"]
    command += ["-m", str(PORTS[0]), "-M", str(PORTS[1])]
    for i, host in enumerate(hosts):
        command += ["-i", f"side{i}/{host}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
                control.connect(CONTROL)
                yield Rtpengine(process.pid, control)
        finally:
            process.terminate()


class Rtpengine:
    """Its NG protocol: bencoded dictionaries over UDP."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid, self._control = pid, control
        deadline = time.monotonic() + 10
        control.settimeout(0.2)
        while time.monotonic() < deadline:
            try:
                if b"pong" in self._ask("ping"):
                    control.settimeout(5)
                    return
            except (OSError, AssertionError):  # not there yet
                time.sleep(0.05)
        sys.exit("rtpengine does not answer")

    def offer(
        self,
        call: str,
        sdp: bytes,
        *,
        mask: Sequence[str] = (),
        transcode: Sequence[str] = (),
        transport: str = "",
    ) -> bytes:
        """What the callee is offered: without the codecs of ``mask``, with those of ``transcode``."""
        terms: dict[str, Any] = {"direction": ["side0", "side1"]}
        if mask or transcode:
            terms["codec"] = {"mask": list(mask), "transcode": list(transcode)}
        if transport:
            terms["transport-protocol"] = transport
        return self._tell("offer", call, sdp, **terms)

    def answer(self, call: str, sdp: bytes) -> bytes:
        """What the caller is answered."""
        return self._tell("answer", call, sdp, **{"to-tag": "b"})

    def _tell(self, command: str, call: str, sdp: bytes, **fields: Any) -> bytes:
        common = {"call-id": call, "from-tag": "a", "ICE": "remove", "replace": ["origin"]}
        return self._ask(command, **common, **fields, sdp=sdp)

    def _ask(self, command: str, **fields: Any) -> bytes:
        cookie = os.urandom(6).hex().encode()
        self._control.send(cookie + b" " + _bencode({"command": command, **fields}))
        answer = self._control.recv(65536)
        assert answer.startswith(cookie), answer
        return answer


def _bencode(value: bytes | str | list[Any] | dict[str, Any]) -> bytes:
    if isinstance(value, dict):
        return b"d" + b"".join(_bencode(key) + _bencode(value[key]) for key in sorted(value)) + b"e"
    if isinstance(value, list):
        return b"l" + b"".join(map(_bencode, value)) + b"e"
    data = value.encode() if isinstance(value, str) else value
    return b"%d:%s" % (len(data), data)


def cpu_of(pid: int, thread: str = "") -> float:
    """Seconds of CPU of all threads of a process, or of those of one name, to the nanosecond."""
    if not pid:
        return 0.0
    total = 0.0
    for task in os.listdir(f"/proc/{pid}/task"):
        if thread:
            with open(f"/proc/{pid}/task/{task}/comm") as file:
                if file.read().strip() != thread:
                    continue
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0]) * 1e-9
    return total
