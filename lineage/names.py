"""Names as systems store and compare them: identifiers, table names, case rules, dotted keys."""

from __future__ import annotations

from typing import NamedTuple

from connectors.model.naming import dotted

__all__ = ["Identifier", "TableName", "dotted", "folds", "is_path", "stored"]

# What an unquoted identifier becomes when its dialect stores it. Not listed: as written.
_LOWER = frozenset(
    {"postgres", "redshift", "greenplum", "materialize", "risingwave", "trino", "presto", "athena"}
)
_UPPER = frozenset({"snowflake", "oracle", "exasol", "db2", "teradata"})
# Dialects in which names that differ in case only are different tables.
_CASE_SENSITIVE = frozenset({"bigquery", "clickhouse"})


class Identifier(NamedTuple):
    """A name as written, without its quotes."""

    text: str
    quoted: bool = False


class TableName(NamedTuple):
    """A table as SQL names it. A part that is absent is open."""

    table: Identifier
    schema: Identifier | None = None
    database: Identifier | None = None
    instance: Identifier | None = None

    def __str__(self) -> str:
        parts = (self.instance, self.database, self.schema, self.table)
        return ".".join(part.text for part in parts if part)


def stored(name: Identifier, dialect: str | None) -> str:
    """The text under which the dialect stores this identifier."""
    if name.quoted or not dialect:
        return name.text
    if dialect in _LOWER:
        return name.text.lower()
    return name.text.upper() if dialect in _UPPER else name.text


def folds(name: Identifier, dialect: str | None) -> bool:
    """Whether the identifier may also match a name that differs from it in case only."""
    return not name.quoted and dialect not in _CASE_SENSITIVE


def is_path(text: object) -> bool:
    """Whether a text that stands where a table's name may stand names a file, a folder or a stage."""
    return isinstance(text, str) and ("://" in text or text[:1] in ("/", "@"))
