"""What the API created, laid under headwater.yaml."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ConfigError
from lineage.store.objects import Objects
from pipelines.cli.main import run
from pipelines.overlay import OverlayEditor, exported
from pipelines.overlay.names import unused_key
from pipelines.project import connection_specs, read_project, resolve_connection
from pipelines.project.loader import OBJECTS, read_file
from pipelines.project.overlay import lay_under, objects_of
from pipelines.project.sealing import KEY
from pipelines.project.sink import resolve_sink
from pipelines.server.nexla.wishes import of_file
from pipelines.server.problems import ApiProblem
from pipelines.surrogates import surrogate_id
from tests.pipelines.conftest import FILE

APP = {"connector": "sqlite", "config": {"path": "app.db"}, "records": ["app.main.orders"]}
DERIVED = """\
datasets:
  big_orders: {from: app/app.main.orders, transform: {operations: [{filter: {condition: "amount > 10"}}]}}
"""


@pytest.fixture
def editor(folder: Path) -> OverlayEditor:
    return OverlayEditor(folder)


def refused(why: str, match: str | None = None):
    return pytest.raises(ConfigError, match=match, check=lambda error: error.context.get("refused") == why)


def test_what_the_api_created_is_part_of_the_project(editor, folder):
    key, body = editor.create("connection", "Bench Source", APP, more={"description": "for benches"})
    editor.create("transform", "tidy", {"operations": [{"rename": {"id": "order_id"}}]})
    editor.create("dataset", "orders", {"from": "bench_source/app.main.orders", "transform": "tidy"})
    editor.create("sink", "lake", {"connector": "delta", "config": {"uri": "lake"}, "of": "orders"})
    project = read_project(folder)
    assert key == "bench_source"
    assert body["id"] == surrogate_id("connection", "bench_source")
    assert project.overlay["connection", "bench_source"] == body
    assert (body["name"], body["more"]) == ("Bench Source", {"description": "for benches"})
    assert project.connections["bench_source"].records == ["app.main.orders"]
    assert project.model.datasets["orders"].sinks == ["lake"]
    assert list(project.datasets) == ["orders"]
    assert "bench_source" in [spec.name for spec in connection_specs(project)]
    assert resolve_connection(project, "bench_source").config.path == "app.db"
    assert project.where("connections", "bench_source") == "overlay connection bench_source"
    assert not project.left_out


def test_the_file_wins_and_its_objects_are_read_only(editor, folder):
    editor.create("connection", "late", APP)
    text = (folder / "headwater.yaml").read_text()
    (folder / "headwater.yaml").write_text(
        text + "  late: {connector: jsonl, config: {resources: r.jsonl}}\n"
    )
    project = read_project(folder)
    assert project.connections["late"].connector == "jsonl"
    assert "wins" in project.left_out["connection", "late"]
    with refused("read_only", "headwater.yaml"):
        editor.update("connection", "late", settings=APP)
    with refused("read_only"):
        editor.delete("connection", "app")
    editor.delete("connection", "late")
    assert read_project(folder).connections["late"].connector == "jsonl"


def test_an_object_that_no_longer_fits_is_left_out_with_all_that_hangs_from_it(editor, folder, caplog):
    text = (folder / "headwater.yaml").read_text()
    (folder / "headwater.yaml").write_text(text + DERIVED)
    editor.create("dataset", "few", {"from": "datasets/big_orders"})
    editor.create("dataset", "fewer", {"from": "datasets/few"})
    editor.create("sink", "lake", {"connector": "delta", "config": {"uri": "lake"}, "of": "fewer"})
    editor.create("connection", "sound", APP)
    (folder / "headwater.yaml").write_text(text)
    with caplog.at_level(logging.WARNING):
        project = read_project(folder)
        read_project(folder)
    assert set(project.left_out) == {("dataset", "few"), ("dataset", "fewer"), ("sink", "lake")}
    assert "big_orders" in project.left_out["dataset", "few"]
    assert list(project.overlay) == [("connection", "sound")]
    assert len([record for record in caplog.records if "is left out" in record.message]) == 3


def test_a_dataset_of_the_file_is_delivered_to_a_sink_of_the_api(editor, folder):
    (folder / "headwater.yaml").write_text((folder / "headwater.yaml").read_text() + DERIVED)
    editor.create("sink", "lake", {"connector": "delta", "config": {"uri": "lake"}, "of": "big_orders"})
    assert read_project(folder).model.datasets["big_orders"].sinks == ["lake"]
    editor.set_active("sink", "lake", False)
    assert read_project(folder).model.datasets["big_orders"].sinks == []
    with refused("invalid", "no dataset is named nothing"):
        editor.create("sink", "other", {"connector": "delta", "config": {"uri": "other"}, "of": "nothing"})


def test_what_others_need_is_not_deleted_nor_changed_under_them(editor):
    editor.create("connection", "source", APP)
    editor.create("transform", "tidy", {"operations": []})
    editor.create("dataset", "orders", {"from": "source/app.main.orders", "transform": "tidy"})
    editor.create("dataset", "child", {"from": "datasets/orders"})
    editor.create("sink", "lake", {"connector": "delta", "config": {"uri": "lake"}, "of": "orders"})
    with refused("in_use", "dataset orders"):
        editor.delete("connection", "source")
    with refused("in_use", "dataset child, sink lake"):
        editor.delete("dataset", "orders")
    with refused("in_use"):
        editor.delete("transform", "tidy")
    with refused("invalid", "rename"):
        editor.update("transform", "tidy", settings={"operations": [{"renam": {}}]})
    for kind, key in (("sink", "lake"), ("dataset", "child"), ("dataset", "orders"), ("transform", "tidy")):
        editor.delete(kind, key)
    editor.delete("connection", "source")
    with refused("unknown"):
        editor.delete("connection", "source")


def test_a_change_keeps_what_is_not_given(editor, folder):
    key, first = editor.create("connection", "source", APP, more={"tags": ["a"]}, copied_from=7)
    changed = editor.update("connection", key, name="Source of orders")
    assert (changed["settings"], changed["more"], changed["copied_from"]) == (APP, {"tags": ["a"]}, 7)
    assert (changed["name"], changed["created_at"]) == ("Source of orders", first["created_at"])
    assert changed["updated_at"] >= first["updated_at"]
    assert editor.set_active("connection", key, True)["active"] is True


@pytest.mark.parametrize(
    ("kind", "body", "match"),
    [
        ("connection", {"connector": "sqlite", "config": [1]}, "config"),
        ("connection", {"connector": "sqlit", "config": {}}, "did you mean sqlite"),
        ("connection", {"connector": "sqlite", "credential": "nobody"}, "no credential is named nobody"),
        ("connection", {"connector": "sqlite", "schedule": "often"}, "cron"),
        ("dataset", {"from": "app"}, "is no dataset"),
        ("dataset", {"from": "datasets/itself"}, "no dataset"),
        ("sink", {"connector": "delta", "config": {"uri": "x"}, "of": 7}, "of is no dataset"),
        ("lookup", {}, "kind"),
    ],
)
def test_what_could_not_be_part_of_the_project_is_not_stored(editor, kind, body, match):
    with refused("invalid", match):
        editor.create(kind, "it", body)
    assert not editor.objects.all()


def test_names_are_made_of_what_users_write(editor):
    assert [editor.create("transform", "Größe #1", {"operations": []})[0] for _ in range(3)] == [
        "groe_1",
        "groe_1_2",
        "groe_1_3",
    ]
    assert unused_key("sink", "2026 load", ()) == "sink_2026_load"
    assert unused_key("sink", "データ", ()) == "sink"
    assert len(unused_key("sink", "x" * 500, ())) <= 100
    assert editor.create("connection", "datasets", APP)[0] == "datasets_2"
    assert editor.create("connection", "app", APP)[0] == "app_2"


def test_the_numbers_of_objects_never_change():
    assert surrogate_id("connection", "bench_source") == 34015301251800
    assert 0 < surrogate_id("sink", "lake") < 2**48


def test_two_writers_at_once_lose_nothing(folder):
    program = (
        "import sys\nfrom pathlib import Path\nfrom pipelines.overlay import OverlayEditor\n"
        "editor = OverlayEditor(Path(sys.argv[1]))\n"
        "for _ in range(8): editor.create('transform', 'same name', {'operations': []})\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(folder)]) for _ in range(2)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(read_project(folder).model.transforms) == 16


def test_a_project_without_an_overlay_loads_nothing_for_it(folder):
    program = (
        "import sys\nfrom pathlib import Path\nfrom pipelines.project.loader import read_project\n"
        "read_project(Path(sys.argv[1]))\n"
        "assert not {'pipelines.project.overlay', 'cryptography'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, timeout=60)


def test_the_overlay_is_where_the_store_has_its_objects(project):
    assert objects_of(project).uri == os.path.join(project.storage, OBJECTS)


def test_an_overlay_that_cannot_be_read_leaves_the_file_alone(editor, folder, caplog):
    editor.create("connection", "source", APP)
    log = Path(editor.objects.uri, "_delta_log")
    for entry in log.glob("*.json"):
        entry.write_text("{")
    project = read_project(folder)
    assert "source" not in project.connections
    assert not project.overlay
    assert "cannot be read" in caplog.text


def test_a_running_server_takes_up_what_was_created(editor, folder, project):
    from pipelines.server.served import CurrentProject

    current = CurrentProject(project)
    current.look()
    assert current.project is project
    editor.create("connection", "source", APP)
    current.look()
    assert "source" in current.project.connections
    taken_up = current.project
    current.look()
    assert current.project is taken_up


def test_maintenance_cleans_the_objects_too(editor, folder):
    from datetime import date

    from lineage.store import maintain, open_store

    for _ in range(3):
        editor.create("transform", "tidy", {"operations": []})
    project = read_project(folder)
    store = open_store(project.storage)
    maintain(store, keep_days=None, today=date(2026, 11, 20), retention_hours=0)
    assert len(list(Path(editor.objects.uri).glob("*.parquet"))) == 1
    assert len(read_project(folder).model.transforms) == 3


# -- taking it over into the file

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["${HOME}", "$$", "$", "no", "1", "null", "2026-11-01", "a: b", "*x", "${X:-y}", "~x y"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=4,
)
connections = st.fixed_dictionaries(
    {"connector": st.just("sqlite")},
    optional={
        "config": st.dictionaries(st.sampled_from(["path", "database", "x"]), values, max_size=3),
        "records": st.lists(texts, max_size=2),
        "instance": texts,
        "schedule": st.just("5 * * * *"),
        "defaults": st.fixed_dictionaries({}, optional={"schema": texts, "dialect": st.just("sqlite")}),
        "credential": st.just("login"),
    },
)
bodies = st.fixed_dictionaries(
    {
        ("connection", "made"): connections,
        ("credential", "login"): st.just({}),
        ("transform", "tidy"): texts.map(lambda text: {"operations": [{"rename": {"id": text or "x"}}]}),
        ("dataset", "orders"): st.fixed_dictionaries(
            {"from": st.just("made/app.main.orders")},
            optional={"transform": st.just("tidy"), "description": texts},
        ),
    },
    optional={
        ("sink", "lake"): st.fixed_dictionaries(
            {"connector": st.just("delta"), "config": st.dictionaries(st.just("uri"), values)},
            optional={"of": st.sampled_from(["orders", "big_orders"])},
        ),
        ("sink", "hill"): st.just({"connector": "files", "config": {"path": "hill"}, "of": "big_orders"}),
    },
)


@settings(deadline=None, max_examples=60)
@given(objects=bodies, active=st.sampled_from([None, True, False]))
def test_what_is_exported_and_written_into_the_file_is_what_was_laid_under_it(
    tmp_path_factory, objects, active
):
    folder = tmp_path_factory.getbasetemp() / "law"
    folder.mkdir(exist_ok=True)
    (folder / "headwater.yaml").write_text(FILE + DERIVED)
    file = read_file(folder)
    stored = {
        name: {"name": name[1], "settings": one, "sealed": None, "active": active, "more": {}}
        for name, one in objects.items()
    }
    laid = lay_under(file, stored, tell=False)
    found = exported(laid)
    data = yaml.safe_load((folder / "headwater.yaml").read_text())
    for section, added in yaml.safe_load(yaml.safe_dump(found.data)).items():
        data[section] = {**data.get(section, {}), **added}
    for dataset, sinks in found.sinks.items():
        data["datasets"][dataset]["sinks"] = sinks
    (folder / "headwater.yaml").write_text(yaml.safe_dump(data))
    assert read_project(folder).model == laid.model


def test_a_copy_of_what_stands_in_the_file_means_the_same(folder):
    added = """\
  odd:
    connector: sqlite
    config: {path: "a$$b $$$$ $${HOME}.db"}
    instance: i$$j
    defaults: {schema: s$$t}
    records: ["a$$b"]
