"""Which snapshots make the graph of a partition, and their rows as relations of an embedded engine.

The rule: of each connection its newest complete partition at or before the graph's, and over it what partial
runs added since; of a windowed connection every partition within its lookback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

import duckdb
import orjson
import pyarrow as pa

from lineage.graph.unresolved import MISSING
from lineage.platforms import place_of
from lineage.store.rows import ROWS, digest_of
from lineage.store.snapshot import BY_HAND, COMPLETE, SnapshotHeader, Snapshots, read_header

LOOKBACK_DAYS = 30
# Of the code that makes graphs: a higher number builds them again from the same snapshots.
GRAPH_VERSION = 2
# Snapshots of up to so many bytes are read once and kept; larger ones are scanned for each kind of rows.
_KEPT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class ConnectionSpec:
    """What the graph must know of a connection. `defaults` has instance, database, schema, dialect where
    given. `scope` is where its snapshots lie where that is not its name: derived datasets share one name.
    """

    name: str
    instance: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    lookback_days: int = LOOKBACK_DAYS
    infer_tables: bool = False
    emit_lineage: bool = True
    renamed_from: str | None = None
    scope: str = ""


@dataclass(frozen=True)
class Source:
    """One snapshot that takes part, and where it lies. The order of sources is that in which they are laid over each
    other.
    """

    connection: str
    header: SnapshotHeader
    snapshots: Snapshots

    @property
    def told(self) -> dict[str, str]:
        """As a graph's header tells it; `scope` and `content` say where its rows lie."""
        header = self.header
        seen = {"connection": self.connection, "partition": header.partition, "run_id": header.run_id}
        return seen | {"scope": header.connection, "content": header.content}


def select_sources(
    snapshots: Snapshots,
    connections: Sequence[ConnectionSpec],
    partition: str,
    else_from: Sequence[Snapshots] = (),
) -> list[Source]:
    """The snapshots that make the graph of `partition`, by connection, in the order of laying.

    The last is what people have added by hand, where they have. Of what `snapshots` has nothing, the places of
    `else_from` are asked in turn.
    """
    chosen: list[Source] = []
    missing = sorted(connections, key=lambda spec: (spec.name, spec.scope))
    for place in (snapshots, *else_from):
        by_hand = any(source.connection == BY_HAND for source in chosen)
        stored = _stored(place, missing, partition, by_hand=not by_hand)
        found = [_of_spec(stored, spec, partition) for spec in missing]
        taken = [(spec.name, row) for spec, rows in zip(missing, found, strict=True) for row in rows]
        taken += [(BY_HAND, row) for row in stored.get(BY_HAND, [])[-1:]]
        chosen += [Source(name, read_header(row), place) for name, row in taken]
        missing = [spec for spec, rows in zip(missing, found, strict=True) if not rows]
    return sorted(chosen, key=lambda source: (source.connection == BY_HAND, source.connection))


def _scopes(spec: ConnectionSpec) -> list[str]:
    return [scope for scope in (spec.renamed_from, spec.scope or spec.name) if scope]


def _stored(
    snapshots: Snapshots, connections: Sequence[ConnectionSpec], partition: str, *, by_hand: bool
) -> dict[str, list[dict[str, str]]]:
    """The headers up to a partition, by scope."""
    scopes = {scope for spec in connections for scope in _scopes(spec)}
    stored: dict[str, list[dict[str, str]]] = {}
    for row in snapshots.table.headers(scopes | {BY_HAND} if by_hand else scopes):
        if row["key"] <= partition:
            stored.setdefault(row["scope"], []).append(row)
    return stored


def _of_spec(
    stored: Mapping[str, list[dict[str, str]]], spec: ConnectionSpec, partition: str
) -> list[dict[str, str]]:
    history = [row for scope in _scopes(spec) for row in stored.get(scope, ())]
    own = spec.scope or spec.name
    history.sort(key=lambda row: (row["key"], row["scope"] == own, row["kind"] != COMPLETE))
    return _of_connection(history, spec, partition)


def _of_connection(
    history: list[dict[str, str]], spec: ConnectionSpec, partition: str
) -> list[dict[str, str]]:
    if history and read_header(history[-1]).windowed:
        oldest = _start(partition) - timedelta(days=spec.lookback_days)
        return [row for row in history if _start(row["key"]) >= oldest]
    last = max((at for at, row in enumerate(history) if row["kind"] == COMPLETE), default=0)
    return history[last:]


def _start(key: str) -> datetime:
    """When a partition begins, in the project's own time: of a day its midnight."""
    return datetime.fromisoformat(key[:10]) + timedelta(hours=int(key[11:13] or 0))


def inputs_hash(
    sources: Sequence[Source], connections: Sequence[ConnectionSpec], same_as: Sequence[tuple[str, str]]
) -> str:
    """Names all that a graph is made of, but for runs and times: equal inputs make equal graphs."""
    contents = [source.header.content for source in sources]
    return digest_of(orjson.dumps([setting_hash(sources, connections, same_as), contents]))


