"""Snapshots: what one run of a connection gave for a partition, committed and read.

A partial run lies beside the partition's complete state, over which readers lay it; a complete run clears it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from connectors.errors import LineageError, StoreError
from lineage.store.datasets import StoredDataset
from lineage.store.rows import ROWS, content_hash, distinct, is_logged, query_key
from lineage.store.tables import Change, ContentTable, Rows

COMPLETE, PARTIAL = "complete", "partial"
BY_HAND = "by hand"  # the scope of what people have added; no connection is called so
# What derived datasets and sinks are said to be of; no connection may be called so. Each has a scope of its own.
DATASETS, SINKS = "datasets", "sinks"
# In SQL: those whose declarations name whole ids, a connection and the key there.
NAMES_WHOLE_IDS = f"('{BY_HAND}', '{DATASETS}', '{SINKS}')"


def dataset_scope(name: str) -> str:
    """Where the snapshots of a derived dataset lie."""
    return f"{DATASETS}/{name}"


def sink_scope(sink: str, dataset: str) -> str:
    """Where the snapshots of a sink's deliveries of a dataset lie."""
    return f"{SINKS}/{sink}/{dataset}"


# From what stood of each table's records, and whether the run is complete: what stands after it.
DatasetsAfter = Callable[[Mapping[str, StoredDataset], bool], Mapping[str, StoredDataset]]


@dataclass(frozen=True)
class SnapshotHeader:
    """What is known of a snapshot without reading its rows. Times are ISO texts in UTC.

    `counts` are of distinct rows by kind (resource, declaration, statement, query, run); `open` says that the
    partition had not ended when the run began; `held_back` that a complete run lost so much that it only added.
    `origin` is that of the edges that its declarations become; `addresses` are the names that other systems have for
    its system, without any secret.
    """

    connection: str
    partition: str
    run_id: str
    complete: bool
    open: bool = False
    windowed: bool = False
    content: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    size_bytes: int = 0
    started_at: str = ""
    ended_at: str = ""
    instance: str = ""
    platform: str = ""
    dialect: str | None = None
    origin: str = "declared"
    addresses: Sequence[str] = ()
    attempted: int = 0
    failed: int = 0
    warnings: Sequence[str] = ()
    warning_count: int = 0
    rejects: Sequence[str] = ()
    held_back: str | None = None
    state: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS).decode()


