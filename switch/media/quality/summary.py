"""How a call sounds now, in a few words for a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchroom.switch.media.session import MediaSession

POOR = 3.1  # MOS; below it "nearly all users are dissatisfied" (G.109)


def row_of(session: MediaSession, now: float) -> dict[str, object]:
    """Pairs: what the first leg says, and the other; MOS 0: nothing was heard yet."""
    report = session.report()
    sides = (report.a, report.b)
    row: dict[str, object] = {
        "codecs": list(report.codecs),
        "mos": [side.mos for side in sides],
        "loss_percent": [_percent(side.lost, side.packets) for side in sides],
        "jitter_ms": [round(side.jitter_ms, 1) for side in sides],
        "round_trip_ms": [round(side.round_trip_ms, 1) for side in sides],
    }
    streams = [stream.counters for stream in report.streams]
    row["path"] = "kernel" if streams and all(one.is_in_kernel for one in streams) else "user space"
    present = () if session.watch is None else session.watch.present
    row["trouble"] = "; ".join(trouble.text(now) for trouble in present)
    return row


def _percent(lost: int, packets: int) -> float:
    return round(100 * lost / (lost + packets), 2) if packets else 0.0


def measured(sessions: Iterable[MediaSession]) -> dict[str, float]:
    """The mean MOS of the directions heard at the last look, how many, how many poor, and the unheard."""
    opinions: list[float] = []
    unheard = 0
    for session in sessions:
        if session.watch is not None:
            opinions += [ear.quality.mos for ear in session.watch.ears if ear.quality is not None]
            unheard += len(session.watch.present)
    return {
        "mean": sum(opinions) / len(opinions) if opinions else 0.0,
        "heard": len(opinions),
        "poor": sum(opinion < POOR for opinion in opinions),
        "unheard": unheard,
    }
