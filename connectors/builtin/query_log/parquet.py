"""Logs as Parquet files, read a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count, repeat
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.builtin.query_log.columns import (
    PER_SECOND,
    ROLES,
    Columns,
    Layout,
    Unit,
    find_columns,
    require,
)
from connectors.builtin.query_log.moments import EPOCH, BadEntry, Clock
from connectors.builtin.query_log.rows import Fault, Row, Unreadable
from connectors.builtin.stream import BUFFER, BrokenFile, seekable
from connectors.errors import UnexpectedAnswer
from connectors.model import Window

ROWS_AT_ONCE = 4096
BYTES_AT_ONCE = 16 * 1024 * 1024
DAMAGE = (pa.ArrowException, OSError, ValueError)  # what Arrow raises for a file that is not whole
# Where clocks are put back or forward, local times do not follow each other as moments do.
ZONE_CHANGE = timedelta(days=1)
_STARTED = ROLES.index("started")


def read_parquet(
    stream: BinaryIO,
    columns: Columns,
    duration_unit: Unit,
    *,
    window: Window,
    clock: Clock,
    started: bool,
    where: str,
) -> Iterator[Row | Fault]:
    """The entries of the row groups that may hold some of the window.

    Raises BrokenFile, and UnexpectedAnswer for missing columns.
    """
    with seekable(stream) as file:
        try:
            parquet = pq.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False)
            names = list(parquet.schema_arrow.names)
        except DAMAGE as error:
            raise BrokenFile(_line(error)) from None
        layout = find_columns(columns, names, duration_unit)
        require(columns, layout, names, where, started=started)
        first = 1
        for group in range(parquet.num_row_groups):
            try:
                wanted = _may_hold(parquet, group, layout, window, clock)
            except DAMAGE as error:
                raise BrokenFile(_line(error)) from None
            if wanted:
                yield from _rows(parquet, group, layout, first, where)
            first += parquet.metadata.row_group(group).num_rows


def _rows(
    parquet: pq.ParquetFile, group: int, layout: Layout, first: int, where: str
) -> Iterator[Row | Fault]:
    wanted = list(dict.fromkeys(name for name in layout.names if name))
    batches = parquet.iter_batches(
        _batch_rows(parquet.metadata.row_group(group)), row_groups=[group], columns=wanted, use_threads=False
    )
    numbers = count(first)
    while True:
        try:
            batch = next(batches, None)
        except DAMAGE as error:
            raise BrokenFile(_line(error)) from None
        if batch is None:
            return
        values = {name: _values(_column(batch, name, where)) for name in wanted}
        by_role = [values[name] if name else repeat(None, batch.num_rows) for name in layout.names]
        for one in zip(*by_role, strict=True):
            yield Row(next(numbers), one, layout)


def _batch_rows(group: Any) -> int:
    """As many rows as are some megabytes, going by the group's mean."""
    rows = max(1, group.num_rows)
    return int(max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE * rows // max(1, group.total_byte_size))))


def _column(batch: pa.RecordBatch, name: str, where: str) -> pa.Array:
    place = batch.schema.get_field_index(name)
    if place < 0:
        raise UnexpectedAnswer(
            f"{where}: there is not one column {name}", hint="write it with names that differ"
        )
    column = batch.column(place)
    if pa.types.is_timestamp(column.type):
        # Python's times end at microseconds.
        return column.cast(pa.timestamp("us", column.type.tz and "UTC"), safe=False)
    return column


def _values(column: pa.Array) -> Sequence[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        return [_value(scalar) for scalar in column]
    return values


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes()
    except (ValueError, OverflowError):
        return Unreadable()


# -- what need not be read


def _may_hold(parquet: pq.ParquetFile, group: int, layout: Layout, window: Window, clock: Clock) -> bool:
    """Whether a row group may have entries of the window, by the statistics of the column of starts."""
    name = layout.names[_STARTED]
    schema, metadata = parquet.schema_arrow, parquet.metadata.row_group(group)
    if name is None or schema.get_field_index(name) < 0:
        return True
    kind = schema.field(name).type
    chunks = (metadata.column(i) for i in range(metadata.num_columns))
    statistics = next((chunk.statistics for chunk in chunks if chunk.path_in_schema == name), None)
    # An entry without a start has to be seen, if only to be refused.
    if not (
        statistics and statistics.has_min_max and statistics.has_null_count and not statistics.null_count
    ):
        return True
    try:
        least, most = (_bound(raw, kind, clock) for raw in (statistics.min_raw, statistics.max_raw))
    except (BadEntry, OverflowError):
        return True
    if least is None or most is None:
        return True
    return most + ZONE_CHANGE >= window.start and least - ZONE_CHANGE < window.end


def _bound(raw: Any, kind: pa.DataType, clock: Clock) -> datetime | None:
    if pa.types.is_timestamp(kind):
        at = EPOCH + timedelta(microseconds=raw * 1_000_000 // PER_SECOND[kind.unit])
        return at if kind.tz else clock.moment(at.replace(tzinfo=None))
    return clock.moment(raw) if pa.types.is_integer(kind) else None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
