"""What was projected of Dagster's records, in a SQLite file beside them.

Nothing but a copy in another form: taken away, it is made again. Two processes may project at once; what both find is
the same.
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


_RUN_COLUMNS = [field.name for field in fields(RunRow)]
_PART_COLUMNS = [field.name for field in fields(PartRow)]


class Ledger:
    """The file. Threads may share one: each has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    @property
    def db(self) -> sqlite3.Connection:
        """This thread's connection."""
        found: sqlite3.Connection | None = getattr(self._local, "db", None)
        if found is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            found = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = NORMAL")
            self._local.db = found
        return found

    def close(self) -> None:
        """Closes this thread's connection."""
        if (found := getattr(self._local, "db", None)) is not None:
            found.close()
            self._local.db = None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; others that want to write wait."""
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def open_for(self, storage: str) -> None:
        """Makes the tables, anew when they are of another storage of Dagster's, or of another headwater."""
        with self.writing() as db:
            known = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "note" in known and (self.note("storage"), self.note("format")) == (storage, FORMAT):
                return
            for name in known:
                db.execute(f"DROP TABLE {name}")
            for statement in _TABLES.split(";\n"):
                db.execute(statement)
            self.put_note("storage", storage)
            self.put_note("format", FORMAT)

    # -- notes: how far was read

    def note(self, name: str) -> str | None:
        row = self.db.execute("SELECT value FROM note WHERE name = ?", [name]).fetchone()
        return None if row is None else str(row[0])

    def put_note(self, name: str, value: object) -> None:
        self.db.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", [name, str(value)])

    def is_settled_at(self, state: str) -> bool:
        """Whether Dagster's storage was in this state at the last look, and no run was under way then."""
        if (
            not self.path.exists()
            or not self.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'note'").fetchone()
        ):
            return False
        return self.note("state") == state and not self.runs("NOT settled LIMIT 1")

    def note_state(self, state: str | None) -> None:
        """Notes the state in which Dagster's storage was before the look that has just ended."""
        self.put_note("state", state or "")

    # -- runs

    def runs(self, where: str, values: Sequence[Any] = ()) -> list[RunRow]:
        """Runs that satisfy a condition in SQL."""
        columns = ", ".join(_RUN_COLUMNS)
        return [
            RunRow(**dict(zip(_RUN_COLUMNS, row, strict=True)))
            for row in self.db.execute(f"SELECT {columns} FROM run WHERE {where}", values)
        ]

    def runs_by_id(self, ids: Sequence[str]) -> dict[str, RunRow]:
        found: dict[str, RunRow] = {}
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            marks = ", ".join("?" * len(some))
            found |= {run.id: run for run in self.runs(f"id IN ({marks})", some)}
        return found

    def count_runs(self) -> int:
        return int(self.db.execute("SELECT count(*) FROM run").fetchone()[0])

    def number_before(self, place: int) -> int:
        """The number of the run before a place in Dagster's storage, 0 where there is none."""
        query = "SELECT number FROM run WHERE place < ? ORDER BY place DESC LIMIT 1"
        row = self.db.execute(query, [place]).fetchone()
        return int(row[0]) if row else 0

    def free_number(self, number: int) -> int:
        """The number, or the next one that no run has."""
        while self.db.execute("SELECT 1 FROM run WHERE number = ?", [number]).fetchone():
            number += 1
        return number

    def put_runs(self, runs: Iterable[RunRow]) -> None:
        marks = ", ".join("?" * len(_RUN_COLUMNS))
        self.db.executemany(
            f"INSERT OR REPLACE INTO run VALUES ({marks})", map(attrgetter(*_RUN_COLUMNS), runs)
        )

    def forget_runs(self, numbers: Sequence[int]) -> None:
        """Of runs that Dagster has no more."""
        for table in ("part", "run"):
            self.db.executemany(f"DELETE FROM {table} WHERE number = ?", [[n] for n in numbers])

    # -- parts

    def parts(self, numbers: Sequence[int]) -> dict[int, list[PartRow]]:
        """What runs did, by run."""
        found: dict[int, list[PartRow]] = {number: [] for number in numbers}
        columns = ", ".join(_PART_COLUMNS)
        for start in range(0, len(numbers), 500):
            some = list(numbers[start : start + 500])
            marks = ", ".join("?" * len(some))
            query = (
                f"SELECT {columns} FROM part WHERE number IN ({marks}) ORDER BY number, started_ms, dataset"
            )
            for row in self.db.execute(query, some):
                one = PartRow(*row)
                found[one.number].append(one)
        return found

    def put_parts(self, parts: Iterable[PartRow]) -> None:
        marks = ", ".join("?" * len(_PART_COLUMNS))
        self.db.executemany(
            f"INSERT OR REPLACE INTO part VALUES ({marks})", map(attrgetter(*_PART_COLUMNS), parts)
        )

    def put_recorded(self, number: int, whose: str, parts: Iterable[PartRow]) -> None:
        """What a run recorded of one asset, in place of all that is known of it."""
        self.db.execute("DELETE FROM part WHERE number = ? AND whose = ?", [number, whose])
        self.put_parts(parts)

    def put_unrecorded(self, parts: Mapping[int, Sequence[PartRow]]) -> None:
        """Of each run, in place of what was not recorded of it before."""
        self.db.executemany(
            "DELETE FROM part WHERE number = ? AND NOT recorded", [[number] for number in parts]
        )
        self.put_parts(part for some in parts.values() for part in some)
