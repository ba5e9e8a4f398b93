"""Work that is started through Dagster: its runs, what they find, schedules, definitions read anew."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from connectors.errors import ConfigError, RunError
from lineage import open_store
from pipelines.home import dagster_home
from pipelines.jobs import PROJECT_TAG
from pipelines.project import read_project
from pipelines.server.dagster_workspace import HEARTBEAT_S
from pipelines.server.launcher import DagsterLauncher
from tests.services.dagster_dev import DagsterDev, free_port, serving, without_network

ROOT = Path(__file__).resolve().parents[3]
LONG = bool(os.environ.get("HEADWATER_LONG"))
SECRET = "hunter2-hunter2"
FILE = """\
name: launched
partitions: {every: day, start: 2026-11-01}
credentials:
  login: {token: "${LAUNCHER_TOKEN}"}
connections:
  app:
    connector: sqlite
    config: {path: ./app.db}
    records: [app.main.people]
    schedule: "15 * * * *"
  hand:
    connector: jsonl
    config: {resources: ./r.jsonl}
  gone:
    connector: jsonl
    config: {resources: ./gone.jsonl}
  telling:
    connector: ./telling.py
    credential: login
  slow:
    connector: ./slow.py
datasets:
  people:
    from: app/app.main.people
    transform: {operations: [{select: [id, email]}]}
    personal: [email]
"""
NEW = """\
  another:
    connector: jsonl
    config: {resources: ./r.jsonl}
    schedule: "30 * * * *"
"""
TELLING = '''\
from connectors import Connector


class Telling(Connector):
    """Raises what it must not tell."""

    class Config(Connector.Config):
        token: str

    def extract(self):
        self.log.warning("the token is %s", self.config.token)
        raise ValueError(f"{self.config.token} is not accepted")

    def check(self):
        raise ValueError(f"{self.config.token} is not accepted")
'''
SLOW = '''\
import time

from connectors import Connector


class Slow(Connector):
    """Takes its time."""

    def extract(self):
        time.sleep(60)
'''
RESOURCE = '{"entity_type": "dashboard", "databuilder_id": "revenue", "title": "Revenue"}\n'
PEOPLE = """
create table people (id integer primary key, email text, api_key text);
insert into people values (1, 'ann@example.com', 'k-1'), (2, 'ben@example.com', 'k-2');
"""


WANTED = {
    "slow": lambda launcher: launcher.preview("slow"),
    "sync": lambda launcher: launcher.sync(["hand", "app", "gone"], full=True, accept_drop=["hand"]),
    "preview": lambda launcher: launcher.preview("app", 1),
    "preview telling": lambda launcher: launcher.preview("telling"),
}
if LONG:
    WANTED |= {
        "sync hand": lambda launcher: launcher.sync(["hand"]),
        "check telling": lambda launcher: launcher.check("telling"),
    }
TELLING_VERBS = ["preview", "check"] if LONG else ["preview"]


@dataclass
class Started:
    """A launcher over a project's folder, without a daemon, and the runs that it was asked for at once."""

    launcher: DagsterLauncher
    folder: Path
    runs: dict[str, str] = field(default_factory=dict)

    def launch(self, wanted: Mapping[str, Callable[[DagsterLauncher], str]]) -> None:
        """Asks for several runs, each from a thread of its own."""
        with ThreadPoolExecutor(len(wanted)) as pool:
            ids = pool.map(lambda start: start(self.launcher), wanted.values())
            self.runs.update(zip(wanted, ids, strict=True))

    def end(self, run_id: str) -> dg.DagsterRun:
        """The run when it has ended."""
        with dg.DagsterInstance.get() as instance:
            return waited(lambda: (run := instance.get_run_by_id(run_id)) and run.is_finished and run)

    def found(self, run_id: str) -> Any:
        return waited(lambda: self.launcher.result(run_id))


def waited(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"nothing after {seconds:.0f} s")


