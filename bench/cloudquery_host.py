"""CPU of headwater's own process for each row that a CloudQuery plugin sends, beside a plain host of its protocol.

The plain host opens an Arrow stream for each message and keeps nothing; ours gives its records on in batches. Both
sync one plugin, which sends a row in each message, each in a fresh process, in turns.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.measure import ROOT, Figure, run_command, succeed

KIT = ROOT.parent / "shared" / "accept" / "cloudquery"
ROWS, TURNS, LIMIT = 40_000, 5, 1.0

OURS = """
import sys, time
from connectors.hosts.cloudquery import CloudQuery
from connectors.testing import run_connector

python, script, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
spec = {"rows": rows, "shape": "mixed", "nested": False, "batched": False, "task": "grpc"}
begun = time.process_time()
found = run_connector(CloudQuery, {"plugin": f"{python} {script} plugin", "spec": spec})
used = time.process_time() - begun
assert found.error is None and found.report.complete, found.error
assert found.table("bench_0").num_rows == rows
print(used / rows)
"""
# Its clock begins when the plugin has started: what ours takes for that is counted to ours.
PLAIN = """
import sys, time
sys.path.insert(0, sys.argv[4])
import host

python, script, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
plugin = host.Plugin([python, script, "plugin"])
try:
    plugin.init({"rows": rows, "shape": "mixed", "nested": False, "batched": False, "task": "grpc"})
    begun = time.process_time()
    found = sum(batch.num_rows for kind, _, batch in plugin.sync() if kind == "insert")
    used = time.process_time() - begun
finally:
    plugin.stop()
assert found == rows
print(used / rows)
"""


def run(folder: Path) -> Iterator[Figure]:
    ours, plain = [], []
    for _ in range(TURNS):
        plain.append(_seconds_of_a_row(PLAIN, folder))
        ours.append(_seconds_of_a_row(OURS, folder))
    yield Figure(f"plain host, CPU of a row (median of {TURNS})", median(plain) * 1e6, "us")
    yield Figure("headwater, CPU of a row", median(ours) * 1e6, "us")
    yield Figure("headwater / plain host, CPU of a row", median(ours) / median(plain), "x", LIMIT)


def _seconds_of_a_row(program: str, folder: Path) -> float:
    arguments = [_plugin_python(), str(KIT / "throughput.py"), str(ROWS), str(KIT)]
    command = [sys.executable, "-c", program, *arguments]
    return float(succeed(run_command(command, folder, {"PYTHONDONTWRITEBYTECODE": "1"})).output.split()[-1])


def _plugin_python() -> str:
    """The interpreter of plugins: of `HEADWATER_PLUGIN_PYTHON`, or of the environment that is made for them."""
    return os.environ.get("HEADWATER_PLUGIN_PYTHON") or str(ROOT / ".venv" / "plugins" / "bin" / "python")
