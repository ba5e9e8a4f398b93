"""What statements read and write, and which columns go where."""

import pytest

from lineage.sql import analyze
from tests.lineage.sql.reading import columns, tables


def test_create_table_as():
    assert columns("create table x as select a, b + 1 as c from t") == ["x.a <- t.a", "x.c <- t.b"]


def test_a_view_with_a_column_list_is_filled_by_position():
    assert columns("create view v (x, y) as select a, b from t") == ["v.x <- t.a", "v.y <- t.b"]


def test_a_view_over_a_star_is_expanded():
    assert columns("create view v as select * from t", schemas={"t": ["a"]}) == ["v.a <- t.a"]


@pytest.mark.parametrize("sql", ["create table x like t", "create table x clone t"])
def test_a_copied_table_reads_its_model(sql: str):
    assert tables(sql, "snowflake") == (["t"], ["x"])


def test_insert_with_a_column_list():
    assert columns("insert into x (p, q) select a, b from t") == ["x.p <- t.a", "x.q <- t.b"]


def test_insert_by_position_onto_known_columns():
    sql = "insert into x select a, b from t"
    assert columns(sql, schemas={"x": ["p", "q"]}) == ["x.p <- t.a", "x.q <- t.b"]


def test_insert_into_an_unknown_table_keeps_the_querys_names():
    assert columns("insert into x select a, b as c from t") == ["x.a <- t.a", "x.c <- t.b"]


def test_insert_with_a_cte_on_either_side():
    before = "with q as (select a from t) insert into x select a from q"
    within = "insert into x with q as (select a from t) select a from q"
    assert columns(before) == columns(within) == ["x.a <- t.a"]


def test_insert_overwrite_and_partition():
    sql = "insert overwrite table x partition (day) select a, day from t"
    assert columns(sql, "hive") == ["x.a <- t.a", "x.day <- t.day"]


def test_one_source_may_fill_several_tables():
    sql = "from t insert overwrite table x select a insert into table y select b"
    assert columns(sql, "hive") == ["x.a <- t.a", "y.b <- t.b"]


def test_update_from():
    sql = "update x set p = s.a + x.q from s where s.id = x.id"
    assert columns(sql) == ["x.p <- s.a x.q"]
    assert tables(sql) == (["s"], ["x"])


def test_update_through_an_alias():
    sql = "update d set d.p = s.a from target d join source s on s.id = d.id"
    assert columns(sql, "tsql") == ["target.p <- source.a"]


def test_update_of_a_join():
    sql = "update x join s on s.id = x.id set x.p = s.a"
    assert columns(sql, "mysql") == ["x.p <- s.a"]
    assert tables(sql, "mysql") == (["s"], ["x"])


def test_compound_assignment():
    assert columns("update x set p += a", "tsql") == ["x.p <- x.a"]


def test_merge_updates_by_name_and_inserts_by_its_list():
    sql = """
        merge into x using (select id, a from s) as n on x.id = n.id
        when matched then update set p = n.a
        when not matched then insert (id, p) values (n.id, n.a)
    """
    assert columns(sql) == ["x.p <- s.a", "x.id <- s.id", "x.p <- s.a"]
    assert tables(sql) == (["s"], ["x"])


def test_merge_inserts_a_whole_row_by_name():
    sql = "merge into x using s on x.id = s.id when not matched then insert row"
    assert columns(sql, "bigquery", {"s": ["id", "a"], "x": ["id", "a"]}) == ["x.id <- s.id", "x.a <- s.a"]


def test_delete_writes_its_table_and_reads_the_others():
    sql = "delete from x using s where x.id = s.id"
    assert tables(sql, "postgres") == (["s"], ["x"])


def test_a_changing_common_table_expression_does_its_work():
    sql = "with gone as (delete from x where a > 1 returning id) insert into log (id) select id from gone"
    assert tables(sql, "postgres") == (["x"], ["x", "log"])
    assert "log.id <- x.id" in columns(sql, "postgres")


def test_replace_into_is_an_insert():
    assert columns("replace into x (p) select a from t", "mysql") == ["x.p <- t.a"]


def test_explain_reads_and_does_not_write():
    assert tables("explain insert into x select a from t", "postgres") == (["t"], [])