def write_project(folder: Path, text: str = FILE) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "headwater.yaml").write_text(text)
    (folder / "r.jsonl").write_text(RESOURCE)
    (folder / "telling.py").write_text(TELLING)
    (folder / "slow.py").write_text(SLOW)
    with sqlite3.connect(folder / "app.db") as db:
        db.executescript(PEOPLE)
    db.close()
    return folder


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, webserver: object) -> Iterator[Started]:
    folder = write_project(tmp_path_factory.mktemp("launched") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder.parent / "home"))
        patch.setenv("HEADWATER_PROJECT", "")
        patch.setenv("LAUNCHER_TOKEN", SECRET)
        started = Started(DagsterLauncher(read_project(folder)), folder)
        started.launch(WANTED)
        yield started
        started.launcher.close()


def events_text(run_id: str) -> str:
    with dg.DagsterInstance.get() as instance:
        return "\n".join(
            record.event_log_entry.to_json() for record in instance.get_records_for_run(run_id).records
        )


def code_servers(parent: int) -> set[int]:
    """The code servers that a process has started."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            status = (entry / "stat").read_text() if b"grpc" in command else ""
        except OSError:
            continue
        if status and int(status.rpartition(")")[2].split()[1]) == parent:
            found.add(int(entry.name))
    return found


HOLD = """
import sys, time
from pathlib import Path
from pipelines.project import read_project
from pipelines.server.launcher import DagsterLauncher
launcher = DagsterLauncher(read_project(Path(sys.argv[1])))
launcher.schedule_is_on("app")
print("ready", flush=True)
time.sleep(120)
"""


@dataclass
class Webserver:
    """A running Dagster, and the project's folder that it serves, with records of its own."""

    dagster: DagsterDev
    url: str
    folder: Path
    home: Path


@pytest.fixture(scope="module")
def webserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webserver]:
    """It comes up while others do."""
    place, port = tmp_path_factory.mktemp("webserver"), free_port()
    folder, home = write_project(place / "project"), place / "home"
    home.mkdir()
    # Without a daemon nothing takes runs out of a queue.
    (home / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        dagster_home(read_project(folder))
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port)]
    command += ["-m", "pipelines.definitions"]
    environment = apart(place) | {"HEADWATER_PROJECT": str(folder)}
    with serving(command, port, folder, environment, place / "log") as dagster:
        yield Webserver(dagster, f"http://127.0.0.1:{port}", folder, home)


def apart(folder: Path) -> dict[str, str]:
    """The environment of a process with records of its own."""
    return without_network() | {"PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(folder / "home")}


def is_there(pid: int) -> bool:
    try:
        return b"grpc" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_sync_runs_at_once_without_a_daemon_and_is_recorded(started):
    run = started.end(started.runs["sync"])
    # One of its sources fails. The graph is made all the same.
    assert run.status == dg.DagsterRunStatus.FAILURE
    with dg.DagsterInstance.get() as instance:
        starts = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_START).records
    assert len(starts) == 1
    assert open_store(started.folder / ".headwater").graph().header.partition == run.tags["dagster/partition"]
    made = {"/".join(key.path) for key in run.asset_selection}
    assert made == {
        *(f"{kind}/{name}" for kind in ("resources", "flow_runs") for name in ("hand", "app", "gone")),
        *("datasets/people", "flow_runs/datasets/people", "lineage_graph"),
    }
    assert run.tags["headwater/full"] == "true"
    assert run.tags["headwater/accept_drop"] == "hand"


@pytest.mark.skipif(not LONG, reason="tests of the server's routes show it too")
def test_a_sync_of_sources_that_do_not_fail_is_a_run_that_succeeds(started):
    assert started.end(started.runs["sync hand"]).status == dg.DagsterRunStatus.SUCCESS


def test_what_does_not_exist_is_refused(started):
    launcher = started.launcher
    with pytest.raises(ConfigError, match="no connection is named hnad"):
        launcher.sync(["hnad"])
    with pytest.raises(ConfigError, match="no connection is named hnad"):
        launcher.preview("hnad")
    with pytest.raises(RunError, match="2020-01-01 is not a partition"):
        launcher.sync(["hand"], "2020-01-01")
    with pytest.raises(RunError, match="1 to 100"):
        launcher.preview("hand", 5000)
    with pytest.raises(RunError, match="there is no run"):
        launcher.result("no-such-run")
    with pytest.raises(RunError, match="there is no run"):
        launcher.cancel("no-such-run")
    with pytest.raises(RunError, match="neither a preview nor a check"):
        launcher.result(started.runs["sync"])


