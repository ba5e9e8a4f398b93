"""Tables of connectors through whole syncs: what is stored, and where the next run goes on."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

import pytest

from connectors.errors import LineageError
from lineage import open_store
from pipelines.cli.main import run
from pipelines.project import read_project
from pipelines.statuses import FAILED, SUCCESS, WARNING
from pipelines.sync import run_sync

DAY = datetime.now(UTC).date().isoformat()  # a snapshot of now is taken of today alone
SOURCE = '''
import sqlite3
import pyarrow as pa
from pydantic import SecretStr
from connectors import Column, Connector, ConnectorConfig, Table, TableResolver
from connectors.errors import UnexpectedAnswer
from connectors.tables import parent


class Since(TableResolver):
    def resolve(self, client, parent_resource):
        name = self.table.name
        since = int(self.get_cursor() or 0)
        for row in client.ask("select id, v from " + name + " where id > ? order by id", since):
            yield {"id": row[0], "v": row[1]}
            self.set_cursor(None, str(row[0]))
        client.fail_at(name)


class Whole(TableResolver):
    def resolve(self, client, parent_resource):
        for row in client.ask("select id, v from " + self.table.name + " where id > ?", 0):
            yield {"id": row[0], "v": row[1]}
        client.fail_at(self.table.name)


class Read(Table):
    def __init__(self, name, resolver, keyed=True, **more):
        columns = [Column("id", pa.int64(), primary_key=keyed), Column("v", pa.string())]
        super().__init__(name, columns, is_incremental=resolver is Since, **more)
        self._kind = resolver

    @property
    def resolver(self):
        return self._kind(self)


class Shop(Connector):
    """Reads a small database, table by table."""

    class Config(ConnectorConfig):
        path: str
        fail: list[str] = []
        token: SecretStr = SecretStr("")
        echo: bool = False

    def tables(self):
        return [Read("orders", Whole), Read("events", Since), Read("log", Since, keyed=False)]

    def ask(self, sql, since):
        db = sqlite3.connect(self.path(self.config.path))
        try:
            rows = db.execute(sql, (since,)).fetchall()
        finally:
            db.close()
        return [(i, self.config.token.get_secret_value() + str(v) if self.config.echo else v) for i, v in rows]

    def fail_at(self, name):
        if name in self.config.fail:
            raise UnexpectedAnswer(f"GET /{name} answered 500")
'''
FILE = """\
partitions: {every: day, start: 2026-11-01}
connections:
  shop:
    connector: ./shop.py
    config: {path: ./shop.db}
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project over a small database; `write(table, (id, v), ...)` puts rows into it."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "shop.py").write_text(SOURCE)
    (folder / "headwater.yaml").write_text(FILE)
    db = sqlite3.connect(folder / "shop.db")
    for table in ("orders", "events", "log"):
        db.execute(f"create table {table} (id integer primary key, v)")
    db.commit()
    db.close()
    return Shop(folder)


class Shop:
    def __init__(self, folder):
        self.folder = folder

    def write(self, table, *rows):
        db = sqlite3.connect(self.folder / "shop.db")
        db.executemany(f"insert or replace into {table} values (?, ?)", rows)
        db.commit()
        db.close()

    def configure(self, **config):
        text = FILE.replace("{path: ./shop.db}", json.dumps({"path": "./shop.db", **config}))
        (self.folder / "headwater.yaml").write_text(text)

    def sync(self, **options):
        report = run_sync(read_project(self.folder), ["shop"], [DAY], **options)
        return report.outcomes[-1]  # a sync within it is told here as well

    @property
    def store(self):
        return open_store(self.folder / ".headwater")

    def rows(self, table):
        return [tuple(row.values()) for row in self.store.read_records("shop", table).to_pylist()]

    def datasets(self):
        return self.store.snapshots.datasets(self.store.snapshots.newest("shop"))

    def fill(self):
        self.write("orders", (1, "a"), (2, "b"))
        self.write("events", (1, "x"), (2, "y"))
        self.write("log", (1, "l"), (2, "m"))


def test_a_sync_stores_what_each_table_has_and_goes_on_from_there(shop):
    shop.fill()
    outcome = shop.sync()
    assert (outcome.status, outcome.report.rows) == (SUCCESS, 6)
    shop.write("orders", (2, "B"), (3, "c"))
    shop.write("events", (1, "changed before the cursor"), (3, "z"))
    shop.write("log", (3, "n"))
    outcome = shop.sync()
    assert {name: one.rows for name, one in outcome.report.tables.items()} == {
        "orders": 3,
        "events": 1,
        "log": 1,
    }
    assert shop.rows("orders") == [(1, "a"), (2, "B"), (3, "c")]
    assert shop.rows("events") == [(1, "x"), (2, "y"), (3, "z")]
    assert shop.rows("log") == [(1, "l"), (2, "m"), (3, "n")]


