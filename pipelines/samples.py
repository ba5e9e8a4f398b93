"""What a connection would give: counts of it, and the first of each kind. Nothing is stored."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

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


class Samples:
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
        """All of it as plain data."""
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


def extract_samples(
    project: Project, name: str, kept: Samples, log: logging.Logger
) -> tuple[ExtractReport, str | None]:
    """Lets a connection read its source as of now and from the start. Gives its counts, and its error, without secrets.

    Raises ConfigError for a connection that cannot be configured.
    """
    from datetime import UTC, datetime

    from connectors import ExtractReport
    from connectors.config.secrets import RedactingFilter
    from pipelines.extract import describe
    from pipelines.partitions import key_at, partitions_definition, window_of
    from pipelines.project import open_connector, resolve_connection
    from pipelines.redaction import RedactedIngest, output_redacted

    resolved = resolve_connection(project, name)
    parts = partitions_definition(project.model.partitions)
    window = window_of(parts, key_at(project.model.partitions, datetime.now(UTC)))
    report = ExtractReport()
    quiet = RedactingFilter(resolved.redact)
    log.addFilter(quiet)
    try:
        with output_redacted(resolved.redact):
            connector = open_connector(
                project,
                resolved,
                window=window,
                ingest=RedactedIngest(kept, resolved.certain),
                log=log,
            )
            connector.report = report
            with closing(connector):
                connector.start()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a connector raises is that connection's fault, shown as such
        return report, resolved.redact(describe(error))
    finally:
        log.removeFilter(quiet)
        report.warnings[:] = map(resolved.redact, report.warnings)
    return report, None
