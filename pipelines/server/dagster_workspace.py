"""Dagster within this process: its GraphQL over a code server of our own, which ends with us.

Dagster has no public way to load a workspace or to run its schema without a web server: what is imported from
`dagster._core` and `dagster_graphql.schema` stands here and nowhere else, and tests hold it for the pinned version.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import time
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import dagster as dg
from dagster._core.remote_representation.code_location import CodeLocation
from dagster._core.remote_representation.grpc_server_registry import ErrorRegistryEntry, GrpcServerRegistry
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._grpc.constants import GrpcServerCommand
from dagster._serdes import ConfigurableClassData
from dagster_graphql.schema import create_schema

from connectors.errors import RunError
from pipelines.project import Project

MODULE = "pipelines.definitions"
# Dagster's code server looks twice in this time whether we still live: killed, we are survived by at most twice of it.
HEARTBEAT_S = 15
_DAEMON = "QUEUED_RUN_COORDINATOR"
# A daemon's heart beats every 30 s. One that is wrongly held for dead does no harm: its queue does not see what is
# launched, and no run is started that has been taken out of the queue.
_ALIVE_S = 90.0
_GRACE_S = 3.0  # for a code server to end that has no run under way
_AT_ONCE = ConfigurableClassData("dagster._core.run_coordinator", "DefaultRunCoordinator", "{}\n")


class DagsterWorkspace:
    """Loads the definitions in a process of their own at the first question; it reads them from HEADWATER_PROJECT."""

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        self._project = project
        self._instance = instance
        self._stack = ExitStack()
        self._lock = Lock()
        self._workspace: WorkspaceProcessContext | None = None
        self._registry: GrpcServerRegistry | None = None
        self._served: CodeLocation | None = None
        self._schema = create_schema()
        self._closed = False

    def ask(
        self, query: str, variables: Mapping[str, Any] | None = None, *, launches: bool = False
    ) -> dict[str, Any]:
        workspace = self._opened()
        context = workspace.create_request_context()
        with ExitStack() as stack:
            if launches and not self._is_queue_served():
                # A run that never was in the queue cannot be taken out of it by a daemon that starts meanwhile.
                at_once = self._instance.get_ref()._replace(run_coordinator_data=_AT_ONCE)
                context = WorkspaceRequestContext(
                    instance=stack.enter_context(dg.DagsterInstance.from_ref(at_once)),
                    current_workspace=workspace.get_current_workspace(),
                    process_context=workspace,
                    version=context.version,
                    source=None,
                    read_only=False,
                )
            stack.callback(self._leave_replaced)
            stack.enter_context(context)
            asked = self._schema.execute_async(query, context_value=context, variable_values=variables or {})
            result = asyncio.run(asked)
        if result.errors or result.data is None:
            said = result.errors[0].message if result.errors else "no data"
            raise RunError(f"Dagster cannot answer: {said}", retryable=True)
        return dict(result.data)

    def launch_waiting(self, tags: Mapping[str, str]) -> None:
        waiting = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED], tags=dict(tags))
        if self._is_queue_served() or not self._instance.get_runs(waiting, limit=1):
            return
        workspace = self._opened()
        # Other servers of this home look for them, too.
        with open(Path(self._instance.root_directory) / ".taken_up_by_one.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with workspace.create_request_context() as context:
                for run in reversed(self._instance.get_runs(waiting)):
                    self._instance.launch_run(run.run_id, context)

    def close(self) -> None:
        """Tells the code server to end; it does so after the runs that it has under way."""
        with self._lock:
            self._closed, self._workspace = True, None
            self._stack.close()
            self._end_servers()

    def _opened(self) -> WorkspaceProcessContext:
        with self._lock:
            if self._closed:
                raise RunError("Dagster was ended with the server")
            if self._workspace is None:
                os.environ["HEADWATER_PROJECT"] = str(self._project.folder)
                self._workspace, self._registry = self._open()
            elif not self._is_serving(self._workspace):
                self._workspace.reload_code_location(MODULE)
            return self._workspace

    def _leave_replaced(self) -> None:
        """Lets the code server end from which definitions were read before they were read anew, after its runs."""
        with self._lock:
            if self._closed:
                # Definitions were read anew while this was closed: in a code server that nobody has told to end.
                self._end_servers()
            if self._workspace is None:
                return
            served = self._workspace.get_current_workspace().code_location_entries[MODULE].code_location
            before, self._served = self._served, served
            if before is not None and before is not served:
                before.cleanup()

    def _end_servers(self) -> None:
        started: list[Any] = self._registry._all_processes if self._registry else []
        for server in started:
            server.shutdown_server()
            process = server.server_process
            try:
                process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                # It ends after its runs; somebody has to wait for it, or it stays as a zombie.
                Thread(target=process.wait, daemon=True).start()

    def _is_serving(self, workspace: WorkspaceProcessContext) -> bool:
        """Whether the code server has not died: killed for its memory, say. That it does not load is no death."""
        origin = workspace.get_current_workspace().code_location_entries[MODULE].origin
        assert self._registry is not None
        assert self._registry.supports_origin(origin)
        entry = self._registry.get_grpc_server_entry(origin)
        return isinstance(entry, ErrorRegistryEntry) or entry.process.server_process.poll() is None

    def _open(self) -> tuple[WorkspaceProcessContext, GrpcServerRegistry]:
        instance = self._instance
        with ExitStack() as stack, warnings.catch_warnings():
            # That a location does not load is found below; a warning would say it a second time.
            warnings.simplefilter("ignore", UserWarning)
            registry = stack.enter_context(
                GrpcServerRegistry(
                    instance_ref=instance.get_ref(),
                    server_command=GrpcServerCommand.API_GRPC,
                    heartbeat_ttl=HEARTBEAT_S,
                    startup_timeout=instance.code_server_process_startup_timeout,
                    wait_for_processes_on_shutdown=False,
                    log_level="WARNING",
                )
            )
            workspace = stack.enter_context(
                WorkspaceProcessContext(
                    instance,
                    ModuleTarget(MODULE, None, None, None),
                    grpc_server_registry=registry,
                )
            )
            self._stack = stack.pop_all()
        return workspace, registry

    def _is_queue_served(self) -> bool:
        """Whether runs that are submitted are somebody's to launch: of a daemon, or of no queue at all."""
        if not isinstance(self._instance.run_coordinator, QueuedRunCoordinator):
            return True
        beat = self._instance.get_daemon_heartbeats().get(_DAEMON)
        return beat is not None and time.time() - beat.timestamp < _ALIVE_S
