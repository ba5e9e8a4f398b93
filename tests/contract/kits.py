"""Adapters that the acceptance kits call, built on the public surface only."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from connectors import DeclaredLineage, Resource
from connectors.hosts.cloudquery import CloudQuery
from connectors.testing import Reroute, run_connector
from lineage import open_store
from lineage.graph import ConnectionSpec, build_graph
from lineage.sql import compile_sql
from lineage.store import SnapshotHeader, SnapshotWriter, Store

DAY = "2026-01-01"

_ENDS = {"from_identifier", "to_identifier"}  # the fields of the Secoda SDK


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
        "lineages": [d.model_dump(mode="json", include=_ENDS, exclude_none=True) for d in found.declarations],
        "error": str(found.error) if found.error else None,
        "verdicts": _verdicts(found.resources, found.declarations, workspace),
    }


def cloudquery_host(
    plugin_dir: str,
    python: str,
    spec: Mapping[str, Any],
    tables: Sequence[str],
    skip_tables: Sequence[str] = (),
    state: Mapping[str, str] | None = None,
    deadline_s: float = 30,
) -> dict[str, Any]:
    """Hosts one plugin; a refused row is an error of its table."""
    kept = {"cq_state": dict(state), **{name: {} for name in tables}} if state else {}
    config = {"plugin": plugin_dir, "python": python, "spec": spec, "limits": {"wall_s": deadline_s}}
    found = run_connector(CloudQuery, config, cursors=kept, tables=tables, skip_tables=skip_tables)
    reports = found.report.tables
    errors = [{"table": name, "message": m} for name, report in reports.items() for m in report.messages]
    errors += [{"table": row.table, "message": row.cause} for row in found.refused_rows]
    if found.error:
        errors.append({"table": None, "message": str(found.error)})
    return {
        "rows": {name: _readable(found.table(name)) for name in found.datasets},
        "errors": errors,
        "complete": found.error is None
        and found.report.complete
        and all(r.complete for r in reports.values()),
        "state": found.cursors.get("cq_state", {}),
    }


def _readable(table: pa.Table) -> pa.Table:
    """Without nanoseconds, which Python's own times do not have."""
    types = [pa.timestamp("us", f.type.tz) if pa.types.is_timestamp(f.type) else f.type for f in table.schema]
    return table.cast(
        pa.schema([f.with_type(t) for f, t in zip(table.schema, types, strict=True)]), safe=False
    )


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
