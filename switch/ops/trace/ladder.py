"""A call's messages as a ladder: a column for the switch and for each place that it talks with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from switchroom.protocols import sip
from switchroom.protocols.errors import ProtocolError

_TIME = 13  # characters of "12:00:00.123 "
_NARROWEST = 17  # characters of a column that can say "200 OK INVITE"
_SWITCH = "switch"

Message = dict[str, Any]


class Ladder:
    """Draws line by line, so that it can follow a call; a new place gets a column, and a new headline."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._places: list[str] = []  # the switch is drawn after the first

    def draw(self, messages: Sequence[Message]) -> Iterator[str]:
        """The lines for these messages."""
        places = list(self._places)
        for message in messages:
            place = _place(message)
            if place not in places:
                places.append(place)
        if places != self._places:
            if self._places:
                yield ""
            self._places = places
            yield from self._headline()
        for message in messages:
            yield self._rung(message)

    @property
    def _columns(self) -> list[str]:
        return [*self._places[:1], _SWITCH, *self._places[1:]]

    @property
    def _gap(self) -> int:
        """Characters from one column to the next; less than the narrowest: there is no room for columns."""
        return (self._width - _TIME - 4) // max(len(self._columns) - 1, 1)

    def _headline(self) -> Iterator[str]:
        columns = self._columns
        if self._gap < _NARROWEST:
            return
        names = [_SWITCH if column is _SWITCH else _letter(self._places.index(column)) for column in columns]
        for place in self._places:
            yield f"{_letter(self._places.index(place))} = {place}"
        gap = min(self._gap, 40)
        cells = "".join(name.ljust(gap) for name in names)
        yield (" " * (_TIME + 1) + cells).rstrip()

    def _rung(self, message: Message) -> str:
        when = datetime.fromtimestamp(message["time"]).strftime("%H:%M:%S.%f")[:12]
        text = describe(message["message"])
        is_out = message["direction"] == "out"
        place = _place(message)
        if self._gap < _NARROWEST:
            ends = (_SWITCH, place) if is_out else (place, _SWITCH)
            return f"{when} {ends[0]} > {ends[1]}: {text}"
        columns, gap = self._columns, min(self._gap, 40)
        here, there = columns.index(_SWITCH), columns.index(place)
        left, right = sorted((here, there))
        is_rightward = (here < there) == is_out
        line = [*(("|" + " " * (gap - 1)) * (len(columns) - 1) + "|")]
        room = (right - left) * gap - 1
        shown = text if len(text) <= room - 3 else text[: room - 4] + "…"
        arrow = shown.center(room - 2, "-")
        line[left * gap + 1 : right * gap] = f"-{arrow}>" if is_rightward else f"<{arrow}-"
        return f"{when}  {''.join(line)}"


def describe(text: str) -> str:
    """One message in a few words: method or status, and whether a session is described."""
    try:
        message = sip.parse(text.encode("utf-8", "surrogateescape"))
        method = message.cseq.method
        body = _body(message)
    except (ProtocolError, ValueError):
        first = text.split("\r\n", 1)[0]
        return "".join(c if c.isprintable() else "·" for c in first[:60])
    what = (
        message.method
        if isinstance(message, sip.Request)
        else f"{message.status} {message.reason} ({method})"
    )
    return "".join(c if c.isprintable() else "·" for c in what + body)


def _body(message: sip.Message) -> str:
    if not message.body:
        return ""
    if (message.content_type or "").startswith("application/sdp"):
        for name in (b"a=inactive", b"a=sendonly", b"a=recvonly"):
            if b"\n" + name in message.body:
                return f" SDP {name[2:].decode()}"
        return " SDP"
    return f" {(message.content_type or '').rpartition('/')[2]}"


def _place(message: Message) -> str:
    return f"{message['transport'].lower()}:{message['remote']}"


def _letter(index: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index] if index < 26 else str(index)
