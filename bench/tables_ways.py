"""One way of turning rows into Arrow, in a process of its own: `python tables_ways.py WAY SHAPE ROWS NESTED KIT`.

WAY is `ours` (the engine, rejects and all), `wide` (a thousand tables, and ROWS parents with children five deep),
`odd` (as `ours` where a value in each row needs a coercion, and a row in
a hundred is refused), `stored` (and written to a store) or `hand` (the same columns filled by hand). Prints JSON: rows,
seconds of wall and of CPU, the peak in MiB. KIT is the acceptance kit's program, whose rows are taken from it as it
runs; nothing of it is kept here.
"""

from __future__ import annotations

import ast
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from connectors import Column, Connector, Table
from connectors.tables import JSONType
from connectors.testing import Extract, run_connector
from lineage import open_store

BATCH = 10_000
WANTED = {"S", "COLS", "FAN", "row"}


def kit_rows(kit: Path) -> dict:
    """The kit's columns, its numbers of children and its function that makes a row."""
    tree = ast.parse(kit.read_text())

    def names(node):
        targets = node.targets if isinstance(node, ast.Assign) else []
        parts = [one for target in targets for one in getattr(target, "elts", [target])]
        return {part.id for part in parts if isinstance(part, ast.Name)}

    kept = [
        node
        for node in tree.body
        if names(node) & WANTED or (isinstance(node, ast.FunctionDef) and node.name in WANTED)
    ]
    made = {"pa": pa, "JS": JSONType()}
    exec(compile(ast.Module(kept, []), str(kit), "exec"), made)  # the kit's own code, as it stands
    return made


def counted(fan, rows, depth):
    return fan[depth] or rows // 1000


def odd(row):
    """A row whose types are not its columns', and of each hundred one that cannot be taken."""
    row["active"] = "yes" if row["active"] else "no"
    if row["id"] % 100 == 99:
        row["size"] = "many"
    return row


class Sink(Extract):
    """Counts."""

    def records(self, table, batch):
        self.state["rows"] = self.state.get("rows", 0) + batch.num_rows


def ours(kit, way, shape, rows, nested):
    row, fan = kit["row"], kit["FAN"]
    make = (lambda i: odd(row(shape, i))) if way == "odd" else (lambda i: row(shape, i))

    def level(depth):
        number = counted(fan, rows, depth) if nested else rows
        below = [level(depth + 1)] if nested and depth + 1 < len(fan) else []
        columns = [Column(name, kind) for name, kind in kit["COLS"][shape]]
        return Table(
            f"bench_{depth}",
            columns,
            relations=below,
            resolve=lambda client, record: (make(i) for i in range(number)),
        )

    class Bench(Connector):
        def tables(self):
            return [level(0)]

    if way != "stored":
        Extract.records = Sink.records
        found = run_connector(Bench)
        return found.state["rows"] + sum(table.refused for table in found.report.tables.values())
    with tempfile.TemporaryDirectory() as folder:
        writer = open_store(folder).records.writer("bench")
        Extract.dataset = lambda self, dataset, schema: writer.dataset(dataset, schema)
        Extract.records = lambda self, table, batch: writer.records(table, batch)
        run_connector(Bench)
        return sum(table.part.rows for table in writer.finish().values())


def wide(parents):
    """A thousand small tables, and one of many parents, with tables five deep below it."""
    columns = [Column("id", pa.int64())]

    def level(depth):
        below = [level(depth + 1)] if depth < 5 else []
        children = [{"id": at} for at in range(2 if depth == 1 else 1)]
        return Table(
            f"level_{depth}", columns, relations=below, resolve=lambda client, record: iter(children)
        )

    class Wide(Connector):
        concurrency = 16

        def tables(self):
            rows = ({"id": at} for at in range(parents))
            deep = Table("deep", columns, relations=[level(1)], resolve=lambda client, record: rows)
            return [
                deep,
                *(Table(f"t{at}", columns, resolve=lambda c, r: iter([{"id": 1}])) for at in range(1000)),
            ]

    Extract.records = Sink.records
    found = run_connector(Wide)
    if not found.report.complete:
        raise RuntimeError(f"{found.error} {found.report.warnings}")
    return found.state["rows"]


def hand(kit, shape, rows, nested):
    row, fan, columns = kit["row"], kit["FAN"], kit["COLS"][shape]

    def fill(kind, values):
        if kind == JSONType():
            texts = pa.array([None if value is None else json.dumps(value) for value in values], pa.string())
            return pa.ExtensionArray.from_storage(kind, texts)
        return (
            pa.array(values, pa.string()).cast(kind) if pa.types.is_temporal(kind) else pa.array(values, kind)
        )

    def batch(given):
        return pa.RecordBatch.from_arrays(
            [fill(kind, [one.get(name) for one in given]) for name, kind in columns],
            [name for name, _ in columns],
        ).num_rows

    gathered, done = [[] for _ in fan], 0

    def walk(depth):
        nonlocal done
        for i in range(counted(fan, rows, depth) if nested else rows):
            gathered[depth].append(row(shape, i))
            if len(gathered[depth]) == BATCH:
                done += batch(gathered[depth])
                gathered[depth] = []
            if nested and depth + 1 < len(fan):
                walk(depth + 1)

    walk(0)
    return done + sum(batch(given) for given in gathered if given)


def main(way, shape, rows, nested, kit):
    made = kit_rows(Path(kit))
    number, is_nested = int(rows), nested == "nested"
    wall, cpu = time.perf_counter(), time.process_time()
    if way == "wide":
        done = wide(number)
    elif way == "hand":
        done = hand(made, shape, number, is_nested)
    else:
        done = ours(made, way, shape, number, is_nested)
    figures = {"rows": done, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform != "darwin" else 1 << 20
    )
    print(json.dumps(figures | {"peak_mib": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
