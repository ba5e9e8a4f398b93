"""The server's application: the project's graph in memory, and the routes over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import APIRouter, FastAPI
from prometheus_client.registry import Collector

from lineage.store import open_store
from lineage.store.version import TableVersion
from pipelines.project import Project
from pipelines.project.overlay import objects_of
from pipelines.server.access import Access, KnownTokens
from pipelines.server.gate import Gate
from pipelines.server.graphs import Graphs
from pipelines.server.lazy_launcher import LazyLauncher
from pipelines.server.metrics import RequestMetrics, make_registry
from pipelines.server.nexla import PREFIX, Desk, make_nexla
from pipelines.server.nexla.stored_tables import StoredTables
from pipelines.server.openapi import add_document
from pipelines.server.problems import add_handlers
from pipelines.server.reloading import Reloader
from pipelines.server.routes import ROUTERS
from pipelines.server.run_metrics import FlowRunMetrics
from pipelines.server.runs import EVERY_S, ProjectedRuns
from pipelines.server.served import CurrentProject, Served
from pipelines.server.tokens import Tokens
from pipelines.server.watch import Watch

QUEUE_EVERY_S = 10.0


def create_app(
    project: Project,
    *,
    loopback: bool = True,
    insecure: bool = False,
    routers: Sequence[APIRouter] = ROUTERS,
    collectors: Iterable[Collector] = (),
    self_guarded: Sequence[str] = (),
) -> FastAPI:
    """The ASGI app of a project. It reads the store when its lifespan begins, and follows it and Dagster's records
    until that ends.

    `loopback` says that only this machine can connect: then reading needs no token, and only local Host headers are
    answered without one. `insecure` lets others read without a token, too. `collectors` add to the metrics.
    Paths that begin with one of `self_guarded` are left to their routes, which ask for keys of their own. Raises
    StoreError for a storage that cannot be one.
    """
    store = open_store(project.storage, project.storage_options)
    current, objects = CurrentProject(project), objects_of(project)
    graphs = Graphs(
        store,
        TableVersion(store.graphs.table.uri, project.storage_options),
        lambda: current.project.model.collapse,
    )
    tokens = KnownTokens(Tokens(objects), objects.version())
    tables = StoredTables(
        store, TableVersion(store.snapshots.table.uri, project.storage_options), lambda: current.project
    )
    projected, launching = ProjectedRuns(lambda: current.project), LazyLauncher(lambda: current.project)

    def look_at_graph() -> None:
        current.look()
        graphs.look()
        tables.look()

    def look_at_queue() -> None:
        if projected.has_waiting:
            launching.get().take_up_waiting()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Tokens have a thread of their own: a revoked one must not go on while a large graph is read. Nobody waits
        # for Dagster's records: a long history takes a minute to be read for the first time.
        watches = [
            *(Watch("graph", look_at_graph), Watch("tokens", tokens.look)),
            Watch("runs", projected.look, EVERY_S),
            Watch("queue", look_at_queue, QUEUE_EVERY_S),
        ]
        await to_thread.run_sync(tokens.look)
        await to_thread.run_sync(look_at_graph)
        for watch in watches:
            watch.start()
        yield
        for end in (launching.close, projected.close, *(watch.stop for watch in watches)):
            await to_thread.run_sync(end)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=lifespan)
    app.state.served = Served(current, store, graphs, tokens, projected, launching, Reloader(launching))
    app.state.registry = make_registry(graphs, (FlowRunMetrics(projected), *collectors))
    access = Access(tokens, loopback, insecure, (PREFIX, *self_guarded))
    app.add_middleware(Gate, access=access, metrics=RequestMetrics(app.state.registry))
    add_handlers(app)
    for router in routers:
        app.include_router(router)
    add_document(app)
    app.mount(PREFIX, make_nexla(Desk(app.state.served, tables)))
    return app
