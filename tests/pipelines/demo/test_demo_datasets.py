from __future__ import annotations

import csv

import duckdb
from deltalake import DeltaTable

from lineage import open_store
from pipelines.datasets.replay import newest_run, read_quarantine


def warehouse(synced, query):
    with duckdb.connect(str(synced.folder / "data" / "shop.duckdb"), read_only=True) as db:
        return db.execute(query).fetchall()


def test_the_web_sales_of_which_something_was_kept_are_delivered_and_the_others_quarantined(synced):
    store = open_store(synced.folder / ".headwater")
    [(kept, refused)] = warehouse(
        synced,
        "select count(*) filter (net_amount > 0), count(*) filter (net_amount <= 0) from marts.fct_sales "
        "where channel = 'web'",
    )
    assert kept
    assert refused
    delivered = DeltaTable(str(synced.folder / "data" / "lake" / "web_sales"))
    assert delivered.to_pyarrow_dataset().count_rows() == kept
    header = newest_run(store, "web_sales")
    assert header.failed == refused
    rows = read_quarantine(store, header)
    assert len(rows) == refused
    assert {(row["pointer"], row["keyword"]) for row in rows} == {("/net_amount", "exclusiveMinimum")}


def test_the_revenue_by_country_is_that_of_the_warehouse(synced):
    with (synced.folder / "data" / "exports" / "revenue_by_country.csv").open() as file:
        delivered = {
            (row["country_code"], row["month"][:7]): float(row["revenue"]) for row in csv.DictReader(file)
        }
    wanted = warehouse(
        synced,
        "select country_code, strftime(sold_at, '%Y-%m'), sum(net_amount) from marts.fct_sales "
        "join marts.dim_customers using (customer_id) where channel = 'web' and net_amount > 0 group by all",
    )
    assert {key: round(value, 2) for key, value in delivered.items()} == {
        (country, month): round(revenue, 2) for country, month, revenue in wanted
    }


def test_what_is_delivered_leads_back_to_the_applications_columns(synced):
    found = synced.graph.upstream("sinks/exports/revenue_by_country", columns=True)
    assert "app/app.main.order_items.discount_cents" in {edge["from"] for edge in found.edges}
    explained = synced.graph.explain(
        "warehouse/shop.marts.fct_sales.net_amount", "datasets/web_sales.refunded"
    )
    assert explained[0]["expression"] == "gross_amount - net_amount"
    assert explained[0]["provenance"][0]["origin"] == "transform"
