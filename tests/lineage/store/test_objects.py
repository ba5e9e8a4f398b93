"""Objects beside the graphs: put, deleted, and changed by several at once without losing any change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from deltalake.exceptions import TableNotFoundError

from connectors.errors import StoreError
from lineage.store.objects import Objects


@pytest.fixture
def objects(tmp_path):
    return Objects(str(tmp_path))


def test_nothing_is_there_before_something_is_put(objects, tmp_path):
    assert objects.all() == {}
    assert objects.get("token", "a") is None
    assert objects.delete("token", "a") is False
    assert objects.version().read() is None
    assert list(tmp_path.iterdir()) == []


def test_what_is_put_is_there_until_it_is_deleted(objects):
    objects.put("token", "a", {"scope": "read", "list": [1, None, {"ä": "☃"}]})
    objects.put("dataset", "a", {"of": "another kind"})
    objects.put("token", "a", {"scope": "write"})
    assert objects.get("token", "a") == {"scope": "write"}
    assert objects.all("token") == {("token", "a"): {"scope": "write"}}
    assert objects.delete("token", "a") is True
    assert objects.all() == {("dataset", "a"): {"of": "another kind"}}


def test_several_changes_are_one_commit_and_a_plan_that_raises_is_none(objects):
    objects.put("a", "1", {})
    before = objects.version().read()
    objects.edit(lambda known: {("a", "1"): None, ("a", "2"): {"n": len(known)}})
    assert objects.all() == {("a", "2"): {"n": 1}}
    assert objects.version().read() == (before[0], before[1] + 1)

    def refuse(known):
        raise LookupError("not so")

    with pytest.raises(LookupError):
        objects.edit(refuse)
    objects.edit(lambda known: {})
    assert objects.version().read() == (before[0], before[1] + 1)


def test_no_change_is_lost_among_many_at_once(objects):
    def count(worker: int) -> None:
        mine = Objects(objects.uri.removesuffix("/objects"))
        for number in range(5):
            mine.edit(lambda known: {("n", "n"): {"count": known.get(("n", "n"), {"count": 0})["count"] + 1}})
            mine.put("own", f"{worker}-{number}", {})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count, range(6)))
    assert objects.get("n", "n") == {"count": 30}
    assert len(objects.all("own")) == 30


def test_a_version_notices_changes_and_a_table_that_was_made_again(objects, tmp_path):
    import shutil

    version = objects.version()
    assert version.read() is None
    objects.put("a", "1", {})
    first = version.read()
    assert version.read() == first
    objects.put("a", "2", {})
    assert version.read() != first
    shutil.rmtree(tmp_path / "objects")
    with pytest.raises(TableNotFoundError):  # it was there: an unmounted volume looks like this
        version.read()
    objects.put("a", "1", {})
    assert version.read() not in (None, first)


def test_a_table_that_cannot_be_read_is_said(objects, tmp_path):
    objects.put("a", "1", {})
    for file in (tmp_path / "objects").glob("*.parquet"):
        file.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        objects.all()
