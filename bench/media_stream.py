"""How many calls talk with an application over Media Streams, both ways, on one core?

    python bench/media_stream.py [--streams 50,150,300] [--seconds 6]

Each caller sends µ-law 50 times a second and hears what the application says, which sends 20 ms 50 times a
second too, each as a message of JSON in a WebSocket of its own: <Connect><Stream>. CPU is that of the switch
with all its threads; "a core" is what 100 % of it would carry. "to the app" and "heard" are messages and
packets with sound of a stream, a second: 50 is all of them.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import report
from servers import cpu_of, tree_of
from voice_app import TONE
from voice_load import APP, Phone, app_counts, app_running, go_first, switch_running

TARGET = 300
LISTENERS = 10
DOCUMENT = f'<Response><Connect><Stream url="ws://127.0.0.1:{APP}/stream"/></Connect></Response>'


def talk(phones: list[Phone], seconds: float, tick: int) -> int:
    """Send for so long; how many packets a few of them heard."""
    heard, began = 0, time.monotonic()
    for n in range(round(seconds * 50)):
        stamp = tick + n
        packet = b"\x80\x00" + (stamp & 0xFFFF).to_bytes(2, "big") + (stamp * 160).to_bytes(4, "big")
        for phone in phones:
            phone.rtp.sendto(packet + phone.index.to_bytes(4, "big") + TONE, phone.target)
        for phone in phones[:LISTENERS]:
            heard += listen(phone.rtp)
        time.sleep(max(began + (n + 1) * 0.02 - time.monotonic(), 0))
    return heard


def listen(rtp: socket.socket) -> int:
    """Packets that are not silent."""
    heard = 0
    with suppress(BlockingIOError):
        while True:
            heard += len(set(rtp.recv(2048)[12:])) > 2
    return heard


def measure(folder: Path, count: int, seconds: float) -> dict[str, Any]:
    """So many streams at once."""
    with app_running({"/voice": DOCUMENT}), switch_running(folder) as pid:
        phones = [Phone(n) for n in range(count)]
        for phone in phones:
            phone.call()
        talk(phones, 1.0, 0)
        pids = tree_of(pid)
        counted = app_counts()["messages"]
        before, began = cpu_of(pids), time.monotonic()
        heard = talk(phones, seconds, 50)
        after, passed = cpu_of(pids), time.monotonic() - began
        counted = app_counts()["messages"] - counted
        for phone in phones:
            phone.rtp.close()
            phone.sip.close()
    spent = sum(after) - sum(before)
    return {
        "streams": count,
        "cpu_s_per_s": round(spent / passed, 3),
        "µs_per_stream_tick": round(spent / passed / count / 50 * 1e6, 1),
        "streams_a_core": round(count * passed / spent),
        "to_the_app_per_s": round(counted / count / passed, 1),
        "heard_per_s": round(heard / min(count, LISTENERS) / passed, 1),
    }


def main() -> None:
    """Measure each number of streams."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", default="50,150,300")
    parser.add_argument("--seconds", type=float, default=6)
    options = parser.parse_args()
    rows = []
    go_first()
    with tempfile.TemporaryDirectory(prefix="media_stream.") as name:
        for count in map(int, options.streams.split(",")):
            folder = Path(name) / str(count)
            folder.mkdir()
            rows.append(measure(folder, count, options.seconds))
    report.show("Media Streams, both ways", rows)
    report.save("media_stream", rows, {"seconds": options.seconds, "target": TARGET})
    bars = [{**row, "of": "on one core"} for row in rows]
    report.plot(
        "media_stream", bars, group="streams", bar="of", value="streams_a_core", title="Bidirectional streams"
    )


if __name__ == "__main__":
    main()
