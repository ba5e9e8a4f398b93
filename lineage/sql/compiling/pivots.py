"""Sources that reshape another: PIVOT, UNPIVOT and MATCH_RECOGNIZE."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lineage.sql.compiling.builder import Args, Builder, Ctes, Frame
from lineage.sql.compiling.expressions import collect, dependencies, distinct, output
from lineage.sql.program import ANY_QUALIFIER, GROUP_BY, IN_CASE, ORDER_BY, SCOPE, SELECT, VALUE, WHERE


def add_pivots(
    frame: Frame,
    pivots: list[Any],
    kind: int,
    number: int,
    alias: Any,
    columns: list[int] | None,
    default: int,
) -> None:
    """Add a source with its PIVOTs and UNPIVOTs, each a scope over the one before."""
    builder = frame.builder
    builder.let_literals_matter()  # they name columns
    name, listed = builder.alias(alias, default)
    columns = listed or columns
    for pivot in pivots:
        inner = Frame(builder, SELECT, frame.number, frame.ctes)
        inner.add_source(name, kind, number, columns)
        if pivot.args.get("unpivot"):
            _unpivot(inner, pivot)
        else:
            _pivot(inner, pivot)
        kind, number = SCOPE, inner.close()
        name, columns = builder.alias(pivot.args.get("alias"), name)
    frame.add_source(name, kind, number, columns)


def _star(used: list[int]) -> list[Any]:
    """The columns that a pivot passes on."""
    return [-2, [], list(dict.fromkeys(used)), [], []]


def _used_names(frame: Frame, deps: list[int]) -> list[int]:
    return [frame.scope.refs[target][-1] for target in deps[1::2] if target >= 0]


def _pivot(frame: Frame, pivot: Any) -> None:
    args: Args = pivot.args
    builder = frame.builder
    aggregates = [dependencies(frame, item) for item in args.get("expressions") or args.get("using") or ()]
    chosen: list[int] = []
    for item in args.get("fields") or ():
        if type(item) is exp.In:
            collect(frame, item.args["this"], VALUE, chosen)
    if chosen:
        frame.scope.clauses.append([IN_CASE, distinct(chosen)])
    used = [name for deps in [*aggregates, chosen] for name in _used_names(frame, deps)]
    group = args.get("group")
    if group is not None:
        for item in group.args.get("expressions") or ():
            frame.scope.outputs.append(output(frame, builder.name(item.name), item))
    else:
        frame.scope.outputs.append(_star(used))
    frame.scope.clauses.append([GROUP_BY, None, list(range(len(frame.scope.outputs)))])
    names = args.get("columns") or ()
    for position, name in enumerate(names):
        deps = aggregates[position % len(aggregates)] if aggregates else []
        frame.scope.outputs.append([builder.ident(name), deps, None])
    if not names:  # the columns are those of whatever values there are
        together = [part for deps in aggregates for part in deps]
        frame.scope.outputs.append([builder.name("*"), together, None])
        frame.scope.open_deps = distinct(together)


def _unpivot(frame: Frame, pivot: Any) -> None:
    """The value columns depend on the columns listed, place by place; the name column on all of them."""
    args: Args = pivot.args
    builder = frame.builder
    values: list[Any] = []
    for item in args.get("expressions") or ():
        values += item.args["expressions"] if type(item) is exp.Tuple else [item]
    deps: list[list[int]] = [[] for _ in values]
    labels: list[int] = []
    for field in args.get("fields") or ():
        if type(field) is not exp.In:
            continue
        this = field.args["this"]
        labels += [
            builder.name(item.name)
            for item in (this.args["expressions"] if type(this) is exp.Tuple else [this])
        ]
        for item in field.args.get("expressions") or ():
            if type(item) is exp.PivotAlias or type(item) is exp.Alias:
                item = item.args["this"]
            columns = item.args["expressions"] if type(item) is exp.Tuple else [item]
            for place, column in enumerate(columns):
                if deps:
                    collect(frame, column, VALUE, deps[min(place, len(deps) - 1)])
    used = [name for part in deps for name in _used_names(frame, part)]
    chosen = distinct([part for one in deps for part in one])
    frame.scope.outputs.append(_star(used))
    for label in labels:
        frame.scope.outputs.append([label, chosen, None])
    for value, part in zip(values, deps, strict=True):
        frame.scope.outputs.append([builder.name(value.name), distinct(part), None])


def _listed_columns(listed: list[Any], using: list[Any]) -> list[Any]:
    """DuckDB's names for the columns of `ON m IN (values)`: the value, and the alias of what is aggregated."""
    values = listed[0].args.get("expressions") or () if len(listed) == 1 and type(listed[0]) is exp.In else ()
    if len(using) != 1 or not all(type(value) is exp.Literal for value in values):
        return []
    end = f"_{using[0].alias}" if using[0].alias else ""
    return [exp.to_identifier(value.name + end) for value in values]


def compile_pivot_statement(builder: Builder, node: Any, parent: int, ctes: Ctes) -> int:
    """DuckDB's `PIVOT t ON m USING sum(v)` and `UNPIVOT t ON a, b INTO NAME n VALUE v`, queries of their own."""
    frame = Frame(builder, SELECT, parent, ctes)
    builder.let_literals_matter()
    args: Args = node.args
    builder.add_source(frame, args["this"])
    listed = args.get("expressions") or []
    into = args.get("into")
    if not args.get("unpivot"):
        on = [item.args["this"] if type(item) is exp.In else item for item in listed]
        _pivot(
            frame,
            exp.Pivot(
                fields=[exp.In(this=item) for item in on],
                using=args["using"],
                group=args.get("group"),
                columns=_listed_columns(listed, args.get("using") or []),
            ),
        )
    elif into is not None:
        fields = [exp.In(this=into.args["this"], expressions=listed)]
        _unpivot(frame, exp.Pivot(fields=fields, expressions=into.args["expressions"]))
    return frame.close()


def add_match_recognize(frame: Frame, node: Any, source: Any) -> None:
    """Add a source with its MATCH_RECOGNIZE: partition columns and measures, all others with ALL ROWS."""
    builder = frame.builder
    args: Args = node.args
    inner = Frame(builder, SELECT, frame.number, frame.ctes)
    inner.scope.flags |= ANY_QUALIFIER
    builder.add_source(inner, source)
    outputs = inner.scope.outputs
    rows = args.get("rows")
    if rows is not None and "ALL ROWS" in rows.name.upper():
        inner.add_star()
    else:
        for item in args.get("partition_by") or ():
            outputs.append(output(inner, builder.name(item.name), item))
    for measure in args.get("measures") or ():
        item = measure.args["this"] if type(measure) is exp.MatchRecognizeMeasure else measure
        outputs.append([builder.name(item.alias_or_name), dependencies(inner, item), None])
    _add_clause(inner, GROUP_BY, args.get("partition_by") or [])
    _add_clause(inner, ORDER_BY, [args.get("order")])
    _add_clause(inner, WHERE, [item.args["this"] for item in args.get("define") or ()])
    name, _ = builder.alias(args.get("alias"), -1)
    frame.add_source(name, SCOPE, inner.close())


def _add_clause(frame: Frame, clause: int, items: list[Any]) -> None:
    deps: list[int] = []
    for item in items:
        if item is not None:
            collect(frame, item, VALUE, deps)
    if deps:
        frame.scope.clauses.append([clause, distinct(deps)])
