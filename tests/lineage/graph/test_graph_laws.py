"""Laws of graphs: no order changes them, resolving again does not, and a difference leads from one to the other."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import DeclaredLineage, InternalResource, Statement
from connectors import TablesFromSQLQuery as Query
from lineage import diff
from lineage.graph.build import build_graph
from lineage.graph.inputs import ConnectionSpec
from lineage.graph.traverse import LineageGraph
from lineage.sql import compile_sql
from lineage.store import SnapshotHeader, SnapshotWriter, Store, open_store
from tests.lineage.inventing import INSTANCES, LONG, facts, rows_of
from tests.lineage.naive_graph import Facts, Thing

EXAMPLES = 120 if LONG else 5
SETTINGS = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
BEFORE, DAY = "2026-11-19", "2026-11-20"
SHOP = {"database": "d", "schema": "s"}
SPECS = [
    ConnectionSpec("wh", INSTANCES[0], SHOP),
    ConnectionSpec("bi", INSTANCES[1], SHOP),
    ConnectionSpec("log", "log", SHOP, lookback_days=1),
]
CHART = InternalResource(databuilder_id="chart")
Json = dict[str, Any]

_QUERIES = st.lists(
    st.sampled_from(
        [
            "select id, x from orders where x > 1",
            "select max(id) as id from ops.orders o join s.b using (id)",
            'select * from "Orders"',
            "select id from gone",
            "selec broken (",
        ]
    ),
    max_size=2,
    unique=True,
)
_STATEMENTS = st.lists(
    st.sampled_from(
        [
            "insert into s.b (id, x) select id, x + 1 from s.orders",
            "insert into s.b (id, x) select id, x + 2 from s.orders where id > 2",
            "insert into s.b (x) select x from s.orders order by id",
            "insert into s.b select * from ops.orders where id in (select id from s.orders)",
            "create table s.b as select min(id) as id from d.s.orders",
        ]
    ),
    min_size=1,
    max_size=3,
    unique=True,
)


def _with_base(said: Facts, about: str | None) -> Facts:
    """What is said beside the tables that SQL speaks of."""
    base = {}
    for title in ("orders", "b"):
        key = f"s.{title}"
        base[key] = Thing(key, "table", title, "d", "s", None, about)
        base |= {f"{key}.{name}": Thing(f"{key}.{name}", "column", name, parent=key) for name in ("id", "x")}
    return Facts(said.things | base, said.links)


class Run(NamedTuple):
    """What a run of a connection says for a day."""

    connection: str
    day: str
    complete: bool
    said: Facts
    queries: list[str]
    statements: list[str]


def _runs(day: st.SearchStrategy[str]) -> st.SearchStrategy[list[Run]]:
    """A run of the connection that has the tables that SQL speaks of, and runs of others, or of it for other days.

    No two are of one connection and day: between those there is an order.
    """

    def run(names: list[str], said: st.SearchStrategy[Facts]) -> st.SearchStrategy[Run]:
        complete = st.sampled_from([True, True, False])
        return st.builds(Run, st.sampled_from(names), day, complete, said, _QUERIES, _STATEMENTS)

    owner = run(["wh"], st.builds(_with_base, facts(tables=2), st.sampled_from([None, "old", "new"])))
    others = st.lists(run(["bi", "log", "bi", "log", "wh"], facts(tables=2)), min_size=1, max_size=3)
    return st.builds(lambda one, more: list({run[:2]: run for run in (*more, one)}.values()), owner, others)


def commit(store: Store, run: Run, order: random.Random | None = None, number: int = 0) -> None:
    """Stores a run; with an `order`, what it says is said in that order."""
    things, links, queries, statements = [
        list(run.said.things.values()),
        sorted(run.said.links, key=repr),
        [*run.queries],
        [*run.statements],
    ]
    for said in (things, links, queries, statements) if order else ():
        order.shuffle(said)
    writer = SnapshotWriter("duckdb")
    for at, sql in enumerate(queries):
        writer.declaration(DeclaredLineage(from_identifier=Query(sql=sql), to_identifier=CHART))
        del at
    for sql in statements:
        writer.statement(Statement(sql=sql, location=f"{run.connection}.sql"))
        writer.statement(Statement(sql=sql, user="ada", at=datetime(2026, 11, 20, tzinfo=UTC)))
    rows = rows_of(things, links, writer)
    rows = writer.compiled(rows, lambda text, dialect: compile_sql(text, dialect).to_bytes(), {})
    windowed = run.connection == "log"
    header = SnapshotHeader(run.connection, run.day, f"run {number}", run.complete, windowed=windowed)
    store.snapshots.commit(header, rows)


def without_runs(graph: LineageGraph) -> Json:
    """The graph's JSON, but for what the runs were called."""
    told = graph.to_dict()
    for edge in told["edges"]:
        for why in edge["provenance"]:
            del why["run_id"]
    return told


