"""Secrets given to the API: encrypted where they lie, and nowhere else to be seen."""

from __future__ import annotations

import base64
import json
import os
from contextlib import suppress
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
RANDOM = "hunter2Geheim99x"
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


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"host": f"u:{RANDOM}@h", "port": 1}, {"port": 1}),
        ({"host": f"{RANDOM}@h"}, {}),
        ({"host": f"https://h/x?sig={RANDOM}", "database": f"host=h password={RANDOM}"}, {}),
        ({"user": f"u:{RANDOM}@h", "account": f"Bearer {RANDOM}"}, {}),
        (
            {"user": "anna@example.com", "host": "[::1]:5432"},
            {"user": "anna@example.com", "host": "[::1]:5432"},
        ),
        ({"user": RANDOM, "url": f"postgresql://u:{RANDOM}@h/d"}, {}),
    ],
)
def test_a_value_that_holds_a_login_is_not_shown(editor, folder, values, shown):
    _, body = editor.create("credential", "it", {}, secret=values)
    assert body["more"]["non_secure"] == shown
    assert RANDOM not in stored(folder)


@pytest.mark.parametrize("change", [{"name": SECRET}, {"more": {"tags": [f"it is {SECRET}"]}}])
def test_a_secret_is_refused_beside_the_values_that_were_given_before(editor, monkeypatch, change):
    with pytest.raises(ConfigError, match="stands outside"):
        editor.update("credential", "bench", **change)
    monkeypatch.delenv(KEY)
    with pytest.raises(ConfigError, match=KEY, check=lambda error: error.context["refused"] == "no_key"):
        editor.update("credential", "bench", **change)


IN_CONFIG = {
    "a token before the host": f"https://{RANDOM}@github.com/x",
    "a password with a slash": f"https://u:{RANDOM}/x@github.com/x",
    "a signature": f"https://x.blob.core.windows.net/y?sv=1&sig={RANDOM}",
    "a fragment": f"https://h/x#access_token={RANDOM}",
    "Amazon's signature": f"https://h/x?X-Amz-Signature={RANDOM}",
    "JDBC": f"jdbc:sqlserver://h;databaseName=d;password={RANDOM}",
    "Oracle": f"jdbc:oracle:thin:u/{RANDOM}@h:1521:d",
    "libpq": f"host=h user=u password={RANDOM}",
    "libpq, quoted": f"host = h password = 'a {RANDOM}'",
    "ODBC": f"Driver={{PostgreSQL}};User Id=u;Pwd={RANDOM};",
    "Azure": f"AccountName=a;AccountKey={RANDOM}==",
    "bare": f"u:{RANDOM}@h/d",
    "a bearer": f"Bearer {RANDOM}",
    "a header": f"X: basic {RANDOM}=",
}


@pytest.mark.parametrize("text", IN_CONFIG.values(), ids=IN_CONFIG.keys())
@pytest.mark.parametrize("kind", ["connection", "sink"])
def test_a_login_in_a_configuration_is_refused(editor, kind, text):
    for part in ({"base": text}, {"headers": {"X": [text]}}, {"x": {text: 1}}):
        with pytest.raises(ConfigError, match=r"holds a password|is a secret") as caught:
            editor.create(kind, "it", {**PG, "config": part})
        assert RANDOM not in caught.value.message


def test_azures_signature_in_a_configuration_is_refused(editor):
    for name in ("AZURE_SAS", "sas", "azure_storage_sas_v2"):
        with pytest.raises(ConfigError, match=f"config.storage_options.{name} is a secret"):
            editor.create("sink", "it", {**PG, "config": {"storage_options": {name: RANDOM}}})


IN_TEXTS = [
    f"see postgres://u:{RANDOM}@h/d.",
    "see [it](https://u:pw@h/)",
    f"'https://{RANDOM}@github.com/x'",
    f"https://h/x?sig={RANDOM}",
    f"https://h/x#access_token={RANDOM}",
]


@pytest.mark.parametrize("text", IN_TEXTS)
def test_an_address_with_a_login_is_refused_in_any_text(editor, text):
    tidy = {"operations": [{"rename": {"id": "order_id"}}]}
    orders = {"from": "app/app.main.orders"}
    for kind, settings in (("connection", PG), ("sink", PG), ("transform", tidy), ("dataset", orders)):
        for more in ({"description": text}, {"tags": ["a", text]}, {"x": {text: 1}}):
            with pytest.raises(
                ConfigError, match="address with a login", check=lambda e: "pw@" not in e.message
            ):
                editor.create(kind, "it", settings, more=more)
        with pytest.raises(ConfigError, match="name holds an address with a login"):
            editor.create(kind, text, settings)
    with pytest.raises(ConfigError, match="description holds an address with a login"):
        editor.create("dataset", "it", {**orders, "description": text})
    with pytest.raises(ConfigError, match="sql holds an address with a login"):
        editor.create("transform", "it", {"sql": f"select 1 as x from input -- {text}"})
    with pytest.raises(ConfigError, match="description holds an address with a login"):
        editor.create("credential", "it", {}, secret={"password": "x"}, more={"description": text})
    with pytest.raises(ConfigError, match="description holds an address with a login"):
        editor.update("connection", "pg", more={"description": text})


