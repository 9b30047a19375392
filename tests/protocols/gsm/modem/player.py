"""Plays what a modem says: a file of commands and answers, as its kind was seen to give them.

``> AT+…`` is a command that it knows; the lines behind it that begin with ``<`` are the answer, as they are
on the wire. One that comes several times gets the answers in their order, and the last one again and again.
``*`` stands for anything. ``!`` begins a line that it writes unasked, right before the answer to the next
command of the file; ``otherwise`` is the answer to all commands that are not in the file. ``echo``: it
repeats what is written to it, until ATE0.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

_KINDS = Path(__file__).parent / "kinds"


class Player:
    """One modem of a kind."""

    def __init__(self, name: str) -> None:
        self.heard: list[str] = []
        self._answers: dict[str, list[list[str]]] = {}
        self._otherwise = ["ERROR"]
        self._has_echo = False
        self._before: list[str] = []
        self._line = b""
        self._out = b""
        self._is_text = False
        self._read((_KINDS / f"{name}.txt").read_text())

    def _read(self, text: str) -> None:
        unasked: list[str] = []
        answer: list[str] = unasked
        for line in text.splitlines():
            mark, _, rest = line.partition(" ")
            if mark == ">":
                answer = []
                self._answers.setdefault(rest, []).append(answer)
                answer += [f"!{one}" for one in self._before]
                self._before = []
            elif mark == "<":
                answer.append(rest)
            elif mark == "!":
                self._before.append(rest)
            elif mark == "otherwise":
                self._otherwise = [rest]
            elif mark == "echo":
                self._has_echo = True
        if not self._answers:
            raise ValueError("no command")

    def answer(self, command: str, *answers: list[str]) -> None:
        """Answer a command otherwise than its kind does."""
        self._answers[command] = [*answers]

    def say(self, *lines: str) -> None:
        """Something that nobody asked for."""
        for line in lines:
            self._out += f"\r\n{line}\r\n".encode("latin-1")

    def data_to_send(self) -> bytes:
        data, self._out = self._out, b""
        return data

    def receive_data(self, data: bytes) -> None:
        for octet in data:
            one = bytes((octet,))
            if self._has_echo:
                self._out += one
            if self._is_text and one in (b"\x1a", b"\x1b"):
                self._is_text = False
                line, self._line = self._line, b""
                self._answer("PDU" if one == b"\x1a" else "ESC", line.decode("latin-1"))
            elif one == b"\r" and not self._is_text:
                line, self._line = self._line.strip(b"\x1b\n "), b""
                if line:
                    self._answer(line.decode("latin-1"), line.decode("latin-1"))
            else:
                self._line += one

    def _answer(self, command: str, said: str) -> None:
        self.heard.append(said)
        if command.startswith("ATE0"):
            self._has_echo = False
        known = command if command in self._answers else None
        if known is None:
            known = next((name for name in self._answers if fnmatchcase(command, _literal(name))), None)
        answers = self._answers.get(known or "", [self._otherwise])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        for line in answer:
            if line == "PROMPT":
                self._is_text = True
                self._out += b"\r\n> "
            else:
                self.say(line.removeprefix("!"))


def _literal(pattern: str) -> str:
    """Only the star is special."""
    return pattern.replace("[", "[[]").replace("?", "[?]")
