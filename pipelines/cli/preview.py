"""`headwater preview`: what a connection would give, without storing it."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.console import err, escape, json_option, out_json, project_of, rich_console

if TYPE_CHECKING:
    import pyarrow as pa

    from connectors import (
        Dataset,
        DeclaredLineage,
        ExternalRun,
        ExtractReport,
        RefusedRow,
        Resource,
        Statement,
    )
    from pipelines.project import Project


@click.command("preview")
@click.argument("name")
@click.option("--limit", metavar="N", type=click.IntRange(1, 10_000), default=5, help="Samples of each.  [5]")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, limit: int, as_json: bool) -> int:
    """Extract the connection NAME as of now and from the start, store nothing, show counts and samples.

    Exit code 1 when it failed.
    """
    project = project_of(ctx)
    if name not in project.connections:
        raise click.UsageError(f"no connection is named {name}; there are {', '.join(project.connections)}")
    kept = _Samples(limit)
    report, error = _extract(project, name, kept)
    if as_json:
        out_json({"connection": name, "error": error, **kept.told(report)})
    else:
        _show(kept, report)
    for warning in [] if as_json else report.warnings[:limit]:
        err(f"warning: {warning}")
    if error and not as_json:
        err(f"{name} failed: {error}")
    return 1 if error else 0


class _Samples:
    """Counts what a connector gives, and keeps the first of each kind."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.counts: Counter[str] = Counter()
        self.samples: dict[str, list[dict[str, Any]]] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def _keep(self, kind: str, fields: dict[str, Any]) -> None:
        self.counts[kind] += 1
        kept = self.samples.setdefault(kind, [])
        if len(kept) < self.limit:
            kept.append(fields)

    def resource(self, resource: Resource) -> None:
        self._keep("resources", resource.model_dump(mode="json", exclude_unset=True, exclude_none=True))

    def declaration(self, declaration: DeclaredLineage) -> None:
        self._keep("declarations", declaration.model_dump(mode="json", exclude_none=True))

    def statement(self, statement: Statement) -> None:
        self._keep("statements", statement.model_dump(mode="json", exclude_none=True))

    def run(self, run: ExternalRun) -> None:
        self._keep("runs", run.model_dump(mode="json", exclude_none=True))

    def dataset(self, dataset: Dataset, schema: pa.Schema) -> None:
        self.rows.setdefault(dataset.name, [])

    def records(self, table: str, batch: pa.RecordBatch) -> None:
        kept = self.rows[table]
        if len(kept) < self.limit:
            kept += batch.slice(0, self.limit - len(kept)).to_pylist()

    def refused(self, row: RefusedRow) -> None:
        self._keep("refused", {"table": row.table, "key": row.key, "column": row.column, "cause": row.cause})

    def told(self, report: ExtractReport) -> dict[str, Any]:
        tables = {
            name: {
                "rows": one.rows,
                "refused": one.refused,
                "errors": one.errors,
                "sample": self.rows.get(name, []),
            }
            for name, one in report.tables.items()
        }
        return {
            "counts": dict(self.counts),
            "samples": self.samples,
            "tables": tables,
            "warnings": report.warnings,
            "warning_count": report.warning_count,
        }


def _extract(project: Project, name: str, kept: _Samples) -> tuple[ExtractReport, str | None]:
    from datetime import UTC, datetime

    from connectors import ExtractReport
    from pipelines.extract import describe
    from pipelines.partitions import key_at, partitions_definition, window_of
    from pipelines.project import open_connector, resolve_connection
    from pipelines.redaction import RedactedIngest, output_redacted

    resolved = resolve_connection(project, name)
    parts = partitions_definition(project.model.partitions)
    window = window_of(parts, key_at(project.model.partitions, datetime.now(UTC)))
    report = ExtractReport()
    try:
        with output_redacted(resolved.redact):
            connector = open_connector(
                project,
                resolved,
                window=window,
                ingest=RedactedIngest(kept, resolved.certain),
                log=logging.getLogger("headwater.preview"),
            )
            connector.report = report
            with closing(connector):
                connector.start()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a connector raises is that connection's fault, shown as such
        return report, resolved.redact(describe(error))
    return report, None


def _show(kept: _Samples, report: ExtractReport) -> None:
    from rich.table import Table

    console = rich_console()
    for kind, count in kept.counts.items():
        console.print(f"[bold]{count:,} {kind}[/bold]")
        for fields in kept.samples[kind]:
            line = ", ".join(f"{key}: {_short(value)}" for key, value in fields.items())
            console.print("  " + escape(line))
    for name, one in report.tables.items():
        refused = f", {one.refused:,} refused" if one.refused else ""
        failed = f", {one.errors:,} errors" if one.errors else ""
        console.print(f"[bold]{escape(name)}[/bold]: {one.rows:,} rows{refused}{failed}")
        if rows := kept.rows.get(name):
            table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 2))
            for column in rows[0]:
                table.add_column(escape(column))
            for row in rows:
                table.add_row(*(escape(_short(value)) for value in row.values()))
            console.print(table)


def _short(value: Any) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:60]}..."
