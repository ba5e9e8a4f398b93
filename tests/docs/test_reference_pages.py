"""The pages that list keys, fields and reasons list all of them, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from connectors.config.form import form_fields
from connectors.datasets.transform import OPERATIONS
from connectors.errors import ConnectorError
from connectors.hosts.process import Limits
from connectors.hosts.secoda import SecodaScript
from connectors.http import HttpPolicy
from connectors.registry import connector_names, load_connector
from connectors.sinks import load_sink, sink_names
from lineage import open_store
from lineage.graph.search import FIELDS
from pipelines import load_project
from pipelines.project.model import (
    ChecksModel,
    ConnectionModel,
    CoverageCheck,
    DatasetModel,
    Defaults,
    OpenLineageModel,
    Partitions,
    ProjectModel,
    SinkModel,
    UnresolvedCheck,
)
from tests.docs.documents import ROOT, blocks, section, table

PROJECT, CONNECTORS, LINEAGE, DATASETS = (
    ROOT / "docs" / name for name in ("project.md", "connectors.md", "lineage.md", "datasets.md")
)
SECTIONS = {
    "The whole file": ProjectModel,
    "partitions": Partitions,
    "A connection": ConnectionModel,
    "defaults": Defaults,
    "A derived dataset": DatasetModel,
    "A sink": SinkModel,
    "http": HttpPolicy,
    "checks": ChecksModel,
    "unresolved_references": UnresolvedCheck,
    "sql_coverage": CoverageCheck,
    "openlineage": OpenLineageModel,
}


REASONS = {
    *("not_found", "ambiguous", "ambiguous_column", "undeclared_internal", "unsupported_pair"),
    *("sql_parse_error", "sql_unsupported", "sql_budget"),
}


def shown(value: Any) -> str:
    """A default as the pages write it."""
    return "none" if value is None else f"`{json.dumps(value)}`" if value != "" else "none"


def keys_of(model: type[BaseModel]) -> dict[str, str]:
    """Each key with its default, `required` where there is none."""
    keys = {}
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            default = {}
        required = field.is_required() or default is PydanticUndefined
        keys[field.alias or name] = "required" if required else shown(default)
    return keys


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_of_the_file_is_described_with_its_default(title):
    rows = table(section(PROJECT, title))
    assert {row[0].strip("`"): row[1] for row in rows} == keys_of(SECTIONS[title])
    assert all(row[2] for row in rows)


@pytest.mark.parametrize("name", connector_names())
def test_every_field_of_a_connector_is_described_with_its_type_and_default(name):
    fields = form_fields(load_connector(name, ROOT).Config)
    wanted = [[f"`{f.name}`", f.type, "required" if f.required else shown(f.default)] for f in fields]
    rows = table(section(CONNECTORS, name))
    assert [row[:3] for row in rows] == wanted
    assert all(row[3] for row in rows)


@pytest.mark.parametrize("name", sink_names())
def test_every_field_of_a_sink_is_described_with_its_type_and_default(name):
    fields = form_fields(load_sink(name).Config)
    wanted = [[f"`{f.name}`", f.type, "required" if f.required else shown(f.default)] for f in fields]
    rows = table(section(DATASETS, name))
    assert [row[:3] for row in rows] == wanted
    assert all(row[3] for row in rows)


def test_every_operation_of_a_transform_is_explained():
    rows = table(section(DATASETS, "Transforms"))
    assert {name.strip("`").partition(":")[0] for row in rows for name in row[0].split(", `")} == set(
        OPERATIONS
    )


def test_the_settings_of_a_hosted_script_are_described():
    rows = table(section(CONNECTORS, "A Secoda integration"))
    assert {row[0].strip("`") for row in rows} == set(SecodaScript.Config.model_fields) - {"script"}
    limits = table(section(CONNECTORS, "limits"))
    assert {row[0].strip("`"): row[1] for row in limits} == keys_of(Limits)


def _names(value: Any) -> Any:
    """The names within JSON, whatever the values."""
    if isinstance(value, dict):
        return {key: _names(one) for key, one in value.items() if key not in ("partitions", "facets")}
    return [_names(value[0])] if isinstance(value, list) and value else None


def test_the_json_of_an_export_is_as_described(first):
    (block,) = [b for b in blocks("json", LINEAGE) if '"as_of"' in b.text]
    described = json.loads(block.text)
    exported = open_store(first / ".headwater").graph().to_dict()
    assert described.keys() == exported.keys()
    assert _names(described["edges"][0]) == _names(exported["edges"][0])
    assert set(exported["resources"][-1]) <= set(described["resources"][0])


def test_every_error_of_a_source_is_named_where_connectors_are_written():
    page = (ROOT / "docs" / "write-a-connector.md").read_text()
    ours = [one for one in ConnectorError.__subclasses__() if one.__module__ == "connectors.errors"]
    assert ours
    assert all(f"`{error.__name__}`" in page for error in ours)


def test_every_field_of_a_search_is_explained():
    rows = table(section(LINEAGE, "Finding"))
    assert {name.strip("`") for row in rows for name in row[0].split(", ")} == set(FIELDS)


def test_every_reason_is_explained():
    rows = table(section(LINEAGE, "What did not resolve"))
    assert {row[0].strip("`") for row in rows} == REASONS


def test_every_name_that_dagster_shows_is_in_the_page_on_running_it(first):
    page = (ROOT / "docs" / "operations.md").read_text()
    defs = load_project(first)
    named = [sensor.name for sensor in defs.sensors or ()]
    named += [schedule.name for schedule in defs.schedules or ()]
    named += [check.name for check in defs.resolve_asset_graph().asset_check_keys]
    named += [job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
    assert [name for name in named if f"`{name}`" not in page] == []
