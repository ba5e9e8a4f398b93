"""The demo materialized by Dagster's own command, less the seconds inside connectors, beside an empty project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

import dagster as dg
import yaml

from bench.measure import Figure, give_home, materialize, succeed
from lineage import open_store
from pipelines.metadata import EXTRACT_SECONDS
from tests.pipelines.demo.copying import copy_shop

TURNS = 5
LIMIT = 2.0
EMPTY = '''\
"""One asset that does nothing."""

import dagster as dg


@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2026-01-01", end_offset=1))
def nothing() -> None:
    """Does nothing."""


defs = dg.Definitions(assets=[nothing], executor=dg.in_process_executor)
'''
# What Dagster itself takes for assets and checks of the demo's number and kind, when their bodies do nothing.
SHAPE = '''\
"""Six connections' assets and checks and a graph's, all of which do nothing."""

import dagster as dg

PARTS = dg.DailyPartitionsDefinition("2026-01-01", end_offset=1)
NAMES = "abcdef"


def flow_run(name):
    return dg.AssetKey(["flow_runs", name])


def spec(name, asset):
    return dg.AssetCheckSpec(name, asset=asset, partitions_def=PARTS)


def connection(name):
    resources, run = dg.AssetKey(["resources", name]), flow_run(name)

    @dg.multi_asset(
        name=f"extract_{name}",
        specs=[
            dg.AssetSpec(resources, skippable=True, partitions_def=PARTS),
            dg.AssetSpec(run, deps=[resources], partitions_def=PARTS),
        ],
        check_specs=[spec("complete", run), spec("resource_drop", run)],
        can_subset=True,
    )
    def extract(context):
        yield dg.MaterializeResult(asset_key=resources)
        told = [dg.AssetCheckResult(passed=True, asset_key=run, check_name=n) for n in ("complete", "resource_drop")]
        yield dg.MaterializeResult(asset_key=run, check_results=told)

    return extract


@dg.multi_asset_check(specs=[spec("synced", flow_run(name)) for name in NAMES], can_subset=True)
def synced(context):
    for key in context.selected_asset_check_keys:
        yield dg.AssetCheckResult(passed=True, asset_key=key.asset_key, check_name="synced")


@dg.asset(
    deps=[flow_run(name) for name in NAMES],
    partitions_def=PARTS,
    check_specs=[spec(name, "lineage_graph") for name in ("unresolved_references", "sql_coverage")],
)
def lineage_graph():
    names = ("unresolved_references", "sql_coverage")
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name=n) for n in names])


defs = dg.Definitions(
    assets=[*map(connection, NAMES), lineage_graph], asset_checks=[synced], executor=dg.in_process_executor
)
'''


def run(folder: Path) -> Iterator[Figure]:
    demo, empty, shape = folder / "demo", folder / "empty", folder / "shape"
    copy_shop(demo)
    _leave_out_datasets(demo / "headwater.yaml")
    for one, text in ((empty, EMPTY), (shape, SHAPE)):
        one.mkdir()
        (one / f"{one.name}_project.py").write_text(text)
    for one in (demo, empty, shape):
        give_home(one)
    succeed(
        materialize(demo, "pipelines.definitions")
    )  # the demo's data are made, both instances' databases too
    succeed(materialize(empty, "empty_project"))
    succeed(materialize(shape, "shape_project"))
    ours, inside, bare, shaped = [], [], [], []
    for _ in range(TURNS):
        bare.append(succeed(materialize(empty, "empty_project")).seconds)
        shaped.append(succeed(materialize(shape, "shape_project")).seconds)
        ours.append(succeed(materialize(demo, "pipelines.definitions")).seconds)
        inside.append(_extract_seconds(demo))
    net = [whole - part for whole, part in zip(ours, inside, strict=True)]
    yield Figure("empty project, wall (median of 5)", median(bare), "s")
    yield Figure("demo, wall", median(ours), "s")
    yield Figure("demo, of it inside extract", median(inside), "s")
    yield Figure(
        "Dagster alone for as many assets and checks / empty project", median(shaped) / median(bare), "x"
    )
    yield Figure("demo without extract / empty project", median(net) / median(bare), "x", LIMIT)
    yield from _broken(demo)


def _leave_out_datasets(file: Path) -> None:
    """What is measured is what Dagster and ours cost beside the work; datasets are work."""
    project = yaml.safe_load(file.read_text())
    for key in ("transforms", "datasets", "sinks"):
        del project[key]
    del project["connections"]["warehouse"]["records"]
    file.write_text(yaml.safe_dump(project, sort_keys=False))


def _broken(demo: Path) -> Iterator[Figure]:
    """One connection broken: the command fails, everything else is stored, the graph is new."""
    before = open_store(demo / ".headwater").graphs.newest()
    (demo / "catalog").rename(demo / "gone")
    finished = materialize(demo, "pipelines.definitions")
    after = open_store(demo / ".headwater").graphs.newest()
    new = after is not None and before is not None and after.run_id != before.run_id
    yield Figure("one connection broken: exit code is not 1", float(finished.code != 1), "", 0)
    yield Figure("one connection broken: graph is not new", float(not new), "", 0)
    yield Figure("one connection broken: others not stored", float(len(_runs(demo)) != 5), "", 0)


def _extract_seconds(folder: Path) -> float:
    """The seconds that the newest run spent inside connectors, as its own metadata says."""
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        run_id = instance.get_run_records(limit=1)[0].dagster_run.run_id
        events = instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        ).records
    found = [e.event_log_entry.asset_materialization for e in events]
    return sum(float(m.metadata[EXTRACT_SECONDS].value) for m in found if m and EXTRACT_SECONDS in m.metadata)


def _runs(folder: Path) -> set[str]:
    """The connections whose newest snapshot is of the newest run."""
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        run_id = instance.get_run_records(limit=1)[0].dagster_run.run_id
    return {h.connection for h in open_store(folder / ".headwater").snapshots.headers() if h.run_id == run_id}
