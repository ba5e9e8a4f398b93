"""A graph made of an earlier one is the graph that is built anew."""

from __future__ import annotations

import os
import random

import pytest

from connectors import Resource
from tests.lineage.patched import assert_same
from tests.lineage.world import Connection, ExternalColumn, ExternalTable, InternalResource, World

LONG = bool(os.environ.get("HEADWATER_LONG"))
DAYS = [f"2026-11-{day:02d}" for day in range(1, 13 if LONG else 8)]
SEEDS = range(25 if LONG else 2)
TITLES = ("orders", "Orders", "items", "refunds")


def a_day(tables: dict, described: dict, links: set, world: World, day: str, *, sql: bool) -> None:
    for name in ("wh", "lake"):
        owner = Connection(name, "duckdb", defaults={"database": "d", "schema": "s"})
        for title, (schema, columns, note) in tables[name].items():
            key = f"d.{schema}.{title}"
            owner.table(key, *columns)
            owner.writer.resource(
                Resource(
                    entity_type="table",
                    databuilder_id=key,
                    title=title,
                    database="d",
                    schema=schema,
                    description=note,
                )
            )
        world.run(owner, day)
    bi = Connection("bi", "duckdb", defaults={"schema": "s"})
    for at in range(int(day[-1]) % 3 + 1):
        bi.chart(f"c{at}")
    for kind, title, schema, at in sorted(links, key=str):
        start = (
            ExternalTable(table=title, schema=schema)
            if kind == "table"
            else ExternalColumn(table=title, schema=schema, column="a" if kind == "column" else "extra")
        )
        bi.link(start, InternalResource(databuilder_id=f"c{at}"))
    if sql:
        for at, columns in ((0, "a"), (1, "a, extra"), (2, "b")):
            bi.query(f"select {columns} from orders", InternalResource(databuilder_id=f"c{at}"))
    world.run(bi, day)
    dbt = Connection("dbt", "duckdb")
    dbt.writer.resource(Resource(entity_type="folder", databuilder_id="models", title="models"))
    for title, columns in described.items():
        same_as = ExternalTable(table=title, schema="s", database="d")
        dbt.table(f"d.s.m_{title}", *columns, key=f"model.{title}", same_as=same_as)
        parent = "models" if title == "items" else "marts"  # which nobody declares
        dbt.writer.resource(
            Resource(
                entity_type="document",
                databuilder_id=f"doc.{title}",
                title=f"{len(columns)}",
                parent_databuilder_id=parent,
            )
        )
        dbt.link(InternalResource(databuilder_id=f"model.{title}.{columns[-1]}"), ExternalTable(table="docs"))
        dbt.link(
            InternalResource(databuilder_id=f"model.{title}.{columns[-1]}"),
            InternalResource(databuilder_id="models"),
        )
    world.run(dbt, day)


@pytest.mark.parametrize("sql", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_patched_graph_is_the_one_that_is_built_anew(world, seed, sql):
    chance = random.Random(seed)
    tables = {
        name: {title: ("s", ["a", "b"], "") for title in chance.sample(TITLES, 3)} for name in ("wh", "lake")
    }
    links = {
        (
            chance.choice(("table", "column")),
            chance.choice(TITLES),
            chance.choice((None, "s", "t")),
            chance.randrange(3),
        )
        for _ in range(12)
    }
    described = {title: ["a", "extra"] for title in chance.sample(TITLES[:3], 2)}
    patched = 0
    for day in DAYS:
        a_day(tables, described, links, world, day, sql=sql)
        patched += bool(assert_same(world, day).header.patched)
        name, title = chance.choice(("wh", "lake")), chance.choice(TITLES)
        change = chance.randrange(7)
        if change == 0:
            tables[name].pop(title, None)
        elif change == 1:
            tables[name][title] = (chance.choice("st"), chance.choice((["a"], ["a", "b"], ["A"])), "")
        elif change == 2 and title in tables[name]:
            tables[name][title] = (*tables[name][title][:2], f"note of {day}")
        elif change == 3:
            described[chance.choice(list(described))] = chance.choice(
                (["a"], ["a", "b"], ["extra"], ["a", "other"])
            )
        else:
            links ^= {
                (
                    chance.choice(("table", "column", "extra")),
                    title,
                    chance.choice((None, "s")),
                    chance.randrange(3),
                )
            }
    assert patched or sql  # where SQL is read, nothing that moved is patched
