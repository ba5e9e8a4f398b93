"""A hundred thousand runs in Dagster's storage: what projecting them costs once, and asking for them afterwards."""

from __future__ import annotations

import json
import sqlite3
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from bench.measure import HEADWATER, Figure, Finished, give_home, run_command, succeed

RUNS = 100_000
EVERY = timedelta(minutes=15)
TURNS = 5
ASK_LIMIT_S, SEEN_LIMIT_S = 2.0, 1.0
_PROJECT = """\
partitions: {every: day, start: 2024-01-01}
connections:
  app: {connector: jsonl, allow_late: true, config: {resources: ./rows.jsonl}}
"""
# How long until a process that has looked before sees a run that is new.
_SEEN = """
import sys, time
from pathlib import Path
from bench.flow_runs import multiply
from pipelines.flow_runs import FlowRuns, ledger_of
from pipelines.flow_runs.projection import Projection
from pipelines.home import open_instance
from pipelines.keys import AssetKeys
from pipelines.project import read_project
project = read_project(Path("."))
ledger = ledger_of(project)
with open_instance() as instance:
    projection = Projection(instance, ledger, AssetKeys())
    projection.refresh()
    before = FlowRuns(project, ledger).find(limit=1)[0].run_number
    taken = []
    for turn in range(int(sys.argv[1])):
        multiply(Path("home"), 1)
        begun = time.perf_counter()
        projection.refresh()
        newest = FlowRuns(project, ledger).find(limit=1)[0]
        taken.append(time.perf_counter() - begun)
        assert newest.run_number > before, "it is not seen"
        before = newest.run_number
print(sorted(taken)[len(taken) // 2])
"""


def run(folder: Path) -> Iterator[Figure]:
    project = folder / "project"
    project.mkdir()
    (project / "rows.jsonl").write_text('{"entity_type": "table", "databuilder_id": "d.s.t", "title": "t"}\n')
    (project / "headwater.yaml").write_text(_PROJECT)
    give_home(project)
    _ask(project, "sync")
    multiply(project / "home", RUNS)
    first = _ask(project, "runs", "--json")
    yield Figure(f"first projection of {RUNS:,} runs", first.seconds, "s")
    yield Figure("first projection, peak memory", first.peak_bytes / 2**20, "MiB")
    since = f"{datetime.now(UTC) - timedelta(days=7):%Y-%m-%d}"
    asked = median(_ask(project, "runs", "--since", since).seconds for _ in range(TURNS))
    yield Figure("headwater runs --since, 7 days, once projected", asked, "s", ASK_LIMIT_S)
    bare = (
        sys.executable,
        "-c",
        "import dagster, rich.table; dagster.DagsterInstance.get().get_runs(limit=50)",
    )
    least = median(succeed(_run(project, *bare)).seconds for _ in range(TURNS))
    yield Figure("beside it: Dagster alone gives its newest 50 runs", least, "s")
    yield Figure(
        "headwater metrics --by day, all of them", _ask(project, "metrics", "--by", "day").seconds, "s"
    )
    seen = succeed(_run(project, sys.executable, "-c", _SEEN, str(TURNS)))
    yield Figure("a new run is seen after", float(seen.output.split()[-1]), "s", SEEN_LIMIT_S)


def _ask(project: Path, *arguments: str) -> Finished:
    return succeed(_run(project, *HEADWATER, *arguments))


def _run(project: Path, *arguments: str) -> Finished:
    return run_command(arguments, project, {"DAGSTER_HOME": str(project / "home")})


def multiply(home: Path, count: int) -> None:
    """Writes the newest run of a Dagster home so many times more into its storage, a quarter of an hour apart in the
    past; a single one as of now.
    """
    runs = sqlite3.connect(home / "history" / "runs.db")
    events = sqlite3.connect(home / "history" / "runs" / "index.db")
    with runs, events:
        (first, run_id) = runs.execute("SELECT id, run_id FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        columns = [row[1] for row in runs.execute("PRAGMA table_info(runs)")]
        row = dict(
            zip(columns, runs.execute("SELECT * FROM runs WHERE id = ?", [first]).fetchone(), strict=True)
        )
        tags = runs.execute("SELECT key, value FROM run_tags WHERE run_id = ?", [run_id]).fetchall()
        names = [row[1] for row in events.execute("PRAGMA table_info(event_logs)") if row[1] != "id"]
        told = events.execute(
            f"SELECT {', '.join(names)} FROM event_logs WHERE run_id = ? AND dagster_event_type = ?",
            [run_id, "ASSET_MATERIALIZATION"],
        ).fetchall()
        now = datetime.now(UTC).replace(tzinfo=None)
        ids = [str(uuid.uuid4()) for _ in range(count)]
        runs.executemany(
            f"INSERT INTO runs ({', '.join(columns[1:])}) VALUES ({', '.join('?' * (len(columns) - 1))})",
            (
                [_of(row, one, run_id, now, count - n - 1)[name] for name in columns[1:]]
                for n, one in enumerate(ids)
            ),
        )
        runs.executemany("INSERT INTO run_tags (run_id, key, value) VALUES (?, ?, ?)", _tags(ids, tags))
        events.executemany(
            f"INSERT INTO event_logs ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
            (
                _told(dict(zip(names, event, strict=True)), one, run_id, now - (count - n - 1) * EVERY)
                for n, one in enumerate(ids)
                for event in told
            ),
        )
    runs.close()
    events.close()


def _of(row: dict[str, object], one: str, run_id: str, now: datetime, before: int) -> dict[str, object]:
    at = now - before * EVERY
    times = {"create_timestamp": str(at), "update_timestamp": str(at), "start_time": at.timestamp()}
    body = str(row["run_body"]).replace(run_id, one)
    return {**row, "run_id": one, "run_body": body, **times, "end_time": at.timestamp() + 1}


def _told(event: dict[str, object], one: str, run_id: str, at: datetime) -> list[object]:
    body = json.loads(str(event["event"]).replace(run_id, one))
    body["timestamp"] = at.replace(tzinfo=UTC).timestamp()
    return list({**event, "run_id": one, "timestamp": str(at), "event": json.dumps(body)}.values())


def _tags(ids: list[str], tags: list[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    return ((one, *tag) for one in ids for tag in tags)
