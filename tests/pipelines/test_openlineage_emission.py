"""Flow runs told to a receiver of OpenLineage events: at the wire, in a file, and when nobody answers."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID, uuid4, uuid5

import pytest

from connectors import Window
from connectors.errors import ConfigError
from pipelines.openlineage import DagsterRun, close_emitters
from pipelines.openlineage.emitter import BUDGET_S, Emitter, emitter_of
from pipelines.openlineage.receiver import Receiver, receiver_of
from pipelines.openlineage.runs import Note, Task, told_graph
from pipelines.partitions import key_at
from pipelines.project import read_project
from pipelines.sync import run_sync
from tests.openlineage_schema import validate
from tests.pipelines.conftest import FILE

ROOT = Path(__file__).resolve().parents[2]
SECRET, KEY = "hunter2hunter2", "ol-key-9081726354"
TABLES = '''
import pyarrow as pa
from pydantic import SecretStr
from connectors import Column, Connector, ConnectorConfig, Table, TableResolver
from connectors.errors import UnexpectedAnswer


class Rows(TableResolver):
    def resolve(self, client, parent_resource):
        yield {"id": 1, "place": {"city": "Ghent"}}
        yield {"id": 2, "place": None}


class Forms(Table):
    def __init__(self):
        place = pa.struct([("city", pa.string())])
        super().__init__("answers", [Column("id", pa.int64(), primary_key=True), Column("place", place)])

    @property
    def resolver(self):
        return Rows(self)


class Shop(Connector):
    """Has a table of records."""

    class Config(ConnectorConfig):
        token: SecretStr
        fail: bool = False

    def tables(self):
        if self.config.fail:
            raise UnexpectedAnswer("refused with " + self.config.token.get_secret_value())
        return [Forms()]
'''
FORMS = """\
  forms:
    connector: ./forms.py
    config: {token: "${FORMS_TOKEN}", fail: false}
"""


class Heard:
    """A receiver of events, and what it was sent."""

    def __init__(self, status: int = 201) -> None:
        self.events: list[dict] = []
        self.paths: list[tuple[str, str | None]] = []
        heard = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard.paths.append((self.path, self.headers["Authorization"]))
                heard.events.append(json.loads(body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *said: object) -> None:
                """Nothing on standard error."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def heard():
    receiver = Heard()
    yield receiver
    receiver.close()


@pytest.fixture(autouse=True)
def nobody_else_listens(monkeypatch, tmp_path):
    for name in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE_DISABLED", "OPENLINEAGE_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORMS_TOKEN", SECRET)
    monkeypatch.setenv("OL_KEY", KEY)
    yield
    close_emitters()


@pytest.fixture
def project_with(folder):
    """Writes the project with these lines of `openlineage:`."""
    (folder / "forms.py").write_text(TABLES)

    def write(*lines: str, text: str = FILE + FORMS):
        section = "openlineage:\n" + "".join(f"  {line}\n" for line in lines) if lines else ""
        (folder / "headwater.yaml").write_text(text + section)
        return read_project(folder)

    return write


def today(project) -> str:
    return key_at(project.model.partitions, datetime.now(UTC))


def sync(project, *names):
    return run_sync(project, list(names) or list(project.connections), [today(project)])


def by_job(events):
    found = {}
    for event in events:
        found.setdefault(event["job"]["name"], []).append(event)
    return found


def a_note(job="warehouse", at=0, parent=None):
    day = datetime(2026, 11, 20, tzinfo=UTC)
    parent = parent or DagsterRun(str(uuid4()), "__ASSET_JOB")
    window = Window(f"2026-11-20-{at}", day, day)
    return Note(Task(parent, job, window), "START", day)


# -- what is told


def test_a_sync_is_told_over_http(project_with, heard):
    project = project_with(f"url: {heard.url}", "api_key: ${OL_KEY}")
    report = sync(project)
    assert report.ok
    for event in heard.events:
        validate(event)
    assert set(heard.paths) == {("/api/v1/lineage", f"Bearer {KEY}")}
    told = by_job(heard.events)
    assert set(told) == {"app", "scripts", "hand", "forms", "lineage_graph"}
    for job, (started, ended) in told.items():
        assert (started["eventType"], ended["eventType"]) == ("START", "COMPLETE")
        assert started["job"]["namespace"] == "headwater://shop"
        key = f"{job}/{today(project)}"
        assert started["run"]["runId"] == ended["run"]["runId"] == str(uuid5(UUID(report.run_id), key))
        facets = ended["run"]["facets"]
        assert facets["parent"]["run"]["runId"] == report.run_id
        assert facets["nominalTime"]["nominalStartTime"].startswith(today(project))
        assert facets["processing_engine"]["name"] == "Dagster"
        assert started["eventTime"] <= ended["eventTime"]
    assert SECRET not in json.dumps(heard.events)
    assert KEY not in json.dumps(heard.events)


