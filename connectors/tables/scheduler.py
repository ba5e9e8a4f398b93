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
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connectors.errors import ConnectorError, HeadwaterError
from connectors.model import RefusedRow, TableReport
from connectors.model.dataset import MESSAGES, shown
from connectors.tables.batches import Batches, Built, as_json, row_key
from connectors.tables.cursors import Cursors
from connectors.tables.reading import Loop, Rows, as_error
from connectors.tables.record import Record
from connectors.tables.resolver import TableResolver
from connectors.tables.table import Table, flatten_tables, select_tables

if TYPE_CHECKING:
    from connectors.connector import Connector

_PIECE = 1000  # rows taken from a resolver at a time
_WAITING = 1000  # tasks of children that may wait
_OUT = 4  # batches that may wait to be stored
_TELL_S = 10.0
_LOOK_S = 0.01
_BUSY = 0.5  # of a core: below that, threads wait for answers more than they work
_HOOKS = ("pre_resource_resolve", "resolve_column", "post_resource_resolve")

Given = Callable[[], None]


def sync_tables(connector: Connector, tables: Sequence[Table]) -> None:
    """Declares a connector's tables, reads those that its connection chooses, and gives their records on.

    What a table fails with is in its report, and makes the run partial; the others go on. Raises ConfigError for a
    pattern that matches no table, ConnectorError for tables that contradict each other, and what the first table
    failed with when all failed and none gave a row.
    """
    context = connector.context
    chosen = select_tables(tables, context.tables, context.skip_tables, context.skip_dependent_tables)
    _refuse_twins(chosen)
    roots = []
    faults: dict[str, Exception] = {}
    for table in chosen:
        try:
            roots.append(_announced(connector, table))
        except HeadwaterError as error:
            for one in flatten_tables([table]):  # told by names that hold no secret
                connector.report.tables.pop(one.name, None)
                connector.report.tables[context.redact(one.name)] = TableReport(whole=False, settled=False)
            faults[context.redact(table.name)] = error
    sync = _Sync(connector, roots, faults)
    sync.run()


def _announced(connector: Connector, root: Table) -> _Node:
    """The node of a table, declared and announced with all that hangs from it. Raises HeadwaterError for one that
    cannot be read or stored.
    """
    tables = flatten_tables([root])
    for table in tables:
        for resource in table.resources():
            connector.declare_resource(resource)
    node = _node(root.resolver, root)
    for one in node.tree():
        if not one.table.columns:
            raise ConnectorError(f"the table {one.table.name} has no columns")
        connector.report.tables[one.table.name] = one.report
        connector.context.ingest.dataset(one.dataset, one.batches.schema)
    return node


class _Node:
    """A table in one sync: what reads it, its rows under way, its tasks that wait."""

    def __init__(self, table: Table, resolver: TableResolver, children: list[_Node]) -> None:
        self.table = table
        self.resolver = resolver
        self.children = children
        self.dataset = table.dataset()
        self.batches = Batches(table)
        self.report = TableReport()
        self.waiting: deque[tuple[Any, Record | None]] = deque()
        self.running = 0
        self.errors: list[Exception] = []
        kind = type(resolver)
        hooked = any(getattr(kind, hook) is not getattr(TableResolver, hook) for hook in _HOOKS)
        self.by_row = hooked or any(column.resolver for column in table.columns)

    @property
    def free(self) -> bool:
        return self.table.concurrency is None or self.running < self.table.concurrency

    def tree(self) -> Iterator[_Node]:
        """It and all that hang from it."""
        yield self
        for child in self.children:
            yield from child.tree()


def _node(resolver: TableResolver, table: Table) -> _Node:
    """A table's node, with those of the relations that were chosen."""
    kept = {relation.name: relation for relation in table.relations}
    below = [child for child in resolver.child_resolvers if child.table.name in kept]
    return _Node(table, resolver, [_node(child, kept[child.table.name]) for child in below])


def _refuse_twins(tables: Sequence[Table]) -> None:
    def names(some: Sequence[Table]) -> Iterator[str]:
        for table in some:
            yield table.name
            yield from names(table.relations)

    if len(flatten_tables(tables)) != len(every := list(names(tables))):
        twice = sorted({name for name in every if every.count(name) > 1})
        raise ConnectorError(f"several tables are named {', '.join(twice)}")


def _settle_below(node: _Node, whole: bool) -> None:
    """A table was read to its end if those that it hangs from were, too."""
    node.report.whole = whole and node.report.whole
    for child in node.children:
        _settle_below(child, node.report.whole)


