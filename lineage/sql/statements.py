"""Statements: what each reads, what it writes, and which query's columns go where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from lineage.sql.builder import Builder, Ctes, Frame, Name
from lineage.sql.commands import Inner, Moves, Renames, Unload, is_path, read_command
from lineage.sql.expressions import dependencies
from lineage.sql.program import CLAUSES, SELECT, TABLE, UNION, StatementProgram
from lineage.sql.queries import SET_OPERATIONS, add_ctes, compile_query
from lineage.sql.sources import add_clause, add_join, add_source, parts_key, table_parts

WHERE, JOIN = CLAUSES.index("where"), CLAUSES.index("join")
_QUERIES = frozenset({exp.Select, exp.Subquery, exp.Values, exp.Table, *SET_OPERATIONS})


class Unsupported(Exception):
    """The statement is understood as a bare command only."""


def compile_statement(builder: Builder, node: Any) -> None:
    """Compile one tree into the builder's current statement. Raises Unsupported for a bare command."""
    handler = _HANDLERS.get(type(node))
    if handler is not None:
        handler(builder, node)
    elif isinstance(node, exp.Command):
        _command(builder, node)
    else:
        builder.statement.kind = type(node).__name__.lower()


def _select(builder: Builder, node: Any) -> None:
    builder.statement.kind = "select"
    number = compile_query(builder, node, -1, {})
    into: Any = node.args.get("into") if type(node) is exp.Select else None
    target: Any = into.args.get("this") if into is not None else None
    if type(target) is exp.Table:
        builder.statement.kind = "create_table"
        parts = table_parts(builder, target)
        temporary = bool(into.args.get("temporary")) or parts[-1][0][:1] == "#"
        _fill_new(builder, parts, None, number, temporary)
    else:
        builder.statement.flows.append([-1, None, number, False])


def _fill_new(
    builder: Builder, parts: list[Name], columns: list[int] | None, query: int | None, temporary: bool
) -> None:
    """A table comes to be, filled from a query or empty."""
    key = parts_key(builder, parts)
    if temporary:
        if query is not None:
            builder.temps[key] = [(query, columns, _reads_of_temp(builder))]
        else:
            number, scope = builder.open(SELECT if columns else UNION, -1)
            scope.outputs = [[column, [], None] for column in columns or ()]
            builder.temps[key] = [(builder.close(number), None, [])]
        return
    builder.temps.pop(key, None)
    table = builder.table(parts)
    builder.write(table)
    if query is not None:
        builder.statement.flows.append([table, columns, query, columns is not None])
    elif columns:
        builder.statement.columns.append([table, columns])


def _reads_of_temp(builder: Builder) -> list[int]:
    """What the statement read for a table of this text: it counts where that table is used."""
    statement = builder.statement
    reads = statement.reads
    if not statement.writes:
        statement.reads = []
    return reads


def _target(builder: Builder, node: Any) -> tuple[list[Name], list[int] | None]:
    """The name and the column list of what a statement writes to."""
    columns = None
    if type(node) is exp.Schema:
        columns = [
            builder.ident(item.args["this"] if type(item) in (exp.ColumnDef, exp.Column) else item)
            for item in node.args.get("expressions") or ()
            if type(item) in (exp.ColumnDef, exp.Column, exp.Identifier)
        ]
        node = node.args["this"]
    return (table_parts(builder, node) if type(node) is exp.Table else []), columns or None


def _flow(
    builder: Builder, parts: list[Name], columns: list[int] | None, scope: int, by_position: bool
) -> None:
    """The scope's outputs go into a table that exists."""
    key = parts_key(builder, parts)
    writers = builder.temps.get(key)
    if writers is not None:
        if columns is None and by_position and builder.scopes[writers[0][0]].outputs:
            given = [output[0] for output in builder.scopes[writers[0][0]].outputs]
            columns = given if min(given) >= 0 else None
        writers.append((scope, columns, _reads_of_temp(builder)))
        return
    table = builder.file(parts[0][0]) if is_path(parts[0][0]) else builder.table(parts)
    builder.write(table)
    builder.statement.flows.append([table, columns, scope, by_position])