def test_outputs_are_the_catalogue_the_records_and_the_graph(project_with, heard):
    sync(project_with(f"url: {heard.url}", "namespace: shops"))
    told = by_job(heard.events)
    catalogue, answers = told["forms"][1]["outputs"]
    assert (catalogue["namespace"], catalogue["name"]) == ("shops", "resources/forms")
    assert catalogue["outputFacets"]["outputStatistics"]["size"] > 0
    assert (answers["namespace"], answers["name"]) == ("shops/forms", "answers")
    assert answers["outputFacets"]["outputStatistics"]["rowCount"] == 2
    fields = {one["name"]: one for one in answers["facets"]["schema"]["fields"]}
    assert fields["id"]["type"] == "int64"
    assert [one["name"] for one in fields["place"]["fields"]] == ["city"]
    (graph,) = told["lineage_graph"][1]["outputs"]
    assert graph["name"] == "lineage_graph"
    assert graph["outputFacets"]["outputStatistics"]["rowCount"] > 0
    assert {one["name"] for one in told["lineage_graph"][1]["inputs"]} == {
        f"resources/{name}" for name in ("app", "scripts", "hand", "forms")
    }


def test_a_failed_connection_is_told_with_its_error_and_without_its_secret(project_with, folder):
    project = project_with("file: told/events.jsonl", text=FILE + FORMS.replace("false", "true"))
    (folder / "told").mkdir()
    (folder / "app.db").unlink()
    assert not sync(project).ok
    text = (folder / "told" / "events.jsonl").read_text()
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        validate(event)
    told = by_job(events)
    for job, said in (("app", "app.db"), ("forms", "refused with ****")):
        started, ended = told[job]
        assert (started["eventType"], ended["eventType"]) == ("START", "FAIL")
        assert said in ended["run"]["facets"]["errorMessage"]["message"]
        assert ended["outputs"] == []
    assert told["lineage_graph"][1]["eventType"] == "COMPLETE"
    assert SECRET not in text


def test_a_graph_that_cannot_be_built_and_work_that_is_interrupted_are_told(project_with, folder):
    project = project_with("file: events.jsonl", text="storage_options: {key: hunter3hunter3}\n" + FILE)
    note = a_note()

    def fail(error):
        raise error

    for error in (OSError("no room at hunter3hunter3"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            told_graph(project, note.task.parent, note.task.window, lambda error=error: fail(error))
    close_emitters()
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "FAIL", "START", "ABORT"]
    assert events[1]["run"]["facets"]["errorMessage"]["message"] == "OSError: no room at **********"


def test_the_clients_own_variables_count_where_the_file_says_nothing(project_with, heard, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_URL", heard.url)
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "ours")
    sync(project_with(), "hand")
    assert not [name for name in os.environ if name.startswith("OPENLINEAGE__")]
    assert {event["job"]["namespace"] for event in heard.events} == {"ours"}
    assert len(heard.events) == 4
    for event in heard.events:
        validate(event)
        assert "sourceCodeLocation" not in event["job"]["facets"]


def test_nothing_is_sent_where_nothing_is_set_or_it_is_disabled(project_with, monkeypatch, caplog):
    project = project_with()
    assert receiver_of(project) is None
    assert emitter_of(project) is None
    project = project_with("url: http://example.com", "api_key: ${NOT_SET_ANYWHERE}")
    assert receiver_of(project) is None
    assert "NOT_SET_ANYWHERE" in caplog.text
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "TRUE")
    assert receiver_of(project_with("url: http://example.com")) is None


@pytest.mark.parametrize(
    ("url", "base", "endpoint"),
    [
        ("https://u:p@h.example:8443", "https://u:p@h.example:8443", "api/v1/lineage"),
        ("http://h.example/", "http://h.example", "api/v1/lineage"),
        ("http://h.example/in/lineage?code=1", "http://h.example", "in/lineage?code=1"),
    ],
)
def test_an_address_may_have_a_path_of_its_own(project_with, url, base, endpoint):
    receiver = receiver_of(project_with(f"url: {url}"))
    assert (receiver.transport["url"], receiver.transport["endpoint"]) == (base, endpoint)
    assert "u:p" not in receiver.shown
    assert "u:p" not in repr(receiver)


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (("url: http://h.example", "file: x"), "give either url or file"),
        (("namespace: x",), "give either url or file"),
        (("url: h.example",), "not an address"),
        (("url: http://h.example", "timeout: 3"), "did you mean timeout_s"),
        (("url: http://h.example", "timeout_s: 0"), "greater than 0"),
    ],
)
def test_a_wrong_section_is_a_fault_with_its_line(project_with, lines, fault):
    with pytest.raises(ConfigError) as raised:
        project_with(*lines)
    (said,) = raised.value.faults
    assert fault in said
    assert said.startswith("headwater.yaml:")


def test_an_address_that_is_none_is_said_and_the_run_goes_on(project_with, monkeypatch, caplog):
    monkeypatch.setenv("OL_URL", f"http://user:{SECRET}@[receiver:5000")
    report = sync(project_with("url: ${OL_URL}"))
    assert report.ok
    assert "the receiver's address is none" in caplog.text
    assert SECRET not in caplog.text


