"""What a transform must not do: each is refused before it runs, or stopped by a limit while it does."""

from __future__ import annotations

import time

import duckdb
import pyarrow as pa
import pytest

from connectors.datasets.engine import limited, open_engine
from connectors.datasets.expression import parse_expression, parse_query
from connectors.datasets.transform import Transform
from connectors.errors import DatasetError

MB = 1024**2

# The SQL, and what the message says of it.
EXPRESSIONS = [
    ("read_text('/etc/passwd')", "read_text may not"),
    ("read_blob('/etc/passwd')", "read_blob may not"),
    ("getenv('HOME')", "getenv may not"),
    ("current_setting('memory_limit')", "current_setting may not"),
    ("getvariable('x')", "getvariable may not"),
    ("nextval('s')", "nextval may not"),
    ("random()", "random may not"),
    ("uuid()", "uuid may not"),
    ("gen_random_uuid()", "gen_random_uuid may not"),
    ("now()", "now may not"),
    ("today()", "today may not"),
    ("get_current_timestamp()", "get_current_timestamp may not"),
    ("current_date", "current_date may not"),
    ("CURRENT_TIMESTAMP", "current_timestamp may not"),
    ("localtime", "localtime may not"),
    ("current_user", "current_user may not"),
    ("age(t)", "age needs two"),
    ("repeat('x', 3000000000)", "repeat may not"),
    ("range(1000000000)", "range may not"),
    ("generate_series(1, 1000000000)", "generate_series may not"),
    ("lpad('x', 2000000000, 'y')", "width of more than"),
    ("rpad('x', n, 'y')", "has to be a constant"),
    ("printf('%1000000000d', 1)", "printf may not"),
    ("format('{:1000000000}', 'x')", "format may not"),
    ("bar(1, 0, 1, 1000000000)", "bar may not"),
    ("list_resize([1], 1000000000)", "list_resize may not"),
    ("replace(x, '', y)", "has to be a constant"),
    ("regexp_replace(x, '', y, 'g')", "has to be a constant"),
    ("x -> '$..*'", "holds \\*"),
    ("x -> y", "a lambda"),
    ("x -> '$.a' = 'b'", "put it in brackets"),
    ("json_extract(x, '$..*')", "holds \\*"),
    ("list_transform(l, lambda e: e + 1)", "list_transform may not"),
    ("[e + 1 for e in l]", "list_apply may not"),
    ("list_reduce(l, lambda a, b: a || b)", "list_reduce may not"),
    ("list_aggregate(l, 'string_agg')", "list_aggregate may not"),
    ("(select 1)", "a query inside"),
    ("exists (select 1 from duckdb_settings())", "a query inside"),
    ("n in (select 1)", "a query inside"),
    ("n = any(l)", "a query inside"),
    ("sum(n)", "sum may not be used in an expression"),
    ("row_number() over ()", "a window function"),
    ("*", "a star"),
    ("columns('x')", "a star"),
    ("$1", "parameters"),
    ("?", "parameters"),
    ("#1", "a column by its number"),
    ("x collate nocase", "a collation"),
    ("x::regclass", "a cast to"),
    ("system.main.lower(x)", "with a name before it"),
    ("lowr(x)", "lower"),
    ("levenshtein(x, y)", "levenshtein may not"),
    ("query('select 1')", "query may not"),
    ("n, m", "not one expression"),
    ("1) as a, (2", "cannot be read"),
    ("1] as a, [2", "not one expression"),
    ("1] from duckdb_settings() --", "cannot be read|not one expression"),
    ("1; select 2", "cannot be read"),
    ("", "not one expression"),
    ("(" * 5000 + "1" + ")" * 5000, "brackets"),
    ("not " * 20_000 + "b", "too deeply"),
    ("||".join(["x"] * 20_000), "too deeply"),
    ("x || '" + "y" * 100_000 + "'", "longer than"),
    ("concat(" + ", ".join(["x"] * 1100) + ")", "1000 times"),
    ("replace(x, 'a', '" + "b" * 2000 + "')", "1000 times"),
    ("to_json(to_json(to_json(to_json(x))))", "1000 times"),
    ("array_to_string(string_split(x, ''), '" + "b" * 2000 + "')", "1000 times"),
]