def setting_hash(
    sources: Sequence[Source], connections: Sequence[ConnectionSpec], same_as: Sequence[tuple[str, str]]
) -> str:
    """Names all that a graph depends on, but for what its snapshots hold."""
    named = [
        (s.connection, s.header.connection, s.header.origin, list(s.header.addresses), s.header.windowed)
        for s in sources
    ]
    specs = sorted((asdict(c) for c in connections), key=lambda c: str(c["name"]))
    return digest_of(orjson.dumps([GRAPH_VERSION, named, specs, same_as], option=orjson.OPT_SORT_KEYS))


def load(sources: Sequence[Source], connections: Sequence[ConnectionSpec]) -> duckdb.DuckDBPyConnection:
    """An engine with the tables `connection`, `namespace`, `renamed` and `source`; `missing`, what did not resolve, is
    empty.
    """
    db = duckdb.connect()
    # The order of rows means nothing here, and keeping it costs memory.
    db.execute("SET preserve_insertion_order = false")
    db.execute(f"CREATE TABLE missing ({MISSING})")
    db.execute("""
        CREATE TABLE connection (connection VARCHAR, instance VARCHAR, default_instance VARCHAR,
                                 default_database VARCHAR, default_schema VARCHAR, infer_tables BOOLEAN)
    """)
    for c in {c.name: c for c in connections}.values():
        defaults = [c.defaults.get(name) for name in ("instance", "database", "schema")]
        values = [c.name, c.instance or c.name, *defaults, c.infer_tables]
        db.execute("INSERT INTO connection VALUES (?, ?, ?, ?, ?, ?)", values)
    _name_places(db, sources)
    _name_renamed(db, connections)
    silent = {c.name for c in connections if not c.emit_lineage}
    numbered = {
        "source": pa.array(range(len(sources)), pa.int32()),
        "connection": pa.array([s.connection for s in sources], pa.string()),
        "scope": pa.array([s.header.connection for s in sources], pa.string()),
        "segment": pa.array([s.header.content for s in sources], pa.string()),
        "origin": pa.array([s.header.origin for s in sources], pa.string()),
        "silent": pa.array([s.connection in silent for s in sources], pa.bool_()),
    }
    db.register("given_source", pa.table(numbered))
    db.execute("CREATE TABLE source AS SELECT * FROM given_source")
    db.unregister("given_source")
    return db


def scan_facts(
    db: duckdb.DuckDBPyConnection,
    name: str,
    places: Sequence[Snapshots],
    source: str = "source",
    only: str | None = None,
) -> None:
    """Makes the view `name` of the rows of snapshots with `source`, their number, and `connection`; with `only` of the
    rows in that table (kind, key) alone.

    `source` is a table of the snapshots, `places` says of each in turn where it lies.
    """
    stored = db.execute(f"SELECT scope, segment FROM {source} ORDER BY source").fetchall()
    parts = []
    for number, place in enumerate(dict.fromkeys(places)):
        mine = [content for content, at in zip(stored, places, strict=True) if at is place]
        place.scan(db, f"{name}_{number}", mine, only)
        parts.append(f"FROM {name}_{number}")
    if not parts:
        db.register("nothing", ROWS.empty_table())
        parts = ["SELECT NULL::VARCHAR AS scope, NULL::VARCHAR AS segment, * FROM nothing"]
    db.execute(f"""
        CREATE OR REPLACE TEMP VIEW {name} AS
        SELECT s.source, s.connection, r.* EXCLUDE (scope, segment)
        FROM ({" UNION ALL ".join(parts)}) r JOIN {source} s ON s.scope = r.scope AND s.segment = r.segment
        WHERE NOT s.silent OR r.kind NOT IN ('declaration', 'statement', 'query')
    """)


def read_facts(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Makes `fact`, all rows of the sources."""
    places = [source.snapshots for source in sources]
    if sum(source.header.size_bytes for source in sources) > _KEPT_BYTES:
        scan_facts(db, "fact", places)
    else:
        scan_facts(db, "stored_fact", places)
        db.execute("CREATE TABLE fact AS SELECT * FROM stored_fact")


def _name_renamed(db: duckdb.DuckDBPyConnection, connections: Sequence[ConnectionSpec]) -> None:
    """What connections were called before: edges by hand may still say so."""
    db.execute("CREATE TABLE renamed (old VARCHAR, connection VARCHAR)")
    there = {c.name for c in connections}
    pairs = [(c.renamed_from, c.name) for c in connections if c.renamed_from and c.renamed_from not in there]
    if pairs:
        db.executemany("INSERT INTO renamed VALUES (?, ?)", pairs)


def _name_places(db: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Under which namespaces other systems know each connection."""
    db.execute("CREATE TABLE namespace (connection VARCHAR, namespace VARCHAR)")
    known = set()
    for source in sources:
        for address in source.header.addresses:
            place = place_of(address)
            if place and not place.path:  # files of one file system are not all of one connection
                known.add((source.connection, place.namespace))
    if known:
        db.executemany("INSERT INTO namespace VALUES (?, ?)", sorted(known))
