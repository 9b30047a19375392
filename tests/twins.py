"""A compiled module and its plain twin side by side, so that one parametrised test runs both.

@pytest.fixture(params=twins.VARIANTS)
def sip(request):
    return twins.load("switchroom.protocols.sip", "_message", request.param)
"""

from __future__ import annotations

import functools
import importlib
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec, SourceFileLoader
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

VARIANTS = ("plain", "compiled")
ROOT = Path(__file__).parents[1]
ROOMS = ("switch", "codecs", "protocols")
IS_PLAIN = os.environ.get("SWITCHROOM_PLAIN") == "1"  # what is compiled as it is runs from source here
only_plain = pytest.mark.skipif(not IS_PLAIN, reason="for the process that the other test starts")
only_compiled = pytest.mark.skipif(IS_PLAIN, reason="this is plain")


def stale() -> list[str]:
    """The modules that are compiled as they are and have changed since."""
    found = []
    for types in (path for room in ROOMS for path in (ROOT / room).rglob("*.pxd")):
        source = types.with_suffix(".py")
        for built in types.parent.glob(f"{types.stem}.*.so"):
            if source.exists() and built.stat().st_mtime < source.stat().st_mtime:
                found.append(str(source.relative_to(ROOT)))
    return found


class Sources(MetaPathFinder):
    """Finds a module that was compiled as it is by its source: that is its own twin."""

    def find_spec(
        self, name: str, path: Iterable[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The source beside the compiled module, if there is one."""
        if not name.startswith("switchroom."):
            return None
        for folder in path or ():
            source = Path(folder) / f"{name.rpartition('.')[2]}.py"
            if source.exists():
                return spec_from_file_location(name, source, loader=SourceFileLoader(name, str(source)))
        return None


def run_plain(*files: str | Path) -> None:
    """Run tests in a process of their own, in which what is compiled as it is runs from source."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "-p", "no:xdist", *map(str, files)],
        cwd=ROOT,
        env={**os.environ, "SWITCHROOM_PLAIN": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


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
    sys.modules.update({key: module for key, module in taken.items() if _has_no_source(module)})
    sys.modules[blocked] = None  # type: ignore[assignment]  # importing it raises ImportError
    sources = Sources()
    sys.meta_path.insert(0, sources)
    try:
        return importlib.import_module(name)
    finally:
        sys.meta_path.remove(sources)
        for key in [key for key in sys.modules if _is_within(key, package)]:
            del sys.modules[key]
        sys.modules.update(taken)  # the first copy stays everybody else's
        parent, _, leaf = package.rpartition(".")
        setattr(sys.modules[parent], leaf, taken[package])


def _is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _has_no_source(module: ModuleType) -> bool:
    spec = module.__spec__
    if spec is None or not isinstance(spec.loader, ExtensionFileLoader):
        return False
    assert spec.origin is not None
    return not Path(spec.origin).with_name(f"{spec.name.rpartition('.')[2]}.py").exists()


def _full_name(name: str, compiled: str) -> str:
    """The compiled part's name: it is in the package that the module is, or is in."""
    module = importlib.import_module(name)
    package = name if hasattr(module, "__path__") else name.rpartition(".")[0]
    return f"{package}.{compiled}"
