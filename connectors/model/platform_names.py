"""How OpenLineage names datasets within their namespaces, by the rule of each platform.

The rule: https://openlineage.io/docs/spec/naming
"""

from __future__ import annotations

import re
from typing import NamedTuple

FILES = frozenset({"file", "s3", "gs", "abfss", "wasbs", "hdfs", "dbfs", "sftp", "ftp", "adl"})
# Their keys begin with no slash; in a file system a path does.
OBJECT_STORES = frozenset({"s3", "gs", "abfss", "wasbs"})
TOPICS = frozenset({"kafka", "pubsub", "kinesis", "pulsar", "eventhub"})
# A database has no schemas within: SQL's `shop.orders` has it where others have the schema, and so have we.
TWO_LEVELS = frozenset(
    {"mysql", "hive", "clickhouse", "teradata", "cassandra", "oceanbase", "doris", "starrocks", "impala"}
)
# One name for what drivers and older producers write.
SCHEMES = {
    **dict.fromkeys(("postgresql", "pgsql"), "postgres"),
    "mariadb": "mysql",  # the same servers, by another driver
    **dict.fromkeys(("sqlserver", "jtds"), "mssql"),
    **dict.fromkeys(("hive2", "hiveserver2"), "hive"),
    "crate": "cratedb",
    "ibm_db_sa": "db2",
    "ch": "clickhouse",
    **dict.fromkeys(("s3a", "s3n"), "s3"),
    "gcs": "gs",
    "abfs": "abfss",
    "wasb": "wasbs",
}
WITHOUT_AUTHORITY = frozenset({"bigquery", "pubsub", "file", "dbfs"})  # namespaces that are one word

_SCHEME = re.compile(r"([a-z][a-z0-9_.-]*)(?:\+[a-z0-9_.-]*)?:", re.I | re.A)
_GLUE = re.compile(r"arn:aws[a-z-]*:glue:", re.I | re.A)
_WAREHOUSE = re.compile(r"[a-z0-9]+:(?://[^/]*/+|/)[^/]", re.I | re.A)
_SEGMENT = re.compile(
    r'"((?:[^"]|"")*)"(?=\.|\Z)|`((?:[^`]|``)*)`(?=\.|\Z)|\[([^\]]*)\](?=\.|\Z)|([^.]*)', re.S
)
_QUOTES = ('"', "`", "[")


class DatasetParts(NamedTuple):
    """A dataset's name in parts, those that it does not give None. A file's or topic's is its `table` alone."""

    database: str | None
    schema: str | None
    table: str


def scheme_of(namespace: str) -> str:
    """The platform that a namespace names, in one word for all its spellings; "" where it names none."""
    if _GLUE.match(namespace):
        return "glue"
    if namespace.lower() in WITHOUT_AUTHORITY:
        return namespace.lower()
    found = _SCHEME.match(namespace)
    scheme = found[1].lower() if found else ""
    return SCHEMES.get(scheme, scheme)


def in_one_spelling(namespace: str) -> str:
    """A namespace with its scheme as we spell it: s3a://bucket is s3://bucket."""
    found = _SCHEME.match(namespace)
    known = SCHEMES.get(found[1].lower()) if found else None
    return namespace if found is None or known is None else f"{known}{namespace[found.end(1) :]}"


def dataset_parts(namespace: str, name: str) -> DatasetParts:
    """The parts of a dataset's name, by the rule of its namespace's platform.

    Where the namespace names no platform the parts are those of SQL, unless the name looks like a path.
    """
    scheme = scheme_of(namespace)
    # Spark names a table of a catalogue by the catalogue's folder.
    if scheme in FILES and not _WAREHOUSE.match(namespace):
        return DatasetParts(None, None, _path(scheme, name))
    if scheme in TOPICS:
        return DatasetParts(None, None, name)
    if scheme in ("glue", "azurekusto", "azurecosmos"):
        return _by_slashes(scheme, name)
    if not scheme and "/" in name:
        return DatasetParts(None, None, name)
    return _by_dots(name, two_levels=scheme in TWO_LEVELS)


def dataset_name(namespace: str, database: str | None, schema: str | None, table: str) -> str:
    """The name of a dataset with these parts: `dataset_parts` the other way."""
    scheme = scheme_of(namespace)
    if (scheme in FILES and not _WAREHOUSE.match(namespace)) or scheme in TOPICS:
        return table
    if scheme == "glue":
        return f"table/{schema}/{table}" if schema else table
    if scheme == "azurekusto":
        return f"{schema}/{table}" if schema else table
    if scheme == "azurecosmos":
        return f"colls/{table}"
    if scheme in TWO_LEVELS - {"hive"}:
        database, schema = None, schema or database
    return ".".join(_quoted(part) for part in (database, schema, table) if part)


def _path(scheme: str, name: str) -> str:
    path = name.rstrip("/") or name[:1]
    return path.lstrip("/") or path if scheme in OBJECT_STORES else path


def _by_slashes(scheme: str, name: str) -> DatasetParts:
    parts = name.split("/")
    if scheme == "glue" and len(parts) == 3 and parts[0] == "table":
        return DatasetParts(None, parts[1] or None, parts[2] or name)
    if scheme == "azurekusto" and len(parts) == 2:
        return DatasetParts(None, parts[0] or None, parts[1] or name)
    if scheme == "azurecosmos":
        return DatasetParts(None, None, name.removeprefix("colls/") or name)
    return DatasetParts(None, None, name)


def _by_dots(name: str, *, two_levels: bool) -> DatasetParts:
    parts = _segments(name)
    if not parts[-1]:
        return DatasetParts(None, None, name)
    if len(parts) == 1:
        return DatasetParts(None, None, parts[0])
    # What is left of a name with too many dots is the table's: databases and schemas rarely have one.
    if len(parts) == 2 or (two_levels and len(parts) > 3):
        return DatasetParts(None, parts[0] or None, ".".join(parts[1:]))
    return DatasetParts(parts[0] or None, parts[1] or None, ".".join(parts[2:]))


def _segments(name: str) -> list[str]:
    parts, at = [], 0
    while found := _SEGMENT.match(name, at):
        double, back, bracket, plain = found.groups()
        quoted = double.replace('""', '"') if double is not None else None
        quoted = back.replace("``", "`") if back is not None else quoted
        parts.append(next(part for part in (quoted, bracket, plain, "") if part is not None))
        at = found.end() + 1
        if at > len(name):
            break
    return parts


def _quoted(part: str) -> str:
    if "." in part or part.startswith(_QUOTES):
        return '"' + part.replace('"', '""') + '"'
    return part
