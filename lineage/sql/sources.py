"""What stands in FROM: tables, derived tables, joins, table functions, PIVOT, UNPIVOT, MATCH_RECOGNIZE."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lineage.names import is_path
from lineage.sql.builder import Builder, Frame, Name
from lineage.sql.dialects import has_dual, lateral_is_implicit
from lineage.sql.expressions import collect, dependencies, distinct
from lineage.sql.file_functions import paths_read, without_format
from lineage.sql.pivots import add_pivots
from lineage.sql.program import BY_NAME, CLAUSES, SCOPE, SELECT, TABLE, UNION, VALUE
from lineage.sql.templates import UNKNOWN
from lineage.sql.text_names import named_by_text

JOIN = CLAUSES.index("join")
_AROUND = (exp.Final, exp.Stream)  # words before a table that say how it is read: ClickHouse, Databricks


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
        _attach(
            frame,
            SCOPE,
            frame.builder.compile_query(frame.builder, node, frame.scope.parent, frame.ctes),
            None,
            using,
        )
    else:
        _add_function(frame, node, node.args.get("alias"), using)
    for join in node.args.get("joins") or ():
        add_join(frame, join)
    for lateral in node.args.get("laterals") or ():
        add_source(frame, lateral)


def add_join(frame: Frame, join: Any) -> None:
    """Add a joined source, and what the join's condition depends on."""
    args = join.args
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
    builder = frame.builder
    name, columns = default, None
    if alias is not None:
        if alias.args.get("this") is not None:
            name = builder.ident(alias.args["this"])
        columns = [builder.ident(column) for column in alias.args.get("columns") or ()] or None
    frame.add_source(name, kind, number, columns, using)


def table_parts(builder: Builder, node: Any) -> list[Name]:
    """The names of a Table node, outermost first; empty when it is not a table's name."""
    args = node.args
    this = args.get("this")
    if type(this) is exp.Identifier and args.get("db") is None:
        own = this.args
        if not own.get("quoted") and not own.get("temporary"):  # most tables
            return [(own["this"], False)] if own["this"] and UNKNOWN not in own["this"] else []
    last = [this]
    while type(last[0]) is exp.Dot:
        last[:1] = [last[0].args["this"], last[0].args["expression"]]
    parts: list[Name] = []
    for part in (args.get("catalog"), args.get("db"), *last):
        if type(part) is exp.Identifier:
            text = part.args["this"]
            if part.args.get("quoted"):
                builder.note_literal(part)
            if part.args.get("temporary") and not text.startswith("#"):
                text = "##" + text if part.args.get("global_") else "#" + text
            parts.append((text, bool(part.args.get("quoted"))))
        elif type(part) is exp.Parameter:
            parts.append(("@" + part.name, False))
        elif part is not None:
            text = part if isinstance(part, str) else (part.name if isinstance(part, exp.Var) else "")
            if not text and part is this:
                return named_by_text(builder, this) or []
            parts.append((text, False))  # T-SQL's `db..t` leaves a part empty
    while parts and (not parts[0][0] or UNKNOWN in parts[0][0]):
        parts.pop(0)  # absent, or known to a template's engine only
    if len(parts) == 2 and parts[1][1]:
        parts = without_format(builder, parts)
    return parts if parts and parts[-1][0] and UNKNOWN not in parts[-1][0] else []


def is_local(builder: Builder, parts: list[Name]) -> bool:
    """T-SQL's #temp tables and @table variables live in the session, whoever made them."""
    return parts[-1][0][:1] in ("#", "@") and builder.dialect in ("tsql", "fabric", "")


def parts_key(builder: Builder, parts: list[Name]) -> str:
    return ".".join(builder.key(*part) for part in parts)


def _add_table(frame: Frame, node: Any, using: Any) -> None:
    args = node.args
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
        number = builder.file(parts[0][0]) if file else builder.table(_without_partition(builder, parts))
        kind, columns = TABLE, None
        builder.read(number)
    if args.get("pivots"):
        add_pivots(frame, args["pivots"], kind, number, alias, columns, default)
        return
    given = _alias_columns(builder, alias)
    name = default
    if alias is not None and alias.args.get("this") is not None:
        name = builder.ident(alias.args["this"])
    frame.add_source(name, kind, number, given or columns, using)


def _is_dual(builder: Builder, name: Name) -> bool:
    return len(name[0]) == 4 and name[0].lower() == "dual" and has_dual(builder.dialect)


def _alias_columns(builder: Builder, alias: Any) -> list[int] | None:
    if alias is None:
        return None
    return [builder.ident(column) for column in alias.args.get("columns") or ()] or None


def _without_partition(builder: Builder, parts: list[Name]) -> list[Name]:
    """BigQuery's `table$20240101` is a partition of `table`."""
    text, quoted = parts[-1]
    if builder.dialect == "bigquery" and "$" in text:
        return [*parts[:-1], (text.split("$", 1)[0], quoted)]
    return parts


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
    args = node.args
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
    inner.scope.outputs.append([-2, [], [], [], []])
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
        inner.scope.outputs.append([-2, [], [], [], []])
        union.sources.append([-1, SCOPE, inner.close(), None, None])
    return SCOPE, builder.close(number)


def _finish_function(
    frame: Frame, inner: Frame, deps: list[int], alias: Any, using: Any, offset: Any, default: int
) -> None:
    builder = frame.builder
    columns = _alias_columns(builder, alias) or []
    name = default
    if alias is not None and alias.args.get("this") is not None:
        name = builder.ident(alias.args["this"])
    elif len(columns) == 1:
        name = columns[0]
    for column in columns or ([name] if name >= 0 else []):
        inner.scope.outputs.append([column, deps, None])
    if isinstance(offset, exp.Expr):
        inner.scope.outputs.append([builder.ident(offset), [], None])
    inner.scope.open_deps = deps
    frame.add_source(name, SCOPE, inner.close(), None, using)
