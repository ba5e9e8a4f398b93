"""What stands in FROM: tables, derived tables, joins, table functions, PIVOT, UNPIVOT, MATCH_RECOGNIZE."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp

from lineage.names import is_path
from lineage.sql.compiling.builder import Args, Builder, Frame
from lineage.sql.compiling.expressions import collect, dependencies, distinct
from lineage.sql.compiling.file_functions import paths_read
from lineage.sql.compiling.pivots import add_pivots
from lineage.sql.compiling.table_names import (
    is_local,
    named_by_text,
    parts_key,
    table_parts,
    without_partition,
)
from lineage.sql.dialects import has_dual, lateral_is_implicit
from lineage.sql.program import BY_NAME, JOIN, SCOPE, SELECT, TABLE, UNION, VALUE
from lineage.sql.reading.commands import Name

# Words before a table that say how it is read: ClickHouse, Databricks.
_AROUND: Final = (exp.Final, exp.Stream)


def add_clause(frame: Frame, clause: int, node: Any) -> None:
    """Note what a predicate (or a list of them) depends on."""
    if node is None:
        return
    deps: list[int] = []
    for item in node if isinstance(node, list) else [node]:
        collect(frame, item, VALUE, deps)
    if deps:
        frame.scope.clauses.append([clause, distinct(deps)])


def add_source(frame: Frame, node: Any, using: Any = None) -> None:
    """Add whatever stands in FROM or after JOIN, and the joins that hang from it."""
    if type(node) in _AROUND:
        node = node.args["this"]
    kind = type(node)
    if kind is exp.Table:
        _add_table(frame, node, using)
    elif kind is exp.Subquery:
        _add_subquery(frame, node, using, lateral=False)
    elif kind is exp.Lateral:
        this = node.args["this"]
        if type(this) is exp.Subquery:
            _add_subquery(frame, this, using, lateral=True, alias=node.args.get("alias"))
        else:
            _add_function(frame, this, node.args.get("alias"), using)
    elif kind is exp.Values:
        _add_values(frame, node, using)
    elif kind is exp.TableFromRows and named_by_text(frame.builder, node):
        _add_table(frame, exp.Table(this=node, alias=node.args.get("alias")), using)
    elif kind in (exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Pivot):
        number = frame.builder.compile_query(frame.builder, node, frame.scope.parent, frame.ctes)
        frame.add_source(-1, SCOPE, number, None, using)
    else:
        _add_function(frame, node, node.args.get("alias"), using)
    for join in node.args.get("joins") or ():
        add_join(frame, join)
    for lateral in node.args.get("laterals") or ():
        add_source(frame, lateral)


def add_join(frame: Frame, join: Any) -> None:
    """Add a joined source, and what the join's condition depends on."""
    args: Args = join.args
    using: Any = None
    names = args.get("using")
    if names:
        using = [
            frame.builder.ident(name.args["this"] if type(name) is exp.Column else name) for name in names
        ]
    elif args.get("method") == "NATURAL":
        using = True
    compared = using
    if args.get("kind") in ("SEMI", "ANTI"):
        using = False
    place = len(frame.scope.sources)
    add_source(frame, args["this"], using)
    if compared:
        frame.scope.clauses.append([JOIN, None, place, compared if isinstance(compared, list) else None])
    add_clause(frame, JOIN, args.get("on"))
    add_clause(frame, JOIN, args.get("match_condition"))


def _attach(frame: Frame, kind: int, number: int, alias: Any, using: Any, default: int = -1) -> None:
    """Add a source under its alias, a TableAlias node or None."""
    name, columns = frame.builder.alias(alias, default)
    frame.add_source(name, kind, number, columns, using)


def _add_table(frame: Frame, node: Any, using: Any) -> None:
    args: Args = node.args
    this = args.get("this")
    builder = frame.builder
    alias = args.get("alias")
    if type(this) is exp.SemanticView:
        inner = this.args["this"]
        parts = table_parts(builder, inner)
    else:
        parts = table_parts(builder, node)
    if not parts:
        rows = args.get("rows_from")
        _add_function(frame, this if rows is None else rows, alias, using)
        return
    key = parts_key(builder, parts) if frame.ctes or builder.temps else ""
    cte = frame.ctes.get(key) if len(parts) == 1 else None
    default = builder.name(*parts[-1])
    if cte is not None:
        kind, (number, columns) = SCOPE, cte
    elif key in builder.temps:
        kind, number, columns = SCOPE, _temp(builder, key), None
    elif len(parts) == 1 and (is_local(builder, parts) or _is_dual(builder, parts[0])):
        if is_local(builder, parts):
            builder.session_tables.setdefault(parts_key(builder, parts), False)
        _add_function(frame, None, alias or exp.TableAlias(this=exp.to_identifier(parts[0][0])), using)
        return
    elif len(parts) > 1 and builder.dialect == "bigquery" and builder.key(*parts[0]) in frame.aliases:
        _add_path(frame, parts, alias, using)
        return
    else:
        file = len(parts) == 1 and parts[0][1] and is_path(parts[0][0])
        number = builder.file(parts[0][0]) if file else builder.table(without_partition(builder, parts))
        kind, columns = TABLE, None
        builder.read(number)
    if args.get("pivots"):
        add_pivots(frame, args["pivots"], kind, number, alias, columns, default)
        return
    name, given = builder.alias(alias, default)
    frame.add_source(name, kind, number, given or columns, using)


def _is_dual(builder: Builder, name: Name) -> bool:
    return len(name[0]) == 4 and name[0].lower() == "dual" and has_dual(builder.dialect)


