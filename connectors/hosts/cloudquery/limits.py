"""What a hosted plugin may use."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """What a plugin may use: seconds of wall time, bytes, lines.

    Beyond `output_lines` its output is left out of the log and still read; beyond any other the plugin is ended.
    `memory_bytes` is address space, of each of its processes; None is unbounded.
    """

    model_config = ConfigDict(extra="forbid")

    wall_s: float = Field(default=3600, gt=0, description="from its start to the end of its sync")
    idle_s: float = Field(
        default=900, gt=0, description="the longest silence of a sync, and the longest call"
    )
    start_s: float = Field(default=60, gt=0, description="until it answers")
    memory_bytes: int | None = Field(
        default=None, ge=64 * 1024**2, description="address space of each of its processes"
    )
    message_bytes: int = Field(default=200 * 1024**2, ge=64 * 1024, description="one message: a row, mostly")
    output_lines: int = Field(
        default=10_000, ge=0, description="of its output, in the log; the rest is left out"
    )
    output_bytes: int = Field(default=256 * 1024**2, ge=64 * 1024, description="of its output")
