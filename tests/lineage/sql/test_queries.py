"""Columns through query blocks: joins, subqueries, common table expressions, set operations, stars."""

import pytest

from tests.lineage.sql.reading import columns, tables

SHOP = {
    "orders": ["id", "customer_id", "amount", "placed_at"],
    "customers": ["id", "name", "city"],
    "items": ["order_id", "sku", "quantity"],
}


def test_an_expression_depends_on_all_columns_inside_it():
    assert columns("select a + b * 2 as c, upper(d) from t") == ["c <- t.a t.b", "_col_1 <- t.d"]


def test_a_literal_is_an_output_without_upstreams():
    assert columns("select 1 as one, a from t") == ["one <-", "a <- t.a"]


def test_schemas_place_unqualified_columns_of_a_join():
    sql = "select name, amount from orders o join customers c on o.customer_id = c.id"
    assert columns(sql, schemas=SHOP) == ["name <- customers.name", "amount <- orders.amount"]


def test_one_known_schema_decides_by_exclusion():
    sql = "select city, discount from customers, promotions"
    assert columns(sql, schemas=SHOP) == ["city <- customers.city", "discount <- promotions.discount"]


def test_a_column_of_a_using_join_comes_from_both_sides():
    assert columns("select k, a from t join u using (k)", schemas={"t": ["k", "a"], "u": ["k", "b"]}) == [
        "k <- t.k u.k",
        "a <- t.a",
    ]


def test_a_star_over_a_using_join_names_the_column_once():
    schemas = {"t": ["k", "a"], "u": ["k", "b"]}
    expected = ["k <- t.k u.k", "a <- t.a", "b <- u.b"]
    assert columns("select * from t join u using (k)", schemas=schemas) == expected
    assert columns("select * from t natural join u", schemas=schemas) == expected


def test_the_right_side_of_a_semi_join_gives_no_columns():
    schemas = {"t": ["a"], "u": ["a", "b"]}
    assert columns("select * from t left semi join u on t.a = u.b", "spark", schemas) == ["a <- t.a"]


def test_a_parenthesised_join_is_transparent():
    sql = "select t.a, u.b, v.c from ((t join u on t.k = u.k) join v on v.k = u.k)"
    assert columns(sql) == ["a <- t.a", "b <- u.b", "c <- v.c"]


def test_derived_tables_nest():
    sql = "select x + 1 as y from (select a as x from (select b + c as a from t) p) q"
    assert columns(sql) == ["y <- t.b t.c"]


def test_column_aliases_of_a_derived_table_rename_by_position():
    assert columns("select y from (select a, b from t) as d(x, y)") == ["y <- t.b"]


def test_a_scalar_subquery_gives_its_own_column():
    sql = "select (select max(u.v) from u where u.k = t.k) as m from t"
    assert columns(sql) == ["m <- u.v"]


def test_a_correlated_subquery_sees_the_outer_sources():
    sql = "select (select t.a + u.b from u) as s from t"
    assert columns(sql) == ["s <- t.a u.b"]


def test_an_inner_name_hides_an_outer_one():
    sql = "select (select x.v from u as x) as s from t as x"
    assert columns(sql) == ["s <- u.v"]


def test_a_common_table_expression_may_shadow_the_table_it_reads():
    sql = "with orders as (select id, amount from orders where amount > 0) select amount from orders"
    assert columns(sql) == ["amount <- orders.amount"]
    assert tables(sql) == (["orders"], [])


def test_a_qualified_name_is_never_a_common_table_expression():
    assert tables("with orders as (select 1 as a) select * from sales.orders") == (["sales.orders"], [])


def test_an_inner_with_shadows_an_outer_one():
    sql = "with q as (select a from t) select * from (with q as (select b from u) select * from q) d"
    assert columns(sql) == ["b <- u.b"]


def test_a_common_table_expression_names_its_columns():
    assert columns("with q(x, y) as (select a, b from t) select y, x from q") == ["y <- t.b", "x <- t.a"]


def test_recursion_carries_columns_that_change_places():
    sql = """
        with recursive walk(a, b) as (
            select x, y from t
            union all
            select b, a from walk where a < 10
        )
        select a, b from walk
    """
    assert columns(sql, "postgres") == ["a <- t.x t.y", "b <- t.x t.y"]


def test_the_anchor_of_a_recursion_reads_the_table_of_that_name():
    sql = "with t as (select a from t) select a from t"
    assert columns(sql, "snowflake") == ["a <- t.a"]


