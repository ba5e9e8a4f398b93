"""Histories of Dagster runs: written through Dagster's own storages, without running anything."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.test_utils import create_run_for_test

from pipelines.assets.extract import PROCESS_TAG
from pipelines.keys import AssetKeys
from pipelines.metadata import PARTITIONS

KEYS = AssetKeys()
_MOMENT = "2026-11-20T03:00:00.000+00:00"


def key_of(name: str) -> dg.AssetKey:
    """The recorded asset of `app`, `datasets/tidy` or `sinks/lake/tidy`."""
    return dg.AssetKey(["flow_runs", *name.split("/")])


def connection_facts(
    status: str, resources: int, errors: int = 0, tables: Mapping[str, int] | None = None
) -> dict:
    failed = status == "FAILED"
    return {
        "status": status,
        "started_at": _MOMENT,
        "ended_at": _MOMENT,
        "complete": status == "SUCCESS",
        "resources": 0 if failed else resources,
        "declarations": 0,
        "statements": 0,
        "tables": {
            name: {
                "rows": rows,
                "refused": 0,
                "errors": 0,
                "complete": True,
                "messages": [],
                "bytes": rows * 8,
            }
            for name, rows in (tables or {}).items()
        },
        "bytes": 0 if failed else resources * 100,
        "errors": errors + failed,
        "warnings": 0,
        "error": "it is gone" if failed else None,
    }


def dataset_facts(status: str, records: int, quarantined: int = 0) -> dict:
    return {
        "status": status,
        "started_at": _MOMENT,
        "ended_at": _MOMENT,
        "rows": records,
        "records": records,
        "invalid": quarantined,
        "quarantined": quarantined,
        "bytes": records * 10,
        "error": "it cannot be made" if status == "FAILED" else None,
    }


@dataclass
class History:
    """Runs written into an instance. What they record is `ago_s` old when it is written."""

    ago_s: float = 0.0
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    def begin(
        self,
        names: Sequence[str],
        partitions: Sequence[str] = ("2026-11-20",),
        *,
        tags: Mapping[str, str] | None = None,
        parent: str | None = None,
        status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
        process: str | None = None,
    ) -> str:
        """A run that was asked for recorded assets; gives its id."""
        told = {"dagster/partition": partitions[0]}
        if len(partitions) > 1:
            told = {
                "dagster/asset_partition_range_start": partitions[0],
                "dagster/asset_partition_range_end": partitions[-1],
            }
        if process:
            told[PROCESS_TAG] = process
        run = create_run_for_test(
            self.instance,
            job_name="__ASSET_JOB",
            status=status,
            tags={**told, **(tags or {})},
            asset_selection={key_of(name) for name in names},
            parent_run_id=parent,
            root_run_id=parent,
        )
        return run.run_id

    def record(self, run_id: str, name: str, facts: Mapping[str, Mapping[str, Any]]) -> None:
        """What a run recorded of one asset: an event for each partition, all with the facts of all."""
        for partition in facts:
            told = dg.AssetMaterialization(
                key_of(name), partition=partition, metadata={PARTITIONS: dg.MetadataValue.json(dict(facts))}
            )
            event = DagsterEvent(
                "ASSET_MATERIALIZATION", "__ASSET_JOB", event_specific_data=StepMaterializationData(told)
            )
            self.instance.event_log_storage.store_event(
                EventLogEntry(
                    None,
                    10,
                    "",
                    run_id,
                    time.time() - self.ago_s,
                    job_name="__ASSET_JOB",
                    dagster_event=event,
                )
            )

    def end(self, run_id: str, how: str) -> None:
        """`SUCCESS`, `FAILURE` or `CANCELED`."""
        self.instance.run_storage.handle_run_event(run_id, DagsterEvent(f"PIPELINE_{how}", "__ASSET_JOB"))
