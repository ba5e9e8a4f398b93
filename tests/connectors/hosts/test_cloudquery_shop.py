"""A plugin of the SDK's, hosted in an environment of its own."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from connectors.errors import ConfigError, ScriptFailed
from connectors.hosts.cloudquery import CloudQuery
from connectors.tables import JSONType, UUIDType
from connectors.testing import Extract, run_connector
from tests.connectors.hosts.plugins.hosting import PLUGINS, TOKEN, ids, plugin_python, sync_shop

BEFORE = {"cq_state": {"since": "4"}, "counting": {}}


@pytest.fixture(scope="module")
def mixed() -> Extract:
    """One sync of tables that are well, and of such as are not."""
    names = [
        "typed",
        "people",
        "people_pets",
        "failing",
        "dropping",
        "dropping_below",
        "counting",
        "surroundings",
        "noisy",
    ]
    patch = pytest.MonkeyPatch()
    patch.setenv("OTHER_SYSTEMS_TOKEN", "not for plugins")
    patch.setenv("PYTHONPATH", "/not/for/plugins")
    try:
        login = {"login": {"pin": 4711, "users": ["someone-known"]}}
        return sync_shop(*names, spec=login, env={"SHOP_KEY": "its-own-value"}, cursors=BEFORE)
    finally:
        patch.undo()


def test_rows_come_with_their_types(mixed):
    one, two = sorted(mixed.rows("typed"), key=lambda row: row["id"])
    schema = mixed.table("typed").schema
    assert (schema.field("tags").type, schema.field("code").type) == (JSONType(), UUIDType())
    assert json.loads(one["tags"]) == {"k": [1, None]}
    assert one["code"] == uuid.UUID("12345678-1234-5678-1234-567812345678")
    assert one["at"] == datetime(2026, 1, 2, 1, 4, 5, 678901, UTC)
    assert (one["size"], one["on"]) == (2**64 - 1, date(2026, 1, 2))
    assert two["tags"] is two["code"] is two["size"] is None


def test_rows_know_when_and_through_which_connection_they_came(mixed):
    rows = [row for name in ("people", "people_pets") for row in mixed.rows(name)]
    assert len({row["_cq_sync_time"] for row in rows}) == 1
    assert {row["_cq_source_name"] for row in rows} == {"CloudQuery"}
    assert "_cq_id" not in rows[0]


def test_tables_are_declared_and_announced(mixed):
    typed = [r for r in mixed.resources if r.databuilder_id.startswith("typed")]
    assert (typed[0].title, typed[0].description) == ("Typed", "One of each")
    assert typed[1].is_pk
    assert [r.title for r in typed[1:]] == [
        *("id", "tags", "code", "at", "size", "on"),
        *("_cq_sync_time", "_cq_source_name"),
    ]
    assert mixed.datasets["people_pets"].parent == "people"
    assert mixed.datasets["people"].keys == ("id",)
    assert mixed.datasets["counting"].incremental
    assert "crashing" not in mixed.datasets


def test_an_error_of_a_table_keeps_its_rows_and_the_others(mixed):
    assert mixed.error is None
    assert ids(mixed, "failing") == [1]
    assert ids(mixed, "people_pets") == [11, 12, 21, 22]
    report = mixed.report.tables["failing"]
    assert (report.errors, report.settled, report.rows) == (1, False, 1)
    assert "the source refused" in report.messages[0]
    assert any(one.startswith("failing: the source refused") for one in mixed.report.warnings)
    assert mixed.report.tables["people"].complete
    assert not mixed.report.complete


def test_a_row_that_the_sdk_drops_is_an_error_of_its_table(mixed):
    assert ids(mixed, "dropping") == [1, 3]
    [row] = mixed.refused_rows
    assert row.table == "dropping"
    assert row.cause == "ScalarInvalidTypeError(\"Invalid type <class 'int'> for String scalar\")"
    assert mixed.report.tables["dropping"].refused == 1
    assert mixed.report.failed == 1
    # What hangs from the row is missing too.
    assert not mixed.report.tables["dropping_below"].settled


def test_state_stays_where_it_was_when_anything_was_lost(mixed):
    assert ids(mixed, "counting") == [5, 6, 7]
    assert mixed.cursors["cq_state"] == BEFORE["cq_state"]
    assert not mixed.report.tables["counting"].settled


def test_no_secret_comes_out(mixed):
    told = repr(mixed)
    assert "plain words about **********" in told
    for secret in (TOKEN, "4711", "someone-known", "its-own-value"):
        assert secret not in told.replace(str(mixed._batches), "")
    assert TOKEN not in str(mixed.table("failing").to_pylist())


def test_what_a_plugin_prints_is_in_the_log(mixed):
    log = "\n".join(mixed.log)
    assert "shop started: shop v1.2.3" in log
    assert 'shop: {"level": "error", "table": "noisy"}' in log
    assert "shop: on the other stream" in log
    assert "shop: table resolver started table=people depth=0" in log
    assert max(map(len, mixed.log)) < 2100
    # That it cannot be closed is no news.
    assert not any("NotImplementedError" in line for line in mixed.log)


def test_a_plugin_gets_its_own_environment_and_no_other(mixed):
    told = {row["name"]: row["value"] for row in mixed.rows("surroundings")}
    assert told["SHOP_KEY"] == "its-own-value"
    assert "OTHER_SYSTEMS_TOKEN" not in told
    assert "PYTHONPATH" not in told
    assert told["folder"] == str(PLUGINS / "shop")
    assert TOKEN not in told["arguments"]
    assert not list(PLUGINS.rglob("__pycache__/main*"))


@pytest.mark.parametrize("checkpoints", [False, True], ids=["written", "sent"])
def test_state_moves_with_a_complete_sync(checkpoints):
    found = sync_shop("counting", spec={"checkpoints": checkpoints}, cursors=BEFORE)
    assert found.error is None
    assert ids(found, "counting") == [5, 6, 7]
    assert found.cursors["cq_state"] == {"since": "7"}
    assert found.report.tables["counting"].complete
    # An incremental table may well have nothing new.
    again = sync_shop("counting", spec={"checkpoints": checkpoints, "rows": 0}, cursors=found.cursors)
    assert again.report.complete
    assert again.cursors == found.cursors


def test_a_table_that_was_not_read_before_is_read_from_the_start():
    found = sync_shop("counting", cursors={"cq_state": {"since": "4"}})
    assert ids(found, "counting") == [1, 2, 3]
    assert found.report.tables["counting"].from_start
    assert any(
        "shop starts without its state: nothing is stored of counting yet" in line for line in found.log
    )


def test_a_plugin_that_dies_leaves_its_rows_and_says_why():
    found = sync_shop("crashing", "counting", cursors=BEFORE)
    assert isinstance(found.error, ScriptFailed)
    assert str(found.error) == "shop ended with exit code 3 before it was done (about to go with **********)"
    assert found.error.context["last_lines"][-1] == "about to go with **********"
    assert ids(found, "crashing") == [1]
    assert found.cursors["cq_state"] == BEFORE["cq_state"]
    assert not any(report.settled for report in found.report.tables.values())


def test_a_spec_that_does_not_fit_is_refused_without_its_values():
    given = {"token": "a b c", "rows": "many rows", "colour": "blue-ish"}
    found = sync_shop("typed", spec=given)
    assert isinstance(found.error, ConfigError)
    assert sorted(found.error.faults) == [
        'spec.rows: the value is not of type "integer"',
        "spec.token: the value is shorter than 8 characters",
        "spec: Additional properties are not allowed ('colour' was unexpected)",
    ]
    assert not any(value in repr(found) + str(found.error) for value in given.values())


def test_a_spec_that_the_plugin_refuses_ends_the_sync():
    found = sync_shop("typed", spec={"token": "refuse me now"})
    assert isinstance(found.error, ScriptFailed)
    assert "shop failed at Init" in str(found.error)
    assert "no entry with **********" in str(found.error)
    assert "refuse me now" not in repr(found)


def test_a_credential_goes_into_the_spec():
    config = {"plugin": "shop", "python": plugin_python(), "spec": {"rows": 1}}
    found = run_connector(CloudQuery, config, {"token": TOKEN}, tables=["noisy"], folder=PLUGINS)
    assert found.error is None
    assert ids(found, "noisy") == [1]
    assert TOKEN not in repr(found)
    both = {**config, "spec": {"token": "of the spec"}}
    found = run_connector(CloudQuery, both, {"token": TOKEN}, folder=PLUGINS)
    assert isinstance(found.error, ConfigError)
    assert "token is also in the credential" in str(found.error)


def test_a_pattern_without_a_table_is_named():
    found = sync_shop("typed", "no_such_*")
    assert isinstance(found.error, ConfigError)
    assert "no_such_*" in str(found.error)


def test_types_that_are_registered_already_are_the_same():
    class Registered(pa.ExtensionType):
        def __init__(self) -> None:
            super().__init__(pa.binary(), "json")

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

        @classmethod
        def __arrow_ext_deserialize__(cls, storage_type, serialized):
            return cls()

    pa.register_extension_type(Registered())
    try:
        found = sync_shop("typed")
    finally:
        pa.unregister_extension_type("json")
    assert found.table("typed").schema.field("tags").type == JSONType()
    assert '{"k":' in found.rows("typed")[0]["tags"]
