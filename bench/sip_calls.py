"""What does a call cost? sipp calls sipp through the switch; CPU-seconds of the server per 1,000 calls.

    python bench/sip_calls.py                                    250, 500 and 1,000 calls/s, 10 s each
    python bench/sip_calls.py --rates 1000,1500,2000 --seconds 20
    python bench/sip_calls.py --auth                             callers prove who they are (digest)
    python bench/sip_calls.py --peer kamailio                    Kamailio's stateful proxy beside it

Each run starts the server fresh. A call is INVITE, 100, 180, 200, ACK, a hold of one second, BYE, 200, with
media anchored by the switch (Kamailio proxies the signalling only). The CPU time is the server's own, from
/proc; sipp competes for the same cores, so a rate that was reached is a lower bound. p50_ms and p99_ms are
from INVITE to 180, in the whole milliseconds that sipp knows; started_s is the median of calls started in
a second.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import report

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
SERVER, CALLER, CALLEE = 15060, 15070, 15080
USERS, PASSWORD = 100, "bench-password"
SETTLE = 0.3  # after the last call: late retransmissions still belong to the run

KAMAILIO = f"""\
fork=yes
children=1
log_stderror=yes
debug=-1
disable_tcp=yes
dns=no
auto_aliases=no
listen=udp:127.0.0.1:{SERVER}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
request_route {{
    if (!mf_process_maxfwd_header("70")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); }} else if (is_method("ACK") && t_check_trans()) {{ t_relay(); }}
        exit;
    }}
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    record_route();
    $du = "sip:127.0.0.1:{CALLEE}";
    if (!t_relay()) sl_reply_error();
}}
"""


def switch_toml(folder: Path) -> str:
    """A switch whose users call with digest; TRUNK_IN lets all of 127.0.0.0/8 call without."""
    users = "".join(f'[[users]]\nname = "{2000 + n}"\npassword = "{PASSWORD}"\n' for n in range(USERS))
    return f"""
[switch]
state_dir = {json.dumps(str(folder / "state"))}
[sip]
listen = ["udp:127.0.0.1:{SERVER}"]
source_rate = 1000000
source_burst = 1000000
total_rate = 1000000
total_burst = 1000000
max_transactions = 10000000
[media]
ports = "20000-59999"
[calls]
max_calls = 1000000
max_calls_per_user = 100000
user_rate = 10000
[api]
listen = ""
[[trunks]]
name = "out"
address = "sip:127.0.0.1:{CALLEE}"
[[routes]]
match = "7*"
to = "trunk:out"
{users}"""


TRUNK_IN = '[[trunks]]\nname = "in"\nsources = ["127.0.0.0/8"]\n'


def command_of(server: str, folder: Path, *, has_auth: bool) -> list[str]:
    """Write the server's configuration and say how it is started."""
    if server == "kamailio":
        (folder / "kamailio.cfg").write_text(KAMAILIO)
        # its fast allocator: with the default one a call costs five times as much
        memory = ["-x", "fm", "-X", "fm", "-m", "1024", "-M", "16"]
        return ["kamailio", "-DD", "-E", *memory, "-f", str(folder / "kamailio.cfg"), "-Y", str(folder)]
    (folder / "switchroom.toml").write_text(switch_toml(folder) + ("" if has_auth else TRUNK_IN))
    return [sys.executable, "-m", "switchroom.switch", "serve", "-c", str(folder / "switchroom.toml")]


# ---- what the kernel knows


