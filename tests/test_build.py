"""What `make tuned` does with the modules that it has built."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import setuptools
from setuptools import Distribution, Extension

ROOT = Path(__file__).parent.parent
C_OF_A_MODULE = """
#include <Python.h>
static struct PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "%s", "%s", 0, NULL, slots};
PyMODINIT_FUNC PyInit_%s(void) { return PyModuleDef_Init(&def); }
"""
NAMES = ("near.first", "near.second", "far.first", "far.third")


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """setup.py, which builds nothing."""
    monkeypatch.setattr(setuptools, "setup", lambda **_: None)
    monkeypatch.setattr("Cython.Build.cythonize", lambda extensions, **_: extensions)
    monkeypatch.setenv("SWITCHROOM_PROFILE", "use")
    monkeypatch.chdir(ROOT)
    spec = importlib.util.spec_from_file_location("setup_of_switchroom", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_module_is_in_one_object_in_which_nobody_else_has_its_name(build: ModuleType) -> None:
    command = build.BuildTogether(Distribution())
    command.extensions = build.extensions()
    objects = command._by_name()
    assert sum(map(len, objects)) == len(command.extensions) > 90
    assert {e.name for one in objects for e in one.values()} == {e.name for e in command.extensions}
    assert all(e.name.rpartition(".")[2] == name for one in objects for name, e in one.items())
    assert len(objects) == 2  # no third one: that is what they are together for


def test_modules_of_one_object_are_imported_as_if_each_had_its_own(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        path = tmp_path / (name.replace(".", "/") + ".c")
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(C_OF_A_MODULE % (name, f"this is {name}", path.stem))
    (tmp_path / "switch").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    modules = [Extension(name, [name.replace(".", "/") + ".c"]) for name in NAMES]
    built = Distribution({"name": "any", "packages": ["near", "far"], "ext_modules": modules})
    command = build.BuildTogether(built)
    command.inplace = True
    command.ensure_finalized()
    command.run()
    into = {
        f"{link.parent.name}.{link.name.partition('.')[0]}": link.resolve().name
        for link in tmp_path.glob("[nf]*/*.so")
    }
    assert into == {
        "near.first": "tuned1.so",
        "near.second": "tuned1.so",
        "far.first": "tuned2.so",
        "far.third": "tuned1.so",
    }
    said = f"import {', '.join(NAMES)}; print({', '.join(f'{name}.__doc__' for name in NAMES)}, sep='|')"
    run = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "|".join(f"this is {name}" for name in NAMES)
