"""The compiled form of SQL text: schema-free, made of lists, strings and numbers only.

A program holds *names* (every identifier once), *tables*, *scopes* and *statements* that refer to each other
by position. A scope is one query block. Its `refs` are the distinct columns it names, as lists of names; its
*dependencies* are flat lists `[flags, target, flags, target, ...]` where a target is a ref, or, inverted
(`~n`), the scope of a subquery. `order` lists the scopes so that each comes after those it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from lineage.names import Identifier, TableName
from lineage.sql.credentials import without_credentials
from lineage.sql.dialects import keys_of_names
from lineage.sql.messages import without_text

if TYPE_CHECKING:
    from lineage.sql.excerpts import Excerpts

# Raise it when the meaning of anything below changes: cached programs are then compiled anew.
FORMAT: Final = 4

# Flags of a dependency: how the column stands in the expression.
VALUE: Final = 1
CASE: Final = 2
WINDOW: Final = 4

# Kinds of scope, and its flags.
SELECT: Final = 0
UNION: Final = 1
ANY_QUALIFIER: Final = 1
RECURSIVE: Final = 2
BY_NAME: Final = 4

# Kinds of source.
TABLE: Final = 0
SCOPE: Final = 1

# Which literals of a text carry lineage.
POSITIONS: Final = 1
ALL_LITERALS: Final = 3

COPY: Final = ""  # in the place of an output's text: a column as it is

CLAUSES: Final = ("where", "join", "group_by", "having", "order_by", "window", "qualify", "case")
WHERE: Final = 0
JOIN: Final = 1
GROUP_BY: Final = 2
HAVING: Final = 3
ORDER_BY: Final = 4
IN_WINDOW: Final = 5
QUALIFY: Final = 6
IN_CASE: Final = 7
# Besides those: the columns by which DISTINCT and UNION tell rows apart. Most are outputs anyway; of those that
# a statement has no other use for it is said that they group.
DISTINCT: Final = 8


class Scope:
    """One query block.

    sources: [alias name or -1, TABLE | SCOPE, its number, column aliases or None, USING names | True | None]
    outputs: [name or -1, dependencies, text | its number | COPY | None] or, for a star,
             [-2, qualifier names, except names, [[name, dependencies]], [[old, new]]]
    clauses: [index in CLAUSES or DISTINCT, dependencies], with False behind them where no alias may stand, or what
             clauses.py reads: [index, None, places of outputs], [index, None, source, USING names | None]
    open_deps: what every column that is not among the outputs depends on, or None when there are no others
    """

    __slots__ = ("clauses", "flags", "kind", "open_deps", "outputs", "parent", "refs", "sources")

    def __init__(self, kind: int, parent: int) -> None:
        self.kind = kind
        self.parent = parent
        self.sources: list[list[Any]] = []
        self.outputs: list[list[Any]] = []
        self.refs: list[list[int]] = []
        self.clauses: list[list[Any]] = []
        self.open_deps: list[int] | None = None
        self.flags = 0

    @classmethod
    def from_list(cls, values: list[Any]) -> Scope:
        """What `to_list` gave."""
        scope = cls(values[0], values[1])
        scope.sources, scope.outputs, scope.refs, scope.clauses, scope.open_deps, scope.flags = values[2:]
        return scope

    def to_list(self, outputs: list[list[Any]] | None = None) -> list[Any]:
        """Its values, with other outputs where they are given."""
        return [
            self.kind,
            self.parent,
            self.sources,
            self.outputs if outputs is None else outputs,
            self.refs,
            self.clauses,
            self.open_deps,
            self.flags,
        ]


class StatementProgram:
    """One statement of the text.

    flows: [table or -1, target column names or None, scope, by position?]: what the scope's outputs go to
    columns: [table, names]: columns that the statement's own text gives a table; None: those of the catalogue again
    ends: how far `order` reaches when the statement has been compiled
    """

    __slots__ = ("columns", "ends", "flows", "kind", "reads", "writes")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.reads: list[int] = []
        self.writes: list[int] = []
        self.flows: list[list[Any]] = []
        self.columns: list[list[Any]] = []
        self.ends = 0

    @classmethod
    def from_list(cls, values: list[Any]) -> StatementProgram:
        """What `to_list` gave."""
        statement = cls(values[0])
        statement.reads, statement.writes, statement.flows, statement.columns, statement.ends = values[1:]
        return statement

    def to_list(self) -> list[Any]:
        return [self.kind, self.reads, self.writes, self.flows, self.columns, self.ends]


@dataclass(frozen=True, slots=True)
class SqlError:
    """Trouble with one statement. `line` and `column` count from 1, in the text as it was given."""

    statement: int
    message: str
    line: int | None
    column: int | None
    reason: str


@dataclass(slots=True, weakref_slot=False)
class _Body:
    names: list[str]
    tables: list[list[int]]
    scopes: list[Scope]
    order: list[int]
    statements: list[StatementProgram]
    literals_matter: int = 0
    session_tables: dict[str, bool] = field(default_factory=dict)


class Program:
    """What `compile_sql` makes of a text. Immutable; `to_bytes` and `from_bytes` are each other's inverse.

    `literals_matter` says which texts that differ in literals alone may have another program: with `POSITIONS` those
    with other numbers in a list after BY; with `ALL_LITERALS`, where a literal names a table or a column, any.
    `session_tables` are the keys of the temporary tables that the text works with, and whether it makes them.
    """

    def __init__(
        self, dialect: str, body: _Body, errors: tuple[SqlError, ...], excerpts: Excerpts | None = None
    ) -> None:
        self.dialect = dialect
        self.errors = errors
        self.names = body.names
        self.tables = body.tables
        self.scopes = body.scopes
        self.order = body.order
        self.statements = body.statements
        self.literals_matter = body.literals_matter
        self.session_tables = body.session_tables
        self._identifiers: dict[int, Identifier] = {}
        self._excerpts = excerpts
        self._keys: list[str] | None = None
        self._all_tables: tuple[TableName, ...] | None = None

    @property
    def keys(self) -> list[str]:
        """Of each name the text under which spellings that mean the same are equal."""
        if self._keys is None:
            self._keys = keys_of_names(self.names, self.dialect)
        return self._keys

    @property
    def all_tables(self) -> tuple[TableName, ...]:
        """Every table by its number, those included that only a renaming mentions."""
        if self._all_tables is None:
            names = self.names
            self._all_tables = tuple(
                [
                    TableName(
                        _identifier(names[table]),
                        _identifier(names[schema]) if schema >= 0 else None,
                        _identifier(names[database]) if database >= 0 else None,
                        _identifier(names[instance]) if instance >= 0 else None,
                    )
                    for table, schema, database, instance in self.tables
                ]
            )
        return self._all_tables

    @property
    def table_names(self) -> tuple[TableName, ...]:
        """The distinct tables that the text reads or writes."""
        used = dict.fromkeys(table for s in self.statements for table in (*s.reads, *s.writes))
        used.update(
            dict.fromkeys(
                source[2] for scope in self.scopes for source in scope.sources if source[1] == TABLE
            )
        )
        tables = self.all_tables
        return tuple([tables[table] for table in used])

    def identifier(self, name: int | Identifier) -> Identifier:
        """A name by its number; a name that comes from the catalogue is one already."""
        if not isinstance(name, int):
            return name
        found = self._identifiers.get(name)
        if found is None:
            found = self._identifiers[name] = _identifier(self.names[name])
        return found

    def text(self, text: str | int | None) -> str | None:
        """An output's text, given what the program holds in its place: of a fresh program that is a number."""
        if not isinstance(text, int):
            return text
        return self._excerpts.text(text) if self._excerpts is not None else None

    def _with_texts(self, output: list[Any]) -> list[Any]:
        return (
            output if output[0] == -2 or type(output[2]) is not int else [*output[:2], self.text(output[2])]
        )

    def without_literals(self, *, keep: bool) -> Program:
        """The same program with `?` for each literal in the outputs' texts, or, unless `keep`, without texts.

        No error message quotes the text any more. Names stay, those that the text writes as strings included, but
        for credentials in addresses.
        """
        scopes = [
            Scope.from_list(scope.to_list([self._masked(o, keep) for o in scope.outputs]))
            for scope in self.scopes
        ]
        errors = tuple(replace(e, message=without_text(e.message, e.reason)) for e in self.errors)
        body = _Body(
            [without_credentials(name) for name in self.names],
            self.tables,
            scopes,
            self.order,
            self.statements,
            self.literals_matter,
            self.session_tables,
        )
        return Program(self.dialect, body, errors)

    def _masked(self, output: list[Any], keep: bool) -> list[Any]:
        if output[0] == -2 or not output[2]:
            return output
        # The parser takes long to load, and few programs are masked.
        from lineage.sql.masking import mask_literals

        text = self.text(output[2]) if keep else None
        return [*output[:2], mask_literals(text, self.dialect) if text else None]

    def to_bytes(self) -> bytes:
        """A compact form to store."""
        return orjson.dumps(
            [
                FORMAT,
                self.dialect,
                self.names,
                self.tables,
                [s.to_list([self._with_texts(o) for o in s.outputs]) for s in self.scopes],
                self.order,
                [statement.to_list() for statement in self.statements],
                [[e.statement, e.message, e.line, e.column, e.reason] for e in self.errors],
                self.literals_matter,
                self.session_tables,
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Program:
        """The program that `to_bytes` wrote. Raises ValueError for another format: compile the text again."""
        form, *rest = orjson.loads(data)
        if form != FORMAT:
            raise ValueError(
                f"a program of format {form}, and this is format {FORMAT}: compile the text again"
            )
        dialect, names, tables, scopes, order, statements, errors, literals_matter, session_tables = rest
        body = _Body(
            names,
            tables,
            [Scope.from_list(scope) for scope in scopes],
            order,
            [StatementProgram.from_list(statement) for statement in statements],
            literals_matter,
            session_tables,
        )
        return cls(dialect, body, tuple(SqlError(*error) for error in errors))


def is_current(data: bytes) -> bool:
    """Whether `to_bytes` of this version wrote the program."""
    return data.startswith(b"[%d," % FORMAT)


def _identifier(name: str) -> Identifier:
    return Identifier(name[1:], True) if name[:1] == '"' else Identifier(name)
