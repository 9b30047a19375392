"""Every codec under random and mutated payloads, built with the sanitizers; THREATS A9, G14.

`make sanitize` runs the same for as long as one likes (SECONDS for each codec).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from switchroom import codecs

ROOT = Path(__file__).parents[2]
SECONDS = float(os.environ.get("SWITCHROOM_FUZZ_SECONDS", "0.25"))
OURS = {"pcmu", "pcma", "g722", "g726", "gsm", "l16"}
FLAGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{ROOT}"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    program = tmp_path_factory.mktemp("fuzz") / "fuzz"
    sources = [Path(__file__).with_name("fuzz_core.c"), *sorted((ROOT / "codecs" / "native").glob("*.c"))]
    command = ["gcc", *FLAGS, *SANITIZERS, *map(str, sources), "-lm", "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip("gcc's sanitizer libraries are not installed")
    assert built.returncode == 0, built.stderr
    return program


def test_no_payload_does_harm(fuzz: Path) -> None:
    seed = str(int.from_bytes(os.urandom(4), "big"))
    command = [str(fuzz), str(SECONDS), seed]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"seed {seed}: {ran.stderr}"
    assert ran.stderr == "", f"seed {seed}: a library complains"  # a line for each packet, in a log
    rounds = {name: int(count) for name, count in (line.split() for line in ran.stdout.splitlines())}
    there = {codec.native for codec in codecs.CODECS.values() if codec.is_offered}
    assert rounds.keys() == there >= OURS
    assert all(count > 3 for count in rounds.values())
