"""What a snapshot keeps of other systems: runs, how lineage comes about, and the names of places."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from connectors import DeclaredLineage, ExternalRun, InternalResource, Resource
from lineage.store.snapshot import SnapshotHeader, read_header
from lineage.store.writer import SnapshotWriter

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENDS = {
    "from_identifier": InternalResource(databuilder_id="a"),
    "to_identifier": InternalResource(databuilder_id="b"),
}


def stored(*declared, **settings):
    writer = SnapshotWriter(None, **settings)
    for one in declared:
        take = {DeclaredLineage: writer.declaration, ExternalRun: writer.run, Resource: writer.resource}
        take[type(one)](one)
    return writer.rows().to_pylist()


def test_a_plain_declaration_is_stored_as_ever():
    (row,) = stored(
        DeclaredLineage(**ENDS), DeclaredLineage(**ENDS, kind="direct", clauses=[], location=None)
    )
    assert row["body"] is None
    assert row["digest"] == row["key"] == "6e6e061da08d290c29c0477b2f636ee4"


def test_how_lineage_comes_about_is_part_of_what_it_is():
    more = {"kind": "indirect", "clauses": ["where"], "expression": "a > 1", "location": "dbt/load"}
    rows = stored(
        DeclaredLineage(**ENDS), DeclaredLineage(**ENDS, **more), DeclaredLineage(**ENDS, location="x")
    )
    assert len({row["digest"] for row in rows}) == 3
    assert sorted((orjson.loads(row["body"] or "{}") for row in rows), key=len) == [
        {},
        {"location": "x"},
        more,
    ]


def test_a_run_is_stored_by_its_id_and_job_and_the_last_counts():
    begun = ExternalRun(id="r1", job="dbt/load", status="RUNNING", started_at=NOON)
    ended = begun.model_copy(update={"status": "FAILED", "ended_at": NOON, "error": "no", "outputs": ["b"]})
    other = begun.model_copy(update={"job": "dbt/other"})
    rows = stored(begun, ended, other)
    assert [row["kind"] for row in rows] == ["run", "run"]
    assert [ExternalRun.model_validate_json(row["body"]) for row in rows] == [ended, other]
    assert len({row["digest"] for row in rows}) == 2


def test_a_job_s_sql_is_stored_as_sql_is():
    job = Resource(entity_type="job", databuilder_id="j", definition="select 'ada@example.com'")
    view = Resource(entity_type="table", databuilder_id="t", definition="select 'of no query'")
    rows = stored(job, view, keep_sql=lambda sql, _: sql.replace("ada@example.com", "?"), kept="masked")
    assert [orjson.loads(row["body"])["definition"] for row in rows] == ["select '?'", "select 'of no query'"]
    (row,) = stored(job, keep_sql=lambda *_: None, kept="none")
    assert "definition" not in orjson.loads(row["body"])


@pytest.mark.parametrize("addresses", [(), ["postgres://db:5432/shop"]])
def test_a_header_keeps_origin_and_addresses(addresses):
    header = SnapshotHeader("c", "2026-11-20", "r", complete=True, origin="openlineage", addresses=addresses)
    read = read_header({"header": header.to_json()})
    assert (read.origin, list(read.addresses)) == ("openlineage", list(addresses))


def test_an_older_header_was_declared():
    known = orjson.loads(SnapshotHeader("c", "2026-11-20", "r", complete=True).to_json())
    del known["origin"], known["addresses"]
    read = read_header({"header": orjson.dumps(known).decode()})
    assert (read.origin, read.addresses) == ("declared", ())
