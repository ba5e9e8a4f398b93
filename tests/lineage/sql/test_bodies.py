"""Statements that stand in quotes, in procedural code, or are run by another statement."""

import pytest

from lineage.sql import analyze
from lineage.sql.compile import compile_sql
from lineage.sql.program import ALL_LITERALS
from tests.lineage.sql.reading import columns, indirect, tables

MOVE = "insert into m select a from t"


def reasons(sql: str, dialect: str | None) -> list[str]:
    return [error.reason for error in analyze(sql, dialect).errors]


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        (f"execute immediate '{MOVE}'", "snowflake"),
        (f"execute immediate $$ begin {MOVE}; end $$", "snowflake"),
        (f"execute immediate '{MOVE}' using 1", "bigquery"),
        ("execute immediate 'insert into m ' || 'select a from t'", "oracle"),
        (f"begin execute immediate '{MOVE}'; end;", "oracle"),
        (f"exec('{MOVE}')", "tsql"),
        ("exec ('insert into m ' + 'select a from t')", "tsql"),
        (f"exec sp_executesql N'{MOVE}'", "tsql"),
        (f"exec sys.sp_executesql @stmt = N'{MOVE}', @params = N'@x int', @x = 1", "tsql"),
        (f"declare @s nvarchar(max) = N'{MOVE}'; exec sp_executesql @s", "tsql"),
        (f"declare @s nvarchar(max) set @s = N'{MOVE}' exec (@s)", "tsql"),
        (f"declare s string default '{MOVE}'; execute immediate s", "bigquery"),
        (f"begin let s := '{MOVE}'; execute immediate :s; end", "snowflake"),
        (f"set s = '{MOVE}'; execute immediate $s", "snowflake"),
        (f"prepare q from '{MOVE}'; execute q; deallocate prepare q", "mysql"),
        (f"set @s = '{MOVE}'; prepare q from @s; execute q", "mysql"),
        (f"do $$ begin {MOVE}; end $$", "postgres"),
        (f"do $$ begin execute '{MOVE}'; end $$", "postgres"),
        (f"create function f() returns int language sql as $$ {MOVE}; select 1 $$", "postgres"),
        (f"create function f() returns int as 'begin {MOVE}; end' language plpgsql", "postgres"),
        (f"create procedure p() returns string language sql as $$ begin {MOVE}; end $$", "snowflake"),
        (f"create procedure p() returns string as $$ begin {MOVE}; end $$", "snowflake"),
        (f"create procedure p() language sql begin atomic {MOVE}; end", "postgres"),
        (f"create trigger tr after insert on u for each row {MOVE}", "mysql"),
        (f"create trigger tr after insert on u for each row begin {MOVE}; end", "mysql"),
        (f"create task tk warehouse = w as {MOVE}", "snowflake"),
        (f"begin forall i in 1..3 {MOVE}; end;", "oracle"),
        (
            f"create or alter procedure p as begin begin try {MOVE}; end try begin catch throw; end catch end",
            "tsql",
        ),
        (f"create trigger tr on u after insert as begin set nocount on {MOVE} end", "tsql"),
        (f"create procedure p as set nocount on {MOVE}", "tsql"),
        (f"create procedure p as set nocount on {MOVE}; commit", "tsql"),
        (f"create procedure p as exec q {MOVE} exec r", "tsql"),
    ],
)
def test_a_constants_statements_are_statements_of_the_text(sql: str, dialect: str):
    assert "m.a <- t.a" in columns(sql, dialect)
    assert tables(sql, dialect) == (["t"], ["m"])


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("execute immediate 'select a from ' || t", "snowflake"),
        ("execute immediate s", "bigquery"),
        ("exec(@s)", "tsql"),
        ("exec('select 1 from ' + @t)", "tsql"),
        ("exec('select a from t') at other_server", "tsql"),
        ("exec sp_executesql @s", "tsql"),
        ("prepare q from @s", "mysql"),
        ("do $$ begin execute format('select 1 from %I', x); end $$", "postgres"),
        ("begin let s := 'a'; s := s || 'b'; execute immediate s; end", "snowflake"),
    ],
)
def test_a_statement_made_at_run_time_is_unsupported_never_silent(sql: str, dialect: str):
    assert reasons(sql, dialect) == ["sql_unsupported"]


