"""`python -m pipelines.demo`: syncs the packaged demo project where it lies, then shows what came of it."""

import sys
from pathlib import Path

from lineage import open_store
from pipelines.cli.main import run
from pipelines.demo import SHOP
from pipelines.demo.show import show
from pipelines.project import read_project


def main(project: Path = SHOP) -> int:
    """The sync's exit code: references that do not resolve are no failure."""
    code = run(["--project", str(project), "sync"])
    if code == 0:
        show(open_store(read_project(project).storage).graph(), project)
    return code


if __name__ == "__main__":
    sys.exit(main())