QUERIES = [
    ("select * from 'x.csv'", "no table x.csv"),
    ('select * from "/etc/passwd"', "no table /etc/passwd"),
    ("select * from read_csv('/etc/passwd')", "a function as a table"),
    ("select * from read_parquet('s3://bucket/x')", "a function as a table"),
    ("select * from glob('/*')", "a function as a table"),
    ("select * from duckdb_settings()", "a function as a table"),
    ("select * from duckdb_secrets()", "a function as a table"),
    ("select * from pragma_version()", "a function as a table"),
    ("select * from query('select 1')", "a function as a table"),
    ("select * from query_table('input')", "a function as a table"),
    ("select * from range(1000000000)", "a function as a table"),
    ("select * from input, unnest(input.l)", "a function as a table"),
    ("select * from duckdb_tables", "no table duckdb_tables"),
    ("select * from sqlite_master", "no table sqlite_master"),
    ("select * from information_schema.tables", "information_schema.tables may not"),
    ("select * from memory.main.input", "memory.main.input may not"),
    ("select * from other", "no table other"),
    ("with input as (select 1) select * from input", "is the name of a table already"),
    ("with C as (select 1) select * from c", "is the name of a table already"),
    ("with recursive r as (select 1 union all select * from r) select * from r", "a recursive WITH"),
    ("select * from (with duckdb_tables as (select 1) select 1), duckdb_tables", "no table duckdb_tables"),
    ("with x as (select * from x) select * from x", "no table x"),
    ("attach 'x.db'", "not a plain SELECT"),
    ("copy input to 'x.csv'", "not a plain SELECT"),
    ("copy (select 1) to 'x.csv'", "not a plain SELECT"),
    ("install httpfs", "not a plain SELECT"),
    ("load httpfs", "not a plain SELECT"),
    ("pragma version", "not a plain SELECT|may not be used"),
    ("set memory_limit = '100GB'", "not a plain SELECT"),
    ("reset memory_limit", "not a plain SELECT"),
    ("call pragma_version()", "not a plain SELECT"),
    ("export database 'x'", "not a plain SELECT"),
    ("insert into input values (1)", "not a plain SELECT"),
    ("update input set a = 1", "not a plain SELECT"),
    ("delete from input", "not a plain SELECT"),
    ("create table x as select 1", "not a plain SELECT"),
    ("drop table input", "not a plain SELECT"),
    ("checkpoint", "not a plain SELECT"),
    ("explain analyze select 1", "not a plain SELECT"),
    ("pivot input on a using sum(b)", "not a plain SELECT"),
    ("describe input", "DESCRIBE"),
    ("show tables", "DESCRIBE"),
    ("summarize input", "DESCRIBE"),
    ("select 1; drop table input", "not a plain SELECT|2 statements"),
    ("select 1; select 2", "2 statements"),
    ("", "is empty"),
    ("select * from input tablesample 10%", "a sample"),
    ("select * from input using sample 3", "a sample"),
    ("select * from input at (version => 1)", "AT may not"),
    ("select * from input limit 3", "LIMIT without ORDER BY"),
    ("select columns('a.*') from input", "COLUMNS"),
    ("select columns(lambda c: c like 'a%') from input", "COLUMNS"),
    ("select user from input", "user alone"),
    ("select rowid from input", "rowid alone"),
    ("select a from input where random() < 0.5", "random may not"),
    ("select a from input order by random()", "random may not"),
    ("select first(a) from input", "first may not"),
    ("select getenv('HOME') from input", "getenv may not"),
    ("select repeat(a, 1000000000) from input", "repeat may not"),
    ("select * from input join c on lower(repeat(input.a, 99)) = c.a", "repeat may not"),
    ("select list(a order by uuid()) from input", "uuid may not"),
    ("select sum(a) over (order by now()) from input", "now may not"),
    ("select sum(a) filter (where now() > t) from input", "now may not"),
    ("values (now())", "now may not"),
    (
        "with "
        + ", ".join(
            f"t{n} as (select x || x as x from {'input' if n == 0 else f't{n - 1}'})" for n in range(12)
        )
        + " select x from t11",
        "1000 times",
    ),
    (
        "select "
        + ", ".join(
            f"{'x' if n == 0 else f'c{n - 1}'} || 'a' || {'x' if n == 0 else f'c{n - 1}'} as c{n}"
            for n in range(12)
        )
        + " from input",
        "1000 times",
    ),
    (
        "with "
        + ", ".join(
            f"t{n} as (from {'input' if n == 0 else f't{n - 1}'} u, {'input' if n == 0 else f't{n - 1}'} v)"
            for n in range(30)
        )
        + " select 1 from t29",
        "more than 300 tables",
    ),
    ("select x || x || x || x || x from (select string_agg(x, ',') as x from input)", "1000 times"),
]


@pytest.mark.parametrize(("text", "said"), EXPRESSIONS, ids=[text[:40] for text, _ in EXPRESSIONS])
def test_an_expression_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said) as caught:
        parse_expression(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "said"), QUERIES, ids=[text[:40] for text, _ in QUERIES])
def test_a_query_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said) as caught:
        parse_query(text, ["input", "c"])
    assert "\n" not in str(caught.value)


