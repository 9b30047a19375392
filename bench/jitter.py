"""How much delay does a jitter buffer cost, and how much is lost all the same?

    python bench/jitter.py [--seconds 120]

The traces of tests/protocols/rtp/traces.py (simulated: steady, Gaussian, bursts, clocks 200 ppm off, a
handover) and of bench/traces (recorded) go through our buffer, through fixed ones, and through speexdsp's
when it is installed. Delay is that from sending to the ear beyond the shortest way; loss is the share of
packets that came and were not played; concealed is the sound that was made up, also where a stream was held.
Ticks of 20 ms begin in five places of the sender's, and the mean is taken. "ours" moves its ticks as the
media engine does for whoever is alone; "ours, fixed ticks" is asked when speexdsp is. All adaptive ones are
told in several steps how much a late packet matters, which makes a line; * marks what each does unasked.
The second table has, for each trace, the delays at the loss that speexdsp has unasked.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import sys
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import report

from switchroom.protocols.rtp.jitter import JitterConfig

OURS = (  # late_loss, and late_cost: seconds of delay that one in a hundred is worth
    (0.002, 0.02), (0.01, 0.01), (0.03, 0.006), (0.1, 0.003), (0.1, 0.001), (0.3, 0.0005), (0.5, 0.0002),
)  # fmt: skip
DEFAULT = (0.03, 0.006)
LATE_RATE = (1, 2, 4, 10)  # speexdsp's, per cent; 4 is the default
FIXED = (0.02, 0.04, 0.06, 0.1, 0.16)  # seconds
BEGINNINGS = (0.001, 0.005, 0.009, 0.013, 0.017)  # of the first tick
RECORDED = Path(__file__).parent / "traces"
_SET_MAX_LATE_RATE = 10  # of speex_jitter.h
_OK = 0
Played = tuple[float, float, float]  # mean delay in seconds, loss, concealed


def load_traces() -> Any:
    """The module of the tests: their folder is no package of the program's."""
    path = Path(__file__).parent.parent / "tests" / "protocols" / "rtp" / "traces.py"
    spec = importlib.util.spec_from_file_location("traces", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["traces"] = module
    spec.loader.exec_module(module)
    return module


traces = load_traces()


def make_traces(count: int) -> dict[str, list[Any]]:
    return {
        "steady": traces.trace(traces.constant(count)),
        "gaussian 10 ms": traces.trace(traces.gaussian(count)),
        "gaussian 30 ms": traces.trace(traces.gaussian(count, 0.03)),
        "bursts": traces.trace(traces.bursty(count)),
        "clock +200 ppm": traces.trace(traces.gaussian(count, 0.005), 200),
        "clock -200 ppm": traces.trace(traces.gaussian(count, 0.005), -200),
        "handover": traces.trace(traces.handover(count)),
        **{path.stem.replace("_", " "): recorded(path, count) for path in sorted(RECORDED.glob("*.txt"))},
    }


def recorded(path: Path, count: int) -> list[Any]:
    """Lines of a packet's number and how many microseconds later than the earliest one it came."""
    delays: list[float | None] = [None] * count
    for line in path.read_text().splitlines():
        index, late = line.split()
        if int(index) < count:
            delays[int(index)] = int(late) * 1e-6
    while delays[-1] is None:
        delays.pop()
    return list(traces.trace(delays))


def by_ours(packets: list[Any], config: JitterConfig, begins_at: float, *, can_move: bool = False) -> Played:
    heard = traces.play(packets, config, begins_at=begins_at, can_move=can_move)
    sound = len(packets) * traces.FRAME
    return heard.mean_delay, heard.loss(len(packets)), heard.concealed / sound


class SpeexPacket(ctypes.Structure):
    """JitterBufferPacket of speex_jitter.h."""

    _fields_ = (
        ("data", ctypes.c_char_p),
        ("len", ctypes.c_uint32),
        ("timestamp", ctypes.c_uint32),
        ("span", ctypes.c_uint32),
        ("sequence", ctypes.c_uint16),
        ("user_data", ctypes.c_uint32),
    )


def load_speexdsp() -> ctypes.CDLL | None:
    file = find_library("speexdsp")
    if file is None:
        return None
    library = ctypes.CDLL(file)
    library.jitter_buffer_init.restype = ctypes.c_void_p
    return library


def by_speexdsp(library: ctypes.CDLL, packets: list[Any], late_rate: int, begins_at: float) -> Played:
    """One frame is asked for at each tick, as its documentation has it."""
    buffer = ctypes.c_void_p(library.jitter_buffer_init(traces.FRAME))
    library.jitter_buffer_ctl(buffer, _SET_MAX_LATE_RATE, ctypes.byref(ctypes.c_int32(late_rate)))
    delays: list[float] = []
    played: set[int] = set()
    sent_at = {packet.index: packet.sent_at for packet in packets}
    tick, concealed, coming, end = 0, 0, iter(packets), packets[-1].arrives_at
    packet = next(coming, None)
    room = ctypes.create_string_buffer(16)
    while (now := begins_at + tick * traces.TICK) < end:
        while packet is not None and packet.arrives_at <= now:
            one = SpeexPacket(
                b"%08d" % packet.index, 8, packet.timestamp, traces.FRAME, packet.sequence_number, 0
            )
            library.jitter_buffer_put(buffer, ctypes.byref(one))
            packet = next(coming, None)
        got = SpeexPacket(ctypes.cast(room, ctypes.c_char_p), len(room), 0, 0, 0, 0)
        offset = ctypes.c_int32()
        answer = library.jitter_buffer_get(buffer, ctypes.byref(got), traces.FRAME, ctypes.byref(offset))
        if answer == _OK:
            index = int(room.raw[:8])
            played.add(index)
            delays.append(now - sent_at[index])
        elif played:
            concealed += 1
        library.jitter_buffer_tick(buffer)
        tick += 1
    library.jitter_buffer_destroy(buffer)
    return sum(delays) / len(delays), 1 - len(played) / len(packets), concealed / len(packets)


Way = Callable[[float], Played]


def ways_through(packets: list[Any], speexdsp: ctypes.CDLL | None) -> Iterator[tuple[str, str, Way, bool]]:
    """Who, how it is set, what plays from where the first tick begins, and whether that is its default."""
    for share, cost in OURS:
        config = JitterConfig(late_loss=share, late_cost=cost)
        setting, is_default = f"{share:.1%}, {cost * 1000:g} ms", (share, cost) == DEFAULT
        yield "ours", setting, partial(by_ours, packets, config, can_move=True), is_default
        yield "ours, fixed ticks", setting, partial(by_ours, packets, config), is_default
    for delay in FIXED:
        fixed = JitterConfig(initial_delay=delay, hold=0, is_fixed=True)
        yield "fixed", f"{delay * 1000:.0f} ms", partial(by_ours, packets, fixed), delay == 0.06
    for rate in LATE_RATE if speexdsp is not None else ():
        yield "speexdsp", f"{rate}%", partial(by_speexdsp, speexdsp, packets, rate), rate == 4


def measure(seconds: float) -> Iterator[dict[str, Any]]:
    speexdsp = load_speexdsp()
    for name, packets in make_traces(round(seconds / traces.TICK)).items():
        shortest = min(packet.arrives_at - packet.sent_at for packet in packets)
        for by, setting, way, is_default in ways_through(packets, speexdsp):
            delay, loss, concealed = (mean(one) for one in zip(*map(way, BEGINNINGS), strict=True))
            yield {
                "trace": name,
                "by": by,
                "setting": setting,
                "delay_ms": round((delay - shortest) * 1000, 1),
                "loss_percent": round(loss * 100, 3),
                "concealed_percent": round(concealed * 100, 2),
                "default": "*" if is_default else "",
            }


def at_loss(rows: list[dict[str, Any]], loss: float) -> float:
    """The least delay of a line of settings with no more loss than that, also between two of them."""
    line = sorted((row["loss_percent"], -row["delay_ms"]) for row in rows)
    between = float(np.interp(loss, [x for x, _ in line], [-y for _, y in line]))
    return min([between, *(-y for x, y in line if x <= loss)])


def compare(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each adaptive one at the loss of speexdsp's default, less where it is never as bad."""
    for name in dict.fromkeys(row["trace"] for row in rows):
        here = [row for row in rows if row["trace"] == name]
        loss = next(row["loss_percent"] for row in here if row["by"] == "speexdsp" and row["default"])
        yield {
            "trace": name,
            "loss_percent": loss,
            **{
                f"{by} (ms)": round(at_loss([row for row in here if row["by"] == by], loss), 1)
                for by in ("speexdsp", "ours", "ours, fixed ticks")
            },
        }


def plot(rows: list[dict[str, Any]]) -> None:
    """One field for each trace: delay over loss."""
    import matplotlib as mpl

    mpl.use("Agg")  # no display on a server
    from matplotlib import pyplot

    names = list(dict.fromkeys(row["trace"] for row in rows))
    figure, fields = pyplot.subplots(2, (len(names) + 1) // 2, figsize=(16, 7), layout="constrained")
    for field, name in zip(fields.flat, names, strict=False):
        for by in dict.fromkeys(row["by"] for row in rows):
            mine = sorted(
                (row["loss_percent"], row["delay_ms"])
                for row in rows
                if (row["trace"], row["by"]) == (name, by)
            )
            field.plot([x for x, _ in mine], [y for _, y in mine], marker="o", label=by)
        field.set(
            title=name, xlabel="packets not played (%)", ylabel="delay beyond the way's (ms)", ylim=(0, None)
        )
        field.set_xlim(right=min(field.get_xlim()[1], 6))  # with more nobody would want to talk
        field.grid(alpha=0.3)
    for field in list(fields.flat)[len(names) :]:
        field.set_visible(False)
    fields.flat[0].legend()
    figure.savefig(report.RESULTS / "jitter.png", dpi=110)


def main() -> None:
    """Play each trace through each buffer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="of each trace (default 120)")
    seconds: float = parser.parse_args().seconds
    rows = list(measure(seconds))
    report.show("Jitter buffers: delay against loss", rows)
    if any(row["by"] == "speexdsp" for row in rows):
        report.show("Delay at equal loss", list(compare(rows)))
    report.save("jitter", rows, {"seconds": seconds})
    plot(rows)


if __name__ == "__main__":
    main()
