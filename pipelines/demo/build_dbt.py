"""Makes the demo's dbt artifacts again, with real dbt: `python -m pipelines.demo.build_dbt`.

Needs dbt-core and dbt-duckdb; nothing else of the demo does. What differs from machine to machine and from
run to run is taken out, so that the files change when the project does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from connectors.errors import RunError
from pipelines.demo import SHOP
from pipelines.demo.application import make_application
from pipelines.demo.data import APPLICATION, DATA, WAREHOUSE
from pipelines.demo.warehouse import make_raw

ARTIFACTS = ("manifest.json", "catalog.json", "run_results.json")
TARGET = Path("dbt/target")
MADE_AT = "2026-11-01T00:00:00Z"
_SETS = ("nodes", "macros", "refs", "sources")  # lists whose order changes from run to run
_TIMES = ("generated_at", "started_at", "completed_at", "compiled_at")
_SECONDS = 0.1
_EMPTY_ID = "00000000-0000-0000-0000-000000000000"
_RUN_DBT = """
import sys
from dbt.cli.main import dbtRunner
for command in (["build"], ["docs", "generate", "--no-compile"]):
    answer = dbtRunner().invoke([*command, "--no-partial-parse"])
    if not answer.success:
        sys.exit(str(answer.exception or answer.result))
"""
# The parts of a manifest that dbt and its adapter ship, or that repeat what its other parts say.
_LEFT_OUT = ("macros", "docs", "selectors", "disabled", "parent_map", "child_map", "group_map")


def build_artifacts(project: Path = SHOP) -> dict[str, str]:
    """The text of each artifact, by file name, as real dbt makes it now. RunError has dbt's output."""
    with tempfile.TemporaryDirectory(prefix="headwater-dbt-") as name:
        copy = Path(name)
        for part in ("dbt", "sql"):
            shutil.copytree(project / part, copy / part, ignore=shutil.ignore_patterns("target", "logs"))
        (copy / DATA).mkdir()
        make_application(copy / DATA / APPLICATION)
        make_raw(copy / DATA / WAREHOUSE, copy / DATA / APPLICATION, copy)
        _run_dbt(copy / "dbt")
        return {file: _stable(copy / TARGET / file) for file in ARTIFACTS}


def _run_dbt(folder: Path) -> None:
    environment = {**os.environ, "DBT_PROFILES_DIR": str(folder), "DO_NOT_TRACK": "1"}
    command = [sys.executable, "-c", _RUN_DBT]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"dbt failed:\n{done.stdout}{done.stderr}", hint="is dbt-duckdb installed?")


def _stable(file: Path) -> str:
    """An artifact without ids, times, and what belongs to this machine or to dbt itself."""
    content = json.loads(file.read_text(encoding="utf-8"))
    content["metadata"] |= {"invocation_id": _EMPTY_ID, "user_id": None, "env": {}}
    for name in _LEFT_OUT:
        if name in content:
            content[name] = {}
    content.pop("args", None)
    if "results" in content:
        content["elapsed_time"] = _SECONDS
        content["results"].sort(key=lambda result: str(result["unique_id"]))
    return json.dumps(_without_traces(content), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _without_traces(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_traces(one) for one in value]
    if isinstance(value, dict):
        return {key: _fixed(key, _without_traces(one)) for key, one in value.items()}
    return value


def _fixed(key: str, value: Any) -> Any:
    """A value that is the same in each run."""
    if key in ("created_at", "execution_time") and isinstance(value, int | float):
        return _SECONDS
    if (key in _TIMES or key.endswith("_started_at")) and isinstance(value, str):
        return MADE_AT
    if key in _SETS and isinstance(value, list):
        return sorted(value, key=json.dumps)
    if key == "thread_id":
        return "Thread-1"
    return None if key in ("root_path", "build_path") else value


def main() -> int:
    """Writes the artifacts into the project."""
    folder = SHOP / TARGET
    folder.mkdir(exist_ok=True)
    for name, text in build_artifacts().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"{folder / name}: {len(text):,} bytes")  # noqa: T201 - a command's answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
