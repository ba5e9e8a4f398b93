"""Which schemas and tables of a database are read."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from pydantic import Field

from connectors.connector import ConnectorConfig


class Selection(ConnectorConfig):
    """The settings that every database connector has. Patterns are shell-style, and case matters."""

    schemas: list[str] = Field(
        default=[], description="Patterns of schemas to read; empty: all but the system's"
    )
    exclude_schemas: list[str] = Field(default=[], description="Patterns of schemas to leave out")
    include: list[str] = Field(
        default=[], description="Patterns of tables, `table` or `schema.table`; empty: all"
    )
    exclude: list[str] = Field(default=[], description="Patterns of tables to leave out")

    def takes_schema(self, schema: str) -> bool:
        """Whether a schema is to be read."""
        wanted = not self.schemas or _matches(self.schemas, schema)
        return wanted and not _matches(self.exclude_schemas, schema)

    def takes_table(self, schema: str, table: str) -> bool:
        """Whether a table of a schema that is read is to be read."""
        names = (table, f"{schema}.{table}")
        wanted = not self.include or _matches(self.include, *names)
        return wanted and not _matches(self.exclude, *names)

    def without_match(self, found: Iterable[str]) -> list[str]:
        """The patterns of `schemas` that no schema matches: misspelt, dropped, or hidden from this user."""
        names = list(found)
        return [p for p in self.schemas if not any(fnmatchcase(name, p) for name in names)]


def _matches(patterns: list[str], *names: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
