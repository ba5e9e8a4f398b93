"""The least that reading a catalogue costs: each JSON line through its pydantic model, all into one Parquet file."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectors import DeclaredLineage, Resource


def main(folder: Path) -> None:
    bodies: list[str] = []
    for path in sorted(folder.glob("*.jsonl")):
        model = Resource if path.stem.endswith("resources") else DeclaredLineage
        with path.open("rb") as lines:
            bodies += [model.model_validate_json(line).model_dump_json(exclude_none=True) for line in lines]
    pq.write_table(pa.table({"body": bodies}), folder / "bare.parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
