"""References in, edges out: everything that facts say of lineage, matched at once."""

from __future__ import annotations

import duckdb

from lineage.graph.declarations import (
    RAW_EDGE,
    REASON,
    collect_references,
    declared_edges,
    resolve_ends,
    unresolved_declarations,
)
from lineage.graph.edges import merge_edges
from lineage.graph.inferred import infer_tables
from lineage.graph.nodes import find_parents, place_references
from lineage.graph.queries import query_edges
from lineage.graph.unresolved import tell
from lineage.graph.usage import collect_usage
from lineage.graph.uses import Uses
from lineage.resolve import REFERENCE_COLUMNS, guess_names, match_references


def link_resources(db: duckdb.DuckDBPyConnection) -> Uses:
    """Makes `pair`, `edge` and `usage` of what `fact` declares and states, and adds to `missing`."""
    db.execute(f"CREATE TABLE reference ({REFERENCE_COLUMNS})")
    db.execute(f"CREATE TABLE raw_edge ({RAW_EDGE})")
    db.execute(f"CREATE TABLE reason ({REASON})")
    collect_references(db)
    uses = Uses(db)
    uses.collect()
    place_references(db, "reference")
    match_references(db, "reference", "owner", "match")
    if infer_tables(db, uses):
        find_parents(db)
        match_references(db, "reference", "owner", "match")
    guess_names(db, "reference", "owner", "match")
    resolve_ends(db)
    declared_edges(db)
    unresolved_declarations(db)
    tell(db, query_edges(db, uses))
    collect_usage(db, uses)
    _missing_parents(db)
    merge_edges(db)
    return uses


def _missing_parents(db: duckdb.DuckDBPyConnection) -> None:
    db.execute("""
        INSERT INTO missing
        SELECT r.source, NULL, NULL, to_json({
            'candidates': [], 'counterpart': i.id, 'guessed': false,
            'message': r.parent_key || ', the parent of ' || i.id || ', is not declared by this connection',
            'reason': 'undeclared_internal', 'side': 'from',
            'reference': {'databuilder_id': r.parent_key, 'type': 'internal_resource'}})
        FROM resource r JOIN resource_id i USING (num) ANTI JOIN parent p USING (num)
        WHERE r.parent_key IS NOT NULL
    """)
