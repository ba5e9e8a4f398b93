"""What a run shows in Dagster: Dagster's own keys where there is one, else `headwater/...`; small, and
readable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from connectors import TableReport
from lineage import LineageGraph
from lineage.formats.markdown_text import plain, table
from lineage.graph.excerpt import excerpt_of
from lineage.graph.quality import Quality
from pipelines.extract import Outcome
from pipelines.graph_preview import preview_markdown
from pipelines.statuses import FAILED, SUCCESS, WARNING

STATUS, ERROR, PARTITIONS = "headwater/status", "headwater/error", "headwater/partitions"
EXTRACT_SECONDS = "headwater/extract_seconds"
_SUMMED = (
    *("resources", "declarations", "statements", "rows", "refused"),
    *("bytes", "errors", "warnings", "requests"),
)
_TABLES = 200  # of a connection, in the UI
PREVIEW = 20  # lines of a table in the UI


def outcome_facts(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data: what the flow runs are made of."""
    header, report = outcome.header, outcome.report
    return {
        "status": outcome.status,
        "started_at": outcome.started_at.isoformat(timespec="milliseconds"),
        "ended_at": outcome.ended_at.isoformat(timespec="milliseconds"),
        "extract_s": round(outcome.seconds, 3),
        "complete": bool(header and header.complete),
        "open": bool(header and header.open),
        "resources": header.counts.get("resource", 0) if header else 0,
        "declarations": header.counts.get("declaration", 0) if header else 0,
        "statements": header.counts.get("statement", 0) if header else 0,
        "rows": report.rows,
        "refused": sum(table.refused for table in report.tables.values()),
        "tables": {
            name: table_facts(table)
            | {"bytes": given.size_bytes if (given := outcome.given.get(name)) else 0}
            for name, table in report.tables.items()
        },
        "bytes": header.size_bytes if header else 0,
        "stored": outcome.written,
        "errors": report.failed + (outcome.error is not None),
        "warnings": report.warning_count,
        "requests": report.requests,
        "held_back": header.held_back if header else None,
        "error": outcome.error,
    }


def table_facts(table: TableReport) -> dict[str, Any]:
    """What a run did with one table, as plain data."""
    return {
        "rows": table.rows,
        "refused": table.refused,
        "errors": table.errors,
        "complete": table.complete,
        "messages": table.messages[:3],
    }