def test_recursion_without_the_word_where_the_dialect_has_none():
    sql = """
        with tree as (
            select id, boss from staff
            union all
            select s.id, tree.boss from staff s join tree on s.boss = tree.id
        )
        select boss from tree
    """
    assert columns(sql, "tsql") == ["boss <- staff.boss"]
    assert tables(sql, "tsql") == (["staff"], [])


@pytest.mark.parametrize("operation", ["union", "union all", "except", "intersect"])
def test_set_operations_join_columns_by_position(operation: str):
    sql = f"select a, b from t {operation} select d, c from u"
    assert columns(sql) == ["a <- t.a u.d", "b <- t.b u.c"]


def test_union_by_name_joins_columns_by_name():
    sql = "select a, b from t union all by name select b, a from u"
    assert columns(sql, "duckdb") == ["a <- t.a u.a", "b <- t.b u.b"]


def test_a_column_of_a_union_of_unknown_stars_comes_from_every_branch():
    sql = "with q as (select * from t union all select * from u) select a from q"
    assert columns(sql) == ["a <- t.a u.a"]


def test_a_star_passes_an_unknown_table_through():
    assert columns("select a from (select * from t) q") == ["a <- t.a"]


def test_a_star_of_one_source():
    sql = "select c.*, amount from orders o join customers c on true"
    assert columns(sql, schemas=SHOP) == [
        "id <- customers.id",
        "name <- customers.name",
        "city <- customers.city",
        "amount <- orders.amount",
    ]


def test_a_star_over_an_unknown_table_stays_a_star():
    assert columns("select * from t") == ["* <- t.*"]


def test_star_except_replace():
    sql = "select * except (city) replace (upper(name) as name) from customers"
    assert columns(sql, "bigquery", SHOP) == ["id <- customers.id", "name <- customers.name"]


def test_star_rename():
    sql = "select * rename (city as town) from customers"
    assert columns(sql, "snowflake", SHOP)[-1] == "town <- customers.city"


def test_an_excepted_column_is_not_found_behind_an_unknown_star():
    assert columns("select a, b from (select * except (b) from t)", "bigquery") == ["a <- t.a", "b <-"]


def test_an_alias_is_used_by_later_items_where_the_dialect_allows():
    sql = "select a + b as c, c * 2 as d from t"
    assert columns(sql, "snowflake") == ["c <- t.a t.b", "d <- t.a t.b"]
    assert columns(sql, "postgres") == ["c <- t.a t.b", "d <- t.c"]


def test_a_real_column_goes_before_an_alias_of_that_name():
    sql = "select b as a, a + 1 as c from t"
    assert columns(sql, "snowflake", {"t": ["a", "b"]}) == ["a <- t.b", "c <- t.a"]


def test_values_name_and_pass_columns_by_position():
    assert columns("select y from (values (1, 2), (3, 4)) as v(x, y)", "postgres") == ["y <-"]


def test_case_window_and_filter_columns_are_upstreams():
    sql = """
        select case when a > 0 then b else c end as x,
               sum(d) over (partition by e order by f) as y,
               sum(g) filter (where h) as z
        from t
    """
    assert columns(sql, "postgres") == ["x <- t.a t.b t.c", "y <- t.d t.e t.f", "z <- t.g t.h"]


def test_a_named_window_counts_like_one_written_out():
    sql = "select rank() over w as r from t window w as (partition by a order by b)"
    assert columns(sql, "postgres") == ["r <- t.a t.b"]


def test_parameters_of_a_lambda_are_no_columns():
    assert columns("select transform(xs, x -> x + y) as z from t", "spark") == ["z <- t.xs t.y"]


def test_paths_into_structs_and_json_end_at_the_column():
    assert columns("select t.s.f.g as x, s.f as y from t", "bigquery") == ["x <- t.s", "y <- t.s"]
    assert columns("select v:a.b::int as x from t", "snowflake") == ["x <- t.v"]
    assert columns("select v -> 'a' ->> 'b' as x from t", "postgres") == ["x <- t.v"]


def test_a_qualifier_nobody_has_is_no_struct_where_there_are_none():
    assert columns("select new.a as x from t", "postgres") == ["x <-"]


def test_a_table_may_be_named_in_full_before_a_column():
    assert columns("select shop.t.a, t.b from shop.t") == ["a <- shop.t.a", "b <- shop.t.b"]
