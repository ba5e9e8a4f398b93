from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import asdict
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import LineageError, StoreError
from connectors.model import Dataset, RefusedRow, TableReport
from connectors.tables import InetType, JSONType, UUIDType
from lineage.store import REFUSED, SnapshotHeader, StoredDataset, maintain, open_store, records_writer
from lineage.store.datasets import table_folder
from lineage.store.rows import ROWS

SCHEMA = pa.schema([("id", pa.int64()), ("v", pa.string())])


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def give(store, rows, *, name="items", keys=("id",), schema=SCHEMA, incremental=False):
    """One run's part of a table."""
    writer = store.records.writer("shop")
    dataset = Dataset(name, tuple(keys), incremental)
    writer.dataset(dataset, schema)
    if rows:
        writer.records(name, pa.RecordBatch.from_pylist(rows, schema=schema))
    return writer.finish()[name]


def after(store, stored, rows, *, settled=True, whole=False, replaces=False, cursors=None, **options):
    dataset, _, part = give(store, rows, **options)
    report = TableReport(rows=len(rows), settled=settled, whole=whole, cursors=cursors)
    return stored.after(dataset, part, report, replaces=replaces)


def rows(*pairs):
    return [{"id": key, "v": value} for key, value in pairs]


def read(store, stored):
    return [tuple(row.values()) for row in store.records.read(stored).to_pylist()]


# -- what counts


def test_a_table_is_replaced_and_an_incremental_one_merged_by_its_key(store):
    whole = after(store, StoredDataset(), rows((1, "a"), (2, "b")))
    assert read(store, after(store, whole, rows((2, "c")))) == [(2, "c")]
    begun = after(store, StoredDataset(), rows((1, "a"), (2, "b")), incremental=True)
    assert read(store, after(store, begun, rows((2, "c"), (3, "d")), incremental=True)) == [
        (1, "a"),
        (2, "c"),
        (3, "d"),
    ]


def test_without_a_key_new_rows_are_appended_and_tagged_with_their_sync(store):
    begun = after(store, StoredDataset(), rows((1, "a")), incremental=True, keys=())
    grown = after(store, begun, rows((1, "a"), (2, "b")), incremental=True, keys=())
    found = store.records.read(grown, with_sync=True).to_pylist()
    assert [(row["id"], row["v"]) for row in found] == [(1, "a"), (1, "a"), (2, "b")]
    assert [row["_headwater_sync"] for row in found] == [
        part.sync for part in grown.settled for _ in range(part.rows)
    ]


def test_a_run_that_did_not_reach_the_end_adds_and_removes_nothing(store):
    whole = after(store, StoredDataset(), rows((1, "a"), (2, "b")))
    cut = after(store, whole, rows((2, "c"), (3, "d")), settled=False)
    assert read(store, cut) == [(1, "a"), (2, "c"), (3, "d")]
    assert read(store, after(store, cut, rows((9, "z")))) == [(9, "z")]


def test_of_a_cut_run_without_a_key_only_what_is_new_counts(store):
    whole = after(store, StoredDataset(), rows((1, "a"), (1, "a"), (2, "b")), keys=())
    cut = after(store, whole, rows((2, "b"), (3, "c"), (3, "c")), settled=False, keys=())
    again = after(store, cut, rows((3, "c"), (4, None)), settled=False, keys=())
    assert read(store, again) == [(1, "a"), (1, "a"), (2, "b"), (3, "c"), (4, None)]


def test_cursors_move_only_with_what_they_cover(store):
    begun = after(store, StoredDataset(), rows((1, "a")), incremental=True, cursors={"items": "1"})
    cut = after(store, begun, rows((2, "b")), incremental=True, settled=False, cursors={"items": "2"})
    assert (begun.cursors, cut.cursors) == ({"items": "1"}, {"items": "1"})
    mended = after(store, cut, rows((2, "b"), (3, "c")), incremental=True, cursors={"items": "3"})
    assert (mended.cursors, len(mended.unsettled)) == ({"items": "3"}, 0)
    assert read(store, mended) == [(1, "a"), (2, "b"), (3, "c")]