@SETTINGS
@given(_runs(st.sampled_from([BEFORE, DAY])), st.randoms(use_true_random=False))
def test_no_order_changes_the_graph(runs, order):
    with tempfile.TemporaryDirectory() as folder:
        graphs = []
        for name in ("one", "other"):
            store = open_store(Path(folder, name))
            shuffled, specs = list(runs), list(SPECS)
            if name == "other":
                order.shuffle(shuffled)
                order.shuffle(specs)
            for number, run in enumerate(shuffled):
                commit(store, run, order if name == "other" else None, number)
            graphs.append(build_graph(store, DAY, specs))
        assert without_runs(graphs[0]) == without_runs(graphs[1])
        # of two stores, as nothing that is stored of the one can be taken for the other
        assert diff(*graphs).is_empty


@SETTINGS
@given(_runs(st.sampled_from([BEFORE, DAY])))
def test_resolving_again_changes_nothing(runs):
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder, "one"))
        for run in runs:
            commit(store, run)
        first = build_graph(store, DAY, SPECS)
        # A store that has no graph yet must make it again, of the same snapshots.
        again = build_graph(open_store(Path(folder, "other")), DAY, SPECS, else_from=[store])
        assert again.to_dict() == first.to_dict() == build_graph(store, DAY, SPECS).to_dict()
        assert len(store.graphs.headers()) == 1


@SETTINGS
@given(_runs(st.just(BEFORE)), _runs(st.just(DAY)))
def test_a_difference_leads_from_one_graph_to_the_other(earlier, later):
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        for run in (*earlier, *later):
            commit(store, run)
        before, after = (build_graph(store, day, SPECS) for day in (BEFORE, DAY))
        contents = [plain(graph.to_dict()) for graph in (before, after)]
        there, back = diff(before, after), diff(after, before)
        assert applied(contents[0], there.to_dict()) == contents[1]
        assert applied(contents[1], back.to_dict()) == contents[0]
        assert there.is_empty == (contents[0] == contents[1]) == back.is_empty
        none = diff(after, after)
        assert none.is_empty
        assert none.broken == []


def plain(graph: Json) -> Json:
    """What there is in a graph: resources by ids, edges by their ends, and what is unresolved; no runs, no days."""
    return {
        "resources": {one["id"]: one for one in graph["resources"]},
        "edges": {(one["from"], one["to"]): _edge(one) for one in graph["edges"]},
        "unresolved": {_unresolved(one) for one in graph["unresolved"]},
    }


def applied(content: Json, found: Mapping[str, Any]) -> Json:
    """A graph's plain content with a difference applied to it. What is to go or to change must be there as told."""
    resources, edges = dict(content["resources"]), dict(content["edges"])
    unresolved = set(content["unresolved"])
    for one in found["resources"]["removed"]:
        assert resources.pop(one["id"]) == one
    for one in found["resources"]["added"]:
        assert resources.setdefault(one["id"], one) is one
    for one in found["resources"]["changed"]:
        now, was = _parted(one)
        before = resources[one["id"]]
        assert {name: before.get(name) for name in was} == was
        assert {name for name in {*before, *now} if before.get(name) != now.get(name)} == set(was)
        resources[one["id"]] = now
    for one in found["edges"]["removed"]:
        assert edges.pop((one["from"], one["to"])) == _edge(one)
    for one in found["edges"]["added"]:
        assert edges.setdefault((one["from"], one["to"]), made := _edge(one)) is made
    for one in found["edges"]["changed"]:
        now, was = _parted(one)
        before = edges[one["from"], one["to"]]
        assert _edge({**now, **was}) == before
        assert _edge(now) != before
        edges[one["from"], one["to"]] = _edge(now)
    gone, new = ({_unresolved(one) for one in found["unresolved"][side]} for side in ("removed", "added"))
    assert gone <= unresolved
    assert not new & unresolved
    return {"resources": resources, "edges": edges, "unresolved": unresolved - gone | new}


def _parted(changed: Json) -> tuple[Json, Json]:
    """A changed thing as it is, and what it was."""
    return {name: value for name, value in changed.items() if name != "before"}, changed["before"]


def _edge(edge: Json) -> Json:
    reasons = {
        tuple(sorted((name, str(why[name])) for name in why if name not in ("partition", "run_id")))
        for why in edge["provenance"]
    }
    return {**edge, "provenance": sorted(reasons)}


def _unresolved(entry: Json) -> bytes:
    told = {k: v for k, v in entry.items() if k not in ("partition", "candidates", "guessed", "message")}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
