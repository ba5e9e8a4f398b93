"""Builds the package with its SQL engine compiled to C by mypyc: the same source, faster.

A checkout stays plain Python, so that what is edited is what runs. A wheel is compiled where there is a C compiler,
unless HEADWATER_PURE is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOMS = ("reading", "compiling", "binding")
ALONE = ("collector", "compile", "dialects", "excerpts", "program")
# Classes there build on ones of Python's own in ways that mypyc does not know.
PLAIN = frozenset({"binding/results.py", "binding/stored.py"})
SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup

# No configuration of a checkout's own; what the engine imports from elsewhere is looked up when it runs.
options = ["--config-file=", "--ignore-missing-imports", *sys.argv.pop().split(",")]
setup(name="engine", packages=[], ext_modules=mypycify(options, opt_level="3", debug_level="0"))
"""


def modules(root: Path) -> Iterator[str]:
    """The files that are compiled, from the root."""
    engine = root / "lineage" / "sql"
    for path in sorted(path for room in ROOMS for path in (engine / room).glob("*.py")):
        if path.relative_to(engine).as_posix() not in PLAIN:
            yield path.relative_to(root).as_posix()
    for name in ALONE:
        yield f"lineage/sql/{name}.py"


def compile_in_place(folder: Path) -> list[Path]:
    """Compile the engine in a folder that holds `lineage` and no project file; gives the libraries, from the folder.

    Raises RuntimeError with what the compiler said.
    """
    with tempfile.TemporaryDirectory() as scratch:
        setup = Path(scratch) / "setup.py"
        setup.write_text(SETUP)
        command = (
            sys.executable,
            setup,
            "build_ext",
            "--inplace",
            "--build-temp",
            scratch,
            ",".join(modules(folder)),
        )
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    shutil.rmtree(folder / "build", ignore_errors=True)
    if done.returncode:
        said = f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
        raise RuntimeError(
            f"the SQL engine does not compile; HEADWATER_PURE=1 leaves it plain Python:\n{said}"
        )
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    return sorted(path.relative_to(folder) for path in folder.rglob(f"*{suffix}"))


def has_compiler() -> bool:
    """Whether there is the C compiler that Python was made with."""
    return shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) is not None


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds the compiled engine to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling's interface. Raises RuntimeError where the compiler fails."""
        if version == "editable" or self.target_name != "wheel" or os.environ.get("HEADWATER_PURE"):
            return
        if not has_compiler():
            self.app.display_warning("no C compiler: the SQL engine stays plain Python, and slower")
            return
        self.scratch = tempfile.TemporaryDirectory()
        folder = Path(self.scratch.name)
        shutil.copytree(Path(self.root) / "lineage", folder / "lineage")
        for library in compile_in_place(folder):
            build_data["force_include"][str(folder / library)] = library.as_posix()
        build_data["infer_tag"] = True
        build_data["pure_python"] = False

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """See hatchling's interface."""
        if hasattr(self, "scratch"):
            self.scratch.cleanup()
