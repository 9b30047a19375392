"""``switchroom sms explain``: what a text costs, which characters make it dear, and what would be cheaper."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from switchroom.protocols.errors import ProtocolError
from switchroom.protocols.gsm import Explanation, Language
from switchroom.protocols.gsm import explain as explain_text

from .ask import _echo_json, _text
from .fault import FaultError
from .place import JsonOption

__all__ = ["explain"]

_MAX_PLACES = 10


def explain(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text; - reads the standard input.")],
    languages: Annotated[
        list[str] | None,
        typer.Option("--language", metavar="NAME", help="Whose shift tables the receiver knows: turkish, …"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say how a text would be encoded, in how many parts, and why."""
    text = sys.stdin.read() if text == "-" else text
    try:
        found = explain_text(text, [Language[name.upper()] for name in languages or ()])
    except KeyError as error:
        known = ", ".join(language.name.lower() for language in Language if language)
        raise FaultError(f"--language: {str(error.args[0]).lower()}: must be one of {known}") from None
    except ProtocolError as error:
        raise FaultError(f"TEXT: {error}") from None
    if as_json:
        _echo_json(_values(found))
    else:
        for line in _lines(found):
            typer.echo(_text(line))


def _unit(found: Explanation) -> str:
    return "septets" if found.encoding.octets_per_unit == 1 else "characters of 16 bits"


def _lines(found: Explanation) -> list[str]:
    count = len(found.parts)
    lines = [
        f"encoding  {found.encoding.name}",
        f"length    {found.units} {_unit(found)}, room for {found.room_left} more in the last part",
        f"parts     {count}",
    ]
    if count > 1:
        lines += [f"  {n}  {part.units:3}  {part.text}" for n, part in enumerate(found.parts, 1)]
    for forcing in found.forcing:
        places = ", ".join(str(at + 1) for at in forcing.positions[:_MAX_PLACES])
        more = ", …" if len(forcing.positions) > _MAX_PLACES else ""
        lines.append(f"not in the GSM alphabet: {forcing.character} {forcing.name}, at {places}{more}")
    if found.escaped:
        lines.append(f"two septets each: {' '.join(found.escaped)}")
    for other in found.alternatives:
        parts = "1 part" if other.parts == 1 else f"{other.parts} parts"
        lines.append(f"or: {other.name}, {other.units} in {parts}")
        if other.transliteration is not None:
            changes = (f"{old} as {new or 'nothing'}" for old, new, _ in other.transliteration.changes)
            lines.append(f"    {', '.join(changes)}")
    return lines


def _values(found: Explanation) -> dict[str, Any]:
    return {
        "encoding": found.encoding.name,
        "units": found.units,
        "room_left": found.room_left,
        "parts": [{"text": part.text, "units": part.units} for part in found.parts],
        "forcing": [
            {"character": f.character, "name": f.name, "positions": [at + 1 for at in f.positions]}
            for f in found.forcing
        ],
        "escaped": list(found.escaped),
        "alternatives": [
            {
                "name": other.name,
                "units": other.units,
                "parts": other.parts,
                "text": None if other.transliteration is None else other.transliteration.text,
            }
            for other in found.alternatives
        ],
    }
