"""A large made-up catalogue of two `jsonl` connections: tables, columns, charts, and references of every kind.

Names come in other cases, stand for several tables or for none; the same count and seed give the same files.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

PROJECT = """\
name: large
partitions: {every: day, start: 2026-01-01, timezone: UTC}
connections:
  warehouse:
    connector: jsonl
    instance: prod
    config: {resources: ./warehouse-resources.jsonl, lineage: ./warehouse-lineage.jsonl}
  bi:
    connector: jsonl
    config: {resources: ./bi-resources.jsonl, lineage: ./bi-lineage.jsonl}
    defaults: {database: shop, schema: sales}
"""
Json = dict[str, Any]
# Where the tables of one name lie: connection, database, schema, and how the name is written there.
_PLACES: list[list[tuple[str, str, str, Callable[[str], str]]]] = [
    *[[("warehouse", "shop", "sales", str)]] * 3,
    [("warehouse", "Lake", "ops", str.title)],
    [("warehouse", "shop", "sales", str), ("warehouse", "shop", "ops", str)],
    [("warehouse", "shop", "sales", str), ("warehouse", "shop", "sales", str.upper)],
    [("warehouse", "shop", "sales", str), ("bi", "cube", "main", str)],
    [("warehouse", "shop", "ops", str), ("warehouse", "Lake", "ops", str), ("bi", "cube", "ops", str.upper)],
]
_COLUMNS = ("id", "Amount", "total")
_PAIRS = (
    *[("table", "internal")] * 6,
    *[("column", "internal")] * 3,
    *[("table", "table")] * 4,
    *[("column", "column")] * 3,
    *[("internal", "internal"), ("internal", "table"), ("internal", "column"), ("table", "column")],
)


def write_catalogue(folder: Path, count: int, seed: int = 20261120) -> None:
    """Writes a project with `count` resources and `count` declarations; both ends of each are references."""
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "headwater.yaml").write_text(PROJECT)
    resources: dict[str, list[Json]] = {"warehouse": [], "bi": []}
    for connection, resource in islice(_resources(chance), count):
        resources[connection].append(resource)
    names = [
        (r["database"], r["schema"], r["title"]) for rs in resources.values() for r in rs if "database" in r
    ]
    sources = [name for name in names if name[2].lower().startswith("raw")]
    targets = [name for name in names if name[2].lower().startswith("mart")]
    for connection, mine in resources.items():
        keys = [r["databuilder_id"] for r in mine if r["entity_type"] in ("table", "view", "chart")]
        lines = (_declaration(chance, sources, targets, keys) for _ in range(count // 2))
        _write(folder / f"{connection}-resources.jsonl", mine)
        _write(folder / f"{connection}-lineage.jsonl", lines)


def _resources(chance: random.Random) -> Iterator[tuple[str, Json]]:
    number = 0
    while True:
        number += 1
        name = f"{chance.choice(('raw', 'mart'))}_{chance.choice(('orders', 'straße', 'été'))}_{number}"
        for connection, database, schema, written in chance.choice(_PLACES):
            title = written(name)
            key = f"{database}.{schema}.{title}"
            kind = chance.choice(("table", "view"))
            named = {"title": title, "database": database, "schema": schema}
            yield connection, {"entity_type": kind, "databuilder_id": key, **named}
            columns = (*_COLUMNS, "AMOUNT") if chance.random() < 0.2 else _COLUMNS
            for order, column in enumerate(columns):
                parent = {"parent_databuilder_id": key, "sort_order": order}
                yield (
                    connection,
                    {"entity_type": "column", "databuilder_id": f"{key}.{column}", "title": column, **parent},
                )
        parent = {"parent_databuilder_id": f"absent_{number}"} if chance.random() < 0.01 else {}
        yield (
            "bi",
            {
                "entity_type": "chart",
                "databuilder_id": f"chart_{number}",
                "title": f"Chart {number}",
                **parent,
            },
        )


def _declaration(chance: random.Random, sources: list[Any], targets: list[Any], keys: list[str]) -> Json:
    kinds = chance.choice(_PAIRS)
    ends = [_end(chance, kind, names, keys) for kind, names in zip(kinds, (sources, targets), strict=True)]
    return {"from_identifier": ends[0], "to_identifier": ends[1]}


def _end(chance: random.Random, kind: str, names: list[Any], keys: list[str]) -> Json:
    if kind == "internal":
        key = chance.choice(keys)
        return {
            "type": "internal_resource",
            "databuilder_id": f"{key}_gone" if chance.random() < 0.05 else key,
        }
    database, schema, title = chance.choice(names)
    given: Json = {"type": f"external_{kind}", "table": _written(chance, title)}
    if chance.random() < 0.1:
        given["cluster"] = chance.choice(("prod", "PROD", "bi", "nowhere"))
    if chance.random() < 0.5:
        given["schema"] = _written(chance, schema)
        if chance.random() < 0.5:
            given["database"] = _written(chance, database)
    if kind == "column":
        given["column"] = chance.choice(("id", "Amount", "amount", "TOTAL", "absent"))
    return given


def _written(chance: random.Random, name: str) -> str:
    """The name as people write it: mostly right, sometimes in another case, sometimes wrong."""
    return chance.choice((*[name] * 7, name.upper(), name.lower(), f"{name}_x"))


def _write(path: Path, lines: Any) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
