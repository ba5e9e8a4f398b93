"""Who may use the API gets neither the server's environment nor its files, its logins, or code of theirs run."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import ConfigError
from pipelines.overlay import OverlayEditor
from pipelines.project import read_project, resolve_connection
from pipelines.project.sealing import KEY
from pipelines.project.sink import resolve_sink
from tests.pipelines.conftest import FILE

SECRET = "s3cret-of-the-server"
WITH_LOGIN = (
    FILE.replace(
        "connections:", "credentials:\n  login: {user: u, password: '${SERVER_SECRET}'}\nconnections:", 1
    )
    + """\
  shop:
    connector: postgres
    credential: login
    config: {host: shop.example.com}
datasets:
  derived: {from: app/app.main.orders}
"""
)


@pytest.fixture
def editor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> OverlayEditor:
    monkeypatch.setenv("SERVER_SECRET", SECRET)
    monkeypatch.setenv("PGPASSWORD", SECRET)
    monkeypatch.setenv(KEY, "c2VjcmV0LWtleS10aGF0LWlzLTMyLWJ5dGVzLWxvbmc=")
    (folder / "headwater.yaml").write_text(WITH_LOGIN)
    return OverlayEditor(folder)


def test_a_variable_given_to_the_api_stays_text(editor, folder):
    text = "${SERVER_SECRET} $$ ${SERVER_SECRET:-x} $"
    editor.create("credential", "mine", {}, secret={"user": text, "password": text})
    settings = {
        "connector": "postgres",
        "credential": "mine",
        "config": {"host": "evil.example.com", "dbname": text, "schemas": [text]},
        "instance": text,
        "defaults": {"database": text, "schema": text},
    }
    editor.create("connection", "pg", settings)
    editor.create(
        "sink",
        "out",
        {"connector": "postgres", "credential": "mine", "config": {"host": "h", "dbname": text}},
    )
    project = read_project(folder)
    resolved = resolve_connection(project, "pg")
    config = resolved.config
    assert (config.user, config.dbname, config.schemas) == (text, text, [text])
    assert config.password.get_secret_value() == text
    model = project.connection("pg")
    assert (model.instance, model.defaults.given()) == (text, {"database": text, "schema": text})
    assert (
        SECRET
        not in f"{config.model_dump()} {config.address().render_as_string(hide_password=False)} {model}"
    )
    sink = resolve_sink(project, "out").sink
    assert (sink.config.user, sink.config.dbname) == (text, text)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"connector": "./evil.py"}, "runs code"),
        ({"connector": "evil.py"}, "runs code"),
        ({"connector": "../evil"}, "runs code"),
        ({"connector": "cloudquery", "plugin": "./x"}, "runs code"),
        ({"connector": "sqlite", "config": {"path": "a.db"}, "transport": "os:system"}, "transport"),
        ({"connector": "sqlite", "config": {"path": "a.db"}, "plugin": "sh -c x"}, "plugin"),
        ({"connector": "sqlite", "config": {"path": "a.db"}, "python": "./py"}, "python"),
        ({"connector": "sqlite", "config": {"path": "a.db"}, "spec": {"a": 1}}, "spec"),
        ({"connector": "sqlite", "config": {"path": "a.db"}, "http": {"transport": "os:system"}}, "transport"),
        ({"connector": "sqlite", "config": {"path": "a.db"}, "http": {"ca_file": "/etc/passwd"}}, "leads out"),
        ({"connector": "sqlite", "config": {"path": "a.db"}, "renamed_from": "old"}, "renamed_from"),
        ({"connector": "sqlite", "config": {"path": "/etc/passwd"}}, "leads out"),
        ({"connector": "sqlite", "config": {"path": "~/x.db"}}, "leads out"),
        ({"connector": "sqlite", "config": {"path": "sub/../../x.db"}}, "leads out"),
        ({"connector": "sqlite", "config": {"path": "link/x.db"}}, "leads out"),
        ({"connector": "sqlite", "config": {"path": ".headwater/objects"}}, "hidden"),
        ({"connector": "sql_files", "config": {"path": "headwater.yaml"}}, "hidden file, or headwater.yaml"),
        ({"connector": "sql_files", "config": {"path": "file:///etc"}}, "file of the server"),
        ({"connector": "sql_files", "config": {"path": "./", "glob": "*"}}, "folder itself"),
        ({"connector": "openlineage", "config": {"path": "./h*.y?ml"}}, "a pattern of headwater.yaml"),
        ({"connector": "jsonl", "config": {"resources": "r.jsonl", "lineage": "C:\\x"}}, "leads out"),
        ({"connector": "query_log", "config": {"path": "x", "columns": {"sql": "../x"}}}, "leads out"),
        ({"connector": "postgres", "config": {"host": "/var/run"}}, "leads out"),
        ({"connector": "postgres", "config": {"host": "h"}, "credential": {"password": "x"}}, "by name"),
        ({"connector": "postgres", "config": {"host": "h", "password": "hunter2"}}, "config.password is a secret"),
        ({"connector": "postgres", "config": {"url": "postgresql://u@h/d"}}, "config.url is a secret"),
        ({"connector": "sqlite", "config": {"path": "http://u:hunter2@h/"}}, "holds a password"),
        ({"connector": "postgres", "config": {"host": "evil.example.com"}, "credential": "login"}, "stands in"),
        ({"connector": "query_log", "config": {"pg_stat_statements": {"host": "e"}}, "credential": "login"}, "in head"),
    ],
)  # fmt: skip
def test_a_connection_that_reaches_too_far_is_refused(editor, folder, tmp_path, settings, match):
    (folder / "link").symlink_to(tmp_path)
    (folder / "evil.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(ConfigError, match=match, check=lambda error: "hunter2" not in str(error)):
        editor.create("connection", "it", settings)
    assert not editor.objects.all()


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"uri": "/tmp/lake"}, "leads out"),
        ({"uri": "file:///tmp/lake"}, "file of the server"),
        ({"uri": "local:/tmp/lake"}, "file of the server"),
        ({"uri": ".headwater"}, "in the project's storage"),
        ({"uri": "."}, "folder itself"),
        ({"uri": "state/.."}, "leads out"),
        ({"uri": "s3://bucket/x", "secret_access_key": "hunter2"}, "is a secret"),
    ],
)
def test_a_sink_that_reaches_too_far_is_refused(editor, config, match):
    with pytest.raises(ConfigError, match=match):
        editor.create("sink", "it", {"connector": "delta", "config": config})
    assert not editor.objects.all()


def test_a_storage_that_is_not_hidden_is_out_of_reach_too(editor, folder):
    (folder / "headwater.yaml").write_text("storage: state/store\n" + WITH_LOGIN)
    editor = OverlayEditor(folder)
    for uri, match in (("state/store/x", "in the project's storage"), ("state", "a folder of its own")):
        with pytest.raises(ConfigError, match=match):
            editor.create("sink", "it", {"connector": "delta", "config": {"uri": uri}})


def test_a_schema_is_read_from_the_projects_folder_only(editor):
    dataset = {"from": "app/app.main.orders", "validation": {"schema": "/etc/passwd"}}
    with pytest.raises(ConfigError, match="leads out"):
        editor.create("dataset", "orders", dataset)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"url": "postgresql://u:hunter2@h/d?passfile=/root/.pgpass"}, "passfile"),
        ({"url": "postgresql://u:hunter2@h/d?service=prod"}, "service"),
        ({"url": "postgresql:///d?host=/var/run"}, "file of the server"),
        ({"url": "sqlite:////etc/x"}, "file of the server"),
        ({"host": "/var/run/postgresql", "password": "hunter2"}, "leads out"),
    ],
)
def test_a_credential_that_names_files_of_the_server_is_refused(editor, values, match):
    with pytest.raises(ConfigError, match=match, check=lambda error: "hunter2" not in str(error)):
        editor.create("credential", "it", {}, secret=values)


def test_a_password_may_look_like_a_path(editor):
    editor.create("credential", "it", {}, secret={"password": "/../~x", "private_key": "-----BEGIN\n/x\n"})


@pytest.mark.parametrize(
    "values", [{"user": "u"}, {"url": "postgresql://u@h/d"}, {"user": "u", "password": ""}]
)
def test_the_servers_own_login_at_a_database_is_not_used(editor, folder, values):
    editor.create("credential", "mine", {}, secret=values)
    where = {} if "url" in values else {"host": "evil.example.com"}
    editor.create("connection", "pg", {"connector": "postgres", "credential": "mine", "config": where})
    editor.create("sink", "out", {"connector": "postgres", "credential": "mine", "config": where})
    editor.create(
        "connection",
        "log",
        {"connector": "query_log", "credential": "mine", "config": {"pg_stat_statements": where}},
    )
    project = read_project(folder)
    for resolve, name in ((resolve_connection, "pg"), (resolve_connection, "log"), (resolve_sink, "out")):
        with pytest.raises(ConfigError, match="gives no password"):
            resolve(project, name)


def test_the_servers_own_login_at_an_object_store_is_not_used(editor, folder):
    editor.create("credential", "keys", {}, secret={"access_key_id": "a", "secret_access_key": "b" * 20})
    bare = {"connector": "delta", "config": {"uri": "s3://bucket/x", "endpoint": "http://evil.example.com"}}
    editor.create("sink", "bare", bare)
    editor.create("sink", "own", {**bare, "credential": "keys"})
    editor.create(
        "sink", "google", {"connector": "delta", "credential": "keys", "config": {"uri": "gs://bucket/x"}}
    )
    project = read_project(folder)
    assert resolve_sink(project, "own").sink.config.access_key_id == "a"
    for name in ("bare", "google"):
        with pytest.raises(ConfigError, match="gives no login"):
            resolve_sink(project, name)


def test_a_credential_of_the_file_goes_only_where_the_file_sends_it(editor, folder):
    settings = {"connector": "postgres", "credential": "login", "config": {"host": "shop.example.com"}}
    editor.create("connection", "copy", {**settings, "records": ["a.b.c"]})
    resolved = resolve_connection(read_project(folder), "copy")
    assert resolved.config.password.get_secret_value() == SECRET
    text = (folder / "headwater.yaml").read_text()
    (folder / "headwater.yaml").write_text(text.replace("shop.example.com", "new.example.com"))
    project = read_project(folder)
    assert "stands in headwater.yaml" in project.left_out["connection", "copy"]


def test_what_lies_in_the_store_already_is_judged_again(editor, folder):
    body = editor.create("connection", "fine", {"connector": "sqlite", "config": {"path": "app.db"}})[1]
    evil = {**body, "settings": {"connector": "./evil.py"}}
    editor.objects.put("connection", "fine", evil)
    (folder / "evil.py").write_text("raise SystemExit('it ran')")
    project = read_project(folder)
    assert "runs code" in project.left_out["connection", "fine"]
