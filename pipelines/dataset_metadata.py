"""What runs of datasets and sinks show in Dagster."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from lineage.formats.markdown_text import plain, table
from lineage.store import Store
from pipelines.datasets.declared import Origin
from pipelines.datasets.outcome import SKIPPED, DatasetOutcome, SinkOutcome
from pipelines.keys import AssetKeys
from pipelines.masking import MASKED, hiding
from pipelines.metadata import ERROR, PARTITIONS, STATUS
from pipelines.statuses import FAILED, SUCCESS, WARNING

_WIDEST = 80  # characters of a value in a preview
_ORDER = (SUCCESS, SKIPPED, WARNING, FAILED)


def dataset_metadata(store: Store, outcome: DatasetOutcome, keys: AssetKeys) -> dict[str, Any]:
    """Metadata of `datasets/<name>`."""
    shown: dict[str, Any] = {
        "dagster/row_count": outcome.rows,
        "dagster/table_name": f"datasets.{outcome.dataset}",
        "dagster/uri": f"{store.uri}/records/datasets/{outcome.dataset}",
        "headwater/invalid": outcome.invalid,
        "headwater/bytes": outcome.size_bytes,
    }
    if outcome.schema is not None:
        shown["dagster/column_schema"] = column_schema(outcome.schema)
        shown["dagster/column_lineage"] = _column_lineage(outcome.origins, keys)
        shown["headwater/preview"] = preview(outcome.schema.names, outcome.preview, outcome.personal)
    if outcome.changes:
        shown["headwater/column_changes"] = dg.MetadataValue.md(
            "\n".join(f"- {plain(one)}" for one in outcome.changes)
        )
    return shown


def sink_metadata(outcome: SinkOutcome, keys: AssetKeys) -> dict[str, Any]:
    """Metadata of `sinks/<sink>/<dataset>`."""
    if outcome.delivered is None or outcome.target is None or outcome.schema is None:
        return {}
    names = outcome.schema.names
    source = keys.dataset(outcome.dataset)[0]
    parts = (outcome.target.database, outcome.target.schema, outcome.target.table)
    shown: dict[str, Any] = {
        "dagster/row_count": outcome.delivered.rows,
        "dagster/table_name": ".".join(part for part in parts if part) or outcome.dataset,
        "dagster/uri": outcome.delivered.uri,
        "dagster/column_schema": column_schema(outcome.schema),
        "dagster/column_lineage": dg.TableColumnLineage(
            {name: [dg.TableColumnDep(source, name)] for name in names}
        ),
    }
    if outcome.delivered.deleted is not None:
        shown["headwater/deleted"] = outcome.delivered.deleted
    if outcome.delivered.already:
        shown["headwater/already_delivered"] = True
    shown["headwater/preview"] = preview(names, outcome.preview, outcome.personal)
    return shown


def run_metadata(outcomes: Sequence[DatasetOutcome | SinkOutcome]) -> dict[str, Any]:
    """Metadata of a run of a dataset or a sink: the worst status, and the facts of each partition."""
    facts = {outcome.partition: run_facts(outcome) for outcome in outcomes}
    shown: dict[str, Any] = {
        STATUS: max((outcome.status for outcome in outcomes), key=_ORDER.index),
        PARTITIONS: dg.MetadataValue.json(facts),
        "headwater/rows": sum(one["rows"] for one in facts.values()),
        "headwater/invalid": sum(one["invalid"] for one in facts.values()),
    }
    if errors := [f"{outcome.partition}: {outcome.error}" for outcome in outcomes if outcome.error]:
        shown[ERROR] = "\n".join(errors)
    return shown


def run_facts(outcome: DatasetOutcome | SinkOutcome) -> dict[str, Any]:
    """An outcome as plain data."""
    return {
        "status": outcome.status,
        "started_at": outcome.started_at.isoformat(timespec="milliseconds"),
        "ended_at": outcome.ended_at.isoformat(timespec="milliseconds"),
        "rows": outcome.rows,
        "records": outcome.made if isinstance(outcome, DatasetOutcome) else outcome.rows,
        "invalid": outcome.invalid if isinstance(outcome, DatasetOutcome) else 0,
        "quarantined": outcome.quarantined if isinstance(outcome, DatasetOutcome) else 0,
        "bytes": outcome.size_bytes,
        "error": outcome.error,
    }


def column_schema(schema: pa.Schema) -> dg.TableSchema:
    """The columns as Dagster shows them."""
    return dg.TableSchema([dg.TableColumn(field.name, str(field.type)) for field in schema])


def _column_lineage(origins: Sequence[Origin], keys: AssetKeys) -> dg.TableColumnLineage:
    deps: dict[str, list[dg.TableColumnDep]] = {}
    for one in origins:
        if one.made is None or one.column is None or one.clause is not None:
            continue
        if one.ref.is_derived:
            dep = dg.TableColumnDep(keys.dataset(one.ref.table)[0], one.column)
        else:
            # A connection's asset has many tables.
            dep = dg.TableColumnDep(keys.resources(one.ref.connection), f"{one.ref.table}.{one.column}")
        if dep not in deps.setdefault(one.made, []):
            deps[one.made].append(dep)
    return dg.TableColumnLineage(deps)


def preview(
    names: Sequence[str], rows: Sequence[Mapping[str, Any]], personal: Collection[str]
) -> dg.MetadataValue[Any]:
    """Some records as a table; what is personal, or secret by its name, is masked."""
    is_hidden = hiding(personal)
    cells = [
        [MASKED if is_hidden(name) and row[name] is not None else plain(_shown(row[name])) for name in names]
        for row in rows
    ]
    return dg.MetadataValue.md("\n".join(table([plain(name) for name in names], cells)))


def _shown(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
