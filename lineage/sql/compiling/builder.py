"""The program under construction: names and tables interned, scopes opened and closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from lineage.sql.dialects import key_of, pseudo_columns
from lineage.sql.excerpts import Excerpts
from lineage.sql.program import ALL_LITERALS, TABLE, Scope, StatementProgram
from lineage.sql.reading.bodies import Body
from lineage.sql.reading.commands import Name

Args = dict[str, Any]  # of a node, as the parser holds them
Ctes = dict[str, tuple[int, list[int] | None]]  # key -> scope, column aliases


class Builder:
    """What all frames of one program share."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.names: dict[str, int] = {}
        self.texts: list[str] = []
        self.tables: dict[tuple[int, ...], int] = {}
        self._spelled: dict[tuple[Name | None, ...], int] = {}  # the same, by names and defaults
        self.scopes: list[Scope] = []
        self.order: list[int] = []
        self.statement = StatementProgram("")
        self.default_schema: Name | None = None
        self.default_database: Name | None = None
        self.statements: list[StatementProgram] = []  # those before
        # Tables that live in this text only: key -> the scopes that filled them, with the columns' names and
        # the real tables they read. Those count as read where the table is used.
        self.temps: dict[str, list[tuple[int, list[int] | None, list[int]]]] = {}
        self.pseudo_columns = pseudo_columns(dialect)
        self.scalars: dict[str, Any] = {}  # names that stand for expressions
        self.odd_names = bool(self.pseudo_columns)  # an unqualified name may be something else than a column
        self.excerpts = Excerpts()
        self.literals_matter = 0
        self.session_tables: dict[str, bool] = {}  # keys of temporary tables: whether this text makes it
        self.ctes: Ctes = {}  # in sight of a statement that stands in another's WITH
        self.characters_in_quotes = 0  # read so far
        self.bodies: list[Body] = []  # SQL in quotes, whose statements come next
        # By lower-case name: the constant it holds, None if it is not known.
        self.variables: dict[str, str | None] = {}
        self.tokens: list[Any] = []  # of the statement
        self.sql = ""  # the text
        self.compile_changing_cte: Callable[[Builder, Any, Ctes], int]
        self.compile_statement: Callable[[Builder, Any], None]
        self.add_source: Callable[[Frame, Any], None]
        self.parse_inner: Callable[[str], Any]
        self.compile_query: Callable[[Builder, Any, int, Ctes], int]

    def name(self, text: str, quoted: bool = False) -> int:
        """The number of an identifier."""
        if quoted or text[:1] == '"':
            text = '"' + text
        number = self.names.get(text)
        return self.encoded(text) if number is None else number

    def encoded(self, name: str) -> int:
        """The number of an identifier as programs hold it."""
        number = self.names.get(name)
        if number is None:
            number = self.names[name] = len(self.names)
            self.texts.append(name)
        return number

    def key_of_name(self, number: int) -> str:
        """The key of an interned name."""
        encoded = self.texts[number]
        return self.key(encoded[1:], True) if encoded[:1] == '"' else self.key(encoded)

    def ident(self, node: Any) -> int:
        """The number of an Identifier node (or of a node that stands in its place)."""
        if type(node) is exp.Identifier:
            args: Args = node.args
            text: str = args["this"]
            if not args.get("quoted"):
                number = self.names.get(text)
                return self.name(text) if number is None else number
            self.note_literal(node)
            return self.encoded('"' + text)
        self.note_literal(node)
        return self.name(node if isinstance(node, str) else node.name)

    def alias(self, node: Any, name: int) -> tuple[int, list[int] | None]:
        """What a TableAlias node calls a source, and its columns if it lists them; `name` where it says nothing."""
        if node is None:
            return name, None
        if node.args.get("this") is not None:
            name = self.ident(node.args["this"])
        return name, [self.ident(column) for column in node.args.get("columns") or ()] or None

    def note_literal(self, node: Any) -> None:
        """The node gives a name. Identifiers without a place in the text are made of literals by the parser."""
        if type(node) is exp.Literal or (type(node) is exp.Identifier and "start" not in node.meta):
            self.let_literals_matter()

    def let_literals_matter(self) -> None:
        """A literal says what a table or a column is called, or holds more of the text."""
        self.literals_matter |= ALL_LITERALS

    def key(self, text: str, quoted: bool = False) -> str:
        return key_of(text, quoted, self.dialect)

    def key_of_node(self, node: Any) -> str:
        if type(node) is exp.Identifier:
            return self.key(node.args["this"], bool(node.args.get("quoted")))
        return self.key(node if isinstance(node, str) else node.name)

    def table(self, parts: list[Name]) -> int:
        """The number of a real table, absent parts filled from what the script said (USE, search path)."""
        spelled = (*parts, None, self.default_schema, self.default_database)
        number = self._spelled.get(spelled)
        if number is None:
            number = self._spelled[spelled] = self._full_table(list(parts))
        return number

    def _full_table(self, parts: list[Name]) -> int:
        if len(parts) == 1 and (self.default_schema or self.default_database):
            parts.insert(
                0, self.default_schema or ("", False)
            )  # of a database that USE named, a schema nobody did
        if len(parts) == 2 and self.default_database:
            parts.insert(0, self.default_database)
        if len(parts) > 4:
            parts = [*parts[:3], (".".join(text for text, _ in parts[3:]), True)]
        return self._table([self.name(*part) if part[0] else -1 for part in reversed(parts)])

    def file(self, path: str) -> int:
        """The number of an external file (or folder, or stage), a table whose name is its path."""
        return self._table([self.name(path, True)])

    def _table(self, numbers: list[int]) -> int:
        key = tuple(numbers + [-1] * (4 - len(numbers)))
        number = self.tables.get(key)
        if number is None:
            number = self.tables[key] = len(self.tables)
        return number

    def read(self, table: int) -> None:
        if table not in self.statement.reads:
            self.statement.reads.append(table)

    def write(self, table: int) -> None:
        if table not in self.statement.writes:
            self.statement.writes.append(table)

    def open(self, kind: int, parent: int) -> tuple[int, Scope]:
        """A new scope and its number. It counts once it is closed."""
        scope = Scope(kind, parent)
        self.scopes.append(scope)
        return len(self.scopes) - 1, scope

    def close(self, number: int) -> int:
        self.order.append(number)
        return number


