"""Whatever happened to runs, and whenever it was looked at: days sum to what runs sum to; nothing counts twice."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.assets.extract import process_mark
from pipelines.flow_runs import FlowRuns, Ledger
from pipelines.flow_runs.projection import OVERLAP_S, Projection
from pipelines.project import read_project
from tests.pipelines.flow_runs.history import KEYS, History, connection_facts, dataset_facts

EXAMPLES = 300 if os.environ.get("HEADWATER_LONG") else 40
FILE = """\
partitions: {every: day, start: 2026-11-01}
connections:
  app: {connector: jsonl, config: {resources: ./a.jsonl}}
  bi: {connector: jsonl, config: {resources: ./b.jsonl}}
datasets:
  tidy: {from: app/shop.sales.orders, transform: {operations: [{rename: {id: order_id}}]}, sinks: [lake]}
  both:
    from: datasets/tidy
    transform: {inputs: {b: bi/x.y.z}, sql: select i.order_id from input i join b using (order_id)}
sinks:
  lake: {connector: delta, config: {uri: ./lake}}
"""
NAMES = ("app", "bi", "datasets/tidy", "datasets/both", "sinks/lake/tidy")
DAYS = [f"2026-11-{day:02}" for day in (18, 19, 20)]
SUMS = ("records", "size_bytes", "errors", "quarantined")

names = st.lists(st.sampled_from(NAMES), min_size=2, unique=True)
counts = st.integers(0, 50)
ended = st.sampled_from(["SUCCESS", "WARNING", "FAILED"])
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("begin"),
            names,
            st.integers(1, 3),
            st.sampled_from([{}, {"dagster/schedule_name": "s"}, {"dagster/backfill": "b"}]),
        ),
        st.tuples(st.just("record"), st.integers(0, 9), st.sampled_from(NAMES), ended, counts, counts),
        st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from(["SUCCESS", "FAILURE", "CANCELED"])),
        st.tuples(st.just("retry"), st.integers(0, 9)),
        st.tuples(st.just("kill"), st.integers(0, 9)),
        st.tuples(st.just("delete"), st.integers(0, 9)),
    ),
    min_size=1,
    max_size=40,
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("projected")
    (folder / "headwater.yaml").write_text(FILE)
    return read_project(folder)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that end with the test, whatever becomes of an example."""
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for process in found:
        process.kill()
        process.wait()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is such a place: hundreds of commits wait for a slow disk for minutes."""
    with tempfile.TemporaryDirectory(
        dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    ) as folder:
        yield Path(folder)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, looks=st.randoms(use_true_random=False), ago_s=st.sampled_from([0.0, 2 * OVERLAP_S]))
def test_whatever_happened_days_sum_to_runs(project, memory, started, steps, looks, ago_s):
    folder = Path(tempfile.mkdtemp(dir=memory))
    history = History(ago_s)
    told: dict[str, dict[str, Counter[str]]] = {}  # by run and name: what was recorded of it, the last time
    planned: dict[str, list[str]] = {}
    days: dict[str, list[str]] = {}
    state: dict[str, str] = {}
    runs: list[str] = []
    processes: dict[str, subprocess.Popen[bytes]] = {}
    look = Projection(history.instance, Ledger(folder / "looked.db"), KEYS).refresh
    numbers: dict[str, int] = {}

    def begin(some: list[str], keys: list[str], **kw) -> str:
        process = subprocess.Popen(["sleep", "600"])
        started.append(process)
        run = history.begin(some, keys, process=process_mark(process.pid), **kw)
        runs.append(run)
        processes[run] = process
        planned[run], days[run], told[run], state[run] = some, keys, {}, "STARTED"
        return run

    for step, *values in steps:
        live = [run for run in runs if state[run] != "DELETED"]
        if step == "begin":
            some, count, tags = values
            begin(some, DAYS[:count], tags=tags)
        elif live:
            run = live[values[0] % len(live)]
            if step == "record" and state[run] == "STARTED" and values[1] in planned[run]:
                name, status, made, refused = values[1:]
                kept = 0 if status == "FAILED" else made
                if "/" in name:
                    facts = dataset_facts(status, made, refused)
                    sums = (kept, kept * 10, refused + (status == "FAILED"), refused)
                else:
                    # What is told again may have other tables.
                    facts = connection_facts(status, made, refused, {f"shop.sales.t{made % 2}": made})
                    sums = (2 * kept, kept * 100 + kept * 8, refused + (status == "FAILED"), 0)
                history.record(run, name, dict.fromkeys(days[run], facts))
                many = len(days[run])
                told[run][name] = Counter(dict(zip(SUMS, (many * one for one in sums), strict=True)))
            elif step == "end" and state[run] == "STARTED":
                history.end(run, values[1])
                state[run] = values[1]
            elif step == "kill" and state[run] == "STARTED":
                processes[run].kill()
                processes[run].wait()
                state[run] = "KILLED"
            elif step == "retry" and state[run] in ("FAILURE", "KILLED"):
                begin(planned[run], days[run], tags={"dagster/retry_number": "1"}, parent=run)
            elif step == "delete" and state[run] in ("SUCCESS", "FAILURE", "CANCELED"):
                history.instance.delete_run(run)
                state[run] = "DELETED"
        if looks.random() < 0.5:
            look()
            numbers |= {run.id: run.number for run in Ledger(folder / "looked.db").runs("1")}

    ledger = Ledger(folder / "looked.db")
    Projection(history.instance, ledger, KEYS).refresh()
    found = FlowRuns(project, ledger)

    # Days against runs, each dataset.
    by_run, by_day = found.metrics("run"), found.metrics("day")
    for name in {one.dataset for one in by_run}:
        for column in SUMS:
            assert sum(getattr(one, column) for one in by_run if one.dataset == name) == sum(
                getattr(one, column) for one in by_day if one.dataset == name
            )
    assert all(
        one.day == datetime.fromtimestamp(one.run_number / 1000, UTC).date().isoformat() for one in by_run
    )

    # All of it against what was written; a run that failed, or was killed, is an error of all that it did not record.
    wanted: Counter[str] = Counter()
    for run in runs:
        if state[run] == "DELETED":
            continue
        for name in planned[run]:
            wanted += told[run].get(name, Counter())
            if name not in told[run] and state[run] in ("FAILURE", "KILLED"):
                wanted["errors"] += 1
    assert {c: sum(getattr(one, c) for one in by_run) for c in SUMS} == {c: wanted[c] for c in SUMS}

    # Looking often equals looking once; numbers stay, and increase with the runs.
    once = Ledger(folder / "once.db")
    Projection(history.instance, once, KEYS).refresh()
    for process in processes.values():
        process.kill()
        process.wait()
    assert once.runs("1 ORDER BY id") == [] or _but_numbers(once) == _but_numbers(ledger)
    after = {run.id: run.number for run in ledger.runs("1")}
    assert {run: numbers[run] for run in after if run in numbers} == {
        r: n for r, n in after.items() if r in numbers
    }
    ordered = [after[run] for run in runs if run in after]
    assert ordered == sorted(set(ordered))
    assert set(after) == {run for run in runs if state[run] != "DELETED"}


def _but_numbers(ledger: Ledger) -> list[object]:
    """All that is in a ledger, numbers but: where runs were deleted those of others may differ by a millisecond."""
    runs = ledger.runs("1 ORDER BY place")
    parts = ledger.parts([run.number for run in runs])
    return [
        (
            {**vars(run), "number": 0},
            sorted(
                ((one.dataset, one.partition, *list(vars(one).values())[3:]) for one in parts[run.number]),
                key=repr,
            ),
        )
        for run in runs
    ]


def test_the_ledger_of_another_storage_is_made_anew(project, tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.db")
    first, second = History(), History()
    for history, count in ((first, 3), (second, 2)):
        for _ in range(count):
            history.end(history.begin(["app"]), "FAILURE")
        Projection(history.instance, ledger, KEYS).refresh()
        assert len(FlowRuns(project, ledger).find()) == count
