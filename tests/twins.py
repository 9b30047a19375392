"""A compiled module and its plain twin side by side, so that one parametrised test runs both.

@pytest.fixture(params=twins.VARIANTS)
def sip(request):
    return twins.load("switchroom.protocols.sip", "_message", request.param)
"""

from __future__ import annotations

import functools
import importlib
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import find_spec
from types import ModuleType

import pytest

VARIANTS = ("plain", "compiled")


def load(name: str, compiled: str, variant: str) -> ModuleType:
    """The module (or package) ``name`` with its compiled part in use, or as if that had never been built."""
    return load_plain(name, compiled) if variant == "plain" else load_compiled(name, compiled)


def load_compiled(name: str, compiled: str) -> ModuleType:
    """The module as installed; the test is skipped when the compiled part is missing."""
    if find_spec(_full_name(name, compiled)) is None:
        pytest.skip(f"{compiled} is not built")
    return importlib.import_module(name)


@functools.cache
def load_plain(name: str, compiled: str) -> ModuleType:
    """A second copy of the module, imported while the compiled part cannot be."""
    blocked = _full_name(name, compiled)
    package, _, _ = blocked.rpartition(".")
    taken = {key: sys.modules.pop(key) for key in list(sys.modules) if _is_within(key, package)}
    # other compiled modules cannot be loaded a second time; both copies share them
    sys.modules.update({key: module for key, module in taken.items() if _is_extension(module)})
    sys.modules[blocked] = None  # type: ignore[assignment]  # importing it raises ImportError
    try:
        return importlib.import_module(name)
    finally:
        for key in [key for key in sys.modules if _is_within(key, package)]:
            del sys.modules[key]
        sys.modules.update(taken)  # the first copy stays everybody else's
        parent, _, leaf = package.rpartition(".")
        setattr(sys.modules[parent], leaf, taken[package])


def _is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _is_extension(module: ModuleType) -> bool:
    return module.__spec__ is not None and isinstance(module.__spec__.loader, ExtensionFileLoader)


def _full_name(name: str, compiled: str) -> str:
    """The compiled part's name: it is in the package that the module is, or is in."""
    module = importlib.import_module(name)
    package = name if hasattr(module, "__path__") else name.rpartition(".")[0]
    return f"{package}.{compiled}"