def test_texts_that_double_in_each_operation_are_refused() -> None:
    twice = {"compute": {"expression": "x || x", "as": "x"}}
    schema = pa.schema([("x", pa.string())])
    assert Transform.parse({"operations": [twice] * 9}).plan(schema).schema == schema
    with pytest.raises(DatasetError, match="1000 times") as caught:
        Transform.parse({"operations": [twice] * 10}).plan(schema)
    assert caught.value.context["path"] == ("operations", "9", "compute", "expression")


def test_numbers_that_are_added_often_are_not_taken_for_texts() -> None:
    twice = {"compute": {"expression": "n + n", "as": "n"}}
    numbers = pa.schema([("n", pa.int64())])
    assert Transform.parse({"operations": [twice] * 30}).plan(numbers).schema == numbers
    sums = ", ".join(f"{'n' if n == 0 else f'c{n - 1}'} * 2 + n + n as c{n}" for n in range(30))
    planned = Transform.parse({"sql": f"select {sums} from input"}).plan(numbers)
    assert planned.schema.names == [f"c{n}" for n in range(30)]


def test_lists_that_double_are_refused_even_with_a_plus() -> None:
    twice = {"compute": {"expression": "l + l", "as": "l"}}
    schema = pa.schema([("l", pa.list_(pa.int64()))])
    with pytest.raises(DatasetError, match="1000 times"):
        Transform.parse({"operations": [twice] * 10}).plan(schema)
    doubled = ", ".join(
        f"{'l' if n == 0 else f'c{n - 1}'} + {'l' if n == 0 else f'c{n - 1}'} as c{n}" for n in range(10)
    )
    with pytest.raises(DatasetError, match="1000 times"):
        Transform.parse({"sql": f"select {doubled} from input"}).plan(schema)


def test_many_copies_of_one_text_count_together() -> None:
    copies = [
        {"compute": {"expression": "concat(" + ", ".join(["x"] * 90) + ")", "as": f"c{n}"}} for n in range(12)
    ]
    with pytest.raises(DatasetError, match="1000 times"):
        Transform.parse({"operations": copies}).plan(pa.schema([("x", pa.string())]))


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_text('/etc/hostname')",
        "select * from '/etc/hostname'",
        "attach '/tmp/x.db'",
        "copy (select 1) to '/tmp/headwater-hostile.csv'",
        "install httpfs",
        "load httpfs",
        "set memory_limit = '100GB'",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "reset lock_configuration",
        "create persistent secret s (type s3)",
    ],
)
def test_the_engine_itself_refuses_what_reads_or_sets(statement: str) -> None:
    with pytest.raises(duckdb.Error):
        open_engine(threads=1).execute(statement).fetchall()


def test_a_python_variable_is_no_table() -> None:
    somewhere = pa.table({"a": [1]})
    with pytest.raises(duckdb.CatalogException):
        open_engine(threads=1).execute("select * from somewhere").fetchall()
    assert somewhere.num_rows == 1


def test_the_engine_keeps_utc() -> None:
    assert open_engine(threads=1).execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]


def test_a_cross_join_of_millions_is_stopped_in_time() -> None:
    engine = open_engine(threads=1)
    engine.register("input", pa.table({"a": range(1_000_000)}))
    plan = Transform.parse({"sql": "select count(*) as n from input x, input y where x.a + y.a = -1"}).plan(
        pa.schema([("a", pa.int64())])
    )
    began = time.monotonic()
    with pytest.raises(DatasetError, match=r"stopped after 0\.5 seconds"), limited(engine, 0.5):
        engine.execute(plan.sql).fetchall()
    assert time.monotonic() - began < 20
    assert engine.execute("select 1").fetchall() == [(1,)]


def test_a_cross_join_read_through_arrow_is_stopped_in_time() -> None:
    engine = open_engine(threads=1)
    engine.register("input", pa.table({"a": range(1_000_000)}))
    with pytest.raises(DatasetError, match="stopped after"), limited(engine, 0.5):
        for _ in engine.sql("select x.a from input x, input y where x.a + y.a = -1").to_arrow_reader(1000):
            pass


def test_a_text_of_all_records_is_held_to_the_memory_limit() -> None:
    engine = open_engine(memory_bytes=100 * MB, threads=1)
    engine.register("input", pa.table({"x": ["y" * 1000] * 400_000}))
    plan = Transform.parse({"sql": "select string_agg(x, ',') as x from input"}).plan(
        pa.schema([("x", pa.string())])
    )
    with pytest.raises(DatasetError, match="more memory"), limited(engine, 60):
        engine.execute(plan.sql).fetchall()


def test_what_ends_in_time_is_not_touched_and_other_errors_pass() -> None:
    engine = open_engine(threads=1)
    with limited(engine, 60):
        assert engine.execute("select 1").fetchall() == [(1,)]
    with pytest.raises(duckdb.ConversionException), limited(engine, 60):
        engine.execute("select cast('a' as integer)").fetchall()
