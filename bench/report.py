"""What every benchmark does with its figures: print a table, keep JSON, draw a plot.

rows = [{"twin": "plain", "what": "parse", "us": 7.1}, ...]
report.show("SIP messages", rows)
report.save("sip_parse", rows, {"message_size": 1024})
report.plot("sip_parse", rows, group="what", bar="twin", value="us", unit="µs")
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
Row = Mapping[str, Any]


def show(title: str, rows: Sequence[Row]) -> None:
    """Print the rows as a table; the keys of the first one head the columns."""
    table = Table(title=title)
    for key in rows[0]:
        table.add_column(key.replace("_", " "), justify="right" if _is_number(rows[0][key]) else "left")
    for row in rows:
        table.add_row(*(_text(row.get(key)) for key in rows[0]))
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def save(name: str, rows: Sequence[Row], meta: Mapping[str, Any] | None = None) -> Path:
    """Write results/NAME.json: the rows, what was asked, the machine, the versions and the date."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {
        "name": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "meta": dict(meta or {}),
        "rows": [dict(row) for row in rows],
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def plot(
    name: str,
    rows: Sequence[Row],
    *,
    group: str,
    bar: str,
    value: str,
    unit: str = "",
    title: str = "",
    log: bool = False,
) -> Path:
    """Draw results/NAME.png: groups of bars, one colour for each value of ``bar``."""
    figure, axes = _figure()
    groups = list(dict.fromkeys(str(row[group]) for row in rows))
    kinds = list(dict.fromkeys(str(row[bar]) for row in rows))
    height = 0.8 / len(kinds)
    for place, kind in enumerate(kinds):
        mine = [row for row in rows if str(row[bar]) == kind and row.get(value) is not None]
        at = [groups.index(str(row[group])) + (place - (len(kinds) - 1) / 2) * height for row in mine]
        bars = axes.barh(at, [row[value] for row in mine], height, label=kind)
        axes.bar_label(bars, fmt="%.3g", padding=2)
    axes.set_yticks(range(len(groups)), groups)
    axes.invert_yaxis()
    axes.legend(title=bar)
    return _finish(name, figure, axes, title, f"{value} ({unit})" if unit else value, log=log)


def plot_lines(
    name: str,
    rows: Sequence[Row],
    *,
    x: str,
    y: str,
    line: str,
    title: str = "",
    unit: str = "",
    log: bool = False,
) -> Path:
    """Draw results/NAME.png: ``y`` over ``x``, one line for each value of ``line``."""
    figure, axes = _figure()
    for kind in dict.fromkeys(str(row[line]) for row in rows):
        mine = [row for row in rows if str(row[line]) == kind and row.get(y) is not None]
        axes.plot([row[x] for row in mine], [row[y] for row in mine], marker="o", label=kind)
    axes.set_ylabel(f"{y} ({unit})" if unit else y)
    axes.legend(title=line)
    return _finish(name, figure, axes, title, x, log=log)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """What was measured: Python, ourselves, and the commit."""
    root = Path(__file__).parent
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
    ).stdout.strip()
    found = {"python": platform.python_version(), "switchroom": importlib.metadata.version("switchroom")}
    return {**found, "commit": commit or "unknown", "build": _build()}


def _build() -> str:
    """Whether `make tuned` made what is measured: its modules are links then."""
    found = [
        importlib.util.find_spec(f"switchroom.{name}") for name in ("protocols.sip.core", "switch.calls.call")
    ]
    return "tuned" if all(spec and Path(spec.origin or "").is_symlink() for spec in found) else "plain"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _figure() -> tuple[Any, Any]:
    import matplotlib as mpl

    mpl.use("Agg")  # no display on a server
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(9, 5), layout="constrained")


def _finish(name: str, figure: Any, axes: Any, title: str, label: str, *, log: bool) -> Path:
    axes.set_xlabel(label)
    axes.set_title(title or name)
    if log:
        axes.set_xscale("log")
    axes.grid(axis="x", alpha=0.3)
    axes.margins(x=0.12)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.png"
    figure.savefig(path, dpi=110)
    return path


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
