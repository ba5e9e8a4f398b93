"""How the command line is used: exit codes, what is said where, and the first project."""

from __future__ import annotations

import pytest

from tests.pipelines.conftest import write_project

WRONG_USE = [
    ("nonsense",),
    ("--nonsense",),
    ("sync", "--nonsense"),
    ("sync", "nobody"),
    ("sync", "--partition", "yesterday"),
    ("sync", "--partition", "2026-13-01"),
    ("sync", "--partition", "2020-01-01"),
    ("sync", "--partition", "2026-11-20", "--backfill", "2026-11-01..2026-11-02"),
    ("sync", "--backfill", "2026-11-01"),
    ("sync", "--backfill", "2026-11-03..2026-11-02"),
    ("sync", "--accept-drop", "nobody"),
    ("check", "nobody"),
    ("connectors", "nobody"),
    ("find",),
    ("find", "colour:red"),
    ("find", "type:"),
    ("forget", "nobody"),
    ("runs", "--flow", "nobody"),
    ("runs", "--since", "yesterday"),
    ("lineage", "nonsense"),
    ("lineage", "upstream"),
    ("lineage", "upstream", "revenue", "--depth", "0"),
    ("lineage", "path", "revenue"),
    ("lineage", "export", "--format", "nonsense"),
    ("lineage", "export", "--format", "parquet"),
    ("sql", "nowhere.sql"),
    ("sql", "--schemas", "nowhere.json"),
]
TEXTS = [
    ("sync", "hand"),
    ("check",),
    ("connectors",),
    ("connectors", "postgres"),
    ("find", "revenue"),
    ("find", "column:amount", "type:table"),
    ("runs",),
    ("lineage", "upstream", "revenue", "--columns"),
    ("lineage", "downstream", "orders"),
    ("lineage", "path", "orders.amount", "revenue"),
    ("lineage", "path", "orders.amount", "revenue", "--all"),
    ("lineage", "explain", "summary", "revenue"),
    ("lineage", "roots"),
    ("lineage", "leaves"),
    ("lineage", "orphans"),
    ("lineage", "cycles"),
    ("lineage", "impact", "main.orders"),
    ("lineage", "impact", "main.orders", "--markdown"),
    ("lineage", "unresolved"),
    ("lineage", "export", "--format", "csv"),
    ("lineage", "export", "--format", "mermaid"),
    ("lineage", "export", "--format", "dot"),
    ("lineage", "export", "--format", "svg", "--columns"),
    ("--help",),
    ("--version",),
    ("lineage", "--help"),
]
HEAD = "partitions: {every: day, start: 2026-11-01}\nconnections:\n"
ONE = "  one: {connector: jsonl, config: {resources: ./r.jsonl}}\n"
UNSET = "  two: {connector: jsonl, config: {resources: '${NOT_SET_ANYWHERE}'}}\n"
FAULTY = """\
name: shop
storge: .headwater
partitions: {every: week, start: 2026-11-01}
connections:
  App:
    connector: sqlite
  hand:
    connector: nothing_like_it
    credential: nobody
    config: {password: hunter2hunter2}
    scedule: "0 3 * * *"
"""


@pytest.mark.parametrize("arguments", WRONG_USE, ids=" ".join)
def test_wrong_use_is_code_2_and_a_message_on_standard_error(synced, arguments):
    said = synced(*arguments)
    assert said.code == 2, said
    assert said.out == b""
    assert said.err.strip()
    assert "Traceback" not in said.err


@pytest.mark.parametrize("arguments", TEXTS, ids=" ".join)
def test_away_from_a_terminal_lines_are_plain(synced, arguments):
    said = synced(*arguments)
    assert said.code == 0, said
    assert said.out.strip()
    assert b"\x1b" not in said.out
    assert "\x1b" not in said.err
    assert said.err == ""
    assert b"\r" not in said.out


def test_an_unknown_id_is_code_1_and_says_what_to_try(synced):
    for question in (("upstream", "nothing_like_it"), ("path", "revenue", "nothing_like_it")):
        said = synced("lineage", *question)
        assert (said.code, said.out) == (1, b"")
        assert "nothing_like_it" in said.err
        assert "headwater find" in said.err


def test_an_ending_of_several_ids_is_code_1_and_names_them(synced):
    said = synced("lineage", "upstream", "id")
    assert (said.code, said.out) == (1, b"")
    assert "app/app.main.customers.id" in said.err
    assert "app/app.main.orders.id" in said.err


def test_before_the_first_sync_commands_say_to_sync(headwater, tmp_path):
    project = str(write_project(tmp_path / "project"))
    for command in (("find", "revenue"), ("lineage", "unresolved"), ("lineage", "export")):
        said = headwater("--project", project, *command)
        assert (said.code, said.out) == (1, b"")
        assert "headwater sync" in said.err
    assert headwater("--project", project, "runs", "--json").json == []
    assert not (tmp_path / "project" / ".headwater" / "graphs").exists()


def test_a_partition_before_the_first_graph_has_none(synced):
    said = synced("lineage", "unresolved", "--as-of", "2026-11-01")
    assert (said.code, said.out) == (1, b"")
    assert "2026-11-01" in said.err


