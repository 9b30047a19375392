"""How much delay does a jitter buffer cost, and how much is lost all the same?

    python bench/jitter.py [--seconds 120]

The traces of tests/protocols/rtp/traces.py (simulated: steady, Gaussian, bursts, clocks 200 ppm off, a
handover) go through our buffer, through fixed ones, and through speexdsp's when it is installed. Delay is
that from sending to the ear beyond the shortest way; loss is the share of packets that came and were not
played. Both adaptive ones are told in several steps how much a late packet matters, which makes a line;
* marks what each does unasked.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import sys
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import report

from switchroom.protocols.rtp.jitter import JitterConfig

OURS = (  # late_loss, and late_cost: seconds of delay that one in a hundred is worth
    (0.002, 0.02), (0.01, 0.01), (0.03, 0.006), (0.1, 0.003), (0.1, 0.001), (0.3, 0.0005), (0.5, 0.0002),
)  # fmt: skip
DEFAULT = (0.03, 0.006)
LATE_RATE = (1, 2, 4, 10)  # speexdsp's, per cent; 4 is the default
FIXED = (0.02, 0.04, 0.06, 0.1, 0.16)  # seconds
_SET_MAX_LATE_RATE = 10  # of speex_jitter.h
_OK = 0
Played = tuple[float, float]  # mean delay in seconds, loss


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
    }


def by_ours(packets: list[Any], config: JitterConfig) -> Played:
    heard = traces.play(packets, config)
    return heard.mean_delay, 1 - len(set(heard.played)) / len(packets)


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


def by_speexdsp(library: ctypes.CDLL, packets: list[Any], late_rate: int) -> Played:
    """One frame is asked for at each tick, as its documentation has it."""
    buffer = ctypes.c_void_p(library.jitter_buffer_init(traces.FRAME))
    library.jitter_buffer_ctl(buffer, _SET_MAX_LATE_RATE, ctypes.byref(ctypes.c_int32(late_rate)))
    delays: list[float] = []
    played: set[int] = set()
    sent_at = {packet.index: packet.sent_at for packet in packets}
    tick, coming, end = 0, iter(packets), packets[-1].arrives_at + 1.0
    packet = next(coming, None)
    room = ctypes.create_string_buffer(16)
    while (now := 0.013 + tick * traces.TICK) < end:
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
        library.jitter_buffer_tick(buffer)
        tick += 1
    library.jitter_buffer_destroy(buffer)
    return sum(delays) / len(delays), 1 - len(played) / len(packets)


def measure(seconds: float) -> Iterator[dict[str, Any]]:
    speexdsp = load_speexdsp()
    for name, packets in make_traces(round(seconds / traces.TICK)).items():
        shortest = min(packet.arrives_at - packet.sent_at for packet in packets)
        ways: list[tuple[str, str, Callable[[], Played], bool]] = [
            (
                "ours",
                f"{share:.1%}, {cost * 1000:g} ms",
                _later(by_ours, packets, JitterConfig(late_loss=share, late_cost=cost)),
                (share, cost) == DEFAULT,
            )
            for share, cost in OURS
        ]
        ways += [
            (
                "fixed",
                f"{delay * 1000:.0f} ms",
                _later(by_ours, packets, JitterConfig(initial_delay=delay, hold=0, is_fixed=True)),
                delay == 0.06,
            )
            for delay in FIXED
        ]
        if speexdsp is not None:
            ways += [
                ("speexdsp", f"{rate}%", _later(by_speexdsp, speexdsp, packets, rate), rate == 4)
                for rate in LATE_RATE
            ]
        for by, setting, way, is_default in ways:
            delay, loss = way()
            yield {
                "trace": name,
                "by": by,
                "setting": setting,
                "delay_ms": round((delay - shortest) * 1000, 1),
                "loss_percent": round(loss * 100, 3),
                "default": "*" if is_default else "",
            }


def _later(way: Callable[..., Played], *arguments: Any) -> Callable[[], Played]:
    return lambda: way(*arguments)


def plot(rows: list[dict[str, Any]]) -> None:
    """One field for each trace: delay over loss."""
    import matplotlib as mpl

    mpl.use("Agg")  # no display on a server
    from matplotlib import pyplot

    names = list(dict.fromkeys(row["trace"] for row in rows))
    figure, fields = pyplot.subplots(2, (len(names) + 1) // 2, figsize=(14, 7), layout="constrained")
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
    report.save("jitter", rows, {"seconds": seconds})
    plot(rows)


if __name__ == "__main__":
    main()
