"""The documents' pieces of headwater.yaml, of Python and of JSON are what they say they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import orjson
import pytest
import yaml

from connectors import DeclaredLineage, Resource
from connectors.config.secrets import expand
from connectors.registry import configure, is_path, load_connector
from pipelines.project import FILE, read_project
from pipelines.project.loader import ProjectYaml
from tests.docs.documents import DOCUMENTS, ROOT, Block, blocks
from tests.plugin_python import plugin_python

REST = {"partitions": {"every": "day", "start": "2026-11-01"}, "connections": {}}
ADDRESS = "postgresql://reader:secret@db.example.com/shop"
VARIABLE = re.compile(r"\$\{(\w+)")
FOREIGN = re.compile(r"^(?:from|import) (?:secodadk|cloudquery)\b", re.M)
# The page about connectors is a walk of its own: `test_first_connector.py`.
WITH_PYTHON = sorted(
    {block.document for block in blocks("python")} - {ROOT / "docs" / "write-a-connector.md"}
)


def file_of(block: Block) -> str | None:
    """The path that the first line of a block of Python names: the block is that file."""
    head = block.text.partition("\n")[0]
    return f"./{head.removeprefix('# ')}" if head.startswith("# ") and head.endswith(".py") else None


SCRIPTS = {name: block.text for block in blocks("python") if (name := file_of(block))}


DEFINITIONS = [block for block in blocks("python") if re.search(r"^defs = ", block.text, re.M)]
PIECES = [block for block in blocks("yaml") if not block.is_workflow]


@pytest.mark.parametrize("block", PIECES, ids=lambda block: block.where)
def test_a_piece_of_headwater_yaml_is_valid(block: Block, tmp_path: Path):
    """A piece that is not a whole file gets the parts that every file has."""
    data = yaml.load(block.text, Loader=ProjectYaml)
    (tmp_path / FILE).write_text(block.text if REST.keys() <= data.keys() else yaml.safe_dump(REST | data))
    for connection in data.get("connections", {}).values():
        if is_path(connection["connector"]):
            file = tmp_path / connection["connector"]
            file.parent.mkdir(exist_ok=True)
            file.write_text(SCRIPTS.get(connection["connector"], "import secodadk\n"))
    project = read_project(tmp_path)
    environment = dict.fromkeys(VARIABLE.findall(block.text), ADDRESS)
    for connection in project.connections.values():
        given = connection.credential
        credential = project.model.credentials[given] if isinstance(given, str) else given or {}
        filled = {key: expand(value, environment)[0] for key, value in credential.items()}
        beside = {key: getattr(connection, key) for key in ("plugin", "python", "spec")}
        config = connection.config | {key: value for key, value in beside.items() if value is not None}
        configure(load_connector(connection.connector, tmp_path), config, filled)


@pytest.mark.parametrize("document", WITH_PYTHON, ids=lambda path: path.stem)
def test_the_python_of_a_document_runs_from_top_to_bottom(document, home: Path, first: Path, monkeypatch):
    """A block that begins with a comment naming a file is that file; what imports a foreign SDK is only written."""
    shutil.copytree(first, home, dirs_exist_ok=True)
    monkeypatch.syspath_prepend(home)
    monkeypatch.setenv("PLUGIN_PYTHON", plugin_python())
    names: dict[str, object] = {"__name__": "snippet"}
    for block in blocks("python", document):
        if name := file_of(block):
            file = home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
        if not FOREIGN.search(block.text):
            source = "\n" * (block.line - 1) + textwrap.dedent(block.text)
            exec(compile(source, str(document), "exec", dont_inherit=True), names)


@pytest.mark.parametrize("block", DEFINITIONS, ids=lambda block: block.where)
def test_definitions_load_as_dagster_loads_a_file(block: Block, home: Path, first: Path):
    shutil.copytree(first, home, dirs_exist_ok=True)
    (home / "defs.py").write_text(block.text)
    (home / ".dagster").mkdir()
    validate = [sys.executable, "-m", "dagster", "definitions", "validate", "-f", "defs.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(validate, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", blocks("jsonl"), ids=lambda block: block.where)
def test_a_line_of_json_is_one_that_the_jsonl_connector_takes_whole(block: Block):
    for line in block.text.splitlines():
        given = orjson.loads(line)
        model = DeclaredLineage if "from_identifier" in given else Resource
        taken = model.model_validate(given).model_dump(exclude_unset=True, mode="json")
        assert taken == given


def test_there_is_something_to_test():
    assert all(blocks(language) for language in ("yaml", "python", "jsonl", "sh"))
    assert {block.document.stem for block in DEFINITIONS} == {"README", "operations"}
    assert len(DOCUMENTS) > 10