def test_without_a_project_commands_say_how_to_name_one(headwater, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = headwater("sync")
    assert (said.code, said.out) == (2, b"")
    assert "headwater.yaml" in said.err
    assert "--project" in said.err


def test_the_project_is_the_option_then_the_variable_then_the_current_folder(
    headwater, tmp_path, monkeypatch
):
    places = [tmp_path / name for name in ("option", "variable", "current")]
    for place in places:
        write_project(place, HEAD + ONE.replace("one", f"of_{place.name}"))
    monkeypatch.chdir(places[2])
    assert list(headwater("check", "--json").json["connections"]) == ["of_current"]
    monkeypatch.setenv("HEADWATER_PROJECT", str(places[1]))
    assert list(headwater("check", "--json").json["connections"]) == ["of_variable"]
    assert list(headwater("--project", str(places[0]), "check", "--json").json["connections"]) == [
        "of_option"
    ]


def test_every_fault_of_the_file_is_a_line_with_its_place_and_code_2(headwater, tmp_path):
    project = write_project(tmp_path / "project", FAULTY)
    for command in (("sync",), ("check",), ("lineage", "export"), ("runs",)):
        said = headwater("--project", str(project), *command)
        assert (said.code, said.out) == (2, b"")
        assert "Traceback" not in said.err
        assert "hunter2" not in said.err
        faults = said.err.strip().splitlines()
        assert all("headwater.yaml:" in fault for fault in faults), said.err
        for line, word in (
            (2, "storge"),
            (3, "every"),
            (5, "App"),
            (8, "nothing_like_it"),
            (9, "nobody"),
            (11, "scedule"),
        ):
            assert any(f"headwater.yaml:{line}:" in fault and word in fault for fault in faults), (
                line,
                word,
                said.err,
            )


def test_a_file_that_is_no_yaml_is_one_fault_with_its_place(headwater, tmp_path):
    project = write_project(tmp_path / "project", "connections: {a: [\n")
    said = headwater("--project", str(project), "check")
    assert (said.code, said.out) == (2, b"")
    assert "headwater.yaml:2" in said.err
    assert "Traceback" not in said.err


def test_a_failed_connection_is_code_1_its_cause_is_shown_and_the_graph_is_built(headwater, tmp_path):
    project = write_project(tmp_path / "project")
    (project / "app.db").unlink()
    said = headwater("--project", str(project), "sync")
    assert said.code == 1
    assert b"app.db" in said.out
    assert b"graph of" in said.out
    assert "Traceback" not in said.err
    runs = headwater("--project", str(project), "runs", "--json").json
    assert {run["flow"]: run["status"] for run in runs} == {
        "app": "FAILED",
        "scripts": "SUCCESS",
        "hand": "SUCCESS",
    }


def test_a_missing_variable_is_that_connections_failure_said_up_front(headwater, tmp_path):
    project = write_project(tmp_path / "project", HEAD + ONE + UNSET)
    said = headwater("--project", str(project), "sync", "--json")
    assert said.code == 1
    assert "NOT_SET_ANYWHERE" in said.err
    checked = headwater("--project", str(project), "check", "--json")
    assert (checked.code, checked.json["ok"]) == (1, False)
    assert [result["ok"] for result in checked.json["connections"]["two"]] == [False]
    assert all(result["ok"] for result in checked.json["connections"]["one"])


def test_a_project_without_connections_syncs_to_an_empty_graph(headwater, tmp_path):
    project = write_project(tmp_path / "project", HEAD.replace("connections:", "connections: {}"))
    assert headwater("--project", str(project), "sync").code == 0
    export = headwater("--project", str(project), "lineage", "export").json
    assert (export["resources"], export["edges"], export["unresolved"]) == ([], [], [])


def test_init_writes_a_project_that_syncs_at_once(headwater, tmp_path):
    folder = tmp_path / "deep" / "my shop"
    said = headwater("init", str(folder))
    assert said.code == 0
    assert b"headwater sync" in said.out
    assert b"#" in (folder / "headwater.yaml").read_bytes()
    assert all(
        r["ok"]
        for found in headwater("--project", str(folder), "check", "--json").json["connections"].values()
        for r in found
    )
    assert headwater("--project", str(folder), "sync").code == 0
    answer = headwater("--project", str(folder), "lineage", "upstream", "revenue", "--columns", "--json").json
    assert any(
        resource["id"].endswith("orders.amount") or "orders" in resource["id"]
        for resource in answer["resources"]
    )
    assert headwater("--project", str(folder), "lineage", "unresolved", "--json").json == []


def test_init_never_overwrites(headwater, tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "headwater.yaml").write_text("name: mine\n")
    said = headwater("init", str(folder))
    assert (said.code, said.out) == (2, b"")
    assert "headwater.yaml" in said.err
    assert [file.name for file in folder.iterdir()] == ["headwater.yaml"]
    assert (folder / "headwater.yaml").read_text() == "name: mine\n"


def test_init_into_a_file_is_wrong_use(headwater, tmp_path):
    (tmp_path / "file").write_text("mine")
    said = headwater("init", str(tmp_path / "file"))
    assert said.code == 2
    assert (tmp_path / "file").read_text() == "mine"


def test_forget_deletes_a_connections_history(headwater, tmp_path):
    project = ("--project", str(write_project(tmp_path / "project")))
    assert headwater(*project, "sync").code == 0
    assert headwater(*project, "forget", "hand", "--yes").code == 0
    assert headwater(*project, "forget", "hand", "--yes").code == 2
    assert headwater(*project, "lineage", "upstream", "revenue").code == 0
    assert headwater(*project, "sync", "app").code == 0
    assert headwater(*project, "lineage", "upstream", "revenue").code == 1


def test_help_names_every_command(headwater):
    said = headwater("--help")
    for name in ("init", "connectors", "check", "sync", "find", "lineage", "sql", "runs", "forget", "ui"):
        assert f"\n  {name} ".encode() in said.out
    assert headwater("--version").out.startswith(b"headwater, version ")
