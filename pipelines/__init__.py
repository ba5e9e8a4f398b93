"""headwater on Dagster: projects as definitions, runs as flow runs, the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.loading import load_project

__all__ = ["load_project"]


def __getattr__(name: str) -> Any:
    # Dagster takes a second to import, and `headwater --help` does not need it.
    if name == "load_project":
        from pipelines.loading import load_project

        return load_project
    raise AttributeError(f"module 'pipelines' has no attribute {name!r}")
