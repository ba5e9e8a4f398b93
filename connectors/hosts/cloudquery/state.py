"""Where a plugin keeps what it knows from sync to sync: a server that it calls, and checkpoints that it sends.

Everything is staged: a plugin writes its cursors as it goes, also past what failed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Any, Self

import grpc  # type: ignore[import-untyped]
import pyarrow as pa
from cloudquery.discovery_v1 import discovery_pb2, discovery_pb2_grpc
from cloudquery.plugin_v3 import plugin_pb2 as pb
from cloudquery.plugin_v3 import plugin_pb2_grpc

from connectors.errors import ConnectorError
from connectors.hosts.cloudquery.messages import Unreadable, one_line, table_name

TABLE = "cq_state"
_KEY, _VALUE = "key", "value"


class State:
    """What a plugin keeps, by table and key. `committed` is where it starts, and is never changed."""

    def __init__(self, committed: Mapping[str, Mapping[str, str]]) -> None:
        self.committed = committed
        self._staged: dict[str, dict[str, str]] = {name: dict(kept) for name, kept in committed.items()}
        self._lock = Lock()

    @property
    def staged(self) -> dict[str, dict[str, str]]:
        """All that would be kept, were the sync to end now."""
        with self._lock:
            return copy.deepcopy(self._staged)

    def stage(self, payload: bytes) -> None:
        """Takes the keys and values of an Arrow IPC stream. Raises ValueError for anything else."""
        try:
            with pa.ipc.open_stream(payload) as reader:
                name, rows = table_name(reader.schema), reader.read_all()
            rows.validate(full=True)
            keys, values = rows.column(_KEY).to_pylist(), rows.column(_VALUE).to_pylist()
        except Unreadable as error:
            raise ValueError(f"its state cannot be read: {one_line(error)}") from None
        with self._lock:
            kept = self._staged.setdefault(name, {})
            kept.update({str(k): str(v) for k, v in zip(keys, values, strict=True) if v is not None})

    def read(self, payload: bytes) -> bytes:
        """The kept rows of the table whose schema is given, as an Arrow IPC stream; b"" when there are none."""
        try:
            with pa.ipc.open_stream(payload) as reader:
                schema = reader.schema
            with self._lock:
                kept = dict(self._staged.get(table_name(schema), {}))
            if not kept:
                return b""
            told = {_KEY: list(kept), _VALUE: list(kept.values())}
            # A Go plugin's table also has a version, which may be null.
            arrays = [pa.array(told.get(f.name, [None] * len(kept)), f.type) for f in schema]
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, schema) as writer:
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            return bytes(sink.getvalue())
        except Unreadable as error:
            raise ValueError(f"its state cannot be read: {one_line(error)}") from None


class StateServer:
    """Serves a state to one plugin, at `address`, while it is used as a context. Raises ConnectorError when
    it cannot.

    `wanted` is where: a socket's address, or None for a free port of 127.0.0.1.
    """

    def __init__(self, state: State, wanted: str | None, longest: int) -> None:
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="cq-state")
        sizes = [("grpc.max_receive_message_length", longest), ("grpc.max_send_message_length", longest)]
        self._server = grpc.server(self._pool, options=sizes)
        plugin_pb2_grpc.add_PluginServicer_to_server(_Backend(state), self._server)  # type: ignore[no-untyped-call]
        discovery_pb2_grpc.add_DiscoveryServicer_to_server(_Discovery(), self._server)  # type: ignore[no-untyped-call]
        try:
            port = self._server.add_insecure_port(wanted or "127.0.0.1:0")
        except RuntimeError as error:
            self._pool.shutdown()
            raise ConnectorError(f"the plugin's state cannot be served: {error}") from None
        self.address = wanted or f"127.0.0.1:{port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(0).wait()
        self._pool.shutdown()


class _Discovery(discovery_pb2_grpc.DiscoveryServicer):
    def GetVersions(self, request: Any, context: grpc.ServicerContext) -> Any:
        return discovery_pb2.GetVersions.Response(versions=[3])


class _Backend(plugin_pb2_grpc.PluginServicer):
    def __init__(self, state: State) -> None:
        self._state = state

    def GetName(self, request: Any, context: grpc.ServicerContext) -> Any:
        return pb.GetName.Response(name="headwater")

    def GetVersion(self, request: Any, context: grpc.ServicerContext) -> Any:
        return pb.GetVersion.Response(version="v1")

    def Write(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Any:
        for message in request_iterator:
            if message.WhichOneof("message") == "insert":
                try:
                    self._state.stage(message.insert.record)
                except ValueError as error:
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return pb.Write.Response()

    def Read(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            rows = self._state.read(request.table)
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        if rows:
            yield pb.Read.Response(record=rows)

    def Close(self, request: Any, context: grpc.ServicerContext) -> Any:
        return pb.Close.Response()
