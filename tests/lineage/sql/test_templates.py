"""Templates and parameters: neutral, and as long as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.sql import analyze
from lineage.sql.reading.templates import neutralise
from tests.lineage.sql.reading import columns, tables


def test_dbt_references_are_tables():
    sql = """
        {{ config(materialized='table') }}
        {# the day's orders #}
        select o.a, {{ var('rate') }} as rate
        from {{ ref('orders') }} o join {{ source('raw', 'customers') }} c on c.id = o.customer_id
    """
    assert tables(sql, "snowflake") == (["orders", "raw.customers"], [])
    assert columns(sql, "snowflake") == ["a <- orders.a", "rate <-"]


def test_of_two_branches_the_first_is_read():
    sql = "select a from t {% if is_incremental() %} where b > 1 {% else %} where ) {% endif %}"
    assert [entry["column"] for entry in analyze(sql).to_dict()["indirect"]] == ["b"]


def test_a_table_that_only_the_template_knows_is_no_table():
    assert tables("select a from {{ table }}") == ([], [])
    assert tables("select a from db.${table}") == ([], [])


def test_a_schema_that_only_the_template_knows_is_open():
    assert tables("select a from {{ schema }}.t") == (["t"], [])


@pytest.mark.parametrize("parameter", [":x", "%(x)s", "?", "${x}", "{{ x }}", "'{{ x }}'"])
def test_parameters_are_no_columns(parameter: str):
    sql = f"select a from t where b = {parameter}"
    assert [entry["column"] for entry in analyze(sql, "mysql").to_dict()["indirect"]] == ["b"]


def test_an_at_sign_is_a_parameter_in_tsql():
    assert columns("select @x as p, a from t", "tsql") == ["p <-", "a <- t.a"]


def test_go_separates_batches():
    assert tables("select a from t\nGO\nselect b from u\ngo 2\n", "tsql") == (["t", "u"], [])


def test_positions_of_errors_are_those_of_the_text_as_given():
    found = analyze("select {{ a_long_expression('x') }} as p\nfrom t where )")
    assert (found.errors[0].line, found.errors[0].column) == (2, 14)


@given(st.text(alphabet="{}%#$()'\"ax \n", max_size=60))
def test_nothing_changes_its_length_or_its_lines(text: str):
    neutral = neutralise(text, "")
    assert len(neutral) == len(text)
    assert [at for at, c in enumerate(neutral) if c == "\n"] == [at for at, c in enumerate(text) if c == "\n"]
