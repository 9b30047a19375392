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

import numpy as np
import pytest

from switchroom.codecs import Samples
from switchroom.codecs.files import read_wav
from switchroom.switch.config import write_default
from switchroom.switch.ops.cli import main

from .codecs.sounds import tone, voice
from .peers.phone import Phone
from .peers.ports import free_port
from .switch.calls.script.handset import pitches

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
LASTING = [program for program in PROGRAMS if "@switch." in program]  # they run until somebody ends them
PROGRAMS = [program for program in PROGRAMS if program not in LASTING]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the configuration of a first start, on ports that the system picks."""
    path = tmp_path / "switchroom.toml"
    write_default(path)
    text = path.read_text().replace("0.0.0.0:5060", "127.0.0.1:0")
    for port in ("8080", "8081", "8082"):
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


class Running:
    """A program of the README that has a switch, and the phone that comes with it."""

    def __init__(self, folder: Path, has: str) -> None:
        [program] = [program for program in LASTING if has in program]
        assert len([line for line in program.splitlines() if line.strip()]) < 25
        path = folder / "switchroom.toml"
        self.port, self.folder = free_port(), folder
        path.write_text(path.read_text().replace("127.0.0.1:0", f"127.0.0.1:{self.port}", 1))
        self.password = re.findall(r'password = "(.*)"', path.read_text())[0]
        command = [sys.executable, "-W", "error", "-c", program]
        self._process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.lines = self._process.stdout

    def __enter__(self) -> Running:
        assert any("switch.started" in line for line in self.lines)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(15)
        self.lines.close()

    def call(self, number: str, *more: str) -> tuple[Samples, int]:
        """Call a number, say said.wav; what was heard."""
        phone = ["phone", f"--server=127.0.0.1:{self.port}", "--user=1001", f"--password={self.password}"]
        phone += [f"--call={number}", "--play=said.wav", "--record=heard.wav", *more]
        run(["-m", "switchroom.switch", *phone], self.folder)
        return read_wav((self.folder / "heard.wav").read_bytes())


def test_the_menu_takes_a_message(folder: Path) -> None:
    wav(folder / "menu.wav", tone(440, 8000, 6.0))
    wav(folder / "said.wav", tone(1200, 8000, 3.0))
    with Running(folder, "gather") as running:
        heard, rate = running.call("9000", "--digits=2")
        message = next(line for line in running.lines if line.startswith("A message:"))
    assert pitches(heard, rate)[0] == 440
    heard, rate = read_wav(Path(message.partition(": ")[2].strip()).read_bytes())
    assert pitches(heard, rate) == [1200]


def test_texts_come_back(folder: Path) -> None:
    with (
        Running(folder, "on_message") as running,
        Phone(("127.0.0.1", running.port), "1001", running.password) as phone,
    ):
        assert phone.register().status == 200
        headers = [("Content-Type", "text/plain")]
        phone.ask("MESSAGE", "sip:9001@127.0.0.1", headers=headers, body=b"Hello")
        assert phone.expect("MESSAGE", 10).body == b"You said: Hello"


def test_the_assistant_says_what_it_has_thought_of(folder: Path) -> None:
    silence = np.zeros(4000, np.int16)
    wav(folder / "said.wav", np.concatenate([silence, voice(seconds=1.0), *[silence] * 5]))
    with Running(folder, "stream") as running:
        heard, rate = running.call("9002")
    parts = np.abs(heard[: len(heard) // 160 * 160].astype(float)).reshape(-1, 160).max(axis=1) > 1000
    assert not parts[: rate // 160].any()  # nothing but what the caller said comes, when he has said it
    assert 0.4 < parts.sum() / 50 < 1.3


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
