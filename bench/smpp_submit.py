"""How many messages does the switch take over SMPP? submit_sm to submit_sm_resp, each on the disk before it.

    python bench/smpp_submit.py                                  1, 8 and 100 binds; on the disk and in memory
    python bench/smpp_submit.py --windows 1,10,100,1000 --binds 8
    python bench/smpp_submit.py --rates 1000,15000 --binds 8     at a pace instead of as fast as windows allow
    python bench/smpp_submit.py --peer kannel                    opensmppbox and bearerbox beside it

Customers submit messages of 50 characters for somebody who is never there: accepted, routed, written, queued.
CPU is that of the server's processes; latency is from writing submit_sm to reading its response.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import report
import smpp_kannel
from smpp_load import WARM_UP, Load, compile_traffic, customers, measure, state_folder, switch_running


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
    parser.add_argument("--binds", default="1,8,100")
    parser.add_argument("--windows", default="100", help="messages of a bind that wait for their answers")
    parser.add_argument("--rates", default="0", help="messages a second; 0: as fast as the windows allow")
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=10, help="of a run at a pace")
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
        value="messages_per_s",
        title="submit_sm taken a second, by binds and window",
    )


def loads(options: argparse.Namespace) -> Iterator[Load]:
    """Every combination that was asked for."""
    for binds in map(int, options.binds.split(",")):
        for window in map(int, options.windows.split(",")):
            for rate in map(int, options.rates.split(",")):
                count = int(rate * options.seconds) if rate else options.messages
                yield Load(binds, window, count, rate)


if __name__ == "__main__":
    main()
