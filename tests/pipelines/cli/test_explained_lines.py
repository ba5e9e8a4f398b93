"""`headwater lineage explain` says each thing once."""

from __future__ import annotations

import json

from pipelines.cli.main import run
from tests.contract.conftest import COLUMN
from tests.pipelines.conftest import folder

__all__ = ["folder"]


def test_an_edge_that_comes_from_several_columns_says_each_reason_once(folder, capfd):
    (folder / "l.jsonl").write_text(COLUMN + COLUMN.replace('"total"', '"who"'))
    assert run(["--project", str(folder), "sync"]) == 0
    explain = ["--project", str(folder), "lineage", "explain", "main.summary", "hand/revenue"]
    capfd.readouterr()
    assert run([*explain, "--json"]) == 0
    whole = json.loads(capfd.readouterr().out)[0]
    assert whole["from"] == "app/app.main.summary"
    reasons = [(why["location"], why["matched_by"]) for why in whole["provenance"]]
    assert len(reasons) > len(set(reasons))
    assert run(explain) == 0
    heading, *lines = capfd.readouterr().out.splitlines()
    assert heading == "app/app.main.summary -> hand/revenue"
    said = lines[: next(number for number, line in enumerate(lines) if not line.startswith("  "))]
    assert len(said) == len(set(said)) == len(set(reasons))