@pytest.mark.parametrize(
    ("sql", "dialect", "kind"),
    [
        ("call p(1)", "snowflake", "call"),
        ("exec dbo.p @a = 1", "tsql", "execute"),
        ("execute q(1)", "postgres", "execute"),
    ],
)
def test_a_call_is_silent(sql: str, dialect: str, kind: str):
    found = analyze(sql, dialect).to_dict()
    assert [s["kind"] for s in found["statements"]] == [kind]
    assert (found["in_tables"], found["errors"]) == ([], [])


@pytest.mark.parametrize("language", ["python", "javascript", "java", "scala"])
def test_code_in_another_language_holds_no_sql(language: str):
    sql = f"create procedure p() returns string language {language} as $$ select a from t $$"
    assert tables(sql, "snowflake") == ([], [])


def test_every_statement_of_a_plpgsql_body_counts():
    sql = """
        create function f() returns setof int as $$
        declare
          x int := (select max(a) from t1);
        begin
          <<outer>>
          if exists (select 1 from t2) then
            insert into m1 select a from t3;
          elsif x = 1 then
            update m2 set a = 1;
          else
            perform a from t4;
          end if;
          for r in select a from t5 loop
            delete from m3 where id = r.a;
          end loop;
          select a, b into strict x, y from t6;
          return query select a from t7;
          exception when others then raise notice 'insert';
        end
        $$ language plpgsql
    """
    assert tables(sql, "postgres") == (["t1", "t2", "t3", "t4", "t5", "t6", "t7"], ["m1", "m2", "m3"])


def test_what_cannot_be_read_of_a_body_is_told_where_it_stands():
    sql = f"create function f() returns int as $$\nbegin\n  {MOVE};\n  insert into;\nend $$ language plpgsql"
    found = analyze(sql, "postgres").to_dict()
    assert found["out_tables"] == ["m"]
    assert [(e["reason"], e["line"]) for e in found["errors"]] == [("sql_parse_error", 4)]


def test_a_place_in_a_text_with_doubled_quotes_is_the_outer_ones():
    sql = "create function f() returns int language sql as 'select ''x'',\n b from t where ('"
    assert [(e.line, e.column) for e in analyze(sql, "postgres").errors] == [(2, 17)]


def test_an_expression_in_a_body_is_shown_as_it_is_written():
    sql = "do $$ begin insert into m (a) select b + 1 from t; end $$"
    (entry,) = analyze(sql, "postgres").to_dict()["column_lineage"]
    assert entry["expression"] == "b + 1"


def test_texts_in_quotes_lie_in_each_other():
    sql = "do $a$ begin execute 'do $b$ begin insert into m select a from t; end $b$'; end $a$"
    assert tables(sql, "postgres") == (["t"], ["m"])


def test_a_body_uses_the_texts_temporary_tables_and_defaults():
    sql = f"set search_path to s; create temp table t as select a from u; do $$ begin {MOVE}; end $$"
    assert tables(sql, "postgres") == (["s.u"], ["s.m"])


def test_a_body_in_quotes_does_not_swallow_the_statements_around_it():
    sql = f"{MOVE}; do $$ begin update q set a = 1; end $$; begin insert into n select a from u; end;"
    assert tables(sql, "postgres") == (["t", "u"], ["m", "q", "n"])


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("declare x int64 default (select max(a) from t)", "bigquery"),
        ("declare @x int = (select max(a) from t)", "tsql"),
        ("set @x = (select max(a) from t)", "tsql"),
        ("set x = (select max(a) from t)", "bigquery"),
        ("select @x = a from t", "tsql"),
        ("declare c cursor for select a from t", "postgres"),
        (
            "declare c cursor for select a from t open c fetch next from c into @x close c deallocate c",
            "tsql",
        ),
        ("prepare q as select a from t where b = $1", "postgres"),
        ("prepare q from select a from t", "trino"),
        ("begin for r in (select a from t) loop null; end loop; end;", "oracle"),
        ("for r in (select a from t) do select 1; end for", "bigquery"),
        ("declare c1 cursor for select a from t; begin open c1; end", "snowflake"),
        ("begin let res resultset := (select a from t); return table(res); end", "snowflake"),
        ("create function f() returns int return (select max(a) from t)", "databricks"),
        ("create function f() returns int language sql return (select max(a) from t)", "postgres"),
        ("select a into @x from t", "mysql"),
        ("select a from t into @x", "mysql"),
        ("begin select a into v from t; end;", "oracle"),
        ("do $$ begin select a into v from t; end $$", "postgres"),
    ],
)
def test_queries_for_variables_and_cursors_are_read_and_write_nothing(sql: str, dialect: str):
    assert tables(sql, dialect) == (["t"], [])


