"""Logs of one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any, BinaryIO

import orjson

from connectors.builtin.query_log.columns import Columns, Layout, Unit, find_columns, missing
from connectors.builtin.query_log.rows import Fault, Row
from connectors.builtin.stream import TooLong, lines

KNOWN_SHAPES = 512  # of objects with the same keys; a log has a few


def read_jsonl(stream: BinaryIO, columns: Columns, duration_unit: Unit, limit: int) -> Iterator[Row | Fault]:
    """The entries, and the lines that are none. Raises BrokenFile."""
    shapes: dict[tuple[str, ...], tuple[Layout, itemgetter[Any]]] = {}
    for number, line in lines(stream, limit):
        if isinstance(line, TooLong):
            yield Fault(number, "is longer than `max_statement_mib`")
            continue
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if not line.isspace():
                yield Fault(number, _cause(line, error), unfinished=not line.endswith(b"\n"))
            continue
        if type(entry) is not dict:
            # The first digits of a number, unfinished, are a number too.
            yield Fault(number, "is not a JSON object", unfinished=not line.endswith(b"\n"))
            continue
        keys = tuple(entry)
        shape = shapes.get(keys)
        if shape is None:
            if len(shapes) >= KNOWN_SHAPES:
                shapes.clear()
            layout = find_columns(columns, keys, duration_unit)
            shape = shapes[keys] = layout, itemgetter(*layout.names)
        layout, values_of = shape
        if layout.names[0] is None:
            yield Fault(number, missing(columns, "text", keys))
            continue
        entry[None] = None  # what a role without a column finds
        yield Row(number, values_of(entry), layout)


def _cause(line: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        line.decode()
    except UnicodeDecodeError as undecodable:
        return f"is not UTF-8 at byte {undecodable.start}"
    return f"is not JSON at character {error.pos + 1}: {error.msg.partition(': line ')[0]}"