def test_full_ignores_the_cursors_and_replaces_what_they_had_gathered(shop):
    shop.fill()
    shop.sync()
    shop.write("events", (1, "changed"))
    assert shop.sync(full=True).report.rows == 6
    assert shop.rows("events") == [(1, "changed"), (2, "y")]
    assert shop.rows("log") == [(1, "l"), (2, "m")]


def test_a_table_that_fails_leaves_its_siblings_and_is_read_again(shop):
    shop.fill()
    shop.sync()
    shop.write("events", (3, "z"))
    shop.write("log", (3, "n"))
    shop.write("orders", (3, "c"))
    shop.configure(fail=["log", "orders"])
    for _ in range(2):
        outcome = shop.sync()
        assert outcome.status == WARNING
        assert sorted(outcome.report.warnings) == [
            "log: GET /log answered 500",
            "orders: GET /orders answered 500",
        ]
    assert shop.rows("events") == [(1, "x"), (2, "y"), (3, "z")]
    assert shop.rows("log") == [(1, "l"), (2, "m"), (3, "n")]
    cursors = {name: one.cursors for name, one in shop.datasets().items()}
    assert cursors == {"orders": {}, "events": {"events": "3"}, "log": {"log": "2"}}
    shop.configure()
    assert shop.sync().status == SUCCESS
    assert shop.rows("log") == [(1, "l"), (2, "m"), (3, "n")]
    assert shop.rows("orders") == [(1, "a"), (2, "b"), (3, "c")]


def test_when_no_table_can_be_read_the_run_fails_and_nothing_changes(shop):
    shop.fill()
    shop.sync()
    (shop.folder / "shop.db").rename(shop.folder / "away.db")
    outcome = shop.sync()
    assert outcome.status == FAILED
    assert outcome.error.startswith(("orders: ", "events: ", "log: "))
    assert "no such table" in outcome.error
    assert shop.rows("orders") == [(1, "a"), (2, "b")]


def test_refused_values_are_counted_shown_and_kept(shop):
    shop.fill()
    shop.write("orders", (3, 5))
    outcome = shop.sync()
    assert outcome.status == WARNING
    assert outcome.report.rejects[0].location == 'orders {"id":3} v'
    assert outcome.report.tables["orders"].refused == 1
    assert shop.rows("orders") == [(1, "a"), (2, "b")]
    refused = shop.store.read_records("shop", "_refused").to_pylist()
    assert [(row["table"], row["column"], row["value_type"], row["row"]) for row in refused] == [
        ("orders", "v", "int", '{"id":3,"v":5}')
    ]
    shop.write("orders", (3, "mended"))
    assert shop.sync().status == SUCCESS
    with pytest.raises(LineageError, match="no records are stored of shop/_refused"):
        shop.store.read_records("shop", "_refused")


def test_what_an_incremental_table_refused_is_kept_until_it_is_read_from_its_start(shop):
    shop.fill()
    shop.write("events", (3, 5))
    assert shop.sync().status == WARNING
    assert shop.sync().status == SUCCESS  # the cursor has passed it
    (refused,) = shop.store.read_records("shop", "_refused").to_pylist()
    assert (refused["table"], refused["key"]) == ("events", '{"id":3}')
    shop.write("events", (3, "mended"))
    shop.sync(full=True)
    assert shop.rows("events")[-1] == (3, "mended")
    with pytest.raises(LineageError, match="no records are stored"):
        shop.store.read_records("shop", "_refused")


def test_a_table_that_was_left_out_is_read_from_its_start_again(shop):
    shop.fill()
    shop.sync()
    (shop.folder / "headwater.yaml").write_text(FILE + "    skip_tables: [log]\n")
    shop.write("log", (3, "n"))
    shop.sync()
    (shop.folder / "headwater.yaml").write_text(FILE)
    shop.sync()
    assert shop.rows("log") == [(1, "l"), (2, "m"), (3, "n")]


def test_a_start_over_that_fails_is_started_over_again(shop):
    """A table below an incremental one is new, and its first reading is cut: the old cursor would leave it out."""
    source = SOURCE.replace(
        "        super().__init__(name, columns, is_incremental",
        "        more |= {'relations': [Read('copies', Copy)]} if name == 'log' and BELOW else {}\n"
        "        super().__init__(name, columns, is_incremental",
    )
    copy = "class Copy(TableResolver):\n    def resolve(self, client, record):\n        yield dict(record.item)\n"
    copy += "        client.fail_at('copies')\n\n\n"
    shop.fill()
    (shop.folder / "shop.py").write_text(
        "BELOW = False\n" + source.replace("class Read", copy + "class Read")
    )
    shop.sync()
    (shop.folder / "shop.py").write_text("BELOW = True\n" + source.replace("class Read", copy + "class Read"))
    shop.configure(fail=["copies"])
    assert shop.sync().status == WARNING
    shop.configure()
    assert shop.sync().status == SUCCESS
    assert shop.rows("copies") == shop.rows("log") == [(1, "l"), (2, "m")]


