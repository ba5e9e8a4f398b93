"""Credentials are tried through Dagster: one run at a time for a connection, and by keys that may start runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.client import ApiError, nexla_client
from pipelines.home import open_instance
from pipelines.jobs import CHECK_JOB


def checks(folder, monkeypatch) -> int:
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "home"))
    with open_instance() as instance:
        return len([run for run in instance.get_runs() if run.job_name == CHECK_JOB])


@pytest.mark.timeout(180)
def test_many_who_ask_at_once_are_told_of_one_run(own_shop, monkeypatch):
    ours = own_shop.ours()
    first = ours.credentials.create(name="first", credentials_type="sqlite", credentials={"path": "a.db"})
    ours.sources.create(name="one", source_type="sqlite", data_credentials_id=first.id, source_config={})
    assert ours.credentials.probe(first.id)["status"] in ("success", "error", "pending")
    # Dagster is running now, and has to be told of what is new.
    made = ours.credentials.create(name="second", credentials_type="sqlite", credentials={"path": "b.db"})
    ours.sources.create(name="two", source_type="sqlite", data_credentials_id=made.id, source_config={})
    before = checks(own_shop.folder, monkeypatch)
    told: list[dict[str, str]] = []
    # Until Dagster has read the definitions anew all are told to ask again.
    while not any("run_id" in one for one in told):
        with ThreadPoolExecutor(8) as pool:
            told += pool.map(lambda _: ours.credentials.probe(made.id), range(8))
    assert {one["status"] for one in told} <= {"error", "success", "pending"}
    assert len({one["run_id"] for one in told if "run_id" in one}) == 1
    assert checks(own_shop.folder, monkeypatch) == before + 1


def test_a_key_that_only_reads_starts_no_run(own_shop):
    made = own_shop.ours().credentials.create(
        name="c", credentials_type="sqlite", credentials={"path": "a.db"}
    )
    reader = nexla_client(own_shop.url, own_shop.key("read"))
    with pytest.raises(ApiError, match="needs write"):
        reader.credentials.probe(made.id)
    reader.close()