def tree_of(pid: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            children.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(
                int(path.parent.name)
            )
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def cpu_of(pids: Sequence[int]) -> tuple[float, float]:
    """User and system seconds of the processes."""
    user = system = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            user, system = user + int(fields[11]), system + int(fields[12])
    return user / TICKS, system / TICKS


def memory_of(pids: Sequence[int]) -> float:
    """Proportional resident memory in MiB: shared pages count once."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                total += int(line.split()[1]) if line.startswith("Pss:") else 0
    return total / 1024


# ---- the server and its load


def wait_ready(server: subprocess.Popen[bytes], timeout: float = 20.0) -> None:
    """Until an OPTIONS is answered."""
    until = time.monotonic() + timeout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        probe.settimeout(0.2)
        port = probe.getsockname()[1]
        for number in range(10**6):
            if server.poll() is not None or time.monotonic() > until:
                raise SystemExit("the server did not start")
            text = (
                f"OPTIONS sip:127.0.0.1:{SERVER} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKr{port}x{number}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:probe@127.0.0.1>;tag=p\r\nTo: <sip:127.0.0.1:{SERVER}>\r\n"
                f"Call-ID: ready-{port}-{number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            )
            with suppress(TimeoutError, ConnectionError):
                probe.sendto(text.encode(), ("127.0.0.1", SERVER))
                probe.recv(4096)
                return


@contextmanager
def running(command: list[str], out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    with out.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=out.parent)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def sipp(scenario: str, port: int, folder: Path, *more: str) -> list[str]:
    """A sipp that can hold many calls and writes down every second and every response time."""
    return [
        "sipp", "-sf", str(HERE / "scenarios" / f"{scenario}.xml"), "-i", "127.0.0.1", "-p", str(port),
        "-nostdin", "-buff_size", "4000000", "-max_recv_loops", "2000", "-max_sched_loops", "4000",
        "-deadcall_wait", "3000",
        "-watchdog_minor_maxtriggers", "1000000", "-watchdog_major_maxtriggers", "1000000",
        "-trace_stat", "-stf", str(folder / f"{scenario}.csv"), "-fd", "1", *more,
    ]  # fmt: skip


def caller_command(folder: Path, *, has_auth: bool, rate: int, calls: int, hold: float) -> list[str]:
    scenario = "caller_digest" if has_auth else "caller"
    (folder / "users.csv").write_text(
        "SEQUENTIAL\n"
        + "".join(
            f"{2000 + n};[authentication username={2000 + n} password={PASSWORD}]\n" for n in range(USERS)
        )
    )
    return [
        *sipp(scenario, CALLER, folder), f"127.0.0.1:{SERVER}", "-s", "700",
        "-r", str(rate), "-m", str(calls),
        "-l", str(int(rate * (hold + 5)) + 100), "-d", str(int(hold * 1000)),
        "-inf", str(folder / "users.csv"),
        "-recv_timeout", "10000", "-timeout", str(int(calls / rate + hold + 40)),
        "-trace_rtt", "-rtt_freq", "200", "-auth_uri", f"700@127.0.0.1:{SERVER}",
    ]  # fmt: skip


def last_row(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return rows[-1] if rows else {}


def started_per_second(path: Path) -> float:
    """Median of the calls started in each second, the first and last one left out."""
    with path.open(newline="") as file:
        counts = [int(row["OutgoingCall(P)"]) for row in csv.DictReader(file, delimiter=";")]
    steady = sorted(n for n in counts[1:-1] if n) or sorted(counts)
    return float(steady[len(steady) // 2]) if steady else 0.0


def response_times(folder: Path) -> list[float]:
    """Milliseconds from INVITE to 180 of every call, sorted."""
    found = []
    for path in folder.glob("caller*_rtt.csv"):
        for line in path.read_text().splitlines()[1:]:
            fields = line.split(";")
            if len(fields) >= 3 and fields[2].strip() == "ring":
                found.append(float(fields[1]))
    return sorted(found)


def quantile(values: Sequence[float], share: float) -> float | None:
    return round(values[min(len(values) - 1, int(share * len(values)))], 2) if values else None


def measure(server: str, rate: int, options: argparse.Namespace) -> dict[str, Any]:
    """One run: a fresh server, a short warm-up, then the load."""
    calls = int(rate * options.seconds)
    with tempfile.TemporaryDirectory(prefix="sip_calls.") as name:
        folder = Path(name)
        with (
            running(command_of(server, folder, has_auth=options.auth), folder / "server.log") as process,
            running(sipp("callee", CALLEE, folder), folder / "callee.log"),
        ):
            wait_ready(process)
            load = {"has_auth": options.auth and server != "kamailio", "hold": options.hold}
            warm = caller_command(folder, rate=50, calls=50, **{**load, "hold": 0.1})
            if subprocess.run(
                warm, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=folder, check=False
            ).returncode:
                raise SystemExit(
                    f"{server}: the warm-up failed:\n" + (folder / "server.log").read_text()[-2000:]
                )
            for path in folder.glob("caller*.csv"):
                path.unlink()
            before, began = cpu_of(tree_of(process.pid)), time.monotonic()
            peak = 0.0
            with running(
                caller_command(folder, rate=rate, calls=calls, **load), folder / "caller.log"
            ) as caller:
                while caller.poll() is None:
                    peak = max(peak, memory_of(tree_of(process.pid)))
                    with suppress(subprocess.TimeoutExpired):
                        caller.wait(1.0)
            wall = time.monotonic() - began
            time.sleep(SETTLE)
            after = cpu_of(tree_of(process.pid))
        table = folder / ("caller_digest.csv" if load["has_auth"] else "caller.csv")
        return {"server": server, **figures(table, rate, calls, before, after, peak, wall)}


def figures(
    table: Path,
    rate: int,
    calls: int,
    before: tuple[float, float],
    after: tuple[float, float],
    peak: float,
    wall: float,
) -> dict[str, Any]:
    """The row of one run."""
    folder = table.parent
    last, callee, times = last_row(table), last_row(folder / "callee.csv"), response_times(folder)
    succeeded = int(last["SuccessfulCall(C)"])
    user, system = after[0] - before[0], after[1] - before[1]
    return {
        "rate": rate,
        "calls": calls,
        "failed": calls - succeeded,
        "retrans": int(last["Retransmissions(C)"]) + int(callee["Retransmissions(C)"]),
        "started_s": started_per_second(table),
        "cpu_s_per_1000": round((user + system) / succeeded * 1000, 4) if succeeded else None,
        "user_s": round(user, 2),
        "system_s": round(system, 2),
        "core_%": round((user + system) / wall * 100),
        "mib": round(peak, 1),
        "p50_ms": quantile(times, 0.5),
        "p99_ms": quantile(times, 0.99),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", default="250,500,1000", help="calls per second, several with commas")
    parser.add_argument("--seconds", type=float, default=10, help="how long calls are started")
    parser.add_argument("--hold", type=float, default=1.0, help="seconds that a call stays up")
    parser.add_argument("--auth", action="store_true", help="callers are users who prove it with digest")
    parser.add_argument("--peer", choices=["kamailio"], help="the same load on this server too")
    parser.add_argument(
        "--repeat", type=int, default=1, help="runs of each rate; the one with the least CPU counts"
    )
    options = parser.parse_args()
    rows = []
    for rate in map(int, options.rates.split(",")):
        for server in ("switchroom", *([options.peer] if options.peer else [])):
            runs = [measure(server, rate, options) for _ in range(options.repeat)]
            rows.append(min(runs, key=lambda row: (row["failed"], row["cpu_s_per_1000"] or 1e9)))
    name = "sip_calls_auth" if options.auth else "sip_calls"
    report.show("Calls through the switch" + (", with digest" if options.auth else ""), rows)
    report.save(name, rows, {"seconds": options.seconds, "hold": options.hold, "auth": options.auth})
    title = "CPU time of the server per 1,000 calls"
    report.plot_lines(name, rows, x="rate", y="cpu_s_per_1000", line="server", unit="CPU-s", title=title)


if __name__ == "__main__":
    main()
