from __future__ import annotations

import re

import pytest

from pipelines.demo import SHOP
from pipelines.demo.build_dbt import ARTIFACTS, TARGET, build_artifacts


@pytest.fixture(scope="module")
def built():
    return build_artifacts()


@pytest.mark.parametrize("name", ARTIFACTS)
def test_the_committed_artifacts_are_what_dbt_makes(built, name):
    assert (SHOP / TARGET / name).read_text(encoding="utf-8") == built[name]


@pytest.mark.parametrize("name", ARTIFACTS)
def test_the_artifacts_tell_nothing_of_the_machine_that_made_them(name):
    text = (SHOP / TARGET / name).read_text(encoding="utf-8")
    assert set(re.findall(r"[\w.]+@[\w.]+", text)) <= {"finance@shop.example", "sales.data@shop.example"}
    assert not re.search(r'"(/|[A-Z]:\\\\)', text)
    assert '"user_id": null' in text
    assert '"env": {}' in text