class Snapshots:
    """The snapshots of all connections, in one Delta table."""

    def __init__(self, table: ContentTable) -> None:
        self.table = table

    def headers(self, connection: str | None = None) -> list[SnapshotHeader]:
        """Stored snapshots' headers, by connection and partition, a partition's complete one first."""
        return [read_header(row) for row in self.table.headers(None if connection is None else [connection])]

    def scan(
        self,
        engine: duckdb.DuckDBPyConnection,
        name: str,
        contents: Sequence[tuple[str, str]],
        only: str | None = None,
    ) -> None:
        """Makes the view `name` of the rows of contents, each (connection, hash), in no order; with `only` of those in
        that table (kind, key).
        """
        self.table.scan(engine, name, contents, only)

    def programs(self, connection: str) -> dict[str, bytes]:
        """The compiled programs in the connection's newest snapshot, by query key; those of folded logs, and those
        whose text was stored in full, as only they hold all that compiling the text again would give.
        """
        newest = self.table.headers([connection])[-1:]
        rows = self.table.rows([(connection, row["content"]) for row in newest], kind="query")
        return {
            row["key"]: row["program"]
            for row in rows.select(["key", "sql", "dialect", "program"]).to_pylist()
            if is_logged(row["key"])
            or (row["sql"] is not None and query_key(row["sql"], row["dialect"]) == row["key"])
        }

    def state(self, connection: str, partition: str) -> dict[str, Any]:
        """What the connection's newest complete run, at or before the partition, left to go on from."""
        rows = [
            r for r in self.table.headers([connection]) if r["kind"] == COMPLETE and r["key"] <= partition
        ]
        return dict(read_header(rows[-1]).state) if rows else {}

    def newest(self, connection: str, partition: str | None = None) -> SnapshotHeader | None:
        """The last snapshot, complete or partial, that was stored for the partition or one before it."""
        return last_of([h for h in self.headers(connection) if partition is None or h.partition <= partition])

    def datasets(self, header: SnapshotHeader) -> dict[str, StoredDataset]:
        """What stands of each table's records after a stored run, by the table's name."""
        return _datasets(self.table.beside(header.connection, header.partition, _kind(header)) or "{}")

    def all_datasets(self) -> list[StoredDataset]:
        """What stands after every stored run, of one moment."""
        return [one for data in self.table.all_beside() for one in _datasets(data).values()]

    def reset(self, connection: str, tables: Sequence[str] | None = None) -> None:
        """Forgets where the next run would go on: of some tables, or of all and the connector's own state.

        Raises LineageError when nothing is stored of the connection, or no such table, or no cursor of it.
        """
        headers = self.headers(connection)
        newest = last_of(headers)
        if newest is None:
            raise LineageError(f"nothing is stored of a connection named {connection}")
        stand = self.datasets(newest)
        if unknown := sorted(set(tables or ()) - set(stand)):
            known = ", ".join(stand) or "none"
            raise LineageError(f"{connection} has no table {', '.join(unknown)}", hint=f"it has {known}")
        if without := [name for name in tables or () if not stand[name].cursors]:
            raise LineageError(
                f"{connection}/{without[0]} has no cursor of its own",
                hint="`headwater state show` tells which tables have; or reset the connection as a whole",
            )
        reset = {
            name: replace(one, cursors={}) if tables is None or name in tables else one
            for name, one in stand.items()
        }
        self._rewrite(replace(newest, state={} if tables is None else newest.state), reset)
        complete = last_of([header for header in headers if header.complete])
        if tables is None and complete is not None and complete != newest:
            self._rewrite(replace(complete, state={}), self.datasets(complete))

    def _rewrite(self, header: SnapshotHeader, datasets: Mapping[str, StoredDataset]) -> None:
        """Puts a stored header in its own place, changed. Raises StoreError when a run was stored meanwhile."""
        kind = _kind(header)

        def plan(known: list[dict[str, str]]) -> Change:
            there = [r for r in known if (r["key"], r["kind"]) == (header.partition, kind)]
            if [read_header(row).run_id for row in there] != [header.run_id]:
                raise StoreError(f"a run of {header.connection} was stored meanwhile", hint="try it again")
            beside = _beside(datasets)
            return Change(
                kind, header.to_json(), header.content, lambda: Rows.of(ROWS.empty_table()), beside=beside
            )

        self.table.replace(header.connection, header.partition, plan)

    def edit_by_hand(self, partition: str, edit: Callable[[pa.Table], pa.Table]) -> None:
        """Stores what people have added as it is after `edit`, from the partition on; earlier ones keep what they had.

        `edit` is given the newest rows and gives those that are to stand; it is called again when the commit was lost
        to another.
        """

        def plan(known: list[dict[str, str]]) -> Change:
            last = [read_header(row) for row in known[-1:]]
            stand = self.table.rows([(BY_HAND, header.content) for header in last]).select(ROWS.names)
            rows = distinct(edit(stand))
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            header = SnapshotHeader(BY_HAND, key, "", True, origin="manual", started_at=now, ended_at=now)
            stored = replace(header, content=content_hash(rows), counts={"declaration": rows.num_rows})
            return Change(COMPLETE, stored.to_json(), stored.content, lambda: Rows.of(rows))

        newest = self.newest(BY_HAND)
        key = max(partition, newest.partition) if newest else partition
        self.table.replace(BY_HAND, key, plan)

    def forget(self, connection: str) -> None:
        """Deletes all that is stored of a connection; maintenance removes the files."""
        self.table.delete_scope(connection)

    def commit(
        self,
        header: SnapshotHeader,
        rows: pa.Table,
        *,
        keep_missing: bool = False,
        max_drop: float | None = None,
        complete_rows: Callable[[pa.Table], pa.Table] = lambda rows: rows,
        datasets: DatasetsAfter | None = None,
        renamed_from: str | None = None,
    ) -> tuple[SnapshotHeader, bool]:
        """Stores a run's rows; gives the header as stored and whether rows were written.

        A complete run replaces the partition's state. With `keep_missing` it is merged into the newest
        complete one. When it has lost more than the share `max_drop` of the newest complete one's resources
        it is held back: stored as partial, so that it adds and updates and removes nothing.

        `renamed_from` is what the connection was called: its state counts where this name has none.

        `complete_rows` is called only when rows are written: what it adds (compiled programs) is not part of the
        content's hash, and an extract that is equal to one stored costs none of it. `datasets` gives what stands of
        the records after the run, from what stood in the last snapshot; it may raise when that is not what the run
        began from.
        """
        stored: list[SnapshotHeader] = []
        older: list[SnapshotHeader] = []
        if renamed_from:
            named = [h for h in self.headers(renamed_from) if h.complete and h.partition <= header.partition]
            older = named[-1:]

        def plan(known: list[dict[str, str]]) -> Change:
            earlier = [row for row in known if row["kind"] == COMPLETE and row["key"] <= header.partition]
            before = [read_header(row) for row in earlier[-1:]] or older
            final = _held_back(header, rows, before[0], max_drop) if before and header.complete else header
            merged = rows
            if not final.complete:
                partial = [row for row in known if row["kind"] == PARTIAL and row["key"] == header.partition]
                merged = self._under(rows, [read_header(row) for row in partial])
            elif keep_missing and not header.windowed:
                merged = self._under(rows, before)
            stand: Mapping[str, StoredDataset] = {}
            if datasets is not None:
                last = last_of([read_header(row) for row in known if row["key"] <= header.partition])
                stand = datasets(self.datasets(last) if last else {}, final.complete)
            counts = {
                str(c["values"]): int(c["counts"])
                for c in pa.compute.value_counts(merged["kind"]).to_pylist()
            }
            final = replace(final, content=content_hash(merged), counts=counts, size_bytes=merged.nbytes)
            stored[:] = [final]
            clears = (PARTIAL,) if final.complete else ()
            return Change(
                _kind(final),
                final.to_json(),
                final.content,
                lambda: Rows.of(complete_rows(merged)),
                clears,
                _beside(stand),
            )

        written = self.table.replace(header.connection, header.partition, plan)
        return stored[0], written

    def copy_complete(self, other: Snapshots, connection: str, partition: str) -> None:
        """Stores another store's newest complete state of a connection, at or before a partition, if it has one;
        without what its next run would go on from.
        """
        complete = [one for one in other.headers(connection) if one.complete and one.partition <= partition]
        if not complete:
            return
        header = replace(complete[-1], state={})
        rows = other.table.rows([(connection, header.content)]).select(ROWS.names)
        change = Change(COMPLETE, header.to_json(), header.content, lambda: Rows.of(rows))
        self.table.replace(connection, header.partition, lambda _: change)

    def _under(self, rows: pa.Table, older: Sequence[SnapshotHeader]) -> pa.Table:
        if not older:
            return rows
        below = self.table.rows([(h.connection, h.content) for h in older]).select(ROWS.names)
        return distinct(pa.concat_tables([below, rows]))