def test_with_remove_missing_off_the_records_of_a_table_left_out_stay(shop):
    shop.fill()
    shop.sync()
    (shop.folder / "headwater.yaml").write_text(FILE + "    skip_tables: [log]\n    remove_missing: false\n")
    shop.sync()
    assert shop.rows("log") == [(1, "l"), (2, "m")]


def test_a_windowed_partition_that_is_run_again_is_read_whole(shop):
    source = SOURCE.replace('"""Reads a small', 'windowed = True\n    """Reads a small')
    (shop.folder / "shop.py").write_text(source)
    shop.fill()
    for _ in range(2):
        assert shop.sync().report.rows == 6
        assert shop.rows("events") == [(1, "x"), (2, "y")]


def test_a_reset_table_is_read_from_its_start_and_replaced(shop, capsys):
    shop.fill()
    shop.sync()
    assert run(["--project", str(shop.folder), "state", "reset", "shop", "log"]) == 0
    assert shop.sync().report.tables["log"].rows == 2
    assert shop.rows("log") == [(1, "l"), (2, "m")]


def test_a_renamed_connection_that_is_reset_does_not_go_on_from_its_old_name(shop):
    shop.fill()
    shop.sync()
    text = FILE.replace("  shop:\n", "  store:\n    renamed_from: shop\n")
    (shop.folder / "headwater.yaml").write_text(text)
    run_sync(read_project(shop.folder), ["store"], [DAY])
    shop.store.snapshots.reset("store")
    outcome = run_sync(read_project(shop.folder), ["store"], [DAY]).outcomes[0]
    assert outcome.report.tables["log"].rows == 2


def test_a_cursor_or_a_name_with_a_secret_is_not_stored(shop):
    shop.fill()
    source = SOURCE.replace(
        "self.set_cursor(None, str(row[0]))",
        "self.set_cursor(None, str(row[0]) + client.config.token.get_secret_value())",
    )
    source = source.replace(
        'Read("orders", Whole)',
        'Read("orders_" + self.config.token.get_secret_value(), Whole), Read("orders", Whole)',
    )
    (shop.folder / "shop.py").write_text(source)
    shop.configure(token="canary-9931")
    outcome = shop.sync()
    assert outcome.status == WARNING
    assert "events: a secret stands in its cursor; it is not stored" in outcome.report.warnings
    assert any(
        "a secret stands in a name of the table orders_**********" in one for one in outcome.report.warnings
    )
    assert shop.rows("orders") == [(1, "a"), (2, "b")]
    kept = [
        file for file in shop.folder.parent.rglob("*") if file.is_file() and file.name != "headwater.yaml"
    ]
    assert not [file for file in kept if b"canary" in file.read_bytes()]


def test_a_partial_run_removes_no_record(shop):
    """A row that was good and is refused now, and a page that the resolver gives up with a warning."""
    shop.fill()
    shop.sync()
    shop.write("orders", (2, 5))
    assert shop.sync().status == WARNING
    assert sorted(shop.rows("orders")) == [(1, "a"), (2, "b")]
    warning = "client.fail_at(self.table.name)\n        client.warn('the last page is closed')"
    source = SOURCE.replace("client.fail_at(self.table.name)", warning).replace(
        "where id > ?", "where id > ? and id < 2"
    )
    (shop.folder / "shop.py").write_text(source)
    assert shop.sync(full=True).status == WARNING
    assert sorted(shop.rows("orders")) == [(1, "a"), (2, "b")]
    assert sorted(shop.rows("events")) == [(1, "x"), (2, "y")]
    assert sorted(shop.rows("log")) == [(1, "l"), (2, "m")]


def test_a_connection_that_takes_no_refusal_fails(shop):
    shop.fill()
    shop.write("events", (3, 5))
    text = (shop.folder / "headwater.yaml").read_text()
    (shop.folder / "headwater.yaml").write_text(text + "    on_error: fail\n")
    outcome = shop.sync()
    assert (outcome.status, shop.store.snapshots.newest("shop")) == (FAILED, None)


