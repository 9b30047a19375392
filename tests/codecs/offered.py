"""Codecs of the system's libraries: tests of one are skipped where it is missing, but never in CI."""

from __future__ import annotations

import os

import pytest

from switchroom import codecs


def offered(name: str) -> codecs.Codec:
    codec = codecs.find(name)
    library = codec.library
    if library is not None and library.missing:
        reason = f"{codec.format.name}: {library.missing}"
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(f"{reason}; in CI a library must not be missing", pytrace=False)
        pytest.skip(reason, allow_module_level=True)
    return codec
