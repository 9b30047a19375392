"""The command line without a running switch: what it says, and how it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from switchroom.switch.config import write_default
from switchroom.switch.ops.cli import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    shown = capsys.readouterr().out
    for command in (
        "serve",
        "check",
        "status",
        "registrations",
        "trunks",
        "calls",
        "hangup",
        "reload",
        "phone",
        "texts",
        "subscriptions",
        "mailbox",
        "codecs",
        "modems",
        "modem-simulator",
        "version",
    ):
        assert f"\n  {command} " in shown
    assert "config-doc" not in shown
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "..." not in shown.replace("[ARGS]...", "")  # no sentence is cut
    assert run() == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize(
    "command",
    ["serve", "check", "status", "registrations", "calls", "hangup", "reload", "phone", "codecs", "version"],
)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    shown = capsys.readouterr().out
    assert f"Usage: switchroom {command}" in shown
    assert ("--json" in shown) == (command != "serve")


def test_python_m_is_the_command() -> None:
    for command in (
        [sys.executable, "-m", "switchroom.switch"],
        [str(Path(sys.executable).parent / "switchroom")],
    ):
        result = subprocess.run([*command, "version"], capture_output=True, text=True, timeout=30, check=True)
        assert result.stdout == f"switchroom {version('switchroom')}\n"


def test_the_version_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("version", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"version": version("switchroom")}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["xx"], "No such command 'xx'"),
        (["check", "--foo"], "No such option: --foo"),
        (["hangup"], "Missing argument 'CALL'"),
        (["check"], "switchroom.toml: no such file or directory"),
        (["check", "-c", "a.toml"], "a.toml: no such file or directory"),
        (["serve", "-c", "a.toml"], "a.toml: no such file or directory"),
        (["status", "-c", "a.toml"], "a.toml: no such file or directory"),
        (["status"], "no switch is running: nobody listens at"),
        (["calls", "--json"], "no switch is running: nobody listens at"),
        (["serve", "--set", "sip.t1=0"], "switchroom.toml: sip.t1: 0: must be greater than 0"),
        (["serve", "--set", "x"], "--set x: must be key=value, such as sip.t1=0.5"),
        (["phone", "--call", "1001", "--answer"], "--call and --answer exclude each other"),
    ],
)
def test_a_fault_is_one_line_and_status_2(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("switchroom: ")
    assert expected in shown.err
    assert shown.err.count("\n") == 1


def test_a_first_configuration_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir("/proc")
    assert run("serve") == 2
    assert capsys.readouterr().err.startswith("switchroom: switchroom.toml: cannot be written: ")


def test_check_says_that_all_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    write_default("switchroom.toml")
    assert run("check") == 0
    assert capsys.readouterr().out == "switchroom.toml: good; users: 2, routes: 1, trunks: 0, sms_routes: 1\n"
    assert run("check", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"file": "switchroom.toml", "is_good": True, "advice": []}


def test_check_gives_advice(capsys: pytest.CaptureFixture[str]) -> None:
    write_default("switchroom.toml")
    os.chmod("switchroom.toml", 0o644)
    assert run("check", "--set", "users.0.password=1234") == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[1] == "advice: switchroom.toml: others can read the passwords in it; chmod 600 switchroom.toml"
    )
    assert lines[2].startswith("advice: users.0.password: easy to guess")
    assert "1234" not in "".join(lines)


def test_check_tells_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.toml").write_text("[sip]\nt1 = 0\n[log]\nlevel = 'x'\n")
    assert run("check", "-c", "bad.toml") == 2
    assert capsys.readouterr().err.splitlines() == [
        "switchroom: bad.toml: sip.t1: 0: must be greater than 0",
        "bad.toml: log.level: x: must be 'debug', 'info', 'warning' or 'error'",
    ]
    assert run("check", "-c", "bad.toml", "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert found["is_good"] is False
    assert len(found["faults"]) == 2


def test_a_reader_that_goes_away_is_no_fault() -> None:
    command = f"{sys.executable} -m switchroom.switch config-doc | true"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert "Traceback" not in result.stderr
