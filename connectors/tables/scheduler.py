"""Runs the resolvers of a connector's tables on a few threads, and hands their rows on in batches.

Each read of a table (for one client, and one record of its parent) is a task. Tasks wait by table, and tables take
turns, so that one with many does not keep the others waiting. Few may wait: a read of a parent for whose children
there is no room left reads them itself. So threads, tasks and memory are bounded whatever the depth and the number
of records, and nothing can wait for itself: who waits, waits for a deeper table only.

Threads that only compute hinder each other (there is one interpreter lock): so one works at first, and more are let
in as long as tasks wait while the processor does not have enough to do.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connectors.errors import HeadwaterError
from connectors.model import RefusedRow, TableReport
from connectors.model.dataset import MESSAGES
from connectors.tables.batches import Built, as_json, row_key
from connectors.tables.cursors import Cursors
from connectors.tables.faults import as_error, as_one, described, trace_of
from connectors.tables.node import Node, announce, refuse_twins
from connectors.tables.reading import Loop, Rows
from connectors.tables.record import Record
from connectors.tables.table import Table, flatten_tables, select_tables

if TYPE_CHECKING:
    from connectors.connector import Connector

_PIECE = 1000  # rows taken from a resolver at a time
_WAITING = 1000  # tasks of children that may wait
_OUT = 4  # batches that may wait to be stored
_TELL_S = 10.0
_LOOK_S = 0.01
_BUSY = 0.5  # of a core: below that, threads wait for answers more than they work

Given = Callable[[], None]


def sync_tables(connector: Connector, tables: Sequence[Table]) -> None:
    """Declares a connector's tables, reads those that its connection chooses, and gives their records on.

    What a table fails with is in its report, and makes the run partial; the others go on. Raises ConfigError for a
    pattern that matches no table, ConnectorError for tables that contradict each other, and what the first table
    failed with when all failed and none gave a row.
    """
    context = connector.context
    chosen = select_tables(tables, context.tables, context.skip_tables, context.skip_dependent_tables)
    refuse_twins(chosen)
    roots = []
    faults: dict[str, Exception] = {}
    for table in chosen:
        try:
            roots.append(announce(connector, table))
        except HeadwaterError as error:
            for one in flatten_tables([table]):  # told by names that hold no secret
                connector.report.tables.pop(one.name, None)
                connector.report.tables[context.redact(one.name)] = TableReport(whole=False, settled=False)
            faults[context.redact(table.name)] = error
    sync = _Sync(connector, roots, faults)
    sync.run()


class _Sync:
    """One run over a connector's tables. Workers read; the thread that calls `run` gives records on."""

    def __init__(self, connector: Connector, roots: list[Node], faults: Mapping[str, Exception]) -> None:
        self._connector = connector
        self._ingest = connector.context.ingest
        self._redact = connector.context.redact
        self._roots = roots
        self._faults = faults  # of tables that cannot be read, by name
        self.nodes = [node for root in roots for node in root.tree()]
        self._threads = connector.context.concurrency or connector.concurrency
        self._out: queue.Queue[Given | None] = queue.Queue(_OUT)
        self._change = threading.Condition()
        self._ready: deque[Node] = deque()  # nodes with tasks that wait
        self._waiting = 0  # tasks of children that wait
        self._open = 0  # tasks that wait or run
        self._running = 0  # tasks that workers run
        self._allowed = 1  # that may run at once
        self._looked = (time.monotonic(), time.process_time())
        self._building = threading.Lock()
        self._stop = threading.Event()
        self._loop = Loop()
        self._told_at = time.monotonic()

    def run(self) -> None:
        """Reads all tables. Raises what giving on a record raised, and what all tables failed with."""
        for name, error in self._faults.items():
            self._tell_fault(name, self._connector.report.tables[name], error)
        cursors = [self._open_cursors(root) for root in self._roots]
        client = self._connector.client()
        for root in self._roots:
            self._begin(root, client)
        workers = [
            threading.Thread(target=self._work, name=f"headwater-tables-{at}", daemon=True)
            for at in range(self._threads)
        ]
        to_do = bool(self._open)
        for worker in workers:
            worker.start()
        try:
            if to_do:
                self._give_on()
            for node in self.nodes:
                self._give_rest(node)
        finally:
            self._end(workers)
        self._settle(cursors)

    # -- before and after

    def _open_cursors(self, root: Node) -> Cursors:
        """Where a tree's last run left off; nowhere, if one of its tables was not read by it."""
        known = self._connector.context.cursors
        stored = known.get(root.table.name, {})
        new = [node.table.name for node in root.tree() if node.table.name not in known]
        if stored and new:
            self._connector.log.info(
                "%s is read from its start: nothing is stored of %s yet", root.table.name, ", ".join(new)
            )
            stored = {}
            root.report.started_over = True
        cursors = Cursors(stored)
        for node in root.tree():
            node.resolver.set_state_client(cursors)
        return cursors

    def _begin(self, root: Node, client: Any) -> None:
        try:
            clients = list(root.resolver.multiplex(client))
        except Exception as error:  # noqa: BLE001 - a table's trouble is recorded
            self._fail(root, error)
            return
        root.waiting.extend((one, None) for one in clients)
        self._open += len(clients)
        if clients:
            self._ready.append(root)

    def _settle(self, cursors: Sequence[Cursors]) -> None:
        """What stands for good: of a table, what was read to its end for every parent, without a row that was refused;
        of an incremental one, and of its cursors, only if the whole tree was read.
        """
        told = sum(report.errors for report in self._connector.report.tables.values())
        doubtful = self._connector.report.warning_count > told  # the connector itself has warned
        for root, kept in zip(self._roots, cursors, strict=True):
            root.settle_below(True)
            tree = list(root.tree())
            settled = all(node.report.whole for node in tree)
            for node in tree:
                node.report.doubtful = doubtful
                sound = node.report.whole and not node.report.refused and not doubtful
                node.report.settled = settled if node.dataset.incremental else sound
                node.report.from_start = not kept.stored and bool(kept.all())
            root.report.cursors = kept.all()
        errors = [(root.table.name, root.errors[0]) for root in self._roots if root.errors]
        failed = [*self._faults.items(), *errors]
        if (
            failed
            and len(failed) == len(self._roots) + len(self._faults)
            and not any(node.report.rows for node in self.nodes)
        ):
            raise as_one(*failed[0])

    def _end(self, workers: Sequence[threading.Thread]) -> None:
        self._stop.set()
        with self._change:
            self._change.notify_all()
        deadline = time.monotonic() + 5.0
        for worker in workers:
            while worker.is_alive() and time.monotonic() < deadline:
                self._drain()
                worker.join(0.05)
        self._loop.close()

    def _drain(self) -> None:
        while not self._out.empty():
            self._out.get_nowait()

    # -- the calling thread

    def _give_on(self) -> None:
        while True:
            try:
                given = self._out.get(timeout=_LOOK_S if self._allowed < self._threads else _TELL_S)
                if given is None:
                    return
                given()
            except queue.Empty:
                pass
            self._let_in()
            self._tell()

    def _give_rest(self, node: Node) -> None:
        if rest := node.batches.cut(rest=True):
            try:
                built = node.batches.build(*rest)
            except Exception as error:  # noqa: BLE001 - a table's trouble is recorded, and stops no other
                self._fail(node, error)
            else:
                self._give(node, built)

    def _let_in(self) -> None:
        """Lets more tasks run at once where those that run mostly wait."""
        if self._allowed >= self._threads:
            return
        (then, spent), (now, spends) = self._looked, (time.monotonic(), time.process_time())
        if now - then < _LOOK_S:
            return
        self._looked = (now, spends)
        if spends - spent < _BUSY * (now - then):
            with self._change:
                if self._ready and self._running >= self._allowed:
                    self._allowed = min(self._threads, self._allowed * 2)
                    self._change.notify_all()

    def _give(self, node: Node, built: Built) -> None:
        name = node.table.name
        for batch in built.batches:
            self._ingest.records(name, batch)
            node.report.rows += batch.num_rows
        for row in built.refused:
            self._refuse(node, row)
        node.report.refused += built.refused_rows

    def _refuse(self, node: Node, row: RefusedRow) -> None:
        self._ingest.refused(row)
        place = f"{node.table.name} {row.key}" + (f" {row.column}" if row.column else "")
        self._connector.reject(place, f"{row.value_type}: {row.cause}")

    def _fail(self, node: Node, error: Exception) -> None:
        """Records what a read of a table failed with."""
        if not node.errors:  # an error keeps all that it has seen: one of them will do
            node.errors.append(error)
        self._tell_fault(node.table.name, node.report, error)

    def _tell_fault(self, name: str, report: TableReport, error: Exception) -> None:
        text = self._redact(described(error))
        report.fail(text)
        message = f"{name}: {text}"
        if report.errors > MESSAGES:
            self._connector.report.warn(message)
            return
        self._connector.warn(message)
        if not isinstance(error, HeadwaterError):
            level = logging.ERROR if report.errors == 1 else logging.DEBUG
            self._connector.log.log(level, "%s", self._redact(trace_of(error)))

    def _tell(self) -> None:
        """A line of progress in the log, now and then."""
        now = time.monotonic()
        if now - self._told_at < _TELL_S:
            return
        self._told_at = now
        rows, refused = (sum(getattr(n.report, k) for n in self.nodes) for k in ("rows", "refused"))
        begun = sum(1 for node in self.nodes if node.report.rows)
        self._connector.log.info(
            "%s rows of %d of %d tables, %s refused, %s reads under way or waiting",
            f"{rows:,}",
            begun,
            len(self.nodes),
            f"{refused:,}",
            f"{self._open:,}",
        )

    # -- workers

    def _work(self) -> None:
        while (task := self._next()) is not None:
            node, client, record = task
            try:
                self._read(node, client, record)
            finally:
                with self._change:
                    self._ended(node)
                    self._open -= 1
                    self._running -= 1
                    last = not self._open
                    if last:
                        self._change.notify_all()
                if last:
                    self._put(None)

    def _next(self) -> tuple[Node, Any, Record | None] | None:
        """The next task: tables take turns. None when there is nothing left to do."""
        with self._change:
            while not self._stop.is_set() and self._open:
                for _ in range(len(self._ready) if self._running < self._allowed else 0):
                    node = self._ready.popleft()
                    if not node.free:
                        self._ready.append(node)
                        continue
                    client, record = node.waiting.popleft()
                    if node.waiting:
                        self._ready.append(node)
                    self._waiting -= record is not None
                    node.running += 1
                    self._running += 1
                    return node, client, record
                self._change.wait()
            return None

    def _ended(self, node: Node) -> None:
        node.running -= 1
        if node.table.concurrency is not None:
            self._change.notify_all()

    def _read(self, node: Node, client: Any, parent: Record | None) -> None:
        try:
            rows = Rows(node.resolver.resolve(client, parent), self._loop, node.table.name)
            ended = False
            while not ended and not self._stop.is_set():
                taken, ended, error = rows.take(min(_PIECE, node.batches.limit))
                if taken:
                    self._take(node, client, parent, taken)
                if error is not None:
                    raise error
        except BaseException as error:  # noqa: BLE001 - a table's trouble is recorded, and stops no other
            self._put(self._failure(node, as_error(error)))

    def _take(self, node: Node, client: Any, parent: Record | None, rows: list[Any]) -> None:
        records: list[Record] = []
        if node.by_row or node.children:
            records = [Record(node.table, parent, item) for item in rows]
        if node.by_row:
            rows = self._resolved(node, client, records)
        if node.batches.add(rows):
            self._build(node)
        for record in records:
            for child in node.children:
                self._spawn(child, client, record)

    def _build(self, node: Node) -> None:
        """Builds a batch; one at a time, so that not every thread holds the rows of one."""
        with self._building:
            if whole := node.batches.cut():
                built = node.batches.build(*whole)
                self._put(lambda: self._give(node, built))

    def _resolved(self, node: Node, client: Any, records: Sequence[Record]) -> list[Any]:
        """The rows as their resolvers and hooks make them; one that fails is refused."""
        resolver, columns, rows = node.resolver, node.table.columns, []
        for record in records:
            column_name = ""
            try:
                resolver.pre_resource_resolve(client, record)
                for column in columns:
                    column_name = column.name
                    if column.resolver is not None:
                        record.set(column_name, column.resolver(client, record, column))
                    else:
                        resolver.resolve_column(client, record, column_name)
                column_name = ""
                resolver.post_resource_resolve(client, record)
            except HeadwaterError as error:  # it could not be read, and will be read again
                self._put(self._failure(node, error))
                continue
            except BaseException as error:  # noqa: BLE001 - a row's trouble is recorded, and stops no other
                self._put(self._refusal(node, record, column_name, as_error(error)))
                continue
            rows.append(record.values())
        return rows

    def _failure(self, node: Node, error: Exception) -> Given:
        return lambda: self._fail(node, error)

    def _refusal(self, node: Node, record: Record, column: str, error: Exception) -> Given:
        item = record.item if hasattr(record.item, "get") else {}
        row = RefusedRow(
            node.table.name,
            row_key(node.table, item, -1) if node.table.primary_keys else "",
            column,
            type(error).__name__,
            self._redact(described(error)),
            as_json(record.item),
        )

        def give() -> None:
            self._refuse(node, row)
            node.report.refused += 1

        return give

    def _spawn(self, child: Node, client: Any, record: Record) -> None:
        """Has a child table read for a record: later by any worker, or here and now where too many wait."""
        with self._change:
            if self._waiting < _WAITING:
                child.waiting.append((client, record))
                if len(child.waiting) == 1:
                    self._ready.append(child)
                self._waiting += 1
                self._open += 1
                self._change.notify()
                return
            while not child.free and not self._stop.is_set():
                self._change.wait()
            child.running += 1
        self._read(child, client, record)
        with self._change:
            self._ended(child)

    def _put(self, given: Given | None) -> None:
        while not self._stop.is_set():
            try:
                self._out.put(given, timeout=0.5)
                return
            except queue.Full:
                continue
