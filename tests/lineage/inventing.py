"""Small connections that hypothesis invents, their names few and alike so that they collide."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pyarrow as pa
from hypothesis import strategies as st

from connectors import DeclaredLineage, ExternalColumn, ExternalTable, InternalResource, Resource
from lineage.store import SnapshotWriter
from tests.lineage.naive_graph import COLUMN, INTERNAL, TABLE, Facts, Link, Ref, Thing

LONG = bool(os.environ.get("HEADWATER_LONG"))
INSTANCES = ("prod", "Prod")

_TITLES = st.sampled_from(["orders", "Orders", "ORDERS", "b"])
_SCHEMAS = st.sampled_from(["s", "S", "ops"])
_COLUMNS = st.sampled_from(["id", "ID", "x"])
_HELD_COLUMNS = st.sampled_from([("id",), ("id", "x"), ("ID", "x"), ("id", "ID"), ()])

_external_tables = st.builds(
    lambda *parts: Ref(TABLE, None, *parts),
    st.sampled_from([None, None, None, None, *INSTANCES]),
    st.sampled_from([None, None, None, None, "d", "D"]),
    st.sampled_from([None, None, "s", "S", "ops"]),
    _TITLES,
)
_external_columns = st.builds(
    lambda ref, name: ref._replace(type=COLUMN, column=name), _external_tables, _COLUMNS
)


@st.composite
def _tables(draw: st.DrawFn) -> list[Thing]:
    """A table and its columns. Some describe another's; of some only columns are told, as a partial run may."""
    schema, title, names = draw(_SCHEMAS), draw(_TITLES), draw(_HELD_COLUMNS)
    key = f"{schema}.{title}"
    same = draw(_external_tables) if draw(st.sampled_from([False, False, True])) else None
    database = draw(st.sampled_from(["d", "d", "d", "D", None]))
    about = draw(st.sampled_from([None, None, "old", "new"]))
    table = Thing(key, "table", title, database, schema, None, about, same)
    held = [Thing(f"{key}.{name}", "column", name, parent=key) for name in names]
    whole = draw(st.sampled_from([True] * 9 + [False]))
    return [table, *held] if whole else held


@st.composite
def _links(draw: st.DrawFn, keys: list[str]) -> Link:
    internal = st.sampled_from([*keys, *keys, "s.gone"]).map(lambda key: Ref(INTERNAL, key))
    start = draw(st.one_of(_external_tables, _external_columns, internal))
    # Two external ends are of one kind; now and then they are not, and mean nothing.
    like = {TABLE: _external_tables, COLUMN: _external_columns}.get(start.type, internal)
    end = draw(st.one_of(internal, internal, like, like, like, _external_columns))
    clauses = draw(st.sampled_from([None, None, None, (), ("where",), ("join", "case")]))
    return Link(start, end) if clauses is None else Link(start, end, "indirect", clauses)


@st.composite
def facts(draw: st.DrawFn, tables: int = 4, links: int = 6) -> Facts:
    """What one run says."""
    things = [Thing("chart", "chart", "C")]
    for made in draw(st.lists(_tables(), min_size=1, max_size=tables)):
        things += made
    known = {one.key: one for one in things}
    said = draw(st.lists(_links(list(known)), min_size=links // 2, max_size=links))
    return Facts(known, frozenset(said))


def rows_of(things: Iterable[Thing], links: Iterable[Link], writer: SnapshotWriter | None = None) -> pa.Table:
    """As a run gathers them, in this order."""
    writer = writer or SnapshotWriter("duckdb")
    for one in things:
        more = {"same_as": declared(one.same_as)} if one.same_as else {}
        if one.description:
            more["description"] = one.description
        writer.resource(
            Resource(
                entity_type=one.type,
                databuilder_id=one.key,
                parent_databuilder_id=one.parent,
                title=one.title,
                database=one.database,
                schema=one.schema,
                **more,
            )
        )
    for link in links:
        start, end = declared(link.start), declared(link.end)
        clauses = list(link.clauses)
        writer.declaration(
            DeclaredLineage(from_identifier=start, to_identifier=end, kind=link.kind, clauses=clauses)
        )
    return writer.rows()


def declared(ref: Ref) -> InternalResource | ExternalTable | ExternalColumn:
    kinds = {INTERNAL: InternalResource, TABLE: ExternalTable, COLUMN: ExternalColumn}
    return kinds[ref.type](**ref.json())
