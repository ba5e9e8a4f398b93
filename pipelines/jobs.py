"""Jobs that try a connection and store nothing: a preview and a check. What they found is metadata of their output.

They are no assets: `--select '*'` leaves them out. A run whose connection failed is recorded as failed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg

from pipelines.keys import AssetKeys
from pipelines.project import Project

PREVIEW_JOB, CHECK_JOB = "preview_connection", "check_connection"
PREVIEW_OP, CHECK_OP = "sample_connection", "try_connection"
RESULT = "headwater/result"
PROJECT_TAG, CONNECTION_TAG = "headwater/project", "headwater/connection"


def connection_jobs(project: Project, keys: AssetKeys) -> list[dg.JobDefinition]:
    """`preview_connection` and `check_connection`; which connection is in the run's config."""

    @dg.op(
        name=keys.name(PREVIEW_OP),
        config_schema={"connection": str, "limit": dg.Field(int, default_value=5)},
        out=dg.Out(dg.Nothing),
    )
    def sample_connection(context: dg.OpExecutionContext) -> Iterator[dg.Output[None]]:
        yield from _told(context, _previewed(context, project))

    @dg.op(name=keys.name(CHECK_OP), config_schema={"connection": str}, out=dg.Out(dg.Nothing))
    def try_connection(context: dg.OpExecutionContext) -> Iterator[dg.Output[None]]:
        yield from _told(context, _checked(context, project))

    tags = {PROJECT_TAG: project.name}

    @dg.job(
        name=keys.name(PREVIEW_JOB),
        description="Extracts a connection as of now, stores nothing, shows counts and samples.",
        tags=tags,
        executor_def=dg.in_process_executor,
    )
    def preview_connection() -> None:
        sample_connection()

    @dg.job(
        name=keys.name(CHECK_JOB),
        description="Tries a connection, capability by capability.",
        tags=tags,
        executor_def=dg.in_process_executor,
    )
    def check_connection() -> None:
        try_connection()

    return [preview_connection, check_connection]


def _previewed(context: dg.OpExecutionContext, project: Project) -> dict[str, Any]:
    # What reads sources is loaded when it is needed, not with the definitions.
    from connectors.errors import ConfigError
    from connectors.model import ExtractReport
    from pipelines.recorded_samples import masked_samples
    from pipelines.samples import Samples, extract_samples

    name, kept = context.op_config["connection"], Samples(context.op_config["limit"])
    try:
        if name not in project.connections:
            raise ConfigError(f"no connection is named {name}", hint="read the definitions anew")
        report, error = extract_samples(project, name, kept, context.log)
    except ConfigError as wrong:
        return {"connection": name, "error": str(wrong), **kept.told(ExtractReport())}
    return {"connection": name, "error": error, **masked_samples(project, name, kept.told(report))}


def _checked(context: dg.OpExecutionContext, project: Project) -> dict[str, Any]:
    from connectors.model import CheckResult
    from pipelines.connection_check import check_connection

    name = context.op_config["connection"]
    if name in project.connections:
        found = check_connection(project, name, context.log)
    else:
        found = [CheckResult("configuration", False, f"no connection is named {name}")]
    wrong = [f"{one.capability}: {one.message}" for one in found if not one.ok]
    return {
        "connection": name,
        "error": "; ".join(wrong) or None,
        "ok": not wrong,
        "checks": [asdict(one) for one in found],
    }


def _told(context: dg.OpExecutionContext, result: Mapping[str, Any]) -> Iterator[dg.Output[None]]:
    """Records the result, then fails the step where the connection failed."""
    yield dg.Output(None, metadata={RESULT: dg.MetadataValue.json(result)})
    if result["error"]:
        raise dg.Failure(f"{result['connection']} failed: {result['error']}", allow_retries=False)