sinks:
  ex: {connector: files, config: {path: data/ex$$ports}}
datasets:
  orders: {from: app/app.main.orders, description: "$$ ${HOME}"}
"""
    (folder / "headwater.yaml").write_text(FILE + added)
    editor = OverlayEditor(folder)
    project = read_project(folder)
    for kind, name in (("connection", "odd"), ("sink", "ex"), ("dataset", "orders")):
        editor.create(kind, f"{name} copy", of_file(project, kind, name))
    project = read_project(folder)
    assert project.overlay["sink", "ex_copy"]["settings"]["config"] == {"path": "data/ex$ports"}
    assert resolve_sink(project, "ex_copy").sink.config == resolve_sink(project, "ex").sink.config
    assert resolve_connection(project, "odd_copy").config == resolve_connection(project, "odd").config
    assert project.connection("odd_copy") == project.connection("odd")
    assert project.model.datasets["orders_copy"] == project.model.datasets["orders"]


@pytest.mark.parametrize("path", ["${X}", "a$$${X}", "${X:-d}"])
def test_what_holds_variables_is_not_copied(folder, path):
    (folder / "headwater.yaml").write_text(
        FILE + f"sinks: {{ex: {{connector: files, config: {{path: '{path}'}}}}}}\n"
    )
    with pytest.raises(ApiProblem, match="variables"):
        of_file(read_project(folder), "sink", "ex")


def test_the_commands_list_export_and_delete(editor, folder, capfd, monkeypatch):
    monkeypatch.setenv(KEY, Fernet.generate_key().decode())
    (folder / "headwater.yaml").write_text((folder / "headwater.yaml").read_text() + DERIVED)
    editor.create("credential", "Bench login", {}, secret={"path": "app.db", "pass word": "hunter2hunter2"})
    editor.create("connection", "bench", {"connector": "sqlite", "credential": "bench_login"})
    editor.create("sink", "lake", {"connector": "delta", "config": {"uri": "lake"}, "of": "big_orders"})
    at = ["--project", str(folder), "overlay"]
    assert run([*at, "list", "--json"]) == 0
    listed = json.loads(capfd.readouterr().out)
    assert [(one["kind"], one["key"], one["left_out"]) for one in listed] == [
        ("connection", "bench", None),
        ("credential", "bench_login", None),
        ("sink", "lake", None),
    ]
    assert run([*at, "list"]) == 0
    assert "Bench login" in capfd.readouterr().out
    assert run([*at, "export"]) == 0
    printed = capfd.readouterr().out
    assert "# set in the environment: BENCH_LOGIN_PASS_WORD, BENCH_LOGIN_PATH" in printed
    assert "# write at datasets.big_orders:  sinks: [lake]" in printed
    assert yaml.safe_load(printed)["credentials"] == {
        "bench_login": {"path": "${BENCH_LOGIN_PATH}", "pass word": "${BENCH_LOGIN_PASS_WORD}"}
    }
    assert run([*at, "delete", "credential", "bench_login"]) == 2
    assert "connection bench" in capfd.readouterr().err
    assert run([*at, "delete", "connection", "bench"]) == 0
    assert run([*at, "delete", "credential", "bench_login"]) == 0
    assert "hunter2" not in printed + json.dumps(listed) + capfd.readouterr().err
    assert Objects(read_project(folder).storage).get("credential", "bench_login") is None