def _kind(header: SnapshotHeader) -> str:
    return COMPLETE if header.complete else PARTIAL


def _datasets(data: str) -> dict[str, StoredDataset]:
    return {name: StoredDataset.from_json(one) for name, one in orjson.loads(data).items()}


def _beside(datasets: Mapping[str, StoredDataset]) -> str | None:
    """What lies beside a header: it may be large, of many tables, and most who read headers do not need it."""
    told = {name: one.to_json() for name, one in datasets.items()}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode() if told else None


def last_of(headers: Sequence[SnapshotHeader]) -> SnapshotHeader | None:
    """The newest of runs, by partition and by time."""
    return max(headers, key=lambda header: (header.partition, header.started_at), default=None)


def read_header(row: Mapping[str, str]) -> SnapshotHeader:
    """A header row's content."""
    return SnapshotHeader(**orjson.loads(row["header"]))


def _held_back(
    header: SnapshotHeader, rows: pa.Table, before: SnapshotHeader, max_drop: float | None
) -> SnapshotHeader:
    had = before.counts.get("resource", 0)
    have = pa.compute.sum(pa.compute.equal(rows["kind"], "resource")).as_py() or 0
    if max_drop is None or had - have <= had * max_drop:
        return header
    why = f"{had - have} of {had} resources are gone since {before.partition}, more than max_drop allows"
    return replace(header, complete=False, held_back=why)
