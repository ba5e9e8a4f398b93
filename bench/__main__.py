"""`python -m bench [NAME...]`: runs the benchmarks named, or all but the longest, and prints figures.

Exit code 1 when one misses its target.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import (
    cloudquery_host,
    datasets,
    estate_graph,
    flow_runs,
    json_schema,
    large,
    query_log,
    receiver,
    resync,
    server,
    sql,
    startup,
    stream,
    tables,
    year,
)
from bench.measure import Figure

BENCHMARKS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "startup": startup.run,
    "receiver": receiver.run,
    "resync": resync.run,
    "large": large.run,
    "estate": estate_graph.run,
    "estate5": estate_graph.run_five,
    "year": year.run,
    "query_log": query_log.run,
    "sql": sql.run,
    "tables": tables.run,
    "cloudquery_host": cloudquery_host.run,
    "datasets": datasets.run,
    "json_schema": json_schema.run,
    "stream": stream.run,
    "flow_runs": flow_runs.run,
    "server": server.run,
}

LONG = frozenset({"estate5", "year"})  # from a quarter of an hour up: run by name


def main(names: Sequence[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(
            f"no benchmark is named {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr
        )
        return 2
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    missed = 0
    for name in names or (name for name in BENCHMARKS if name not in LONG):
        print(f"\n{name}: {sys.modules[BENCHMARKS[name].__module__].__doc__}".rstrip())
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for figure in BENCHMARKS[name](Path(folder)):
                print(f"  {figure}", flush=True)
                missed += figure.missed
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
