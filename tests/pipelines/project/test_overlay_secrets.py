"""Secrets given to the API: encrypted where they lie, and nowhere else to be seen."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from connectors.errors import ConfigError
from pipelines.overlay import OverlayEditor, exported
from pipelines.project import read_project, resolve_connection
from pipelines.project.sealing import KEY
from pipelines.project.sink import resolve_sink

SECRET = "correct-horse/battery+staple"
VALUES = {"host": "db.example.com", "port": 5433, "user": "reader", "password": SECRET}
PG = {"connector": "postgres", "credential": "bench"}


def a_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    made = a_key()
    monkeypatch.setenv(KEY, made)
    return made


@pytest.fixture
def editor(folder: Path, key: str) -> OverlayEditor:
    editor = OverlayEditor(folder)
    editor.create("credential", "bench", {}, secret=VALUES, more={"tags": ["a"]})
    editor.create("connection", "pg", PG)
    editor.create("sink", "out", PG)
    return editor


def stored(folder: Path) -> str:
    """Everything in the storage, the rows of its tables too."""
    files = [path for path in (folder / ".headwater").rglob("*") if path.is_file()]
    rows = [str(pq.read_table(path).to_pylist()) for path in files if path.suffix == ".parquet"]
    assert rows
    return "".join(path.read_bytes().decode("latin-1") for path in files) + "".join(rows)


def test_no_secret_lies_in_the_store(editor, folder, key):
    editor.update("credential", "bench", secret={**VALUES, "password": SECRET + "2"})
    everything = stored(folder)
    assert "db.example.com" in everything
    assert SECRET not in everything
    assert base64.b64encode(SECRET.encode()).decode().rstrip("=") not in everything
    assert key not in everything


def test_what_is_no_secret_may_be_shown(editor):
    more = editor.objects.get("credential", "bench")["more"]
    assert more["non_secure"] == {"host": "db.example.com", "port": 5433, "user": "reader"}
    assert set(more["fields"].values()) == {"**********"}
    assert more["tags"] == ["a"]
    editor.create("credential", "odd", {}, secret={"host": "http://u:p@h", "user_key": "k", "token": "t"})
    assert editor.objects.get("credential", "odd")["more"]["non_secure"] == {}
    editor.create("credential", "postgres", {}, secret={"user": "postgres", "password": "postgres"})
    assert editor.objects.get("credential", "postgres")["more"]["non_secure"] == {}


def test_a_change_of_other_things_keeps_the_secret(editor, folder):
    changed = editor.update("credential", "bench", name="Other", more={"tags": ["b"], "fields": {}})
    assert changed["more"]["tags"] == ["b"]
    assert changed["more"]["fields"].keys() == VALUES.keys()
    assert resolve_connection(read_project(folder), "pg").config.password.get_secret_value() == SECRET


def test_the_project_has_the_values_only_when_a_connection_runs_and_masks_them(editor, folder):
    project = read_project(folder)
    assert SECRET not in repr(project) + json.dumps(project.model.model_dump(mode="json"))
    resolved = resolve_connection(project, "pg")
    assert (resolved.config.host, resolved.config.port) == ("db.example.com", 5433)
    assert resolved.redact(f"it said {SECRET}") == "it said **********"
    assert resolved.certain(f"it said {SECRET}") == "it said **********"
    sink = resolve_sink(project, "out")
    assert sink.redact(SECRET) == "**********"
    assert SECRET not in str(exported(project))


def test_without_the_key_secrets_are_refused_and_the_project_still_loads(editor, folder, monkeypatch):
    monkeypatch.delenv(KEY)
    with pytest.raises(ConfigError, match=KEY, check=lambda error: error.context["refused"] == "no_key"):
        editor.create("credential", "more", {}, secret={"password": SECRET})
    project = read_project(folder)
    assert {"pg"} <= project.connections.keys()
    for resolve, name in ((resolve_connection, "pg"), (resolve_sink, "out")):
        with pytest.raises(ConfigError, match=rf"{name}: its credential bench is sealed.*{KEY}"):
            resolve(project, name)


def test_another_key_does_not_open_them(editor, folder, monkeypatch):
    monkeypatch.setenv(KEY, a_key())
    with pytest.raises(ConfigError, match="sealed with another key"):
        resolve_connection(read_project(folder), "pg")


@pytest.mark.parametrize("bad", ["too short", "x" * 44, "ключ" * 11, f"{'A' * 43}=, nonsense"])
def test_a_malformed_key_is_named_and_not_shown(editor, monkeypatch, bad):
    monkeypatch.setenv(KEY, bad)
    with pytest.raises(ConfigError, match="32 bytes") as caught:
        editor.create("credential", "more", {}, secret={"password": SECRET})
    assert bad not in str(caught.value)


def test_keys_are_rotated(editor, folder, key, monkeypatch):
    new = a_key()
    monkeypatch.setenv(KEY, f"{new}, {key}")
    assert resolve_connection(read_project(folder), "pg").config.user == "reader"
    assert editor.reseal() == 1
    monkeypatch.setenv(KEY, new)
    assert resolve_connection(read_project(folder), "pg").config.user == "reader"
    monkeypatch.setenv(KEY, key)
    with pytest.raises(ConfigError, match="another key"):
        resolve_connection(read_project(folder), "pg")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"settings": {"password": SECRET}}, "no settings"),
        (
            {"settings": {}, "secret": {"password": SECRET}, "more": {"note": f"it is {SECRET}"}},
            "stands outside",
        ),
        ({"settings": {}, "secret": {"password": SECRET}, "name": SECRET}, "stands outside"),
        ({"settings": {}, "secret": {"password": object()}}, "JSON"),
    ],
)
def test_a_secret_in_the_clear_is_refused(editor, given, match):
    before = editor.objects.all()
    with pytest.raises(ConfigError, match=match) as caught:
        editor.create("credential", given.pop("name", "more"), **given)
    assert SECRET not in str(caught.value)
    assert editor.objects.all() == before
    with pytest.raises(ConfigError, match="no settings"):
        editor.update("credential", "bench", settings={"password": SECRET})
    with pytest.raises(ConfigError, match="has no secrets"):
        editor.update("connection", "pg", secret={"password": SECRET})


def test_what_is_exported_means_the_same_with_its_variables_set(editor, folder, monkeypatch):
    editor.update("credential", "bench", secret={**VALUES, "user": "${HOME} $$ u"})
    editor.update("connection", "pg", settings={**PG, "config": {"dbname": "$$ ${HOME}", "schemas": ["$a"]}})
    before = resolve_connection(read_project(folder), "pg")
    found = exported(read_project(folder))
    values = {"HOST": VALUES["host"], "PORT": "5433", "USER": "${HOME} $$ u", "PASSWORD": SECRET}
    assert found.variables == sorted(f"BENCH_{name}" for name in values)
    for name, value in values.items():
        monkeypatch.setenv(f"BENCH_{name}", value)
    data = yaml.safe_load((folder / "headwater.yaml").read_text())
    for section, added in found.data.items():
        data[section] = {**data.get(section, {}), **added}
    (folder / "headwater.yaml").write_text(yaml.safe_dump(data))
    project = read_project(folder)
    assert not project.overlay
    assert resolve_connection(project, "pg").config == before.config
