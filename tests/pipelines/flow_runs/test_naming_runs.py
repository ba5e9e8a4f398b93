"""A run is named by its number, its id, or what tells its id from all others; nothing else is taken for a name."""

from __future__ import annotations

import dataclasses

import pytest

from connectors.errors import RunError
from pipelines.flow_runs.ledger import Ledger, RunRow
from pipelines.flow_runs.reading import FlowRuns
from pipelines.statuses import SUCCESS
from tests.pipelines.conftest import folder, project

__all__ = ["folder", "project"]
RUN = RunRow(0, "", 0, SUCCESS, "manual", 1, 0, 0, 0, "", None, None, 0.0, True)
IDS = {1: "77aa", 2: "77ab", 77: "c_%d", 5: "cxxd"}


@pytest.fixture
def flow_runs(project, tmp_path):
    ledger = Ledger(tmp_path / "flow_runs.db")
    ledger.open_for("here")
    ledger.put_runs(dataclasses.replace(RUN, number=number, id=one) for number, one in IDS.items())
    yield FlowRuns(project, ledger)
    ledger.close()


@pytest.mark.parametrize(
    ("text", "number"), [("77aa", 1), ("77ab", 2), ("ab", 2), ("1", 1), ("77", 77), ("c_", 77), ("%d", 77)]
)
def test_what_names_one_run_is_that_run(flow_runs, text, number):
    assert flow_runs.run(text).number == number


@pytest.mark.parametrize("text", ["c", "77a"])
def test_what_names_several_is_refused_with_their_ids(flow_runs, text):
    with pytest.raises(RunError, match="could be several runs: ") as raised:
        flow_runs.run(text)
    assert all(one in raised.value.message for one in IDS.values() if one.startswith(text))
    assert "unknown" not in raised.value.context


@pytest.mark.parametrize("text", ["", " ", "%", "_", "x", "c_%d "])
def test_what_names_none_is_unknown(flow_runs, text):
    with pytest.raises(RunError, match="there is no run") as raised:
        flow_runs.run(text)
    assert raised.value.context["unknown"] == text
