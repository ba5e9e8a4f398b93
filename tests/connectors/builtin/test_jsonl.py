from __future__ import annotations

import gzip
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.builtin.jsonl import Jsonl
from connectors.errors import UnexpectedAnswer, Unreachable
from connectors.model import DeclaredLineage, Resource
from tests.connectors.builtin.collecting import run

TABLE = {
    "entity_type": "table",
    "databuilder_id": "shop.orders",
    "schema": "sales",
    "owners": ["a@example.com"],
}
LINEAGE = {
    "from_identifier": {"type": "tables_from_query", "sql": "select 1"},
    "to_identifier": {"type": "internal_resource", "databuilder_id": "shop.orders"},
}


@pytest.fixture
def write(tmp_path):
    def run(name, *lines):
        text = b"".join(
            line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines
        )
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return name

    return run


def test_resources_and_lineage_are_declared_as_they_stand(write, extract):
    found = extract(Jsonl, resources=write("r.jsonl", TABLE), lineage=write("l.jsonl", LINEAGE))
    assert found["shop.orders"] == Resource(**TABLE)
    assert found.declarations == [DeclaredLineage.model_validate(LINEAGE)]
    assert found.report.complete


@pytest.mark.parametrize("config", ["resources", "lineage"])
def test_either_file_may_stand_alone(write, extract, config):
    found = extract(Jsonl, **{config: write("x.jsonl", TABLE if config == "resources" else LINEAGE)})
    assert found.report.succeeded == 1


def test_a_name_that_ends_in_gz_is_unpacked(write, extract):
    assert "shop.orders" in extract(Jsonl, resources=write("r.jsonl.gz", TABLE)).resources


def test_bad_lines_are_named_by_number_and_the_others_go_on(write, extract):
    path = write(
        "r.jsonl",
        TABLE,
        b"{torn\n",
        b"\n",
        b"   \r\n",
        {**TABLE, "databuilder_id": 7},
        b"\xff\xfe\n",
        b"[]\n",
        {**TABLE, "databuilder_id": "b"},
    )
    found = extract(Jsonl, resources=path)
    assert list(found.resources) == ["shop.orders", "b"]
    assert [r.location for r in found.report.rejects] == [f"r.jsonl:{n}" for n in (2, 5, 6, 7)]
    assert "databuilder_id: Input should be a valid string" in found.report.rejects[1].cause
    assert all("\n" not in r.cause for r in found.report.rejects)
    assert (found.report.attempted, found.report.succeeded, found.report.failed) == (6, 2, 4)


def test_the_value_of_a_bad_line_is_not_repeated(write, extract):
    found = extract(Jsonl, resources=write("r.jsonl", {**TABLE, "sort_order": "my-secret"}))
    assert "my-secret" not in found.report.rejects[0].cause


def test_all_bad_lines_are_counted_when_there_are_many(write, extract):
    found = extract(Jsonl, resources=write("r.jsonl", *[b"x\n"] * 500))
    assert found.report.failed == 500


def test_a_mark_windows_line_ends_and_a_missing_last_line_end_are_no_trouble(write, extract):
    text = json.dumps(TABLE).encode()
    other = json.dumps({**TABLE, "databuilder_id": "b"}).encode()
    found = extract(Jsonl, resources=write("r.jsonl", b"\xef\xbb\xbf" + text + b"\r\n", other))
    assert list(found.resources) == ["shop.orders", "b"]
    assert found.report.complete


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_a_line_over_the_limit_is_refused_and_the_next_is_read(write, extract, name):
    long = {**TABLE, "description": "x" * 5_000_000}
    found = extract(Jsonl, resources=write(name, long, TABLE, long), max_line_mib=0.01)
    assert list(found.resources) == ["shop.orders"]
    assert [r.location for r in found.report.rejects] == [f"{name}:1", f"{name}:3"]


@given(st.lists(st.integers(0, 40), max_size=8), st.booleans())
def test_a_line_is_taken_if_and_only_if_it_fits(tmp_path_factory, sizes, ends):
    folder = tmp_path_factory.mktemp("lines")
    lines = [
        json.dumps({"entity_type": "t", "databuilder_id": f"{n}" + "x" * size})
        for n, size in enumerate(sizes)
    ]
    (folder / "r.jsonl").write_text("\n".join(lines) + ("\n" if ends else ""))
    limit = 60
    found = run(Jsonl, folder, resources="r.jsonl", max_line_mib=limit / 1024 / 1024)
    assert list(found.resources) == [
        json.loads(line)["databuilder_id"] for line in lines if len(line) <= limit
    ]


def test_a_missing_file_is_named_before_anything_is_read(write, extract, failed):
    with pytest.raises(Unreachable, match=r"gone\.jsonl cannot be read: No such file"):
        extract(Jsonl, resources=write("r.jsonl", TABLE), lineage="gone.jsonl")
    assert list(failed(Jsonl, resources="r.jsonl", lineage="gone.jsonl")) == ["read lineage"]


def test_a_folder_is_no_file(extract, tmp_path):
    (tmp_path / "r.jsonl").mkdir()
    with pytest.raises(Unreachable, match="directory"):
        extract(Jsonl, resources="r.jsonl")


@pytest.mark.parametrize(
    "damage",
    [lambda packed: packed[:-12], lambda packed: b"plain text", lambda packed: packed[:40] + b"\0" * 40],
)
def test_a_damaged_gzip_file_fails_the_run(extract, failed, tmp_path, damage):
    lines = b"".join(
        json.dumps({**TABLE, "databuilder_id": os.urandom(8).hex()}).encode() + b"\n" for _ in range(500)
    )
    (tmp_path / "r.jsonl.gz").write_bytes(damage(gzip.compress(lines)))
    with pytest.raises(UnexpectedAnswer, match=r"r\.jsonl\.gz is not a whole gzip file"):
        extract(Jsonl, resources="r.jsonl.gz")


def test_the_check_reads_the_first_line(write, connect, failed):
    good = write("r.jsonl", TABLE)
    assert [
        r.capability for r in connect(Jsonl, resources=good, lineage=write("l.jsonl")).check() if r.ok
    ] == [
        "read resources",
        "read lineage",
    ]
    assert "r.jsonl:1: from_identifier" in failed(Jsonl, lineage=good)["read lineage"]


def test_the_fingerprint_changes_with_the_content_only(write, connect, tmp_path):
    config = {"resources": write("r.jsonl", TABLE), "lineage": "l.jsonl"}
    first = connect(Jsonl, **config).fingerprint()
    os.utime(tmp_path / "r.jsonl", (1, 1))
    assert connect(Jsonl, **config).fingerprint() == first
    write("l.jsonl", LINEAGE)
    second = connect(Jsonl, **config).fingerprint()
    write("r.jsonl", {**TABLE, "databuilder_id": "shop.orderz"})
    assert len({first, second, connect(Jsonl, **config).fingerprint()}) == 3


def test_no_file_at_all_is_a_fault():
    with pytest.raises(ValidationError, match="give resources, lineage, or both"):
        Jsonl.Config()
