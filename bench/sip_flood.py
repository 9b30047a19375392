"""What is left of the switch when four times as many calls come as it can take?

    python bench/sip_flood.py                        1, 2 and 4 times 1,000 calls/s
    python bench/sip_flood.py --rate 1500 --times 1,2,4,5 --seconds 20

Each run starts the switch fresh, with the limits that a new switch has. 500 calls are brought up first; they
hang up while the flood goes on (bye_%: how many BYEs were answered). Phones register meanwhile with digest
(register_%, register_p99_ms). goodput_s is how many calls of the flood were answered and ended in a second;
the others got 503 (refused) or nothing (lost). recovery_s: how long after the flood an OPTIONS is answered
within 50 ms again, three times in a row.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import load
import report
from servers import SERVER, Setup, cpu_of, memory_of, running, server_running, tree_of

STANDING, STANDING_RATE = 500, 100
PHONES, PHONE_RATE = 200, 40
PHONE_PORT, STANDING_PORT = 15072, 15071
TRUNK = '[[trunks]]\nname = "in"\nsources = ["127.0.0.1/32"]\n'


def measure(times: float, options: argparse.Namespace) -> dict[str, Any]:
    """One run: standing calls, then flood and registrations together."""
    rate = round(options.rate * times)
    calls = int(rate * options.seconds)
    setup = Setup(users=PHONES, has_auth=True, is_guarded=True, more=TRUNK)
    with tempfile.TemporaryDirectory(prefix="sip_flood.") as name:
        folder = Path(name)
        standing_folder = folder / "standing"
        standing_folder.mkdir()
        with (
            server_running("switchroom", folder, setup) as process,
            running(load.callee(folder), folder / "callee.log"),
            running(
                standing(standing_folder, options.seconds), standing_folder / "caller.log"
            ) as standing_calls,
        ):
            time.sleep(STANDING / STANDING_RATE + 1)
            pids = tree_of(process.pid)
            before, began = cpu_of(pids), time.monotonic()
            with (
                running(flood(folder, rate, calls), folder / "flood.log") as flooding,
                running(phones(folder, options.seconds), folder / "phones.log") as registering,
            ):
                flooding.wait(options.seconds + 60)
                wall = time.monotonic() - began
                peak = memory_of(pids)
                recovery = recover()
                registering.wait(60)
            standing_calls.wait(60)
            after = cpu_of(pids)
        rows = load.rows_of(folder / "flood.csv")
        registered = load.last_row(folder / "register.csv")
        stood = load.last_row(standing_folder / "caller.csv")
        times_of = load.response_times(folder, "register", "done")
    last = rows[-1]
    refused, answered, ended = (int(last[f"GenericCounter{n}(C)"]) for n in ("1", "2", "3"))
    done = int(registered["SuccessfulCall(C)"])
    return {
        "times": times,
        "offered_s": load.started_per_second_of(rows),
        "goodput_s": round(ended / options.seconds, 1),
        "refused": refused,
        "lost": calls - refused - ended,
        "flood_bye_%": round(100 * ended / answered, 3) if answered else None,
        "bye_%": round(100 * int(stood["SuccessfulCall(C)"]) / STANDING, 3),
        "register_%": round(100 * done / max(int(registered["TotalCallCreated"]), 1), 2),
        "register_p99_ms": load.quantile(times_of, 0.99),
        "recovery_s": recovery,
        "core_%": round((sum(after) - sum(before)) / wall * 100),
        "mib": round(peak, 1),
    }


def flood(folder: Path, rate: int, calls: int) -> list[str]:
    """Calls that take 503 for an answer, from a trunk that may call in."""
    command = load.caller(folder, "flood", rate=rate, calls=calls, hold=1.0)
    command[command.index("-l") + 1] = str(calls)
    command[command.index("-recv_timeout") + 1] = "33000"
    return command


def standing(folder: Path, seconds: float) -> list[str]:
    """Calls that are up before the flood, and hang up in its second half."""
    hold = STANDING / STANDING_RATE + 1 + seconds / 2
    command = load.caller(folder, "caller", rate=STANDING_RATE, calls=STANDING, hold=hold)
    command[command.index("-p") + 1] = str(STANDING_PORT)
    command[command.index("-recv_timeout") + 1] = "33000"
    return command


def phones(folder: Path, seconds: float) -> list[str]:
    """Phones that register, from an address that is no trunk's."""
    load.write_users(folder, PHONES)
    return [
        *load.sipp("register", PHONE_PORT, folder, host="127.0.0.2"), f"127.0.0.1:{SERVER}",
        "-r", str(PHONE_RATE), "-m", str(int(PHONE_RATE * seconds)), "-l", "10000",
        "-inf", str(folder / "users.csv"), "-recv_timeout", "33000", "-timeout", str(int(seconds + 40)),
        "-trace_rtt", "-rtt_freq", "50",
    ]  # fmt: skip


def recover(timeout: float = 30.0) -> float | None:
    """Seconds until three OPTIONS in a row are answered within 50 ms."""
    began, good = time.monotonic(), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.3", 0))
        sock.settimeout(0.05)
        port = sock.getsockname()[1]
        number = 0
        while time.monotonic() - began < timeout:
            number += 1
            text = (
                f"OPTIONS sip:127.0.0.1:{SERVER} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.3:{port};branch=z9hG4bKf{port}x{number};rport\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:probe@127.0.0.3>;tag=p{number}\r\n"
                f"To: <sip:127.0.0.1:{SERVER}>\r\nCall-ID: flood-{port}-{number}\r\nCSeq: 1 OPTIONS\r\n"
                "Content-Length: 0\r\n\r\n"
            )
            with suppress(TimeoutError, ConnectionError):
                sock.sendto(text.encode(), ("127.0.0.1", SERVER))
                wanted = f"flood-{port}-{number}".encode()
                while wanted not in sock.recv(4096):
                    pass
                good += 1
                if good == 3:
                    return round(time.monotonic() - began, 2)
                continue
            good = 0
    return None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=1000, help="calls per second that are normal")
    parser.add_argument("--times", default="1,2,4", help="how many times that")
    parser.add_argument("--seconds", type=float, default=15, help="how long the flood lasts")
    options = parser.parse_args()
    rows = [measure(float(times), options) for times in options.times.split(",")]
    best = max(row["goodput_s"] for row in rows)
    for row in rows:
        row["of_peak_%"] = round(100 * row["goodput_s"] / best, 1)
    report.show("Calls beyond what it can take", rows)
    report.save("sip_flood", rows, {"rate": options.rate, "seconds": options.seconds})
    title = "Calls answered and ended per second"
    lines = [
        {"offered_s": row["offered_s"], "calls/s": row[key], "what": key}
        for row in rows
        for key in ("offered_s", "goodput_s")
    ]
    report.plot_lines("sip_flood", lines, x="offered_s", y="calls/s", line="what", title=title)


if __name__ == "__main__":
    main()
