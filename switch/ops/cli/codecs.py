"""The command that lists codecs: what is there, by whose hand, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

import typer

from .ask import _show_many
from .place import JsonOption

if TYPE_CHECKING:
    from switchroom.codecs import Codec

    from ..codec_cost import Cost


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(codecs)


def codecs(as_json: JsonOption = False) -> None:
    """List codecs: library, version, licence, cost of 20 ms."""
    from switchroom.codecs import CODECS  # only here: the other commands start faster without it

    from ..codec_cost import measure

    rows = [_row(codec, measure) for codec in CODECS.values()]
    if not as_json:
        rows = [_shown(row) for row in rows]
    _show_many(rows, as_json=as_json, nothing="There are no codecs.")


def _row(codec: Codec, measure: Callable[[Codec], Cost]) -> dict[str, object]:
    library = codec.library
    missing = library.missing if library else ""
    cost = None if missing else measure(codec)
    return {
        "name": codec.format.name,
        "payload_type": codec.payload_type,
        "sample_rate": codec.format.sample_rate,
        "packet_times": list(codec.packet_time.choices),
        "library": library.file if library else None,
        "version": library.version if library else version("switchroom"),
        "licence": codec.licence,
        "offered": not missing,
        "why_not": missing or None,
        "encode_us": round(cost.encode, 2) if cost else None,
        "decode_us": round(cost.decode, 2) if cost else None,
    }


def _shown(row: dict[str, object]) -> dict[str, object]:
    """One row for people: no empty words, and the reason where the figures would stand."""
    return {
        "codec": row["name"],
        "library": row["library"] or "built in",
        "version": row["version"] or "",
        "licence": row["licence"],
        "µs to encode": "" if row["encode_us"] is None else f"{row['encode_us']:.1f}",
        "µs to decode": "" if row["decode_us"] is None else f"{row['decode_us']:.1f}",
        "offered": "yes" if row["offered"] else f"no: {row['why_not']}",
    }
