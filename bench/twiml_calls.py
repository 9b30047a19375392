"""How many calls to a menu does a core take? Answer, play, a key, the next document, hang up.

    python bench/twiml_calls.py [--rates 50,150,200] [--seconds 8]

Callers come at a steady rate. Each call is a row on the disk; its first document is <Gather> with a sound, a
key by INFO leads to the second, <Hangup>; then comes a signed status callback. CPU is that of the switch with
all its threads, for a whole call; "calls a core" is what 100 % of it would carry a second. "setup" is from
INVITE to 200 with a document fetched between, "whole" to the BYE.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import report
import uvloop
from servers import SERVER, cpu_of, tree_of
from voice_load import NUMBER, app_counts, app_running, go_first, switch_running

TARGET = 150
WARM_UP = 1.0


DOCUMENTS = {
    "/voice": '<Response><Gather numDigits="1" action="/key"><Play>/tone.wav</Play></Gather></Response>',
    "/key": "<Response><Hangup/></Response>",
}


class Callers(asyncio.DatagramProtocol):
    """All of them on one socket."""

    def __init__(self) -> None:
        self.began: dict[bytes, float] = {}
        self.setups: list[float] = []
        self.wholes: list[float] = []
        self.refused = self.lost = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def call(self, number: int) -> None:
        call_id = f"twiml-{number}".encode()
        self.began[call_id] = time.perf_counter()
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
        )
        self.send("INVITE", 1, call_id.decode(), "", "application/sdp", body)

    def send(self, method: str, cseq: int, call_id: str, to: str, kind: str, body: str) -> None:
        text = (
            f"{method} sip:{NUMBER}@127.0.0.1:{SERVER} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{call_id}{method}\r\n"
            f"From: <sip:caller@127.0.0.1>;tag={call_id}\r\nTo:{to or f' <sip:{NUMBER}@127.0.0.1>'}\r\n"
            f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:caller@127.0.0.1:{self.port}>\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        self.transport.sendto(text.encode())

    def datagram_received(self, data: bytes, address: Any) -> None:
        fields = {}
        head = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
        for line in head[1:]:
            name, _, value = line.partition(b":")
            fields.setdefault(name.lower(), value)
        call_id, cseq = fields[b"call-id"].strip(), fields[b"cseq"]
        if head[0].startswith(b"BYE"):
            kept = (b"via", b"from", b"to", b"call-id", b"cseq")
            lines = [line for line in head[1:] if line.partition(b":")[0].lower() in kept]
            self.transport.sendto(b"\r\n".join((b"SIP/2.0 200 OK", *lines, b"Content-Length: 0", b"", b"")))
            if (began := self.began.pop(call_id, None)) is not None:
                self.wholes.append(time.perf_counter() - began)
        elif cseq.endswith(b"INVITE") and head[0] > b"SIP/2.0 2" and call_id in self.began:
            if not head[0].startswith(b"SIP/2.0 200"):
                self.refused += 1
                del self.began[call_id]
                return
            self.setups.append(time.perf_counter() - self.began[call_id])
            to = fields[b"to"].decode()
            self.send("ACK", 1, call_id.decode(), to, "application/sdp", "")
            self.send(
                "INFO", 2, call_id.decode(), to, "application/dtmf-relay", "Signal=5\r\nDuration=100\r\n"
            )


async def load(rate: float, seconds: float, first: int) -> Callers:
    """Call at a pace, and wait for the ends."""
    loop = asyncio.get_running_loop()
    _, callers = await loop.create_datagram_endpoint(Callers, remote_addr=("127.0.0.1", SERVER))
    began = loop.time()
    for n in range(round(rate * seconds)):
        callers.call(first + n)
        await asyncio.sleep(max(began + (n + 1) / rate - loop.time(), 0))
    for _ in range(50):
        if not callers.began:
            break
        await asyncio.sleep(0.1)
    callers.lost = len(callers.began)
    callers.transport.close()
    return callers


def measure(folder: Path, rate: float, seconds: float) -> dict[str, Any]:
    """Calls at one pace."""
    with app_running(DOCUMENTS), switch_running(folder) as pid:
        uvloop.run(load(rate, WARM_UP, 0))
        pids = tree_of(pid)
        before, requests = cpu_of(pids), app_counts()["requests"]
        found = uvloop.run(load(rate, seconds, 1_000_000))
        time.sleep(1.0)  # callbacks
        after, requests = cpu_of(pids), app_counts()["requests"] - requests
    spent, count = sum(after) - sum(before), len(found.wholes)
    setups, wholes = sorted(found.setups), sorted(found.wholes)
    return {
        "calls_per_s": rate,
        "whole": count,
        "refused": found.refused,
        "lost": found.lost,
        "cpu_ms_per_call": round(spent / count * 1000, 2),
        "calls_per_s_a_core": round(count / spent),
        "setup_p50_ms": round(setups[len(setups) // 2] * 1000, 1),
        "setup_p99_ms": round(setups[len(setups) * 99 // 100] * 1000, 1),
        "whole_p99_ms": round(wholes[len(wholes) * 99 // 100] * 1000, 1),
        "requests_per_call": round(requests / count, 2),
    }


def main() -> None:
    """Measure each pace."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", default="50,100,150")
    parser.add_argument("--seconds", type=float, default=6)
    options = parser.parse_args()
    rows = []
    go_first()
    with tempfile.TemporaryDirectory(prefix="twiml_calls.") as name:
        for rate in map(int, options.rates.split(",")):
            folder = Path(name) / str(rate)
            folder.mkdir()
            rows.append(measure(folder, rate, options.seconds))
    report.show("Calls to a menu of TwiML", rows)
    report.save("twiml_calls", rows, {"seconds": options.seconds, "target": TARGET})
    bars = [{**row, "of": "on one core"} for row in rows]
    report.plot(
        "twiml_calls",
        bars,
        group="calls_per_s",
        bar="of",
        value="calls_per_s_a_core",
        title="Calls to a menu",
    )


if __name__ == "__main__":
    main()
