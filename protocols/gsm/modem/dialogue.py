"""The dialogue with a modem: one command at a time, and what it says unasked (ITU-T V.250, 3GPP TS 27.005).

Modems write unsolicited lines whenever they like: between a command and its answer, before the prompt of
AT+CMGS, into the echo. A line is taken for what it is by its beginning; pieces of what was torn apart are put
together again.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from .lines import PROMPT, LineReader
from .results import Result, ResultKind, parse_final

__all__ = ["Command", "Completed", "Dialogue", "Unsolicited"]

MAX_LINES = 4096  # of one answer
_END_TIMEOUT = 1.0  # seconds for the OK behind a line that some modems leave it at
END, CANCEL = "\x1a", "\x1b"

_UNSOLICITED = re.compile(
    r"[+^*%&$#][A-Z0-9_ ]+:|\^[A-Z]+$|RING\b|RDY$|Call Ready|SMS Ready|NORMAL POWER|UNDER-V|OVER-V|DST:"
    r"|NO CARRIER|BUSY$|NO ANSWER"
)
_WITH_BODY = ("+CMT:", "+CDS:", "+CBM:")  # in PDU mode the PDU is the next line


@dataclass(frozen=True, slots=True)
class Command:
    """What is asked of the modem; ``body`` is written behind the prompt."""

    text: str
    expects: str = ""  # a pattern of the lines that belong to the answer; the command's own name goes without
    has_plain_answer: bool = False  # any other line belongs to it as well
    may_lack_end: bool = False  # some modems write a line and no OK
    timeout: float = 10.0
    body: str | None = None

    @property
    def pattern(self) -> re.Pattern[str]:
        """Of the lines that are the answer."""
        name = re.match(r"AT([+^*%&$#][A-Z0-9]+)", self.text)
        alternatives = [self.expects] if self.expects else []
        if name is not None and not self.expects:
            alternatives.append(re.escape(name[1]) + ":")
        return re.compile("|".join(alternatives) or r"(?!)")


@dataclass(frozen=True, slots=True)
class Completed:
    """A command ended."""

    command: Command
    result: Result
    context: Any = None


@dataclass(frozen=True, slots=True)
class Unsolicited:
    """A line that nobody asked for, with the one behind it where two belong together."""

    line: str
    body: str | None = None


class Dialogue:
    """Commands one after the other, each with a time-out."""

    def __init__(self) -> None:
        self.is_pdu_mode = True
        self._reader = LineReader()
        self._queue: deque[tuple[Command, Any]] = deque()
        self._events: deque[Completed | Unsolicited] = deque()
        self._to_send = bytearray()
        self._context: Any = None
        self._headline: str | None = None  # of an unsolicited result whose body is to come
        self._begin(None)

    # -- the five verbs

    def receive_data(self, data: bytes, now: float) -> None:
        """The modem speaks."""
        for line in self._reader.receive_data(data):
            self._on_line(line, now)

    def data_to_send(self) -> bytes:
        """What to write to it."""
        data = bytes(self._to_send)
        self._to_send.clear()
        return data

    def next_event(self) -> Completed | Unsolicited | None:
        """The next news, or None."""
        return self._events.popleft() if self._events else None

    def next_timer(self) -> float | None:
        """When the command that is on its way has waited long enough."""
        return self._give_up_at if self._command is not None else None

    def handle_timer(self, now: float) -> None:
        """End a command that got no answer; a text that waits for its end is called off."""
        if self._command is None or now < self._give_up_at:
            return
        if self._command.may_lack_end and self._lines:
            self._finish(Result(ResultKind.OK), now)
            return
        if self._command.body is not None:
            self._to_send += CANCEL.encode()
        self._finish(Result(ResultKind.TIMEOUT, has_begun=self._has_begun), now)

    # -- asking

    def send_command(self, command: Command, now: float, context: Any = None) -> None:
        """Ask, when what was asked before is answered."""
        self._queue.append((command, context))
        if self._command is None:
            self._next(now)

    def send_escape(self) -> None:
        """Call off a text that the modem may be waiting for; it does no harm otherwise."""
        self._to_send += CANCEL.encode() + b"\r"

    def reset(self) -> None:
        """The connection is another one: forget everything; what was asked ends without an answer."""
        if self._command is not None:
            lost = Result(ResultKind.LOST, has_begun=self._has_begun)
            self._events.append(Completed(self._command, lost, self._context))
        for command, context in self._queue:
            self._events.append(Completed(command, Result(ResultKind.LOST, has_begun=False), context))
        self._queue.clear()
        self._to_send.clear()
        self._reader.clear()
        self._headline = None
        self._begin(None)

    @property
    def _has_begun(self) -> bool:
        """Whether the modem may have done what was asked."""
        return self._command is not None and (self._command.body is None or self._is_body_sent)

    def _begin(self, command: Command | None) -> None:
        self._command = command
        self._pattern = re.compile(r"(?!)") if command is None else command.pattern
        self._lines: list[str] = []
        self._fragments: list[str] = []
        self._is_torn = False  # an unsolicited line came right behind the last one of the answer
        self._is_body_sent = False
        self._give_up_at = 0.0
        self._reader.wants_prompt = command is not None and command.body is not None

    def _next(self, now: float) -> None:
        if not self._queue:
            self._begin(None)
            return
        command, self._context = self._queue.popleft()
        self._begin(command)
        self._give_up_at = now + command.timeout
        self._to_send += command.text.encode("latin-1", "replace") + b"\r"

    def _finish(self, result: Result, now: float) -> None:
        assert self._command is not None
        result = replace(result, lines=tuple(self._lines))
        self._events.append(Completed(self._command, result, self._context))
        self._next(now)

    # -- hearing

    def _on_line(self, line: str, now: float) -> None:
        command = self._command
        if self._headline is not None and line != PROMPT:
            self._on_body(line, now)
        elif command is None:
            self._on_unsolicited(line)
        elif line == PROMPT:
            self._on_prompt(command)
        elif self._is_echo(line, command):
            return
        elif (result := parse_final(line)) is not None:
            self._finish(result, now)
        elif self._pattern.match(line):
            self._take(line)
            if command.may_lack_end:
                self._give_up_at = min(self._give_up_at, now + _END_TIMEOUT)
        elif _UNSOLICITED.match(line):
            self._is_torn = bool(self._lines)
            self._on_unsolicited(line)
        elif command.has_plain_answer:
            self._take(line)
        else:
            self._on_fragment(line, now)

    def _take(self, line: str) -> None:
        self._is_torn = False
        if len(self._lines) < MAX_LINES:
            self._lines.append(line)

    def _on_body(self, line: str, now: float) -> None:
        """The line behind +CMT and its like. If it is none, the headline stands alone."""
        headline, self._headline = self._headline, None
        assert headline is not None
        if self.is_pdu_mode and not _is_hexadecimal(line):
            self._events.append(Unsolicited(headline))
            self._on_line(line, now)
        else:
            self._events.append(Unsolicited(headline, line))

    def _on_prompt(self, command: Command) -> None:
        if command.body is not None and not self._is_body_sent:
            self._is_body_sent = True
            self._reader.wants_prompt = False
            self._to_send += (command.body + END).encode("latin-1", "replace")

    def _is_echo(self, line: str, command: Command) -> bool:
        written = line.lstrip("> ").removesuffix(END)
        return written == command.text or (self._is_body_sent and written == command.body)

    def _on_unsolicited(self, line: str) -> None:
        if line.startswith(_WITH_BODY) and (self.is_pdu_mode or not line.startswith("+CDS:")):
            self._headline = line
        elif parse_final(line) is None:  # the late end of a command is none of ours
            self._events.append(Unsolicited(line))

    def _on_fragment(self, line: str, now: float) -> None:
        """What is nothing by itself may be the rest of what an unsolicited line tore apart."""
        if self._is_torn and not self._fragments and line[0] in '0123456789,"':
            self._is_torn = False
            self._lines[-1] += line
            return
        self._fragments.append(line)
        if len(self._fragments) > 8:
            del self._fragments[0]
        for start in range(len(self._fragments) - 1):
            whole = "".join(self._fragments[start:])
            result = parse_final(whole)
            if result is None and not self._pattern.match(whole):
                continue
            self._fragments.clear()
            if result is not None:
                self._finish(result, now)
            else:
                self._take(whole)
            return


def _is_hexadecimal(line: str) -> bool:
    return all(c in "0123456789ABCDEFabcdef" for c in line)
