"""The message layer in both its forms: a test that asks for ``sip`` runs with the plain and compiled one."""

from __future__ import annotations

from types import ModuleType

import pytest

from ... import twins


@pytest.fixture(params=twins.VARIANTS, scope="session")
def sip(request: pytest.FixtureRequest) -> ModuleType:
    """The package with its compiled part, and without."""
    return twins.load("switchroom.protocols.sip", "_message", request.param)
