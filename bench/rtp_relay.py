"""What does it cost to relay an RTP packet, and how much later does it arrive?

    python bench/rtp_relay.py [--peer rtpengine] [--flows 1000] [--rates 50000,150000] [--seconds 5]
    python bench/rtp_relay.py --srtp ...             # one side of each call speaks SRTP, the other one RTP
    python bench/rtp_relay.py --frames --busy ...    # how late packets are while Python is busy
    python bench/rtp_relay.py --wires [--six] ...    # as root: through the kernel too (docs/media.md)
    python bench/rtp_relay.py --frames --rates 200000 ...    # the same with phones that cost little
    python bench/rtp_relay.py --g711 ...             # the same, where one side has u-law, the other A-law

Phones (bench/rtp_traffic_core.c, compiled on the spot) send numbered packets to each other: directly, then
through the relay. CPU is the sum of all processes that take part, soft interrupts on their account included;
"beyond direct" is what the relay adds for each packet; "machine" is the same from the kernel's sampled
figures for the whole machine: true only when nothing else runs. Of repeats the median is shown. With --wires
the phones are in network namespaces on two sides, so that the kernel can relay; what it does is done on the
account of whoever sends. With --frames they send by bench/rtp_frames_core.c, in real time if they may, and
bench/sink.py counts what comes back.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import engines
import report
import sink
import wires

HERE = Path(__file__).parent
HOST = "127.0.0.1"
FIRST_PORT = 20000
PORTS = "10000-19999"  # of either relay
SUITE = "AES_CM_128_HMAC_SHA1_80"
Row = dict[str, Any]


def main() -> None:
    options = read_options()
    if options.serve:
        asyncio.run(serve(place_of(options), options.serve))
        return
    options.frames = options.frames or options.g711
    options.wires = options.wires or options.frames
    if options.wires:
        wires.enter()
    place = place_of(options)
    traffic = compile_traffic()
    ours = [*(["kernel"] if options.wires else []), "switchroom", "ports", "plain"]
    relays = ["direct", *ours, *options.peer]
    if options.busy:
        relays = ["direct", *(["kernel-busy"] if options.wires else []), "busy"]
    if options.g711:
        relays = ["direct", "kernel", "kernel-g711", "switchroom", "g711"]
    if options.srtp:
        relays = ["direct", "switchroom", "srtp", *(f"{peer}-srtp" for peer in options.peer)]
    results: dict[tuple[str, int], list[Row]] = {}
    for _ in range(options.repeats):
        for rate in options.rates:
            for relay in relays:
                results.setdefault((relay, rate), []).append(
                    run(relay, traffic, options.flows, rate, options.seconds, place, is_framed=options.frames)
                )
    rows = [summarise(runs, results["direct", rate]) for (_, rate), runs in results.items()]
    rows.sort(key=lambda row: (row["rate"], relays.index(row["relay"])))
    report.show(f"RTP relay, {options.flows} flows of 172-byte datagrams", rows)
    meta = {"flows": options.flows, "seconds": options.seconds, "repeats": options.repeats, "place": place}
    name = (
        "rtp_relay"
        + ("_srtp" if options.srtp else "")
        + ("_wires" if options.wires else "")
        + ("_frames" if options.frames else "")
        + ("_busy" if options.busy else "")
        + ("_g711" if options.g711 else "")
        + ("_six" if options.six else "")
    )
    report.save(name, rows, meta)
    shown = [row for row in rows if row["relay"] != "direct"]
    report.plot(name, shown, group="rate", bar="relay", value="beyond_direct_us", unit="µs per packet")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", action="append", default=[], choices=["rtpengine"])
    parser.add_argument("--flows", type=int, default=1000)
    parser.add_argument(
        "--rates", type=lambda text: [int(rate) for rate in text.split(",")], default=[50_000, 150_000]
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--wires", action="store_true", help="in network namespaces instead of the loopback")
    parser.add_argument("--frames", action="store_true", help="the same, with phones that cost little")
    parser.add_argument("--busy", action="store_true", help="while Python has more to do than it can")
    parser.add_argument(
        "--g711", action="store_true", help="what it costs to say u-law as A-law, with --frames"
    )
    parser.add_argument("--srtp", action="store_true", help="what keys on one side cost")
    parser.add_argument("--six", action="store_true", help="over IPv6, with --wires")
    parser.add_argument("--serve", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def place_of(options: argparse.Namespace) -> wires.Place:
    """Where the phones are."""
    if options.wires:
        return wires.SIX if options.six else wires.WIRES
    return wires.LOOPBACK


def compile_traffic() -> Path:
    """Build the phones; both programs lie in the folder that this returns."""
    target = HERE / "results" / "tmp"
    target.mkdir(parents=True, exist_ok=True)
    media = HERE.parent / "switch" / "media"
    sources = [HERE / "rtp_traffic_core.c", *sorted((media / "crypto").glob("*.c"))]
    sources.append(HERE.parent / "codecs" / "native" / "library.c")
    command = ["gcc", "-O2", f"-I{media}", f"-I{HERE.parent}", "-o", str(target / "rtp_traffic")]
    subprocess.run([*command, *map(str, sources), "-ldl", "-lpthread"], check=True)
    frames = HERE / "rtp_frames_core.c"
    subprocess.run(["gcc", "-O2", "-o", str(target / "rtp_frames"), str(frames)], check=True)
    return target


# -- one run


def run(
    relay: str,
    traffic: Path,
    flows: int,
    rate: int,
    seconds: float,
    place: wires.Place,
    *,
    is_framed: bool = False,
) -> Row:
    """One measurement: CPU of the phones and of the relay, what arrived, and when."""
    warm_up = 2.0 if relay.startswith("kernel") else 0.5  # it takes over after fifty packets
    numbers = [str(FIRST_PORT), str(flows), str(rate), str(seconds), str(warm_up), "0"]
    is_direct = relay == "direct"
    if is_framed:
        odd = "8" if relay.endswith("g711") else "0"
        command = [str(traffic / "rtp_frames"), place.frames(is_direct=is_direct), *numbers, odd]
    else:
        hosts = place.hosts(is_direct=is_direct) if place.namespaces[0] else HOST
        command = [
            str(traffic / "rtp_traffic"),
            hosts,
            *numbers,
            *(["srtp"] if relay.endswith("srtp") else []),
        ]
    with (
        counting(flows, place) if is_framed else nullcontext() as counted,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as phones,
    ):
        assert phones.stdin is not None
        assert phones.stdout is not None
        expect(phones, "ready")
        with RELAYS[relay](flows, place) as (pid, targets):
            phones.stdin.write("".join(f"{host} {port}\n" for host, port in targets))
            phones.stdin.flush()
            expect(phones, "start")
            thread = "media" if relay.endswith("busy") else ""
            before, machine = engines.cpu_of(pid, thread), busy_seconds()
            expect(phones, "stop")
            server, machine = engines.cpu_of(pid, thread) - before, busy_seconds() - machine
            row: Row = json.loads(phones.stdout.readline())
            if counted is not None:
                time.sleep(0.1)  # for what is still on its way
                row |= counted.result()
    row |= {"relay": relay, "rate": rate, "seconds": seconds, "server_cpu": server, "machine_cpu": machine}
    return row


@contextmanager
def counting(flows: int, place: wires.Place) -> Iterator[sink.Sink]:
    """What counts for phones that only send."""
    found = sink.Sink(FIRST_PORT, flows)
    for name in place.namespaces:
        with wires.inside(name):
            for interface in ("wire", "direct"):
                found.watch(interface)
    yield found
    found.close()


def expect(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if line != word:
        sys.exit(f"{process.args!r} said {line!r} instead of {word!r}")


def busy_seconds() -> float:
    """Seconds of CPU of the whole machine, as the kernel's ticks sampled them."""
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def summarise(runs: list[Row], direct: list[Row]) -> Row:
    """The median run, set against the direct one."""

    def middle(key: str, of: list[Row] = runs) -> float:
        return float(statistics.median(run[key] / run["sent"] * 1e6 for run in of))

    beyond = middle("cpu") + middle("server_cpu") - middle("cpu", direct)
    machine = middle("machine_cpu") - middle("machine_cpu", direct)
    sent = sum(run["sent"] for run in runs)
    lost = sent - sum(run["received"] for run in runs)
    is_direct = runs is direct
    return {
        "relay": runs[0]["relay"],
        "rate": runs[0]["rate"],
        "sent_per_second": round(sent / sum(run["seconds"] for run in runs)),
        "server_us": round(middle("server_cpu"), 2),
        "beyond_direct_us": None if is_direct else round(beyond, 2),
        "machine_beyond_us": None if is_direct else round(machine, 2),
        "loss_percent": round(100 * lost / sent, 3),
        "p50_ms": statistics.median(run["p50_us"] for run in runs) / 1000,
        "p99_ms": statistics.median(run["p99_us"] for run in runs) / 1000,
    }


