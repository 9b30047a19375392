"""Test vectors of ITU-T G.191, which are not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from switchroom.codecs import Samples

ROOT = Path(__file__).parents[2]
VECTORS = Path(os.environ.get("SWITCHROOM_VECTORS", ROOT.parent / "shared" / "vectors"))


def vector(name: str) -> Samples:
    """The 16-bit words of one file; the test is skipped where there is none."""
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"the G.191 vectors are not at {VECTORS} (set SWITCHROOM_VECTORS)")
    return np.fromfile(path, "<i2").astype(np.int16)
