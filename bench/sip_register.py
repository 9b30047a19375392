"""What does a registration cost? REGISTER, 401, REGISTER with digest, 200; CPU-seconds per 1,000 of them.

    python bench/sip_register.py                                 500, 1,000 and 2,000 registrations/s
    python bench/sip_register.py --rates 3000 --users 10000 --seconds 20
    python bench/sip_register.py --peer kamailio                 Kamailio's registrar beside it (in memory)

sipp plays so many phones; each registration is a challenge, a check of the digest and a binding that the
switch writes to its database (Kamailio keeps it in memory). The CPU time is the server's own, from /proc.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import load
import report
from servers import SERVER, SETTLE, Setup, cpu_of, memory_of, server_running, tree_of


def measure(server: str, rate: int, options: argparse.Namespace) -> dict[str, Any]:
    """One run with a fresh server."""
    calls = int(rate * options.seconds)
    with tempfile.TemporaryDirectory(prefix="sip_register.") as name:
        folder = Path(name)
        load.write_users(folder, options.users)
        setup = Setup(users=options.users, has_auth=True, workers=options.workers)
        with server_running(server, folder, setup) as process:
            if load.run_quietly(command(folder, 200, 200), folder):
                log = (folder / "server.log").read_text(errors="replace")[-2000:]
                raise SystemExit(f"{server}: the warm-up failed:\n{log}")
            for path in folder.glob("register*.csv"):
                path.unlink()
            before, began = cpu_of(tree_of(process.pid)), time.monotonic()
            load.run_quietly(command(folder, rate, calls), folder)
            wall = time.monotonic() - began
            time.sleep(SETTLE)
            after = cpu_of(tree_of(process.pid))
            memory = memory_of(tree_of(process.pid))
        last = load.last_row(folder / "register.csv")
        times = load.response_times(folder, "register", "done")
    done = int(last["SuccessfulCall(C)"])
    user, system = after[0] - before[0], after[1] - before[1]
    return {
        "server": server,
        "rate": rate,
        "registrations": calls,
        "failed": calls - done,
        "retrans": int(last["Retransmissions(C)"]),
        "cpu_s_per_1000": round((user + system) / done * 1000, 4) if done else None,
        "user_s": round(user, 2),
        "system_s": round(system, 2),
        "core_%": round((user + system) / wall * 100),
        "mib": round(memory, 1),
        "p50_ms": load.quantile(times, 0.5),
        "p99_ms": load.quantile(times, 0.99),
    }


def command(folder: Path, rate: int, count: int) -> list[str]:
    """sipp as many phones."""
    return [
        *load.sipp("register", load.CALLER, folder), f"127.0.0.1:{SERVER}",
        "-r", str(rate), "-m", str(count), "-l", str(rate * 5 + 100), "-inf", str(folder / "users.csv"),
        "-recv_timeout", "10000", "-timeout", str(int(count / rate + 40)), "-trace_rtt", "-rtt_freq", "200",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", default="500,1000,2000", help="registrations per second")
    parser.add_argument("--seconds", type=float, default=10, help="how long they are started")
    parser.add_argument("--users", type=int, default=1000, help="phones that take turns")
    parser.add_argument("--workers", type=int, default=1, help="processes of the switch")
    parser.add_argument("--peer", choices=["kamailio"], help="the same load on this server too")
    options = parser.parse_args()
    rows = [
        measure(server, rate, options)
        for rate in map(int, options.rates.split(","))
        for server in ("switchroom", *([options.peer] if options.peer else []))
    ]
    report.show("Registrations with digest", rows)
    name = "sip_register" if options.workers == 1 else f"sip_register_workers{options.workers}"
    report.save(name, rows, {"seconds": options.seconds, "users": options.users, "workers": options.workers})
    title = "CPU time of the server per 1,000 registrations"
    report.plot_lines(name, rows, x="rate", y="cpu_s_per_1000", line="server", unit="CPU-s", title=title)


if __name__ == "__main__":
    main()
