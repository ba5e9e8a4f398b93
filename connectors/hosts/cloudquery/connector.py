"""The connector whose source is a CloudQuery plugin."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from connectors.connector import Connector, ConnectorConfig
from connectors.errors import ConfigError, ConnectorError, HeadwaterError
from connectors.hosts.cloudquery.limits import Limits
from connectors.hosts.cloudquery.spec import build_spec, certain_secrets, faults_of, secret_texts
from connectors.model import CheckResult

if TYPE_CHECKING:
    from connectors.hosts.cloudquery.launch import Running
    from connectors.hosts.cloudquery.plugin import Plugin
    from connectors.tables import Table


class CloudQuery(Connector):
    """Runs a CloudQuery source plugin as it is, in a process and an environment of its own, and keeps its tables.

    Every table has the plugin's columns, `_cq_sync_time` and `_cq_source_name`; no `_cq_id` is made up. Rows that
    are gone from the source go as with any connector: a table that was read to its end is replaced. A plugin that is
    only connected to (`grpc://`) keeps its log to itself, and with it the rows that its SDK drops.
    """

    platform: ClassVar[str] = "cloudquery"
    kinds: ClassVar[frozenset[str]] = frozenset({"cloudquery"})
    default_endpoints: ClassVar[tuple[str, ...] | None] = ()  # the plugin asks for itself
    merges_credential: ClassVar[bool] = False  # it goes into the spec

    class Config(ConnectorConfig):
        """What of `spec` and `env` is text is taken for secret: no message and no line of the log shows it."""

        plugin: str = Field(
            description="a folder with a main.py, a command line, or the grpc://host:port of one that runs"
        )
        python: str | None = Field(
            default=None, description="the interpreter of a folder's plugin, where its SDK is installed"
        )
        spec: dict[str, Any] = Field(
            default_factory=dict, repr=False, description="the plugin's own settings; a credential is added"
        )
        env: dict[str, str] = Field(
            default_factory=dict, repr=False, description="what the plugin gets beside a minimal environment"
        )
        limits: Limits = Field(default_factory=Limits, description="time and size that it may use")

    @classmethod
    def secrets(cls, config: Any) -> list[str]:
        return certain_secrets({"spec": config.spec, "env": config.env})

    def extract(self) -> None:
        """Runs one sync. Raises ConfigError for a spec that the plugin does not take and for a pattern of tables that
        matches none, ScriptFailed when the plugin dies, hangs or goes beyond its limits; what it gave before is kept.
        """
        from connectors.hosts.cloudquery.state import State, StateServer
        from connectors.hosts.cloudquery.sync import Sync
        from connectors.hosts.cloudquery.watch import Watch
        from connectors.tables import select_tables

        context, limits = self.context, self.config.limits
        spec = self._prepare()
        with self._running() as running:
            plugin = running.plugin
            plugin.wait_until_ready()
            self.log.info("%s started: %s", plugin.name, plugin.version())
            self._validate(plugin, spec)
            plugin.init(spec)
            tables = self._tables_of(plugin)
            chosen = select_tables(tables, context.tables, context.skip_tables, context.skip_dependent_tables)
            sync = Sync(self, plugin, tables, chosen)
            sync.announce(keeps_state=running.is_local)
            state = State(sync.committed() if running.is_local else {})
            watch = Watch(limits.idle_s, limits.wall_s, plugin.deadline)
            if not running.is_local:
                self.log.info("%s is not on this machine: it keeps no state", plugin.name)
                sync.run(state, None, watch)
                return
            with StateServer(state, running.state_socket, limits.message_bytes) as server:
                sync.run(state, server.address, watch)

    def check(self) -> Iterable[CheckResult]:
        """Starts the plugin, and says whether it takes its spec, whether it reaches its source, where it can tell,
        and how many tables it has.
        """
        from connectors.tables import flatten_tables

        capability = "start"
        try:
            spec = self._prepare()
            with self._running() as running:
                plugin = running.plugin
                plugin.wait_until_ready()
                yield CheckResult("start", True, plugin.version())
                capability = "spec"
                checked = self._validate(plugin, spec)
                text = "fits the plugin's schema" if checked else "not checked: the plugin gives no schema"
                yield CheckResult("spec", True, text)
                capability = "connection"
                ok, text = plugin.test_connection(spec) or (True, "skipped: the plugin offers no test")
                yield CheckResult("connection", ok, text)
                capability = "tables"
                plugin.init(spec)
                yield CheckResult("tables", True, f"{len(flatten_tables(self._tables_of(plugin)))} tables")
        except HeadwaterError as error:
            yield CheckResult(capability, False, error.message, error.hint)

    # -- the plugin

    def _prepare(self) -> dict[str, Any]:
        """The spec. What is secret in it is known from here on."""
        spec = build_spec(self.config.spec, self.credentials)
        self.context.redact.add(*secret_texts(spec), *secret_texts(self.config.env))
        return spec

    def _running(self) -> AbstractContextManager[Running]:
        from connectors.hosts.cloudquery.launch import find_source, run_plugin

        config = self.config
        source = find_source(config.plugin, config.python, self.context.folder)
        return run_plugin(source, config.env, limits=config.limits, log=self.log, redact=self.context.redact)

    def _validate(self, plugin: Plugin, spec: dict[str, Any]) -> bool:
        """Whether the spec was held against a schema. Raises ConfigError when it does not fit."""
        schema = plugin.spec_schema()
        if not schema.strip():
            return False
        try:
            faults = faults_of(spec, schema)
        except ValueError as error:
            self.log.info("%s: %s; the spec is not checked", plugin.name, error)
            return False
        if faults:
            told = tuple(self.context.redact(one) for one in faults)
            more = f" and {len(told) - 3} more" if len(told) > 3 else ""
            raise ConfigError(
                f"the spec does not fit {plugin.name}'s schema: {'; '.join(told[:3])}{more}", faults=told
            )
        return True

    def _tables_of(self, plugin: Plugin) -> list[Table]:
        from connectors.hosts.cloudquery.messages import Unreadable, one_line
        from connectors.hosts.cloudquery.tables import read_tables

        try:
            return read_tables(plugin.tables())
        except Unreadable as error:
            text = self.context.redact(one_line(error))
            raise ConnectorError(f"{plugin.name}: its tables cannot be read: {text}") from None
