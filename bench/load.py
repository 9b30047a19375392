"""Load for SIP servers: sipp, started with room for many calls, and the tables that it leaves.

Debian's sipp has no TLS: stunnel stands before it then, one process to each side.
"""

from __future__ import annotations

import csv
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from servers import CALLEE, CALLER, FIRST_USER, PASSWORD, SERVER, TLS_SERVER, running

HERE = Path(__file__).parent
_TRANSPORTS = {"udp": "u1", "tcp": "t1", "tls": "t1"}
_TLS_CALLER, _PLAIN_CALLEE = 15062, 15081  # where sipp finds the tunnel, and where the tunnel finds sipp

_TUNNELS = f"""\
foreground = yes
debug = err
[caller]
client = yes
accept = 127.0.0.1:{_TLS_CALLER}
connect = 127.0.0.1:{TLS_SERVER}
[callee]
accept = 127.0.0.1:{CALLEE}
connect = 127.0.0.1:{_PLAIN_CALLEE}
cert = bench.pem
key = bench.key
"""


def has_tls() -> bool:
    """Whether there is a stunnel."""
    return shutil.which("stunnel") is not None


@contextmanager
def tunnels(folder: Path, transport: str) -> Iterator[None]:
    """What stands between sipp and TLS; nothing otherwise. The server has written its certificate by now."""
    if transport != "tls":
        yield
        return
    (folder / "stunnel.conf").write_text(_TUNNELS)
    with running(["stunnel", str(folder / "stunnel.conf")], folder / "stunnel.log"):
        until = time.monotonic() + 5
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", _TLS_CALLER), 1):
                break
            time.sleep(0.05)
        yield


def sipp(
    scenario: str, port: int, folder: Path, *more: str, host: str = "127.0.0.1", transport: str = "udp"
) -> list[str]:
    """A sipp that can hold many calls and writes down every second and every response time."""
    return [
        "sipp", "-sf", str(HERE / "scenarios" / f"{scenario}.xml"), "-i", host, "-p", str(port),
        "-t", _TRANSPORTS[transport],
        "-nostdin", "-buff_size", "4000000", "-max_recv_loops", "2000", "-max_sched_loops", "4000",
        "-deadcall_wait", "3000",
        "-watchdog_minor_maxtriggers", "1000000", "-watchdog_major_maxtriggers", "1000000",
        "-trace_stat", "-stf", str(folder / f"{scenario}.csv"), "-fd", "1", *more,
    ]  # fmt: skip


def callee(folder: Path, *, host: str = "127.0.0.1", transport: str = "udp") -> list[str]:
    """Rings, answers after 100 ms, waits for BYE."""
    contact = f"{host}:{CALLEE}" + (";transport=tls" if transport == "tls" else "")
    port = _PLAIN_CALLEE if transport == "tls" else CALLEE
    return sipp("callee", port, folder, "-key", "contact", contact, host=host, transport=transport)


def write_users(folder: Path, users: int) -> None:
    """The callers' names and passwords, as sipp reads them."""
    (folder / "users.csv").write_text(
        "SEQUENTIAL\n"
        + "".join(
            f"{FIRST_USER + n};[authentication username={FIRST_USER + n} password={PASSWORD}]\n"
            for n in range(users)
        )
    )


def caller(
    folder: Path,
    scenario: str,
    *,
    rate: int,
    calls: int,
    hold: float,
    transport: str = "udp",
    users: int = 100,
) -> list[str]:
    """Starts calls at a rate; each holds for so long once it is up."""
    write_users(folder, users)
    port = _TLS_CALLER if transport == "tls" else SERVER
    return [
        *sipp(scenario, CALLER, folder, transport=transport), f"127.0.0.1:{port}", "-s", "700",
        "-r", str(rate), "-m", str(calls),
        "-l", str(int(rate * (hold + 5)) + 100), "-d", str(int(hold * 1000)),
        "-inf", str(folder / "users.csv"),
        "-recv_timeout", "10000", "-timeout", str(int(calls / rate + hold + 40)),
        "-trace_rtt", "-rtt_freq", "200", "-auth_uri", f"700@127.0.0.1:{port}",
    ]  # fmt: skip


def run_quietly(command: list[str], folder: Path) -> int:
    """Run to the end and give the exit status."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        check=False,
    ).returncode


def rows_of(path: Path) -> list[dict[str, str]]:
    """What sipp wrote down every second."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def last_row(path: Path) -> dict[str, str]:
    """The totals."""
    return (rows_of(path) or [{}])[-1]


def started_per_second(path: Path) -> float:
    """Median of the calls started in each second, the first and last one left out."""
    return started_per_second_of(rows_of(path))


def started_per_second_of(rows: Sequence[dict[str, str]]) -> float:
    """The same of rows that were read already."""
    counts = [int(row["OutgoingCall(P)"]) for row in rows]
    steady = sorted(n for n in counts[1:-1] if n) or sorted(counts)
    return float(steady[len(steady) // 2]) if steady else 0.0


def response_times(folder: Path, scenario: str, name: str = "ring") -> list[float]:
    """Milliseconds that sipp measured under this name, sorted."""
    found = []
    for path in folder.glob(f"{scenario}*_rtt.csv"):
        for line in path.read_text().splitlines()[1:]:
            fields = line.split(";")
            if len(fields) >= 3 and fields[2].strip() == name:
                found.append(float(fields[1]))
    return sorted(found)


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value that this share of the others does not exceed."""
    return round(values[min(len(values) - 1, int(share * len(values)))], 2) if values else None
