"""What does a call cost? sipp calls sipp through the switch; CPU-seconds of the server per 1,000 calls.

    python bench/sip_calls.py                                    250, 500 and 1,000 calls/s, 10 s each
    python bench/sip_calls.py --rates 1000,1500,2000 --seconds 20
    python bench/sip_calls.py --auth                             callers prove who they are (digest)
    python bench/sip_calls.py --transport tcp                    or tls, with stunnel: both legs,
                                                                 one connection each
    python bench/sip_calls.py --workers 2                        so many processes of the switch
    python bench/sip_calls.py --peer kamailio --peer sippy       the same load on these servers too

Each run starts the server fresh. A call is INVITE, 100, 180, 200, ACK, a hold of one second, BYE, 200, with
media anchored by the switch (Kamailio proxies the signalling only, Sippy anchors none). The CPU time is the
server's own, from /proc; sipp competes for the same cores, so a rate that was reached is a lower bound.
p50_ms and p99_ms are from INVITE to 180, in the whole milliseconds that sipp knows; started_s is the median
of calls started in a second. Peers that cannot do what is asked (digest, TCP, TLS) get plain calls over UDP.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import load
import report
from servers import PEERS, SETTLE, Setup, cpu_of, memory_of, running, server_running, tree_of

SIPPY_LIMIT = 300  # calls/s: beyond that it only loses them


def measure(server: str, rate: int, options: argparse.Namespace) -> dict[str, Any]:
    """One run: a fresh server, a short warm-up, then the load."""
    is_ours = server == "switchroom"
    transport = options.transport if is_ours else "udp"
    scenario = "caller_digest" if options.auth and is_ours else "caller"
    setup = Setup(has_auth=options.auth, workers=options.workers, transport=transport)
    calls = int(rate * options.seconds)
    with tempfile.TemporaryDirectory(prefix="sip_calls.") as name:
        folder = Path(name)
        with (
            server_running(server, folder, setup) as process,
            load.tunnels(folder, transport),
            running(load.callee(folder, transport=transport), folder / "callee.log"),
        ):
            warm = load.caller(folder, scenario, rate=50, calls=50, hold=0.1, transport=transport)
            if load.run_quietly(warm, folder):
                log = (folder / "server.log").read_text(errors="replace")[-2000:]
                raise SystemExit(f"{server}: the warm-up failed:\n{log}")
            for path in folder.glob("caller*.csv"):
                path.unlink()
            command = load.caller(
                folder, scenario, rate=rate, calls=calls, hold=options.hold, transport=transport
            )
            before, began = cpu_of(tree_of(process.pid)), time.monotonic()
            peak = 0.0
            with running(command, folder / "caller.log") as caller:
                while caller.poll() is None:
                    peak = max(peak, memory_of(tree_of(process.pid)))
                    with suppress(TimeoutExpired):
                        caller.wait(1.0)
            wall = time.monotonic() - began
            time.sleep(SETTLE)
            after = cpu_of(tree_of(process.pid))
        row = figures(folder, scenario, rate, calls, before, after)
    row["core_%"] = round((row["user_s"] + row["system_s"]) / wall * 100)
    return {"server": server, **row, "mib": round(peak, 1)}


def figures(
    folder: Path,
    scenario: str,
    rate: int,
    calls: int,
    before: tuple[float, float],
    after: tuple[float, float],
) -> dict[str, Any]:
    """The row of one run."""
    last, callee = load.last_row(folder / f"{scenario}.csv"), load.last_row(folder / "callee.csv")
    times = load.response_times(folder, scenario)
    succeeded = int(last["SuccessfulCall(C)"])
    user, system = after[0] - before[0], after[1] - before[1]
    return {
        "rate": rate,
        "calls": calls,
        "failed": calls - succeeded,
        "retrans": int(last["Retransmissions(C)"]) + int(callee["Retransmissions(C)"]),
        "started_s": load.started_per_second(folder / f"{scenario}.csv"),
        "cpu_s_per_1000": round((user + system) / succeeded * 1000, 4) if succeeded else None,
        "user_s": round(user, 2),
        "system_s": round(system, 2),
        "p50_ms": load.quantile(times, 0.5),
        "p99_ms": load.quantile(times, 0.99),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", default="250,500,1000", help="calls per second, several with commas")
    parser.add_argument("--seconds", type=float, default=10, help="how long calls are started")
    parser.add_argument("--hold", type=float, default=1.0, help="seconds that a call stays up")
    parser.add_argument("--auth", action="store_true", help="callers are users who prove it with digest")
    parser.add_argument("--transport", choices=["udp", "tcp", "tls"], default="udp")
    parser.add_argument("--workers", type=int, default=1, help="processes of the switch")
    parser.add_argument(
        "--peer", choices=PEERS, action="append", default=[], help="the same load on this server too"
    )
    parser.add_argument(
        "--repeat", type=int, default=1, help="runs of each rate; the one with the least CPU counts"
    )
    options = parser.parse_args()
    if options.transport == "tls" and not load.has_tls():
        raise SystemExit("--transport tls: needs stunnel (Debian: stunnel4)")
    rows = []
    for rate in map(int, options.rates.split(",")):
        for server in ("switchroom", *options.peer):
            if server == "sippy" and rate > SIPPY_LIMIT:
                continue
            runs = [measure(server, rate, options) for _ in range(options.repeat)]
            rows.append(min(runs, key=lambda row: (row["failed"], row["cpu_s_per_1000"] or 1e9)))
    name, title = name_of(options)
    report.show(title, rows)
    meta = {key: getattr(options, key) for key in ("seconds", "hold", "auth", "transport", "workers")}
    report.save(name, rows, meta)
    title = "CPU time of the server per 1,000 calls"
    report.plot_lines(name, rows, x="rate", y="cpu_s_per_1000", line="server", unit="CPU-s", title=title)


def name_of(options: argparse.Namespace) -> tuple[str, str]:
    """What the results are called, and the table."""
    name, title = "sip_calls", "Calls through the switch"
    if options.auth:
        name, title = f"{name}_auth", f"{title}, with digest"
    if options.transport != "udp":
        name, title = f"{name}_{options.transport}", f"{title}, over {options.transport.upper()}"
    if options.workers > 1:
        name, title = f"{name}_workers{options.workers}", f"{title}, {options.workers} workers"
    return name, title


if __name__ == "__main__":
    main()
