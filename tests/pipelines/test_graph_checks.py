"""What Dagster is told of a graph: its checks against the limits of the file, and a piece of it drawn."""

from __future__ import annotations

import base64
import re
from itertools import pairwise
from xml.etree import ElementTree

import dagster as dg
import pytest

from lineage.graph.excerpt import Excerpt
from lineage.graph.quality import Quality, Read
from pipelines.checks import graph_checks
from pipelines.graph_preview import MOST_BYTES, preview_markdown
from pipelines.keys import AssetKeys
from pipelines.project import read_project
from pipelines.project.model import ChecksModel
from tests.contract.conftest import MISSING, UNDECLARED
from tests.pipelines.conftest import FILE, LINEAGE, write_project
from tests.pipelines.test_sync import sync

SVG = "{http://www.w3.org/2000/svg}"
LIMITS = """\
checks:
  unresolved_references: {max: 4, severity: error}
  sql_coverage: {min: 0.5}
"""


@pytest.fixture
def synced(tmp_path, monkeypatch):
    """Syncs a project with three references that do not resolve and one of three statements that is not understood."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    folder = write_project(tmp_path / "project")
    (folder / "l.jsonl").write_text(LINEAGE + MISSING + MISSING.replace("revenue", "other") + UNDECLARED)
    (folder / "sql" / "broken.sql").write_text(
        "insert into summary select (1 from orders where who = 'Ada';\n"
    )

    def run(text=FILE):
        (folder / "headwater.yaml").write_text(text)
        report = sync(read_project(folder))
        assert report.ok
        with dg.DagsterInstance.get() as instance:
            made = instance.get_latest_materialization_event(AssetKeys().graph).asset_materialization
            checked = instance.get_records_for_run(
                report.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
            )
        found = [one.event_log_entry.dagster_event.event_specific_data for one in checked.records]
        return made.metadata, {one.check_name: one for one in found if one.asset_key == AssetKeys().graph}

    return run


def lines(check, name):
    """The cells of a table in a check's metadata, without its head."""
    rows = check.metadata[f"headwater/{name}"].value.splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def test_checks_warn_of_anything_and_list_the_worst_and_a_piece_of_the_graph_is_drawn(synced):
    metadata, checks = synced()
    unresolved, coverage = checks["unresolved_references"], checks["sql_coverage"]
    assert (unresolved.passed, unresolved.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert (coverage.passed, coverage.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert unresolved.metadata["headwater/unresolved"].value == 5
    assert lines(unresolved, "by_connection") == [["hand", "4"], ["scripts", "1"]]
    assert lines(unresolved, "by_reason")[0][1] == "2"
    assert lines(unresolved, "most_wanted")[0] == [
        *("sumary", "2", "not_found", "app/app.main.summary (a guess)"),
    ]
    assert coverage.metadata["headwater/not_understood"].value == 1
    assert lines(coverage, "by_connection") == [["scripts", "2", "1", "50.0%"], ["app", "1", "0", "100.0%"]]
    ((connection, place, error, sql),) = lines(coverage, "first_not_understood")
    assert (connection, place) == ("scripts", "broken.sql")
    assert "line 1" in error
    assert sql == "insert into summary select (1 from orders where who = 'Ada';"
    assert metadata["headwater/sql_coverage"].value == pytest.approx(2 / 3, abs=0.001)
    text = metadata["headwater/preview"].value
    assert text.startswith("Around `app/app.main.summary`")
    (data,) = re.findall(r"!\[lineage\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", text)
    drawn = {one.text for one in ElementTree.fromstring(base64.b64decode(data)).iter(f"{SVG}text")}
    assert {"customers", "orders", "summary", "Revenue"} <= drawn


def test_the_limits_are_the_files_and_sql_is_shown_as_it_is_stored(synced):
    masked = FILE.replace("connector: sql_files\n", "connector: sql_files\n    store_sql: masked\n")
    _, checks = synced(masked + LIMITS)
    unresolved, coverage = checks["unresolved_references"], checks["sql_coverage"]
    assert (unresolved.passed, unresolved.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert (coverage.passed, coverage.severity) == (True, dg.AssetCheckSeverity.WARN)
    assert (unresolved.metadata["headwater/max"].value, coverage.metadata["headwater/min"].value) == (4, 0.5)
    assert "Ada" not in str(coverage.metadata)


@pytest.mark.parametrize(
    ("limits", "passed"),
    [
        ({}, [False, False]),
        ({"unresolved_references": {"max": 4}, "sql_coverage": {"min": 0.951}}, [False, False]),
        ({"unresolved_references": {"max": 5}, "sql_coverage": {"min": 0.95}}, [True, True]),
    ],
)
def test_what_is_just_at_the_limit_passes(limits, passed):
    quality = Quality(5, {}, {}, [], [Read("a", 15, 1), Read("b", 5, 0)], [])
    checks = graph_checks(AssetKeys().graph, quality, ChecksModel.model_validate(limits))
    assert [one.passed for one in checks] == passed


def test_nothing_at_all_passes():
    checks = graph_checks(AssetKeys().graph, Quality(0, {}, {}, [], [], []), ChecksModel())
    assert all(one.passed for one in checks)


def test_a_picture_that_would_be_too_large_is_a_table_and_nothing_is_said_so():
    def resource(name):
        return {"id": name, "title": name, "databuilder_id": name, "connection": "w", "entity_type": "table"}

    names = [f"w/{number}" for number in range(400)]
    edges = [{"from": a, "to": b, "level": "resource", "kind": "direct"} for a, b in pairwise(names)]
    large = Excerpt(names[0], [resource(name) | {"parent_id": None} for name in names], edges, 7)
    text = preview_markdown(large)
    assert "7 further ones are left out" in text
    assert "| `w/0` | `w/1` |" in text
    assert len(text) < MOST_BYTES
    assert preview_markdown(None) == "Nothing is linked with anything."
