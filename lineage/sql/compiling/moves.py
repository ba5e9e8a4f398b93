"""Statements that move, rename or remove tables as a whole: ALTER, DROP, COPY, UNLOAD, and bare commands."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp

from lineage.names import is_path
from lineage.sql.compiling.builder import Builder, Frame
from lineage.sql.compiling.queries import compile_query
from lineage.sql.compiling.table_names import parts_key, table_parts
from lineage.sql.compiling.targets import QUERIES, fill_new, flow_into, target_of
from lineage.sql.program import SELECT, TABLE, StatementProgram
from lineage.sql.reading.commands import Inner, Moves, Name, Renames, Unload, command_text, read_command


class Unsupported(Exception):
    """The statement is understood as a bare command only."""


def compile_drop(builder: Builder, node: Any) -> None:
    kind = str(node.args.get("kind") or "").lower()
    builder.statement.kind = "drop"
    if kind not in ("table", "view"):
        return
    tables = node.args.get("tables") or ([node.args["this"]] if node.args.get("this") is not None else [])
    for table in tables if isinstance(tables, list) else [tables]:
        parts = table_parts(builder, table) if type(table) is exp.Table else []
        if parts and builder.temps.pop(parts_key(builder, parts), None) is None:
            builder.write(builder.table(parts))


def compile_alter(builder: Builder, node: Any) -> None:
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
        elif type(action) in QUERIES:  # ALTER VIEW v AS SELECT ...
            builder.statement.kind = "create_view"
            fill_new(builder, parts, None, compile_query(builder, action, -1, {}), temporary=False)
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
    frame.add_star()
    flow_into(builder, target, None, frame.close(), False)


def compile_command(builder: Builder, node: Any) -> None:
    builder.let_literals_matter()  # what stands in it is known as text only
    word, rest = command_text(node)
    command = read_command(word, rest)
    builder.statement.kind = word.lower()
    if isinstance(command, Inner):
        builder.compile_statement(builder, builder.parse_inner(command.text))
        if command.explained:
            builder.statement.kind = "explain"
    elif isinstance(command, Renames):
        for old, new in command.pairs:
            _rename(builder, old, new)
    elif isinstance(command, Moves):
        _move(builder, command.source, command.target)
    elif isinstance(command, Unload):
        number = compile_query(builder, builder.parse_inner(command.query), -1, {})
        flow_into(builder, [(command.path, True)], None, number, False)
    else:
        raise Unsupported(f"{word} is not understood")


def compile_copy(builder: Builder, node: Any) -> None:
    """COPY INTO a table from files or a query, or from a table or query to files."""
    builder.statement.kind = "copy"
    this = node.args.get("this")
    if [token.text.upper() for token in builder.tokens[:3]] == ["COPY", "FROM", "DATABASE"]:  # DuckDB
        raise Unsupported("copies every table of a database, and names none")
    files = node.args.get("files") or []
    if type(this) is exp.Subquery:
        number = compile_query(builder, this, -1, {})
        _write_files(builder, files, number)
        return
    parts, columns = target_of(builder, this)
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


_HAS_LOCAL_PATHS: Final = frozenset({"duckdb"})  # what stands in quotes in COPY is a file, wherever it lies


def _path(builder: Builder, node: Any) -> str:
    """The path that a node names, "" if it is none."""
    if type(node) is exp.Literal and builder.dialect in _HAS_LOCAL_PATHS:
        builder.let_literals_matter()
        return str(node.name)
    while type(node) is exp.Table:
        node = node.args.get("this")
    builder.let_literals_matter()
    text = node.name if isinstance(node, exp.Expr) else ""
    return text if is_path(text) else ""


def _read_file(builder: Builder, node: Any) -> None:
    path = _path(builder, node)
    if path:
        builder.read(builder.file(path))


def _write_files(builder: Builder, files: list[Any], query: int | None) -> None:
    paths = [path for file in files if (path := _path(builder, file))]
    for path in paths:
        builder.write(builder.file(path))
    if query is not None:
        target = builder.file(paths[0]) if paths else -1
        builder.statement.flows.append([target, None, query, False])


def compile_load(builder: Builder, node: Any) -> None:
    """Hive's LOAD DATA INPATH ... INTO TABLE."""
    builder.statement.kind = "load"
    _read_file(builder, node.args.get("inpath"))
    for path in _option_paths(builder, node.args.get("files"), "uris"):
        builder.read(builder.file(path))
    parts, _ = target_of(builder, node.args["this"])
    if parts:
        builder.write(builder.table(parts))


def compile_export(builder: Builder, node: Any) -> None:
    """BigQuery's EXPORT DATA OPTIONS (uri = '...') AS SELECT ..."""
    builder.statement.kind = "export"
    paths = _option_paths(builder, node.args.get("options"), "uri")
    number = compile_query(builder, node.args["this"], -1, {})
    for path in paths:
        builder.write(builder.file(path))
    builder.statement.flows.append([builder.file(paths[0]) if paths else -1, None, number, False])


def _option_paths(builder: Builder, options: Any, name: str) -> list[str]:
    """The literal paths of one of a statement's options."""
    paths: list[str] = []
    for option in options.args["expressions"] if isinstance(options, exp.Expr) else ():
        if type(option) is exp.Property and option.name.lower() == name:
            value = option.args["value"]
            listed = value.args["expressions"] if type(value) is exp.Array else [value]
            paths += [path for item in listed if (path := _path(builder, item))]
    return paths