def _create(builder: Builder, node: Any) -> None:
    args = node.args
    kind = str(args.get("kind") or "").upper()
    builder.statement.kind = "create_" + (kind.lower().replace(" ", "_") or "object")
    body = args.get("expression")
    if kind in ("PROCEDURE", "FUNCTION"):
        for inner in _block(body):
            compile_statement(builder, inner)
        builder.statement.kind = "create_" + kind.lower()
        return
    if kind not in ("TABLE", "VIEW"):
        return
    parts, columns = _target(builder, args["this"])
    if not parts:
        return
    properties: list[Any] = (
        args["properties"].args["expressions"] if args.get("properties") is not None else []
    )
    temporary = any(type(item) is exp.TemporaryProperty for item in properties) or parts[-1][0][:1] == "#"
    if kind == "VIEW" and any(type(item) is exp.MaterializedProperty for item in properties):
        builder.statement.kind = "create_materialized_view"
    while type(body) is exp.Paren:
        body = body.args["this"]
    query = None
    if type(body) in _QUERIES:
        ctes = add_ctes(builder, args["with_"], -1, {}) if args.get("with_") is not None else {}
        query = compile_query(builder, body, -1, ctes)
    copied = [
        item for item in (args.get("clone"), *properties) if type(item) in (exp.Clone, exp.LikeProperty)
    ]
    if query is None and copied:
        query = compile_query(builder, copied[0].args["this"], -1, {})
    _fill_new(builder, parts, columns, query, temporary)


def _block(body: Any) -> list[Any]:
    """The statements within a procedure's body."""
    if body is None or isinstance(body, (str, exp.Heredoc)):
        return []
    if type(body) is exp.Block:
        return [item for item in body.args["expressions"] if item is not None]
    return [body] if type(body) in _HANDLERS else []


def _insert(builder: Builder, node: Any) -> None:
    builder.statement.kind = "insert"
    ctes = add_ctes(builder, node.args["with_"], -1, {}) if node.args.get("with_") is not None else {}
    _insert_into(builder, node, ctes)


def _insert_into(builder: Builder, node: Any, ctes: Ctes) -> None:
    args = node.args
    this = args.get("this")
    parts, columns = _target(builder, this)
    if type(this) is exp.Directory and is_path(this.name):
        parts = [(this.name, True)]
    query = args.get("expression")
    number = compile_query(builder, query, -1, ctes) if type(query) in _QUERIES else None
    if not parts:
        if number is not None:
            builder.statement.flows.append([-1, None, number, False])
        return
    if number is not None:
        _flow(builder, parts, columns, number, not args.get("by_name"))
    elif parts_key(builder, parts) not in builder.temps:
        builder.write(builder.table(parts))


def _multi_insert(builder: Builder, node: Any) -> None:
    builder.statement.kind = "insert"
    source = node.args.get("source")
    for insert in node.args["expressions"]:
        insert = insert.args["this"] if type(insert) is exp.ConditionalInsert else insert
        query = insert.args.get("expression")
        if type(query) is exp.Select and query.args.get("from_") is None and source is not None:
            query.set("from_", exp.From(this=source))
        elif query is None or type(query) is exp.Values:
            insert.set("expression", exp.Select(expressions=[exp.Star()], from_=exp.From(this=source)))
        _insert_into(builder, insert, {})


def _add_target(builder: Builder, frame: Frame, node: Any) -> list[Name]:
    """The table that UPDATE, DELETE or MERGE changes: a source, yet not read for its own sake."""
    parts = table_parts(builder, node)
    before = list(builder.statement.reads)
    add_source(frame, node)
    if not node.args.get("joins"):
        builder.statement.reads = before
    elif parts:
        own = builder.table(parts)
        if own not in before and own in builder.statement.reads:
            builder.statement.reads.remove(own)
    return parts


def _aliased(builder: Builder, node: Any, others: list[Any]) -> Any:
    """T-SQL's `UPDATE a SET ... FROM t AS a`: the table that the alias stands for, among the other sources."""
    parts = table_parts(builder, node)
    if len(parts) != 1:
        return None
    key = parts_key(builder, parts)
    for other in others:
        for table in (other, *(join.args["this"] for join in other.args.get("joins") or ())):
            alias = table.args.get("alias")
            if alias is not None and alias.args.get("this") is not None and type(table) is exp.Table:
                if builder.key_of_node(alias.args["this"]) == key:
                    return table
    return None


def _set_items(frame: Frame, items: list[Any]) -> None:
    """SET a = x, (b, c) = (SELECT ...): an output for each column assigned."""
    builder = frame.builder
    for item in items:
        if type(item) not in (exp.EQ, exp.PropertyEQ):
            continue
        left, right = item.args["this"], item.args["expression"]
        if type(left) is exp.Tuple:
            names = left.args["expressions"]
            values = right.args["expressions"] if type(right) is exp.Tuple else [right] * len(names)
        else:
            names, values = [left], [right]
        for name, value in zip(names, values, strict=False):
            while type(name) is exp.Dot:
                name = name.args["this"]
            if type(name) is exp.Column:
                name = name.args["this"]
            if type(name) is exp.Identifier:
                frame.scope.outputs.append([builder.ident(name), dependencies(frame, value), None])