class _Sync:
    """One run over a connector's tables. Workers read; the thread that calls `run` gives records on."""

    def __init__(self, connector: Connector, roots: list[_Node], faults: Mapping[str, Exception]) -> None:
        self._connector = connector
        self._ingest = connector.context.ingest
        self._redact = connector.context.redact
        self._roots = roots
        self._faults = faults  # of tables that cannot be read, by name
        self.nodes = [node for root in roots for node in root.tree()]
        self._threads = connector.context.concurrency or connector.concurrency
        self._out: queue.Queue[Given | None] = queue.Queue(_OUT)
        self._change = threading.Condition()
        self._ready: deque[_Node] = deque()  # nodes with tasks that wait
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
                if rest := node.batches.cut(rest=True):
                    self._give(node, node.batches.build(*rest))
        finally:
            self._end(workers)
        self._settle(cursors)

    # -- before and after

    def _open_cursors(self, root: _Node) -> Cursors:
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

    def _begin(self, root: _Node, client: Any) -> None:
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
            _settle_below(root, True)
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
            raise _as_one(*failed[0])

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

    def _give(self, node: _Node, built: Built) -> None:
        name = node.table.name
        for batch in built.batches:
            self._ingest.records(name, batch)
            node.report.rows += batch.num_rows
        for row in built.refused:
            self._refuse(node, row)
        node.report.refused += built.refused_rows

    def _refuse(self, node: _Node, row: RefusedRow) -> None:
        self._ingest.refused(row)
        place = f"{node.table.name} {row.key}" + (f" {row.column}" if row.column else "")
        self._connector.reject(place, f"{row.value_type}: {row.cause}")

    def _fail(self, node: _Node, error: Exception) -> None:
        """Records what a read of a table failed with."""
        if not node.errors:  # an error keeps all that it has seen: one of them will do
            node.errors.append(error)
        self._tell_fault(node.table.name, node.report, error)

    def _tell_fault(self, name: str, report: TableReport, error: Exception) -> None:
        text = self._redact(_described(error))
        report.fail(text)
        message = f"{name}: {text}"
        if report.errors > MESSAGES:
            self._connector.report.warn(message)
            return
        self._connector.warn(message)
        if not isinstance(error, HeadwaterError):
            trace = "".join(traceback.format_exception(error))
            level = logging.ERROR if report.errors == 1 else logging.DEBUG
            self._connector.log.log(level, "%s", shown(self._redact(trace)))

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

    def _next(self) -> tuple[_Node, Any, Record | None] | None:
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

    def _ended(self, node: _Node) -> None:
        node.running -= 1
        if node.table.concurrency is not None:
            self._change.notify_all()

    def _read(self, node: _Node, client: Any, parent: Record | None) -> None:
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

    def _take(self, node: _Node, client: Any, parent: Record | None, rows: list[Any]) -> None:
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

    def _build(self, node: _Node) -> None:
        """Builds a batch; one at a time, so that not every thread holds the rows of one."""
        with self._building:
            if whole := node.batches.cut():
                built = node.batches.build(*whole)
                self._put(lambda: self._give(node, built))

    def _resolved(self, node: _Node, client: Any, records: Sequence[Record]) -> list[Any]:
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

    def _failure(self, node: _Node, error: Exception) -> Given:
        return lambda: self._fail(node, error)

    def _refusal(self, node: _Node, record: Record, column: str, error: Exception) -> Given:
        item = record.item if hasattr(record.item, "get") else {}
        row = RefusedRow(
            node.table.name,
            row_key(node.table, item, -1) if node.table.primary_keys else "",
            column,
            type(error).__name__,
            self._redact(_described(error)),
            as_json(record.item),
        )

        def give() -> None:
            self._refuse(node, row)
            node.report.refused += 1

        return give

    def _spawn(self, child: _Node, client: Any, record: Record) -> None:
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


def _described(error: BaseException) -> str:
    try:
        text = shown(" ".join(str(error).split()))
    except Exception:  # noqa: BLE001 - an error of others may not even tell itself
        text = "says nothing"
    return text if isinstance(error, HeadwaterError) else f"{type(error).__name__}: {text}"


def _as_one(table: str, error: Exception) -> HeadwaterError:
    """The error of a run in which no table could be read."""
    if isinstance(error, HeadwaterError):
        return type(error)(
            f"{table}: {error.message}", hint=error.hint, retryable=error.retryable, **error.context
        )
    return ConnectorError(f"{table}: {_described(error)}")
