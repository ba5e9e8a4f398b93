"""One sync: what a plugin sends becomes records, refused rows, errors and state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa

from connectors.connector import Connector
from connectors.hosts.cloudquery.columns import BadValue, our_batch
from connectors.hosts.cloudquery.messages import Gatherer, Unreadable, one_line
from connectors.hosts.cloudquery.plugin import Broken, Plugin
from connectors.hosts.cloudquery.state import TABLE, State
from connectors.hosts.cloudquery.tables import SOURCE_NAME, SYNC_TIME, SYNC_TIME_TYPE
from connectors.hosts.cloudquery.watch import Watch
from connectors.model import Dataset, RefusedRow, TableReport
from connectors.model.dataset import MESSAGES, shown
from connectors.tables import Table, flatten_tables


class Sync:
    """Reads the chosen tables of a plugin, once.

    `tables` are all that the plugin has, `roots` the chosen of them: what it sends of others is left out. What it
    keeps is in the report's cursors, by the name and the key that it gives.
    """

    def __init__(
        self, connector: Connector, plugin: Plugin, tables: Sequence[Table], roots: Sequence[Table]
    ) -> None:
        self._connector = connector
        self._ingest = connector.context.ingest
        self._redact = connector.context.redact
        self._plugin = plugin
        self._roots = roots
        self._tables = {table.name: table for table in flatten_tables(roots)}
        self._schemas = {name: table.to_arrow_schema() for name, table in self._tables.items()}
        every = flatten_tables(tables)
        self._known = {table.name for table in every}
        # A plugin that goes by rules of its own is spared the reading of what hangs from a chosen table and is not
        # chosen itself.
        below = {
            relation.name for table in every if table.name in self._tables for relation in table.relations
        }
        self._unwanted = sorted(below - self._tables.keys())
        self._began_at = datetime.now(UTC)
        self._reports: dict[str, TableReport] = {}
        self._datasets: dict[str, Dataset] = {}
        self._strange: set[str] = set()
        self._left: dict[str, Mapping[str, str]] = {}  # what it kept, and is not to go on from
        self._lost = False  # beside what the tables' reports tell

    def committed(self) -> dict[str, Mapping[str, str]]:
        """What the plugin kept until its last sync: nothing, if it is to read a table that it did not read then."""
        known = self._connector.context.cursors
        kept = {name: values for name, values in known.items() if values and name not in self._known}
        new = [
            name for name, table in self._tables.items() if table.dataset().incremental and name not in known
        ]
        if kept and new:
            self._connector.log.info(
                "%s starts without its state: nothing is stored of %s yet", self._plugin.name, ", ".join(new)
            )
            self._left = kept
            return {}
        return kept

    def announce(self, *, keeps_state: bool) -> None:
        """Declares the tables and their columns. Without a state each of them is read whole, and so replaced."""
        for name, table in self._tables.items():
            for resource in table.resources():
                self._connector.declare_resource(resource)
            self._datasets[name] = dataset = replace(
                table.dataset(), incremental=keeps_state and table.dataset().incremental
            )
            self._ingest.dataset(dataset, self._schemas[name])
            self._reports[name] = self._connector.report.tables[name] = TableReport()

    def run(self, state: State, address: str | None, watch: Watch) -> None:
        """Reads the tables. Raises ScriptFailed when the plugin breaks: what came before is handed on.

        `address` is where the state is served, None when it is not. What a plugin wants to be kept is staged, and
        kept only if nothing was lost: cursors move while rows before them are missing.
        """
        broken: Broken | None = None
        gatherer = Gatherer(self._give, self._fail)
        try:
            self._follow(gatherer, state, address, watch)
        except Broken as error:
            broken = error
        gatherer.flush()
        # What was dropped is told by the log alone: to its last line.
        self._plugin.close(ask=broken is None)
        self._take_dropped()
        if broken:
            for report in self._reports.values():
                report.settled = report.whole = False
            raise self._plugin.failure(broken)
        self._settle(state)

    # -- what it sends

    def _follow(self, gatherer: Gatherer, state: State, address: str | None, watch: Watch) -> None:
        context = self._connector.context
        messages = self._plugin.sync(
            tables=list(context.tables),
            skip_tables=[*context.skip_tables, *self._unwanted],
            skip_dependent_tables=context.skip_dependent_tables,
            state=(address, TABLE) if address else None,
            watch=watch,
        )
        add = gatherer.add
        with closing(messages):
            for message in messages:
                kind = message.WhichOneof("message")
                if kind == "insert":
                    add(message.insert.record)
                elif kind == "error":
                    self._fail(message.error.table_name, message.error.error or "failed, and says no more")
                elif kind == "checkpoint":
                    self._stage(state, message.checkpoint.record)
                elif kind == "delete_record":
                    # What a source no longer has goes with the next whole snapshot; of an incremental table it stays.
                    name = message.delete_record.table_name
                    self._say_strange(f"asked to delete records of {name}: not supported")

    def _give(self, name: str, batch: pa.RecordBatch) -> None:
        schema = self._schemas.get(name)
        if schema is None:
            if name not in self._known:
                self._say_strange(
                    f"gave rows of {name or 'a table without a name'}, which is not among its tables"
                )
            return
        if extra := set(batch.schema.names) - set(schema.names):
            self._say_strange(f"gave columns that {name} does not have: {', '.join(sorted(extra))}")
        try:
            rows, faults = our_batch(self._with_own_columns(batch, schema), schema)
        except Unreadable as error:
            self._fail(name, f"{batch.num_rows} rows cannot be taken: {one_line(error)}")
            return
        for fault in faults:
            self._refuse_row(name, fault)
        if rows.num_rows:
            self._ingest.records(name, rows)
            self._reports[name].rows += rows.num_rows

    def _with_own_columns(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        told = {
            SYNC_TIME: pa.scalar(self._began_at, SYNC_TIME_TYPE),
            SOURCE_NAME: pa.scalar(self._connector.context.connection, pa.string()),
        }
        for name, value in told.items():
            if name in schema.names and name not in batch.schema.names:
                batch = batch.append_column(name, pa.repeat(value, batch.num_rows))
        return batch

    def _stage(self, state: State, payload: bytes) -> None:
        try:
            state.stage(payload)
        except ValueError as error:
            self._lost = True
            self._connector.warn(f"{self._plugin.name}: {error}")

    # -- what was lost

    def _fail(self, name: str, text: str) -> None:
        text = shown(self._redact(text))
        report = self._reports.get(name)
        if report is None:
            if name not in self._known:
                self._lost = True
                self._say_strange(f"said of {name or 'no table'}: {text}")
            return
        report.fail(text)
        if report.errors <= MESSAGES:
            self._connector.warn(f"{name}: {text}")

    def _refuse_row(self, name: str, fault: BadValue) -> None:
        self._reports[name].refused += 1
        self._reports[name].settled = False
        self._ingest.refused(RefusedRow(name, "", fault.column, fault.value_type, fault.cause))
        self._connector.reject(name, f"{fault.column}: {fault.cause}" if fault.column else fault.cause)

    def _take_dropped(self) -> None:
        log = self._plugin.log
        for dropped in log.dropped:
            if dropped.table in self._reports:
                self._refuse_row(dropped.table, BadValue("", "", dropped.cause))
            else:
                self._fail(dropped.table, f"a row was refused: {dropped.cause}")
        # Beyond what the log keeps word for word they are counted.
        kept = Counter(dropped.table for dropped in log.dropped)
        for name, count in (log.dropped_rows - kept).items():
            if name in self._reports:
                self._reports[name].refused += count
                self._connector.warn(f"{name}: {count} more rows were refused")

    def _say_strange(self, text: str) -> None:
        """Warns of what no plugin should do: of each thing once, and of some of many."""
        text = shown(text)
        if text not in self._strange and len(self._strange) < MESSAGES:
            self._connector.warn(f"{self._plugin.name} {text}")
            self._strange.add(text)
        elif text not in self._strange:
            self._connector.report.warn(text)

    # -- what is kept

    def _settle(self, state: State) -> None:
        """Where nothing was lost, what the plugin keeps moves on; where anything was, its incremental tables are read
        again from where they were.
        """
        whole = not self._lost and all(report.complete for report in self._reports.values())
        from_start = not state.committed and bool(state.staged)
        for name, report in self._reports.items():
            if self._datasets[name].incremental:
                report.settled = report.settled and whole
                report.from_start = from_start
        for root in self._roots:
            _unsettle_below(root, self._reports)
        if whole:
            self._connector.report.cursors = state.staged
        elif self._left:
            self._connector.report.cursors = {name: {} for name in self._left}
        self._doubt_empty_tables()

    def _doubt_empty_tables(self) -> None:
        """An error that a plugin swallows leaves an empty table and nothing else: what was there stays."""
        context = self._connector.context
        for name, report in self._reports.items():
            had = context.stored_rows.get(name, 0)
            if report.rows or not had or self._datasets[name].incremental or context.accept_drop:
                continue
            if report.complete:
                self._connector.warn(
                    f"{name}: no rows, where there were {had}; they stay, unless accepted: "
                    f"--accept-drop {context.connection}"
                )
                report.settled = False


def _unsettle_below(table: Table, reports: Mapping[str, TableReport]) -> None:
    """Rows of a table that are missing are missing their children too."""
    above = reports[table.name]
    for relation in table.relations:
        report = reports[relation.name]
        report.settled = report.settled and above.settled
        report.whole = report.whole and above.whole
        _unsettle_below(relation, reports)
