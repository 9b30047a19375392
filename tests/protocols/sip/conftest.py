"""The message layer in both its forms: a test that asks for ``sip`` runs with the plain and compiled one."""

from __future__ import annotations

from types import ModuleType

import pytest

from ... import twins


@pytest.fixture(params=twins.VARIANTS, scope="session")
def sip(request: pytest.FixtureRequest) -> ModuleType:
    """The package with its compiled part, and without."""
    package = twins.load("switchroom.protocols.sip", "_message", request.param)
    is_compiled = package.Message.__mro__[2].__module__.endswith("._message")
    assert is_compiled == (request.param == "compiled")  # or a test of both would be one of one
    return package
