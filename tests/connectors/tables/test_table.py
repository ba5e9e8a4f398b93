from __future__ import annotations

import fnmatch

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import Column, Table
from connectors.errors import ConfigError, ConnectorError
from connectors.tables import JSONType, flatten_tables, select_tables, state_key

NESTED = {"a": {"a_b": {"a_b_c": {}, "a_b_d": {}}, "a_e": {}}, "f": {"f_g": {}}, "h": {}}
NAMES = ["a", "a_b", "a_b_c", "a_b_d", "a_e", "f", "f_g", "h"]
PATTERNS = [*NAMES, "*", "a*", "*_b*", "f_?", "[ah]", "nobody", "a_b_*"]


def tree(nested):
    return [Table(name, [], relations=tree(below)) for name, below in nested.items()]


def test_a_selection_is_the_sdks(sdk_answers):
    asked = [
        (NESTED, wanted, skipped, dependent)
        for wanted in ([one] for one in [*PATTERNS, "h"])
        for skipped in ([], ["a_b"], ["a*"], ["f_g", "h"], ["nobody"], ["*"])
        for dependent in (False, True)
    ]
    asked += [
        (NESTED, ["a", "f_g"], [], True),
        (NESTED, ["a_b_c", "h"], ["a_e"], False),
        (NESTED, [], [], False),
    ]
    for question, theirs in zip(asked, sdk_answers("select", asked), strict=True):
        nested, wanted, skipped, dependent = question
        try:
            ours = sorted(
                one.name for one in flatten_tables(select_tables(tree(nested), wanted, skipped, dependent))
            )
        except ConfigError:
            ours = None
        if ours != theirs:
            # There a relation that is asked for brings the siblings after it, although nobody asked for these.
            surplus = set(theirs) - set(ours)
            asked_for = {one for pattern in wanted for one in fnmatch.filter(NAMES, pattern)}
            assert set(ours) < set(theirs), question
            assert not dependent, question
            assert not any(
                one in asked_for or one.startswith(tuple(f"{a}_" for a in asked_for)) for one in surplus
            )


def test_a_pattern_without_a_match_is_named_with_what_there_is():
    with pytest.raises(ConfigError, match=r"skip_tables: no table matches x\* \(there are a, a_b"):
        select_tables(tree(NESTED), ["*"], ["x*"])


def test_a_selection_leaves_the_tables_as_they_were():
    tables = tree(NESTED)
    chosen = select_tables(tables, ["a_b_c"])
    assert [one.name for one in flatten_tables(tables)] == NAMES
    assert chosen[0].relations[0].relations[0].parent is chosen[0].relations[0]


def test_a_table_survives_its_arrow_schema():
    columns = [
        Column("id", pa.int64(), primary_key=True, not_null=True),
        Column("at", pa.timestamp("us"), incremental_key=True, unique=True),
        Column("tags", JSONType()),
    ]
    table = Table("items", columns, title="Items", description="All of them", is_incremental=True)
    Table("parents", [], relations=[table])
    again = Table.from_arrow_schema(table.to_arrow_schema())
    assert again.to_arrow_schema().equals(table.to_arrow_schema(), check_metadata=True)
    assert again.dataset() == table.dataset()
    assert (again.primary_keys, again.incremental_keys, again.parent.name) == (["id"], ["at"], "parents")


def test_each_table_and_column_is_a_resource():
    table = Table(
        "items", [Column("id", pa.int64(), "The key", primary_key=True), Column("name", pa.string())]
    )
    found = list(table.resources())
    assert [(one.entity_type, one.databuilder_id, one.parent_databuilder_id) for one in found] == [
        ("table", "items", None),
        ("column", "items.id", "items"),
        ("column", "items.name", "items"),
    ]
    assert (found[1].type, found[1].is_pk, found[1].description, found[2].sort_order) == (
        "int64",
        True,
        "The key",
        1,
    )


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Table("", []), "a table has no name"),
        (lambda: Table("t", [Column("a", pa.int8()), Column("a", pa.int8())]), "several columns named a"),
        (lambda: Table("t", [], concurrency=0), "a concurrency of 0"),
    ],
)
def test_a_table_that_contradicts_itself_says_how(make, told):
    with pytest.raises(ConnectorError, match=told):
        make()


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text("a|=\\", min_size=1, max_size=4),
            st.dictionaries(st.text("ab", min_size=1, max_size=2), st.text("a|=\\", max_size=3), max_size=2),
        ),
        min_size=2,
        max_size=2,
        unique_by=lambda one: (one[0], tuple(sorted(one[1].items()))),
    )
)
def test_keys_of_different_things_never_meet(two):
    (one, parts), (other, others) = two
    assert state_key(one, **parts) != state_key(other, **others)
