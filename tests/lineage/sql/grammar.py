"""Queries made up from a small grammar: joins, derived tables, common table expressions, subqueries, windows, groups.

Every column that a query names exists, so a real database can bind it. Words stand apart by one blank. A star
is written `{star|the columns it stands for}`: `starred` and `written` give the two texts.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

TABLES = {"t": ["a", "b", "k"], "u": ["c", "k", "d"], "v": ["k", "e", "f"]}
_STAR = re.compile(r"\{([^|}]*)\|([^}]*)\}")
# What a dialect calls a star's exceptions; without an entry it has none.
_EXCEPT = {"duckdb": "exclude", "snowflake": "exclude", "bigquery": "except", "databricks": "except"}
_REPLACE = frozenset({"duckdb", "snowflake", "bigquery"})
_RENAME = frozenset({"snowflake"})
_QUALIFY = frozenset({"duckdb", "snowflake", "bigquery", "databricks"})
_NATURAL = frozenset(
    {"postgres", "mysql", "duckdb", "sqlite", "oracle", "redshift", "snowflake", "databricks"}
)
_LATERAL = frozenset({"postgres", "mysql", "duckdb", "snowflake", "spark", "databricks", "trino"})
_WINDOW = frozenset({"postgres", "mysql", "duckdb", "sqlite", "trino", "spark", "databricks", "bigquery"})
_FILTER = frozenset({"postgres", "duckdb", "sqlite", "trino", "spark", "databricks"})
_GROUP_ALL = frozenset({"duckdb", "snowflake", "databricks"})
_DISTINCT_ON = frozenset({"postgres"})  # which row it takes is open, so no answer can be compared
_NO_COLUMN_LISTS = frozenset({"bigquery", "clickhouse", "hive", "oracle", "sqlite"})
_SEMI = frozenset({"duckdb", "spark", "databricks"})
_USING_IN_PLACE = frozenset({"duckdb", "sqlite", "clickhouse"})  # elsewhere the columns of USING come first


class Source(NamedTuple):
    alias: str
    columns: list[str]


class Made(NamedTuple):
    text: str
    columns: list[str]


def starred(text: str) -> str:
    return _STAR.sub(r"\1", text)


def written(text: str) -> str:
    return _STAR.sub(r"\2", text)


class Grammar:
    """One query per call of `query`; `chance` decides."""

    def __init__(self, chance: random.Random, dialect: str) -> None:
        self.chance = chance
        self.dialect = dialect
        self._numbers = 0
        self._ctes: list[Made] = []

    def query(self) -> str:
        """A query with perhaps common table expressions, a set operation, DISTINCT, and an order."""
        heads = []
        for _ in range(self.chance.choice([0, 0, 1, 2])):
            name, body = self._new("q"), self._query_of(self.chance.choice([1, 2]), depth=1)
            listed, columns = self._column_list(body.columns)
            heads.append(f"{name}{listed} as ( {body.text} )")
            self._ctes.append(Made(name, columns))
        made = self._set_operation(self.chance.choice([1, 2, 3]), depth=2)
        with_ = f"with {' , '.join(heads)} " if heads else ""
        order = f" order by {self.chance.randint(1, len(made.columns))}" if self._maybe(3) else ""
        return with_ + made.text + order

    def _maybe(self, one_of: int) -> bool:
        return self.chance.randrange(one_of) == 0

    def _new(self, letter: str) -> str:
        self._numbers += 1
        return f"{letter}{self._numbers}"

    def _column_list(self, columns: list[str]) -> tuple[str, list[str]]:
        """Perhaps new names for the columns of a derived table or a common table expression."""
        if self.dialect in _NO_COLUMN_LISTS or not self._maybe(4):
            return "", columns
        names = [self._new("x") for _ in columns]
        return f" ( {' , '.join(names)} )", names

    def _set_operation(self, width: int, depth: int) -> Made:
        first = self._query_of(width, depth, distinct=self._maybe(6))
        if not self._maybe(4):
            return first
        operation = self.chance.choice(
            ["union all", "union distinct", "except distinct", "intersect distinct"]
        )
        if first.text.endswith(" all"):
            operation = "union all"  # the parser takes `all except` for a star with an exception
        if self.dialect not in ("bigquery", "clickhouse"):
            operation = operation.replace(" distinct", "")
        width = len(first.columns)
        second = self._query_of(width, depth, plain=True)
        return Made(f"{first.text} {operation} {second.text}", first.columns)

    def _query_of(self, width: int, depth: int, *, plain: bool = False, distinct: bool = False) -> Made:
        """A SELECT of `width` items; with a star there are more, unless it is to be `plain`."""
        joined, sources, merged = self._from(depth)
        if not plain and not distinct and self._maybe(4):
            return self._grouped(joined, sources, width, depth)
        items, columns = [], []
        for place in range(width):
            if not plain and not columns and place == width - 1 and self._maybe(2):
                item, names = self._star(sources, merged)
                items.append(item)
                columns += names
                continue
            name = self._new("x")
            items.append(f"{self._value(sources, depth)} as {name}")
            columns.append(name)
        head = "select distinct" if distinct else "select"
        if self.dialect in _DISTINCT_ON and not plain and not distinct and self._maybe(8):
            head = f"select distinct on ( {self._column(sources)} )"
        window, tail = self._new("w"), ""
        if self.dialect in _WINDOW and not plain and not distinct and depth > 0 and self._maybe(5):
            columns.append(self._new("x"))
            items.append(f"sum ( {self._column(sources)} ) over {window} as {columns[-1]}")
            one, other = self._column(sources), self._column(sources)
            tail = f" window {window} as ( partition by {one} order by {other} )"
        text = f"{head} {' , '.join(items)} from {joined}{self._where(sources, depth)}{tail}"
        if self.dialect in _QUALIFY and not tail and not distinct and self._maybe(6):
            text += f" qualify {self._rank(sources)} < 100"
        return Made(text, columns)

    def _grouped(self, joined: str, sources: list[Source], width: int, depth: int) -> Made:
        keys = [self._column(sources) for _ in range(self.chance.choice([1, 2]))]
        names = [self._new("x") for _ in range(max(width, 1))]
        items = [f"{self.chance.choice(keys)} as {names[0]}"]
        items += [f"{self._aggregate(sources)} as {name}" for name in names[1:]]
        ways = [" , ".join(keys), f"rollup ( {' , '.join(keys)} )"]
        if len(keys) == 1:
            ways += ["1"] if self.dialect not in ("tsql", "oracle") else []
            ways += ["all"] if self.dialect in _GROUP_ALL else []
        by = self.chance.choice(ways)
        having = f" having max ( {self._column(sources)} ) > 100" if self._maybe(3) else ""
        text = f"select {' , '.join(items)} from {joined}{self._where(sources, depth)} group by {by}{having}"
        return Made(text, names)

    def _aggregate(self, sources: list[Source]) -> str:
        text = f"sum ( {self._value(sources, 0)} )"
        if self.dialect in _FILTER and self._maybe(3):
            text += f" filter ( where {self._column(sources)} > 100 )"
        return text

    def _from(self, depth: int) -> tuple[str, list[Source], list[str]]:
        """The text behind FROM, the sources whose columns may be named, and the columns merged by USING."""
        text, first = self._source(depth)
        sources, merged = [first], []
        for _ in range(self.chance.choice([0, 1, 1, 2])):
            joined, source = self._source(depth)
            kind = self.chance.choice(
                ["join", "left join", "cross join", "using", "semi", "natural", "lateral"]
            )
            if kind == "natural" and self.dialect in _NATURAL and self._share_k(text, joined):
                text += f" natural join {joined}"
                merged = ["k"]
            elif kind == "lateral" and self.dialect in _LATERAL and depth > 0:
                alias, name = self._new("s"), self._new("x")
                condition = f"{self._column([source])} = {self._column(sources)}"
                query = f"select {self._column([source])} as {name} from {joined} where {condition}"
                text += f" cross join lateral ( {query} ) {alias}"
                source = Source(alias, [name])
            elif kind == "using" and len(sources) == 1 and "k" in first.columns and "k" in source.columns:
                text += f" join {joined} using ( k )"
                merged = ["k"]
            elif kind == "semi" and self.dialect in _SEMI:
                word = "semi join" if self.dialect == "duckdb" else "left semi join"
                text += f" {word} {joined} on {self._column(sources)} = {self._column([source])}"
                continue
            elif kind in ("join", "left join"):
                text += f" {kind} {joined} on {self._column(sources)} = {self._column([source])}"
            else:
                text += f" cross join {joined}"
            sources.append(source)
            if merged:
                break  # a column of another source would make the merged one ambiguous
        return text, sources, merged

    @staticmethod
    def _share_k(left: str, right: str) -> bool:
        """Whether both are tables, and two of them: then `k` is what they share."""
        one, other = left.split()[0], right.split()[0]
        return len(left.split()) == 2 and one in TABLES and other in TABLES and one != other

    def _source(self, depth: int) -> tuple[str, Source]:
        alias = self._new("s")
        if depth > 0 and self._maybe(3):
            made = self._set_operation(self.chance.choice([1, 2]), depth - 1)
            listed, columns = self._column_list(made.columns)
            return f"( {made.text} ) {alias}{listed}", Source(alias, columns)
        if self._ctes and self._maybe(2):
            cte = self.chance.choice(self._ctes)
            return f"{cte.text} {alias}", Source(alias, cte.columns)
        table = self.chance.choice(sorted(TABLES))
        return f"{table} {alias}", Source(alias, TABLES[table])

    def _star(self, sources: list[Source], merged: list[str]) -> tuple[str, list[str]]:
        if merged or self._maybe(2):
            shown = [(source.alias, name) for source in sources for name in source.columns]
            if merged:
                left, right = sources
                rest = [pair for pair in shown if pair[1] not in merged]
                shown = [("", name) for name in merged] + rest
                if self.dialect in _USING_IN_PLACE:
                    own = [("" if n in merged else left.alias, n) for n in left.columns]
                    shown = own + [(right.alias, n) for n in right.columns if n not in merged]
            star = "*"
        else:
            source = self.chance.choice(sources)
            shown = [(source.alias, name) for name in source.columns]
            star = f"{source.alias}.*"
        names = [name for _, name in shown]
        if len(set(names)) < len(names):  # a derived table may not have two columns of one name
            source = sources[0]
            shown, star = [(source.alias, name) for name in source.columns], f"{source.alias}.*"
            names = list(source.columns)
        texts = [f"{alias}.{name}" if alias else name for alias, name in shown]
        return self._changed_star(star, texts, names)

    def _changed_star(self, star: str, texts: list[str], names: list[str]) -> tuple[str, list[str]]:
        word, at = _EXCEPT.get(self.dialect), self.chance.randrange(len(names))
        if word and len(names) > 1 and self._maybe(4):
            star += f" {word} ( {names[at]} )"
            texts, names = texts[:at] + texts[at + 1 :], names[:at] + names[at + 1 :]
        elif self.dialect in _REPLACE and self._maybe(4):
            star += f" replace ( {texts[at]} + 100 as {names[at]} )"
            texts = [*texts[:at], f"{texts[at]} + 100 as {names[at]}", *texts[at + 1 :]]
        elif self.dialect in _RENAME and self._maybe(4):
            new = self._new("x")
            star += f" rename ( {names[at]} as {new} )"
            texts = [*texts[:at], f"{texts[at]} as {new}", *texts[at + 1 :]]
            names = [*names[:at], new, *names[at + 1 :]]
        return f"{{{star}|{' , '.join(texts)}}}", names

    def _column(self, sources: list[Source]) -> str:
        source = self.chance.choice(sources)
        return f"{source.alias}.{self.chance.choice(source.columns)}"

    def _rank(self, sources: list[Source]) -> str:
        one, other = self._column(sources), self._column(sources)
        return f"rank ( ) over ( partition by {one} order by {other} )"

    def _value(self, sources: list[Source], depth: int) -> str:
        one, other, third = (self._column(sources) for _ in range(3))
        kinds = [one, one, f"{one} + {other}", f"coalesce ( {one} , {other} , 100 )"]
        kinds.append(f"case when {one} > 100 then {other} else {third} end")
        if depth > 0:
            kinds += [self._rank(sources), self._subquery(sources)]
        return self.chance.choice(kinds)

    def _subquery(self, sources: list[Source]) -> str:
        text, source = self._source(0)
        inner, filtered = self._column([source]), self._column([source])
        return f"( select max ( {inner} ) from {text} where {filtered} = {self._column(sources)} )"

    def _where(self, sources: list[Source], depth: int) -> str:
        if not self._maybe(2):
            return ""
        one = self._column(sources)
        text, source = self._source(max(depth - 1, 0))
        inner, filtered = self._column([source]), self._column([source])
        conditions = [
            f"{one} > 100",
            f"{one} = {self._column(sources)} or {self._column(sources)} < 100",
            f"exists ( select 1 from {text} where {filtered} = {one} )",
            f"{one} not in ( select {inner} from {text} where {filtered} > 100 )",
        ]
        return f" where {self.chance.choice(conditions)}"
