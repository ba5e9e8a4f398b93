"""One asset for each derived dataset; all it does is call the derivation and tell Dagster what came of it."""

from collections.abc import Iterator

import dagster as dg

from lineage.store import Store
from pipelines.assets.extract import REPLAY_TAG, run_info
from pipelines.checks import VALID, valid_records
from pipelines.dataset_metadata import dataset_metadata, run_metadata
from pipelines.datasets.derive import derive_dataset
from pipelines.datasets.replay import replay_dataset
from pipelines.keys import AssetKeys
from pipelines.partitions import TimePartitions, window_of
from pipelines.project import DatasetRef, Project
from pipelines.records import records_held_open


def dataset_asset(
    project: Project, store: Store, name: str, parts: TimePartitions, keys: AssetKeys
) -> dg.AssetsDefinition:
    """Two keys from one step: `datasets/<name>` when it was made, its run always."""
    dataset = project.datasets[name]
    made, run = keys.dataset(name)
    specs = [
        dg.AssetSpec(
            made,
            deps=[run_of(ref, keys) for ref in dataset.reads],
            skippable=True,
            group_name="datasets",
            kinds={"duckdb", "deltalake"},
            partitions_def=parts,
            description=dataset.model.description or f"Made of {dataset.source.id}.",
            # Another transform or other rules: what is stored is of before.
            code_version=dataset.version,
        ),
        dg.AssetSpec(
            run,
            deps=[made],
            group_name="datasets",
            partitions_def=parts,
            description=f"The run of {name}: recorded whether it succeeded or not.",
        ),
    ]

    @dg.multi_asset(
        name=keys.name(f"dataset_{name}"),
        specs=specs,
        can_subset=True,
        check_specs=[dg.AssetCheckSpec(VALID, asset=made, partitions_def=parts)],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def derive(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        info = run_info(context, accept_drop=False)
        with records_held_open(context.instance, context.run.run_id):
            # A run may be to try again what an earlier one refused.
            work = replay_dataset if context.run.tags.get(REPLAY_TAG) == name else derive_dataset
            outcomes = [
                work(project, store, name, window_of(parts, key), info, context.log)
                for key in context.partition_keys
            ]
            done = not any(outcome.error for outcome in outcomes)
            if done and made in context.selected_asset_keys:
                yield dg.MaterializeResult(
                    asset_key=made, metadata=dataset_metadata(store, outcomes[-1], keys)
                )
            if any(key.name == VALID for key in context.selected_asset_check_keys):
                yield valid_records(made, outcomes)
            if run in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=run, metadata=run_metadata(outcomes))
            elif not done:
                # Without its run no check sees the failure: this step has to tell it.
                raise dg.Failure(f"{name}: {next(o.error for o in outcomes if o.error)}", allow_retries=False)

    return derive


def run_of(ref: DatasetRef, keys: AssetKeys) -> dg.AssetKey:
    """The run that a dataset waits for: it is recorded whether it succeeded or not."""
    return keys.dataset(ref.table)[1] if ref.is_derived else keys.flow_run(ref.connection)
