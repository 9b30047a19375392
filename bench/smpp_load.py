"""What the SMPP benchmarks share: the switch as a server, customers and a carrier that cost next to nothing.

The customers and the carrier are bench/smpp_traffic_core.c, compiled on the spot: about a microsecond a
message, in processes of their own. CPU time is the server's, of all its threads and processes, from /proc.
Where we may, all of them run before other programs of the machine (SCHED_FIFO).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers import cpu_of, memory_of, running, tree_of

HERE = Path(__file__).parent
CUSTOMERS, CARRIER = 12775, 12776  # ports of the server and of the carrier behind it
WARM_UP = 2000  # messages before what is measured
# A machine that does other things too would be measured with them: servers and generators go first
FIRST = ("chrt", "--fifo", "1") if os.geteuid() == 0 and shutil.which("chrt") else ()


@dataclass(frozen=True)
class Load:
    """What the customers do."""

    binds: int = 8
    window: int = 100
    messages: int = 100_000
    rate: int = 0  # a second; 0: as fast as the windows allow
    has_receipts: bool = False


def switch_toml(state: Path, *, is_carried: bool, more: str = "", api: str = '[api]\nlisten = ""') -> str:
    """A switch whose messages go to the carrier with receipts, or wait for somebody who never comes."""
    trunk = f'[[smpp_trunks]]\nname = "carrier"\naddress = "smpp:127.0.0.1:{CARRIER}"\nsystem_id = "us"\n'
    trunk += "window = 1000\nbinds = 4\nreconnect_min = 0.1\n"
    return f"""
[switch]
state_dir = {json.dumps(str(state))}
[sip]
listen = ["udp:127.0.0.1:0"]
[media]
ports = "20000-20999"
{api}
[smpp]
listen = ["smpp:127.0.0.1:{CUSTOMERS}"]
max_connections_per_source = 1000
{more}
[[smpp_accounts]]
name = "acme"
password = "secret12"
max_binds = 1000
window = 1000
[[smpp_accounts]]
name = "later"
password = "secret12"
{trunk if is_carried else ""}
[[sms_routes]]
name = "later"
match = "+999*"
to = "account:later"
[[sms_routes]]
name = "all"
to = "{"trunk:carrier" if is_carried else "account:later"}"
"""


def compile_traffic(folder: Path) -> Path:
    """The generator."""
    program = folder / "smpp_traffic"
    subprocess.run(["gcc", "-O2", "-o", str(program), str(HERE / "smpp_traffic_core.c")], check=True)
    return program


@contextmanager
def switch_running(
    folder: Path, state: Path, *, is_carried: bool = False, **more: str
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A switch that lets customers bind."""
    path = folder / "switchroom.toml"
    path.write_text(switch_toml(state, is_carried=is_carried, **more))
    command = [*FIRST, sys.executable, "-m", "switchroom.switch", "serve", "-c", str(path)]
    with running(command, folder / "server.log", is_server=True) as process:
        wait_for_port(CUSTOMERS, process, folder / "server.log")
        yield [process]


@contextmanager
def carrier_running(program: Path, found: dict[str, Any]) -> Iterator[None]:
    """A carrier; what it has counted is in ``found`` afterwards."""
    process = subprocess.Popen([*FIRST, str(program), "carrier", str(CARRIER)], stdout=subprocess.PIPE)
    try:
        wait_for_port(CARRIER, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=10)
        found.update(json.loads(said))


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path | None = None) -> None:
    """Until somebody may connect."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit("the server did not start" + (f":\n{log.read_text()[-2000:]}" if log else ""))


def customers(program: Path, load: Load) -> dict[str, Any]:
    """Let them submit; what they have counted."""
    words = [CUSTOMERS, load.binds, load.window, load.rate, load.messages, int(load.has_receipts)]
    command = [*FIRST, str(program), "customer", *map(str, words)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    counted: dict[str, Any] = json.loads(found.stdout)
    return counted


def measure(program: Path, servers: Sequence[subprocess.Popen[bytes]], load: Load) -> dict[str, Any]:
    """One run on a server that is warm: messages a second, CPU, latencies."""
    pids = [pid for server in servers for pid in tree_of(server.pid)]
    before = cpu_of(pids)
    found = customers(program, load)
    after = cpu_of(pids)
    user, system = after[0] - before[0], after[1] - before[1]
    if found["accepted"] != load.messages or (load.has_receipts and found["receipts"] < load.messages):
        raise SystemExit(f"not everything was taken: {found}")
    row = {
        "per_s": round(load.messages / found["seconds"]),
        "cpu_s_per_1000": round((user + system) / load.messages * 1000, 4),
        "core_%": round((user + system) / found["seconds"] * 100),
        "resp_p50_ms": found["resp_p50_ms"],
        "resp_p99_ms": found["resp_p99_ms"],
        "resp_max_ms": found["resp_max_ms"],
    }
    if load.has_receipts:
        row["receipt_p50_ms"] = found.get("receipt_p50_ms")
        row["receipt_p99_ms"] = found.get("receipt_p99_ms")
    return {**row, "mib": round(memory_of(pids))}


def state_folder(folder: Path, *, is_durable: bool) -> Path:
    """Where a switch keeps its messages: on the disk, or in memory."""
    if is_durable:
        return folder / "state"
    memory = Path("/dev/shm") / f"smpp_bench.{os.getpid()}"
    shutil.rmtree(memory, ignore_errors=True)
    return memory
