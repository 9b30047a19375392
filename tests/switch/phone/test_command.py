"""``switchroom phone``: what it prints, what it answers with, and what it does not take."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from typer.exceptions import TyperException

from switchroom.switch.phone.command import main
from switchroom.switch.phone.wav import WavWriter, read_wav

from .sounds import share_of, tone

_PROGRAM = "import sys; from switchroom.switch.phone.command import main; sys.exit(main(sys.argv[1:]))"


class Process:
    """One run of the command; lines come as they are printed."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told: list[dict[str, Any]] = []

    def wait_for(self, name: str) -> dict[str, Any]:
        """The next event of that name."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            self.told.append(event)
            if event["event"] == name:
                return event
        raise AssertionError(f"no {name}: {self.told}, {self.finish()}")

    def finish(self) -> tuple[int, str]:
        """Exit status and what it complained of."""
        out, err = self.process.communicate(timeout=15)
        self.told += [json.loads(line) for line in out.splitlines()]
        return self.process.returncode, err

    def kill(self) -> None:
        """End it, if it is still there."""
        with self.process:
            self.process.kill()

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.told]


Run: TypeAlias = Callable[..., Process]


@pytest.fixture
def run() -> Iterator[Run]:
    started: list[Process] = []

    def start(*arguments: str) -> Process:
        started.append(Process(*arguments))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def address_of(process: Process) -> str:
    found = re.fullmatch(r"(udp|tcp):([0-9.]+:[0-9]+)", process.wait_for("listening")["address"])
    assert found is not None
    return found[2]


def wav(path: Path, hertz: float, seconds: float = 0.6) -> Path:
    writer = WavWriter(path)
    writer.write(tone(hertz, seconds))
    writer.close()
    return path


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_two_runs_call_each_other(run: Run, tmp_path: Path, transport: str) -> None:
    heard_a, heard_b = tmp_path / "a.wav", tmp_path / "b.wav"
    common = ("--listen", "127.0.0.1:0", "--transport", transport)
    b = run(
        *("--answer", "--wait", "10", "--duration", "10", "--record", str(heard_b)),
        *("--play", str(wav(tmp_path / "high.wav", 1500)), *common),
    )
    a = run(
        *("--call", f"bob@{address_of(b)}", "--record", str(heard_a), "--digits", "42#"),
        *("--play", str(wav(tmp_path / "low.wav", 400)), *common),
    )
    assert a.finish() == (0, "")
    assert b.finish() == (0, "")
    assert a.names == ["listening", "calling", "ringing", "answered", "sent", "ended", "media"]
    assert [event["digit"] for event in b.told if event["event"] == "digit"] == ["4", "2", "#"]
    assert share_of(read_wav(heard_a)[:3200], 1500) > 0.9
    assert share_of(read_wav(heard_b)[:3200], 400) > 0.9
    media = next(event for event in b.told if event["event"] == "media")
    assert media["packets_received"] > 30
    assert media["malformed"] == media["foreign"] == 0


def test_an_interrupt_hangs_up(run: Run) -> None:
    b = run("--answer", "--listen", "127.0.0.1:0", "--wait", "10")
    a = run("--call", f"sip:bob@{address_of(b)}", "--listen", "127.0.0.1:0")
    a.wait_for("answered")
    a.process.send_signal(signal.SIGINT)
    assert a.finish() == (0, "")
    assert b.finish() == (0, "")
    assert b.told[-2]["by"] == "remote"


def test_an_interrupt_before_the_answer_is_a_failure(run: Run) -> None:
    a = run("--answer", "--listen", "127.0.0.1:0")
    address_of(a)
    a.process.send_signal(signal.SIGTERM)
    assert a.finish() == (1, "switchroom phone: interrupted\n")


def test_hold_and_resume(run: Run) -> None:
    b = run("--answer", "--listen", "127.0.0.1:0", "--wait", "10")
    a = run("--call", f"sip:bob@{address_of(b)}", "--listen", "127.0.0.1:0", "--hold", "0.1:0.2")
    assert a.finish() == (0, "")
    assert b.finish() == (0, "")
    assert [(event["event"], event["by"]) for event in b.told if "by" in event] == [
        ("held", "remote"),
        ("resumed", "remote"),
        ("ended", "remote"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--answer", "--wait", "0.1"), "no call within 0.1 s"),
        (("--call", "x@127.0.0.1:9", "--transport", "tcp"), "503 Service Unavailable (transport)"),
        (
            ("--call", "x@127.0.0.1:9", "--record", "/no/where.wav"),
            "/no/where.wav: No such file or directory",
        ),
        (("--call", "1002"), "1002 is no SIP address, and there is no server to ask"),
        (("--call", "x@[::1]:9"), "::1 cannot be reached from 127.0.0.1:0"),
        (("--server", "[::1]"), "::1 cannot be reached from 127.0.0.1:0"),
    ],
)
def test_a_failure_is_one_line_and_status_one(run: Run, arguments: tuple[str, ...], said: str) -> None:
    assert run(*arguments, "--listen", "127.0.0.1:0").finish() == (1, f"switchroom phone: {said}\n")


def test_nobody_answers(run: Run) -> None:
    """After --wait the call is cancelled, which the other end confirms with 487."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(10)
        target = "sip:x@{}:{}".format(*silent.getsockname())
        process = run("--call", target, "--listen", "127.0.0.1:0", "--wait", "0.2")
        invite, remote = silent.recvfrom(4096)
        head = invite.partition(b"\r\n\r\n")[0].split(b"\r\n")
        same = [line for line in head if line.startswith((b"Via", b"From", b"Call-ID", b"CSeq"))]
        to = next(line for line in head if line.startswith(b"To:")) + b";tag=x"

        def answer(status: bytes) -> None:
            lines = [b"SIP/2.0 " + status, *same, to, b"Content-Length: 0", b"", b""]
            silent.sendto(b"\r\n".join(lines), remote)

        answer(b"180 Ringing")
        while not silent.recv(4096).startswith(b"CANCEL "):
            pass  # the INVITE again: it may have crossed the 180
        answer(b"487 Request Terminated")
        assert process.finish() == (1, "switchroom phone: not answered within 0.2 s\n")


