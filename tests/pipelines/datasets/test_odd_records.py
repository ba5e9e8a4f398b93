"""Records that few people have, and what must not happen to them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.errors import ConfigError
from lineage.store import maintain
from pipelines import load_project
from pipelines.dataset_metadata import dataset_metadata
from pipelines.datasets.replay import purge_quarantine
from pipelines.keys import AssetKeys
from tests.pipelines.datasets.warehouse import Warehouse

SOURCE = "wh/wh.main.t"


def a_shop(tmp_path, columns, *rows):
    shop = Warehouse(tmp_path / "project", f"create table t ({columns})")
    for row in rows:
        shop.execute(f"insert into t values ({row})")
    return shop


@pytest.mark.parametrize("shown", ["far", "far as other", "[far] as list"])
def test_days_after_the_year_9999_are_kept_and_shown(tmp_path, shown):
    shop = a_shop(tmp_path, "id bigint, far date", "1, date '20000-01-01'")
    sinks = {"lake": {"connector": "delta", "config": {"uri": "./lake"}}}
    dataset = {"from": SOURCE, "transform": {"sql": f"select id, {shown} from input"}, "sinks": ["lake"]}
    shop.write({"d": dataset}, sinks=sinks)
    shop.extract()
    outcome = shop.made("d")
    assert outcome.rows == 1
    assert dataset_metadata(shop.store, outcome, AssetKeys())["headwater/preview"].value
    assert shop.delivered("lake", "d").rows == 1


@pytest.mark.parametrize("expression", ["b - a", "id * interval 1 day"])
def test_what_cannot_be_stored_is_a_clear_error_of_its_dataset(tmp_path, expression):
    shop = a_shop(tmp_path, "id bigint, a timestamp, b timestamp", "1, '2020-01-01', '2020-01-02'")
    operations = [{"compute": {"expression": expression, "as": "took"}}]
    shop.write({"d": {"from": SOURCE, "transform": {"operations": operations}}})
    shop.extract()
    outcome = shop.derive("d")
    assert outcome.status == "FAILED"
    assert outcome.error.startswith("d: took is of type month_day_nano_interval, which cannot be stored")


def test_a_table_with_such_a_column_is_told_and_the_others_are_copied(tmp_path):
    shop = a_shop(tmp_path, "id bigint", "1")
    shop.execute("create table odd as select interval 1 day as span")
    shop.write({"d": {"from": SOURCE}})
    found = shop.extract()
    assert found.status == "WARNING"
    assert "span is of type" in found.report.warnings[0]
    assert shop.made("d").rows == 1


def test_purged_records_leave_the_disk_with_the_next_maintenance(tmp_path):
    shop = a_shop(tmp_path, "id bigint, who varchar", "1, 'ann@example.org'")
    rule = {"range": {"column": "id", "min": 5}}
    shop.write({"d": {"from": SOURCE, "validation": {"constraints": [rule]}}})
    shop.extract()
    shop.made("d")
    kept = shop.folder / ".headwater" / "records" / "datasets" / "d" / "_quarantine"
    assert list(kept.rglob("_headwater_sync=*/*.parquet"))
    assert purge_quarantine(shop.store, "d") == 1
    maintain(shop.store, keep_days=None, today=datetime.now(UTC).date(), retention_hours=0)
    assert not list(kept.rglob("_headwater_sync=*/*.parquet"))


@pytest.mark.parametrize(
    ("policy", "kept"), [("discard_value", [(1, 7), (2, None)]), ("discard_record", [(1, 7)])]
)
def test_a_number_that_would_be_rounded_does_not_fit(tmp_path, policy, kept):
    shop = a_shop(tmp_path, "id bigint, n integer", "1, 7")
    shop.write({"d": {"from": SOURCE, "schema_changes": policy}})
    shop.extract()
    shop.made("d")
    shop.fill("t", "id bigint, n double", [(1, 7.0), (2, 7.6)])
    shop.extract()
    shop.made("d")
    assert sorted((row["id"], row["n"]) for row in shop.records("d")) == kept


def test_a_personal_column_is_masked_however_its_name_is_written(tmp_path):
    shop = a_shop(tmp_path, "id bigint, email varchar", "1, 'ann@example.org'")
    shop.write({"d": {"from": SOURCE, "personal": ["Email"]}})
    shop.extract()
    shown = dataset_metadata(shop.store, shop.made("d"), AssetKeys())["headwater/preview"].value
    assert "ann@example.org" not in shown
    assert "masked" in shown


def test_a_personal_column_that_is_not_there_is_a_fault_of_the_file(tmp_path):
    shop = a_shop(tmp_path, "id bigint, email varchar", "1, 'ann@example.org'")
    shop.write({"d": {"from": SOURCE, "personal": ["emial"]}})
    shop.extract()
    with pytest.raises(
        ConfigError, match=r"datasets\.d\.personal\.0: there is no column emial; did you mean email\?"
    ):
        load_project(shop.folder)
