"""Stored graphs: nodes, edges and unresolved references of a partition, in one Delta table.

Rows name a snapshot by its number in the header's `sources`, so that a graph which differs from another in
runs and times alone has the same content, and costs its header.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import duckdb
import orjson
import pyarrow as pa

from lineage.store.snapshot import BY_HAND
from lineage.store.tables import Change, ContentTable, Rows

SCOPE = "graph"
_PROVENANCE = pa.struct(
    [
        ("source", pa.int32()),
        *((name, pa.string()) for name in ("origin", "declaration", "query", "location", "matched_by")),
    ]
)
GRAPH_FIELDS = [
    *((name, pa.string()) for name in ("connection", "entity_type", "databuilder_id", "parent_id", "title")),
    *((name, pa.string()) for name in ("database", "schema", "body", "facets")),
    ("aliases", pa.list_(pa.string())),
    ("inferred", pa.bool_()),
    ("usage", pa.string()),
    *((name, pa.string()) for name in ("from_id", "to_id", "level", "edge_kind", "expression", "sql")),
    ("digest", pa.string()),
    ("clauses", pa.list_(pa.string())),
    ("provenance", pa.list_(_PROVENANCE)),
]
GRAPH_ROWS = pa.schema([("kind", pa.string()), ("key", pa.string()), *GRAPH_FIELDS])


@dataclass(frozen=True)
class GraphHeader:
    """What a graph was made of. `sources` are the snapshots, in the order in which rows number them; `setting` names
    all else that it depends on, `patched` the content of the graph that it was made of by changes.
    """

    partition: str
    run_id: str = ""
    built_at: str = ""
    content: str = ""
    setting: str = ""
    patched: str = ""
    sources: Sequence[Mapping[str, str]] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    coverage: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def partitions(self) -> dict[str, list[str]]:
        """The partitions that each connection takes part with."""
        taken: dict[str, list[str]] = {}
        for source in self.sources:
            if source["connection"] == BY_HAND:
                continue
            keys = taken.setdefault(source["connection"], [])
            if source["partition"] not in keys:
                keys.append(source["partition"])
        return taken

    def to_json(self) -> str:
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS).decode()


class Graphs:
    """The graphs of all partitions."""

    def __init__(self, table: ContentTable) -> None:
        self.table = table

    def headers(self) -> list[GraphHeader]:
        """By partition."""
        return [GraphHeader(**orjson.loads(h["header"])) for h in self.table.headers()]

    def newest(self, as_of: str | None = None) -> GraphHeader | None:
        """The newest graph, or the newest at or before a partition; a day stands for its last hour."""
        day = as_of is not None and len(as_of) == 10
        for header in reversed(self.headers()):
            if as_of is None or (header.partition[:10] if day else header.partition) <= as_of:
                return header
        return None

    def scan(
        self, engine: duckdb.DuckDBPyConnection, name: str, header: GraphHeader, only: str | None = None
    ) -> None:
        """Makes the view `name` of the graph's rows, in no order; with `only` of those in that table (kind, key)."""
        self.table.scan(engine, name, _contents(header), only)

    def rows(self, header: GraphHeader) -> pa.Table:
        """The graph's rows, in the order of kind and key."""
        return self.table.rows(_contents(header)).select(GRAPH_ROWS.names)

    def same(self, content: str) -> GraphHeader | None:
        """A stored graph of this content."""
        return next((header for header in self.headers() if header.content == content), None)

    def put(
        self, header: GraphHeader, rows: Callable[[], Rows], patch: tuple[GraphHeader, Rows] | None = None
    ) -> None:
        """Stores the graph of a partition, over the one that was there. `rows` are asked for when no stored graph
        has the header's content, and `patch`, an earlier graph and what makes this one of it, is not given.
        """
        changed = (patch[0].content, patch[1]) if patch else None
        change = Change(SCOPE, header.to_json(), header.content, rows, patch=changed)
        self.table.replace(SCOPE, header.partition, lambda _: change)


def _contents(header: GraphHeader) -> list[tuple[str, str]]:
    return [(SCOPE, header.content)] if header.counts else []