def flow_metadata(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Metadata of `flow_runs/<connection>`: the worst status, sums, and each partition's facts."""
    facts = {outcome.partition: outcome_facts(outcome) for outcome in outcomes}
    statuses = [one["status"] for one in facts.values()]
    worst = next((s for s in (FAILED, WARNING) if s in statuses), SUCCESS)
    shown: dict[str, Any] = {STATUS: worst, PARTITIONS: dg.MetadataValue.json(facts)}
    for name in (
        "resources",
        "declarations",
        "statements",
        "rows",
        "refused",
        "bytes",
        "errors",
        "warnings",
        "requests",
    ):
        shown[f"headwater/{name}"] = sum(one[name] for one in facts.values())
    shown[EXTRACT_SECONDS] = round(sum(one["extract_s"] for one in facts.values()), 3)
    if tables := [_table_cells(o, *one) for o in outcomes for one in o.report.tables.items()]:
        head = ["partition", "table", "rows", "refused", "errors"]
        shown["headwater/tables"] = dg.MetadataValue.md(_table(head, tables[:_TABLES]))
    if errors := [f"{o.partition}: {o.error}" for o in outcomes if o.error]:
        shown[ERROR] = "\n".join(errors)
    troubles = [text for o in outcomes for text in _troubles(o)]
    if troubles:
        shown["headwater/trouble"] = dg.MetadataValue.md(_list(troubles))
    return shown


def resource_metadata(outcome: Outcome, storage: str) -> dict[str, Any]:
    """Metadata of `resources/<connection>`."""
    header = outcome.header
    if header is None:
        return {}
    rows = [[kind, str(count)] for kind, count in sorted(header.counts.items())]
    return {
        "dagster/row_count": header.counts.get("resource", 0),
        "dagster/uri": f"{storage}/snapshots",
        "headwater/complete": header.complete,
        "headwater/content": header.content,
        "headwater/preview": dg.MetadataValue.md(_table(["kind", "stored"], rows)),
    }


def graph_metadata(graph: LineageGraph, storage: str, quality: Quality) -> dict[str, Any]:
    """Metadata of `lineage_graph`: counts, what it was made of, what flows where, and a piece of it as a picture."""
    header = graph.header
    partitions = [[name, ", ".join(keys[-3:])] for name, keys in sorted(header.partitions.items())]
    flows = [[start, end, f"{count:,}"] for start, end, count in graph.flows()]
    return {
        "dagster/row_count": header.counts.get("edge", 0),
        "dagster/uri": f"{storage}/graphs",
        "headwater/nodes": header.counts.get("node", 0),
        "headwater/edges": header.counts.get("edge", 0),
        "headwater/unresolved": quality.unresolved,
        "headwater/sql_coverage": round(quality.coverage.share, 4),
        "headwater/made_of": dg.MetadataValue.md(_table(["connection", "partitions"], partitions[:_TABLES])),
        "headwater/flows": dg.MetadataValue.md(_table(["from", "to", "edges"], flows[:_TABLES])),
        "headwater/preview": dg.MetadataValue.md(preview_markdown(excerpt_of(graph))),
    }


def unresolved_metadata(quality: Quality) -> dict[str, Any]:
    """Metadata of `unresolved_references`: how many of which connection and reason, and the names most asked for."""
    shown: dict[str, Any] = {"headwater/unresolved": quality.unresolved}
    for name, counts in (("connection", quality.by_connection), ("reason", quality.by_reason)):
        if rows := [[one, f"{count:,}"] for one, count in counts.items()]:
            shown[f"headwater/by_{name}"] = dg.MetadataValue.md(_table([name, "references"], rows[:PREVIEW]))
    if quality.wanted:
        rows = [
            [w.name, f"{w.references:,}", w.reason, (w.candidate or "") + (" (a guess)" if w.guessed else "")]
            for w in quality.wanted
        ]
        head = ["asked for", "references", "reason", "may mean"]
        shown["headwater/most_wanted"] = dg.MetadataValue.md(_table(head, rows))
    return shown


def coverage_metadata(quality: Quality) -> dict[str, Any]:
    """Metadata of `sql_coverage`: each connection's share, the worst first, and the first statements that were not
    understood; their text as it is stored.
    """
    whole = quality.coverage
    shown: dict[str, Any] = {
        "headwater/statements": whole.statements,
        "headwater/not_understood": whole.failed,
        "headwater/share": round(whole.share, 4),
    }
    if quality.read:
        rows = [[r.connection, f"{r.statements:,}", f"{r.failed:,}", f"{r.share:.1%}"] for r in quality.read]
        head = ["connection", "statements", "not understood", "share understood"]
        shown["headwater/by_connection"] = dg.MetadataValue.md(_table(head, rows[:PREVIEW]))
    if quality.misread:
        rows = [[m.connection, m.place or "", m.message, m.sql or ""] for m in quality.misread]
        head = ["connection", "where", "error", "SQL as stored"]
        shown["headwater/first_not_understood"] = dg.MetadataValue.md(_table(head, rows))
    return shown


def _troubles(outcome: Outcome) -> list[str]:
    header = outcome.header
    held = [header.held_back] if header and header.held_back else []
    rejects = [f"{r.location}: {r.cause}" for r in outcome.report.rejects[:10]]
    return [*held, *outcome.report.warnings[:10], *rejects]


def _table_cells(outcome: Outcome, name: str, table: TableReport) -> list[str]:
    return [outcome.partition, name, f"{table.rows:,}", f"{table.refused:,}", f"{table.errors:,}"]


def _list(texts: Sequence[str]) -> str:
    return "\n".join(f"- {plain(text)}" for text in texts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(table(head, [list(map(plain, row)) for row in rows]))
