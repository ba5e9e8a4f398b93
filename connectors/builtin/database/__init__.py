"""Catalogues of SQL databases: one way of reading them, and what differs from system to system."""

from connectors.builtin.database.duckdb import DuckDB
from connectors.builtin.database.postgres import Postgres
from connectors.builtin.database.sqlite import Sqlite

__all__ = ["DuckDB", "Postgres", "Sqlite"]
