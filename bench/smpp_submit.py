"""How many messages does the switch take over SMPP? submit_sm to submit_sm_resp, each on the disk before it.

    python bench/smpp_submit.py                                binds, windows, paces; on the disk, in memory
    python bench/smpp_submit.py --binds 1,8 --windows 1,50     other combinations
    python bench/smpp_submit.py --binds 8 --rates 1000,15000   at a pace instead of as fast as windows allow
    python bench/smpp_submit.py --peer kannel                  opensmppbox and bearerbox beside it

Customers submit messages of 50 characters for somebody who is never there: accepted, routed, written, queued.
CPU is that of the server's processes; latency is from writing submit_sm to reading its response.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import report
import smpp_kannel
from smpp_load import WARM_UP, Load, compile_traffic, customers, measure, state_folder, switch_running

# Binds, window, pace
CASES = [(1, 100, 0), (8, 100, 0), (100, 100, 0), (8, 1, 0), (8, 10, 0), (8, 1000, 0), (8, 100, 1000)]
CASES.append((8, 100, 15_000))  # half of what must be possible
MAX_IN_FLIGHT = 40_000  # of sms.max_unwritten: more of them are refused, queue full


@contextmanager
def server_running(kind: str, folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Something to submit to."""
    if kind == "kannel":
        with smpp_kannel.running(folder) as server:
            yield server
        return
    state = state_folder(folder, is_durable=kind == "switchroom")
    try:
        with switch_running(folder, state) as server:
            yield server
    finally:
        shutil.rmtree(state, ignore_errors=True)


def main() -> None:
    """Measure each combination."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--binds", help="how many there are")
    parser.add_argument("--windows", default="100", help="messages of a bind that wait for their answers")
    parser.add_argument("--rates", default="0", help="messages a second; 0: as fast as the windows allow")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=6, help="of a run at a pace")
    parser.add_argument("--durable-only", action="store_true", help="leave out the store in memory")
    parser.add_argument("--peer", choices=["kannel"], help="the same load on this server too")
    options = parser.parse_args()
    kinds = ["switchroom", *([] if options.durable_only else ["in memory"])]
    kinds += [options.peer] if options.peer else []
    rows = []
    with tempfile.TemporaryDirectory(prefix="smpp_submit.") as name:
        program = compile_traffic(Path(name))
        for kind in kinds:
            for load in loads(options):
                if kind == "kannel" and load.binds > 1:
                    continue
                folder = Path(name) / f"run{len(rows)}"
                folder.mkdir()
                with server_running(kind, folder) as server:
                    customers(program, Load(load.binds, load.window, WARM_UP))
                    row = measure(program, server, load)
                rows.append(
                    {"server": kind, "binds": load.binds, "window": load.window, "rate": load.rate, **row}
                )
                shutil.rmtree(folder)
    report.show("submit_sm accepted", rows)
    report.save("smpp_submit", rows, {"messages": options.messages})
    shown = [{**row, "load": f"{row['binds']} x {row['window']} at {row['rate'] or 'most'}"} for row in rows]
    report.plot(
        "smpp_submit",
        shown,
        group="load",
        bar="server",
        value="per_s",
        title="submit_sm taken a second, by binds and window",
    )


def loads(options: argparse.Namespace) -> list[Load]:
    """Every combination that was asked for."""
    cases = CASES
    if options.binds:
        numbers = [
            [int(n) for n in text.split(",")] for text in (options.binds, options.windows, options.rates)
        ]
        cases = [case for case in itertools.product(*numbers) if case[0] * case[1] <= MAX_IN_FLIGHT]
    return [
        Load(
            binds,
            window,
            int(rate * options.seconds) if rate else min(options.messages, binds * window * 500),
            rate,
        )
        for binds, window, rate in cases
    ]


if __name__ == "__main__":
    main()
