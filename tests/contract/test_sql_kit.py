"""The acceptance kit's SQL cases, where it lies beside the checkout: what must not sink."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Cases; tables counted, exact; columns counted, exact; precision, recall; errors, texts out of time.
TOTAL = r"^ALL\s+(\d+)\s+\d+\s+([\d.]+)\s+\d+\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+(\d+)\s+(\d+)"
KIT = ROOT.parent / "shared" / "accept" / "sql"


@pytest.mark.skipif(not (KIT / "score.py").exists(), reason="the acceptance kit is not beside the checkout")
@pytest.mark.parametrize(
    ("options", "tables", "columns", "recall"), [((), 98, 96, 97), (("--strict",), 96, 96, 97)]
)
def test_the_score_holds(options: tuple[str, ...], tables: float, columns: float, recall: float):
    command = [sys.executable, str(KIT / "score.py"), "--cases", str(KIT / "cases.jsonl")]
    done = subprocess.run(
        [*command, "--adapter", "headwater_adapter:headwater", *options],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    total = re.search(TOTAL, done.stdout, re.M)
    assert total is not None, done.stdout
    count, found_tables, found_columns, precision, found_recall, errors, late = map(float, total.groups())
    assert count > 600
    assert min(found_tables - tables, found_columns - columns, precision - 98, found_recall - recall) >= 0
    assert (errors, late) == (0, 0)
