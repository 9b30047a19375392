"""A child in a network namespace of its own, where packets get lost: calls through the switch by sipp (G12).

    unshare -n python lossy.py ROOT FOLDER PERCENT CALLS

Prints what sipp and the call records say, as JSON.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

RATE = 20


def main(folder: Path, percent: float, calls: int) -> None:
    from tests.peers.harness import Switch, users, wait_until
    from tests.peers.ports import TETHER, free_port

    def run(*command: str) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    run("ip", "link", "set", "lo", "up")
    uas, uac = free_port(), free_port()
    switch = Switch(
        folder / "switch",
        users=users([1001]),
        sip={"source_rate": 100000, "source_burst": 100000},
        media={"first_rtp_timeout": 0, "ports": "31000-38999"},
        trunks=[
            {"name": "in", "sources": ["127.0.0.0/8"]},
            {"name": "out", "address": f"sip:127.0.0.1:{uas}", "timeout": 16, "options_interval": 0},
        ],
        routes=[{"match": "7*", "to": "trunk:out"}],
    )
    quiet: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    both = ("-i", "127.0.0.1", "-nostdin", "-recv_timeout", "60000", "-timeout", str(calls // RATE + 90))
    with switch:
        rule = ("-p", "udp", "--dport", "1024:29999", "-m", "statistic", "--mode", "random")
        run("iptables", "-A", "INPUT", *rule, "--probability", str(percent / 100), "-j", "DROP")
        callee = subprocess.Popen([*TETHER, "sipp", "-sn", "uas", "-p", str(uas), *both], **quiet)
        caller = subprocess.Popen(
            [
                *TETHER, "sipp", f"127.0.0.1:{switch.port}", "-sn", "uac", "-s", "700", "-d", "200",
                "-p", str(uac), "-r", str(RATE), "-m", str(calls), "-l", str(calls),
                "-trace_stat", "-stf", str(folder / "uac.csv"),
                "-trace_err", "-error_file", str(folder / "uac.err"), *both,
            ],
            **quiet,
        )  # fmt: skip
        caller.wait(calls // RATE + 120)
        run("iptables", "-F", "INPUT")
        wait_until(lambda: switch.status()["calls"] == 0, 60, "all calls to end", interval=0.5)
        callee.kill()
        callee.wait()
        rows = switch.records()
    with (folder / "uac.csv").open() as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    ids = [row["call_id_a"] for row in rows]
    print(  # noqa: T201 - what the test reads
        json.dumps(
            {
                "succeeded": int(last["SuccessfulCall(C)"]),
                "records": len(rows),
                "duplicates": len(ids) - len(set(ids)),
                "answered": sum(row["answer_at"] is not None for row in rows),
                "retransmitted": int(last["Retransmissions(C)"]),
            }
        )
    )


if __name__ == "__main__":
    sys.path[0] = ""  # not this folder; and the root last, whose codecs/ would hide the library's
    sys.path.append(sys.argv[1])
    main(Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
