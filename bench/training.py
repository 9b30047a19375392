"""What the switch does most, a little of each: `make tuned` lays its code out for what it sees here.

    python bench/training.py        two minutes; nothing is measured

Calls over UDP and TCP, with and without digest, registrations, texts with receipts: a switch of its own for
each, with sipp (Debian: sip-tester) and bench/smpp_traffic_core.c at the other end. What is not done here
counts as rare.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sip_calls
import sip_register
import sip_switch
import smpp_end_to_end
from smpp_load import Load, compile_traffic

from switchroom.switch.ops import process

Options = argparse.Namespace
IN_MEMORY = (Options(register=False, users=1000), Options(register=True, users=1000))
LIVE = (
    Options(transport="udp", auth=False),
    Options(transport="udp", auth=True),
    Options(transport="tcp", auth=False),
)


def in_memory() -> Iterator[str]:
    """Calls and registrations at the full speed of a core."""
    for options in IN_MEMORY:
        options.calls, options.rounds, options.profile = 300, 5, 0
        with (
            tempfile.TemporaryDirectory(prefix="training.") as name,
            asyncio.Runner(loop_factory=process.loop_factory()) as runner,
        ):
            runner.run(sip_switch.measure(Path(name), options))
        yield f"in memory: {'registrations' if options.register else 'calls'}"


def live() -> Iterator[str]:
    """Calls and registrations through sockets."""
    for options in LIVE:
        options.seconds, options.hold, options.workers = 8, 1.0, 1
        row = sip_calls.measure("switchroom", 300, options)
        kind = f"{options.transport}, digest" if options.auth else options.transport
        yield f"calls over {kind}: {row['failed']} of {row['calls']} failed"
    row = sip_register.measure("switchroom", 500, Options(seconds=8, users=1000, workers=1))
    yield f"registrations: {row['failed']} of {row['registrations']} failed"


def texts() -> Iterator[str]:
    """From a customer to a carrier, and the receipt back."""
    with tempfile.TemporaryDirectory(prefix="training.") as name:
        program = compile_traffic(Path(name))
        row = smpp_end_to_end.run(
            "switchroom", Load(4, 50, 10_000, has_receipts=True), program, Path(name) / "run", 0
        )
    yield f"texts with receipts: {row['per_s']} a second"


def main() -> None:
    """One after the other."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    if shutil.which("sipp") is None:
        raise SystemExit("training needs sipp (Debian: sip-tester)")
    for part in (in_memory, live, texts):
        for line in part():
            print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
