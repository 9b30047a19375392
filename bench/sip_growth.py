"""Does a call cost more when many are registered or up, and how much memory does each take?

    python bench/sip_growth.py            10, 1,000, 100,000 phones; 1,000 to 20,000 calls
    python bench/sip_growth.py --phones 10,1000 --up 1000,5000

phones: so many phones register (REGISTER with digest, for real), then calls to registered phones run at a
rate that is always the same. bytes is what the server's memory grew by for each phone, cpu_s_per_1000 what
a call costs then. calls: so many calls are brought up and held; bytes is what memory grew by for each, with
their media ports; cpu is that of bringing up and ending them. The ring of the latest messages is small here:
it would fill meanwhile, up to the size that is set. The callee listens on [::1]: the ports of one address
would not do for 20,000 calls. A call has four descriptors: where the limit of descriptors cannot be
raised (CAP_SYS_RESOURCE), so many workers share the calls as need be; each keeps some of its descriptors for
signalling, and refuses with 503 what the rest has no room for.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import re
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import load
import report
from servers import (
    CALLEE,
    FIRST_USER,
    PASSWORD,
    SERVER,
    SETTLE,
    Setup,
    allow_descriptors,
    cpu_of,
    descriptors_of,
    memory_of,
    running,
    server_running,
    tree_of,
)

from switchroom.switch.media.ports import affordable_pairs

REALM = "127.0.0.1"
MEDIA_PORTS = 16384, 65535
PAIRS_A_CALL = 2 * 1.1  # one for each leg, and that workers do not get the same share
WINDOW = 40  # REGISTERs on their way at once


def register(phones: int) -> float:
    """Register them all from the callee's port, before it starts; seconds."""
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", CALLEE))
        sock.settimeout(5)
        port = sock.getsockname()[1]
        sock.sendto(_register(port, 0, ""), ("127.0.0.1", SERVER))
        challenge = ""
        while not challenge.startswith("SIP/2.0 401"):
            challenge = sock.recv(65536).decode()
        found = re.search(r'nonce="([^"]+)"', challenge)
        assert found is not None, challenge
        waiting = 0
        for number in range(phones):
            sock.sendto(_register(port, number, found[1]), ("127.0.0.1", SERVER))
            waiting += 1
            if waiting == WINDOW or number == phones - 1:
                while waiting:
                    answer = sock.recv(65536)
                    if answer.startswith(b"OPTIONS"):  # the switch looks after its trunk
                        continue
                    assert answer.startswith(b"SIP/2.0 200"), answer
                    waiting -= 1
    return time.monotonic() - began


def _register(port: int, number: int, nonce: str) -> bytes:
    user = str(FIRST_USER + number)
    authorization = ""
    if nonce:
        count = f"{number + 1:08x}"
        a1 = _md5(f"{user}:{REALM}:{PASSWORD}")
        answer = _md5(f"{a1}:{nonce}:{count}:bench:auth:{_md5(f'REGISTER:sip:{REALM}')}")
        authorization = (
            f'Authorization: Digest username="{user}", realm="{REALM}", nonce="{nonce}", uri="sip:{REALM}", '
            f'response="{answer}", algorithm=MD5, cnonce="bench", qop=auth, nc={count}\r\n'
        )
    return (
        f"REGISTER sip:{REALM} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKg{port}x{number}x{len(nonce)};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{user}@{REALM}>;tag=g{number}\r\nTo: <sip:{user}@{REALM}>\r\n"
        f"Call-ID: growth-{port}-{number}\r\nCSeq: {1 + bool(nonce)} REGISTER\r\n"
        f"Contact: <sip:{user}@127.0.0.1:{CALLEE}>\r\nExpires: 3600\r\nUser-Agent: growth\r\n"
        f"{authorization}Content-Length: 0\r\n\r\n"
    ).encode()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def measure_phones(phones: int, options: argparse.Namespace) -> dict[str, Any]:
    """Registers, then calls the last one again and again."""
    with tempfile.TemporaryDirectory(prefix="sip_growth.") as name:
        folder = Path(name)
        target = f'[[routes]]\nmatch = "8*"\nto = "user:{FIRST_USER + phones - 1}"\n'
        trunk = '[[trunks]]\nname = "in"\nsources = ["127.0.0.0/8"]\n'
        setup = Setup(users=phones, has_auth=True, more=target + trunk)
        with server_running("switchroom", folder, setup) as process:
            pids = tree_of(process.pid)
            idle = memory_of(pids)
            before = cpu_of(pids)
            seconds = register(phones)
            time.sleep(1.0)  # the store has written them down
            after = cpu_of(pids)
            full = memory_of(pids)
            with running(load.callee(folder), folder / "callee.log"):
                cost = measure_calls(folder, pids, options, "800")
    return {
        "what": "phones",
        "count": phones,
        "bytes": round((full - idle) * 2**20 / phones),
        "cpu_s_per_1000": cost["cpu_s_per_1000"],
        "failed": cost["failed"],
        "workers": 1,
        "cpu_s_per_1000_registered": round((sum(after) - sum(before)) / phones * 1000, 4),
        "seconds": round(seconds, 1),
        "mib": round(full, 1),
        "descriptors": None,
    }


