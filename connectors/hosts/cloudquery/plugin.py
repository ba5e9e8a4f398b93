"""A plugin and its calls: protocol v3, over gRPC."""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import grpc  # type: ignore[import-untyped]
from cloudquery.discovery_v1 import discovery_pb2, discovery_pb2_grpc
from cloudquery.plugin_v3 import plugin_pb2 as pb
from cloudquery.plugin_v3 import plugin_pb2_grpc
from grpc.experimental import ChannelOptions  # type: ignore[import-untyped]

from connectors.config.secrets import Redactor
from connectors.errors import ScriptFailed
from connectors.hosts.cloudquery.limits import Limits
from connectors.hosts.cloudquery.logs import PluginLog
from connectors.hosts.cloudquery.process import PluginProcess
from connectors.hosts.cloudquery.watch import Watch

_PROTOCOL = 3
_RETRY_MS = 50  # how soon a plugin that does not listen yet is tried again
_DEAD_S = 2.0  # how long a plugin whose connection broke may take to be seen dead
_WAITED_S, _PAUSE_S = 0.0003, 0.01
_UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED


class Broken(Exception):
    """A plugin died, hung, refused a call or went beyond a limit: `what` follows its name, `limit` is the one.

    It becomes a `ScriptFailed` by `Plugin.failure`, when the plugin's last words are read.
    """

    def __init__(self, what: str, limit: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.limit = limit


class Plugin:
    """A plugin that serves at an address, and its process when it was started here.

    Its methods raise `Broken`. Used as a context: at the end nothing is left of it, and a `Broken` that comes
    through has become a `ScriptFailed`.
    """

    def __init__(
        self,
        name: str,
        address: str,
        process: PluginProcess | None,
        *,
        limits: Limits,
        log: PluginLog,
        redact: Redactor,
    ) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._limits = limits
        self._redact = redact
        self._closed = False
        self._deadline = time.monotonic() + limits.wall_s
        options = [
            ("grpc.max_receive_message_length", limits.message_bytes),
            ("grpc.max_send_message_length", limits.message_bytes),
            ("grpc.enable_http_proxy", 0),
            ("grpc.initial_reconnect_backoff_ms", _RETRY_MS),
            ("grpc.min_reconnect_backoff_ms", _RETRY_MS),
            ("grpc.max_reconnect_backoff_ms", 4 * _RETRY_MS),
            # A stream's messages are taken by the thread that asks for them: half of the work for small ones.
            (ChannelOptions.SingleThreadedUnaryStream, 1),
        ]
        self._channel = grpc.insecure_channel(address, options=options)
        self._stub: Any = plugin_pb2_grpc.PluginStub(self._channel)  # type: ignore[no-untyped-call]

    def wait_until_ready(self) -> None:
        """Waits until it answers, in the protocol's version 3."""
        discovery: Any = discovery_pb2_grpc.DiscoveryStub(self._channel)  # type: ignore[no-untyped-call]
        end = time.monotonic() + self._limits.start_s
        while True:
            try:
                asked = discovery_pb2.GetVersions.Request()
                versions = list(discovery.GetVersions(asked, timeout=0.5, wait_for_ready=True).versions)
                break
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
                    raise Broken(f"is no plugin: {self._text(error)}") from None
                if self._process and self._process.ended():
                    raise Broken(f"{self._process.how_ended} before it could be asked anything") from None
                self._hold_output()
                if time.monotonic() > self._deadline:
                    raise Broken(f"did not answer within {self._limits.wall_s:g} s", "wall_s") from None
                if time.monotonic() > end:
                    raise Broken(f"did not answer within {self._limits.start_s:g} s", "start_s") from None
        if _PROTOCOL not in versions:
            told = ", ".join(map(str, versions)) or "none"
            raise Broken(f"speaks plugin protocol {told}, and headwater speaks {_PROTOCOL}")

    def version(self) -> str:
        """Its name and version, as it says them."""
        name = self._call("GetName", pb.GetName.Request()).name
        return self._redact(f"{name} {self._call('GetVersion', pb.GetVersion.Request()).version}")

    def spec_schema(self) -> str:
        """The JSON Schema of its spec; "" when it gives none."""
        answer = self._call("GetSpecSchema", pb.GetSpecSchema.Request(), optional=True)
        return str(answer.json_schema) if answer else ""

    def init(self, spec: Mapping[str, Any]) -> None:
        """Gives it its spec."""
        request = pb.Init.Request(spec=json.dumps(spec).encode(), invocation_id=str(uuid.uuid4()))
        self._call("Init", request)

    def tables(self) -> list[bytes]:
        """The schemas of all its tables, each an Arrow IPC stream."""
        return list(self._call("GetTables", pb.GetTables.Request(tables=["*"])).tables)

    def test_connection(self, spec: Mapping[str, Any]) -> tuple[bool, str] | None:
        """Whether it reaches its source, and why not; None when it offers no such test."""
        request = pb.TestConnection.Request(spec=json.dumps(spec).encode())
        answer = self._call("TestConnection", request, optional=True)
        if answer is None:
            return None
        text = " ".join(one for one in (answer.failure_code, answer.failure_description) if one)
        return bool(answer.success), self._redact(text)

    def sync(
        self,
        tables: Sequence[str],
        skip_tables: Sequence[str],
        skip_dependent_tables: bool,
        state: tuple[str, str] | None,
        watch: Watch,
    ) -> Generator[Any, None, None]:
        """The messages of a sync, until it ends. `state` is the address and the table of what it may keep."""
        request = pb.Sync.Request(
            tables=tables,
            skip_tables=skip_tables,
            skip_dependent_tables=skip_dependent_tables,
            deterministic_cq_id=True,
            withErrorMessages=True,  # without, the first table that fails ends all, and says nothing
            supports_checkpoints=True,
        )
        if state:
            request.backend.connection, request.backend.table_name = state
        call = self._stub.Sync(request)
        try:
            with watch.over(call.cancel, self._excess):
                watch.touched = asked = time.monotonic()
                for message in call:
                    watch.touched = math.inf  # now it is we who are busy
                    # A row in each message wakes us for each row. After a wait others are let pile up: half of the
                    # work again, and the plugin is not slowed.
                    if time.monotonic() - asked > _WAITED_S:
                        time.sleep(_PAUSE_S)
                    yield message
                    watch.touched = asked = time.monotonic()
        except grpc.RpcError as error:
            raise self._broken("Sync", error, watch.found) from None
        self._hold_output()

    @property
    def deadline(self) -> float:
        """When its time is up, by the monotonic clock."""
        return self._deadline

    def close(self, *, ask: bool = True) -> None:
        """Ends it, unless it was only connected to, and reads what it printed to the end. It is asked to close
        first, if `ask`.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if ask and self._process and not self._process.ended():
                self.log.expect_close()
                self._stub.Close(pb.Close.Request(), timeout=_DEAD_S)
        except grpc.RpcError:
            pass  # the Python SDK's own raises NotImplementedError
        finally:
            self._channel.close()
            if self._process:
                self._process.close()

    def failure(self, broken: Broken) -> ScriptFailed:
        """What to say of a plugin that broke. It is closed first: its last lines often tell why."""
        self.close(ask=False)
        last = self.log.last_lines
        hint = f"raise limits.{broken.limit} if it needs more" if broken.limit else last[-1] if last else None
        return ScriptFailed(f"{self.name} {broken.what}", hint=hint, last_lines=last)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(ask=not isinstance(error, Broken))
        if isinstance(error, Broken):
            raise self.failure(error) from None

    # -- calls

    def _call(self, name: str, request: Any, *, optional: bool = False) -> Any:
        left = self._deadline - time.monotonic()
        try:
            return getattr(self._stub, name)(request, timeout=max(0.0, min(left, self._limits.idle_s)))
        except grpc.RpcError as error:
            if optional and error.code() is _UNIMPLEMENTED:
                return None
            raise self._broken(name, error, None) from None

    def _broken(self, name: str, error: Any, found: tuple[str, str] | None) -> Broken:
        if found:
            return Broken(*found)
        code = error.code()
        if code is grpc.StatusCode.UNAVAILABLE and self._process and self._process.ended(_DEAD_S):
            return Broken(f"{self._process.how_ended} before it was done")
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in (error.details() or ""):
            return Broken(f"sent a message of more than {self._limits.message_bytes} bytes", "message_bytes")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            late = self._deadline - time.monotonic() <= 0
            limit = "wall_s" if late else "idle_s"
            return Broken(f"did not answer {name} within {getattr(self._limits, limit):g} s", limit)
        return Broken(f"failed at {name}: {self._text(error)}")

    def _text(self, error: Any) -> str:
        details = " ".join((error.details() or "").split())
        return f"{error.code().name}: {self._redact(details)[:2000] if details else 'it says no more'}"

    def _excess(self) -> tuple[str, str] | None:
        if self.log.overflowed.is_set():
            return f"printed more than {self._limits.output_bytes} bytes", "output_bytes"
        return None

    def _hold_output(self) -> None:
        if found := self._excess():
            raise Broken(*found)