PLAIN = [
    "mail a@b.c, or mailto:a@b.c",
    "anna@example.com",
    "s3://bucket/x",
    "s3://bucket/day=2026-11-01/a@b",
    "abfss://container@account.dfs.core.windows.net/x",
    "https://example.com/@anna/post?to=a@b.c#part",
    "ssh://git@github.com/x.git",
    "git@github.com:x/y.git",
    "data/a@b/c:d",
    "jdbc:oracle:thin:@host:1521:service",
    "sig",
    "the password = what you were given; the token is not needed",
    "Basic authentication",
    "Basic plan, bearer bonds",
    "12:30",
    "a = 1",
    "select * from t where token = 'x' and key = 2",
    "select a.b as c; select ':' || d || '@' as e",
    "a=1; b=2",
    "{a: b}@c",
]


@pytest.mark.parametrize("text", PLAIN)
def test_ordinary_texts_are_no_secrets(editor, text):
    for kind in ("connection", "sink"):
        config = {"dbname": text, "headers": {"X": text}, "sig": text, "tables": [text]}
        editor.create(kind, text, {**PG, "config": config}, more={"description": text, "tags": [text]})
    editor.create("credential", text, {}, secret=VALUES, more={"description": text})


@pytest.mark.parametrize(
    "text",
    [
        "https://git.example.com/commits?author=anna&key=AB-1",
        "regexp_extract(url, '^https://([^:]+):([^@]+)@(.*)$', 1)",
        "'https://' || user || ':' || secret || '@' || host",
        "postgresql://user:<password>@host/db",
        "password=required",
    ],
)
def test_what_reads_like_a_login_is_none_in_a_text(editor, text):
    editor.create(
        "transform", "it", {"sql": f"select 1 as x from input -- {text}"}, more={"description": text}
    )


def test_names_of_services_and_users_may_stand_beside_a_credential(editor):
    values = {
        "service_account": {"type": "service_account", "project_id": "acme-analytics-123456"},
        "url": "postgresql://analytics_reader:short@db.example.com/analytics_warehouse",
        "database": "analytics_warehouse",
        "path": "warehouse/orders_of_2026",
    }
    description = "service_account of acme-analytics-123456: analytics_reader reads analytics_warehouse"
    editor.create("credential", "analytics_reader", {}, secret=values, more={"description": description})


@pytest.mark.parametrize("depth", [260, 900])
def test_what_is_nested_too_deep_is_refused(editor, depth):
    deep: object = "x"
    for _ in range(depth):
        deep = {"a": deep}
    for kind, parts in (
        ("credential", {"settings": {}, "secret": {"password": "p", "a": deep}}),
        ("credential", {"settings": {}, "secret": {"password": "p"}, "more": {"tags": deep}}),
        ("connection", {"settings": {**PG, "config": {"a": deep}}}),
        ("connection", {"settings": PG, "more": {"tags": deep}}),
    ):
        with pytest.raises(ConfigError, match="JSON", check=lambda e: e.context["refused"] == "invalid"):
            editor.create(kind, "it", **parts)


@pytest.mark.parametrize("depth", [240, 252])
def test_what_is_just_not_too_deep_raises_nothing_else(editor, depth):
    deep: object = "x"
    for _ in range(depth):
        deep = {"a": deep}
    for kind, parts in (
        ("credential", {"settings": {}, "secret": {"password": "p", "a": deep}}),
        ("connection", {"settings": {**PG, "config": {"a": deep}}}),
        ("transform", {"settings": {"operations": [deep]}}),
    ):
        with suppress(ConfigError):
            editor.create(kind, "it", **parts)
    read_project(editor.folder)


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
        (
            {"settings": {}, "secret": {"url": f"postgresql://u:{SECRET}@h/d"}, "more": {"tags": [SECRET]}},
            "stands outside",
        ),
        (
            {"settings": {}, "secret": {"url": "https://h/x?sig=a%2Fb3c4d5e6f7g8"}, "name": "a/b3c4d5e6f7g8"},
            "stands outside",
        ),
        (
            {"settings": {}, "secret": {"a": {"password": SECRET}}, "more": {"tags": [SECRET]}},
            "stands outside",
        ),
        (
            {"settings": {}, "secret": {"a": {"b": RANDOM}}, "more": {"description": f"it is {RANDOM}"}},
            "stands outside",
        ),
    ],
)
def test_a_secret_in_the_clear_is_refused(editor, given, match):
    before = editor.objects.all()
    with pytest.raises(ConfigError, match=match) as caught:
        editor.create("credential", given.pop("name", "more"), **given)
    assert SECRET not in str(caught.value)
    assert caught.value.context["refused"] == "invalid"
    assert editor.objects.all() == before
    with pytest.raises(ConfigError, match="no settings"):
        editor.update("credential", "bench", settings={"password": SECRET})
    with pytest.raises(ConfigError, match="has no secrets"):
        editor.update("connection", "pg", secret={"password": SECRET})


def test_an_empty_value_is_exported_as_it_is(editor, folder):
    values = {"user": "u", "password": "", "opt": {"a": ["", "x"]}}
    editor.update("credential", "bench", secret=values)
    found = exported(read_project(folder))
    assert found.variables == ["BENCH_OPT_A_1", "BENCH_USER"]
    assert found.data["credentials"]["bench"] == {
        "user": "${BENCH_USER}",
        "password": "",
        "opt": {"a": ["", "${BENCH_OPT_A_1}"]},
    }


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
