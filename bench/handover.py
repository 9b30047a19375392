"""Does a packet get lost while a thousand calls are handed to the kernel and taken back, again and again?

    python bench/handover.py [--calls 1000] [--seconds 30]     # as root

Phones in network namespaces (bench/rtp_frames_core.c) speak at 50 packets a second each, bench/sink.py
counts what arrives for each of them. The switch hands every direction over as soon as it may; as soon as the
kernel has all, it takes all back: in turn because it was asked to, and because each call is negotiated again.
What arrived is compared with what was sent; then all is closed, and what the process holds is compared with
what it held before.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import report
import rtp_relay
import wires

PACKETS = 50  # a second, from each phone
PLACE = wires.WIRES
Row = dict[str, Any]


def main() -> None:
    options = read_options()
    if options.serve:
        asyncio.run(serve(options.calls))
        return
    wires.enter()
    row = run(rtp_relay.compile_traffic(), options.calls, options.seconds)
    report.show(
        f"{options.calls} calls to the kernel and back", [{"what": k, "is": v} for k, v in row.items()]
    )
    report.save("handover", [row], {"calls": options.calls, "seconds": options.seconds})
    sys.exit(bool(row["lost"] or row["deaf_phones"] or row["held_at_the_end"]))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def run(traffic: Path, calls: int, seconds: float) -> Row:
    """Speak for so long; the relay ends when its input does."""
    flows = 2 * calls
    numbers = [rtp_relay.FIRST_PORT, flows, flows * PACKETS, seconds, 3.0, 0, 0]
    command = [str(traffic / "rtp_frames"), PLACE.frames(is_direct=False), *map(str, numbers)]
    child = [sys.executable, __file__, "--serve", "--calls", str(calls)]
    with (
        rtp_relay.counting(flows, PLACE) as sink,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as phones,
        subprocess.Popen(child, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as relay,
    ):
        assert phones.stdin is not None
        assert phones.stdout is not None
        assert relay.stdin is not None
        assert relay.stdout is not None
        rtp_relay.expect(phones, "ready")
        for host, port in json.loads(relay.stdout.readline()):
            phones.stdin.write(f"{host} {port}\n")
        phones.stdin.flush()
        for word in ("start", "stop"):
            rtp_relay.expect(phones, word)
        said = json.loads(phones.stdout.readline())
        time.sleep(0.2)  # for what is still on its way
        found = sink.result()
        relay.stdin.close()
        told: Row = json.loads(relay.stdout.readline())
    return {
        "sent": said["sent"],
        "lost": said["sent"] - found["received"],
        "deaf_phones": found["silent_flows"],
        "p99_ms": found["p99_us"] / 1000,
        **told,
    }


# -- the switch


async def serve(calls: int) -> None:
    """The child process: as many calls, to the kernel and back until the end of the input."""
    from switchroom.switch.config import MediaConfig
    from switchroom.switch.media import MediaPlane

    loop = asyncio.get_running_loop()
    ours = dict(zip(PLACE.phones, PLACE.ours, strict=True))
    config = MediaConfig(ports="10000-19999", kernel="required")
    before = held()
    plane = MediaPlane(config, lambda toward: ours.get(toward, PLACE.ours[0]), lambda session: None)
    plane.start(loop)
    told = [describe_call(plane, call) for call in range(calls)]
    say([target for _, targets in told for target in targets])
    sessions = [session for session, _ in told]
    over = loop.run_in_executor(None, sys.stdin.read)
    result = await to_and_fro(plane, sessions, over)
    for session in sessions:
        session.session.close()
    totals = plane.engine.read_totals()
    plane.stop()
    result["kernel_packets"], result["relayed_packets"] = totals.kernel_packets, totals.packets
    result["dropped"] = sum(totals.dropped)
    del plane, told, sessions, session
    gc.collect()
    result["held_at_the_end"] = dict(held() - before)
    say(result)


def say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Talk:
    """A call's session and legs, which can negotiate again."""

    def __init__(self, plane: Any, number: int) -> None:
        self.session = plane.session(str(number))
        self.legs = tuple(self.session.leg(toward=host, is_nat=False) for host in PLACE.phones)
        self._descriptions = [rtp_relay.describe(2 * number + side, PLACE) for side in (0, 1)]

    def negotiate(self) -> list[rtp_relay.Target]:
        a, b = self.legs
        to_b = self.session.offer(a, b, self._descriptions[0])
        to_a = self.session.answer(b, a, self._descriptions[1])
        return [rtp_relay.target_in(to_a), rtp_relay.target_in(to_b)]


def describe_call(plane: Any, number: int) -> tuple[Talk, list[rtp_relay.Target]]:
    talk = Talk(plane, number)
    targets = talk.negotiate()
    talk.session.confirm()
    return talk, targets


async def to_and_fro(plane: Any, talks: list[Talk], over: asyncio.Future[str]) -> Row:
    """Hand over and take back; says how often, and the memory taken after the first time and the last."""
    turns, first = 0, 0
    while not over.done():
        await asyncio.sleep(0.01)
        if plane.engine.read_totals().kernel_streams < 2 * len(talks):
            continue
        turns += 1
        first = first or resident()
        for talk in talks:
            if turns % 2:
                for leg in talk.legs:
                    plane.engine.take_back(leg.pairs[0].index)
            else:
                talk.negotiate()
    return {
        "turns": turns,
        "directions_handed_over": turns * 2 * len(talks),
        "memory_after_the_first_kib": first,
        "memory_after_the_last_kib": resident(),
    }


def resident() -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def held() -> Counter[str]:
    """Descriptors by their kind, and mapped memory of the kernel's maps."""
    kinds: Counter[str] = Counter()
    for name in os.listdir("/proc/self/fd"):
        try:
            kinds[os.readlink(f"/proc/self/fd/{name}").partition(":[")[0]] += 1
        except FileNotFoundError:  # the one that listed them
            continue
    with open("/proc/self/maps") as file:
        kinds["mapped bpf-map"] = sum("bpf-map" in line for line in file)
    return kinds


if __name__ == "__main__":
    main()