def test_a_full_read_of_an_incremental_table_replaces_it(store):
    begun = after(store, StoredDataset(), rows((1, "a"), (2, "b")), incremental=True)
    assert read(store, after(store, begun, rows((2, "x")), incremental=True, replaces=True)) == [(2, "x")]


def test_rows_whose_key_is_unknown_are_all_kept(store):
    stored = after(store, StoredDataset(), rows((None, "a"), (None, "b"), (1, "c"), (1, "d")))
    assert read(store, stored) == [(None, "a"), (None, "b"), (1, "d")]


def test_a_table_whose_columns_change_keeps_its_older_rows(store):
    begun = after(store, StoredDataset(), rows((1, "a"), (2, "7")), incremental=True)
    wider = pa.schema([("id", pa.int64()), ("v", pa.int64()), ("new", pa.bool_())])
    grown = after(store, begun, [{"id": 2, "v": 8, "new": True}], incremental=True, schema=wider)
    assert store.records.read(grown).to_pylist() == [
        {"id": 1, "v": "a", "new": None},
        {"id": 2, "v": "8", "new": True},
    ]


class Model:
    """What a table holds, said in Python: of a key the last, of cut runs without a key what is new."""

    def __init__(self, keyed):
        self.keyed = keyed
        self.settled, self.cut = [], []

    def run(self, given, settled, incremental, full, whole):
        if not settled:
            self.cut = given if whole else self.cut + given
            return
        self.settled = (self.settled if incremental and not full else []) + given
        self.cut = []

    def rows(self):
        if self.keyed:
            return sorted(dict(self.settled + self.cut).items())
        return sorted(self.settled + sorted(set(self.cut) - set(self.settled)))


RUN = st.tuples(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from("ab")), max_size=5),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.booleans(), st.lists(RUN, min_size=1, max_size=5))
def test_any_runs_in_any_order_hold_what_they_say(store, keyed, incremental, runs):
    keys = ("id",) if keyed else ()
    stored, model = StoredDataset(), Model(keyed)
    for given_rows, settled, full, fold, whole in runs:
        options = {
            "settled": settled,
            "whole": whole,
            "incremental": incremental,
            "keys": keys,
            "replaces": full,
        }
        stored = after(store, stored, rows(*given_rows), **options)
        model.run(given_rows, settled, incremental, full, whole)
        if fold and stored.settled:
            stored = store.records.folded("shop", "items", stored, 0)
        assert StoredDataset.from_json(stored.to_json()) == stored
        parts = (*stored.settled, *stored.unsettled)
        assert (sorted(read(store, stored)) if parts else []) == model.rows()


def test_folding_changes_nothing_but_the_number_of_parts(store):
    stored = StoredDataset()
    for at in range(5):
        stored = after(store, stored, rows((at, "a"), (0, f"v{at}")), incremental=True)
    folded = store.records.folded("shop", "items", stored, 4)
    assert (len(stored.settled), len(folded.settled)) == (5, 1)
    assert sorted(read(store, folded)) == sorted(read(store, stored))
    assert folded.settled[0].folder == stored.settled[0].folder


# -- what is written