def test_a_secret_in_a_record_is_masked(shop):
    shop.fill()
    shop.write("orders", (3, 7))
    shop.configure(token="canary-9931", echo=True)
    shop.sync()
    assert shop.rows("orders")[0] == (1, "**********a")
    files = [file for file in shop.folder.rglob("*") if file.is_file() and file.name != "headwater.yaml"]
    assert not [file for file in files if b"canary" in file.read_bytes()]


def test_another_run_that_was_faster_is_not_doubled(shop, monkeypatch):
    """Two runs from one cursor: the second to end would store the same rows again."""
    from pipelines import extract

    shop.fill()
    read = extract._Extraction._read
    nested = []

    def slower(self, *given):
        read(self, *given)
        if not nested:
            nested.append(True)
            shop.sync()

    monkeypatch.setattr(extract._Extraction, "_read", slower)
    outcome = shop.sync()
    assert outcome.status == FAILED
    assert "another run of shop has stored records of events" in outcome.error
    assert shop.rows("log") == [(1, "l"), (2, "m")]


def test_only_the_tables_that_are_chosen_are_read(shop):
    shop.fill()
    text = FILE + "    tables: [events, lo*]\n    skip_tables: [log]\n"
    (shop.folder / "headwater.yaml").write_text(text)
    assert list(shop.sync().report.tables) == ["events"]
    (shop.folder / "headwater.yaml").write_text(FILE + "    tables: [evnts]\n")
    outcome = shop.sync()
    assert outcome.status == FAILED
    assert "tables: no table matches evnts" in outcome.error


def test_a_renamed_connection_goes_on_where_it_was(shop):
    shop.fill()
    shop.sync()
    shop.write("log", (3, "n"))
    text = FILE.replace("  shop:\n", "  store:\n    renamed_from: shop\n")
    (shop.folder / "headwater.yaml").write_text(text)
    outcome = run_sync(read_project(shop.folder), ["store"], [DAY]).outcomes[0]
    assert outcome.report.tables["log"].rows == 1
    assert shop.store.read_records("store", "log").num_rows == 3


def test_many_runs_are_folded_into_one_part(shop, monkeypatch):
    from pipelines import extract

    monkeypatch.setattr(extract, "FOLD_PARTS", 2)
    for at in range(4):
        shop.write("log", (at + 1, f"v{at}"))
        shop.sync()
    stored = shop.datasets()["log"]
    assert len(stored.settled) <= 2
    assert shop.rows("log") == [(at + 1, f"v{at}") for at in range(4)]


def test_what_was_refused_and_failed_is_told_on_the_command_line(shop, capsys):
    shop.fill()
    shop.write("orders", (3, 5))
    shop.configure(fail=["log"])
    assert run(["--project", str(shop.folder), "sync"]) == 0
    told = capsys.readouterr().out
    assert "rows" in told.splitlines()[0]
    assert '1 refused, the first: orders {"id":3} v: int: does not fit string: no text' in told
    assert "1 warnings, the first: log: GET /log answered 500" in told


def test_state_is_shown_and_reset(shop, capsys):
    shop.fill()
    shop.sync()
    options = ["--project", str(shop.folder), "state"]
    capsys.readouterr()
    assert run([*options, "show", "shop", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["tables"]["events"]["cursors"] == {"events": "2"}
    assert run([*options, "show", "shop"]) == 0
    assert "events  events  2" in capsys.readouterr().out
    assert run([*options, "reset", "shop", "events"]) == 0
    assert shop.sync().report.tables["events"].rows == 2
    assert shop.rows("events") == [(1, "x"), (2, "y")]
    assert run([*options, "reset", "shop"]) == 0
    assert run([*options, "show", "shop"]) == 0
    assert "its next run reads everything" in capsys.readouterr().out
    assert run([*options, "show", "nobody"]) == 2
    assert run([*options, "reset", "shop", "nothing"]) == 1
    assert "shop has no table nothing" in capsys.readouterr().err


def test_a_preview_shows_and_stores_nothing(shop, capsys):
    shop.fill()
    shop.write("orders", (3, 5))
    shop.configure(fail=["log"], token="canary-9931")
    options = ["--project", str(shop.folder), "preview", "shop"]
    assert run([*options, "--json", "--limit", "1"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["tables"]["orders"] == {
        "rows": 2,
        "refused": 1,
        "errors": 0,
        "sample": [{"id": 1, "v": "a"}],
    }
    assert shown["tables"]["log"]["errors"] == 1
    assert shown["counts"]["resources"] == 9
    assert run(options) == 0
    told = capsys.readouterr()
    assert "orders: 2 rows, 1 refused" in told.out
    assert "warning: " in told.err
    assert not (shop.folder / ".headwater").exists()
    (shop.folder / "shop.db").unlink()
    assert run(options) == 1
    assert "shop failed: " in capsys.readouterr().err
