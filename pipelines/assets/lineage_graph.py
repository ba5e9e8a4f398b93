"""The graph as an asset, downstream of every connection's run."""

from collections.abc import Iterator, Sequence
from functools import partial

import dagster as dg

from lineage import LineageGraph
from lineage.graph.build import build_graph
from lineage.graph.quality import quality_of
from lineage.store import Store
from pipelines.checks import COVERAGE, UNRESOLVED, graph_checks
from pipelines.keys import AssetKeys
from pipelines.metadata import graph_metadata
from pipelines.openlineage import DagsterRun, told_graph
from pipelines.partitions import TimePartitions, window_of
from pipelines.project import Project, connection_specs
from pipelines.records import records_held_open


def graph_asset(
    project: Project,
    store: Store,
    runs: Sequence[dg.AssetKey],
    parts: TimePartitions,
    keys: AssetKeys,
) -> dg.AssetsDefinition:
    """`lineage_graph`: from each connection's newest complete partition; it waits for none that has none yet. It
    comes after `runs`.
    """

    @dg.asset(
        key=keys.graph,
        deps=list(runs),
        partitions_def=parts,
        group_name="lineage",
        kinds={"duckdb", "deltalake"},
        description="Where everything comes from: resources, edges and unresolved references.",
        check_specs=[
            dg.AssetCheckSpec(check, asset=keys.graph, partitions_def=parts)
            for check in (UNRESOLVED, COVERAGE)
        ],
        automation_condition=dg.AutomationCondition.eager().without(
            ~dg.AutomationCondition.any_deps_missing()
        ),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def lineage_graph(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        specs = list(connection_specs(project))
        parent = DagsterRun(context.run.run_id, context.run.job_name)

        def build(key: str) -> LineageGraph:
            return build_graph(store, key, specs, same_as=project.model.same_as, run_id=context.run.run_id)

        for key in context.partition_keys:
            graph = told_graph(project, parent, window_of(parts, key), partial(build, key))
        newest = store.graphs.newest()
        if newest is not None and newest.partition > context.partition_keys[-1]:
            # What a past partition gave belongs into the newest graph too.
            build(newest.partition)
        quality = quality_of(graph)
        with records_held_open(context.instance, context.run.run_id):
            yield dg.MaterializeResult(
                asset_key=keys.graph,
                metadata=graph_metadata(graph, project.storage, quality),
                check_results=graph_checks(keys.graph, quality, project.model.checks),
            )

    return lineage_graph
