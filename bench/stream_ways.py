"""One step of `bench.stream`, in this process: `extract`, `derive` or `deliver`, and the project's folder."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from bench.datasets_ways import open_project, peak_gib, this_run


def main(step: str, folder: Path) -> dict[str, Any]:
    from pipelines.datasets.deliver import deliver_dataset
    from pipelines.datasets.derive import derive_dataset
    from pipelines.extract import extract_partition

    project, store = open_project(folder)
    begun = time.perf_counter()
    if step == "extract":
        outcome = extract_partition(project, store, "shop", *this_run())
        rows = outcome.report.rows
    elif step == "derive":
        outcome = derive_dataset(project, store, "copied", *this_run())
        rows = outcome.rows
    else:
        outcome = deliver_dataset(project, store, "out", "copied", *this_run())
        rows = outcome.rows
    if outcome.status != "SUCCESS":
        raise RuntimeError(f"{outcome.status}: {outcome.error} {getattr(outcome, 'report', '')}")
    return {"wall_s": time.perf_counter() - begun, "rows": rows, "peak_gib": peak_gib()}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
