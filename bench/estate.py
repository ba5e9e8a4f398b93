"""A large company's estate, made up: warehouses whose tables feed each other in layers, and tools that draw from them.

Of `count` resources three in twenty are tables in ten layers, twelve columns of those, five charts. Of `count`
references a third leave database and schema open, one in a hundred names two tables, five in a hundred none,
one in ten is in another case. The same arguments give the same files.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

WAREHOUSES = ("lake", "sales", "web", "finance")
LAYERS = 10
_COLUMNS = 4
_SHOWN_TWICE = 50  # one table in so many has a twin of the same name in another schema
Json = dict[str, Any]


@dataclass(frozen=True)
class _Table:
    warehouse: str
    database: str
    schema: str
    title: str
    number: int

    @property
    def key(self) -> str:
        return f"{self.database}.{self.schema}.{self.title}"


def write_estate(folder: Path, count: int, *, day: int = 0, changed: float = 0.01) -> None:
    """Writes a project of `jsonl` connections. On each `day` after 0, the share `changed` of all lines differs from the
    day before: other descriptions, other upstream tables.
    """
    folder.mkdir(parents=True, exist_ok=True)
    connections = "\n".join(
        f"  {name}:\n    connector: jsonl\n"
        f"    config: {{resources: ./{name}-resources.jsonl, lineage: ./{name}-lineage.jsonl}}"
        for name in (*WAREHOUSES, "bi")
    )
    (folder / "headwater.yaml").write_text(
        f"name: estate\npartitions: {{every: day, start: 2025-01-01, timezone: UTC}}\nconnections:\n{connections}\n"
    )
    tables = list(_tables(count * 3 // 20))
    charts = count // 4
    for name in WAREHOUSES:
        mine = [table for table in tables if table.warehouse == name]
        _write(folder / f"{name}-resources.jsonl", _catalogue(mine, day, changed))
        _write(folder / f"{name}-lineage.jsonl", _feeding(mine, tables, count, day, changed))
    _write(folder / "bi-resources.jsonl", (_chart(n, day, changed) for n in range(charts)))
    _write(folder / "bi-lineage.jsonl", _drawing(charts, tables, count, day, changed))


def _tables(count: int) -> Iterator[_Table]:
    for number in range(count):
        twin = number % _SHOWN_TWICE == 1
        place = number - 1 if twin else number
        warehouse = WAREHOUSES[place % len(WAREHOUSES)]
        schema = f"s{place % 97}" + ("_copy" if twin else "")
        yield _Table(warehouse, f"{warehouse}{place % 3}", schema, f"Orders_{place}", number)


def _version(kind: str, number: int, day: int, changed: float) -> int:
    """How often a line has changed up to a day: each day each line does with the same chance."""
    if not day:
        return 0
    every = max(1, round(1 / changed))
    first = random.Random(f"{kind} {number}").randrange(every)
    return (day + every - 1 - first) // every


def _catalogue(tables: list[_Table], day: int, changed: float) -> Iterator[Json]:
    for table in tables:
        version = _version("table", table.number, day, changed)
        place = {"database": table.database, "schema": table.schema}
        described = {
            "description": f"What the {table.title} of version {version} hold, as told by their team"
        }
        named = {"entity_type": "table", "databuilder_id": table.key, "title": table.title}
        yield named | place | described
        for order in range(_COLUMNS):
            column = {
                "entity_type": "column",
                "databuilder_id": f"{table.key}.col_{order}",
                "title": f"col_{order}",
            }
            yield column | {"parent_databuilder_id": table.key, "sort_order": order, "native_type": "bigint"}


def _chart(number: int, day: int, changed: float) -> Json:
    version = _version("chart", number, day, changed)
    return {
        "entity_type": "chart",
        "databuilder_id": f"chart_{number}",
        "title": f"Chart {number} v{version}",
    }


def _feeding(
    mine: list[_Table], tables: list[_Table], count: int, day: int, changed: float
) -> Iterator[Json]:
    """Half of the references: columns of a table from those of one of the layer before it."""
    size = len(tables) // LAYERS
    for line in range(count // 4 * len(mine) // len(tables)):
        table = mine[line % len(mine)]
        chance = random.Random(f"feeds {table.warehouse} {line} {_version('feeds', line, day, changed)}")
        layer = min(table.number // size, LAYERS - 1)
        if not layer:
            continue
        above = tables[(layer - 1) * size + int(size * chance.random() ** 2)]
        column = f"col_{chance.randrange(_COLUMNS)}"
        ends = [_external(above, chance, column=column), _external(table, chance, column=column)]
        yield {"from_identifier": ends[0], "to_identifier": ends[1]}


def _drawing(charts: int, tables: list[_Table], count: int, day: int, changed: float) -> Iterator[Json]:
    """The other half: what charts draw from."""
    for line in range(count // 2):
        chance = random.Random(f"draws {line} {_version('draws', line, day, changed)}")
        end = _external(tables[chance.randrange(len(tables))], chance)
        chart = {"type": "internal_resource", "databuilder_id": f"chart_{line % charts}"}
        yield {"from_identifier": end, "to_identifier": chart}


def _external(table: _Table, chance: random.Random, column: str | None = None) -> Json:
    title = table.title.upper() if chance.random() < 0.1 else table.title
    absent = chance.random() < 0.05
    given: Json = {"type": "external_column" if column else "external_table"}
    given["table"] = f"{title}_gone" if absent else title
    if chance.random() >= 1 / 3:
        given |= {"database": table.database, "schema": table.schema}
        if chance.random() < 0.5:
            given["cluster"] = table.warehouse
    if column:
        given["column"] = column
    return given


def _write(path: Path, lines: Iterator[Json]) -> None:
    with path.open("wb") as file:
        file.writelines(orjson.dumps(line) + b"\n" for line in lines)
