"""The formats of files: how records become rows of a file, and how the rows of one are read again.

A row is what a format merges without looking into it: a record in Parquet, fields of text in CSV, a line in JSONL.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from connectors.errors import DatasetError
from connectors.sinks.feed import BATCH_ROWS
from connectors.sinks.fitting import merged_schema
from connectors.sinks.texts import delimited, json_text, python_values, texts

_CSV_BLOCK_BYTES = 16 * 1024 * 1024  # the longest record that can be read again


class FileFormat(ABC):
    """`key` are the columns whose values name a row."""

    extension: ClassVar[str]

    def __init__(self, key: Sequence[str]) -> None:
        self._key = key

    @abstractmethod
    def row_schema(self, schema: pa.Schema) -> pa.Schema:
        """The columns of rows that hold records of a schema."""

    @abstractmethod
    def rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Records as rows."""

    @abstractmethod
    def read(self, stream: Any) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The rows of a file, in its order, with their columns."""

    @abstractmethod
    def write(self, stream: Any, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Writes rows."""

    def keys(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The key of each row, in the key's order."""
        return rows.select(list(self._key))

    def merged(self, there: pa.Schema, given: pa.Schema, where: str) -> pa.Schema:
        """The columns of rows from both. Raises DatasetError for those that do not fit."""
        return merged_schema(there, given, where)


class Parquet(FileFormat):
    extension = "parquet"

    def row_schema(self, schema: pa.Schema) -> pa.Schema:
        return schema.remove_metadata()

    def rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.replace_schema_metadata(None)

    def read(self, stream: Any) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        file = pq.ParquetFile(stream)
        return file.schema_arrow.remove_metadata(), file.iter_batches(BATCH_ROWS)

    def write(self, stream: Any, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
            for group in _groups(batches):
                writer.write_table(pa.Table.from_batches(group, schema))


class Csv(FileFormat):
    """With a header; null is an empty field, an empty text is in quotes."""

    extension = "csv"

    def row_schema(self, schema: pa.Schema) -> pa.Schema:
        return pa.schema([(name, pa.string()) for name in schema.names])

    def rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [texts(column) for column in batch.columns]
        return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)

    def read(self, stream: Any) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        names = self._names(stream)
        stream.seek(0)
        reader = pyarrow.csv.open_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK_BYTES, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
        return reader.schema, iter(reader)

    def _names(self, stream: Any) -> list[str]:
        # Types are told by name, and the reader tells names only after it has guessed types.
        options = pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK_BYTES, use_threads=False)
        parse = pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
        return list(pyarrow.csv.open_csv(stream, read_options=options, parse_options=parse).schema.names)

    def write(self, stream: Any, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        stream.write(delimited([pa.array([name]) for name in schema.names]))
        for batch in batches:
            if batch.num_rows:
                stream.write(delimited(batch.columns))


class JsonLines(FileFormat):
    """One object a line, each with every column."""

    extension = "jsonl"

    def row_schema(self, schema: pa.Schema) -> pa.Schema:
        return pa.schema(
            [("line", pa.large_binary()), *((f"k{at}", pa.string()) for at in range(len(self._key)))]
        )

    def rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        names = batch.schema.names
        values = [python_values(column) for column in batch.columns]
        objects = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
        return self._rows([json_text(one) for one in objects], objects)

    def read(self, stream: Any) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        return self.row_schema(pa.schema([])), self._read(stream)

    def _read(self, stream: Any) -> Iterator[pa.RecordBatch]:
        rest = b""
        while block := stream.read(8 * 1024 * 1024):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            yield self._parsed(lines)
        if rest.strip():
            yield self._parsed([rest])

    def _parsed(self, lines: list[bytes]) -> pa.RecordBatch:
        filled = [line for line in lines if line.strip()]
        try:
            objects = [orjson.loads(line) for line in filled] if self._key else filled
        except orjson.JSONDecodeError:
            raise DatasetError(
                "the file that is there has a line that is not JSON", hint="move it away"
            ) from None
        return self._rows(filled, objects)

    def _rows(self, lines: list[bytes], objects: Sequence[Any]) -> pa.RecordBatch:
        keys = [
            pa.array([json_text(one.get(name)).decode() for one in objects], pa.string())
            for name in self._key
        ]
        return pa.RecordBatch.from_arrays(
            [pa.array(lines, pa.large_binary()), *keys], schema=self.row_schema(pa.schema([]))
        )

    def keys(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        return rows.select([f"k{at}" for at in range(len(self._key))])

    def write(self, stream: Any, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        for batch in batches:
            if batch.num_rows:
                stream.write(b"\n".join(batch.column(0).to_pylist()) + b"\n")


FORMATS: dict[str, type[FileFormat]] = {one.extension: one for one in (Parquet, Csv, JsonLines)}


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches that become a row group together: many small ones make a file slow to read."""
    group: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        group.append(batch)
        size += batch.nbytes
        if size >= 64 * 1024 * 1024 or sum(one.num_rows for one in group) >= BATCH_ROWS * 8:
            yield group
            group, size = [], 0
    if group:
        yield group
