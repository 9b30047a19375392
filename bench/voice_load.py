"""What the benchmarks of calls by TwiML share: a switch with a number, a customer's server, and phones."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from servers import CALL_LIMITS, SERVER, SIP_LIMITS, running
from smpp_load import FIRST, wait_for_port

HERE = Path(__file__).parent
REST, APP = 18081, 18082
SID, TOKEN = "AC" + "0" * 31 + "1", "0123456789abcdef0123456789abcdef"
NUMBER = "+15017122661"
_TO = re.compile(rb"^to:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


def switch_toml(folder: Path) -> str:
    """A switch whose calls come from everywhere and are documents' calls."""
    return f"""
[switch]
state_dir = {json.dumps(str(folder / "state"))}
[sip]
listen = ["udp:127.0.0.1:{SERVER}"]
{SIP_LIMITS}
[media]
ports = "20000-29999"
{CALL_LIMITS}
[[trunks]]
name = "in"
sources = ["127.0.0.0/8"]
[api]
listen = ""
rest = ["http:127.0.0.1:{REST}"]
account_sid = "{SID}"
auth_token = "{TOKEN}"
numbers = ["{NUMBER}"]
rate = 1000000
burst = 1000000
webhook_private = ["127.0.0.0/8"]
"""


@contextmanager
def switch_running(folder: Path) -> Iterator[int]:
    """The switch, and its number bought."""
    path = folder / "switchroom.toml"
    path.write_text(switch_toml(folder))
    command = [*FIRST, sys.executable, "-m", "switchroom.switch", "serve", "-c", str(path)]
    with running(command, folder / "server.log", is_server=True) as process:
        wait_for_port(REST, process, folder / "server.log")
        base = f"http://127.0.0.1:{REST}/2010-04-01/Accounts/{SID}/IncomingPhoneNumbers.json"
        app = f"http://127.0.0.1:{APP}"
        form = {"PhoneNumber": NUMBER, "VoiceUrl": f"{app}/voice", "StatusCallback": f"{app}/status"}
        requests.post(base, form, auth=(SID, TOKEN), timeout=10).raise_for_status()
        yield process.pid


@contextmanager
def app_running(documents: dict[str, str]) -> Iterator[None]:
    """The customer's server."""
    command = [*FIRST, sys.executable, str(HERE / "voice_app.py"), str(APP), json.dumps(documents)]
    process = subprocess.Popen(command)
    try:
        wait_for_port(APP, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def app_counts() -> dict[str, int]:
    """What has come to it until now."""
    counted: dict[str, int] = requests.get(f"http://127.0.0.1:{APP}/counts", timeout=10).json()
    return counted


def go_first() -> None:
    """Be as the servers that are measured: before other programs of the machine, where we may."""
    if FIRST:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


class Phone:
    """A caller with a socket for its signalling and one for its sound."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for one in (self.sip, self.rtp):
            one.bind(("127.0.0.1", 0))
        self.rtp.setblocking(False)
        self.sip.settimeout(10)
        self.server = ("127.0.0.1", SERVER)
        self.target = ("127.0.0.1", 0)

    def call(self) -> None:
        """Be connected with the number."""
        port = self.sip.getsockname()[1]
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.rtp.getsockname()[1]} RTP/AVP 0\r\n"
        )
        self.sip.sendto(self._request("INVITE", port, "", body).encode(), self.server)
        while True:
            answer = self.sip.recv(65535)
            status = int(answer[8:11])
            if status >= 300:
                raise SystemExit(f"a call was refused: {answer[:200]!r}")
            if status >= 200:
                break
        found = _TO.search(answer)
        assert found is not None
        to = found[1].decode()
        self.sip.sendto(self._request("ACK", port, to, "").encode(), self.server)
        media = answer.partition(b"m=audio ")[2].split(b" ", 1)[0]
        self.target = ("127.0.0.1", int(media))

    def _request(self, method: str, port: int, to: str, body: str) -> str:
        return (
            f"{method} sip:{NUMBER}@127.0.0.1:{SERVER} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{self.index}{method}\r\n"
            f"From: <sip:{self.index}@127.0.0.1>;tag=t{self.index}\r\n"
            f"To:{to or f' <sip:{NUMBER}@127.0.0.1>'}\r\nCall-ID: bench-{self.index}-{time.time_ns()}\r\n"
            f"CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContact: <sip:{self.index}@127.0.0.1:{port}>\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
