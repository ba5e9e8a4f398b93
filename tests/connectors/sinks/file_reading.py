"""Reads what the sink of files wrote, with an engine that has no part in writing it."""

from __future__ import annotations

import duckdb
import pyarrow as pa

SOURCES = {
    "parquet": "read_parquet($path, union_by_name = true)",
    "csv": "read_csv($path, header = true, all_varchar = true, nullstr = '', allow_quoted_nulls = false, "
    "delim = ',', quote = '\"', escape = '\"', new_line = '\\n', union_by_name = true)",
    "jsonl": "read_json($path, format = 'newline_delimited', union_by_name = true)",
}


def read_files(path: str, extension: str, mode: str) -> pa.Table:
    found = f"{path}/*.{extension}" if mode == "append" else path
    with duckdb.connect() as engine:
        return engine.sql(f"from {SOURCES[extension]}", params={"path": found}).to_arrow_table()