# -- when nobody answers


@pytest.fixture
def silent():
    """Takes connections and never answers: what a black hole is once it is reached."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def dripping():
    """Answers a byte at a time, so that no read ever times out."""
    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip(connection):
        with connection:
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000:
                if over.wait(0.05):
                    return
                connection.sendall(bytes([byte]))

    def serve():
        while not over.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=[connection], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    over.set()
    server.close()


@pytest.fixture
def refusing():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    return address


@pytest.mark.parametrize("receiver", ["refusing", "silent", "dripping"])
def test_a_receiver_that_does_not_answer_costs_a_sync_two_seconds_at_most(
    project_with, request, receiver, caplog
):
    url = request.getfixturevalue(receiver).replace("//", f"//user:{SECRET}@")
    project = project_with(f"url: {url}", "api_key: ${OL_KEY}", "timeout_s: 1")
    emitter = emitter_of(project)
    with caplog.at_level(logging.WARNING, "headwater.openlineage"):
        report = sync(project)
    assert report.ok
    assert emitter.waited_s < BUDGET_S + 0.3 < 2
    assert (emitter.taken, emitter.sent) == (10, 0)
    (said,) = [one.getMessage() for one in caplog.records if one.name == "headwater.openlineage"]
    assert said.startswith("10 of 10 OpenLineage events were not sent to http://127.0.0.1:")
    assert SECRET not in said
    assert KEY not in caplog.text


def test_processes_of_one_run_wait_together(silent, caplog):
    receiver = Receiver("n", "there", {"type": "http", "url": silent, "timeout": 30})
    parent = DagsterRun(str(uuid4()), "job")
    first, second, other = (Emitter(receiver, budget_s=0.5) for _ in range(3))
    first.put(a_note(parent=parent))
    first.close()
    assert first.waited_s >= 0.5
    second.put(a_note(parent=parent))
    second.close()
    assert second.waited_s < 0.1
    assert second.causes == {"left alone after it failed": 1} or not second.causes
    other.put(a_note(parent=DagsterRun(str(uuid4()), "job")))
    other.close()
    assert other.waited_s >= 0.5


def test_taking_a_note_never_waits_and_too_many_are_counted(silent, caplog):
    transport = {"type": "http", "url": silent, "timeout": 30}
    emitter = Emitter(Receiver("n", "there", transport), budget_s=0.2)
    begun = time.monotonic()
    for at in range(1500):
        emitter.put(a_note(at=at))
    assert time.monotonic() - begun < 1
    assert emitter.failed >= 499
    emitter.close()
    assert emitter.waited_s < 0.5
    assert (
        "1500 of 1500 OpenLineage events were not sent to there: too many wait, no answer in time"
        in caplog.text
    )


def test_a_receiver_that_refuses_an_event_is_sent_the_next_one(caplog):
    heard = Heard(status=422)
    emitter = Emitter(Receiver("n", "there", {"type": "http", "url": heard.url}))
    for at in range(4):
        emitter.put(a_note(at=at))
    emitter.close()
    heard.close()
    assert len(heard.events) == 4
    assert "4 of 4 OpenLineage events were not sent to there: HTTP 422" in caplog.text


def test_one_that_fails_is_left_alone(project_with):
    heard = Heard(status=500)
    emitter = emitter_of(project_with(f"url: {heard.url}"))
    for at in range(5):
        emitter.put(a_note(at=at))
    emitter.close()
    heard.close()
    assert len(heard.events) == 2
    assert emitter.causes == {"HTTP 500": 2, "left alone after it failed": 3}


def test_a_process_sends_what_it_has_at_its_end_also_a_child_of_multiprocessing(project_with, folder):
    project_with("file: events.jsonl")
    code = f"""
        import multiprocessing, time
        from pathlib import Path
        from pipelines.openlineage.emitter import emitter_of
        from pipelines.project import read_project
        from tests.pipelines.test_openlineage_emission import a_note

        def tell(job):
            emitter = emitter_of(read_project(Path({str(folder)!r})))
            emitter.put(a_note(job))
            return emitter

        if __name__ == "__main__":
            emitter = tell("first")
            while not emitter.sent:  # a child that is forked while a thread imports cannot import
                time.sleep(0.01)
            tell("parent")
            child = multiprocessing.get_context("fork").Process(target=tell, args=["child"])
            child.start()
            child.join()
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    lines = (folder / "events.jsonl").read_text().splitlines()
    assert {json.loads(line)["job"]["name"] for line in lines} == {"first", "parent", "child"}


def test_the_client_is_loaded_only_where_there_is_somebody_to_tell():
    code = (
        "import sys, connectors, lineage, lineage.graph.build, pipelines.definitions\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('openlineage', 'requests')])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "openlineage" not in said.stdout, said.stdout
