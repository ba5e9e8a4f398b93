"""What may be written in an expression, and what it means: DuckDB itself says, and the tree says the same."""

from __future__ import annotations

import pytest

from connectors.datasets.engine import open_engine
from connectors.datasets.expression import check_type, parse_expression, parse_query
from connectors.datasets.syntax import column_tree, substitute, write_expression
from connectors.errors import DatasetError

RECORD = """
    SELECT 7 AS n, 2 AS m, 1.5::DOUBLE AS f, 12.34::DECIMAL(6, 2) AS d, 'Ada Lovelace' AS x, NULL::VARCHAR AS z,
    TIMESTAMP '2026-11-20 10:11:12' AS t, DATE '2026-02-28' AS day, true AS b, [3, 1, 2] AS l,
    {'a': {'b': 'deep'}} AS s, '{"k": {"v": [1, 2]}}' AS j
"""
ALLOWED = [
    *(
        "n + m * 2 - 1",
        "n // m",
        "n % m",
        "-n",
        "n ** 2",
        "n / m",
        "n > 1 and not b or m = 2",
        "n between 1 and 9",
    ),
    *("n in (1, 7)", "x is null", "z is not null", "z is distinct from x", "x like 'A%'", "x ilike 'ada%'"),
    *("x not like '_b%'", "case when n > 5 then 'big' else x end", "coalesce(z, x)", "nullif(n, 7)"),
    *(
        "if(b, 1, 2)",
        "ifnull(z, 'none')",
        "x::varchar",
        "cast(n as decimal(10, 2))",
        "try_cast(x as integer)",
    ),
    *("lower(x) || upper(x)", "trim('  a ')", "substring(x, 1, 3)", "length(x)", "concat(x, z, n)", "md5(x)"),
    *(
        "replace(x, 'a', 'b')",
        "regexp_matches(x, '^A')",
        "regexp_replace(x, '[aeiou]', '', 'g')",
        "x ~ '.*Love.*'",
    ),
    *(
        "regexp_extract(x, '(\\w+)', 1)",
        "split_part(x, ' ', 2)",
        "starts_with(x, 'Ada')",
        "contains(x, 'Love')",
    ),
    *("lpad(x, 20, '.')", "left(x, 2)", "right(x, 2)", "reverse(x)", "position('L' in x)", "strpos(x, 'L')"),
    *("date_trunc('month', t)", "date_part('year', t)", "extract(hour from t)", "strftime(t, '%Y-%m')"),
    *(
        "strptime('2026', '%Y')",
        "date_diff('day', day, t::date)",
        "t + interval 1 day",
        "day + interval (n) month",
    ),
    *(
        "year(t)",
        "dayofweek(day)",
        "epoch(t)",
        "make_date(2026, 1, 2)",
        "t at time zone 'UTC'",
        "last_day(day)",
    ),
    *(
        "round(f, 1)",
        "abs(-n)",
        "floor(f)",
        "ceil(f)",
        "mod(n, m)",
        "power(n, 2)",
        "sqrt(n)",
        "ln(n)",
        "greatest(n, m)",
    ),
    *(
        "least(n, m)",
        "sign(n)",
        "log10(n)",
        "j -> '$.k'",
        "(j -> '$.k') -> '$.v'",
        "(j -> '$.k') ->> '$.v'",
        "j ->> '$.k.v' = '[1,2]'",
        "json_extract_string(j, '$.k')",
    ),
    *(
        "s.a.b",
        "(s).a",
        "s['a']",
        "l[1]",
        "len(l)",
        "list_contains(l, 3)",
        "list_sort(l)",
        "array_to_string(l, '-')",
    ),
    *(
        "[n, m]",
        "{'a': n, 'b': x}",
        "struct_pack(a := n)",
        "string_split(x, ' ')",
        "to_json(s)",
        "1e3",
        "'it''s'",
    ),
    *(
        "date '2026-01-01'",
        "TRUE",
        "null",
        "try(x::int)",
        "n -- a comment",
        "greatest(x, 'B')",
        "concat_ws('-', n, m)",
    ),
]


@pytest.mark.parametrize("text", ALLOWED)
def test_what_is_allowed_runs_and_its_tree_means_the_same(text: str) -> None:
    found = parse_expression(text)
    engine = open_engine(threads=1)
    engine.execute(f"CREATE TABLE record AS {RECORD}")
    written, read = engine.execute(
        f"SELECT {found.sql}, {write_expression(found.tree)} FROM record"
    ).fetchall()[0]
    assert written == read or (written != written and read != read)


def test_every_function_of_the_list_is_one_of_duckdbs() -> None:
    from connectors.datasets import functions

    rows = open_engine(threads=1).execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    # The parser's own: an arrow of JSON, and unnest.
    assert (functions.SCALARS | functions.QUERY_ONLY) - {str(row[0]) for row in rows} <= {"->", "unnest"}


def test_layout_does_not_change_what_an_expression_means() -> None:
    assert parse_expression("lower( a )").meaning == parse_expression("LOWER(a) -- same").meaning
    assert parse_expression("a + 1").meaning != parse_expression("a + 2").meaning


def test_columns_are_replaced_by_what_made_them() -> None:
    tree = parse_expression("total * 2 + address.zip").tree
    made = {"TOTAL": parse_expression("price + 1").tree, "address": column_tree("home", "place")}
    assert write_expression(substitute(tree, made)) == "((price + 1) * 2) + home.place.zip"


def test_an_expression_names_its_columns() -> None:
    assert parse_expression("a + s.b").columns == {"a", "s"}


@pytest.mark.parametrize(
    "kind", ["integer", "decimal(10, 2)", "text", "timestamp with time zone", "varchar[]"]
)
def test_plain_types_and_lists_of_them_are_types(kind: str) -> None:
    assert check_type(kind) == kind


@pytest.mark.parametrize(
    "kind", ["foo", "enum('a')", "struct(a int)", "int) as b, (c", "integer or true", ""]
)
def test_other_types_are_refused(kind: str) -> None:
    with pytest.raises(DatasetError):
        check_type(kind)


@pytest.mark.parametrize(
    "text",
    [
        "select * from input",
        "select * exclude (a) replace (b + 1 as b) from input;",
        "from input select a",
        "select i.a, c.b from input i join c on i.a = c.a left join c as d using (a)",
        "with x as (select a from input), y as (select a from x) select * from y union all select a from c",
        "select a, count(*) filter (where b > 1), sum(distinct b) from input group by all having count(*) > 1",
        "select a, row_number() over (partition by a order by b desc) as n from input qualify n = 1",
        "select a, lag(b, 1) over w from input window w as (order by a)",
        "select a from input where b > (select avg(b) from input) and exists (select 1 from c where c.a = input.a)",
        "select a from input where a in (select a from c) order by a limit 3",
        "select string_agg(a, ',' order by a), list(b), median(b), quantile_cont(b, 0.5) from input",
        "select distinct on (a) a, b from input order by a, b",
        "select * from (values (1, 'a')) as v(n, x)",
        "select unnest(l) from input",
        "select x.a from (select a from input) as x cross join c",
    ],
)
def test_queries_of_many_forms_are_read(text: str) -> None:
    assert parse_query(text, ["input", "c"]).text == text.rstrip(";")