# -- relays: each gives a process and where the phones must send to

Target = tuple[str, int]


@contextmanager
def no_relay(flows: int, place: wires.Place) -> Iterator[tuple[int, list[Target]]]:
    """Each phone sends to its partner."""
    yield 0, [(place.direct[i % 2 ^ 1], phone_port(i ^ 1)) for i in range(flows)]


@contextmanager
def switchroom(
    flows: int, place: wires.Place, way: str = "off,raw,one"
) -> Iterator[tuple[int, list[Target]]]:
    """Our media plane in a process of its own."""
    command = [sys.executable, __file__, "--serve", way, *(["--wires"] if place.namespaces[0] else [])]
    command += ["--six"] if ":" in place.ours[0] else []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{flows}\n")
        process.stdin.flush()
        targets = json.loads(process.stdout.readline())
        yield process.pid, [(host, port) for host, port in targets]
        process.stdin.close()


@contextmanager
def rtpengine_srtp(flows: int, place: wires.Place) -> Iterator[tuple[int, list[Target]]]:
    """rtpengine, with keys on one side of each call."""
    with rtpengine(flows, place, is_secured=True) as found:
        yield found


@contextmanager
def rtpengine(
    flows: int, place: wires.Place, *, is_secured: bool = False
) -> Iterator[tuple[int, list[Target]]]:
    """rtpengine in user space, driven by its NG protocol."""
    hosts = (HOST, HOST) if place is wires.LOOPBACK else place.ours
    transport = "RTP/AVP" if is_secured else ""
    with engines.rtpengine(hosts) as engine:
        targets: list[Target] = []
        for call in range(flows // 2):
            offer = describe(2 * call, place, is_secured=is_secured)
            to_b = engine.offer(str(call), offer, transport=transport)
            to_a = engine.answer(str(call), describe(2 * call + 1, place))
            targets += [target_in(to_a), target_in(to_b)]
        yield engine.pid, targets


RELAYS = {
    "direct": no_relay,
    "kernel": partial(switchroom, way="required,raw,one"),
    "switchroom": switchroom,
    "busy": partial(switchroom, way="off,raw,one,busy"),  # Python has more to do than it can
    "kernel-busy": partial(switchroom, way="required,raw,one,busy"),
    "ports": partial(switchroom, way="off,raw"),  # without the right to one socket for all ports
    "plain": partial(switchroom, way="off"),  # without any right
    "srtp": partial(switchroom, way="off,raw,one,srtp"),  # with keys on one side of each call
    "g711": partial(switchroom, way="off,raw,one,g711"),  # one side knows u-law, the other A-law
    "kernel-g711": partial(switchroom, way="required,raw,one,g711"),
    "rtpengine": rtpengine,
    "rtpengine-srtp": rtpengine_srtp,
}


def phone_port(i: int) -> int:
    return FIRST_PORT + 2 * i


def describe(i: int, place: wires.Place, *, is_secured: bool = False, is_alaw: bool = False) -> bytes:
    """The SDP of a phone."""
    number, codec = (8, "PCMA") if is_alaw else (0, "PCMU")
    host = place.phones[i % 2]
    family = "IP6" if ":" in host else "IP4"
    lines = (
        "v=0", f"o=- {i} {i} IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0",
        f"m=audio {phone_port(i)} RTP/{'SAVP' if is_secured else 'AVP'} {number}",
        f"a=rtpmap:{number} {codec}/8000",
        *([f"a=crypto:1 {SUITE} inline:{'A' * 40}"] if is_secured else []),
    )  # fmt: skip
    return ("\r\n".join(lines) + "\r\n").encode()


def target_in(sdp: bytes) -> Target:
    """Where an SDP of one line wants its packets."""
    lines = sdp.decode().splitlines()
    host = next(line.split()[-1] for line in lines if line.startswith("c="))
    return host, int(next(line.split()[1] for line in lines if line.startswith("m=")))


async def serve(place: wires.Place, way: str) -> None:
    """The child process: set the calls up, say where to send, and wait for the end of the input."""
    from switchroom.switch.config import MediaConfig
    from switchroom.switch.media import MediaPlane

    kernel, *more = way.split(",")
    loop = asyncio.get_running_loop()
    ours = dict(zip(place.phones, place.ours, strict=True))
    config = MediaConfig.model_validate(
        {"ports": PORTS, "kernel": kernel, "raw_sockets": "raw" in more, "one_socket": "one" in more}
    )
    plane = MediaPlane(config, lambda toward: ours.get(toward, place.ours[0]), lambda session: None)
    plane.start(loop)
    targets: list[Target] = []
    for call in range(int(await loop.run_in_executor(None, sys.stdin.readline)) // 2):
        session = plane.session(str(call))
        a, b = (session.leg(toward=host, is_nat=False) for host in place.phones)
        to_b = session.offer(a, b, describe(2 * call, place, is_secured="srtp" in more))
        answer = describe(2 * call + 1, place, is_alaw="g711" in more)
        targets += [target_in(session.answer(b, a, answer)), target_in(to_b)]
        session.confirm()
    sys.stdout.write(json.dumps(targets) + "\n")
    sys.stdout.flush()
    over = loop.run_in_executor(None, sys.stdin.read)
    while "busy" in more and not over.done():
        sum(range(10_000))
        await asyncio.sleep(0)
    await over
    plane.stop()


if __name__ == "__main__":
    main()