def measure_calls(folder: Path, pids: list[int], options: argparse.Namespace, number: str) -> dict[str, Any]:
    """Calls at the rate that is always the same."""
    calls = int(options.rate * options.seconds)
    command = load.caller(folder, "caller", rate=options.rate, calls=calls, hold=1.0)
    command[command.index("-s") + 1] = number
    before = cpu_of(pids)
    load.run_quietly(command, folder)
    time.sleep(SETTLE)
    after = cpu_of(pids)
    done = int(load.last_row(folder / "caller.csv")["SuccessfulCall(C)"])
    cpu = sum(after) - sum(before)
    return {"failed": calls - done, "cpu_s_per_1000": round(cpu / done * 1000, 4) if done else None}


def workers_for(calls: int) -> int:
    """Processes that may open the sockets of so many calls."""
    allow_descriptors()
    return math.ceil(calls * PAIRS_A_CALL / affordable_pairs(len(range(*MEDIA_PORTS)) + 1))


def measure_up(up: int, options: argparse.Namespace) -> dict[str, Any]:
    """Brings so many calls up, looks, and ends them."""
    rate = options.up_rate
    hold = up / rate + 8
    with tempfile.TemporaryDirectory(prefix="sip_growth.") as name:
        folder = Path(name)
        setup = Setup(
            callee_host="[::1]",
            workers=workers_for(up),
            media_ports="{}-{}".format(*MEDIA_PORTS),
            more="[trace]\nring_size = 100\n",
        )
        with (
            server_running("switchroom", folder, setup) as process,
            running(load.callee(folder, host="[::1]"), folder / "callee.log"),
        ):
            pids = tree_of(process.pid)
            # So many that the database's caches and the allocator's pools have what they take anyway
            load.run_quietly(load.caller(folder, "caller", rate=200, calls=1000, hold=0.1), folder)
            idle, before = memory_of(pids), cpu_of(pids)
            command = load.caller(folder, "caller", rate=rate, calls=up, hold=hold)
            command[command.index("-l") + 1] = str(up + 100)
            command[command.index("-timeout") + 1] = str(int(2 * hold + 60))
            with running(command, folder / "caller.log") as caller:
                time.sleep(up / rate + 3)
                full, descriptors = memory_of(pids), descriptors_of(pids)
                caller.wait(2 * hold + 90)
            time.sleep(SETTLE)
            after = cpu_of(pids)
        done = int(load.last_row(folder / "caller.csv")["SuccessfulCall(C)"])
    return {
        "what": "calls",
        "count": up,
        "bytes": round((full - idle) * 2**20 / max(done, 1)),
        "cpu_s_per_1000": round((sum(after) - sum(before)) / max(done, 1) * 1000, 4),
        "failed": up - done,
        "workers": setup.workers,
        "cpu_s_per_1000_registered": None,
        "seconds": round(hold, 1),
        "mib": round(full, 1),
        "descriptors": descriptors,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--phones", default="10,1000,100000", help="registered phones; empty: leave out")
    parser.add_argument("--up", default="1000,5000,20000", help="calls up at once; empty: leave out")
    parser.add_argument("--rate", type=int, default=500, help="calls per second with so many phones")
    parser.add_argument("--seconds", type=float, default=10, help="how long those are started")
    parser.add_argument("--up-rate", type=int, default=500, help="calls per second brought up")
    options = parser.parse_args()
    rows = [measure_phones(int(n), options) for n in options.phones.split(",") if n]
    rows += [measure_up(int(n), options) for n in options.up.split(",") if n]
    report.show("Growth", rows)
    report.save("sip_growth", rows, {"rate": options.rate, "up_rate": options.up_rate})
    title = "CPU time of the server per 1,000 calls"
    report.plot_lines(
        "sip_growth", rows, x="count", y="cpu_s_per_1000", line="what", unit="CPU-s", title=title, log=True
    )


if __name__ == "__main__":
    main()