def _temp(builder: Builder, key: str) -> int:
    """The scope that stands for a table of this text: what was written to it so far."""
    writers = builder.temps[key]
    for _, _, reads in writers:
        for table in reads:
            builder.read(table)
    if len(writers) == 1 and writers[0][1] is None:
        return writers[0][0]
    number, scope = builder.open(UNION, -1)
    scope.flags |= BY_NAME
    scope.sources = [[-1, SCOPE, writer, columns, None] for writer, columns, _ in writers]
    return builder.close(number)


def _add_subquery(frame: Frame, node: Any, using: Any, *, lateral: bool, alias: Any = None) -> None:
    args: Args = node.args
    alias = alias or args.get("alias")
    this = args["this"]
    builder = frame.builder
    pivots = args.get("pivots")
    if alias is None and not pivots and not args.get("with_"):
        inner = this
        while type(inner) is exp.Subquery:
            inner = inner.args["this"]
        if type(inner) is exp.Table:
            add_source(frame, this, using)  # a parenthesised join
            return
    parent = frame.number if lateral or lateral_is_implicit(builder.dialect) else frame.scope.parent
    number = builder.compile_query(builder, node, parent, frame.ctes)
    if pivots:
        add_pivots(frame, pivots, SCOPE, number, alias, None, -1)
    else:
        _attach(frame, SCOPE, number, alias, using)


def _add_values(frame: Frame, node: Any, using: Any) -> None:
    builder = frame.builder
    number = builder.compile_query(builder, node, frame.number, frame.ctes)
    _attach(frame, SCOPE, number, node.args.get("alias"), using)


def _add_path(frame: Frame, parts: list[Name], alias: Any, using: Any) -> None:
    """`FROM t, t.items AS i`: the elements of an array column."""
    names = [frame.builder.name(*part) for part in parts]
    inner = Frame(frame.builder, SELECT, frame.number, frame.ctes)
    deps = [VALUE, inner.ref_names(names)]
    _finish_function(frame, inner, deps, alias, using, None, names[-1])


def _add_window_table(frame: Frame, call: Any, alias: Any, using: Any) -> bool:
    """Flink's TUMBLE, HOP, CUMULATE and SESSION: the table's columns, and those of the window."""
    if type(call) is not exp.Anonymous or str(call.this).upper() not in (
        "TUMBLE",
        "HOP",
        "CUMULATE",
        "SESSION",
    ):
        return False
    arguments = [
        a.args["expression"] if type(a) is exp.Kwarg else a for a in call.args.get("expressions") or ()
    ]
    tables = [argument for argument in arguments if type(argument) in (exp.Subquery, exp.Select)]
    if not tables:
        return False
    inner = Frame(frame.builder, SELECT, frame.number, frame.ctes)
    add_source(inner, tables[0])
    times: list[int] = []
    for argument in arguments:
        if type(argument) is exp.Anonymous and str(argument.this).upper() == "DESCRIPTOR":
            collect(inner, argument, VALUE, times)
    inner.add_star()
    for name in ("window_start", "window_end", "window_time"):
        inner.scope.outputs.append([frame.builder.name(name), times, None])
    _attach(frame, SCOPE, inner.close(), alias, using)
    return True


def _add_function(frame: Frame, node: Any, alias: Any, using: Any) -> None:
    """A table function: each of its columns depends on all of its arguments."""
    call = node.args.get("this") if type(node) is exp.TableFromRows else node
    if type(call) is exp.Anonymous and str(call.this).upper() == "TABLE" and call.args.get("expressions"):
        call = call.args["expressions"][0]
    if _add_window_table(frame, call, alias, using):
        return
    paths = paths_read(frame.builder, call)
    if paths:
        _attach(frame, *_files(frame, paths), alias, using)
        return
    inner = Frame(frame.builder, SELECT, frame.number, frame.ctes)
    deps: list[int] = []
    for item in node if isinstance(node, list) else [node]:
        if type(item) is exp.Unnest:
            for argument in item.args["expressions"]:
                deps += dependencies(inner, argument)
        elif type(item) is exp.Table:
            collect(inner, item.args.get("this"), VALUE, deps)
        elif item is not None and not isinstance(item, str):
            collect(inner, item, VALUE, deps)
    offset = node.args.get("offset") if type(node) is exp.Unnest else None
    _finish_function(frame, inner, distinct(deps), alias, using, offset, -1)


def _files(frame: Frame, paths: list[str]) -> tuple[int, int]:
    """What holds the rows of one or several files: a table, or a scope over them."""
    builder = frame.builder
    if len(paths) == 1:
        return TABLE, builder.file(paths[0])
    number, union = builder.open(UNION, -1)
    union.flags |= BY_NAME
    for path in paths:
        inner = Frame(builder, SELECT, -1, {})
        inner.add_source(-1, TABLE, builder.file(path))
        inner.add_star()
        union.sources.append([-1, SCOPE, inner.close(), None, None])
    return SCOPE, builder.close(number)


def _finish_function(
    frame: Frame, inner: Frame, deps: list[int], alias: Any, using: Any, offset: Any, default: int
) -> None:
    builder = frame.builder
    name, columns = builder.alias(alias, -1)
    if name < 0:
        name = columns[0] if columns and len(columns) == 1 else default
    for column in columns or ([name] if name >= 0 else []):
        inner.scope.outputs.append([column, deps, None])
    if isinstance(offset, exp.Expr):
        inner.scope.outputs.append([builder.ident(offset), [], None])
    inner.scope.open_deps = deps
    frame.add_source(name, SCOPE, inner.close(), None, using)
