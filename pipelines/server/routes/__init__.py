"""The API's routes, one file for each kind of thing. A router that is listed here is served."""

from pipelines.server.routes import (
    changes,
    connections,
    edges,
    events,
    lineage,
    metrics,
    probes,
    resources,
    runs,
    unresolved,
    work,
)

ROUTERS = (
    probes.router,
    resources.router,
    lineage.router,
    changes.router,
    unresolved.router,
    connections.router,
    runs.router,
    metrics.router,
    work.router,
    edges.router,
    events.router,
)

__all__ = ["ROUTERS"]
