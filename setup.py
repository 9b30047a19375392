"""Builds the compiled parts; everything else about the package is in pyproject.toml.

The folders at the top level are imported as ``switchroom.switch``, ``switchroom.codecs`` and
``switchroom.protocols``: a top-level ``codecs`` would hide Python's own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from Cython.Compiler.Nodes import CClassDefNode
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
ROOMS = ("switch", "codecs", "protocols")
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
IS_SANITIZED = os.environ.get("SWITCHROOM_SANITIZE") == "1"  # make sanitize
COMPILED = ["-O1", *SANITIZERS] if IS_SANITIZED else ["-O3"]
LINKED = SANITIZERS if IS_SANITIZED else []
WARNED = ["-std=gnu11", "-Wall", "-Wno-unreachable-code"]
# What limits a call is how much code it touches: what raises lies apart, no stub is between us and Python.
# -O2 touches 14 % fewer lines than -O1 and takes 9 % fewer steps; -Os touches 3 % fewer and takes 15 % more.
DENSE = [] if IS_SANITIZED else ["-fno-plt", "-include", "protocols/cold.h"]
AS_IT_IS = COMPILED if IS_SANITIZED else ["-O2", "-g0", *DENSE]
AS_IT_IS += ["-Wno-array-bounds"]  # the size of None is only asked where it turned out to be a number
AS_IT_IS += ["-Werror=incompatible-pointer-types"]  # a method of C that leaves as a value would lose its self
# make tuned: "make" a profile of what calls do, then "use" it. Hand-written C keeps -O3 and takes no part.
PROFILE = os.environ.get("SWITCHROOM_PROFILE", "")
PROFILED = {
    "": [],
    "make": ["-fprofile-generate", "-fprofile-update=prefer-atomic"],
    "use": ["-fprofile-use", "-fprofile-correction", "-Wno-missing-profile", "-Wno-error=coverage-mismatch"],
}[PROFILE]
AS_IT_IS += PROFILED
# C of another room that a module is linked with
SHARED = {
    "switch/media/_conversion.pyx": (
        "codecs/resampling_core.c",
        "codecs/sound/conceal.c",
        "codecs/sound/mix.c",  # whose level noise is described with
        "codecs/sound/noise.c",
        "codecs/sound/tones.c",
    ),
    "switch/media/_sound.pyx": (
        "codecs/resampling_core.c",
        *(f"codecs/sound/{name}.c" for name in ("conceal", "mix", "noise", "stretch", "tones")),
    ),
    "switch/media/_crypto.pyx": ("codecs/native/library.c",),
}


# Free lists would keep from the sanitizer that somebody uses what is freed.
KEPT = ("no_gc",) if IS_SANITIZED else ("no_gc", "freelist")


def analyse_class(node: CClassDefNode, env: Any, analyse: Any = CClassDefNode.analyse_declarations) -> None:
    """What a .pxd says of how objects are kept holds for the source, too: Cython 3.3 forgets it there."""
    known = env.lookup_here(node.class_name)
    declared = getattr(getattr(known, "type", None), "scope", None)
    said = {name: declared.directives[name] for name in KEPT if declared and declared.directives.get(name)}
    analyse(node, env)
    if said and node.scope is not None:
        node.scope.directives = {**node.scope.directives, **said}


CClassDefNode.analyse_declarations = analyse_class


def link_names() -> Path:
    """Make build/names/switchroom/{switch,codecs,protocols}: the tree that cimport and mypy see."""
    names = ROOT / "build" / "names" / "switchroom"
    names.mkdir(parents=True, exist_ok=True)
    for room in ROOMS:
        link = names / room
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(ROOT / room, names), target_is_directory=True)
    return names.parent


def extensions() -> list[Extension]:
    """One extension per .pyx; hand-written C beside it (of _NAME.pyx: NAME_core.c, NAME/*.c) is linked in.

    A .py with a .pxd beside it is compiled as it is: the .pxd says what its classes hold in C.
    """
    found = [
        Extension(
            "switchroom." + ".".join(path.relative_to(ROOT).with_suffix("").parts),
            [str(path.relative_to(ROOT))],
            extra_compile_args=[*AS_IT_IS, *WARNED],
            extra_link_args=[*LINKED, *PROFILED],
        )
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if path.with_suffix(".pxd").exists()
    ]
    for room in ROOMS:
        for pyx in sorted((ROOT / room).rglob("*.pyx")):
            path = pyx.relative_to(ROOT)
            name = pyx.stem.lstrip("_")
            beside = [*pyx.parent.glob(f"{name}_core.c"), *pyx.parent.glob(f"{name}/*.c")]
            shared = SHARED.get(str(path), ())
            headers = [*pyx.parent.glob("*.h"), *pyx.parent.glob(f"{name}/*.h")]
            headers += (ROOT / "codecs").glob("*.h")
            tuned = [] if beside or shared else PROFILED
            found.append(
                Extension(
                    "switchroom." + ".".join(path.with_suffix("").parts),
                    [str(path), *sorted(str(c.relative_to(ROOT)) for c in beside), *shared],
                    depends=sorted({str(h.relative_to(ROOT)) for h in headers}),
                    include_dirs=[str(path.parent), "."],  # "codecs/codec.h" is for the media engine too
                    extra_compile_args=[*COMPILED, *([] if beside or shared else DENSE), *WARNED, *tuned],
                    extra_link_args=["-pthread", *LINKED, *tuned],
                )
            )
    return found


class BuildTogether(build_ext):
    """With a profile, modules are linked together: what calls run lies side by side, whoever wrote it."""

    def copy_extensions_to_source(self) -> None:
        """Build each in its place as ever; then let its name lead to what they all are in."""
        super().copy_extensions_to_source()
        if PROFILE == "use":
            for number, together in enumerate(self._by_name(), 1):
                self._link(ROOT / "switch" / f"tuned{number}.so", together)

    def _by_name(self) -> list[dict[str, Extension]]:
        """As few objects as can be: Python asks one only for a module's last name."""
        found: list[dict[str, Extension]] = []
        for extension in self.extensions:
            name = extension.name.rpartition(".")[2]
            fitting = next((one for one in found if name not in one), None)
            if fitting is None:
                found.append(fitting := {})
            fitting[name] = extension
        return found

    def _link(self, target: Path, together: dict[str, Extension]) -> None:
        objects = {
            part
            for extension in together.values()
            for part in self.compiler.object_filenames(extension.sources, output_dir=self.build_temp)
        }
        target.unlink(missing_ok=True)  # who runs it goes on with the old one
        self.compiler.link_shared_object(sorted(objects), str(target), extra_postargs=["-pthread"])
        for extension in together.values():
            path = Path(self.get_ext_fullpath(extension.name))
            path.unlink(missing_ok=True)
            path.symlink_to(os.path.relpath(target, path.parent))


packages = [
    f"switchroom.{name}"
    for room in ROOMS
    for name in (room, *(f"{room}.{sub}" for sub in find_packages(str(ROOT / room))))
]

setup(
    packages=packages,
    package_dir={f"switchroom.{room}": room for room in ROOMS},
    package_data={name: ["py.typed", "*.pyi", "*.toml", "*.sql", "pages/*"] for name in packages},
    include_package_data=False,  # sources of compiled modules stay out of the wheel
    ext_modules=cythonize(
        extensions(),
        include_path=[str(link_names())],
        compiler_directives={
            "language_level": "3",
            "embedsignature": True,
            "annotation_typing": False,
            "nonecheck": True,  # a field of None is an error there as here, and never memory
        },
    ),
    cmdclass={"build_ext": BuildTogether},
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
    zip_safe=False,
)
