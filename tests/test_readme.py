"""Runs what README shows, so that a newcomer's first lines work."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import signal
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from switchroom.codecs import Samples
from switchroom.codecs.files import read_wav
from switchroom.switch.config import write_default
from switchroom.switch.ops.cli import main

from .codecs.sounds import tone
from .peers.ports import free_port
from .switch.calls.script.handset import pitches

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
IN_CALLS = [program for program in PROGRAMS if "on_call" in program]  # they run until somebody ends them
PROGRAMS = [program for program in PROGRAMS if program not in IN_CALLS]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the configuration of a first start, on ports that the system picks."""
    path = tmp_path / "switchroom.toml"
    write_default(path)
    text = path.read_text().replace("0.0.0.0:5060", "127.0.0.1:0")
    for port in ("8080", "8081"):
        text = text.replace(f"127.0.0.1:{port}", "127.0.0.1:0")
    path.write_text(text.replace("30000-39999", "42000-42999"))
    return tmp_path


def run(program: list[str], folder: Path) -> str:
    result = subprocess.run(
        [sys.executable, *program], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize("program", PROGRAMS, ids=[f"program{n}" for n in range(len(PROGRAMS))])
def test_a_program_of_the_readme_runs(program: str, folder: Path) -> None:
    assert run(["-W", "error", "-c", program], folder)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_an_example_runs(example: Path, folder: Path) -> None:
    assert run(["-W", "error", str(example)], folder)


def wav(path: Path, samples: Samples) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


def test_the_program_in_calls_takes_a_message(folder: Path) -> None:
    [program] = IN_CALLS
    assert len([line for line in program.splitlines() if line.strip()]) < 25
    port, path = free_port(), folder / "switchroom.toml"
    path.write_text(path.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}", 1))
    password = re.findall(r'password = "(.*)"', path.read_text())[0]
    wav(folder / "menu.wav", tone(440, 8000, 6.0))
    wav(folder / "said.wav", tone(1200, 8000, 3.0))
    phone = ["phone", f"--server=127.0.0.1:{port}", "--user=1001", f"--password={password}", "--digits=2"]
    phone += ["--call=9000", "--play=said.wav", "--record=heard.wav"]
    command = [sys.executable, "-W", "error", "-c", program]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            assert any("switch.started" in line for line in running.stdout)
            run(["-m", "switchroom.switch", *phone], folder)
            message = next(line for line in running.stdout if line.startswith("A message:"))
        finally:
            running.send_signal(signal.SIGINT)
    heard, rate = read_wav(Path(message.partition(": ")[2].strip()).read_bytes())
    assert pitches(heard, rate) == [1200]
    heard, rate = read_wav((folder / "heard.wav").read_bytes())
    assert pitches(heard, rate)[0] == 440


def test_there_are_programs_to_run() -> None:
    assert PROGRAMS
    assert EXAMPLES
    hello = next(p for p in PROGRAMS if "from switchroom.switch import Switch" in p or "import Switch" in p)
    assert len([line for line in hello.splitlines() if line.strip()]) <= 8


def test_the_first_screen_has_the_two_commands() -> None:
    first_screen = "\n".join(README.splitlines()[:40])
    assert "make serve" in first_screen
    assert "make test" in first_screen


def help_of(*command: str) -> str:
    """What the program says of a command, told within this process: there are many of them."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    return said.getvalue()


def test_the_commands_of_the_readme_exist() -> None:
    for line in re.findall(r"^(?:\$ )?switchroom ([a-z-]+)(.*)$", README, re.M):
        command, options = line[0], shlex.split(line[1], comments=True)
        text = help_of(command)
        if "COMMAND [ARGS]" in text:
            text = help_of(command, options[0])
        for option in options:
            if option.startswith("--"):
                assert option.split("=")[0] in text, f"{command} {option}"


def test_the_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 250
