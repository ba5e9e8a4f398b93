"""Logs as comma-separated values, with a row of names or with the names given."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from operator import itemgetter
from typing import BinaryIO

from connectors.builtin.query_log.columns import Columns, Unit, find_columns, require
from connectors.builtin.query_log.rows import Fault, Row
from connectors.builtin.stream import TooLong, lines


def read_csv(
    stream: BinaryIO,
    columns: Columns,
    duration_unit: Unit,
    limit: int,
    *,
    delimiter: str,
    header: list[str],
    started: bool,
    where: str,
) -> Iterator[Row | Fault]:
    """The entries, and the records that are none. Raises BrokenFile, and UnexpectedAnswer for missing columns."""
    # The limit is the process's, not the reader's, so it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), limit))
    text = _Text(stream, limit)
    records = _records(text, delimiter)
    names = list(header)
    if not names:
        first = next(records, None)
        if first is None:
            return
        if isinstance(first, Fault):
            yield first
            return
        names = first[1]
    layout = find_columns(columns, names, duration_unit)
    require(columns, layout, names, where, started=started)
    values_of = itemgetter(*(-1 if place is None else place for place in layout.places))
    width = len(names)
    for record in records:
        if isinstance(record, Fault):
            yield record
            continue
        number, fields = record
        if len(fields) != width:
            cause = f"has {len(fields)} fields, and there are {width} columns"
            yield Fault(number, cause, unfinished=text.unfinished)
            continue
        fields.append("")  # what a role without a column finds
        yield Row(number, values_of(fields), layout)


def _records(text: _Text, delimiter: str) -> Iterator[tuple[int, list[str]] | Fault]:
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        begins = text.number + 1
        text.cause = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Fault(begins, f"is not CSV: {error}", unfinished=text.unfinished)
            continue
        if text.cause:
            yield Fault(begins, text.cause)
        elif fields:
            yield begins, fields


class _Text:
    """The lines of a stream as text. `cause` is what is wrong with a line given since it was last cleared."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._lines = lines(stream, limit)
        self.number = 0
        self.cause: str | None = None
        self.unfinished = False  # the last line given has no end, or there was no more when one was needed

    def __iter__(self) -> _Text:
        return self

    def __next__(self) -> str:
        numbered = next(self._lines, None)
        if numbered is None:
            self.unfinished = True
            raise StopIteration
        self.number, line = numbered
        if isinstance(line, TooLong):
            self.cause = "has a line that is longer than `max_statement_mib`"
            # A quoted field that begins or ends in the line must do so in what stands for it.
            return '"\n' if line.quotes % 2 else "\n"
        self.unfinished = not line.endswith(b"\n")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            self.cause = f"is not UTF-8 at byte {error.start} of line {self.number}"
            return line.decode(errors="replace")