def test_every_type_is_stored_without_a_loss(store):
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678901)
    columns = {
        "u8": (pa.uint8(), 200, 200),
        "u64": (pa.uint64(), 2**64 - 1, Decimal(2**64 - 1)),
        "f16": (pa.float32(), 1.5, 1.5),
        "big": (pa.large_string(), "é", "é"),
        "bin": (pa.binary(2), b"\x00\xff", b"\x00\xff"),
        "d64": (pa.date64(), moment.date(), moment.date()),
        "t": (pa.time64("us"), moment.time(), "03:04:05.678901"),
        "js": (JSONType(), '{"a":1}', '{"a":1}'),
        "uu": (UUIDType(), uuid.UUID(int=7), str(uuid.UUID(int=7))),
        "ip": (InetType(), "10.0.0.1", "10.0.0.1"),
        "naive": (pa.timestamp("us"), moment, moment),
        "zoned": (pa.timestamp("s", "Europe/Berlin"), 0, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
        "dec": (pa.decimal128(10, 2), Decimal("1.25"), Decimal("1.25")),
        "list": (pa.list_(pa.uint64()), [1, None], [Decimal(1), None]),
        "map": (pa.map_(pa.string(), pa.int8()), [("a", 1)], [("a", 1)]),
        "struct": (pa.struct([("n", pa.uint32())]), {"n": 5}, {"n": 5}),
        "dict": (pa.dictionary(pa.int8(), pa.string()), "a", "a"),
        "none": (pa.null(), None, None),
    }
    schema = pa.schema([(name, kind) for name, (kind, _, _) in columns.items()])
    arrays = []
    for kind, value, _ in columns.values():
        if isinstance(kind, pa.BaseExtensionType):
            stored = value.bytes if isinstance(value, uuid.UUID) else value
            arrays.append(pa.ExtensionArray.from_storage(kind, pa.array([stored, None], kind.storage_type)))
        else:
            arrays.append(pa.array([value, None], kind))
    writer = store.records.writer("shop")
    writer.dataset(Dataset("types"), schema)
    writer.records("types", pa.RecordBatch.from_arrays(arrays, schema=schema))
    dataset, _, part = writer.finish()["types"]
    stored = StoredDataset().after(dataset, part, TableReport(), replaces=False)
    found = store.records.read(stored).to_pylist()
    assert found[0] == {name: wanted for name, (_, _, wanted) in columns.items()}
    assert set(found[1].values()) == {None}


@pytest.mark.parametrize(
    ("before", "after_", "told"),
    [
        ((pa.int64(), 2**53 + 1), (pa.float64(), 1.5), [str(2**53 + 1), "1.5"]),
        ((pa.int64(), 1), (pa.timestamp("us"), dt.datetime(2026, 1, 2)), ["1", "2026-01-02 00:00:00"]),
        (
            (pa.decimal128(38, 0), Decimal(10**37)),
            (pa.decimal128(38, 10), Decimal("1.5")),
            [str(10**37), "1.5000000000"],
        ),
        ((pa.int32(), 1), (pa.int64(), 2**40), [1, 2**40]),
        ((pa.bool_(), True), (pa.list_(pa.int64()), [1, 2]), ["true", "[1, 2]"]),
    ],
)
def test_a_column_whose_type_has_changed_keeps_every_value(store, before, after_, told):
    stored = StoredDataset()
    for at, (kind, value) in enumerate((before, after_)):
        schema = pa.schema([("id", pa.int64()), ("v", kind)])
        given_rows = [{"id": at, "v": value}]
        stored = after(store, stored, given_rows, schema=schema, incremental=True)
    for one in (stored, store.records.folded("shop", "items", stored, 1)):
        assert store.records.read(one)["v"].to_pylist() == told


def test_cut_runs_of_hosted_plugins_are_told_apart_by_their_rows_alone(store):
    schema = pa.schema([("id", pa.int64()), ("_cq_sync_time", pa.int64())])
    stored = StoredDataset()
    for at in range(3):
        given_rows = [{"id": 1, "_cq_sync_time": at}, {"id": 2, "_cq_sync_time": at}]
        stored = after(store, stored, given_rows, schema=schema, settled=at == 0, keys=())
    assert store.records.read(stored)["id"].to_pylist() == [1, 2]


def test_a_table_that_never_had_records_is_empty(store):
    assert store.records.read(StoredDataset()).num_rows == 0


@pytest.mark.parametrize("name", ["", "\0", "a\nb"])
def test_a_column_without_a_readable_name_is_refused(store, name):
    with pytest.raises(StoreError, match="a column is named"):
        store.records.writer("shop").dataset(Dataset("items"), pa.schema([(name, pa.int64())]))


def test_a_table_cannot_be_named_as_the_refused_are(store):
    with pytest.raises(StoreError, match="a table is named _refused"):
        store.records.writer("shop").dataset(Dataset(REFUSED), SCHEMA)


def test_refused_rows_are_bounded_in_memory(store, monkeypatch):
    monkeypatch.setattr(records_writer, "_FLUSH_BYTES", 1 << 20)
    writer = store.records.writer("shop")
    most = 0
    for at in range(20_000):
        writer.refused(RefusedRow("items", str(at), "v", "str", "half \ud800", "x" * 200))
        most = max(most, writer._tables[REFUSED].size)
    assert most < 2 << 20
    assert writer.finish()[REFUSED].part.rows == 20_000


def test_a_column_may_be_named_as_what_the_reading_uses(store):
    schema = pa.schema(
        [("id", pa.int64()), ("place", pa.string()), ("places", pa.string()), ("part_0", pa.string())]
    )
    given_rows = [{"id": 1, "place": "a", "places": "b", "part_0": "c"}]
    stored = after(store, StoredDataset(), given_rows, schema=schema)
    assert store.records.read(stored).to_pylist() == given_rows
    with pytest.raises(StoreError, match="_Headwater_x begins with _headwater_"):
        store.records.writer("shop").dataset(Dataset("items"), pa.schema([("_Headwater_x", pa.int64())]))


def test_no_table_lies_outside_of_its_connection(store):
    for name in ("..", "../../x", ".", "a/../../b"):
        folder = table_folder("shop", name, SCHEMA)
        assert folder.startswith("records/shop/")
        assert ".." not in folder.split("/")


def test_columns_that_differ_in_case_only_are_refused(store):
    schema = pa.schema([("Id", pa.int64()), ("id", pa.int64())])
    with pytest.raises(StoreError, match="shop_items: the columns Id and id are one"):
        store.records.writer("shop").dataset(Dataset("shop_items"), schema)


@pytest.mark.parametrize("name", ["a b", "a/b", "ä%41[x]", "..", "x" * 300, "a.b", "A", "'q'"])
def test_any_table_name_has_a_place_of_its_own(store, name):
    stored = after(store, StoredDataset(), rows((1, name)), name=name)
    assert read(store, stored) == [(1, name)]
    assert table_folder("shop", name, SCHEMA) != table_folder("shop", name.lower() + "_", SCHEMA)


def test_memory_is_bounded_over_all_tables(store, monkeypatch):
    monkeypatch.setattr(records_writer, "_FLUSH_BYTES", 1 << 20)
    monkeypatch.setattr(records_writer, "_MOST_BYTES", 2 << 20)
    writer = store.records.writer("shop")
    batch = pa.RecordBatch.from_pylist(rows(*((i, "x" * 100) for i in range(2000))), schema=SCHEMA)
    names = [f"t{at}" for at in range(20)]
    for name in names:
        writer.dataset(Dataset(name, ("id",)), SCHEMA)
    most = 0
    for _ in range(8):
        for name in names:
            writer.records(name, batch)
            most = max(most, sum(one.size for one in writer._tables.values()))
    assert most <= (2 << 20) + batch.nbytes
    parts = writer.finish()
    assert {table.part.rows for table in parts.values()} == {16_000}
    stored = StoredDataset().after(parts["t0"].dataset, parts["t0"].part, TableReport(), replaces=False)
    assert read(store, stored)[-1] == (1999, "x" * 100)


def test_refused_rows_are_a_table_of_their_own(store):
    writer = store.records.writer("shop")
    refused = [RefusedRow("items", f'{{"id":{at}}}', "v", "int", "does not fit", "{}") for at in range(2500)]
    for row in refused:
        writer.refused(row)
    dataset, _, part = writer.finish()[REFUSED]
    stored = StoredDataset().after(dataset, part, TableReport(), replaces=False)
    assert store.records.read(stored).to_pylist() == [asdict(row) for row in refused]


# -- with snapshots


def commit(store, key, given, *, complete=True):
    """A run that gave these tables."""
    parts = {name: give(store, given_rows, name=name) for name, given_rows in given.items()}

    def datasets(stand, whole):
        return {
            name: stand.get(name, StoredDataset()).after(
                part.dataset, part.part, TableReport(), replaces=False
            )
            for name, part in parts.items()
        }

    header = SnapshotHeader("shop", key, f"run-{key}", complete, started_at=key)
    return store.snapshots.commit(header, ROWS.empty_table(), datasets=datasets)[0]


def test_records_can_be_asked_as_of_a_partition(store):
    commit(store, "2026-11-01", {"items": rows((1, "a"))})
    commit(store, "2026-11-02", {"items": rows((1, "b"))})
    assert store.read_records("shop", "items").to_pylist() == rows((1, "b"))
    assert store.read_records("shop", "items", "2026-11-01").to_pylist() == rows((1, "a"))
    with pytest.raises(LineageError, match=r"no records are stored of shop/orders \(its tables: items\)"):
        store.read_records("shop", "orders")
    with pytest.raises(LineageError, match="its tables: none"):
        store.read_records("nobody", "items")


def test_maintenance_removes_what_no_header_names_and_nothing_else(store):
    commit(store, "2026-11-01", {"items": rows((1, "a"))})
    give(store, rows((2, "never named")))
    give(store, rows((3, "never named")), name="orphan")
    report = maintain(store, keep_days=None, today=dt.date(2026, 11, 3), retention_hours=0)
    assert report.contents_removed == 2
    assert store.read_records("shop", "items").to_pylist() == rows((1, "a"))
    files = [
        file for file in (store_path(store) / "records").rglob("*.parquet") if "_delta_log" not in str(file)
    ]
    assert len(files) == 1


def store_path(store):
    from pathlib import Path

    return Path(store.uri)


def test_a_write_under_way_is_not_taken_for_waste(store):
    give(store, rows((1, "under way")))
    assert maintain(store, keep_days=None, today=dt.date(2026, 11, 3)).contents_removed == 0


def test_old_partitions_take_their_records_with_them(store):
    commit(store, "2026-10-01", {"items": rows((1, "old"))})
    commit(store, "2026-11-02", {"items": rows((1, "new"))})
    maintain(store, keep_days=7, today=dt.date(2026, 11, 3), retention_hours=0)
    assert store.read_records("shop", "items").to_pylist() == rows((1, "new"))
    assert store.snapshots.newest("shop", "2026-10-01") is None


def test_cursors_can_be_reset(store):
    parts = {name: give(store, rows((1, "a")), name=name, incremental=True) for name in ("items", "orders")}

    def datasets(stand, whole):
        report = TableReport(cursors={"k": "7"})
        return {
            name: StoredDataset().after(part.dataset, part.part, report, replaces=False)
            for name, part in parts.items()
        }

    header = SnapshotHeader("shop", "2026-11-01", "run", True, state={"token": "x"})
    store.snapshots.commit(header, ROWS.empty_table(), datasets=datasets)
    store.snapshots.reset("shop", ["items"])
    found = store.snapshots.newest("shop")
    assert {name: one.cursors for name, one in store.snapshots.datasets(found).items()} == {
        "items": {},
        "orders": {"k": "7"},
    }
    assert found.state == {"token": "x"}
    store.snapshots.reset("shop")
    found = store.snapshots.newest("shop")
    assert (store.snapshots.datasets(found)["orders"].cursors, found.state) == ({}, {})
    assert store.read_records("shop", "items").num_rows == 1
    with pytest.raises(LineageError, match="shop has no table nothing"):
        store.snapshots.reset("shop", ["nothing"])
    with pytest.raises(LineageError, match="nothing is stored"):
        store.snapshots.reset("nobody")
