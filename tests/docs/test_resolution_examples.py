"""The examples of docs/resolution.md, run: their tables lie in a connection `warehouse`, `bi` refers to them."""

from __future__ import annotations

import re

import pytest

from connectors import ExternalColumn, ExternalTable
from tests.docs.documents import ROOT, section, table
from tests.lineage.world import Connection, World

PAGE = ROOT / "docs" / "resolution.md"
DECLARED = table(section(PAGE, "Declared references"))
SQL = table(section(PAGE, "Names in SQL"))
_CODE = re.compile(r"`([^`]+)`")


def codes(cell: str) -> list[str]:
    return _CODE.findall(cell)


def pairs(cell: str) -> dict[str, str]:
    return dict(code.split("=", 1) for code in codes(cell))


def graph_of(
    world: World, tables: str, defaults: str, dialect: str | None, refer
) -> tuple[set[str], list[dict]]:
    """What flows into the chart of `bi`, and what did not resolve."""
    warehouse = Connection("warehouse")
    for name, _, columns in (code.rstrip(")").partition("(") for code in codes(tables)):
        warehouse.table(name, *(columns.split(", ") if columns else ()))
    bi = Connection("bi", dialect, defaults=pairs(defaults))
    refer(bi, bi.chart("chart"))
    world.run(warehouse)
    world.run(bi)
    graph = world.graph()
    edges = [e for e in graph.edges() if e["to"] == "bi/chart"]
    found = {
        f"{e['from'].removeprefix('warehouse/')} {why['matched_by']}"
        for e in edges
        for why in e["provenance"]
    }
    return found, graph.unresolved()


def check(result: str, found: set[str], unresolved: list[dict]) -> None:
    """A result is `edge from TABLE, HOW`, or `REASON`, with the candidates."""
    words = codes(result)
    if result.startswith("edge"):
        assert " ".join(words) in found
        assert not unresolved
        return
    (entry,) = unresolved
    assert not found
    assert entry["reason"] == words[0]
    assert [c.removeprefix("warehouse/") for c in entry["candidates"]] == words[1:]


@pytest.mark.parametrize("row", DECLARED, ids=lambda row: " ".join(row))
def test_an_example_of_a_declared_reference(row, tmp_path):
    tables, reference, defaults, result = row
    given = pairs(reference)
    end = (ExternalColumn if "column" in given else ExternalTable)(**given)
    found, unresolved = graph_of(World(tmp_path), tables, defaults, None, lambda bi, me: bi.link(end, me))
    check(result, found, unresolved)


@pytest.mark.parametrize("row", SQL, ids=lambda row: " ".join(row))
def test_an_example_of_a_name_in_sql(row, tmp_path):
    tables, sql, dialect, defaults, result = row
    (text,) = codes(sql)
    world = World(tmp_path)
    found, unresolved = graph_of(
        world, tables, defaults, codes(dialect)[0], lambda bi, me: bi.query(text, me)
    )
    check(result, found, unresolved)


def test_there_are_examples_of_every_outcome():
    results = " ".join(row[-1] for row in DECLARED + SQL)
    outcomes = ("`exact`", "`casefold`", "`defaults`", "`not_found`", "`ambiguous`")
    assert all(outcome in results for outcome in outcomes)
