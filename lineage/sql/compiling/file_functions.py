"""Table functions that read files, and formats that stand where a schema's name may: the file is the table."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp

from lineage.names import is_path
from lineage.sql.compiling.builder import Builder
from lineage.sql.reading.commands import Name
from lineage.sql.reading.tokens import words

# DuckDB reads any text that stands there as a path.
_DUCKDB: Final = words(
    "READ_PARQUET PARQUET_SCAN READ_CSV READ_CSV_AUTO READ_JSON READ_JSON_AUTO READ_NDJSON READ_NDJSON_AUTO ",
    "READ_JSON_OBJECTS READ_TEXT READ_BLOB READ_XLSX SNIFF_CSV DELTA_SCAN ICEBERG_SCAN",
)
# Others', of which the first text is the path: ClickHouse, Databricks.
_OTHERS: Final = words("READ_FILES CLOUD_FILES S3 S3CLUSTER GCS URL URLCLUSTER FILE HDFS")
_FORMATS: Final = words("PARQUET CSV JSON ORC AVRO TEXT DELTA ICEBERG BINARYFILE XML HUDI")
_SPARK: Final = frozenset({"spark", "spark2", "databricks", ""})


def paths_read(builder: Builder, call: Any) -> list[str]:
    """The files that a table function reads, as far as the text names them."""
    name = _name(call)
    if name not in _DUCKDB and name not in _OTHERS:
        return []
    if name in _DUCKDB and builder.dialect not in ("duckdb", ""):
        return []
    arguments = [
        call.args.get("this") if type(call) is not exp.Anonymous else None,
        *(call.args.get("expressions") or ()),
    ]
    first = next((argument for argument in arguments if isinstance(argument, exp.Expr)), None)
    listed = first.args["expressions"] if isinstance(first, exp.Array | exp.List) else [first]
    texts = [item.name for item in listed if type(item) is exp.Literal and item.args["is_string"]]
    paths = [text for text in texts if text and (name in _DUCKDB or is_path(text))]
    if paths:
        builder.let_literals_matter()
    return paths


def _name(call: Any) -> str:
    if type(call) is exp.Anonymous:
        return str(call.this).upper()
    return call.sql_name().upper() if isinstance(call, exp.Func) else ""


def without_format(builder: Builder, parts: list[Name]) -> list[Name]:
    """Spark: parquet.`/a/b` is the file /a/b. Other names stay as they are."""
    if (
        len(parts) == 2
        and builder.dialect in _SPARK
        and parts[0][0].upper() in _FORMATS
        and is_path(parts[1][0])
    ):
        return parts[1:]
    return parts
