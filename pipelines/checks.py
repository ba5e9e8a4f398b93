"""Asset checks: `synced` fails the run after everything else was done; the others only tell."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from lineage.formats.markdown_text import plain, table
from lineage.graph.quality import Quality
from pipelines.extract import Outcome
from pipelines.keys import AssetKeys
from pipelines.metadata import ERROR, STATUS, coverage_metadata, unresolved_metadata
from pipelines.partitions import TimePartitions
from pipelines.project.model import ChecksModel
from pipelines.records import records_held_open
from pipelines.statuses import FAILED

if TYPE_CHECKING:
    from pipelines.datasets.outcome import DatasetOutcome

SYNCED, COMPLETE, DROP = "synced", "complete", "resource_drop"
UNRESOLVED, COVERAGE = "unresolved_references", "sql_coverage"
VALID = "valid_records"
_SAMPLES = 10


def synced_check(
    runs: Sequence[dg.AssetKey], parts: TimePartitions, keys: AssetKeys
) -> dg.AssetChecksDefinition:
    """One step over all runs of connections, datasets and sinks that fails Dagster's run when one of them failed in
    it.
    """
    specs = [dg.AssetCheckSpec(SYNCED, asset=key, partitions_def=parts) for key in runs]

    @dg.multi_asset_check(name=keys.name("synced_connections"), specs=specs, can_subset=True)
    def synced(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        failed = {}
        with records_held_open(context.instance, context.run.run_id):
            errors = _errors_of_run(context.instance, context.run.run_id)
            for key in sorted(context.selected_asset_check_keys, key=str):
                error = errors.get(key.asset_key, "it did not run")
                yield dg.AssetCheckResult(
                    passed=error is None,
                    asset_key=key.asset_key,
                    check_name=SYNCED,
                    metadata={} if error is None else {ERROR: error},
                )
                if error is not None:
                    failed[keys.run_name(key.asset_key)] = error
        if failed:
            lines = "\n".join(f"{name}: {error}" for name, error in sorted(failed.items()))
            raise dg.Failure(
                f"{len(failed)} failed; the graph is built without what they would have given\n{lines}",
                allow_retries=False,
            )

    return synced


def _errors_of_run(instance: dg.DagsterInstance, run_id: str) -> dict[dg.AssetKey, str | None]:
    """Of each flow run that this run recorded, its error, or None where it succeeded."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    errors: dict[dg.AssetKey, str | None] = {}
    for record in records:
        event: Any = record.event_log_entry.dagster_event
        metadata = event.step_materialization_data.materialization.metadata
        if STATUS in metadata:
            failed = metadata[STATUS].value == FAILED
            errors[event.asset_key] = str(metadata[ERROR].value) if failed else None
    return errors


def flow_checks(key: dg.AssetKey, outcomes: Sequence[Outcome]) -> list[dg.AssetCheckResult]:
    """`complete` and `resource_drop` of a connection's run."""
    partial = [o.partition for o in outcomes if o.header is None or not o.header.complete]
    held = [f"{o.partition}: {o.header.held_back}" for o in outcomes if o.header and o.header.held_back]
    return [
        _told(key, COMPLETE, not partial, {"headwater/partial": ", ".join(partial)} if partial else {}),
        _told(key, DROP, not held, {"headwater/held_back": "\n".join(held)} if held else {}),
    ]


def valid_records(key: dg.AssetKey, outcomes: "Sequence[DatasetOutcome]") -> dg.AssetCheckResult:
    """`valid_records` of a dataset: whether all were, how many were not, and some of what is wrong with them."""
    invalid = sum(outcome.invalid for outcome in outcomes)
    errors = [f"{outcome.partition}: {outcome.error}" for outcome in outcomes if outcome.status == FAILED]
    metadata: dict[str, Any] = {
        "headwater/invalid": invalid,
        "headwater/records": sum(outcome.rows for outcome in outcomes),
    }
    if errors:
        metadata[ERROR] = "\n".join(errors)
    if faults := [fault for outcome in outcomes for fault in outcome.faults][:_SAMPLES]:
        head = ["where", "rule", "what is wrong"]
        cells = [[plain(f["pointer"]), plain(f["keyword"]), plain(f["message"])] for f in faults]
        metadata["headwater/samples"] = dg.MetadataValue.md("\n".join(table(head, cells)))
    return _told(key, VALID, not invalid and not errors, metadata)


def graph_checks(key: dg.AssetKey, quality: Quality, limits: ChecksModel) -> list[dg.AssetCheckResult]:
    """`unresolved_references` and `sql_coverage` of a graph, with the worst of what they find."""
    unresolved, coverage = limits.unresolved_references, limits.sql_coverage
    return [
        _told(
            key,
            UNRESOLVED,
            quality.unresolved <= unresolved.max,
            {"headwater/max": unresolved.max, **unresolved_metadata(quality)},
            unresolved.severity,
        ),
        _told(
            key,
            COVERAGE,
            quality.coverage.share >= coverage.min,
            {"headwater/min": coverage.min, **coverage_metadata(quality)},
            coverage.severity,
        ),
    ]


def _told(
    key: dg.AssetKey, name: str, passed: bool, metadata: dict[str, Any], severity: str = "warn"
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed,
        asset_key=key,
        check_name=name,
        severity=dg.AssetCheckSeverity(severity.upper()),
        metadata=metadata,
    )
