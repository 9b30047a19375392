"""Logs: one line an event that input cannot forge, limited, cheap, and never in the way of the calls."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from switchroom.switch.config import LogConfig
from switchroom.switch.ops import lines as lines_module
from switchroom.switch.ops.lines import LineWriter
from switchroom.switch.ops.log import Handle, Limiter, Logger, configure, get_logger, text


class Written(io.StringIO):
    """A stream that can be read after its logger."""


@pytest.fixture
def stream() -> Iterator[Written]:
    yield Written()
    structlog.reset_defaults()
    Logger.threshold = 20


def written(handle: Handle, stream: Written) -> list[str]:
    handle.close()
    return stream.getvalue().splitlines()


def test_an_event_is_a_line_for_people(stream: Written) -> None:
    handle = configure(LogConfig(), stream)
    get_logger("switch").info(
        "call.ended", call="01a2", seconds=12.5, why="Busy here", empty="", listen=["a", "b"]
    )
    get_logger("calls").warning("plain")
    first, second = written(handle, stream)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info    call\.ended call=01a2 seconds=12\.5 "
        r"""why="Busy here" empty="" listen="\['a', 'b'\]" room=switch""",
        first,
    )
    assert second.endswith(" warning plain room=calls")


def test_an_event_is_an_object_for_programs(stream: Written) -> None:
    handle = configure(LogConfig(format="json"), stream)
    get_logger("switch").error("call.ended", call="01a2", seconds=12.5, who='a "b"\r\n\x1b', at_all=None)
    (line,) = written(handle, stream)
    found = json.loads(line)
    assert found.pop("at").endswith("Z")
    assert found == {
        "level": "error",
        "event": "call.ended",
        "room": "switch",
        "call": "01a2",
        "seconds": 12.5,
        "who": 'a "b"\r\n\x1b',
        "at_all": None,
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_input_cannot_make_a_line_or_move_the_cursor(stream: Written, form: Any) -> None:
    handle = configure(LogConfig(format=form), stream)
    evil = 'a" level=error\r\n2026-01-01 x\x1b[2J\x00\x7f\x85\x9b\u2028\u202e\U000e0001'
    get_logger("x").info("bad-message", reason=evil)
    (line,) = written(handle, stream)
    assert line.isprintable()
    assert "level=error\r" not in line


@given(st.text())
def test_any_text_is_printable_in_a_line(given: str) -> None:
    assert text(given).isprintable()
    assert len(text(given).split(" ")) == 1 or text(given)[0] == '"'


class _Word(StrEnum):
    PLAIN = "plain"
    TWO = "two words"


class _Speaker:
    def __str__(self) -> str:
        return _Word.TWO


@pytest.mark.parametrize(
    ("value", "line"),
    [
        *((_Word.PLAIN, "plain"), (_Word.TWO, '"two words"'), (_Speaker(), '"two words"')),
        *((7, "7"), (None, "None"), ("", '""'), ("a=b", '"a=b"'), ('"', '"\\""'), ("~!", "~!")),
    ],
)
def test_a_value_of_any_class_is_a_string(value: object, line: str) -> None:
    assert text(value) == line
    assert type(text(value)) is str


def test_a_long_value_is_cut() -> None:
    assert len(text("x" * 100_000)) < 10_000


def test_levels_and_a_reload(stream: Written) -> None:
    handle = configure(LogConfig(level="warning"), stream)
    log = get_logger("x")

    def say(number: int) -> None:
        log.debug("debug", n=number)
        log.info("info", n=number)
        log.warning("warning", n=number)
        log.error("error", n=number)

    say(1)
    assert not log.is_debug
    handle.apply(LogConfig(level="debug"))
    assert log.is_debug
    say(2)
    handle.apply(LogConfig(level="error", format="json"))
    say(3)
    found = written(handle, stream)
    assert [line.split()[2] for line in found[:-1]] == [
        "warning",
        "error",
        "debug",
        "info",
        "warning",
        "error",
    ]
    assert json.loads(found[-1])["event"] == "error"


def test_an_exception_is_one_line_too(stream: Written) -> None:
    handle = configure(LogConfig(), stream)
    try:
        raise ValueError("what\nwas it")
    except ValueError:
        get_logger("x").exception("failed", call="01a2")
    (line,) = written(handle, stream)
    assert " error   failed call=01a2 exception=" in line
    assert r"ValueError: what\nwas it" in line


def test_a_flood_of_one_event_leaves_room_for_the_others() -> None:
    now = 100.0
    limiter = Limiter(5, lambda: now)

    def passes(event: str, method: str = "info") -> dict[str, Any] | None:
        try:
            return dict(limiter(None, method, {"event": event}))
        except structlog.DropEvent:
            return None

    assert not limiter.keeps_back("noise")
    assert sum(passes("noise") is not None for _ in range(900)) == 5
    assert all(limiter.keeps_back("noise") for _ in range(100))  # counted like the others
    assert not limiter.keeps_back("other")
    assert passes("other") == {"event": "other"}
    assert all(passes("noise", "debug") for _ in range(100))  # whoever asks for debug wants it all
    now = 101.0
    assert not limiter.keeps_back("noise")
    assert passes("noise") == {"event": "noise", "kept_back": 995}
    assert passes("noise") == {"event": "noise"}


def test_a_hundred_thousand_bad_messages_are_a_small_log(stream: Written) -> None:
    """THREATS B12: less than 10 MB."""
    handle = configure(LogConfig(), stream)
    log = get_logger("net")
    for _ in range(100_000):
        log.warning("message-refused", source="192.0.2.7", reason="x" * 60_000)
    handle.close()
    assert 0 < len(stream.getvalue()) < 10_000_000


def test_a_reader_that_does_not_read_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "_MAX_WAITING", 100)
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w") as stream:
        writer = LineWriter(stream)
        began = time.monotonic()
        for _ in range(2000):
            writer.write("x" * 1000)
        assert time.monotonic() - began < 1.0
        assert writer.dropped_count > 0
        with os.fdopen(read_end, "rb") as reader:
            os.set_blocking(read_end, False)
            writer.close(0.05)
            taken = b""
            for _ in range(400):
                taken += reader.read(65536) or b""
                writer.close(0.01)
        assert b"lines were dropped here" in taken


def test_a_reader_that_is_gone_stops_nobody() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    stream = os.fdopen(write_end, "w")
    writer = LineWriter(stream)
    for _ in range(10):
        writer.write("x" * 100_000)
    writer.close()
    assert writer.dropped_count > 0
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def test_a_line_is_cheap(stream: Written) -> None:
    """At most 10 us when it is written, nearly nothing when not; the bounds leave room for a busy machine."""
    handle = configure(LogConfig(max_rate=100_000), stream)
    log = get_logger("switch")

    def cost(say: Any) -> float:
        best = 1.0
        for _ in range(5):
            began = time.thread_time()
            for _ in range(1000):
                say("call.ended", call="01a20998-a530-762e", caller="1001", callee="1002", cause=200)
            best = min(best, (time.thread_time() - began) / 1000)
        return best

    assert cost(log.info) < 15e-6
    assert cost(log.debug) < 2e-6
    handle.close()
