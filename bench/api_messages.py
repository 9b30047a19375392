"""How many messages does REST take? POST Messages, each on the disk before its 201, and on to a carrier.

    python bench/api_messages.py [--connections 1,16,64] [--messages 8000]

Clients of HTTP ask on connections that stay open, one request at a time on each; the switch writes the
message down, answers, hands it to its message centre, which writes it down too and sends it over SMPP to a
carrier that answers at once. CPU is that of the switch alone, until the carrier has all messages; "a core" is
what 100 % of it would carry.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import report
import requests
from http_load import request_of
from servers import cpu_of, tree_of
from smpp_load import FIRST, carrier_running, compile_traffic, switch_running, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
REST = 18081
SID, TOKEN = "AC" + "0" * 31 + "1", "0123456789abcdef0123456789abcdef"
OURS = "+15017122661"
PATH = f"/2010-04-01/Accounts/{SID}/Messages.json"
API = f"""
[api]
listen = ""
rest = ["http:127.0.0.1:{REST}"]
account_sid = "{SID}"
auth_token = "{TOKEN}"
numbers = ["{OURS}"]
rate = 1000000
burst = 1000000
"""
WARM_UP = 300


@contextmanager
def server_running(folder: Path) -> Iterator[int]:
    """A switch with a number that texts come from."""
    with switch_running(folder, folder / "state", is_carried=True, more="", api=API) as [process]:
        wait_for_port(REST, process, folder / "server.log")
        base = f"http://127.0.0.1:{REST}/2010-04-01/Accounts/{SID}"
        path = f"{base}/IncomingPhoneNumbers.json"
        requests.post(path, {"PhoneNumber": OURS}, auth=(SID, TOKEN), timeout=10).raise_for_status()
        yield process.pid


def ask(count: int, connections: int) -> dict[str, Any]:
    """Let clients ask; what they have counted."""
    proof = "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
    forms = [
        {"From": OURS, "To": f"+1555{n:07d}", "Body": f"Message {n} of the benchmark"} for n in range(500)
    ]
    given = {
        "requests": [request_of(PATH, proof, form).decode() for form in forms],
        "count": count,
        "connections": connections,
        "port": REST,
    }
    command = [*FIRST, sys.executable, str(HERE / "http_load.py")]
    found = subprocess.run(command, input=json.dumps(given), check=True, capture_output=True, text=True)
    counted: dict[str, Any] = json.loads(found.stdout)
    return counted


def main() -> None:
    """Measure each number of connections."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--connections", default="1,16,64")
    parser.add_argument("--messages", type=int, default=8000)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="api_messages.") as name:
        program = compile_traffic(Path(name))
        for connections in map(int, options.connections.split(",")):
            folder = Path(name) / f"run{connections}"
            folder.mkdir()
            carried: dict[str, Any] = {}
            with carrier_running(program, carried), server_running(folder) as pid:
                ask(WARM_UP, connections)
                pids = tree_of(pid)
                before = cpu_of(pids)
                found = ask(options.messages, connections)
                time.sleep(0.5)
                after = cpu_of(pids)
            spent = sum(after) - sum(before)
            taken = found["statuses"].get("201", 0)
            if taken != options.messages:
                raise SystemExit(f"not all were taken: {found}")
            rows.append(
                {
                    "connections": connections,
                    "messages_per_s": round(taken / found["seconds"]),
                    "cpu_s_per_1000": round(spent / taken * 1000, 3),
                    "messages_per_s_a_core": round(taken / spent),
                    "p50_ms": round(found["p50_ms"], 2),
                    "p99_ms": round(found["p99_ms"], 2),
                    "at_the_carrier": carried["taken"],
                }
            )
    report.show("POST Messages, durable, on to a carrier over SMPP", rows)
    report.save("api_messages", rows, {"messages": options.messages, "target": 1500})
    bars = [{**row, "of": "on one core"} for row in rows]
    report.plot(
        "api_messages",
        bars,
        group="connections",
        bar="of",
        value="messages_per_s_a_core",
        title="POST Messages a second",
    )


if __name__ == "__main__":
    main()
