"""How benchmarks measure: a command in a process of its own, with its wall time and its peak of memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HEADWATER = (sys.executable, "-c", "from pipelines.cli import main; main()")
DAGSTER = (sys.executable, "-m", "dagster")
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Figure:
    """One measured value, in words; `limit` is the largest value that meets the target, `at_least` the smallest."""

    name: str
    value: float
    unit: str = ""
    limit: float | None = None
    at_least: float | None = None

    @property
    def missed(self) -> bool:
        above = self.limit is not None and self.value > self.limit
        return above or (self.at_least is not None and self.value < self.at_least)

    def __str__(self) -> str:
        missed = ": MISSED" if self.missed else ""
        target = "" if self.limit is None else f"  (at most {self.limit:g}{missed})"
        target = target if self.at_least is None else f"  (at least {self.at_least:g}{missed})"
        return f"{self.name:<58}{self.value:>12,.2f} {self.unit}{target}"


@dataclass(frozen=True)
class Finished:
    """A command that ended: exit code, wall time, the largest resident size of its process, what it said."""

    code: int
    seconds: float
    peak_bytes: int
    output: bytes
    errors: str


def run_command(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Finished:
    """Runs a command in a folder and waits for it. `environment` is added to this process's, less its own project."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("DAGSTER_HOME", "HEADWATER_PROJECT")
    }
    variables = {**inherited, "PYTHONPATH": str(ROOT), **(environment or {})}
    with open(folder / ".stdout", "wb") as out, open(folder / ".stderr", "wb") as err:
        begun = time.perf_counter()
        child = subprocess.Popen(arguments, cwd=folder, env=variables, stdout=out, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
    in_kib = sys.platform != "darwin"
    return Finished(
        child.returncode,
        seconds,
        usage.ru_maxrss * (1024 if in_kib else 1),
        (folder / ".stdout").read_bytes(),
        (folder / ".stderr").read_text(errors="replace"),
    )


def give_home(folder: Path) -> None:
    """Makes a folder of its own for Dagster's instance in a project's."""
    (folder / "home").mkdir()
    (folder / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")


def materialize(folder: Path, module: str = "pipelines.definitions") -> Finished:
    """Today's partition of all assets of the project in a folder, by Dagster's own command."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    arguments = (*DAGSTER, "asset", "materialize", "-m", module, "--select", "*", "--partition", today)
    environment = {
        "DAGSTER_HOME": str(folder / "home"),
        "HEADWATER_PROJECT": str(folder),
        "PYTHONPATH": f"{ROOT}:{folder}",
        # As on a user's machine: what was imported once is not compiled again.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode"),
    }
    return run_command(arguments, folder, environment)


def succeed(finished: Finished) -> Finished:
    """The same, or RuntimeError with what the command said when it failed."""
    if finished.code:
        raise RuntimeError(f"exit code {finished.code}\n{finished.errors[-4000:]}")
    return finished


def environment(name: str, packages: Sequence[str]) -> str:
    """The interpreter of an environment of its own with these packages, made at the first use and kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "headwater-bench" / f"{name}-{packages[0].partition('==')[2]}"
    python = str(folder / "bin" / "python")
    if not (folder / "ready").exists():
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run(
            (uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)), check=True
        )
        subprocess.run((uv, "pip", "install", "--quiet", "--python", python, *packages), check=True)
        (folder / "ready").touch()
    return python
