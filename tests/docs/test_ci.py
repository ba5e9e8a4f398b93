"""`docs/ci.md`: its workflows are sound, and what it says of exit codes and the comment is what happens."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.docs.documents import ROOT, blocks, commands_of
from tests.docs.test_commands import take

PAGE = ROOT / "docs" / "ci.md"
WORKFLOWS = [block for block in blocks("yaml", PAGE) if block.is_workflow]
PROGRAM = f"#!/bin/sh\nexec {sys.executable} -c 'from pipelines.cli.main import main; main()' \"$@\"\n"


def steps(block):
    (job,) = yaml.safe_load(block.text)["jobs"].values()
    return job["steps"]


def step(name):
    (found,) = [one for block in WORKFLOWS for one in steps(block) if one.get("name") == name]
    return found["run"]


@pytest.mark.parametrize("block", WORKFLOWS, ids=lambda block: block.where)
def test_a_workflow_has_steps_and_commands_that_headwater_takes(block):
    workflow = yaml.safe_load(block.text)
    assert True in workflow, "YAML reads `on` as true"
    for one in steps(block):
        assert ("run" in one) != ("uses" in one)
    commands = [words for one in steps(block) for words in commands_of(one.get("run", ""), "headwater")]
    assert commands
    for words in commands:
        take(words)


@pytest.fixture
def shell(first, home):
    """Runs a step in a checkout that has main's graph, with a `gh` that writes down what it is given."""
    checkout, programs = home / "checkout", home / "bin"
    shutil.copytree(first, checkout)
    programs.mkdir()
    for name, text in (("headwater", PROGRAM), ("gh", '#!/bin/sh\necho "$@" >> ../told\n')):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    variables = {
        "PATH": path,
        "PR": "7",
        "GITHUB_STEP_SUMMARY": str(home / "summary"),
        "PYTHONPATH": str(ROOT),
    }

    def run(text):
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=checkout,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_branch_that_breaks_nothing_passes_and_one_that_breaks_something_fails_and_is_told(shell, home):
    done = shell(step("compare"))
    assert done.returncode == 0, done.stderr
    said = home / "checkout" / "lineage.md"
    assert "Nothing downstream loses its source." in said.read_text()
    script = next((home / "checkout").rglob("*.sql"))
    script.write_text(script.read_text().replace("revenue", "income"))
    done = shell(step("compare"))
    assert done.returncode == 1, done.stderr
    assert "read" in done.stderr
    assert "lost a source" in said.read_text()
    assert shell(step("tell")).returncode == 0
    assert (home / "summary").read_text() == said.read_text()
    assert (home / "told").read_text() == "pr comment 7 --edit-last --body-file lineage.md\n"


def test_a_comparison_that_fails_says_nothing_on_standard_output(shell, home):
    shutil.rmtree(home / "checkout" / ".headwater")
    done = shell(step("compare"))
    assert (done.returncode, (home / "checkout" / "lineage.md").read_text()) == (1, "")
    assert "no graph yet" in done.stderr
    assert shell(step("tell")).returncode == 0
    assert not (home / "summary").exists()
