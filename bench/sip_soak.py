"""Does anything stay behind? Calls with mixed outcomes for half an hour; memory and live objects over time.

    python bench/sip_soak.py                         30 minutes, 500 calls/s in all
    python bench/sip_soak.py --minutes 2 --rate 200

Of ten calls six are answered and hang up, one meets a busy callee, one a number that leads nowhere, two are
cancelled while it rings; phones register at a tenth of the rate. Every ten seconds the memory (RSS), the
descriptors and the switch's own count of its objects are written down. After the load and a rest the counts
must be what they were before it, and the memory within 5 % of what it was after the warm-up, or the exit
status is 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import load
import report
from servers import CALLEE, SERVER, Setup, cpu_of, descriptors_of, running, server_running, tree_of

SHARES = {"caller": 0.6, "caller_busy": 0.1, "caller_unknown": 0.1, "caller_cancels": 0.2}
NUMBERS = {"caller": "700", "caller_busy": "600", "caller_unknown": "400", "caller_cancels": "500"}
INTERVAL = 10.0
REST = 130.0  # until the last transaction, tombstone and resting port has gone
LOOKS, LOOK_INTERVAL = 4, 11.0
WARM_UP = 0.2  # of the time: caches fill, pools grow
USERS = 500
TOLERANCE = 0.05
TRUNKS = f"""
[[trunks]]
name = "in"
sources = ["127.0.0.1/32"]
[[trunks]]
name = "busy"
address = "sip:127.0.0.1:{CALLEE + 1}"
[[trunks]]
name = "rings"
address = "sip:127.0.0.1:{CALLEE + 2}"
[[routes]]
match = "6*"
to = "trunk:busy"
[[routes]]
match = "5*"
to = "trunk:rings"
"""


def rss_of(pids: Sequence[int]) -> float:
    """Resident memory in MiB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            total += int(line.split()[1]) if line.startswith("VmRSS:") else 0
    return total / 1024


def objects_of(folder: Path) -> dict[str, int]:
    """The switch's own count of what is alive."""
    command = [sys.executable, "-m", "switchroom.switch", "objects", "--json"]
    command += ["-c", str(folder / "switchroom.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise SystemExit(f"switchroom objects: {done.stderr}")
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


def soak(options: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The whole run: samples, and what remained."""
    seconds = options.minutes * 60
    setup = Setup(users=USERS, has_auth=True, workers=options.workers, more=TRUNKS)
    with tempfile.TemporaryDirectory(prefix="sip_soak.") as name, ExitStack() as stack:
        folder = Path(name)
        server = stack.enter_context(server_running("switchroom", folder, setup))
        callees = {"callee": load.callee(folder)}
        callees |= {
            scenario: load.sipp(scenario, CALLEE + place, folder)
            for place, scenario in enumerate(("callee_busy", "callee_rings"), start=1)
        }
        called = [
            stack.enter_context(running(command, folder / f"{scenario}.log"))
            for scenario, command in callees.items()
        ]
        pids = tree_of(server.pid)
        before = objects_of(folder)
        began, samples = time.monotonic(), list[dict[str, Any]]()
        with ExitStack() as loads:
            callers = [
                loads.enter_context(running(command, folder / f"{name}.log"))
                for name, command in commands(folder, options.rate, seconds)
            ]
            while any(caller.poll() is None for caller in callers):
                time.sleep(INTERVAL)
                if any(callee.poll() is not None for callee in called):
                    raise SystemExit("a callee has ended: half of the calls would find nobody")
                samples.append(sample(began, pids, folder))
        cpu = sum(cpu_of(pids))
        time.sleep(REST)
        after = sample(began, pids, folder)
        left = after["objects"]
        for _ in range(LOOKS):  # a probe may be on its way now and then: what leaks is always there
            time.sleep(LOOK_INTERVAL)
            now = sample(began, pids, folder)["objects"]
            left = {kind: min(count, now.get(kind, 0)) for kind, count in left.items()}
        result = {
            "before": before,
            "after": left,
            "mib_after": after["mib"],
            "cpu_s": round(cpu, 1),
            "calls": outcomes(folder),
        }
    return samples, result


def sample(began: float, pids: Sequence[int], folder: Path) -> dict[str, Any]:
    """What is there now."""
    return {
        "seconds": round(time.monotonic() - began),
        "mib": round(rss_of(pids), 1),
        "descriptors": descriptors_of(pids),
        "objects": objects_of(folder),
    }


def commands(folder: Path, rate: int, seconds: float) -> list[tuple[str, list[str]]]:
    """A sipp for each kind of call, and one for the phones."""
    found = []
    for place, (scenario, share) in enumerate(SHARES.items()):
        own = max(1, round(rate * share))
        hold = 0.5 if scenario == "caller_cancels" else 2.0
        command = load.caller(folder, scenario, rate=own, calls=int(own * seconds), hold=hold)
        command[command.index("-p") + 1] = str(load.CALLER + place)
        command[command.index("-s") + 1] = NUMBERS[scenario]
        command.remove("-trace_rtt")
        command[command.index("-recv_timeout") + 1] = "33000"
        found.append((scenario, command))
    load.write_users(folder, USERS)
    own = max(1, rate // 10)
    phones = [
        *load.sipp("register", load.CALLER, folder, host="127.0.0.2"), f"127.0.0.1:{SERVER}",
        "-r", str(own), "-m", str(int(own * seconds)), "-l", "10000", "-inf", str(folder / "users.csv"),
        "-recv_timeout", "33000", "-timeout", str(int(seconds + 60)),
    ]  # fmt: skip
    return [*found, ("register", phones)]


def outcomes(folder: Path) -> dict[str, dict[str, int]]:
    """Of each kind how many there were and how many went as they should."""
    found = {}
    for scenario in (*SHARES, "register"):
        last = load.last_row(folder / f"{scenario}.csv")
        found[scenario] = {
            "calls": int(last["TotalCallCreated"]),
            "failed": int(last["TotalCallCreated"]) - int(last["SuccessfulCall(C)"]),
        }
    return found


def judge(samples: list[dict[str, Any]], result: dict[str, Any]) -> list[str]:
    """What is not as it should be."""
    faults = []
    steady = samples[int(len(samples) * WARM_UP) : -1] or samples
    first, last = steady[0]["mib"], steady[-1]["mib"]
    if abs(last - first) > TOLERANCE * first:
        faults.append(f"memory went from {first} to {last} MiB")
    for kind, count in result["before"].items():
        now = result["after"].get(kind, 0)
        if kind not in ("registrations", "bindings") and now > count:
            faults.append(f"{kind}: {count} before, {now} after")
    faults += [
        f"{kind}: {told['failed']} of {told['calls']} failed"
        for kind, told in result["calls"].items()
        if told["failed"] > told["calls"] / 1000
    ]
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=500, help="calls per second, all kinds together")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    samples, result = soak(options)
    rows = [{key: row[key] for key in ("seconds", "mib", "descriptors")} for row in samples]
    report.show("Memory under mixed calls", rows[:: max(1, len(rows) // 20)])
    faults = judge(samples, result)
    meta = {"minutes": options.minutes, "rate": options.rate, "workers": options.workers, **result}
    report.save("sip_soak", rows, {**meta, "faults": faults})
    lines = [{**row, "what": "RSS"} for row in rows]
    report.plot_lines("sip_soak", lines, x="seconds", y="mib", line="what", unit="MiB", title="Memory")
    print(json.dumps(result, indent=2))  # noqa: T201 - the benchmark's answer
    print("\n".join(faults) or "nothing stayed behind")  # noqa: T201
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
