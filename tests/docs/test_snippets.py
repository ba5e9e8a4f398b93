"""The documents' pieces of headwater.yaml, of Python and of JSON are what they say they are."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import orjson
import pytest
import yaml

from connectors import DeclaredLineage, Resource
from connectors.config.secrets import expand
from connectors.registry import configure, connector_names, load_connector
from pipelines.project import FILE, read_project
from tests.docs.documents import DOCUMENTS, Block, blocks

REST = {"partitions": {"every": "day", "start": "2026-11-01"}, "connections": {}}
WITH_PYTHON = sorted({block.document for block in blocks("python")})


class Anything(dict[str, str]):
    """An environment in which every variable is an address of a database."""

    def get(self, name, default=None):
        return "postgresql://reader:secret@db.example.com/shop"


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.where)
def test_a_piece_of_headwater_yaml_is_valid(block: Block, tmp_path: Path):
    """A piece that is not a whole file gets the parts that every file has."""
    data = yaml.safe_load(block.text)
    (tmp_path / FILE).write_text(block.text if REST.keys() <= data.keys() else yaml.safe_dump(REST | data))
    project = read_project(tmp_path)
    for name, connection in project.connections.items():
        if connection.connector not in connector_names():
            assert connection.connector.startswith("./"), name
            continue
        given = connection.credential
        credential = project.model.credentials[given] if isinstance(given, str) else given or {}
        filled = {key: expand(value, Anything())[0] for key, value in credential.items()}
        configure(load_connector(connection.connector, tmp_path), connection.config, filled)


@pytest.mark.parametrize("document", WITH_PYTHON, ids=lambda path: path.stem)
def test_the_python_of_a_document_runs_from_top_to_bottom(document: Path, home: Path, first: Path):
    """A block that begins with a comment naming a file is that file; what imports `secodadk` is only written."""
    shutil.copytree(first, home, dirs_exist_ok=True)
    names: dict[str, object] = {"__name__": "snippet"}
    for block in blocks("python", document):
        head = block.text.partition("\n")[0]
        if head.startswith("# ") and head.endswith(".py"):
            file = home / head.removeprefix("# ")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
        if "secodadk" not in block.text:
            source = "\n" * (block.line - 1) + textwrap.dedent(block.text)
            exec(compile(source, str(document), "exec", dont_inherit=True), names)


@pytest.mark.parametrize("block", blocks("jsonl"), ids=lambda block: block.where)
def test_a_line_of_json_is_one_that_the_jsonl_connector_takes_whole(block: Block):
    for line in block.text.splitlines():
        given = orjson.loads(line)
        model = DeclaredLineage if "from_identifier" in given else Resource
        taken = model.model_validate(given).model_dump(exclude_unset=True, mode="json")
        assert taken == given


def test_there_is_something_to_test():
    assert all(blocks(language) for language in ("yaml", "python", "jsonl", "sh"))
    assert len(DOCUMENTS) > 10
