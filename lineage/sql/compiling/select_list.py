"""The items of a select list: an output each, and what it is called."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lineage.sql.compiling.builder import Args, Builder, Frame, column_parts
from lineage.sql.compiling.expressions import dependencies, output
from lineage.sql.program import COPY


def add_output(frame: Frame, node: Any) -> None:
    """Add one item of a select list."""
    kind = type(node)
    builder = frame.builder
    if kind is exp.Alias:
        name, value = builder.ident(node.args["alias"]), node.args["this"]
    elif kind is exp.Column and type(node.args["this"]) is not exp.Star:
        name, value = builder.ident(node.args["this"]), node
    elif _add_several(frame, node):
        return
    else:
        name, value = _own_name(builder, node), node
    frame.anchor = None
    made = output(frame, name, value)
    deps = made[1]
    if name < 0 and kind is exp.Subquery and len(deps) == 2 and deps[1] < 0:
        inner = builder.scopes[~deps[1]].outputs
        made[0] = inner[0][0] if inner and inner[0][0] >= 0 else -1
    if frame.anchor is not None and made[2] != COPY:
        alias = builder.texts[made[0]].removeprefix('"') if made[0] >= 0 else ""
        made[2] = builder.excerpts.add(frame.number, frame.anchor, alias)
    frame.scope.outputs.append(made)


def _add_several(frame: Frame, node: Any) -> bool:
    """Whether the item gives columns under names of their own: stars, `f(x) AS (a, b)`, those of a script."""
    kind, args = type(node), node.args
    builder, outputs = frame.builder, frame.scope.outputs
    if kind is exp.Star:
        outputs.append(_star(frame, [], node))
    elif kind is exp.Column and type(args["this"]) is exp.Star:
        outputs.append(_star(frame, [builder.ident(part) for part in column_parts(node)[:-1]], args["this"]))
    elif kind is exp.Columns and type(args["this"]) is exp.Star:
        outputs.append(_star(frame, [], args["this"]))
    elif kind is exp.Aliases:
        deps = dependencies(frame, args["this"])
        outputs += [[builder.ident(name), deps, None] for name in args["expressions"]]
    elif kind is exp.QueryTransform and args.get("schema") is not None:  # Hive: a script gives the columns
        deps = dependencies(frame, exp.Tuple(expressions=args["expressions"]))
        for column in args["schema"].args.get("expressions") or ():
            named = column.args["this"] if type(column) is exp.ColumnDef else column
            outputs.append([builder.ident(named), deps, None])
    elif kind is exp.Dot and type(args["expression"]) is exp.Star:
        outputs.append([builder.name("*"), dependencies(frame, args["this"]), None])
    else:
        return False
    return True


def _own_name(builder: Builder, node: Any) -> int:
    """The name of an item without an alias, -1 if the dialect makes one up."""
    kind = type(node)
    if kind is exp.Subquery:
        alias = node.args.get("alias")
        if alias is not None and alias.args.get("this") is not None:
            return builder.ident(alias.args["this"])
        return -1
    if kind is exp.Dot:
        last = node.args["expression"]
        return builder.ident(last) if type(last) is exp.Identifier else -1
    if kind in (exp.Cast, exp.TryCast, exp.Paren, exp.Bracket):
        this = node.args["this"]
        if type(this) is exp.Column and type(this.args["this"]) is exp.Identifier:
            return builder.ident(this.args["this"])
    if kind is exp.Pseudocolumn:
        return builder.name(node.name)
    return -1


def _star(frame: Frame, qualifier: list[int], star: Any) -> list[Any]:
    builder = frame.builder
    args: Args = star.args
    except_ = [builder.name(item.name) for item in args.get("except_") or ()]
    replace = [
        [builder.ident(item.args["alias"]), dependencies(frame, item.args["this"])]
        for item in args.get("replace") or ()
        if type(item) is exp.Alias
    ]
    rename = [
        [builder.name(item.args["this"].name), builder.ident(item.args["alias"])]
        for item in args.get("rename") or ()
        if type(item) is exp.Alias
    ]
    return [-2, qualifier, except_, replace, rename]