class Frame:
    """One query block under construction: its scope and what only its compilation needs."""

    def __init__(self, builder: Builder, kind: int, parent: int, ctes: Ctes) -> None:
        self.builder = builder
        self.number, self.scope = builder.open(kind, parent)
        self.ctes = ctes
        self.windows: dict[str, exp.Expr] = {}
        self.aliases: set[str] = set()
        self.anchor: Any = None  # an identifier of the expression that was collected last
        self._refs: dict[Any, int] = {}  # by their names; of bare columns by the name alone

    def ref(self, column: Any) -> int:
        """The number of a reference, given its Column node."""
        args: Args = column.args
        own = _spelled(args["this"])
        qualifier = args.get("table")
        if qualifier is None:
            number = self._refs.get(own)
            return self._add_ref(own, [self.builder.encoded(own)]) if number is None else number
        if args.get("db") is not None:
            return self.ref_names([self.builder.ident(part) for part in column_parts(column)])
        table = _spelled(qualifier)
        number = self._refs.get((table, own))
        if number is None:
            names = [self.builder.encoded(table), self.builder.encoded(own)]
            return self._add_ref((table, own), names)
        return number

    def ref_names(self, names: list[int]) -> int:
        """The same, given the names' numbers."""
        key = tuple(names)
        number = self._refs.get(key)
        return self._add_ref(key, list(names)) if number is None else number

    def _add_ref(self, key: Any, names: list[int]) -> int:
        number = self._refs[key] = len(self.scope.refs)
        self.scope.refs.append(names)
        return number

    def subquery(self, node: exp.Expr) -> int:
        """A query inside an expression of this one: it sees this one's sources."""
        return self.builder.compile_query(self.builder, node, self.number, self.ctes)

    def add_source(
        self, alias: int, kind: int, number: int, columns: list[int] | None = None, using: Any = None
    ) -> None:
        self.scope.sources.append([alias, kind, number, columns, using])
        if alias >= 0 and self.builder.dialect == "bigquery":  # its FROM may name a column of a source before
            self.aliases.add(self.builder.key_of_name(alias))
        if kind == TABLE:
            self.builder.read(number)

    def add_star(self, qualifier: list[int] | None = None) -> None:
        """An output for every column of the sources, or of one."""
        self.scope.outputs.append([-2, qualifier or [], [], [], []])

    def close(self) -> int:
        return self.builder.close(self.number)


def _spelled(identifier: Any) -> str:
    """An Identifier as programs hold it."""
    args: Args = identifier.args
    text: str = args["this"]
    return '"' + text if args.get("quoted") else text


def column_parts(node: Any) -> list[Any]:
    """The identifiers of a column, outermost first."""
    args: Args = node.args
    parts = [args["this"]]
    table = args.get("table")
    if table:
        parts.append(table)
        schema = args.get("db")
        if schema:
            parts.append(schema)
            database = args.get("catalog")
            if database:
                parts.append(database)
        parts.reverse()
    return parts
