"""Sensors: a source that changed asks for a sync; a run that failed is logged."""

import json
import logging
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import dagster as dg

from connectors import Connector, Window
from connectors.errors import ConnectorError
from pipelines.extract import describe
from pipelines.flows import keys_of_flows
from pipelines.ingest import Nowhere
from pipelines.keys import AssetKeys
from pipelines.partitions import key_at
from pipelines.project import Project, open_connector, resolve_connection, usable_class
from pipelines.redaction import output_redacted


def offers_fingerprint(project: Project, name: str) -> bool:
    """Whether the connection's connector can tell cheaply that its source changed."""
    return usable_class(project, name).fingerprint is not Connector.fingerprint


def source_changed_sensor(project: Project, names: Sequence[str], keys: AssetKeys) -> dg.SensorDefinition:
    """`source_changed_sensor`: asks for today's partition of each connection whose fingerprint is a new one."""
    flows = {name: keys_of_flows(project, [name], keys) for name in names}
    watched = list(dict.fromkeys(key for flow in flows.values() for key in flow))

    @dg.sensor(
        name=keys.name("source_changed_sensor"),
        target=dg.AssetSelection.assets(*watched),
        minimum_interval_seconds=60,
        description="Syncs connections whose source has changed.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        known: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
        requests = []
        today = key_at(project.model.partitions, datetime.now(UTC))
        for name in names:
            try:
                found = _fingerprint(project, name)
            except Exception as error:  # noqa: BLE001 - another connection's source must still be looked at
                context.log.warning("%s: the fingerprint could not be read: %s", name, describe(error))
                continue
            if found is not None and found != known.get(name):
                known[name] = found
                key = f"{name}:{today}:{found}"
                requests.append(dg.RunRequest(run_key=key, partition_key=today, asset_selection=flows[name]))
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(known, sort_keys=True))

    return sensor


def _fingerprint(project: Project, name: str) -> str | None:
    """Raises what it raises with every secret masked: the daemon's log keeps it."""
    resolved = resolve_connection(project, name)
    now = datetime.now(UTC)
    window = Window(key_at(project.model.partitions, now), now, now)
    log = logging.getLogger("headwater")
    try:
        with output_redacted(resolved.redact):
            connector = open_connector(project, resolved, window=window, ingest=Nowhere(), log=log)
            with closing(connector):
                return connector.fingerprint()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a connector raises is that connection's fault
        raise ConnectorError(resolved.redact(describe(error))) from None


def run_status_sensor(keys: AssetKeys) -> dg.SensorDefinition:
    """`run_status`: says in the daemon's log which run failed, and why."""

    @dg.run_failure_sensor(name=keys.name("run_status"), description="Logs runs that failed.")
    def run_status(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        partition = run.tags.get("dagster/partition", "")
        context.log.error(
            "run %s of partition %s failed: %s", run.run_id, partition, context.failure_event.message
        )

    return run_status


def graph_sensor(keys: AssetKeys) -> dg.AutomationConditionSensorDefinition:
    """Evaluates the graph's automation condition where the daemon runs; on from the start."""
    return dg.AutomationConditionSensorDefinition(
        keys.name("lineage_graph_automation"),
        target=dg.AssetSelection.assets(keys.graph),
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
