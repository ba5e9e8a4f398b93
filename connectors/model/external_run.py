"""Runs of other systems."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from connectors.model.reference import Declared

RunStatus = Literal["QUEUED", "RUNNING", "SUCCESS", "WARNING", "FAILED", "CANCELED"]


class ExternalRun(Declared):
    """A run of somebody else's: dbt's, Airflow's, Spark's. It is stored, and never mixed with flow runs.

    `id` is the other system's; `job` names what ran. `inputs` and `outputs` are `databuilder_id`s of the declaring
    connection. `parent` is the id of the run that started it.
    """

    id: str = Field(min_length=1)
    job: str
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None = None
    inputs: list[str] = Field(default_factory=list)
    outputs: list[str] = Field(default_factory=list)
    error: str | None = None
    parent: str | None = None
