"""The files of events, however they are written, and what the official client writes."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime

import pytest
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import (
    DatasetEvent,
    InputDataset,
    Job,
    JobEvent,
    OutputDataset,
    Run,
    RunEvent,
    StaticDataset,
)
from openlineage.client.event_v2 import RunState as State
from openlineage.client.facet_v2 import column_lineage_dataset as cll
from openlineage.client.facet_v2 import documentation_dataset, error_message_run, schema_dataset, sql_job
from openlineage.client.transport.file import FileConfig, FileTransport

from connectors.builtin.openlineage import BadEvent, OpenLineage, read_events
from connectors.model import Window
from connectors.testing import check_connector, run_connector
from tests.connectors.builtin.openlineage_events import (
    DAY,
    PG,
    as_lines,
    dataset,
    edges,
    event,
    read,
)

ORDERS, DAILY = dataset("shop.sales.orders"), dataset("shop.sales.daily")
LOAD = event(inputs=[ORDERS], outputs=[DAILY])


def test_the_events_of_the_window_are_taken(tmp_path):
    times = [
        "2025-11-19T23:59:59.999Z",
        "2025-11-20T00:00:00Z",
        "2025-11-20T23:59:59Z",
        "2025-11-21T00:00:00+00:00",
    ]
    zoned = "2025-11-21T01:30:00+02:00"
    found = read(tmp_path, *[event(at=at, run=str(n)) for n, at in enumerate([*times, zoned])])
    assert sorted(r.id for r in found.runs) == ["1", "2", "4"]


@pytest.mark.parametrize("one_file", [True, False])
def test_a_run_past_midnight_is_told_whole_where_it_ends(tmp_path, one_file):
    before = [
        event("START", "2025-11-19T23:50:00Z", inputs=[ORDERS]),
        event("START", "2025-11-19T23:50:00Z", inputs=[dataset("shop.sales.other")], run="ended"),
        event("START", "2025-11-17T10:00:00Z", inputs=[dataset("shop.sales.old")], run="long"),
    ]
    after = [
        event("COMPLETE", "2025-11-20T00:10:00Z", outputs=[DAILY]),
        event("COMPLETE", "2025-11-20T00:20:00Z", outputs=[DAILY], run="long"),
    ]
    found = read(tmp_path, *before, *after) if one_file else None
    if found is None:
        for name, events in (("a.jsonl", [*before, {"no": "event"}]), ("b.jsonl", after)):
            (tmp_path / name).write_text(as_lines(*events))
        hour_before = datetime(2025, 11, 19, 23, 55, tzinfo=UTC).timestamp()
        os.utime(tmp_path / "a.jsonl", (hour_before, hour_before - 7200))
        found = run_connector(OpenLineage, {"path": "."}, window=DAY, folder=tmp_path)
        assert not found.report.rejects
    assert edges(found) == {("shop.sales.orders", "shop.sales.daily")}
    runs = {run.id: run for run in found.runs}
    assert set(runs) == {"r1", "long"}
    assert runs["r1"].started_at == datetime(2025, 11, 19, 23, 50, tzinfo=UTC)
    assert runs["r1"].status == "SUCCESS"


BROKEN = {
    "{": "is not JSON",
    '{"a": 1}': "is no OpenLineage event",
    "3": "is not a JSON object",
    json.dumps({**LOAD, "eventTime": "yesterday"}): "its eventTime is no ISO 8601 time",
    json.dumps({**LOAD, "eventTime": None}): "has no eventTime",
    json.dumps({**LOAD, "job": {"name": "x"}}): "its job has no namespace",
    json.dumps({**LOAD, "run": {}}): "its run has no runId",
    json.dumps({**LOAD, "inputs": [{"name": "x"}]}): "its inputs: a dataset has no namespace",
}


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_line_is_refused_by_number_and_the_others_go_on(tmp_path, line):
    (tmp_path / "e.jsonl").write_text(f"{as_lines(LOAD)}\n{line}\n{as_lines(event(run='r2'))}")
    found = run_connector(OpenLineage, {"path": "e.jsonl"}, window=DAY, folder=tmp_path)
    (reject,) = found.report.rejects
    assert reject.location == "e.jsonl:3"
    assert BROKEN[line] in reject.cause
    assert [r.id for r in found.runs] == ["r1", "r2"]
    refused = []
    read_events(
        (tmp_path / "e.jsonl").read_bytes().splitlines(), reject=lambda n, cause: refused.append((n, cause))
    )
    assert refused == [(3, reject.cause)]
    with pytest.raises(BadEvent, match="line 3"):
        read_events((tmp_path / "e.jsonl").read_text().splitlines())


def test_a_first_line_that_is_broken_costs_that_line_alone(tmp_path):
    (tmp_path / "e.json").write_text('{"eventTime": \n' + as_lines(LOAD))
    found = run_connector(OpenLineage, {"path": "e.json"}, window=DAY, folder=tmp_path)
    assert [r.location for r in found.report.rejects] == ["e.json:1"]
    assert len(found.runs) == 1


WRITTEN = {
    "one.json": json.dumps(LOAD),
    "pretty.json": json.dumps(LOAD, indent=2),
    "pretty.ndjson": "\ufeff" + json.dumps(LOAD, indent=1) + "\n\n" + json.dumps(LOAD, indent=1),
    "list.json": json.dumps([LOAD, LOAD]),
    "pretty_list.json": "\n\n " + json.dumps([LOAD, LOAD], indent=4),
    "lines.jsonl": "\n" + as_lines(LOAD) + "\n" + as_lines(LOAD).strip(),
    "lists.jsonl": as_lines([LOAD], [LOAD, LOAD]),
}


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("name", WRITTEN)
def test_events_are_read_however_they_are_written(tmp_path, name, packed):
    content = WRITTEN[name].encode()
    (tmp_path / (name + packed)).write_bytes(gzip.compress(content) if packed else content)
    found = run_connector(OpenLineage, {"path": "."}, window=DAY, folder=tmp_path)
    assert found.error is None
    assert edges(found) == {("shop.sales.orders", "shop.sales.daily")}
    assert found.report.complete


def test_a_long_list_is_read_piece_by_piece(tmp_path):
    many = [event(run=f"r{n}", inputs=[ORDERS], outputs=[DAILY]) for n in range(3000)]
    (tmp_path / "e.json").write_text(json.dumps(many, indent=1))
    found = run_connector(OpenLineage, {"path": "e.json", "max_event_mib": 0.01}, window=DAY, folder=tmp_path)
    assert len(found.runs) == 3000
    (tmp_path / "e.json").write_text(json.dumps([*many[:2], "x" * 3_000_000], indent=1))
    found = run_connector(OpenLineage, {"path": "e.json", "max_event_mib": 1}, window=DAY, folder=tmp_path)
    assert len(found.runs) == 2
    assert [r.cause.partition(",")[0] for r in found.report.rejects] == ["is longer than `max_event_mib`"]


def test_a_list_that_breaks_off_is_refused_from_there(tmp_path):
    whole = json.dumps([LOAD, event(run="r2")], indent=1)
    (tmp_path / "e.json").write_text(whole[:-40])
    found = run_connector(OpenLineage, {"path": "e.json"}, window=DAY, folder=tmp_path)
    # The file was written after the window: what has no end may be yet to come.
    assert [r.id for r in found.runs] == ["r1"]
    noon = DAY.start.timestamp() + 12 * 3600
    os.utime(tmp_path / "e.json", (noon, noon))
    found = run_connector(OpenLineage, {"path": "e.json"}, window=DAY, folder=tmp_path)
    assert len(found.report.rejects) == 1


def test_a_path_is_a_file_a_folder_or_a_pattern(tmp_path):
    for name in ("a/one.jsonl", "a/two.json", "b/three.ndjson", "b/notes.txt", ".hidden/four.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(event(run=name)))

    def found(path):
        return sorted(
            r.id for r in run_connector(OpenLineage, {"path": path}, window=DAY, folder=tmp_path).runs
        )

    assert found(".") == ["a/one.jsonl", "a/two.json", "b/three.ndjson"]
    assert found("a/*.jsonl") == ["a/one.jsonl"]
    assert found("*/t*") == ["a/two.json", "b/three.ndjson"]
    assert found("b/notes.txt") == ["b/notes.txt"]
    (tmp_path / "a").rename(tmp_path / "[a]")  # a name that looks like a pattern
    assert found("[a]") == ["a/one.jsonl", "a/two.json"]
    assert found("[a]/*.jsonl") == ["a/one.jsonl"]


def test_files_written_before_the_window_are_left_out(tmp_path):
    (tmp_path / "e.jsonl").write_text(as_lines(LOAD))
    long_ago = DAY.start.timestamp() - 7200
    os.utime(tmp_path / "e.jsonl", (long_ago, long_ago))
    for skip, count in ((True, 0), (False, 1)):
        config = {"path": "e.jsonl", "skip_older": skip}
        assert len(run_connector(OpenLineage, config, window=DAY, folder=tmp_path).runs) == count


def test_a_folder_without_events_is_not_whole(tmp_path):
    found = run_connector(OpenLineage, {"path": "."}, window=DAY, folder=tmp_path)
    assert not found.report.complete
    assert run_connector(OpenLineage, {"path": "nowhere"}, window=DAY, folder=tmp_path).error


def test_a_damaged_file_is_told_and_what_could_be_read_counts(tmp_path):
    packed = gzip.compress(as_lines(*[event(run=os.urandom(16).hex()) for _ in range(5000)]).encode())
    (tmp_path / "e.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    found = run_connector(OpenLineage, {"path": "e.jsonl.gz"}, window=DAY, folder=tmp_path)
    assert 100 < len(found.runs) < 5000
    assert "damaged" in found.report.warnings[0]


def test_the_check_reads_the_first_events(tmp_path):
    (tmp_path / "e.jsonl").write_text(as_lines(LOAD))
    results = check_connector(OpenLineage, {"path": "e.jsonl"}, folder=tmp_path)
    assert [(r.capability, r.ok) for r in results] == [
        ("reach", True),
        ("find files", True),
        ("read events", True),
    ]
    (tmp_path / "e.jsonl").write_text('{"a": 1}\n')
    assert not check_connector(OpenLineage, {"path": "e.jsonl"}, folder=tmp_path)[-1].ok


def test_the_fingerprint_changes_with_the_files(tmp_path, connect):
    assert connect(OpenLineage, path="events").fingerprint() == "absent"
    (tmp_path / "events").mkdir()
    states = []
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / "events" / name).write_text(as_lines(LOAD))
        states.append(connect(OpenLineage, path="events").fingerprint())
    assert len(set(states)) == 2


# -- the official client


def test_what_the_official_client_writes_is_read(tmp_path):
    config = FileConfig(log_file_path=str(tmp_path / "events.jsonl"), append=True)
    client = OpenLineageClient(transport=FileTransport(config))
    run_id, now = "0197f1d6-4b2a-7d2e-9c55-0f6ad5b1a001", datetime.now(UTC)
    job = Job("airflow", "etl.load", facets={"sql": sql_job.SQLJobFacet(query="select 1")})
    source = InputDataset(
        PG,
        "shop.sales.orders",
        facets={
            "schema": schema_dataset.SchemaDatasetFacet(
                fields=[schema_dataset.SchemaDatasetFacetFields("id", "int8")]
            )
        },
    )
    flow = cll.InputField(PG, "shop.sales.orders", "id", [cll.Transformation("INDIRECT", "FILTER")])
    target = OutputDataset(PG, "shop.sales.daily", facets={
        "columnLineage": cll.ColumnLineageDatasetFacet(fields={"id": cll.Fields([flow])}),
        "documentation": documentation_dataset.DocumentationDatasetFacet("by day")})  # fmt: skip
    failed = {"errorMessage": error_message_run.ErrorMessageRunFacet("no", "python")}
    at = now.isoformat()
    other = Run("0197f1d6-4b2a-7d2e-9c55-0f6ad5b1a002", facets=failed)
    copied = OutputDataset("s3://lake", "a/b")
    for one in (
        RunEvent(eventType=State.START, eventTime=at, run=Run(run_id), job=job, inputs=[source]),
        RunEvent(eventType=State.COMPLETE, eventTime=at, run=Run(run_id), job=job, outputs=[target]),
        RunEvent(eventType=State.FAIL, eventTime=at, run=other, job=job),
        JobEvent(eventTime=at, job=Job("cron", "copy"), inputs=[source], outputs=[copied]),
        DatasetEvent(eventTime=at, dataset=StaticDataset(PG, "shop.sales.rates")),
    ):
        client.emit(one)
    client.close()
    always = Window("", datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    found = run_connector(
        OpenLineage, {"path": "events.jsonl", "skip_older": False}, window=always, folder=tmp_path
    )
    assert found.report.complete
    assert edges(found) == {
        ("shop.sales.orders", "shop.sales.daily"),
        ("shop.sales.orders.id", "shop.sales.daily.id"),
        ("shop.sales.orders", "a/b"),
    }
    assert [d.clauses for d in found.declarations if d.kind == "indirect"] == [["where"]]
    assert sorted((r.status, r.error) for r in found.runs) == [("FAILED", "no"), ("SUCCESS", None)]
    assert "postgres://db:5432.shop.sales.rates" in {r.databuilder_id for r in found.resources}
