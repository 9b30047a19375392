"""Libraries that are missing or are not what their name says; and the example of docs/codecs.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOOK = """
import json
from switchroom import codecs
said = {}
for name in ("opus", "speex", "AMR-WB", "PCMU", "G722"):
    codec = codecs.find(name)
    try:
        codec.encoder()
    except codecs.CodecError as error:
        said[name] = str(error)
    else:
        said[name] = "works"
print(json.dumps(said))
"""


def look(folder: Path) -> dict[str, str]:
    """What a process says of its codecs that finds these files before the system's."""
    result = subprocess.run(
        [sys.executable, "-c", LOOK],
        env={**os.environ, "LD_LIBRARY_PATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(result.stdout))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_a_library_that_is_not_what_it_should_be_is_told_of_and_not_used(tmp_path: Path) -> None:
    (tmp_path / "libspeex.so.1").write_bytes(b"no library at all")
    command = ["gcc", "-shared", "-x", "c", "/dev/null", "-o"]
    for name in ("libopus.so.0", "libvo-amrwbenc.so.0"):
        subprocess.run([*command, str(tmp_path / name)], check=True)
    said = look(tmp_path)
    assert (
        said["opus"] == "opus: libopus.so.0 has no opus_get_version_string: not a version that is known here"
    )
    assert said["speex"].startswith("speex: ")
    assert said["speex"].endswith("(Debian: libspeex1)")
    assert "libopencore-amrwb" in said["AMR-WB"] or "libvo-amrwbenc.so.0 has no E_IF_init" in said["AMR-WB"]
    assert said["PCMU"] == said["G722"] == "works"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_documented_codec_is_one(tmp_path: Path) -> None:
    """What docs/codecs.md shows is compiled with the others and stands every test of the fuzzer."""
    found = re.search(r"```c\n(.*?)```", (ROOT / "docs" / "codecs.md").read_text(), re.DOTALL)
    assert found is not None
    (tmp_path / "l8.c").write_text(found[1])
    native = ROOT / "codecs" / "native"
    sources = [tmp_path / "l8.c", native / "register.c", Path(__file__).with_name("fuzz_core.c")]
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}", f"-I{native}"]
    subprocess.run(["gcc", *flags, *map(str, sources), "-o", str(tmp_path / "l8")], check=True)
    ran = subprocess.run([str(tmp_path / "l8"), "0.05", "1"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"l8 \d+\n", ran.stdout)