def test_short_tsql_statements_do_not_swallow_those_that_follow():
    sql = f"""
        set nocount on
        declare @x int
        {MOVE}
        print 'x'
        if @x = 1 exec('insert into n select b from u') else delete from q
    """
    assert tables(sql, "tsql") == (["t", "u"], ["m", "n", "q"])


def test_a_function_returns_what_it_filled_its_table_with():
    sql = """create function dbo.f(@i int) returns @r table (id int, n int) as begin
        insert into @r select k, count(*) from dbo.src where i = @i group by k
        if @i > 1 return
        insert @r (n) select m from dbo.other
        return end"""
    assert tables(sql, "tsql") == (["dbo.src", "dbo.other"], [])
    assert columns(sql, "tsql")[-2:] == ["id <- dbo.src.k", "n <- dbo.other.m"]


@pytest.mark.parametrize("word", ["return", "alter", "begin", "end"])
def test_a_keyword_in_quotes_is_none(word: str):
    sql = f"""create function f() returns @r table (x varchar(9) default '{word}') as begin
        insert into @r select [{word}] from s where k = '{word}'
        return end"""
    assert columns(sql, "tsql") == [f"x <- s.{word}"]


def test_a_return_behind_the_function_returns_nothing():
    sql = """create function f() returns @r table (x int) as begin
        insert @r select case when a = 1 then b end from s; return; end
        go
        if 1 = 1 return
        select q from z"""
    assert columns(sql, "tsql") == ["x <- s.a s.b", "q <- z.q"]


def test_a_table_variable_has_the_columns_it_is_declared_with():
    sql = "declare @r table (id int, n int) insert into @r select k, m from t insert into u select n from @r"
    assert columns(sql, "tsql") == ["u.n <- t.m"]


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("create macro f(p) as (select max(a) from t where b = p)", "duckdb"),
        ("create macro f(p) as table select max(a) from t where b = p", "duckdb"),
        ("create macro f(p) as p + (select max(a) from t where b = p)", "duckdb"),
        ("create function d.f(p int64) returns int64 as ((select max(a) from t where b = p))", "bigquery"),
        ("create or replace table function d.f(p int64) as select max(a) from t where b = p", "bigquery"),
        ("create function f(p int) returns int return (select max(a) from t where b = p)", "postgres"),
    ],
)
def test_a_functions_query_is_read_and_its_parameters_are_no_columns(sql: str, dialect: str):
    assert tables(sql, dialect) == (["t"], [])
    assert [line.partition(" ")[2] for line in columns(sql, dialect)] == ["<- t.a"]
    assert indirect(sql, dialect) == ["where: t.b"]


def test_a_copy_of_a_whole_database_is_unsupported():
    assert reasons("copy from database a to b", "duckdb") == ["sql_unsupported"]


def test_inserted_and_deleted_are_the_triggers_table():
    sql = "create trigger tr on dbo.t after insert as insert into log select i.id from inserted i"
    assert columns(sql, "tsql") == ["log.id <- dbo.t.id"]


