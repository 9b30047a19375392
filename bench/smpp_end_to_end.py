"""What does a message cost on its whole way? Customer, switch, carrier, receipt, customer; all of it durable.

    python bench/smpp_end_to_end.py                              1 and 8 binds, as fast as windows allow
    python bench/smpp_end_to_end.py --rates 1000,4000            at a pace
    python bench/smpp_end_to_end.py --waiting 1000000            while others wait for somebody else
    python bench/smpp_end_to_end.py --peer kannel                opensmppbox and bearerbox beside it

A customer submits messages of 50 characters and asks for receipts; the switch writes each down, sends it over
four binds to a carrier that answers and gives a receipt, matches that, writes it down and delivers it to the
customer, who acknowledges it. CPU is that of the server's processes; "resp" is from writing submit_sm to its
response, "receipt" until the customer reads the receipt.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import report
import smpp_kannel
from smpp_load import WARM_UP, Load, carrier_running, compile_traffic, customers, measure, switch_running
from sms_queue import fill


@contextmanager
def server_running(kind: str, folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Something between a customer and a carrier."""
    if kind == "kannel":
        with smpp_kannel.running(folder) as server:
            yield server
    else:
        with switch_running(folder, folder / "state", is_carried=True) as server:
            yield server


def run(kind: str, load: Load, program: Path, folder: Path, waiting: int) -> dict[str, Any]:
    """One measurement with a fresh server."""
    folder.mkdir()
    if waiting and kind == "switchroom":
        (folder / "state").mkdir()
        fill(folder / "state" / "messages.db", waiting, "account:later")
    began_at = time.monotonic()
    found: dict[str, Any] = {}
    with carrier_running(program, found), server_running(kind, folder) as server:
        started = time.monotonic() - began_at
        customers(program, Load(load.binds, load.window, WARM_UP, has_receipts=True))
        row = measure(program, server, load)
    shutil.rmtree(folder)
    return {**row, "start_s": round(started, 1)}


def main() -> None:
    """Measure each combination."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--binds", default="1,8")
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--rates", default="0", help="messages a second; 0: as fast as the windows allow")
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--seconds", type=float, default=10, help="of a run at a pace")
    parser.add_argument("--waiting", type=int, default=0, help="messages that wait meanwhile")
    parser.add_argument("--peer", choices=["kannel"], help="the same load on this server too")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="smpp_end_to_end.") as name:
        program = compile_traffic(Path(name))
        for kind in ("switchroom", *([options.peer] if options.peer else [])):
            for binds in map(int, ["1"] if kind == "kannel" else options.binds.split(",")):
                for rate in map(int, options.rates.split(",")):
                    count = int(rate * options.seconds) if rate else options.messages
                    load = Load(binds, options.window, count, rate, has_receipts=True)
                    row = run(kind, load, program, Path(name) / f"run{len(rows)}", options.waiting)
                    rows.append({"server": kind, "binds": binds, "rate": rate, **row})
    report.show("Messages with receipts, customer to carrier and back", rows)
    name = "smpp_end_to_end" if not options.waiting else f"smpp_end_to_end_waiting{options.waiting}"
    report.save(name, rows, {"window": options.window, "waiting": options.waiting})
    shown = [{**row, "load": f"{row['binds']} binds at {row['rate'] or 'most'}"} for row in rows]
    title = "Messages a second with receipts"
    report.plot(name, shown, group="load", bar="server", value="per_s", title=title)


if __name__ == "__main__":
    main()
