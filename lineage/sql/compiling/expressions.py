"""Which columns and subqueries an expression depends on, and how they stand in it."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp

from lineage.sql.compiling.builder import Args, Frame, column_parts
from lineage.sql.program import CASE, COPY, VALUE, WINDOW

_ATOMS: Final = frozenset({str, bool, int, float, type(None)})
_SKIP: Final = 1
_COLUMN: Final = 2
_QUERY: Final = 3
_SPECIAL: Final = 4

_Special = Any  # a function (frame, node, flags, stack, deps, bound) -> None


def collect(
    frame: Frame, root: Any, flags: int, deps: list[int], bound: frozenset[str] = frozenset()
) -> None:
    """Append to `deps` what the expression depends on; `bound` are lambda parameters."""
    stack = [(root, flags)]
    dispatch, skipped, column, identifier, ref = _DISPATCH, _SKIPPED, exp.Column, exp.Identifier, frame.ref
    plain = not bound and not frame.builder.odd_names
    while stack:
        node, how = stack.pop()
        kind = dispatch.get(type(node))
        if kind is None:
            args: Args = node.args
            for value in args.values():
                cls = type(value)
                if cls in skipped:
                    continue
                if cls is list:
                    items: list[Any] = value
                    for item in items:
                        if type(item) is column:
                            _column(frame, item, how, deps, bound)
                        elif type(item) not in skipped:
                            stack.append((item, how))
                elif cls is column:
                    name = value.args["this"]
                    if plain and type(name) is identifier:
                        frame.anchor = name
                        deps += (how, ref(value))
                    else:
                        _column(frame, value, how, deps, bound)
                else:
                    stack.append((value, how))
        elif kind == _COLUMN:
            _column(frame, node, how, deps, bound)
        elif kind == _QUERY:
            deps += (how, ~frame.subquery(node))
        elif kind == _SPECIAL:
            _SPECIALS[type(node)](frame, node, how, stack, deps, bound)


def _push(stack: list[tuple[Any, int]], values: Any, how: int) -> None:
    for value in values:
        if type(value) is list:
            stack.extend((item, how) for item in value if type(item) not in _SKIPPED)
        elif type(value) not in _SKIPPED:
            stack.append((value, how))


def dependencies(frame: Frame, node: Any) -> list[int]:
    """What a whole expression depends on, each way once."""
    if type(node) is exp.Column and type(node.args["this"]) is exp.Identifier and not frame.builder.odd_names:
        return [VALUE, frame.ref(node)]
    deps: list[int] = []
    collect(frame, node, VALUE, deps)
    return distinct(deps)


def output(frame: Frame, name: int, node: Any) -> list[Any]:
    """The output, under this name, that an expression gives. Its text is not known yet, but for a copy."""
    if type(node) is exp.Column and not frame.builder.odd_names and type(node.args["this"]) is exp.Identifier:
        return [name, [VALUE, frame.ref(node)], COPY]
    deps = dependencies(frame, node)
    return [name, deps, COPY if _is_copy(frame, node, deps) else None]


def _is_copy(frame: Frame, node: Any, deps: list[int]) -> bool:
    """A column by its name, which stands for no expression."""
    if type(node) is not exp.Column or type(node.args["this"]) is not exp.Identifier:
        return False
    if len(deps) != 2 or deps[1] < 0:
        return False
    return not frame.builder.odd_names or frame.scope.refs[deps[1]][-1] == frame.builder.ident(
        node.args["this"]
    )


def distinct(deps: list[int]) -> list[int]:
    if len(deps) <= 2 or len(set(deps[1::2])) * 2 == len(deps):
        return deps
    seen = dict.fromkeys(zip(deps[::2], deps[1::2], strict=True))
    if len(seen) * 2 == len(deps):
        return deps
    return [part for pair in seen for part in pair]


def _column(frame: Frame, node: Any, how: int, deps: list[int], bound: frozenset[str]) -> None:
    this = node.args["this"]
    builder = frame.builder
    if type(this) is exp.Identifier:
        frame.anchor = this
        if (bound or builder.odd_names) and _is_no_column(frame, node, how, deps, bound):
            return
        deps += (how, frame.ref(node))
    elif type(this) is exp.Star:
        names = [builder.ident(part) for part in column_parts(node)[:-1]]
        deps += (how, frame.ref_names([*names, builder.name("*")]))
    elif type(this) not in _ATOMS:
        collect(frame, this, how, deps, bound)


def _is_no_column(frame: Frame, node: Any, how: int, deps: list[int], bound: frozenset[str]) -> bool:
    """A lambda's parameter, a name for an expression, a pseudo column."""
    builder = frame.builder
    key = builder.key_of_node(column_parts(node)[0])
    if key in bound:
        return True
    if node.args.get("table") is not None:
        return False
    if key in builder.scalars:
        collect(frame, builder.scalars[key], how, deps, bound)
        frame.anchor = node.args["this"]
        return True
    return key in builder.pseudo_columns


def _deciding(how: int) -> int:
    """How what decides about a value stands in it."""
    return CASE if how == VALUE else how


def _case(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    args: Args = node.args
    condition = _deciding(how)
    rest = []
    for branch in args.get("ifs") or ():
        rest += [(branch.args["this"], condition), (branch.args.get("true"), how)]
    if args.get("this") is not None:
        rest.insert(0, (args["this"], condition))
    rest.append((args.get("default"), how))
    stack.extend(item for item in reversed(rest) if item[0] is not None)


def _if(frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]) -> None:
    args: Args = node.args
    for value, flags in (
        (args.get("false"), how),
        (args.get("true"), how),
        (args["this"], _deciding(how)),
    ):
        if type(value) not in _ATOMS:
            stack.append((value, flags))