def test_a_preview_gives_counts_and_masked_samples_and_stores_nothing(started):
    run_id = started.runs["preview"]
    found = started.found(run_id)
    assert found["error"] is None
    assert found["counts"]["resources"] >= 4
    (table,) = found["tables"].values()
    assert table["rows"] == 2
    assert table["sample"] == [{"id": 1, "email": "masked", "api_key": "masked"}]
    assert started.end(run_id).status == dg.DagsterRunStatus.SUCCESS
    assert "ann@example.com" not in events_text(run_id)


@pytest.mark.parametrize("verb", TELLING_VERBS)
def test_a_connection_that_fails_is_a_failed_run_that_says_why_without_its_secrets(started, verb):
    run_id = started.runs[f"{verb} telling"]
    found = started.found(run_id)
    assert found["connection"] == "telling"
    assert "is not accepted" in found["error"]
    assert started.end(run_id).status == dg.DagsterRunStatus.FAILURE
    assert SECRET not in events_text(run_id)


def test_a_run_is_canceled_and_an_ended_one_is_not(started):
    run_id = started.runs["slow"]
    with dg.DagsterInstance.get() as instance:
        # The step has begun: before that there is nothing to interrupt.
        begun = dg.DagsterEventType.STEP_START
        waited(lambda: instance.get_records_for_run(run_id, of_type=begun).records)
    assert started.launcher.result(run_id) is None
    started.launcher.cancel(run_id)
    assert started.end(run_id).status == dg.DagsterRunStatus.CANCELED
    assert "CANCELED" in started.launcher.result(run_id)["error"]
    with pytest.raises(RunError, match="has ended as CANCELED"):
        started.launcher.cancel(run_id)


@dg.job
def of_a_command() -> None:
    """Does nothing."""


def test_a_run_of_the_command_line_is_not_canceled_here(started):
    with dg.DagsterInstance.get() as instance:
        made = instance.create_run_for_job(of_a_command, status=dg.DagsterRunStatus.STARTED)
    with pytest.raises(RunError, match="by a command"):
        started.launcher.cancel(made.run_id)


def test_a_daemon_that_is_alive_is_left_what_is_in_its_queue(started):
    with dg.DagsterInstance.get() as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "QUEUED_RUN_COORDINATOR", "this", []))
        try:
            run_id = started.launcher.check("hand")
        finally:
            instance.wipe_daemon_heartbeats()
        assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.QUEUED
        assert started.launcher.result(run_id) is None
        started.launcher.cancel(run_id)
        assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.CANCELED


def test_what_waits_for_a_daemon_that_has_ended_is_started_once(started):
    with dg.DagsterInstance.get() as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "QUEUED_RUN_COORDINATOR", "this", []))
        try:
            waiting = [started.launcher.check("hand"), started.launcher.check("app")]
            # Of another project of this home.
            other = started.launcher.check("hand")
            instance.add_run_tags(other, {PROJECT_TAG: "another"})
            started.launcher.take_up_waiting()
            assert {instance.get_run_by_id(one).status for one in waiting} == {dg.DagsterRunStatus.QUEUED}
        finally:
            instance.wipe_daemon_heartbeats()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: started.launcher.take_up_waiting(), range(2)))
        for one in waiting:
            assert started.end(one).status == dg.DagsterRunStatus.SUCCESS
            begun = instance.get_records_for_run(one, of_type=dg.DagsterEventType.RUN_START).records
            assert len(begun) == 1
        assert instance.get_run_by_id(other).status == dg.DagsterRunStatus.QUEUED
        started.launcher.cancel(other)


def test_a_schedule_that_is_switched_is_seen_in_dagsters_storage(started):
    launcher = started.launcher
    assert launcher.schedule_is_on("hand") is None
    assert launcher.schedule_is_on("app") is False
    launcher.switch_schedule("app", True)
    assert launcher.schedule_is_on("app") is True
    with dg.DagsterInstance.get() as instance:
        states = [(one.name, one.status.value) for one in instance.all_instigator_state()]
    assert states == [("app_schedule", "RUNNING")]
    launcher.switch_schedule("app", False)
    assert launcher.schedule_is_on("app") is False
    with pytest.raises(RunError, match="hand has no schedule"):
        launcher.switch_schedule("hand", True)