@pytest.mark.parametrize(
    ("sql", "lines"),
    [
        (
            "insert into m (a) output inserted.a into dbo.log (x) select a from t",
            ["m.a <- t.a", "dbo.log.x <- m.a"],
        ),
        (
            "update m set a = s.b output inserted.a, deleted.b into log (x, y) from m join s on s.i = m.i",
            ["m.a <- s.b", "log.x <- m.a", "log.y <- m.b"],
        ),
        ("delete from t output deleted.a into log (x) where b = 1", ["log.x <- t.a"]),
        ("delete t output deleted.a into @l from t; insert into z select a from @l", ["z.a <- t.a"]),
        (
            "merge into m using s on m.i = s.i when matched then update set a = s.a"
            " output $action, inserted.a into log (act, x);",
            ["m.a <- s.a", "log.act <-", "log.x <- m.a"],
        ),
    ],
)
def test_output_into_fills_a_second_table(sql: str, lines: list[str]):
    assert columns(sql, "tsql") == lines


def test_output_to_the_client_writes_nothing_more():
    assert tables("delete from t output deleted.a where b = 1", "tsql") == ([], ["t"])


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("insert into identifier('s.m') select a from identifier('s.t')", "snowflake"),
        ("insert into identifier('s.m') select a from identifier('s.t')", "databricks"),
        ("set m = 's.m'; insert into identifier($m) select a from table('s.t')", "snowflake"),
        ("insert into s.m select a from identifier('s.' || 't')", "databricks"),
        ("insert into s.m select a from stream(s.t)", "databricks"),
        ("insert into s.m select a from stream s.t", "databricks"),
    ],
)
def test_a_string_may_name_a_table(sql: str, dialect: str):
    assert columns(sql, dialect) == ["s.m.a <- s.t.a"]


@pytest.mark.parametrize("dialect", ["snowflake", "databricks"])
def test_a_name_that_is_not_known_is_no_table(dialect: str):
    assert tables("insert into identifier(:x) select a from t", dialect) == (["t"], [])


@pytest.mark.parametrize(
    ("sql", "dialect"), [("select a from identifier('t')", "snowflake"), ("exec('select 1')", "tsql")]
)
def test_a_text_whose_literals_hold_names_is_its_own_program(sql: str, dialect: str):
    assert compile_sql(sql, dialect).literals_matter == ALL_LITERALS


@pytest.mark.parametrize(
    ("sql", "dialect", "reads", "writes"),
    [
        ("select a from read_parquet('s3://b/*.parquet')", "duckdb", ["s3://b/*.parquet"], []),
        ("select * from read_csv(['x.csv', '/y.csv'])", "duckdb", ["x.csv", "/y.csv"], []),
        ("copy (select a from t) to 'x.parquet'", "duckdb", ["t"], ["x.parquet"]),
        ("copy t from 'x.csv'", "duckdb", ["x.csv"], ["t"]),
        ("select a from parquet.`/a/b`", "spark", ["/a/b"], []),
        (
            "load data into d.t from files(format = 'CSV', uris = ['gs://b/x'])",
            "bigquery",
            ["gs://b/x"],
            ["d.t"],
        ),
        ("export data options(uri = 'gs://b/*') as select a from d.t", "bigquery", ["d.t"], ["gs://b/*"]),
    ],
)
def test_files_are_tables(sql: str, dialect: str, reads: list[str], writes: list[str]):
    assert tables(sql, dialect) == (reads, writes)


def test_a_volatile_table_is_the_sessions():
    sql = "create volatile table v as (select a from t) with data; insert into m select a from v"
    assert columns(sql, "teradata") == ["m.a <- t.a"]


def test_a_materialized_view_may_fill_a_table():
    sql = "create materialized view mv to dst as select a from t"
    assert columns(sql, "clickhouse") == ["mv.a <- t.a", "dst.a <- t.a"]
    assert tables(sql, "clickhouse") == (["t"], ["mv", "dst"])


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("select a from t", {"name": "generic", "detected": False}),
        (f"do $$ begin {MOVE}; end $$", {"name": "postgres", "detected": True}),
        ("select (", {"name": "generic", "detected": False}),
    ],
)
def test_a_dialect_that_is_not_named_is_found(sql: str, dialect: dict[str, object]):
    assert analyze(sql).to_dict()["dialect"] == dialect


def test_a_dialect_that_is_named_is_never_another():
    found = analyze("do $$ select 1 $$", "mysql").to_dict()
    assert found["dialect"] == {"name": "mysql", "detected": False}
