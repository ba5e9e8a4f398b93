"""The SQL that takes part in a graph, and what the names in it mean.

A *use* is a program with the defaults under which its names are looked up; what one use binds to serves every
declaration and statement that carries it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from lineage.names import Identifier, TableName, folds, is_path, stored
from lineage.resolve import PARTS
from lineage.sql import Binding, Flow, Program, StoredColumns, bind
from lineage.sql.dialects import columns_fold
from lineage.sql.program import is_current


class Use(NamedTuple):
    """A program in a connection, with the defaults that its declaration gave."""

    connection: str
    query: str
    default_database: str | None
    default_schema: str | None


class Column(NamedTuple):
    """A column of a table; `position` is its place among the others, None where it is not known; `own` says that it
    is the owner's, and no describer's.
    """

    title: str
    id: str
    num: int
    position: int | None
    own: bool


class Field(NamedTuple):
    """A column that a name was found to mean."""

    id: str
    num: int


class Match(NamedTuple):
    """What a reference was matched with; `num` is None where it was not. `candidates` are the first of `total`."""

    num: int | None
    how: str | None
    candidates: list[str]
    total: int


class Target:
    """A table, and how its columns are found: exactly, in another case, by position."""

    def __init__(self, table_id: str, num: int, columns: list[Column]) -> None:
        self.id = table_id
        self.num = num
        own = {c.title for c in columns if c.own}
        # The owner's column stands for those that describers add under its title.
        self.columns = [c for c in columns if c.own or c.title not in own]
        self.titles = StoredColumns(c.title for c in self.columns)
        self._exact: dict[str, list[Field]] = {}
        self._folded: dict[str, list[Field]] = {}
        for column in self.columns:
            found = Field(column.id, column.num)
            self._exact.setdefault(column.title, []).append(found)
            self._folded.setdefault(column.title.lower(), []).append(found)
        places = {c.position for c in self.columns}
        self.is_ordered = None not in places and len(places) == len(self.columns)

    def named(self, name: Identifier, dialect: str | None) -> tuple[Sequence[Field], str]:
        """The columns that the name may mean, and how they were found."""
        text = stored(name, dialect)
        if text in self._exact:
            return self._exact[text], "exact"
        if columns_fold(name.quoted, dialect):
            return self._folded.get(text.lower(), ()), "casefold"
        return (), "exact"

    def find(self, name: Identifier, dialect: str | None) -> tuple[Field, str] | None:
        """The column and how it was found; None where the name means none or several."""
        fields, how = self.named(name, dialect)
        return (fields[0], how) if len(fields) == 1 else None

    def place(self, flow: Flow, dialect: str | None) -> dict[int, int]:
        """Which column each output fills: by name; by position where no name fits, or the text lists the columns.

        Positions mean something only where the counts agree and every column's place is known.
        """
        outputs = flow.outputs
        placed = {o.position: f[0].num for o in outputs if o.name and (f := self.find(o.name, dialect))}
        if (placed and not flow.listed) or any(o.star for o in outputs):
            return placed
        if self.is_ordered and len(outputs) == len(self.columns):
            taken = set(placed.values())
            for output, column in zip(outputs, self.columns, strict=True):
                if output.position not in placed and column.num not in taken:
                    placed[output.position] = column.num
        return placed


class Uses:
    """All uses of the sources in an engine. First `collect`, then matching, then `read_matches`, then questions."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self._db = db
        self._programs: dict[str, Program] = {}
        self._defaults: dict[str, tuple[str | None, str | None, str | None]] = {}
        self._references: dict[Use, dict[TableName, int]] = {}
        self._matches: dict[int, Match] = {}
        self._bound: dict[Use, Binding] = {}
        self.targets: dict[int, Target] = {}
        self.coverage: dict[str, dict[str, int]] = {}

    # -- before matching

    def collect(self) -> None:
        """Reads the programs, and adds the tables that they name to `reference`."""
        self._read_programs()
        numbers: dict[tuple[Any, ...], int] = {}
        known = self._db.execute("SELECT coalesce(max(ref), 0) FROM reference").fetchall()[0]
        for row in self._db.execute("""
            SELECT DISTINCT connection, from_ref.query AS query, from_ref.default_database, from_ref.default_schema
            FROM fact WHERE from_ref.query IS NOT NULL AND kind IN ('declaration', 'statement') ORDER BY ALL
        """).fetchall():
            use = Use(*row)
            self._count(use)
            self._references[use] = {
                name: numbers.setdefault(
                    (use.connection, *self.parts(use, name)), len(numbers) + known[0] + 1
                )
                for name in self.program(use).table_names
            }
        names = ["connection", *(f"{kind}{part}" for part in PARTS for kind in ("", "fold_"))]
        columns = list(zip(*numbers, strict=True)) if numbers else [()] * len(names)
        kinds = [pa.bool_() if name.startswith("fold_") else pa.string() for name in names]
        arrays = [pa.array(list(values), kind) for values, kind in zip(columns, kinds, strict=True)]
        references = [pa.array(list(numbers.values()), pa.int32()), *arrays]
        self._db.register("named", pa.table(references, ["ref", *names]))
        self._db.execute("INSERT INTO reference SELECT *, NULL FROM named")
        self._db.unregister("named")

    def _read_programs(self) -> None:
        for key, program, sql, dialect in self._db.execute("""
            SELECT key, any_value(program), any_value(sql), any_value(dialect)
            FROM fact WHERE kind = 'query' GROUP BY key ORDER BY key
        """).fetchall():
            self._programs[key] = (
                Program.from_bytes(program) if is_current(program) else _compile(sql, dialect)
            )
        for name, *defaults in self._db.execute("""
            SELECT connection, default_instance, default_database, default_schema FROM connection
        """).fetchall():
            self._defaults[name] = (defaults[0], defaults[1], defaults[2])

    def _count(self, use: Use) -> None:
        program = self.program(use)
        counted = self.coverage.setdefault(use.connection, {"statements": 0, "failed": 0})
        counted["statements"] += len(program.statements)
        counted["failed"] += len({e.statement for e in program.errors})

    def parts(self, use: Use, name: TableName) -> tuple[Any, ...]:
        """For each part of the name its text and whether it folds; absent ones are filled from the defaults of the
        declaration, then of the connection; those of a path are not.
        """
        dialect = self.program(use).dialect
        instance, database, schema = self._defaults[use.connection]
        defaults = (instance, use.default_database or database, use.default_schema or schema, None)
        if is_path(name.table.text):  # of a file or stage: it lies in no schema
            defaults = (None, None, None, None)
        written_parts = (name.instance, name.database, name.schema, name.table)
        parts: list[Any] = []
        for written, default in zip(written_parts, defaults, strict=True):
            parts += [stored(written, dialect), folds(written, dialect)] if written else [default, True]
        return tuple(parts)

    # -- after matching

    def read_matches(self) -> None:
        """Reads what the names were matched with, and the columns of those tables and of what queries feed."""
        wanted = {ref for names in self._references.values() for ref in names.values()}
        if not self._references:
            return
        self._db.register("wanted", pa.table({"ref": pa.array(sorted(wanted), pa.int32())}))
        for ref, *match in self._db.execute("""
            SELECT w.ref, m.num, m.how, coalesce(s.candidates, []), coalesce(s.total, 0)
            FROM wanted w LEFT JOIN match m USING (ref) LEFT JOIN match_several s USING (ref)
        """).fetchall():
            self._matches[ref] = Match(*match)
        self._db.execute("""
            CREATE TEMP TABLE bound_table AS
            SELECT num, connection || '/' || key AS id FROM resource
            WHERE entity_type IN ('table', 'view') AND num NOT IN (SELECT num FROM alias) AND num IN (
                SELECT m.num FROM match m JOIN wanted USING (ref) UNION ALL
                SELECT t.node FROM link l JOIN found t ON t.link = l.link AND t.is_to
                WHERE l.from_ref.type = 'tables_from_query')
        """)
        self._db.unregister("wanted")
        columns: dict[int, list[Column]] = {}
        for table, *column in self._db.execute("""
            SELECT f.table_num, f.title, i.id, f.num, CAST(b.body->>'$.sort_order' AS BIGINT) AS position, f.own
            FROM field f JOIN bound_table t ON t.num = f.table_num JOIN resource_id i ON i.num = f.num
            JOIN resource r ON r.num = f.num
            LEFT JOIN fact b ON b.kind = 'resource' AND b.source = r.source AND b.key = r.key
            ORDER BY f.table_num, position NULLS LAST, i.id
        """).fetchall():
            columns.setdefault(table, []).append(Column(*column))
        tables = self._db.execute("SELECT id, num FROM bound_table").fetchall()
        self.targets = {num: Target(table, num, columns.get(num, [])) for table, num in tables}

    def program(self, use: Use) -> Program:
        return self._programs[use.query]

    def references(self) -> Iterable[tuple[Use, dict[TableName, int]]]:
        """Each use, with the reference that each table named in it is."""
        return self._references.items()

    def reference(self, use: Use, name: TableName) -> int | None:
        """The reference that a table named in the use is; None for a name that is no table's."""
        return self._references[use].get(name)

    def match(self, reference: int) -> Match:
        return self._matches[reference]

    def binding(self, use: Use) -> Binding:
        """The program bound to the tables that its names were matched with."""
        if use not in self._bound:
            catalogue: dict[TableName, Sequence[str]] = {}
            unordered: set[TableName] = set()
            for name, ref in self._references[use].items():
                found = self._matches[ref].num
                if found is not None and self.targets[found].columns:
                    catalogue[name] = self.targets[found].titles
                    if not self.targets[found].is_ordered:
                        unordered.add(name)
            self._bound[use] = bind(self.program(use), catalogue, unordered)
        return self._bound[use]

    def table(self, use: Use, name: TableName) -> tuple[Target, str] | None:
        """The table that a name in the use means, and how it was matched."""
        reference = self.reference(use, name)
        match = self._matches[reference] if reference is not None else None
        if match is None or match.num is None:
            return None
        return self.targets[match.num], match.how or "exact"

    def column(self, use: Use, name: TableName, column: Identifier) -> tuple[Field, str] | None:
        """A column and how it was matched, table and column together."""
        table = self.table(use, name)
        found = table[0].find(column, self.program(use).dialect) if table else None
        if table is None or found is None:
            return None
        return found[0], found[1] if table[1] == "exact" else table[1]


def _compile(sql: str | None, dialect: str | None) -> Program:
    """A program anew, where the stored one is of another version of the engine and the text was kept."""
    from lineage.sql import compile_sql  # the parser takes 0.2 s to load, and is rarely needed here

    return compile_sql(sql or "", dialect)
