"""The relational rule against the naive one, on worlds that hypothesis invents."""

from __future__ import annotations

import os
import random

import duckdb
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.resolve import PARTS, REFERENCE_COLUMNS, match_references
from tests.lineage.naive import Reference, Table, resolve

NAMES = st.sampled_from(["a", "A", "b", "B", "orders", "Orders", "ORDERS"])
MAYBE = st.none() | NAMES
CONNECTIONS = st.sampled_from(["one", "two", "three"])
EXAMPLES = 2000 if os.environ.get("HEADWATER_LONG") else 60

tables_strategy = st.lists(
    st.builds(
        Table, st.just(""), CONNECTIONS, st.sampled_from(["prod", "Prod", "test"]), MAYBE, MAYBE, NAMES
    ),
    max_size=12,
).map(lambda ts: [t._replace(id=f"{t.connection}/{n}") for n, t in enumerate(ts)])
references_strategy = st.lists(
    st.builds(Reference, CONNECTIONS, MAYBE, MAYBE, MAYBE, NAMES), min_size=1, max_size=6
)
defaults_strategy = st.dictionaries(st.sampled_from(["instance", "database", "schema"]), NAMES)


def engine(tables: list[Table], references: list[Reference], defaults: dict[str, str]) -> dict[int, tuple]:
    with duckdb.connect() as db:
        db.execute("""CREATE TABLE connection (connection VARCHAR, default_instance VARCHAR,
                      default_database VARCHAR, default_schema VARCHAR)""")
        for name in ("one", "two", "three"):
            db.execute(
                "INSERT INTO connection VALUES (?, ?, ?, ?)",
                [name, defaults.get("instance"), defaults.get("database"), defaults.get("schema")],
            )
        db.execute("CREATE TABLE namespace (connection VARCHAR, namespace VARCHAR)")
        columns = [pa.array([t[n] for t in tables], pa.string()) for n in range(6)]
        db.register("given", pa.table(columns, names=list(Table._fields)))
        db.execute("CREATE TABLE owner AS SELECT row_number() OVER () AS num, * FROM given")
        db.execute("CREATE VIEW resource_id AS SELECT num, id FROM owner")
        db.execute(f"CREATE TABLE reference ({REFERENCE_COLUMNS})")
        for number, reference in enumerate(references):
            values: list = [number, reference.connection]
            for part in PARTS:
                values += [getattr(reference, part), True]
            db.execute(f"INSERT INTO reference VALUES ({', '.join('?' * len(values))}, NULL)", values)
        match_references(db, "reference", "owner", "match")
        found = {number: (None, []) for number in range(len(references))}
        one = db.execute("SELECT m.ref, o.id, m.how FROM match m JOIN owner o USING (num)").fetchall()
        found |= {ref: (owner, how) for ref, owner, how in one}
        several = db.execute("SELECT ref, candidates FROM match_several").fetchall()
        assert not {ref for ref, *_ in one} & {ref for ref, _ in several}
        return found | {ref: (None, sorted(candidates)) for ref, candidates in several}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables_strategy, references_strategy, defaults_strategy)
def test_the_engine_agrees_with_the_rule_as_it_reads(tables, references, defaults):
    found = engine(tables, references, defaults)
    for number, reference in enumerate(references):
        assert found[number] == resolve(reference, tables, defaults)


@settings(max_examples=EXAMPLES // 3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables_strategy, references_strategy, defaults_strategy, st.randoms(use_true_random=False))
def test_the_order_of_tables_does_not_matter(tables, references, defaults, shuffle: random.Random):
    other = list(tables)
    shuffle.shuffle(other)
    assert engine(tables, references, defaults) == engine(other, references, defaults)