def test_definitions_are_read_anew_and_broken_ones_leave_the_old(started):
    file = started.folder / "headwater.yaml"
    try:
        with pytest.raises(ConfigError, match="another"):
            started.launcher.check("another")
        file.write_text(FILE.replace("datasets:", f"{NEW}datasets:", 1))
        started.launcher.reload()
        assert started.launcher.schedule_is_on("another") is False
        file.write_text(FILE.replace("connector: sqlite", "connector: sqlit"))
        with pytest.raises(RunError, match=r"do not load: headwater.yaml:\d+: no connector is named sqlit"):
            started.launcher.reload()
        assert started.launcher.schedule_is_on("another") is False
    finally:
        file.write_text(FILE)


def test_a_code_server_that_died_is_started_again(started):
    died = code_servers(os.getpid())
    for server in died:
        os.kill(server, signal.SIGKILL)
        os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
    assert started.launcher.schedule_is_on("app") is False
    assert code_servers(os.getpid()) - died


def test_a_running_dagster_is_asked_at_its_address(webserver, monkeypatch):
    folder = webserver.folder
    monkeypatch.setenv("DAGSTER_HOME", str(webserver.home))
    with pytest.raises(RunError, match="does not answer") as refused:
        DagsterLauncher(read_project(folder), f"http://127.0.0.1:{free_port()}").check("hand")
    assert refused.value.retryable
    webserver.dagster.locations()
    launcher = DagsterLauncher(read_project(folder), webserver.url)
    checked = launcher.check("hand")
    (folder / "headwater.yaml").write_text(FILE.replace("datasets:", f"{NEW}datasets:", 1))
    launcher.reload()
    launcher.switch_schedule("another", True)
    assert launcher.schedule_is_on("another") is True
    assert launcher.schedule_is_on("app") is False
    found = Started(launcher, folder).found(checked)
    assert (found["ok"], found["error"]) == (True, None)
    told = {"capability": "configuration", "ok": True, "message": "", "hint": None}
    assert found["checks"][0] == told
    launcher.close()


@pytest.mark.parametrize("url", ["127.0.0.1:3000", "ftp://127.0.0.1", "http://me:word@127.0.0.1:3000"])
def test_an_address_that_is_none_is_refused_and_not_shown(url, started):
    with pytest.raises(ConfigError, match="HEADWATER_DAGSTER_URL") as refused:
        DagsterLauncher(read_project(started.folder), url)
    assert "word" not in str(refused.value)


@pytest.mark.skipif(not LONG, reason="40 s: `make test-long`")
def test_the_code_server_does_not_outlive_a_process_that_is_killed(tmp_path):
    command = [sys.executable, "-c", HOLD, str(write_project(tmp_path / "project"))]
    process = subprocess.Popen(command, env=apart(tmp_path), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        orphans = code_servers(process.pid)
    finally:
        process.kill()
        process.communicate()
    assert len(orphans) == 1
    waited(lambda: not any(map(is_there, orphans)), 2 * HEARTBEAT_S + 10)


def test_definitions_that_are_being_read_anew_at_the_end_leave_no_code_server(started):
    others = code_servers(os.getpid())
    launcher = DagsterLauncher(read_project(started.folder))
    assert launcher.schedule_is_on("app") is False
    first = code_servers(os.getpid())

    def reload() -> None:
        with suppress(RunError):
            launcher.reload()

    reading = threading.Thread(target=reload)
    reading.start()
    waited(lambda: code_servers(os.getpid()) - first, 30)
    launcher.close()
    reading.join(60)
    waited(lambda: code_servers(os.getpid()) <= others, 15)


def test_the_code_servers_end_with_the_launcher(started):
    assert started.launcher.schedule_is_on("app") is False
    servers = code_servers(os.getpid())
    assert servers
    started.launcher.close()
    started.launcher.close()
    waited(lambda: not any(map(is_there, servers)), 15)
    with pytest.raises(RunError, match="closed"):
        started.launcher.check("hand")