def test_a_busy_phone(run: Run) -> None:
    b = run("--answer", "--listen", "127.0.0.1:0", "--wait", "10")
    address = address_of(b)
    first = run("--call", f"x@{address}", "--listen", "127.0.0.1:0")
    first.wait_for("answered")
    busy = run("--call", f"x@{address}", "--listen", "127.0.0.1:0")
    assert busy.finish() == (1, "switchroom phone: 486 Busy Here\n")
    first.process.send_signal(signal.SIGINT)
    assert first.finish() == (0, "")
    assert b.finish() == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to do"),
        (("--call", "1", "--answer"), "exclude"),
        (("--answer", "--register"), "--register needs --server"),
        (("--answer", "--user", "a b"), "--user a b"),
        (("--answer", "--server", "host:99999"), "--server host:99999"),
        (("--answer", "--server", ":5060"), "--server :5060"),
        (("--answer", "--listen", "5060"), "--listen 5060"),
        (("--answer", "--listen", "localhost:5060"), "no IP address"),
        (("--answer", "--digits", "1x"), "--digits 1x"),
        (("--answer", "--hold", "1"), "--hold 1"),
        (("--answer", "--hold", "-1:2"), "--hold -1:2"),
        (("--answer", "--play", "/no/where.wav"), "No such file"),
        (("--call", "sip:a b"), "--call sip:a b"),
        (("--answer", "--duration", "-1"), "--duration"),
        (("--bogus",), "--bogus"),
        (("--transport", "sctp"), "sctp"),
    ],
)
def test_wrong_usage_is_told(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(TyperException) as caught:
        main(list(arguments))
    assert said in caught.value.format_message()
    assert caught.value.exit_code == 2


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "--record" in capsys.readouterr().out