def _update(builder: Builder, node: Any) -> None:
    builder.statement.kind = "update"
    args = node.args
    ctes = add_ctes(builder, args["with_"], -1, {}) if args.get("with_") is not None else {}
    frame = Frame(builder, SELECT, -1, ctes)
    from_ = args.get("from_")
    others = [from_.args["this"]] if from_ is not None else []
    aliased = _aliased(
        builder, args["this"], [*others, *([args["this"]] if args["this"].args.get("joins") else [])]
    )
    if aliased is None:
        parts = _add_target(builder, frame, args["this"])
    else:
        parts = table_parts(builder, aliased)
    for other in others:
        add_source(frame, other)
    _set_items(frame, args.get("expressions") or [])
    add_clause(frame, WHERE, args.get("where"))
    _flow(builder, parts, None, frame.close(), False) if parts else frame.close()


def _forget_read(builder: Builder, parts: list[Name]) -> None:
    table = builder.table(parts)
    if table in builder.statement.reads:
        builder.statement.reads.remove(table)


def _delete(builder: Builder, node: Any) -> None:
    builder.statement.kind = "delete"
    args = node.args
    ctes = add_ctes(builder, args["with_"], -1, {}) if args.get("with_") is not None else {}
    frame = Frame(builder, SELECT, -1, ctes)
    targets = args.get("tables") or []
    this = args.get("this")
    others = list(args.get("using") or [])
    if targets:
        add_source(frame, this)
        for other in others:
            add_source(frame, other)
        written = [table_parts(builder, _aliased(builder, t, [this, *others]) or t) for t in targets]
        for parts in written:
            _forget_read(builder, parts)
    else:
        aliased = _aliased(builder, this, others)
        if aliased is None:
            written = [_add_target(builder, frame, this)]
        else:
            written = [table_parts(builder, aliased)]
        for other in others:
            add_source(frame, other)
        if aliased is not None:
            _forget_read(builder, written[0])
    for join in args.get("joins") or ():
        add_join(frame, join)
    add_clause(frame, WHERE, args.get("where"))
    number = frame.close()
    for parts in written:
        if parts:
            _flow(builder, parts, None, number, False)


def _merge(builder: Builder, node: Any) -> None:
    builder.statement.kind = "merge"
    args = node.args
    ctes = add_ctes(builder, args["with_"], -1, {}) if args.get("with_") is not None else {}
    whens = args["whens"].args["expressions"] if args.get("whens") is not None else []
    for when in whens or [None]:
        frame = Frame(builder, SELECT, -1, ctes)
        parts = _add_target(builder, frame, args["this"])
        add_source(frame, args["using"])
        add_clause(frame, JOIN, args.get("on"))
        columns: list[int] | None = None
        by_position = False
        if when is not None:
            add_clause(frame, WHERE, when.args.get("condition"))
            then = when.args.get("then")
            if type(then) is exp.Update:
                _set_or_star(frame, then)
            elif type(then) is exp.Insert:
                columns, by_position = _merge_insert(frame, then)
        if parts:
            _flow(builder, parts, columns, frame.close(), by_position)
        else:
            frame.close()


def _set_or_star(frame: Frame, then: Any) -> None:
    items = then.args.get("expressions")
    if isinstance(items, list):
        _set_items(frame, items)
    else:
        _source_star(frame)


def _source_star(frame: Frame) -> None:
    """`UPDATE SET *`, `INSERT *`, `INSERT ROW`: every column of the source, by name."""
    frame.scope.outputs.append([-2, [frame.scope.sources[-1][0]], [], [], []])


def _merge_insert(frame: Frame, then: Any) -> tuple[list[int] | None, bool]:
    builder = frame.builder
    names, values = then.args.get("this"), then.args.get("expression")
    if type(values) is exp.Tuple:
        for value in values.args["expressions"]:
            frame.scope.outputs.append([-1, dependencies(frame, value), None])
    elif type(values) is exp.Values:
        row = values.args["expressions"][0]
        for value in row.args["expressions"] if type(row) is exp.Tuple else [row]:
            frame.scope.outputs.append([-1, dependencies(frame, value), None])
    else:
        _source_star(frame)
        return None, False
    if type(names) is not exp.Tuple:
        return None, True
    columns = []
    for name in names.args["expressions"]:
        columns.append(builder.ident(name.args["this"] if type(name) is exp.Column else name))
    return columns, True


