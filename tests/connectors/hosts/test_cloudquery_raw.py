"""A plugin that takes freedoms with the protocol, and every way to reach one."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.connector import Context
from connectors.errors import ConfigError, ScriptFailed
from connectors.hosts.cloudquery import CloudQuery
from connectors.http import HttpClient
from connectors.registry import configure
from connectors.testing import Extract, run_connector, today
from tests.connectors.hosts.plugins.hosting import PLUGINS, ROOT, ids, is_running, sync, sync_raw

MAIN = PLUGINS / "raw" / "main.py"


@pytest.fixture(scope="module")
def odd() -> Extract:
    names = ["kinds", "batches", "cut", "nulls", "stranger", "deleting", "plain"]
    return sync_raw(*names, spec={"token": "a-token-of-theirs"})


def test_types_of_other_sdks_are_taken_by_what_the_fields_say(odd):
    one, two = odd.rows("kinds")
    assert {name: one[name] for name in ("net", "card", "tags", "word")} == {
        "net": "10.0.0.0/8",
        "card": "00:1b:ff:01:02:03",
        "tags": '{"a": 1}',
        "word": "a",
    }
    assert one["codes"] == ["00010203-0405-0607-0809-0a0b0c0d0e0f", None]
    assert two["net"] is two["card"] is two["tags"] is two["codes"] is two["word"] is None
    assert str(odd.table("kinds").schema.field("net").type) == "inet"


def test_several_batches_and_none_in_a_message_are_read(odd):
    assert [row["id"] for row in odd.rows("batches")] == [1, 2, 2]


def test_a_message_that_cannot_be_read_is_an_error_and_the_others_are_kept(odd):
    assert ids(odd, "cut") == [1, 3]
    assert odd.report.tables["cut"].errors == 1
    assert "cannot be read" in odd.report.tables["cut"].messages[0]
    assert any(
        one.startswith("raw said of no table: a message cannot be read") for one in odd.report.warnings
    )


def test_a_row_without_its_key_is_refused(odd):
    assert ids(odd, "nulls") == [1, 3]
    assert [(row.table, row.column, row.cause) for row in odd.refused_rows] == [("nulls", "id", "is null")]
    assert odd.report.tables["nulls"].refused == 1


def test_rows_of_a_table_that_was_never_told_are_left_out_with_a_warning(odd):
    assert ids(odd, "stranger") == [1]
    assert "raw gave rows of never_told, which is not among its tables" in odd.report.warnings


def test_records_to_be_deleted_are_a_warning(odd):
    told = [one for one in odd.report.warnings if "delete records" in one]
    assert told == ["raw asked to delete records of deleting: not supported"]


def test_a_broken_schema_of_the_spec_does_not_stand_in_the_way(odd):
    assert odd.error is None
    assert any("JSON Schema cannot be used" in line for line in odd.log)


def test_the_host_leaves_out_what_the_plugin_should_have():
    found = sync_raw("parents", skip_tables=["grandchildren"])
    assert {name: ids(found, name) for name in found.datasets} == {"parents": [1, 2], "children": [1, 2]}
    assert found.report.complete
    assert any("without grandchildren" in line for line in found.log)


def test_relations_are_left_out_where_they_are_not_to_be_brought():
    settings = configure(CloudQuery, {"plugin": str(PLUGINS / "raw")}, None)
    found = Extract()
    connector = CloudQuery(settings, _context(found, tables=["parents"], skip_dependent_tables=True))
    connector.start()
    assert list(found.datasets) == ["parents"]
    assert connector.report.complete


def test_a_table_s_error_leaves_what_hangs_from_it_unsettled():
    found = sync_raw("failing_below", "parents")
    assert ids(found, "children") == [1, 1, 2]
    assert not any(found.report.tables[name].settled for name in ("parents", "children", "grandchildren"))
    assert found.report.tables["failing_below"].settled


def test_no_rows_where_there_were_some_is_a_warning_and_what_was_there_stays():
    found = sync_raw("plain", spec={"rows": 0}, stored_rows={"plain": 2})
    assert found.report.warnings == [
        "plain: no rows, where there were 2; they stay, unless accepted: --accept-drop CloudQuery"
    ]
    assert not found.report.tables["plain"].settled
    assert sync_raw("plain", spec={"rows": 0}).report.complete


def test_dropped_rows_are_counted_beyond_the_log_and_in_lines_too_long():
    found = sync_raw("forgetful", limits={"output_lines": 100})
    assert found.report.tables["forgetful"].refused == 10_051
    assert len(found.refused_rows) == 10_000
    assert found.refused_rows[7].cause == "E(7)"
    assert len(found.log) < 110
    assert "raw printed more lines than limits.output_lines; the rest is left out" in found.log


@pytest.mark.parametrize(
    ("table", "limits", "message"),
    [
        ("crash", {}, "raw crashed with SIGABRT before it was done"),
        ("hang", {"idle_s": 2}, "raw said nothing for 2 s (raise limits.idle_s if it needs more)"),
        ("hang", {"wall_s": 5}, "raw was still running after 5 s (raise limits.wall_s if it needs more)"),
        (
            "chatter",
            {"output_bytes": 1_000_000},
            "raw printed more than 1000000 bytes (raise limits.output_bytes if it needs more)",
        ),
        (
            "huge",
            {"message_bytes": 100_000},
            "raw sent a message of more than 100000 bytes (raise limits.message_bytes if it needs more)",
        ),
    ],
    ids=["crash", "silence", "time", "output", "message"],
)
def test_beyond_a_limit_it_is_ended_and_its_rows_stay(table, limits, message):
    found = sync_raw(table, limits=limits)
    assert isinstance(found.error, ScriptFailed)
    assert str(found.error).startswith(message)
    assert ids(found, table) == [1]
    assert not found.report.tables[table].settled


def test_a_plugin_that_does_not_start_says_why(tmp_path):
    (tmp_path / "main.py").write_text("import no_such_package")
    found = sync({"plugin": str(tmp_path)})
    assert isinstance(found.error, ScriptFailed)
    assert "ended with exit code 1 before it could be asked anything" in str(found.error)
    assert found.error.context["last_lines"][-1] == "ModuleNotFoundError: No module named 'no_such_package'"


def test_a_plugin_that_never_answers_is_ended(tmp_path):
    (tmp_path / "main.py").write_text("import time; time.sleep(600)")
    found = sync({"plugin": str(tmp_path)}, limits={"start_s": 1})
    assert "did not answer within 1 s (raise limits.start_s if it needs more)" in str(found.error)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not bound address space")
def test_a_plugin_s_memory_is_bounded(tmp_path):
    (tmp_path / "main.py").write_text("import resource; print(resource.getrlimit(resource.RLIMIT_AS)[0])")
    found = sync({"plugin": str(tmp_path)}, limits={"memory_bytes": 512 * 1024**2})
    assert found.error is not None
    assert found.error.context["last_lines"] == (str(512 * 1024**2),)


def test_a_command_line_is_a_plugin():
    found = sync({"plugin": f"{sys.executable} {MAIN.relative_to(ROOT)}"}, "plain", folder=ROOT)
    assert found.error is None
    assert ids(found, "plain") == [1, 2]


def test_a_plugin_that_runs_elsewhere_is_connected_to_and_left_alone():
    port = _free_port()
    running = subprocess.Popen(
        [sys.executable, str(MAIN), "--address", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(2):
            found = sync({"plugin": f"grpc://127.0.0.1:{port}"}, "plain")
            assert found.error is None
            assert ids(found, "plain") == [1, 2]
        assert running.poll() is None
    finally:
        running.kill()
        running.wait()


@pytest.mark.parametrize(
    ("config", "cause"),
    [
        ({"plugin": "plugins"}, "has no main.py"),
        ({"plugin": "no_such_program serve"}, "no_such_program is no program"),
        ({"plugin": "''"}, "is no program"),
        ({"plugin": "'"}, "not a command line"),
        ({"plugin": "grpc://nowhere"}, "not an address"),
        ({"plugin": "plugins/raw", "python": "no/such/python"}, "no/such/python is no program"),
        ({"plugin": "true", "python": "python3"}, "is not a folder"),
    ],
)
def test_a_plugin_that_is_not_there_is_a_fault_of_the_configuration(config, cause):
    found = run_connector(CloudQuery, config, folder=PLUGINS.parent)
    assert isinstance(found.error, ConfigError)
    assert cause in str(found.error)


def test_two_run_at_once():
    found: list[Extract] = []
    config = {"plugin": f"{sys.executable} {MAIN}"}
    threads = [
        threading.Thread(target=lambda: found.append(run_connector(CloudQuery, config, tables=["plain"])))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ids(one, "plain") for one in found] == [[1, 2], [1, 2]]


def test_what_a_plugin_started_goes_with_it(tmp_path):
    file = tmp_path / "told"
    sync_raw("orphan", spec={"file": str(file)}, limits={"idle_s": 2})
    _wait_until_gone(file)


def test_a_plugin_goes_when_headwater_is_killed(tmp_path):
    file = tmp_path / "told"
    program = (
        "import sys\n"
        "from connectors.hosts.cloudquery import CloudQuery\n"
        "from connectors.testing import run_connector\n"
        "config = {'plugin': sys.argv[1], 'spec': {'file': sys.argv[2]}}\n"
        "run_connector(CloudQuery, config, tables=['orphan'])\n"
    )
    ours = subprocess.Popen([sys.executable, "-c", program, str(PLUGINS / "raw"), str(file)], cwd=ROOT)
    try:
        _wait(file.is_file)
        assert all(is_running(int(pid)) for pid in file.read_text().split()[:2])
    finally:
        ours.send_signal(signal.SIGKILL)
        ours.wait()
    _wait_until_gone(file)


def test_a_check_says_what_works_and_what_does_not():
    settings = configure(CloudQuery, {"plugin": str(PLUGINS / "raw"), "spec": {"token": "some-token"}}, None)
    told = list(CloudQuery(settings, _context(Extract())).check())
    assert [(one.capability, one.ok, one.message) for one in told] == [
        ("start", True, "raw v0"),
        ("spec", True, "not checked: the plugin gives no schema"),
        ("connection", False, "DENIED no way in with **********"),
        ("tables", True, "18 tables"),
    ]
    settings = configure(CloudQuery, {"plugin": "no_such_program"}, None)
    [failed] = CloudQuery(settings, _context(Extract())).check()
    assert (failed.capability, failed.ok) == ("start", False)


def _context(found: Extract, **more) -> Context:
    def open_http() -> HttpClient:
        raise AssertionError("a plugin asks for itself")

    return Context(connection="here", window=today(), ingest=found, open_http=open_http, **more)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _wait_until_gone(file: Path) -> None:
    """Waits until the processes that a file tells of are gone, and the folder that they had."""
    *pids, folder = file.read_text().split()
    assert len(pids) == 2
    _wait(lambda: not any(is_running(int(pid)) for pid in pids) and not Path(folder).parent.exists())


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not until():
        assert time.monotonic() < end
        time.sleep(0.05)
