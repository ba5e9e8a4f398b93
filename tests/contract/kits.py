"""Adapters that the acceptance kits call, built on the public surface only."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from connectors import DeclaredLineage, Resource
from connectors.testing import Reroute, run_connector
from lineage import open_store
from lineage.graph import ConnectionSpec, build_graph
from lineage.sql import compile_sql
from lineage.store import SnapshotHeader, SnapshotWriter, Store

DAY = "2026-01-01"


def secoda_host(
    script: str,
    credentials: Mapping[str, str],
    origins: Mapping[str, str],
    workspace: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Hosts one script; its origins are answered by the kit's local servers, any other is refused."""
    found = run_connector(script, credentials=credentials, http=Reroute(origins), endpoints=list(origins))
    return {
        "resources": [r.model_dump(mode="json", exclude_none=True) for r in found.resources],
        "lineages": [d.model_dump(mode="json", exclude_none=True) for d in found.declarations],
        "error": str(found.error) if found.error else None,
        "verdicts": _verdicts(found.resources, found.declarations, workspace),
    }


def _verdicts(
    resources: Sequence[Resource],
    declarations: Sequence[DeclaredLineage],
    workspace: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Of each declaration whether it became an edge, in the graph of the script and the workspace."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        specs = [ConnectionSpec("script")]
        for cluster in sorted({table["cluster"] for table in workspace}):
            specs.append(ConnectionSpec(f"workspace_{cluster}", instance=cluster))
            _commit(store, specs[-1].name, _catalogue(t for t in workspace if t["cluster"] == cluster), [])
        keys = _commit(store, "script", resources, declarations)
        build_graph(store, DAY, specs)
        graph = store.graph()
        edges = {p["declaration"] for edge in graph.edges() for p in edge["provenance"]}
        rejected = {u["declaration"] for u in graph.unresolved() if u["reason"] == "unsupported_pair"}
    return ["rejected" if key in rejected else "edge" if key in edges else "unresolved" for key in keys]


def _catalogue(tables: Any) -> list[Resource]:
    found = []
    for table in tables:
        key = f"{table['database']}.{table['schema']}.{table['table']}"
        named = {"database": table["database"], "schema": table["schema"]}
        found.append(Resource(entity_type="table", databuilder_id=key, title=table["table"], **named))
        found += [
            Resource(
                entity_type="column",
                databuilder_id=f"{key}.{column}",
                parent_databuilder_id=key,
                title=column,
            )
            for column in table["columns"]
        ]
    return found


def _commit(
    store: Store, connection: str, resources: Sequence[Resource], declarations: Sequence[DeclaredLineage]
) -> list[str]:
    writer = SnapshotWriter(None)
    for resource in resources:
        writer.resource(resource)
    keys = [writer.declaration(declaration) for declaration in declarations]
    rows = writer.finish(lambda sql, dialect: compile_sql(sql, dialect).to_bytes(), {})
    store.snapshots.commit(SnapshotHeader(connection, DAY, "kit", True), rows)
    return keys