def _drop(builder: Builder, node: Any) -> None:
    kind = str(node.args.get("kind") or "").lower()
    builder.statement.kind = "drop"
    if kind not in ("table", "view"):
        return
    tables = node.args.get("tables") or ([node.args["this"]] if node.args.get("this") is not None else [])
    for table in tables if isinstance(tables, list) else [tables]:
        parts = table_parts(builder, table) if type(table) is exp.Table else []
        if parts and builder.temps.pop(parts_key(builder, parts), None) is None:
            builder.write(builder.table(parts))


def _truncate(builder: Builder, node: Any) -> None:
    """It empties a table: no data flows."""
    builder.statement.kind = "truncate"


def _use(builder: Builder, node: Any) -> None:
    builder.statement.kind = "use"
    this = node.args.get("this")
    if type(this) is not exp.Table:
        return
    parts = table_parts(builder, this)
    kind = node.args.get("kind")
    word = kind.name.upper() if isinstance(kind, exp.Expr) else str(kind or "").upper()
    if word in ("WAREHOUSE", "ROLE", "SECONDARY ROLES") or not parts:
        return
    _set_default(builder, parts, word)


# In these a database has no schemas within: USE names what stands right before the table.
_TWO_LEVELS = frozenset(
    {"mysql", "hive", "spark", "databricks", "clickhouse", "doris", "starrocks", "", "athena"}
)


def _set_default(builder: Builder, parts: list[Name], word: str) -> None:
    if len(parts) >= 2:
        builder.default_database, builder.default_schema = parts[-2], parts[-1]
    elif word == "CATALOG" or ((word == "DATABASE" or not word) and builder.dialect not in _TWO_LEVELS):
        builder.default_database, builder.default_schema = parts[0], None
    elif builder.default_database and builder.dialect == "":
        builder.default_database = parts[0]
    else:
        builder.default_schema = parts[0]


def _set(builder: Builder, node: Any) -> None:
    """SET carries no lineage, but for the search path."""
    builder.statement.kind = "set"
    for item in node.args.get("expressions") or ():
        this = item.args.get("this")
        if type(this) not in (exp.EQ, exp.PropertyEQ) or this.args["this"].name.lower() not in (
            "search_path",
            "schema",
        ):
            continue
        value = this.args["expression"]
        name = value.args["expressions"][0] if type(value) is exp.Tuple else value
        if name.name:
            builder.default_schema = (name.name, False)


def _delegate(kind: str) -> Callable[[Builder, Any], None]:
    """A statement that only runs the query within it."""

    def handle(builder: Builder, node: Any) -> None:
        builder.statement.kind = kind
        query = node.args.get("expression") or node.args.get("this")
        if type(query) in _QUERIES and type(query) is not exp.Table:
            builder.statement.flows.append([-1, None, compile_query(builder, query, -1, {}), False])

    return handle


def _cache(builder: Builder, node: Any) -> None:
    """Spark's CACHE TABLE x AS SELECT: a table of this session."""
    builder.statement.kind = "cache"
    query = node.args.get("expression")
    if type(query) in _QUERIES:
        number = compile_query(builder, query, -1, {})
        _fill_new(builder, table_parts(builder, node.args["this"]), None, number, temporary=True)


def _alter(builder: Builder, node: Any) -> None:
    """RENAME and SWAP move what a table holds."""
    builder.statement.kind = "alter"
    parts = table_parts(builder, node.args["this"]) if type(node.args.get("this")) is exp.Table else []
    if not parts or str(node.args.get("kind") or "").upper() not in ("TABLE", "VIEW"):
        return
    for action in node.args.get("actions") or ():
        if type(action) is exp.AlterRename and type(action.args["this"]) is exp.Table:
            other = table_parts(builder, action.args["this"])
            if len(other) == 1:
                other = [*parts[:-1], *other]
            _rename(builder, parts, other)
        elif type(action) is exp.SwapTable:
            _swap(builder, parts, table_parts(builder, action.args["this"]))
        else:
            table = builder.table(parts)
            builder.write(table)
            builder.statement.columns.append([table, None])


def _rename(builder: Builder, old: list[Name], new: list[Name]) -> None:
    """The same table under another name: what this text wrote to the old one, it wrote to the new one."""
    builder.statement.kind = "rename"
    writers = builder.temps.pop(parts_key(builder, old), None)
    if writers is not None:
        builder.temps[parts_key(builder, new)] = writers
        return
    if not any(_makes(builder, statement, old) for statement in builder.statements):
        return
    before, after = builder.table(old), builder.table(new)
    for statement in builder.statements:
        statement.reads = [after if table == before else table for table in statement.reads]
        statement.writes = [after if table == before else table for table in statement.writes]
        for entry in (*statement.flows, *statement.columns):
            if entry[0] == before:
                entry[0] = after


