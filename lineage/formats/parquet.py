"""A graph as Parquet files, for engines and notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

_PROVENANCE = ("origin", "connection", "partition", "run_id", "declaration", "sql", "location", "matched_by")
_TEXTS = pa.list_(pa.string())


def _texts(*names: str) -> list[tuple[str, pa.DataType]]:
    return [(name, pa.string()) for name in names]


# `body` has every field of a resource as JSON, also those that only some kinds have.
_RESOURCES = pa.schema(
    [
        *_texts(
            "id", "connection", "entity_type", "databuilder_id", "parent_id", "title", "database", "schema"
        ),
        *_texts("type", "native_type", "description", "definition"),
        ("sort_order", pa.int64()),
        ("is_pk", pa.bool_()),
        ("inferred", pa.bool_()),
        ("aliases", _TEXTS),
        ("owners", _TEXTS),
        ("tags", _TEXTS),
        ("body", pa.string()),
    ]
)
_EDGES = pa.schema(
    [
        *_texts("from", "to", "level", "kind"),
        ("clauses", _TEXTS),
        ("expression", pa.string()),
        ("provenance", pa.list_(pa.struct(_texts(*_PROVENANCE)))),
    ]
)
_UNRESOLVED = pa.schema(
    [
        *_texts("reference", "sql", "side", "counterpart", "reason", "message", "connection", "partition"),
        ("candidates", _TEXTS),
    ]
)


def write_parquet(graph: Mapping[str, Any], folder: Path) -> list[Path]:
    """Writes resources.parquet, edges.parquet and unresolved.parquet into the folder, made when it is absent.

    `graph` is the JSON of `headwater lineage export`; names and values are the same. Its `as_of` and `partitions` are
    in the files' metadata, as `headwater.as_of` and `headwater.partitions`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = {f"headwater.{name}": orjson.dumps(graph[name]) for name in ("as_of", "partitions")}
    resources = [{**one, "body": orjson.dumps(one).decode()} for one in graph["resources"]]
    # A reference that is not a text (a declared one) is written as JSON.
    unresolved = [{**one, "reference": _text(one["reference"])} for one in graph["unresolved"]]
    parts: dict[str, tuple[Sequence[Mapping[str, Any]], pa.Schema]] = {
        "resources": (resources, _RESOURCES),
        "edges": (graph["edges"], _EDGES),
        "unresolved": (unresolved, _UNRESOLVED),
    }
    written = []
    for name, (rows, schema) in parts.items():
        table = pa.Table.from_pylist(list(rows), schema=schema.with_metadata(told))
        written.append(folder / f"{name}.parquet")
        pq.write_table(table, written[-1])
    return written


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