@pytest.mark.parametrize(
    ("sql", "dialect", "reads", "writes"),
    [
        ("copy into x from 's3://bucket/path'", "snowflake", ["s3://bucket/path"], ["x"]),
        ("unload ('select a from t') to 's3://bucket/out'", "redshift", ["t"], ["s3://bucket/out"]),
        ("insert overwrite directory '/tmp/out' select a from t", "hive", ["t"], ["/tmp/out"]),
        ("alter table x append from y", "redshift", ["y"], ["x"]),
        ("alter table x swap with y", "snowflake", ["y"], ["x"]),
        ("drop table x", None, [], ["x"]),
        ("truncate table x", None, [], []),
        ("alter table x rename to y", None, [], []),
    ],
)
def test_whole_tables_move(sql: str, dialect: str | None, reads: list[str], writes: list[str]):
    assert tables(sql, dialect) == (reads, writes)


@pytest.mark.parametrize("make", ["create temp table s as select a from t", "select a into temp s from t"])
def test_a_temporary_table_is_gone_through(make: str):
    sql = f"{make}; insert into x select a from s"
    assert columns(sql, "postgres") == ["x.a <- t.a"]
    assert tables(sql, "postgres") == (["t"], ["x"])


def test_a_temporary_table_gathers_what_is_written_to_it():
    sql = """
        create temp table s (p int, q int);
        insert into s select a, b from t;
        insert into s (q) select c from u;
        insert into x select q from s
    """
    assert columns(sql, "postgres") == ["x.q <- t.b u.c"]


def test_a_session_table_of_tsql_needs_no_create():
    sql = "insert into #s select a from t; insert into x select a from #s"
    assert columns(sql, "tsql") == ["x.a <- t.a"]
    assert tables(sql, "tsql") == (["t"], ["x"])


def test_a_temporary_table_that_is_dropped_gives_its_name_back():
    sql = "create temp table s as select a from t; drop table s; insert into x select a from s"
    assert columns(sql, "postgres") == ["x.a <- s.a"]


def test_a_table_built_aside_and_renamed_is_the_renamed_one():
    sql = "create table x_new as select a from t; drop table x; alter table x_new rename to x"
    assert columns(sql) == ["x.a <- t.a"]


def test_a_table_made_in_the_text_lends_its_columns_to_later_stars():
    sql = "create table s as select a, b from t; create table x as select * from s"
    assert columns(sql)[2:] == ["x.a <- s.a", "x.b <- s.b"]


def test_columns_of_a_definition_place_a_later_insert():
    sql = "create table x (p int, q int); insert into x select a, b from t"
    assert columns(sql) == ["x.p <- t.a", "x.q <- t.b"]


def test_statements_of_a_procedure_count():
    sql = """
        create procedure p() begin
            insert into x (a) select a from t;
            insert into y (b) select b from u;
        end
    """
    reads, writes = tables(sql, "bigquery")
    assert (reads, writes) == (["t", "u"], ["x", "y"])


@pytest.mark.parametrize(
    "sql", ["commit", "set x = 1", "show tables", "grant select on t to u", "use warehouse w"]
)
def test_statements_without_lineage_are_no_errors(sql: str):
    found = analyze(sql, "snowflake").to_dict()
    assert (found["in_tables"], found["out_tables"], found["errors"]) == ([], [], [])


def test_tsql_needs_no_semicolons():
    sql = """
        begin transaction
        insert into x (a) select a from t
        update x set b = 1
        commit
    """
    assert tables(sql, "tsql") == (["t"], ["x"])
    assert "x.a <- t.a" in columns(sql, "tsql")


def test_each_target_of_a_conditional_insert_takes_its_own_values():
    sql = """
        insert all when a > 1 then into x (p) values (a) else into y (q) values (b)
        select a, b from t
    """
    assert columns(sql, "snowflake") == ["x.p <- t.a", "y.q <- t.b"]


def test_a_row_of_columns_is_assigned_by_position():
    sql = "update x set (p, q) = (select s.a, s.b from s where s.k = x.k)"
    assert columns(sql, "postgres") == ["x.p <- s.a", "x.q <- s.b"]


def test_an_altered_view_is_a_view_made_anew():
    assert columns("alter view v as select a from t", "tsql") == ["v.a <- t.a"]


def test_each_statement_tells_its_own_tables():
    found = analyze("insert into x select a from t; delete from y").to_dict()
    assert [(s["kind"], s["in_tables"], s["out_tables"]) for s in found["statements"]] == [
        ("insert", ["t"], ["x"]),
        ("delete", [], ["y"]),
    ]
