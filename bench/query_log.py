"""A million logged statements of five thousand shapes, synced, and how their cost falls with repetition."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.measure import HEADWATER, Figure, Finished, run_command, succeed

COUNT, SHAPES = 1_000_000, 5_000
LIMIT_S, LIMIT_GIB = 150, 1
REPETITION = (1, 2, 5, 20, 100)  # statements for each shape, in the curve
CURVE = 20_000
PROJECT = """\
partitions: {every: day, start: 2026-01-01}
connections:
  log:
    connector: query_log
    config: {path: log.jsonl, dialect: postgres}
    schedule: "0 * * * *"
"""
_HOLE = re.compile("[#@]")


def run(folder: Path) -> Iterator[Figure]:
    small = _synced(folder / "small", COUNT // 10, SHAPES)
    whole = _synced(folder / "whole", COUNT, SHAPES)
    yield Figure("1,000,000 statements, sync, wall", whole.seconds, "s", LIMIT_S)
    yield Figure("peak memory", whole.peak_bytes / 2**30, "GiB", LIMIT_GIB)
    yield Figure("peak memory of the first 100,000", small.peak_bytes / 2**30, "GiB")
    yield Figure("peak memory / that of the first 100,000", whole.peak_bytes / small.peak_bytes, "x", 1.15)
    yield Figure("statements each second", COUNT / whole.seconds)
    empty = _synced(folder / "empty", 0, 1).seconds
    for times in REPETITION:
        took = _synced(folder / f"curve{times}", CURVE, CURVE // times).seconds
        yield Figure(f"a statement, each shape {times} times", (took - empty) / CURVE * 1e6, "us")


def _synced(folder: Path, count: int, shapes: int) -> Finished:
    folder.mkdir()
    (folder / "headwater.yaml").write_text(PROJECT)
    write_log(folder / "log.jsonl", count, shapes)
    return succeed(run_command((*HEADWATER, "sync"), folder))


def write_log(path: Path, count: int, shapes: int) -> None:
    """Statements of today: shapes by Zipf's law, literals and white space varied, fifty users, a thousand sessions."""
    chance = random.Random(shapes)
    templates = [_template(number, chance) for number in range(shapes)]
    weights = list(itertools.accumulate(1 / (place + 1) for place in range(shapes)))
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with path.open("w") as file:
        # Every shape once, then by chance.
        for number in range(count):
            template = (
                templates[number] if number < shapes else chance.choices(templates, cum_weights=weights)[0]
            )
            entry = {
                "query": _spaced(_HOLE.sub(lambda hole: _literal(hole.group(), chance), template), chance),
                "started": (start + timedelta(milliseconds=number)).isoformat(),
                "user": f"user{chance.randrange(50)}",
                "session": f"s{number % 1000}",
                "duration": chance.random(),
            }
            file.write(json.dumps(entry) + "\n")


def _template(number: int, chance: random.Random) -> str:
    table, a, b, c, d = (chance.randrange(n) for n in (400, 40, 40, 40, 40))
    return (
        f"SELECT c{a}, c{b}, sum(c{c}) AS s{number} FROM sales.t{table} WHERE c{d} = # AND at > '@' GROUP BY 1, 2",
        f"SELECT x.c{a}, y.c{b} AS n{number} FROM sales.t{table} x JOIN core.u{table} y ON x.id = y.id "
        f"WHERE x.c{c} IN (#, #, #) AND y.c{d} LIKE '@%'",
        f"INSERT INTO mart.m{number} (c{a}, c{b}) SELECT c{c}, count(*) FROM sales.t{table} WHERE day = '@' "
        f"GROUP BY c{c}",
        f"UPDATE core.u{table} SET c{a} = c{a} + #, note = '@' WHERE id = # AND v{number} IS NULL",
        f"WITH r AS (SELECT c{a}, row_number() OVER (PARTITION BY c{b} ORDER BY c{c}) AS n FROM sales.t{table} "
        f"WHERE c{d} < #) SELECT c{a} AS f{number} FROM r WHERE n = #",
        f"SELECT c{a}, c{b} FROM core.u{table} WHERE z{number} = '@' ORDER BY c{c} DESC LIMIT #",
    )[number % 6]


def _literal(hole: str, chance: random.Random) -> str:
    return str(chance.randrange(10**6)) if hole == "#" else f"v{chance.getrandbits(40):x}"


def _spaced(text: str, chance: random.Random) -> str:
    way = chance.random()
    return text if way < 0.5 else text.replace(" ", "  ", 2) if way < 0.8 else text.replace(" ", "\n", 3)