def _count_if(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    _push(stack, [node.args["this"]], _deciding(how))


def _decode(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    """DECODE(subject, search, result, search, result, ..., default)."""
    subject, *rest = node.args["expressions"]
    searched = [subject, *rest[: len(rest) // 2 * 2 : 2]]
    results = [*rest[1::2], *(rest[-1:] if len(rest) % 2 else ())]
    _push(stack, [results], how)
    _push(stack, [searched], _deciding(how))


def _combined(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    """ClickHouse's sumIf(value, condition), and other aggregates with a suffix."""
    arguments = list(node.args["expressions"])
    if str(node.this).endswith("If") and arguments:
        _push(stack, [arguments.pop()], _deciding(how))
    _push(stack, [arguments, node.args.get("params")], how)


def _filter(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    stack.append((node.args["expression"], _deciding(how)))
    stack.append((node.args["this"], how))


def _window(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    args: Args = node.args
    over = WINDOW if how == VALUE else how
    if args.get("over") == "KEEP":  # Oracle: the first or last rows of an order, within an aggregate
        over = how
    named = args.get("alias")
    if named is not None:
        definition = frame.windows.get(frame.builder.key_of_node(named))
        if definition is not None:
            stack.append((definition, over))
    spec = args.get("spec")
    if spec is not None:
        _push(stack, spec.args.values(), over)
    _push(stack, [args.get("partition_by"), args.get("order")], over)
    stack.append((args["this"], how))


def _lambda(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    names = frozenset(frame.builder.key_of_node(p) for p in node.args.get("expressions") or ())
    collect(frame, node.args["this"], how, deps, bound | names)


def _comprehension(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    """`[f(y) for y in list if g(y)]`: y is none of a column."""
    args: Args = node.args
    collect(frame, args["iterator"], how, deps, bound)
    names = frozenset(frame.builder.key_of_node(args[n]) for n in ("expression", "position") if args.get(n))
    for part in ("this", "condition"):
        if args.get(part) is not None:
            collect(frame, args[part], how, deps, bound | names)


def _value_only(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    """`name => value`: the name is none of a column."""
    value = node.args.get("expression")
    if type(value) not in _ATOMS:
        stack.append((value, how))


def _exists(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    """EXISTS says whether there are rows: no column of the subquery's own list matters."""
    this = node.args["this"]
    if _DISPATCH.get(type(this)) == _QUERY:
        deps += (0, ~frame.subquery(this))
        return
    _push(stack, node.args.values(), how)


def _anonymous(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    """ClickHouse's dictGet...('dictionary', ...) reads a dictionary; other unknown functions are plain."""
    items = node.args.get("expressions") or []
    if items and frame.builder.dialect == "clickhouse" and str(node.this).lower().startswith("dictget"):
        frame.builder.let_literals_matter()
        first = items[0]
        if type(first) is exp.Column:
            parts = [(part.name, bool(part.args.get("quoted"))) for part in column_parts(first)]
        else:
            parts = [(part, False) for part in first.name.split(".")]
        if all(text for text, _ in parts):
            frame.builder.read(frame.builder.table(parts))
            items = items[1:]
    elif items and frame.builder.dialect == "clickhouse" and str(node.this).lower() == "multiif":
        _push(stack, [items[:-1:2]], _deciding(how))
        items = [*items[1:-1:2], items[-1]]
    _push(stack, [items], how)


def _table(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    """A table named inside an expression is read whole: `f(TABLE t)`, `x IN t`."""
    deps += (how, ~frame.subquery(exp.Select(expressions=[exp.Star()], from_=exp.From(this=node))))


def _star(
    frame: Frame, node: Any, how: int, stack: list[Any], deps: list[int], bound: frozenset[str]
) -> None:
    """A star as an argument, as in `object_construct(*)`, is every column in sight; `count(*)` reads none."""
    if type(node.parent) is exp.Count or not isinstance(node.parent, (exp.Func, exp.Distinct)):
        return
    for alias, *_, using in frame.scope.sources:
        if alias >= 0 and using is not False:
            deps += (how, frame.ref_names([alias, frame.builder.name("*")]))


_SPECIALS: Final[dict[type, _Special]] = {
    exp.Case: _case,
    exp.If: _if,
    exp.Nvl2: _if,
    exp.DecodeCase: _decode,
    exp.CountIf: _count_if,
    exp.CombinedAggFunc: _combined,
    exp.CombinedParameterizedAgg: _combined,
    exp.Filter: _filter,
    exp.Window: _window,
    exp.Lambda: _lambda,
    exp.Comprehension: _comprehension,
    exp.Kwarg: _value_only,
    exp.PropertyEQ: _value_only,
    exp.Exists: _exists,
    exp.Table: _table,
    exp.Anonymous: _anonymous,
    exp.Star: _star,
}
_DISPATCH: Final[dict[type, int]] = {
    exp.Column: _COLUMN,
    **dict.fromkeys(
        (
            exp.Identifier,
            exp.Literal,
            exp.Null,
            exp.Boolean,
            exp.Var,
            exp.DataType,
            exp.JSONPath,
            exp.Parameter,
            exp.SessionParameter,
            exp.Placeholder,
            exp.TableAlias,
            exp.Pseudocolumn,
            exp.WindowSpec,
        ),
        _SKIP,
    ),
    **dict.fromkeys((exp.Select, exp.Subquery, exp.Union, exp.Except, exp.Intersect), _QUERY),
    **dict.fromkeys(_SPECIALS, _SPECIAL),
}
_SKIPPED: Final = _ATOMS | {cls for cls, kind in _DISPATCH.items() if kind == _SKIP}
