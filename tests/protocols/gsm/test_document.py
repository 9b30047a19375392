"""The programs of docs/gsm.md run, and say what stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "gsm.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)


@pytest.mark.parametrize("program", PROGRAMS, ids=[f"program{n}" for n in range(len(PROGRAMS))])
def test_a_program_runs(program: str) -> None:
    exec(compile(program, str(PAGE), "exec"), {})
