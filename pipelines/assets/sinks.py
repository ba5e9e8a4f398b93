"""One asset for each dataset that a sink is given: it calls the delivery, and tells Dagster what came of it."""

from collections.abc import Iterator

import dagster as dg

from connectors.sinks import load_sink
from lineage.store import Store
from pipelines.assets.extract import run_info
from pipelines.dataset_metadata import run_metadata, sink_metadata
from pipelines.datasets.deliver import deliver_dataset
from pipelines.keys import AssetKeys
from pipelines.partitions import TimePartitions, window_of
from pipelines.project import Project
from pipelines.records import records_held_open
from pipelines.statuses import FAILED


def sink_asset(
    project: Project, store: Store, sink: str, dataset: str, parts: TimePartitions, keys: AssetKeys
) -> dg.AssetsDefinition:
    """Two keys from one step: `sinks/<sink>/<dataset>` when it was delivered, its run always."""
    given, run = keys.sink(sink, dataset)
    specs = [
        dg.AssetSpec(
            given,
            deps=[keys.dataset(dataset)[1]],
            skippable=True,
            group_name="sinks",
            kinds=set(load_sink(project.model.sinks[sink].connector).kinds),
            partitions_def=parts,
            description=f"What {sink} has of {dataset}.",
        ),
        dg.AssetSpec(
            run,
            deps=[given],
            group_name="sinks",
            partitions_def=parts,
            description=f"The delivery of {dataset} to {sink}: recorded whether it succeeded or not.",
        ),
    ]

    @dg.multi_asset(
        name=keys.name(f"sink_{sink}_{dataset}"),
        specs=specs,
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=keys.name(f"sink_{sink}"),
    )
    def deliver(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        info = run_info(context, accept_drop=False)
        with records_held_open(context.instance, context.run.run_id):
            outcomes = [
                deliver_dataset(project, store, sink, dataset, window_of(parts, key), info, context.log)
                for key in context.partition_keys
            ]
            # Of several partitions the earlier ones may be behind what the target has.
            done = outcomes[-1].error is None and not any(o.status == FAILED for o in outcomes)
            if done and given in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=given, metadata=sink_metadata(outcomes[-1], keys))
            if run in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=run, metadata=run_metadata(outcomes))
            elif not done:
                raise dg.Failure(
                    f"{sink} of {dataset}: {next(o.error for o in outcomes if o.error)}", allow_retries=False
                )

    return deliver
