"""`headwater serve`: the HTTP API over a project's graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.server.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    # The commands for tokens are here too, and need no FastAPI.
    if name == "create_app":
        from pipelines.server.app import create_app

        return create_app
    raise AttributeError(f"module 'pipelines.server' has no attribute {name!r}")