def _makes(builder: Builder, statement: StatementProgram, parts: list[Name]) -> bool:
    return statement.kind.startswith("create") and builder.table(parts) in statement.writes


def _swap(builder: Builder, parts: list[Name], other: list[Name]) -> None:
    """The table takes over what the other holds."""
    builder.statement.kind = "swap"
    _move(builder, other, parts)


def _move(builder: Builder, source: list[Name], target: list[Name]) -> None:
    """All columns of one table go to another."""
    frame = Frame(builder, SELECT, -1, {})
    read = builder.table(source)
    frame.add_source(builder.name(*source[-1]), TABLE, read)
    frame.scope.outputs.append([-2, [], [], [], []])
    _flow(builder, target, None, frame.close(), False)


def _command(builder: Builder, node: Any) -> None:
    word = str(node.this).upper()
    rest = node.args.get("expression")
    command = read_command(word, rest if isinstance(rest, str) else rest.name if rest is not None else "")
    builder.statement.kind = word.lower()
    if isinstance(command, Inner):
        compile_statement(builder, builder.parse_inner(command.text))
        if command.explained:
            builder.statement.kind = "explain"
    elif isinstance(command, Renames):
        for old, new in command.pairs:
            _rename(builder, old, new)
    elif isinstance(command, Moves):
        _move(builder, command.source, command.target)
    elif isinstance(command, Unload):
        number = compile_query(builder, builder.parse_inner(command.query), -1, {})
        _flow(builder, [(command.path, True)], None, number, False)
    else:
        raise Unsupported(f"{word} is not understood")


def _copy(builder: Builder, node: Any) -> None:
    """COPY INTO a table from files or a query, or from a table or query to files."""
    builder.statement.kind = "copy"
    this = node.args.get("this")
    files = node.args.get("files") or []
    if type(this) is exp.Subquery:
        number = compile_query(builder, this, -1, {})
        _write_files(builder, files, number)
        return
    parts, columns = _target(builder, this)
    if not parts:
        return
    if not node.args.get("kind"):
        builder.read(builder.table(parts))
        _write_files(builder, files, None)
        return
    builder.write(builder.table(parts))
    for source in files:
        if type(source) is exp.Subquery:
            number = compile_query(builder, source, -1, {})
            builder.statement.flows.append([builder.table(parts), columns, number, True])
        else:
            _read_file(builder, source)


def _path(node: Any) -> str:
    """The path that a node names, "" if it is none."""
    while type(node) is exp.Table:
        node = node.args.get("this")
    text = node.name if isinstance(node, exp.Expr) else ""
    return text if is_path(text) else ""


def _read_file(builder: Builder, node: Any) -> None:
    path = _path(node)
    if path:
        builder.read(builder.file(path))


def _write_files(builder: Builder, files: list[Any], query: int | None) -> None:
    paths = [path for path in map(_path, files) if path]
    for path in paths:
        builder.write(builder.file(path))
    if query is not None:
        target = builder.file(paths[0]) if paths else -1
        builder.statement.flows.append([target, None, query, False])


def _load(builder: Builder, node: Any) -> None:
    """Hive's LOAD DATA INPATH ... INTO TABLE."""
    builder.statement.kind = "load"
    _read_file(builder, node.args.get("inpath"))
    parts, _ = _target(builder, node.args["this"])
    if parts:
        builder.write(builder.table(parts))


def _nested(builder: Builder, node: Any) -> None:
    """A block of statements taken as one."""
    for key in ("body", "true", "false", "expressions"):
        value = node.args.get(key)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, exp.Expr):
                compile_statement(builder, item)


def _silent(kind: str) -> Callable[[Builder, Any], None]:
    def handle(builder: Builder, node: Any) -> None:
        builder.statement.kind = kind

    return handle


_HANDLERS: dict[type, Callable[[Builder, Any], None]] = {
    **dict.fromkeys(_QUERIES, _select),
    exp.Create: _create,
    exp.Insert: _insert,
    exp.MultitableInserts: _multi_insert,
    exp.Update: _update,
    exp.Delete: _delete,
    exp.Merge: _merge,
    exp.Drop: _drop,
    exp.TruncateTable: _truncate,
    exp.Use: _use,
    exp.Set: _set,
    exp.Cache: _cache,
    exp.Alter: _alter,
    exp.Copy: _copy,
    exp.LoadData: _load,
    exp.Describe: _delegate("describe"),
    exp.Export: _delegate("export"),
    exp.Block: _nested,
    exp.WhileBlock: _nested,
    exp.IfBlock: _nested,
    exp.EndStatement: _silent("end"),
}
