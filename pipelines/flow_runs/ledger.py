"""What was projected of Dagster's records, in a SQLite file beside them.

Nothing but a copy in another form: taken away, or damaged, it is made again. Two processes may project at once; what
both find is the same.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson

from connectors.errors import StoreError

FORMAT = "2"
_BUSY_S = 60.0
_TABLES = """
CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE run (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, place INTEGER NOT NULL, status TEXT NOT NULL,
    trigger TEXT NOT NULL, attempt INTEGER NOT NULL, created_ms INTEGER NOT NULL, started_ms INTEGER, ended_ms INTEGER,
    partitions TEXT NOT NULL, planned TEXT, error TEXT, updated REAL NOT NULL, settled INTEGER NOT NULL
);
CREATE INDEX run_place ON run (place);
CREATE INDEX run_open ON run (number) WHERE NOT settled;
CREATE TABLE part (
    number INTEGER NOT NULL, dataset TEXT NOT NULL, partition TEXT NOT NULL, whose TEXT NOT NULL,
    recorded INTEGER NOT NULL, status TEXT NOT NULL, records INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
    errors INTEGER NOT NULL, quarantined INTEGER NOT NULL, started_ms INTEGER, ended_ms INTEGER, error TEXT,
    complete INTEGER NOT NULL, resources INTEGER NOT NULL, warnings INTEGER NOT NULL,
    PRIMARY KEY (number, dataset, partition)
) WITHOUT ROWID;
CREATE INDEX part_dataset ON part (dataset, number);
CREATE INDEX part_status ON part (status, number);
"""


@dataclass(frozen=True)
class RunRow:
    """A run of Dagster. `place` is its place in Dagster's storage; `planned` the names of the recorded assets that it
    was for, None where that is not known; `settled` that nothing of it will change unless Dagster says so.
    """

    number: int
    id: str
    place: int
    status: str
    trigger: str
    attempt: int
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    partitions: str
    planned: str | None
    error: str | None
    updated: float
    settled: bool


@dataclass(frozen=True)
class PartRow:
    """What a run did with one dataset for one partition. `whose` is the recorded asset that tells of it; without
    `recorded` nothing was told, and the status is the run's.
    """

    number: int
    dataset: str
    partition: str
    whose: str
    recorded: bool
    status: str
    records: int = 0
    size_bytes: int = 0
    errors: int = 0
    quarantined: int = 0
    started_ms: int | None = None
    ended_ms: int | None = None
    error: str | None = None
    complete: bool = False
    resources: int = 0
    warnings: int = 0


_TABLE_NAMES = {"note", "run", "part"}
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_RUN_COLUMNS = [field.name for field in fields(RunRow)]
_PART_COLUMNS = [field.name for field in fields(PartRow)]


class Ledger:
    """The file. Threads may share one: each has a connection of its own, to the file that is there now.

    What asks and what writes raise StoreError where the file cannot be used. A damaged one is taken away.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        """This thread's."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is not None and (self._local.held or self._local.file == self._file()):
            return found
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        made = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        self._local.connection = made
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("PRAGMA synchronous = NORMAL")
        self._local.file, self._local.held = self._file(), False
        return made

    def _file(self) -> tuple[int, int] | None:
        """Which file there is: another one after it was taken away and made again."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def close(self) -> None:
        """Closes this thread's connection."""
        if (found := getattr(self._local, "connection", None)) is not None:
            found.close()
            self._local.connection = None

    def ask(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows that a query gives."""
        with self._explained():
            return self._connection().execute(query, values).fetchall()

    def ask_at_once(self, columns: Sequence[str], query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of columns without floating point, in no order, as one value. Python's module lets the other threads
        run before each row, and in a server that has much to do the wait for the next turn is what a row costs.
        """
        whole = f"SELECT json_group_array(json_array({', '.join(columns)})) FROM ({query})"
        rows: list[Any] = orjson.loads(self.ask(whole, values)[0][0])
        return rows

    def _put(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._explained():
            self._connection().executemany(statement, rows)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile this thread stays with one file, though that be taken away: what was read of Dagster's records
        must not be noted in another file than that in which it was put.
        """
        with self._explained():
            self._connection()
        self._local.held = True
        try:
            yield
        finally:
            self._local.held = False

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; others that want to write wait."""
        with self._explained():
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._trouble(error) from None
        except OSError as error:
            raise StoreError(f"{self.path} cannot be made: {error.strerror}") from None

    def _trouble(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            told, hint = "another process has it locked", "try again when that has ended"
        elif code in _DAMAGED:
            self._take_away()
            told, hint = (
                f"it was damaged ({error}), and was taken away",
                "it is made again when it is asked for",
            )
        elif "no such table" in str(error):
            told, hint = "it is being made", "try again in a moment"
        else:
            told, hint = f"{error}", "who runs headwater must be able to read and write it, and its folder"
        again = code in (*_BUSY, *_DAMAGED) or "no such table" in str(error)
        return StoreError(f"{self.path} cannot be used: {told}", hint=hint, retryable=again, sqlite_code=code)

    def _take_away(self) -> None:
        self.close()
        for end in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def open_for(self, storage: str) -> None:
        """Makes the tables, anew when they are of another storage of Dagster's, or of another headwater."""
        try:
            self._make_for(storage)
        except StoreError as error:
            if error.context["sqlite_code"] not in _DAMAGED:
                raise
            self._make_for(storage)

    def _make_for(self, storage: str) -> None:
        if self._is_made() and self.note("storage") == storage:
            return
        with self.writing() as db:
            # Another process may have made them meanwhile.
            if self._is_made() and self.note("storage") == storage:
                return
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                db.execute(f"DROP TABLE {name}")
            for statement in _TABLES.split(";\n"):
                db.execute(statement)
            self.put_note("storage", storage)
            self.put_note("format", FORMAT)

    def _is_made(self) -> bool:
        """Whether the tables are there, and as this headwater makes them."""
        names = {row[0] for row in self.ask("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return names >= _TABLE_NAMES and self.note("format") == FORMAT

    # -- notes: how far was read

    def note(self, name: str) -> str | None:
        rows = self.ask("SELECT value FROM note WHERE name = ?", [name])
        return str(rows[0][0]) if rows else None

    def put_note(self, name: str, value: object) -> None:
        self.ask("INSERT OR REPLACE INTO note VALUES (?, ?)", [name, str(value)])

    def forget_notes(self, beginning: str) -> None:
        self.ask("DELETE FROM note WHERE substr(name, 1, length(?)) = ?", [beginning, beginning])

    def is_settled_at(self, state: str) -> bool:
        """Whether Dagster's storage was in this state at the last look, and no run was under way then."""
        if not self.path.exists():
            return False
        try:
            return self._is_made() and self.note("state") == state and not self.runs("NOT settled LIMIT 1")
        except StoreError as error:
            if error.context["sqlite_code"] not in _DAMAGED:
                raise
            return False

    def note_state(self, state: str | None) -> None:
        """Notes the state in which Dagster's storage was before the look that has just ended."""
        self.put_note("state", state or "")

    # -- runs

    def runs(self, where: str, values: Sequence[Any] = ()) -> list[RunRow]:
        """Runs that satisfy a condition in SQL."""
        columns = ", ".join(_RUN_COLUMNS)
        return [
            RunRow(**dict(zip(_RUN_COLUMNS, row, strict=True)))
            for row in self.ask(f"SELECT {columns} FROM run WHERE {where}", values)
        ]

    def runs_by_id(self, ids: Sequence[str]) -> dict[str, RunRow]:
        found: dict[str, RunRow] = {}
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            marks = ", ".join("?" * len(some))
            found |= {run.id: run for run in self.runs(f"id IN ({marks})", some)}
        return found

    def count_runs(self) -> int:
        return int(self.ask("SELECT count(*) FROM run")[0][0])

    def number_before(self, place: int) -> int:
        """The number of the run before a place in Dagster's storage, 0 where there is none."""
        query = "SELECT number FROM run WHERE place < ? ORDER BY place DESC LIMIT 1"
        rows = self.ask(query, [place])
        return int(rows[0][0]) if rows else 0

    def free_number(self, number: int) -> int:
        """The number, or the next one that no run has."""
        while self.ask("SELECT 1 FROM run WHERE number = ?", [number]):
            number += 1
        return number

    def put_runs(self, runs: Iterable[RunRow]) -> None:
        marks = ", ".join("?" * len(_RUN_COLUMNS))
        self._put(f"INSERT OR REPLACE INTO run VALUES ({marks})", map(attrgetter(*_RUN_COLUMNS), runs))

    def forget_runs(self, numbers: Sequence[int]) -> None:
        """Of runs that Dagster has no more."""
        for table in ("part", "run"):
            self._put(f"DELETE FROM {table} WHERE number = ?", [[n] for n in numbers])

    # -- parts

    def parts(self, numbers: Sequence[int]) -> dict[int, list[PartRow]]:
        """What runs did, by run."""
        found: dict[int, list[PartRow]] = {number: [] for number in numbers}
        for start in range(0, len(numbers), 500):
            some = list(numbers[start : start + 500])
            marks = ", ".join("?" * len(some))
            for row in self.ask_at_once(_PART_COLUMNS, f"SELECT * FROM part WHERE number IN ({marks})", some):
                one = PartRow(*row)
                found[one.number].append(one)
        for parts in found.values():
            parts.sort(key=lambda one: (one.started_ms or 0, one.dataset, one.partition))
        return found

    def put_parts(self, parts: Iterable[PartRow]) -> None:
        marks = ", ".join("?" * len(_PART_COLUMNS))
        self._put(f"INSERT OR REPLACE INTO part VALUES ({marks})", map(attrgetter(*_PART_COLUMNS), parts))

    def put_recorded(self, number: int, whose: str, parts: Iterable[PartRow]) -> None:
        """What a run recorded of one asset, in place of all that is known of it."""
        self.ask("DELETE FROM part WHERE number = ? AND whose = ?", [number, whose])
        self.put_parts(parts)

    def put_unrecorded(self, parts: Mapping[int, Sequence[PartRow]]) -> None:
        """Of each run, in place of what was not recorded of it before."""
        self._put("DELETE FROM part WHERE number = ? AND NOT recorded", [[number] for number in parts])
        self.put_parts(part for some in parts.values() for part in some)
